"""`drawthings generate`: from the command line to what the server gets and the files."""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from commands import MODEL, Command, at_terminal, environment, process
from drawthings.dt_core.cli import exits
from drawthings.dt_core.cli.following import Following
from drawthings.dt_core.cli.patterns import Pattern
from drawthings.dt_core.settings.choices import Sampler
from drawthings.dt_core.simulator import Simulator
from drawthings.dt_core.simulator.faults import Script
from drawthings.dt_core.simulator.record import Record
from PIL import Image

SMALL = ("--size", "128x64", "--steps", "2", "--seed", "7")
FLUX, DEPTH = "flux_1_dev_q5p.ckpt", "controlnet_depth_flux_1_f16.ckpt"
LORA = "flux_1_canny_dev_lora_f16.ckpt"


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("DRAWTHINGS_SERVER", "DRAWTHINGS_SECRET"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Simulator]:
    with Simulator() as running:
        monkeypatch.setenv("DRAWTHINGS_SERVER", running.address)
        yield running


@pytest.fixture
def drawthings(capsys: pytest.CaptureFixture[str]) -> Command:
    return Command(capsys)


def picture(name: str, size: tuple[int, int] = (128, 64), colour: str = "red") -> str:
    Image.new("RGB", size, colour).save(name)
    return name


def last(server: Simulator) -> Record:
    return server.requests[-1]


def asked(record: Record, *names: str) -> tuple[Any, ...]:
    assert record.configuration is not None
    return tuple(record.configuration[name] for name in names)


def test_a_picture_is_named_after_model_and_seed(drawthings: Command, server: Simulator) -> None:
    answer = drawthings("generate", "a fox", "-m", MODEL, *SMALL, "--negative", "rain")

    assert (answer.status, answer.err) == (0, "")
    assert answer.out == "z_image_turbo_1.0_q6p_7.png\n"
    with Image.open(answer.out.strip()) as made:
        assert made.size == (128, 64)
    assert (last(server).message.prompt, last(server).message.negativePrompt) == ("a fox", "rain")


def test_every_option_reaches_the_server(drawthings: Command, server: Simulator) -> None:
    options = ("--guidance", "3.5", "--sampler", "euler a trailing", "--strength", "0.5")
    more = ("--set", "shift=2.5", "--set", "sharpness=4", "--set", "clipSkip=2")
    answer = drawthings(
        "generate", "a fox", "-m", MODEL, *SMALL, *options, *more, "-i", picture("in.png")
    )

    assert answer.status == 0, answer.err
    names = ("steps", "seed", "guidance_scale", "sampler", "strength", "shift", "clip_skip")
    expected = (2, 7, 3.5, Sampler.EULER_A_TRAILING, 0.5, 2.5, 2)
    assert asked(last(server), *names) == expected
    assert asked(last(server), "start_width", "start_height") == (128, 64)


def test_pictures_masks_and_references_reach_the_server(
    drawthings: Command, server: Simulator
) -> None:
    mask = np.zeros((64, 128), np.uint8)
    mask[:, 64:] = 255
    Image.fromarray(mask).save("mask.png")
    painted = drawthings(
        "generate", "x", "-m", MODEL, *SMALL, "--image", picture("in.png"), "--mask", "mask.png"
    )
    record = last(server)
    edited = drawthings(
        "generate", "x", "-m", "flux_1_kontext_dev_q5p.ckpt", *SMALL,
        "-r", picture("one.png"), "-r", picture("two.png", (64, 64), "blue"),
    )  # fmt: skip

    assert painted.status == edited.status == 0
    assert record.image is not None
    assert record.mask is not None
    (hint,) = last(server).hints
    assert (hint.kind, len(hint.arrays)) == ("shuffle", 2)


def test_loras_and_controls_have_weights_and_pictures(
    drawthings: Command, server: Simulator
) -> None:
    drawthings(
        "generate", "x", "-m", FLUX, *SMALL,
        "--lora", f"{LORA}:-0.5", "--control", f"{DEPTH}:0.75={picture('depth.png')}",
    )  # fmt: skip

    (lora,), (control,) = asked(last(server), "loras", "controls")
    assert (lora.file, lora.weight) == (LORA, -0.5)
    assert (control.file, control.weight) == (DEPTH, 0.75)
    assert [hint.kind for hint in last(server).hints] == ["depth"]


