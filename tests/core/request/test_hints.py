"""Where the picture of each control goes, and in which form: by the strict simulator."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from catalogs import catalog
from drawthings.dt_core.connection.profile import ServerProfile
from drawthings.dt_core.errors import RequestError
from drawthings.dt_core.generation.client import Client
from drawthings.dt_core.pictures.values import Picture
from drawthings.dt_core.request.hints import hint_name
from drawthings.dt_core.request.parts import BlockPreset, Control, Reference
from drawthings.dt_core.request.resolved import GenerationRequest
from drawthings.dt_core.settings.choices import ControlInputType as Kind
from drawthings.dt_core.settings.configuration import Configuration
from drawthings.dt_core.simulator import Simulator

V1 = "sd_v1.5_f16.ckpt"
SDXL = "sd_xl_base_1.0_f16.ckpt"
FLUX = "flux_1_dev_q5p.ckpt"
UNION = {
    FLUX: "controlnet_union_pro_flux_1_2.0_f16.ckpt",
    SDXL: "controlnet_union_promax_sdxl_v1.0_f16.ckpt",
}
CANNY, DEPTH, POSE, LINEART, SCRIBBLE, TILE, SEG, MLSD, SOFT, INPAINT = (
    f"controlnet_{name}_1.x_v1.1_f16.ckpt"
    for name in (
        "canny",
        "depth",
        "openpose",
        "lineart",
        "scribble",
        "tile",
        "seg",
        "mlsd",
        "softedge",
        "inpaint",
    )
)
IP = "ip_adapter_plus_sd_v1.x_open_clip_h14_f16.ckpt"
IP_XL = "ip_adapter_plus_xl_base_open_clip_h14_f16.ckpt"
T2I_COLOR = "t2iadapter_color_1.x_f16.ckpt"
GARMENT = "oot_diffusion_hd_garment_f16.ckpt"


HIRES = {"hires_fix": True, "hires_fix_start_width": 64, "hires_fix_start_height": 64}


@pytest.fixture(scope="module")
def server() -> Iterator[Simulator]:
    with Simulator() as running:
        yield running


@pytest.fixture
def send(server: Simulator) -> Any:
    """Sends a request of those controls and returns what arrived."""

    def run(*controls: Control, model: str = V1, **parts: Any) -> Any:
        settings = Configuration(
            model=model,
            start_width=128,
            start_height=64,
            steps=4,
            sampler=10,
            **parts.pop("settings", {}),
        )
        request = GenerationRequest(settings, controls=controls, **parts)
        list(Client(ServerProfile(server.address)).generate(request))
        return server.requests[-1]

    return run


def ramp(width: int = 128, height: int = 64) -> Picture:
    """Black on the left half, white on the right."""
    array = np.zeros((height, width, 3), np.float32)
    array[:, width // 2 :] = 1
    return Picture(array)


def grey(value: float, width: int = 128, height: int = 64) -> Picture:
    return Picture(np.full((height, width, 3), value, np.float32))


def arrived(record: Any) -> dict[str, list[tuple[Any, float]]]:
    return {hint.kind: list(hint.tensors) for hint in record.hints}


@pytest.mark.parametrize(
    ("file", "hint", "channels", "low"),
    [
        (CANNY, "custom", 3, -1),
        (MLSD, "custom", 3, -1),
        (SOFT, "custom", 3, -1),
        (LINEART, "custom", 3, -1),
        (SEG, "custom", 3, -1),
        (TILE, "custom", 3, -1),
        (POSE, "custom", 3, -1),
        (DEPTH, "depth", 1, -1),
        (SCRIBBLE, "scribble", 3, 0),
        (T2I_COLOR, "color", 3, -1),
        (IP, "shuffle", 3, -1),
        (GARMENT, "shuffle", 3, -1),
    ],
)
def test_each_kind_gets_its_picture_in_the_form_that_the_server_reads(
    send: Any, file: str, hint: str, channels: int, low: float
) -> None:
    record = send(Control(file, picture=ramp()))
    ((name, ((array, weight),)),) = arrived(record).items()
    assert (name, weight, array.dtype) == (hint, 1, np.float16)
    assert array.shape == (1, 64, 128, channels)
    assert (array.min(), array.max()) == (low, 1)
    assert not [note for note in record.notes if "control" in note], record.notes


@pytest.mark.parametrize(
    ("kind", "hint"),
    [
        (Kind.CUSTOM, "custom"), (Kind.DEPTH, "depth"), (Kind.CANNY, "custom"),
        (Kind.SCRIBBLE, "scribble"), (Kind.POSE, "custom"), (Kind.NORMALBAE, "custom"),
        (Kind.LINEART, "custom"), (Kind.SOFTEDGE, "custom"), (Kind.SEG, "custom"),
        (Kind.SHUFFLE, "shuffle"), (Kind.MLSD, "custom"), (Kind.TILE, "custom"),
        (Kind.BLUR, "custom"), (Kind.LOWQUALITY, "custom"), (Kind.GRAY, "custom"),
    ],
)  # fmt: skip
def test_a_union_control_goes_by_the_input_type(send: Any, kind: Kind, hint: str) -> None:
    record = send(Control(UNION[FLUX], picture=ramp(), input_type=kind), model=FLUX)
    assert list(arrived(record)) == [hint]
    assert record.configuration["controls"][0].input_override == kind
    assert not [note for note in record.notes if "skipped" in note]


def test_a_union_control_without_a_type_sends_nothing(send: Any) -> None:
    assert arrived(send(Control(UNION[FLUX], picture=ramp()), model=FLUX)) == {}


@pytest.mark.parametrize("file", [CANNY, MLSD, SOFT, INPAINT])
def test_a_map_that_the_server_makes_from_the_image_is_not_sent(send: Any, file: str) -> None:
    record = send(Control(file, picture=ramp()), image=grey(0.5))
    assert arrived(record) == {}
    assert not [note for note in record.notes if "skipped" in note]


def test_soft_edges_go_along_where_the_server_cannot_find_them(send: Any) -> None:
    control = Control(UNION[SDXL], picture=ramp(), input_type=Kind.SOFTEDGE)
    assert arrived(send(control, model=SDXL, image=grey(0.5))) == {}
    without = catalog()  # has no file that finds edges
    assert hint_name(control, without, with_image=True) == "custom"
    assert hint_name(Control("", input_type=Kind.CANNY), without, with_image=True) is None


def test_invert_sends_the_negative(send: Any) -> None:
    for file, hint, white in ((DEPTH, "depth", 1), (SCRIBBLE, "scribble", 1), (SEG, "custom", 1)):
        ((array, _),) = arrived(send(Control(file, picture=ramp(), invert=True)))[hint]
        assert (array[:, :, :64] == white).all()
        assert (array[:, :, 64:] < white).all()


def test_image_prompts_take_every_picture_of_a_batch_at_its_own_size(send: Any) -> None:
    control = Control(IP, picture=grey(0.0, 30, 20), more_pictures=(grey(1.0, 40, 50),))
    shuffle = arrived(send(control))["shuffle"]
    assert [array.shape[1:3] for array, _ in shuffle] == [(20, 30), (50, 40)]
    assert [weight for _, weight in shuffle] == [1, 1]


def test_maps_take_the_first_picture_of_a_batch(send: Any) -> None:
    control = Control(DEPTH, picture=grey(0.0), more_pictures=(grey(1.0),))
    ((array, _),) = arrived(send(control))["depth"]
    assert (array == -1).all()


def test_a_garment_is_sent_at_the_size_of_the_result(send: Any) -> None:
    shuffle = arrived(send(Control(GARMENT, picture=grey(0.5, 300, 300))))["shuffle"]
    assert [array.shape for array, _ in shuffle] == [(1, 64, 128, 3)]


def test_references_come_first_with_their_weights_and_image_prompts_share_the_list(
    send: Any,
) -> None:
    same = grey(0.25)
    record = send(
        Control(IP, picture=same),
        Control(IP, picture=grey(0.25)),  # equal: once is enough
        references=(Reference(grey(1.0), 0.5), Reference(grey(0.0), 0.0)),
    )
    assert len(record.message.hints) == 1
    shuffle = arrived(record)["shuffle"]
    assert [weight for _, weight in shuffle] == [0.5, 1]
    assert [float(array.mean()) for array, _ in shuffle] == [1, -0.5]


def test_controls_share_a_place_if_they_have_the_same_picture(send: Any) -> None:
    record = send(Control(SEG, picture=ramp()), Control(LINEART, picture=ramp()))
    assert list(arrived(record)) == ["custom"]
    record = send(Control(DEPTH, picture=ramp()), Control(DEPTH, 0.5, picture=ramp()))
    assert list(arrived(record)) == ["depth"]


@pytest.mark.parametrize(
    "controls",
    [
        (Control(SEG, picture=ramp()), Control(LINEART, picture=grey(0.5))),
        (Control(SEG, picture=ramp()), Control(LINEART, picture=ramp(), invert=True)),
        (Control(DEPTH, picture=ramp()), Control(DEPTH, picture=grey(0.5))),
        (Control(POSE, picture=ramp()), Control(POSE, picture=grey(0.5))),
        (Control(POSE, picture=ramp()), Control(POSE, picture=grey(0.5)),
         Control(SEG, picture=ramp())),
    ],
)  # fmt: skip
def test_two_pictures_for_one_place_are_refused(send: Any, controls: tuple[Control, ...]) -> None:
    with pytest.raises(RequestError, match=r"Two controls.*give both the same picture"):
        send(*controls)


def test_a_skipped_control_takes_no_place(send: Any) -> None:
    record = send(
        Control(SEG, 0.0, picture=grey(0.5)),
        Control("controlnet_canny_2.x_f16.ckpt", picture=grey(0.5)),  # of another family
        Control(LINEART, picture=ramp()),
    )
    ((array, _),) = arrived(record)["custom"]
    assert (array.min(), array.max()) == (-1, 1)


@pytest.mark.parametrize("file", [TILE, CANNY, IP])
def test_no_control_takes_the_picture_of_another_unseen(send: Any, file: str) -> None:
    with pytest.raises(RequestError, match="has no picture and would take that of"):
        send(Control(SEG, picture=ramp()), Control(file))


def test_a_control_that_works_from_the_image_goes_beside_another_map(send: Any) -> None:
    record = send(Control(SEG, picture=ramp()), Control(CANNY), image=grey(0.5))
    assert list(arrived(record)) == ["custom"]
    assert not [note for note in record.notes if "skipped" in note]


@pytest.mark.parametrize("order", [1, -1])
def test_a_pose_goes_beside_another_map_at_the_size_and_range_of_its_family(
    send: Any, order: int
) -> None:
    controls = [Control(POSE, picture=ramp(256, 256)), Control(SEG, picture=grey(0.5))]
    hints = arrived(send(*controls[::order]))
    assert set(hints) == {"custom", "pose"}
    ((array, _),) = hints["pose"]
    assert array.shape == (1, 64, 128, 3)
    assert (array.min(), array.max()) == (0, 1)
    union = [
        Control(UNION[FLUX], picture=ramp(), input_type=Kind.POSE),
        Control(UNION[FLUX], picture=grey(0.5), input_type=Kind.LINEART),
    ]
    ((array, _),) = arrived(send(*union, model=FLUX))["pose"]
    assert (array.min(), array.max()) == (-1, 1)


def test_a_pose_leaves_the_custom_place_to_who_would_read_it(send: Any) -> None:
    record = send(Control(POSE, picture=ramp()), Control(TILE), image=grey(0.5))
    assert list(arrived(record)) == ["pose"]


@pytest.mark.parametrize(
    "parts", [{}, {"image": grey(0.5, 128, 128)}, {"image": grey(0.5, 128, 128), "strength": 0.5}]
)
def test_with_hires_fix_a_pose_comes_once_for_each_pass(
    server: Simulator, parts: dict[str, Any]
) -> None:
    """The strict simulator refuses a pose of another size than its pass, on every path."""
    settings = Configuration(
        model=V1,
        start_width=128,
        start_height=128,
        steps=20,
        strength=parts.pop("strength", 1.0),
        **HIRES,
    )
    controls = (Control(POSE, picture=ramp()), Control(SEG, picture=grey(0.5)))
    client = Client(ServerProfile(server.address))
    list(client.generate(GenerationRequest(settings, controls=controls, **parts)))
    hints = arrived(server.requests[-1])
    assert [array.shape[1:3] for array, _ in hints["pose"]] == [(64, 64), (128, 128)]
    assert [array.shape[1:3] for array, _ in hints["custom"]] == [(128, 128)]
    unsure = settings.replace(hires_fix_strength=0.97)
    with pytest.raises(RequestError, match=r"lower it to 0\.89"):
        list(client.generate(GenerationRequest(unsure, controls=controls, **parts)))


@pytest.mark.parametrize("steps", [4, 5, 20])
@pytest.mark.parametrize("sampler", [0, 4, 10, 12, 15])
def test_a_hires_fix_strength_that_is_let_through_has_two_passes(
    server: Simulator, steps: int, sampler: int
) -> None:
    limit = 1 - 1 / (steps - 1) - 0.051
    settings = Configuration(
        model=V1,
        start_width=128,
        start_height=128,
        steps=steps,
        sampler=sampler,
        hires_fix_strength=limit,
        **HIRES,
    )
    controls = (Control(POSE, picture=ramp()), Control(SEG, picture=grey(0.5)))
    client = Client(ServerProfile(server.address))
    list(client.generate(GenerationRequest(settings, controls=controls)))
    assert server.requests[-1].outcome == "done"


@pytest.mark.parametrize(
    ("model", "kind", "hint"),
    [
        ("flux_1_depth_dev_q5p.ckpt", Kind.DEPTH, "depth"),
        ("flux_1_canny_dev_q5p.ckpt", Kind.CANNY, "custom"),
    ],
)
def test_a_model_that_takes_a_map_gets_it_without_a_control(
    send: Any, model: str, kind: Kind, hint: str
) -> None:
    record = send(Control("", picture=ramp(), input_type=kind), model=model)
    assert list(arrived(record)) == [hint]
    assert record.configuration["controls"] == ()


def test_target_blocks_are_those_of_the_models_version(send: Any) -> None:
    style: dict[str, Any] = {"target_blocks": BlockPreset.STYLE, "picture": grey(0.5)}
    record = send(Control(IP, **style))
    assert record.configuration["controls"][0].target_blocks == ("up_blocks.1",)
    record = send(Control(IP_XL, **style), model=SDXL)
    assert record.configuration["controls"][0].target_blocks == ("up_blocks.0.attentions.1",)
    record = send(Control(IP, target_blocks=("mid",), picture=grey(0.5)))
    assert record.configuration["controls"][0].target_blocks == ("mid",)
    assert BlockPreset.STYLE.blocks("z_image") == ()
