"""The example workflows: what each shows, and where its nodes stand.

Four columns from left to right: the model and the words, pictures and what acts on them,
the sampler, the result. Nodes are as tall as what the page writes into them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Link:
    """An input that takes an output of another node."""

    node: int
    output: int = 0


@dataclass(frozen=True)
class Node:
    id: int
    kind: str
    place: tuple[int, int]
    size: tuple[int, int]
    inputs: dict[str, Any]
    title: str = ""
    colours: tuple[str, str] | None = None  # of the title and of the body


@dataclass(frozen=True)
class Workflow:
    """`name` is the file's for scripts, `title` the one that people see in the template browser."""

    name: str
    title: str
    note: str
    note_place: tuple[int, int]
    nodes: tuple[Node, ...]


WORDS, PICTURES, SAMPLER, RESULT = 0, 460, 920, 1340
NOTE_SIZE = (400, 210)
MODEL_PLACE, PROMPT_PLACE, NEGATIVE_PLACE = (WORDS, 0), (WORDS, 300), (WORDS, 490)
BELOW_PROMPT, BELOW_NEGATIVE = 490, 680
GREEN, RED = ("#232", "#353"), ("#322", "#533")  # ComfyUI's own, as many use them for prompts
GENERATION = 6  # DT Sampler's output for DT Save Image


def model(ident: int, file: str) -> Node:
    return Node(ident, "DTModelLoader", MODEL_PLACE, (400, 230), {"model": file, "model_file": ""})


def prompt(ident: int, text: str) -> Node:
    size = (400, 130)
    inputs = {"value": text}
    return Node(ident, "PrimitiveStringMultiline", PROMPT_PLACE, size, inputs, "Prompt", GREEN)


def negative(ident: int, text: str) -> Node:
    size = (400, 130)
    inputs = {"value": text}
    title = "Negative prompt"
    return Node(ident, "PrimitiveStringMultiline", NEGATIVE_PLACE, size, inputs, title, RED)


def picture(ident: int, file: str, place: tuple[int, int], title: str = "Picture") -> Node:
    return Node(ident, "LoadImage", place, (400, 360), {"image": file}, title)


def sampler(ident: int, **inputs: Any) -> Node:
    start = {"strength": 1.0, "batch_size": 1, "shift": 0.0}
    return Node(ident, "DTSampler", (SAMPLER, 0), (360, 560), {**start, **inputs})


def saved(ident: int, by: int, name: str, height: int = 520) -> Node:
    inputs = {
        "images": Link(by),
        "generation": Link(by, GENERATION),
        "filename_prefix": f"DrawThings/{name}",
    }
    return Node(ident, "DTSaveImage", (RESULT, 0), (560, height), inputs)


TEXT_TO_IMAGE = Workflow(
    "text_to_image",
    "Text to image",
    "## Text to image\n\n"
    "Choose a model of your server, write what you want to see, press **Run**. The loader offers "
    "the settings that its model is recommended with.\n\n"
    "Without a **DT Server** the default server counts: see the Draw Things settings, or "
    "`DRAWTHINGS_SERVER`, else `localhost:7859`.",
    (WORDS, BELOW_PROMPT),
    (
        model(1, "flux_1_schnell_q5p.ckpt"),
        prompt(2, "A red fox in fresh snow at sunrise, breath in the cold air, soft golden light"),
        sampler(
            3,
            model=Link(1),
            positive=Link(2),
            seed=1024,
            steps=4,
            guidance=4.5,
            sampler="Euler A Trailing",
            width=1024,
            height=768,
            shift=1.0,
        ),
        saved(4, 3, "text_to_image"),
    ),
)

