"""Pictures as scripts have them: files, bytes, PIL pictures and arrays; in and out."""

from __future__ import annotations

import io
import os
import wave
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Union

import numpy as np
from numpy.typing import NDArray

from .. import metadata
from ..errors import RequestError, TensorError
from ..generation.events import Preview
from ..metadata import Generation
from ..models.families import Family
from ..pictures import pixels
from ..pictures.pixels import WirePicture
from ..pictures.previews import latent_to_rgb
from ..pictures.values import Audio, Mask, Picture
from ..text import Template
from ..wire import tensor

_NO_PICTURE = Template("no_picture_file", "{what} cannot be read as a picture: {why}.")
_THE_PICTURE = Template("the_picture", "The picture")
_NOT_A_PICTURE = Template("no_picture_file_or_damaged", "it is no picture file, or a damaged one")
_NOT_PICTURE_LIKE = Template(
    "not_picture_like",
    "A picture must be a path, the bytes of a picture file, a PIL picture or an array, not {name}.",
)


if TYPE_CHECKING:
    from PIL.Image import Image

PictureLike = Union["Image", str, "os.PathLike[str]", bytes, NDArray[Any], Picture]

_PREVIEW_FRAMES = 1  # of a video
_SAMPLE_BYTES = 2
_LEVELS_16_BIT = 65_535


def as_picture(given: PictureLike) -> Picture:
    """A picture from a PIL picture, a path, the bytes of a picture file, or an array.

    Turned as its Exif data says; what is transparent becomes black. Arrays are [H, W] or
    [H, W, 1 to 4], uint8 or float 0 to 1.

    Raises RequestError for what cannot be read as a picture.
    """
    if isinstance(given, Picture):
        return given
    if isinstance(given, np.ndarray):
        return Picture(given)
    image = _opened(given)
    if image.mode.startswith("I"):  # PIL would cut 16 bits at 255 in place of scaling them
        levels = np.asarray(image, dtype=np.float32) / _LEVELS_16_BIT
        return Picture(np.clip(levels, 0, 1))
    if "A" in image.getbands() or "transparency" in image.info:
        from PIL import Image

        image = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, (0, 0, 0, 255)), image)
    return Picture(np.asarray(image.convert("RGB")))


def as_mask(given: PictureLike | Mask) -> Mask:
    """A mask from a picture: white is repainted, black is kept; transparent counts as black.

    Raises RequestError for what cannot be read as a picture.
    """
    if isinstance(given, Mask):
        return given
    if isinstance(given, np.ndarray) and given.ndim == 2:
        return Mask(given)
    return Mask(np.ascontiguousarray(as_picture(given).pixels.mean(axis=2)))


def _opened(given: Any) -> Image:
    from PIL import Image, ImageOps

    try:
        if isinstance(given, Image.Image):
            image = given
        elif isinstance(given, (bytes, bytearray, memoryview)):
            image = Image.open(io.BytesIO(given))
        elif isinstance(given, (str, os.PathLike)):
            image = Image.open(given)
        else:
            raise RequestError(_NOT_PICTURE_LIKE(name=type(given).__name__))
        return ImageOps.exif_transpose(image)
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        what = Path(given).name if isinstance(given, (str, os.PathLike)) else _THE_PICTURE()
        why = getattr(error, "strerror", None) or _NOT_A_PICTURE()
        raise RequestError(_NO_PICTURE(what=what, why=why)) from None


def png_of(picture: WirePicture, generation: Generation | None = None) -> bytes:
    """A PNG file of a received picture, with alpha where the server sent one.

    `generation` goes in so that the Draw Things app reads it.
    """
    rgb = pixels.to_uint8(picture.rgb)
    if picture.alpha is not None:
        rgb = np.dstack([rgb, pixels.to_uint8(picture.alpha)])
    return metadata.encode(rgb, None, generation)


def preview_png(preview: Preview, family: Family | None) -> bytes | None:
    """A preview as a small PNG file; None where the family's latents cannot be shown."""
    if family is None:
        return None
    try:
        rgb = latent_to_rgb(preview.latent(), family.preview, _PREVIEW_FRAMES)
    except TensorError:  # a preview is not worth a generation
        return None
    return None if rgb is None else metadata.encode(rgb[0])


def wav_of(audio: Audio) -> bytes:
    """A WAV file, 16 bit."""
    file = io.BytesIO()
    with wave.open(file, "wb") as writer:
        writer.setnchannels(audio.samples.shape[0])
        writer.setsampwidth(_SAMPLE_BYTES)
        writer.setframerate(audio.sample_rate)
        levels = np.clip(np.nan_to_num(audio.samples), -1, 1) * 32767
        writer.writeframes(np.ascontiguousarray(levels.T).astype("<i2").tobytes())
    return file.getvalue()


def encode_image_to_tensor(image: PictureLike, compress: bool = False) -> bytes:
    """A picture as the server takes it: half floats -1 to 1, raw or fpzip-compressed.

    Raises RequestError for what is no picture, TensorError where fpzip is not installed.
    """
    array = pixels.picture_to_wire(as_picture(image).pixels)
    return tensor.encode(array, "fpzip" if compress else "raw")


def save_images(
    images: Iterable[bytes],
    output_dir: str | os.PathLike[str] = "output",
    prefix: str = "generated",
) -> list[Path]:
    """Write PNG files `prefix`_0001.png and so on; never over a file that is there."""
    folder = Path(output_dir)
    folder.mkdir(parents=True, exist_ok=True)
    saved, number = [], 1
    for image in images:
        while (path := folder / f"{prefix}_{number:04}.png").exists():
            number += 1
        path.write_bytes(image)
        saved.append(path)
    return saved
