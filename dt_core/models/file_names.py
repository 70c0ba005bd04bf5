"""What the name of a file tells: weights, family, preset; and what is known of a model by it."""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import Any

from ..errors import ModelNotFound, RequestError
from ..settings.table import UNIT_PX
from ..text import Template
from .catalog import Catalog
from .families import FAMILIES, Family, Preset, family

_MODEL_UNKNOWN = Template(
    "model_unknown",
    "Nobody knows the model '{file}': the server does not describe it, and its file name names "
    "no family.",
)

_EMPTY = Template("file_name_empty", "A file name is empty: choose a file, or leave it out.")
_NO_NAME = Template("file_name_impossible", "No file can be called {name}: choose another one.")


def check(name: str) -> str:
    """The name, if a file of a server can have it. Raises RequestError."""
    if not name:
        raise RequestError(_EMPTY())
    if "\x00" in name or any("\ud800" <= letter <= "\udfff" for letter in name):
        raise RequestError(_NO_NAME(name=ascii(name)))
    return name


_WEIGHTS = re.compile(r"_(q\d+p|i\d+x|bf16|f16|fp16|svd)$")
_ENDING = ".ckpt"

_HURRIED = re.compile(r"turbo|lightning|hyper|lcm|distill|schnell|fast|instant", re.IGNORECASE)

# Words of names, the first that fits counts; only asked where nobody knows better. A number
# behind the word that is higher than those known here means a newer family, which is unknown.
_START = r"(?:^|[._ -])"
_PATTERNS: tuple[tuple[str, str], ...] = (
    (r"klein[._-]?(?:base[._-]?)?4b", "flux2_4b"),
    (r"klein", "flux2_9b"),
    (r"flux[._-]?2", "flux2"),
    (r"flux(?![._-]?[3-9])", "flux1"),
    (r"z[._-]?image(?![._-]?[2-9])", "z_image"),
    (r"qwen(?![._-]?image[._-]?(?:[2-9]\.|[3-9]))", "qwen_image"),
    (r"refiner", "sdxl_refiner_v0.9"),
    (r"ssd[._-]?1b", "ssd_1b"),
    (r"pixart", "pixart"),
    (_START + r"sd[._-]?3[._-]?5?[._-]?large", "sd3_large"),
    (_START + r"sd[._-]?3|stable_diffusion_3", "sd3"),
    (r"wan[._-]?v?2[._-]2.*[._-]5b", "wan_v2.2_5b"),
    (r"wan.*[._-]1[._-]3b", "wan_v2.1_1.3b"),
    (r"wan(?![._-]?v?[3-9])[._-]", "wan_v2.1_14b"),
    (r"ltx[._-]?v?2[._-]3", "ltx2.3"),
    (r"ltx[._-]?v?2(?!\.[4-9])|ltx(?![._-]?v?[0-9])", "ltx2"),
    (r"hunyuan", "hunyuan_video"),
    (r"hidream[._-]?o1", "hidream_o1"),
    (r"hidream(?![._-]?[a-z]?[2-9])", "hidream_i1"),
    (r"svd[._-]", "svd_i2v"),
    (r"kandinsky(?![._-]?[3-9])", "kandinsky2.1"),
    (r"stage_c|cascade|w\u00fcrstchen|wurstchen", "wurstchen_v3.0_stage_c"),
    (r"auraflow", "auraflow"),
    (r"ernie", "ernie_image"),
    (r"ideogram(?![._-]?[5-9])", "ideogram_4"),
    (r"krea[._-]?2", "krea_2"),
    (r"seedvr2?[._-]?3b", "seedvr2_3b"),
    (r"seedvr", "seedvr2_7b"),
    (r"cosmos(?![._-]?[3-9])", "cosmos2.5_2b"),
    (_START + r"(?:sd[._-]?)?xl|sdxl|pony|illustrious|juggernaut", "sdxl_base_v0.9"),
    (_START + r"sd[._-]?v?2(?![0-9])|^v2[._-]", "v2"),
    (r"sd[._-]?v?1(?:[._-]?[45])?(?![0-9])|^v1[._-]|instruct_pix2pix", "v1"),
)


def weights_of(file: str) -> str:
    """How the weights in a file are stored, by its name, such as "q6p"; "" if it does not tell."""
    found = _WEIGHTS.search(_stem(file))
    return found[1] if found else ""


def without_weights(file: str) -> str:
    """A file's name without ending and without how its weights are stored, said once or more:
    the same for all that differ in that alone."""
    name = _stem(file)
    while (shorter := _WEIGHTS.sub("", name)) != name:
        name = shorter
    return name


def family_of_file(file: str) -> Family | None:
    """The family of a well-known official file, whatever its weights; else None."""
    stem = without_weights(file)
    for row in FAMILIES.values():
        if stem in row.files or any(without_weights(p.model) == stem for p in row.presets):
            return row
    return None


def guessed(file: str) -> Family | None:
    """The family that a file's name suggests; None where it suggests none, or a newer one."""
    official = family_of_file(file)
    if official is not None:
        return official
    name = without_weights(file).lower()
    found = (family(version) for pattern, version in _PATTERNS if re.search(pattern, name))
    return next(filter(None, found), None)


def preset_for(file: str, family: Family, loras: Collection[str] = ()) -> Preset | None:
    """Where to start with a model: by its name without weights, else by the longest beginning of
    it that is a preset's name, else by its family. None where the family has no preset.

    `loras` are files in use: of several presets the one made for most of them, then the one that
    lacks the fewest, then the one that hurries least.
    """
    model, used = without_weights(file), {without_weights(lora) for lora in loras}
    names = {without_weights(row.model) for row in family.presets}
    begun = [name for name in names if model == name or model.startswith(f"{name}_")]
    wanted = max(begun, key=len, default=None)
    if wanted is None and _HURRIED.search(model):
        return None  # what others of the family start with is far from what it needs
    fitting = [row for row in family.presets if wanted in (None, without_weights(row.model))]

    def rank(row: Preset) -> tuple[int, int, float]:
        needs = {without_weights(lora) for lora in row.lora_files}
        return -len(needs & used), len(needs - used), -row.settings.get("steps", 0)

    return min(fitting, key=rank, default=None)


def _stem(file: str) -> str:
    return file.removesuffix(_ENDING)


def latent_info(file: str, catalog: Catalog | None = None) -> dict[str, Any]:
    """What a script asks of a model before it chooses a size.

    latent_size: px per unit of a size on the wire, 64 for every family; version, family;
    latent_channels; default_size in px or None; is_video; source: "server" or "file name".

    Raises ModelNotFound where the server tells what it has and this is not among it, or
    where it does not tell and the name says nothing.
    """
    model = catalog.model(file) if catalog else None
    found = model.family if model else guessed(file)
    if model is None and found is None:
        raise ModelNotFound(_MODEL_UNKNOWN(file=file))
    version = model.version if model else found.version if found else ""
    scale = (model.default_scale if model else None) or (found.default_scale if found else None)
    return {
        "latent_size": UNIT_PX,
        "version": version,
        "family": found.name if found else "",
        "latent_channels": found.latent_channels if found else None,
        "default_size": scale * UNIT_PX if scale else None,
        "is_video": bool(found and found.is_video),
        "source": "server" if model else "file name",
    }