def test_a_lora_without_weight_has_the_one_that_it_recommends(
    drawthings: Command, server: Simulator
) -> None:
    drawthings("generate", "x", "-m", FLUX, *SMALL, "--lora", "FLUX.1 Canny [dev]")

    ((lora,),) = asked(last(server), "loras")
    assert (lora.file, lora.weight) == (LORA, pytest.approx(0.85))


def test_count_takes_the_seeds_that_follow(drawthings: Command, server: Simulator) -> None:
    answer = drawthings(
        "generate", "x", "-m", MODEL, "--size", "64x64", "--steps", "1",
        "--seed", "4294967295", "--count", "2", "-o", "out/{index}-{seed}-{model}",
    )  # fmt: skip

    assert answer.out.split() == [
        "out/0001-4294967295-z_image_turbo_1.0_q6p.png",
        "out/0002-0-z_image_turbo_1.0_q6p.png",
    ]
    assert [asked(record, "seed") for record in server.requests] == [(4294967295,), (0,)]


def test_no_file_is_written_over(drawthings: Command, server: Simulator) -> None:
    Path("fox.png").write_text("precious")
    answer = drawthings("generate", "x", "-m", MODEL, *SMALL, "-c", "2", "-o", "fox.png")

    assert answer.out.split() == ["fox_2.png", "fox_3.png"]
    assert Path("fox.png").read_text() == "precious"


def test_an_output_may_be_a_folder(drawthings: Command, server: Simulator) -> None:
    answer = drawthings("generate", "x", "-m", MODEL, *SMALL, "-o", "new/")

    assert Path(answer.out.strip()) == Path("new/z_image_turbo_1.0_q6p_7.png")


@pytest.mark.parametrize(
    ("pattern", "words"),
    [("{foo}.png", "'foo'"), ("x.jpg", "PNG"), ("file/x.png", "no folder")],
)
def test_an_output_that_cannot_be_is_refused_before_anything_is_made(
    drawthings: Command, server: Simulator, pattern: str, words: str
) -> None:
    Path("file").write_text("not a folder")
    answer = drawthings("generate", "x", "-m", MODEL, *SMALL, "-o", pattern)

    assert (answer.status, answer.out) == (exits.REFUSED, "")
    assert words in answer.err
    assert server.requests == ()


def test_the_configuration_of_the_app_comes_from_standard_input(server: Simulator) -> None:
    config = {"model": MODEL, "width": 128, "height": 64, "steps": 3, "seed": 5, "shift": 2.0}
    answer = process(
        "generate", "a fox", "--config", "-", "--steps", "2", cwd=Path(),
        stdin=json.dumps(config), DRAWTHINGS_SERVER=server.address,
    )  # fmt: skip

    assert answer.status == 0, answer.err
    assert asked(last(server), "steps", "seed", "shift", "start_width") == (2, 5, 2.0, 128)


def test_a_picture_is_made_again_from_what_it_tells(drawthings: Command, server: Simulator) -> None:
    drawthings("generate", "a fox", "-m", MODEL, *SMALL, "-n", "rain", "-o", "one.png")
    drawthings("generate", "--config", "one.png", "-o", "two.png")

    first, second = server.requests
    names = ("model", "seed", "steps", "sampler", "guidance_scale", "start_width", "start_height")
    assert asked(first, *names) == asked(second, *names)
    assert (second.message.prompt, second.message.negativePrompt) == ("a fox", "rain")
    with Image.open("one.png") as one, Image.open("two.png") as two:
        assert np.array_equal(np.asarray(one), np.asarray(two))


@pytest.mark.parametrize("text", ["garbage", "[1, 2]", '{"steps": "many"}'])
def test_a_configuration_that_is_none_is_refused(
    drawthings: Command, server: Simulator, text: str
) -> None:
    Path("config.json").write_text(text)
    answer = drawthings("generate", "x", "-m", MODEL, "--config", "config.json")

    assert answer.status == exits.REFUSED
    assert answer.err.count("\n") == 1