TWO_LORAS = Workflow(
    "text_to_image_two_loras",
    "Text to image with two LoRAs",
    "## Text to image with two LoRAs\n\n"
    "Both LoRAs act at once: a **DT LoRA** takes up to four, each with a switch, and the "
    "nodes chain, any number of them. LoRAs that do not fit the model stand at the end of the "
    "list, with the reason.",
    (RESULT, 600),
    (
        model(1, "z_image_turbo_1.0_q6p.ckpt"),
        Node(
            2,
            "DTLoRA",
            (WORDS, BELOW_PROMPT),
            (400, 420),
            {"lora": "z_image_detail_lora_f16.ckpt", "weight": 0.6, "mode": "All", "on": True},
            "DT LoRA: detail",
        ),
        Node(
            3,
            "DTLoRA",
            (PICTURES, BELOW_PROMPT),
            (400, 420),
            {
                "lora_stack": Link(2),
                "lora": "z_image_pixel_art_lora_f16.ckpt",
                "weight": 0.9,
                "mode": "All",
                "on": True,
            },
            "DT LoRA: pixel art",
        ),
        prompt(
            4,
            "A lighthouse on a rocky coast at dusk, warm light in the windows, waves breaking, "
            "a flock of gulls",
        ),
        sampler(
            5,
            model=Link(1),
            positive=Link(4),
            lora=Link(3),
            seed=421337,
            steps=8,
            guidance=1.0,
            sampler="UniPC Trailing",
            width=1024,
            height=768,
            shift=3.0,
        ),
        saved(6, 5, "two_loras"),
    ),
)

INPAINTING = Workflow(
    "inpainting",
    "Inpainting",
    "## Inpainting\n\n"
    "The server repaints what is **white** in the mask and keeps the rest. Instead of "
    "loading a mask you can draw one: right click on the picture, *Open in MaskEditor*, and "
    "connect its MASK output.\n\n"
    "A model made for inpainting sees what surrounds the mask.",
    (WORDS, BELOW_NEGATIVE),
    (
        picture(1, "dusk_lake.png", (PICTURES, 490)),
        Node(
            2,
            "LoadImageMask",
            (PICTURES, 920),
            (400, 360),
            {"image": "dusk_lake_mask.png", "channel": "red"},
            "Mask: white is repainted",
        ),
        model(3, "fooocus_inpaint_sd_xl_v2.6_f16.ckpt"),
        prompt(4, "A small wooden rowing boat on a calm lake at dusk, soft reflections"),
        negative(5, "blurry, text, watermark"),
        sampler(
            6,
            model=Link(3),
            positive=Link(4),
            negative=Link(5),
            image=Link(1),
            mask=Link(2),
            seed=20240,
            steps=16,
            guidance=5.0,
            sampler="DPM++ 2M AYS",
            width=960,
            height=640,
        ),
        saved(7, 6, "inpainting"),
    ),
)

OUTPAINTING = Workflow(
    "outpainting",
    "Outpainting",
    "## Outpainting\n\n"
    "**DT Outpaint** makes the canvas larger and marks what is new; the server fills it. "
    "`feather` softens the seam. The sizes of the larger canvas go to the sampler by links.\n\n"
    "A model made for inpainting does this best.",
    (WORDS, BELOW_NEGATIVE),
    (
        picture(1, "dusk_lake.png", (PICTURES, 490)),
        Node(
            2,
            "DTOutpaint",
            (PICTURES, 0),
            (400, 260),
            {"image": Link(1), "left": 256, "top": 0, "right": 256, "bottom": 0, "feather": 32},
        ),
        model(3, "fooocus_inpaint_sd_xl_v2.6_f16.ckpt"),
        prompt(4, "A wide calm lake at dusk, mountains and dark firs on both shores"),
        negative(5, "frame, border, text, watermark"),
        sampler(
            6,
            model=Link(3),
            positive=Link(4),
            negative=Link(5),
            image=Link(2),
            mask=Link(2, 2),
            seed=3003,
            steps=16,
            guidance=5.0,
            sampler="DPM++ 2M AYS",
            width=Link(2, 3),
            height=Link(2, 4),
        ),
        saved(7, 6, "outpainting", 420),
    ),
)

