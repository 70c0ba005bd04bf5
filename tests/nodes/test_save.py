"""DT Save Image: files as ComfyUI names them, that tell the app how they were made."""

from __future__ import annotations

import asyncio
import io
import json
from pathlib import Path
from typing import Any

import pytest
import torch
from comfy.cli_args import args
from drawthings.dt_core.connection.profile import ServerProfile
from drawthings.dt_core.metadata import Generation, read
from drawthings.dt_core.request.parts import ModelChoice
from drawthings.dt_core.simulator import Simulator
from drawthings.nodes.host import compat
from drawthings.nodes.sampler import DTSampler
from drawthings.nodes.save import WHICH_SEED, DTSaveImage
from PIL import Image

MODEL = "z_image_turbo_1.0_q6p.ckpt"
WIDGETS = {"seed": 7, "steps": 3, "guidance": 1.0, "sampler": "UniPC Trailing", "width": 128}
MORE = {"height": 64, "strength": 1.0, "batch_size": 2, "shift": 0.0}


class Sampling(DTSampler):
    class hidden:  # noqa: N801
        unique_id = "7"


class Saving(DTSaveImage):
    class hidden:  # noqa: N801
        prompt = {"1": {"class_type": "DTSampler", "inputs": {}}}  # noqa: RUF012
        extra_pnginfo: dict[str, Any] = {"workflow": {"nodes": []}}  # noqa: RUF012


@pytest.fixture
def output(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(compat.folder_paths, "get_output_directory", lambda: str(tmp_path))
    return tmp_path


def saved(folder: Path, result: Any) -> list[Path]:
    return [folder / row["subfolder"] / row["filename"] for row in result.ui["images"]]


def opened(file: Path) -> Any:
    return Image.open(io.BytesIO(file.read_bytes()))


def sampled(profile: ServerProfile) -> tuple[Any, tuple[Generation, ...]]:
    result = asyncio.run(
        Sampling.execute(
            model=ModelChoice(profile, MODEL), positive='a "fox" & <wolf>', **WIDGETS, **MORE
        )
    ).args
    return result[0], result[6]


def test_every_picture_tells_the_app_its_own_seed_and_settings(
    server: Simulator, profile: ServerProfile, output: Path
) -> None:
    image, made = sampled(profile)
    assert [one.settings["seed"] for one in made] == [7, 7]  # of one request
    made = (made[0], made[1].with_seed(8))

    files = saved(output, Saving.execute(image, "sub/fox", made))

    assert [str(file.relative_to(output)) for file in files] == [
        "sub/fox_00001_.png",
        "sub/fox_00002_.png",
    ]
    for seed, file in zip((7, 8), files, strict=True):
        told = read(file.read_bytes())
        assert told is not None
        assert told.prompt == 'a "fox" & <wolf>'
        assert (told.settings["model"], told.settings["seed"]) == (MODEL, seed)
        assert (told.settings["start_width"], told.settings["steps"]) == (128, 3)
        assert profile.address.encode() not in file.read_bytes()
        texts = opened(file).text
        assert json.loads(texts["workflow"]) == {"nodes": []}
        assert "1" in json.loads(texts["prompt"])


def test_names_go_on_where_the_folder_ends_and_alpha_is_kept(output: Path) -> None:
    first = saved(output, Saving.execute(torch.full((1, 4, 6, 4), 0.5), "a"))
    second = saved(output, Saving.execute(torch.zeros((1, 4, 6, 3)), "a"))

    assert [file.name for file in first + second] == ["a_00001_.png", "a_00002_.png"]
    assert opened(first[0]).mode == "RGBA"
    assert opened(first[0]).getpixel((0, 0)) == (127, 127, 127, 127)
    assert read(first[0].read_bytes()) is None


def test_frames_share_what_made_them_and_picked_pictures_tell_no_seed(
    server: Simulator, profile: ServerProfile, output: Path
) -> None:
    _, made = sampled(profile)
    three = torch.zeros((3, 4, 6, 3))

    shared = saved(output, Saving.execute(three, "f", made))
    picked = Saving.execute(three, "f", (made[0], made[1].with_seed(8)))

    assert [read(file.read_bytes()).settings["seed"] for file in shared] == [7, 7, 7]  # type: ignore[union-attr]
    assert picked.ui["drawthings_note_texts"] == [WHICH_SEED().as_json()]
    for file in saved(output, picked):
        told = read(file.read_bytes())
        assert told is not None
        assert "seed" not in told.settings


def test_with_disable_metadata_a_file_tells_nothing(
    output: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(args, "disable_metadata", True)
    from drawthings.dt_core.settings.configuration import Configuration

    made = (Generation(Configuration(model=MODEL, seed=1)),)
    (file,) = saved(output, Saving.execute(torch.zeros((1, 4, 6, 3)), "a", made))

    assert read(file.read_bytes()) is None
    assert opened(file).text == {}


def test_a_place_outside_the_output_folder_is_refused(output: Path) -> None:
    with pytest.raises(Exception, match=r"(?i)outside"):
        Saving.execute(torch.zeros((1, 4, 6, 3)), "../x")