def test_a_seed_of_more_bits_is_folded_and_said(drawthings: Command, server: Simulator) -> None:
    answer = drawthings("generate", "x", "-m", MODEL, *SMALL[:4], "--seed", str(2**40 + 9))

    assert answer.status == 0
    assert asked(last(server), "seed") == (9,)
    assert f"Seed {2**40 + 9} is folded into 32 bits: 9 is used." in answer.err


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--size", "100"), "like 1024x768"),
        (("--size", "100x64"), "The width of --size"),
        (("--steps", "-1"), "--steps"),
        (("--sampler", "magic"), "Euler Ancestral"),
        (("--set", "shift=much"), "no value of Shift"),
        (("--set", "sharpnes=1"), "Did you mean 'sharpness'?"),
        (("--set", "loras=x"), "--lora"),
        (("--image", "gone.png"), "gone.png cannot be read"),
        (("--lora", "no-such-thing"), "no LoRA named 'no-such-thing'"),
    ],
)
def test_what_cannot_be_is_one_sentence(
    drawthings: Command, server: Simulator, options: tuple[str, ...], words: str
) -> None:
    answer = drawthings("generate", "x", "-m", MODEL, *options)

    assert (answer.status, answer.out) == (exits.REFUSED, "")
    assert words in answer.err
    assert answer.err.count("\n") == 1
    assert server.requests == ()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ((), "say what to generate"),
        (("x", "--mask", "mask.png"), "--image"),
        (("x", "--count", "0"), "must be 1 to"),
    ],
)
def test_what_makes_no_sense_is_status_2(
    drawthings: Command, options: tuple[str, ...], words: str
) -> None:
    answer = drawthings("generate", *options)

    assert answer.status == exits.USAGE
    assert words in answer.err


def test_a_name_that_fits_several_files_is_never_guessed(
    drawthings: Command, server: Simulator
) -> None:
    model = drawthings("generate", "x", "-m", "z image", *SMALL)
    control = drawthings("generate", "x", "-m", FLUX, *SMALL, "--control", "depth")

    assert model.status == control.status == exits.REFUSED
    assert "Nearest: z_image_turbo_1.0_q6p.ckpt (Z Image Turbo 1.0);" in model.err
    assert f"Nearest: {DEPTH} " in control.err, "what fits the model comes first"
    assert server.requests == ()


def test_a_display_name_will_do_in_any_case(drawthings: Command, server: Simulator) -> None:
    drawthings("generate", "x", "-m", "z image TURBO 1.0", *SMALL)

    assert asked(last(server), "model") == (MODEL,)


def test_a_dry_run_sends_nothing_and_says_everything(
    drawthings: Command, server: Simulator
) -> None:
    words = ("generate", "x", "-m", FLUX, *SMALL, "--lora", f"{LORA}:0.5", "-c", "3", "--dry-run")
    said = drawthings(*words, "-r", picture("in.png"))
    told = json.loads(drawthings(*words, "--json").out)

    assert said.status == 0
    assert "warning: FLUX.1 [dev] does not look at reference pictures" in said.err
    assert "3 requests would be sent" in said.err
    assert json.loads(said.out)["loras"] == [{"file": LORA, "weight": 0.5, "mode": "all"}]
    assert (told["requests"], told["errors"], told["prompt"]) == (3, [], "x")
    assert told["configuration"]["width"] == 128
    assert server.requests == ()
    assert list(Path().glob("*.png")) == [Path("in.png")]


def test_a_dry_run_says_what_would_be_refused(drawthings: Command, server: Simulator) -> None:
    words = ("generate", "x", "-m", MODEL, "--size", "128x64", "--steps", "0", "--dry-run")
    said = drawthings(*words)
    told = json.loads(drawthings(*words, "--json").out)

    assert said.status == exits.REFUSED
    assert "error: Steps is 0" in said.err
    assert "Nothing would be sent." in said.err
    assert len(told["errors"]) == 1