CONTROLNET = Workflow(
    "controlnet",
    "ControlNet with a depth map",
    "## ControlNet\n\n"
    "The picture tells where things are, the words what they are. This one is a **depth** map, "
    "near is light. `input_type` says what kind of picture it is.\n\n"
    "**DT ControlNet** nodes chain; a ControlNet must be made for the model's family.",
    (WORDS, BELOW_NEGATIVE),
    (
        picture(1, "mountain_depth.png", (PICTURES, 490), "Depth map"),
        Node(
            2,
            "DTControlNet",
            (PICTURES, 0),
            (400, 420),
            {
                "image": Link(1),
                "control": "controlnet_depth_sdxl_v1.0_mid_f16.ckpt",
                "input_type": "Depth",
                "weight": 0.8,
            },
        ),
        model(3, "sd_xl_base_1.0_f16.ckpt"),
        prompt(4, "Terraced rice fields below misty mountains, early morning, detailed photo"),
        negative(5, "blurry, text, watermark"),
        sampler(
            6,
            model=Link(3),
            positive=Link(4),
            negative=Link(5),
            control=Link(2),
            seed=99,
            steps=16,
            guidance=5.0,
            sampler="DPM++ 2M AYS",
            width=960,
            height=640,
            shift=1.0,
        ),
        saved(7, 6, "controlnet"),
    ),
)

REFERENCE_EDIT = Workflow(
    "reference_edit",
    "Edit with two references",
    "## Edit with two references\n\n"
    "Edit models look at pictures and follow words. Here both come through **DT Kontext "
    "Reference**, as *Picture 1* and *Picture 2*; call them so in the prompt. The sampler's own "
    "**image** would come first.\n\n"
    "References may have any size.",
    (WORDS, BELOW_PROMPT),
    (
        picture(1, "portrait.png", (PICTURES, 400), "Picture 1"),
        picture(2, "dusk_lake.png", (PICTURES, 820), "Picture 2"),
        model(3, "flux_2_klein_9b_q6p.ckpt"),
        prompt(
            4,
            "The woman of Picture 1 stands at the lake of Picture 2 at dusk. Keep her face and "
            "her green pullover.",
        ),
        Node(
            5,
            "DTKontextReference",
            (PICTURES, 0),
            (400, 330),
            {"image": Link(1), "image_2": Link(2), "weight": 1.0, "on": True},
        ),
        sampler(
            6,
            model=Link(3),
            positive=Link(4),
            reference=Link(5),
            seed=7,
            steps=4,
            guidance=1.0,
            sampler="DDIM Trailing",
            width=832,
            height=1024,
            shift=3.0,
        ),
        saved(7, 6, "reference_edit", 760),
    ),
)

HIRES = Workflow(
    "hires_fix_upscaler",
    "Hires fix and upscaler",
    "## High resolution fix and upscaler\n\n"
    "The first pass paints small, so that the composition holds; the second one paints the "
    "details at full size. Then the **upscaler** of the server doubles it.\n\n"
    "Options nodes chain into the sampler's `options`.",
    (WORDS, BELOW_NEGATIVE),
    (
        model(1, "sd_xl_base_1.0_f16.ckpt"),
        prompt(2, "A library in an old greenhouse, ferns between the shelves, afternoon light"),
        negative(3, "blurry, text, watermark"),
        Node(
            4,
            "DTHiresFixOptions",
            (PICTURES, 0),
            (400, 190),
            {
                "hires_fix": True,
                "first_pass_width": 768,
                "first_pass_height": 576,
                "second_pass_strength": 0.6,
            },
        ),
        Node(
            5,
            "DTUpscalerOptions",
            (PICTURES, 260),
            (400, 240),
            {
                "options": Link(4),
                "upscaler": "realesrgan_x2plus_f16.ckpt",
                "upscaler_scale_factor": 2,
            },
        ),
        sampler(
            6,
            model=Link(1),
            positive=Link(2),
            negative=Link(3),
            options=Link(5),
            seed=512,
            steps=16,
            guidance=5.0,
            sampler="DPM++ 2M AYS",
            width=1280,
            height=960,
            shift=1.0,
        ),
        saved(7, 6, "hires_fix_upscaler"),
    ),
)

