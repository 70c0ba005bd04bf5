"""DT Sampler: gathers what the other nodes chose and lets the server generate."""

from __future__ import annotations

from functools import partial
from typing import Any

from comfy_api.latest import io

from ..dt_core.metadata import Generation
from ..dt_core.request import batches, seeds
from ..dt_core.request.parts import ModelChoice
from ..dt_core.request.resolved import resolve
from . import fingerprints, gather
from .host import compat, convert, sockets
from .running import reporting, run
from .servers.owner import here

NO_VIDEO = "DT Sampler made still pictures, so there is no video: take the output image."
NO_AUDIO = "DT Sampler got no sound from this model, so there is no audio."
NO_ALPHA = "DT Sampler made nothing transparent, so there is no rgba: take the output image."


def _generations(model: ModelChoice, result: run.Result) -> tuple[Generation, ...]:
    """One for each picture; only the seed differs."""
    made = Generation.of(resolve(result.plan.requests[0], here().lists.catalog(model.server)))
    return tuple(made.with_seed(seed) for seed in result.seeds)


class DTSampler(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return compat.schema(
            node_id="DTSampler",
            display_name="DT Sampler",
            category=sockets.CATEGORY,
            description="Lets the Draw Things server generate: from text, from images, within a "
            "mask, from references; pictures, video and sound.",
            search_aliases=["draw things", "ksampler", "generate", "txt2img", "img2img", "video"],
            inputs=gather.inputs(),
            outputs=[
                io.Image.Output(
                    display_name="image", tooltip="All pictures in order, or the frames of a video."
                ),
                io.Mask.Output(
                    display_name="mask",
                    tooltip="What is transparent in the pictures; black if nothing is.",
                ),
                io.Video.Output(
                    display_name="video",
                    tooltip="The frames at the model's frame rate, with the sound. Video models.",
                ),
                io.Audio.Output(
                    display_name="audio", tooltip="The sound. Models that make sound, such as LTX."
                ),
                io.Int.Output(
                    display_name="seeds",
                    is_output_list=True,
                    tooltip="The seed of every picture, in order; those of one request share it.",
                ),
                io.Image.Output(
                    display_name="rgba",
                    tooltip="The pictures with alpha as fourth channel. Models that make "
                    "transparent pictures.",
                ),
                sockets.Generation.Output(
                    display_name="generation",
                    tooltip="How each picture was made, for DT Save Image: settings, prompts and "
                    "seed, without server or secret.",
                ),
            ],
            hidden=[io.Hidden.unique_id],
        )

    @classmethod
    def fingerprint_inputs(cls, seed: int | None = None, **_: Any) -> str:
        """A random seed means another picture each time."""
        return fingerprints.changing() if seed == seeds.RANDOM else ""

    @classmethod
    async def execute(cls, model: ModelChoice, **inputs: Any) -> io.NodeOutput:
        with reporting.errors_in_words():
            batch, notes = gather.batch(model=model, **inputs)
            plan = partial(batches.plan, batch)
            result = await run.generate(model.server, batch.at(0), plan, cls.hidden.unique_id)
        notes = (*notes, *result.notes)
        image = convert.pictures_to_image(result.pictures)
        rgba = convert.pictures_to_rgba(result.pictures)
        sound = convert.audio_to_sound(result.audio) if result.audio else None
        fps = result.frames_per_second
        return io.NodeOutput(
            image,
            convert.pictures_to_mask(result.pictures),
            compat.video(image, fps, sound) if fps else compat.blocked(NO_VIDEO),
            compat.blocked(NO_AUDIO) if sound is None else sound,
            result.seeds,
            compat.blocked(NO_ALPHA) if rgba is None else rgba,
            _generations(model, result),
            ui=reporting.notes_ui(notes),
        )