def test_json_is_one_object_at_the_end(drawthings: Command, server: Simulator) -> None:
    answer = drawthings("generate", "x", "-m", MODEL, *SMALL, "-c", "2", "--json")
    told = json.loads(answer.out)

    assert answer.err == ""
    assert [(row["index"], row["seed"]) for row in told["pictures"]] == [(0, 7), (1, 8)]
    assert all(Path(row["file"]).is_file() for row in told["pictures"])


def test_jsonl_is_a_line_for_every_event(drawthings: Command, server: Simulator) -> None:
    answer = drawthings(
        "generate", "x", "-m", MODEL, *SMALL, "--jsonl", "--image", picture("in.png")
    )
    events = [json.loads(line) for line in answer.out.splitlines()]
    kinds = [event["event"] for event in events]

    assert answer.err == ""
    assert kinds[0] == "warning"
    assert kinds[-2:] == ["picture", "done"]
    steps = [e["step"] for e in events if e["event"] == "progress" and e["stage"] == "sampling"]
    assert steps == [0, 1, 2]
    assert len(events[-1]["pictures"]) == 1


def test_a_failure_tells_programs_which_pictures_there_are(
    drawthings: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = Script.from_json('{"faults": [{"fault": "status", "code": "internal", "at": 3}]}')
    with Simulator(faults=script) as server:
        monkeypatch.setenv("DRAWTHINGS_SERVER", server.address)
        answer = drawthings("generate", "x", "-m", MODEL, *SMALL, "--jsonl")

    event = json.loads(answer.out.splitlines()[-1])
    assert answer.status == exits.FAILED
    assert (event["event"], event["pictures"]) == ("error", [])
    assert answer.err.strip() == event["sentence"]


def test_a_video_is_its_frames_and_its_sound(drawthings: Command, server: Simulator) -> None:
    answer = drawthings(
        "generate", "x", "-m", "ltx_2_19b_distilled_q8p.ckpt", "--size", "128x64", "--steps", "1",
        "--frames", "9", "-o", "film_{index}.png",
    )  # fmt: skip

    files = answer.out.split()
    assert answer.status == 0, answer.err
    assert files[:-1] == [f"film_{number:04}.png" for number in range(1, 10)]
    assert files[-1] == "film_0001.wav"
    assert Path("film_0001.wav").read_bytes()[:4] == b"RIFF"


def test_several_servers_share_the_pictures(drawthings: Command) -> None:
    with Simulator(step_delay=0.3) as one, Simulator(step_delay=0.3) as two:
        answer = drawthings(
            "generate", "x", "-m", MODEL, *SMALL, "-c", "4", "--json",
            "--server", f"{one.address},{two.address}",
        )  # fmt: skip
        made = {row["server"] for row in json.loads(answer.out)["pictures"]}
        assert made == {one.address, two.address}


# --- at a terminal


def test_a_bar_shows_the_progress_and_leaves_the_names_alone(
    server: Simulator, tmp_path: Path
) -> None:
    pytest.importorskip("tqdm")
    answer = at_terminal(
        tmp_path, "generate", "x", "-m", MODEL, *SMALL, "-c", "2", "--server", server.address
    )

    shown = [part.strip() for part in answer.out.replace("\r\n", "\r").split("\r")]
    assert answer.status == 0
    assert any(part.startswith("1/2 waiting for the server |") for part in shown)
    assert any(part.startswith("2/2 sampling 2/2 |") for part in shown)
    assert {"z_image_turbo_1.0_q6p_7.png", "z_image_turbo_1.0_q6p_8.png"} <= set(shown)


def test_quiet_shows_no_bar(server: Simulator, tmp_path: Path) -> None:
    answer = at_terminal(
        tmp_path, "generate", "x", "-m", MODEL, *SMALL, "-q", "--server", server.address
    )

    assert answer.out == "z_image_turbo_1.0_q6p_7.png\r\n"


def test_an_unclear_name_is_asked_for(server: Simulator, tmp_path: Path) -> None:
    words = ("generate", "x", "-m", "z image", *SMALL, "-q", "--server", server.address)
    chosen = at_terminal(tmp_path, *words, types=("Number, or nothing", "2\n"))
    stopped = at_terminal(tmp_path, *words, types=("Number, or nothing", "\n"))

    assert chosen.status == 0
    assert asked(server.requests[0], "model") == ("z_image_1.0_q6p.ckpt",)
    assert stopped.status == exits.REFUSED
    assert "nothing was sent" in stopped.out
    assert len(server.requests) == 1


def test_ctrl_c_stops_the_server_too(tmp_path: Path) -> None:
    with Simulator(step_delay=0.1) as server:
        answer = at_terminal(
            tmp_path, "generate", "x", "-m", MODEL, "--size", "64x64", "--steps", "200",
            "--jsonl", "--server", server.address, types=('"step": 2', "\x03"),
        )  # fmt: skip
        record = server.wait_for(lambda record: record.outcome is not None)

    assert answer.status == exits.INTERRUPTED
    assert record.outcome == "cancelled"
    assert "Traceback" not in answer.out
    said = json.loads(answer.out.splitlines()[-1])
    assert (said["event"], said["sentence"], said["pictures"]) == ("error", "Cancelled.", [])


@pytest.mark.parametrize("form", ["--json", "--jsonl"])
@pytest.mark.parametrize(
    ("words", "status", "said"),
    [
        (("--server", "127.0.0.1:1"), exits.UNREACHABLE, "127.0.0.1:1"),
        (("--steps", "many"), exits.USAGE, "cannot be understood"),
        (("--output", "x.jpg"), exits.REFUSED, "PNG"),
        (("-m", "nonsense"), exits.REFUSED, "nonsense"),
    ],
    ids=["no server", "no number", "no PNG", "no model"],
)
def test_a_program_always_gets_a_last_object_also_before_the_start(
    drawthings: Command, server: Simulator, form: str, words: tuple[str, ...], status: int,
    said: str,
) -> None:  # fmt: skip
    answer = drawthings("generate", "x", "-m", MODEL, *SMALL, form, *words)
    last = json.loads(answer.out if form == "--json" else answer.out.splitlines()[-1])

    assert answer.status == status
    assert said in (last["error"] if form == "--json" else last["sentence"])


def test_a_secret_that_is_no_text_is_told_in_a_sentence(server: Simulator) -> None:
    answer = process("ping", "--json", DRAWTHINGS_SECRET=os.fsdecode(b"\xff\xfe"))

    assert "no text" in json.loads(answer.out)[0]["sentence"]
    assert "Traceback" not in answer.err


_ON_A_FULL_DISK = """
import resource, sys
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
from dt_core.cli.main import main
sys.exit(main())
"""


@pytest.mark.skipif(sys.platform == "win32", reason="there are no limits of file sizes")
def test_a_full_disk_leaves_no_empty_file(tmp_path: Path) -> None:
    with Simulator(response_compression=False) as server:
        done = subprocess.run(
            [sys.executable, "-c", _ON_A_FULL_DISK, "generate", "x", "-m", MODEL, *SMALL, "--json",
             "--server", server.address],
            cwd=tmp_path, env=environment(TMPDIR=str(tmp_path), HOME=str(tmp_path)),
            capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip

    assert done.returncode == exits.REFUSED, done.stderr
    assert "cannot be written" in json.loads(done.stdout)["error"]
    assert list(tmp_path.glob("*.png")) == []


def test_a_picture_for_which_there_is_no_room_is_kept_elsewhere(
    drawthings: Command, server: Simulator, tmp_path: Path
) -> None:
    """A name that this folder's disk refuses once the picture is there; others do as well."""
    folder = tmp_path / "out"
    folder.mkdir()
    follow = Following(
        argparse.Namespace(json=True, jsonl=False, quiet=True), Pattern(str(folder)), 1
    )
    folder.rmdir()
    folder.touch()
    kept = follow._kept(folder / "made.png", b"a picture")

    assert kept == Path.cwd() / "made.png"
    assert kept.read_bytes() == b"a picture"
    assert "it is now" in follow._all()["warnings"][0]