VIDEO = Workflow(
    "video_with_sound",
    "Video with sound",
    "## Video with sound\n\n"
    "LTX-2.3 makes pictures and sound together. The sampler's **video** output has both; "
    "**audio** is the sound alone.\n\n"
    "`num_frames` is 8 n + 1, here 25 for a short first try; 121 are five seconds.",
    (WORDS, BELOW_PROMPT),
    (
        model(1, "ltx_2.3_22b_distilled_q8p.ckpt"),
        prompt(
            2, "Waves roll onto a pebble beach at sunset, gulls cry, the camera drifts to the left"
        ),
        Node(3, "DTVideoOptions", (PICTURES, 0), (400, 330), {"num_frames": 25}),
        sampler(
            4,
            model=Link(1),
            positive=Link(2),
            options=Link(3),
            seed=77,
            steps=8,
            guidance=1.0,
            sampler="TCD Trailing",
            width=832,
            height=512,
            shift=5.0,
        ),
        Node(
            5,
            "SaveVideo",
            (RESULT, 0),
            (560, 420),
            {
                "video": Link(4, 2),
                "filename_prefix": "DrawThings/video",
                "format": "mp4",
                "codec": "h264",
            },
        ),
        Node(
            6,
            "SaveAudio",
            (RESULT, 490),
            (560, 140),
            {"audio": Link(4, 3), "filename_prefix": "DrawThings/sound"},
        ),
    ),
)

MIXED = Workflow(
    "mixed_local_and_remote",
    "Local nodes before and after",
    "## Local nodes before and after\n\n"
    "Everything of ComfyUI's own works around **DT Sampler**: here the picture is scaled "
    "before it goes to the server, and what comes back is sharpened on this computer.\n\n"
    "Denoising `strength` 0.55 keeps the composition of the picture.",
    (WORDS, BELOW_PROMPT),
    (
        picture(1, "dusk_lake.png", (PICTURES, 350)),
        Node(
            2,
            "ImageScale",
            (PICTURES, 0),
            (400, 200),
            {
                "image": Link(1),
                "upscale_method": "lanczos",
                "width": 1152,
                "height": 768,
                "crop": "center",
            },
            "Scale, on this computer",
        ),
        model(3, "z_image_turbo_1.0_q6p.ckpt"),
        prompt(4, "The same lake in deep winter: snow on the firs, ice at the shore, pale light"),
        sampler(
            5,
            model=Link(3),
            positive=Link(4),
            image=Link(2),
            seed=12,
            steps=8,
            guidance=1.0,
            sampler="UniPC Trailing",
            width=1152,
            height=768,
            strength=0.55,
            shift=3.0,
        ),
        Node(
            6,
            "ImageSharpen",
            (RESULT, 0),
            (400, 150),
            {"image": Link(5), "sharpen_radius": 1, "sigma": 0.6, "alpha": 0.4},
            "Sharpen, on this computer",
        ),
        Node(
            7,
            "DTSaveImage",
            (RESULT, 220),
            (560, 480),
            {
                "images": Link(6),
                "generation": Link(5, GENERATION),
                "filename_prefix": "DrawThings/mixed",
            },
        ),
    ),
)

WORKFLOWS = (
    TEXT_TO_IMAGE,
    TWO_LORAS,
    INPAINTING,
    OUTPAINTING,
    CONTROLNET,
    REFERENCE_EDIT,
    HIRES,
    VIDEO,
    MIXED,
)

TITLES = {workflow.name: workflow.title for workflow in WORKFLOWS}
