"""DT LoRA, DT ControlNet, DT Kontext Reference and DT Prompt: what they add to a request."""

from __future__ import annotations

import asyncio
from typing import Any

import numpy as np
import pytest
import torch
from drawthings.dt_core.connection.profile import ServerProfile
from drawthings.dt_core.request.parts import BlockPreset, Control, Lora, ModelChoice
from drawthings.dt_core.settings.choices import ControlInputType, ControlMode, LoraMode
from drawthings.nodes.control import DTControlNet
from drawthings.nodes.lora import DTLoRA
from drawthings.nodes.prompt import DTPrompt
from drawthings.nodes.reference import DTKontextReference
from drawthings.nodes.running import reporting
from drawthings.nodes.sampler import DTSampler
from drawthings.nodes.servers.owner import here

MODEL = "z_image_turbo_1.0_q6p.ckpt"
EDIT_MODEL = "flux_2_klein_4b_q6p.ckpt"
V1 = "sd_v1.5_f16.ckpt"
LORA = "z_image_detail_lora_f16.ckpt"  # its description recommends 0.6
ROW: dict[str, Any] = {"weight": 1.0, "mode": "All", "on": True}
MAP: dict[str, Any] = {"input_type": "Unspecified", "weight": 1.0, "start": 0.0, "end": 1.0}
MAP["control_mode"] = "Balanced"
SAMPLER: dict[str, Any] = {
    "seed": 1, "steps": 3, "guidance": 1.0, "sampler": "UniPC Trailing", "width": 128, "height": 64,
    "strength": 1.0, "batch_size": 1, "shift": 0.0,
}  # fmt: skip


def value(output: Any) -> Any:
    return output.args[0]


class Sampling(DTSampler):
    """DT Sampler as ComfyUI calls it: with the hidden inputs filled in."""

    class hidden:  # noqa: N801
        unique_id = "7"


def sample(profile: ServerProfile, model: str = MODEL, **inputs: Any) -> Any:
    given = {"model": ModelChoice(profile, model), **SAMPLER, **inputs}
    return asyncio.run(Sampling.execute(**given))


def pictures(*values: float, height: int = 64, width: int = 128) -> torch.Tensor:
    return torch.stack([torch.full((height, width, 3), value) for value in values])


def test_loras_chain_and_can_be_off() -> None:
    first = value(DTLoRA.execute(lora="a.ckpt", weight=-0.5, mode="Base", on=True))
    second = value(DTLoRA.execute(lora="b.ckpt", **{**ROW, "weight": 1.5}, lora_stack=first))
    assert first == (Lora("a.ckpt", -0.5, LoraMode.BASE),)
    assert second == (*first, Lora("b.ckpt", 1.5, LoraMode.ALL))
    off: tuple[dict[str, Any], ...] = ({"lora": "none"}, {"weight": 0.0}, {"on": False})
    for change in off:
        row = {"lora": "c.ckpt", **ROW, **change}
        assert value(DTLoRA.execute(lora_stack=second, **row)) == second


def test_one_node_holds_four_loras_in_order() -> None:
    rows: dict[str, Any] = {"lora": "a.ckpt", **ROW}
    rows.update(lora_2="b.ckpt", weight_2=-5.0, mode_2="Refiner", on_2=True)
    rows.update(lora_3="c.ckpt", on_3=False)
    rows.update(lora_4="none", lora_file_4=" d.ckpt ", weight_4=0.25)
    assert value(DTLoRA.execute(**rows)) == (
        Lora("a.ckpt", 1.0),
        Lora("b.ckpt", -5.0, LoraMode.REFINER),
        Lora("d.ckpt", 0.25),
    )


def test_a_loras_own_weight_comes_from_its_description(server: Any, profile: ServerProfile) -> None:
    loras = value(DTLoRA.execute(lora=LORA, **ROW, own_weights=True))
    assert loras == (Lora(LORA, None),)
    sample(profile, lora=loras)
    sample(profile, lora=value(DTLoRA.execute(lora=LORA, **ROW)))
    weights = [record.configuration["loras"][0].weight for record in server.requests]
    assert weights == [0.6, 1.0]


def test_controls_chain_with_their_pictures() -> None:
    (control,) = value(
        DTControlNet.execute(
            "c.ckpt", "Depth", 0.7, 0.1, 0.9, "Prompt", image=pictures(0.25, 0.5), invert=True,
            target_blocks="Style", down_sampling_rate=2.0, global_average_pooling=False,
        )
    )  # fmt: skip
    assert (control.file, control.weight, control.start, control.end) == ("c.ckpt", 0.7, 0.1, 0.9)
    assert (control.mode, control.input_type) == (ControlMode.PROMPT, ControlInputType.DEPTH)
    assert control.picture.pixels == pytest.approx(0.25)
    assert [float(more.pixels.mean()) for more in control.more_pictures] == [0.5]
    assert (control.target_blocks, control.invert) == (BlockPreset.STYLE, True)
    assert (control.down_sampling_rate, control.global_average_pooling) == (2.0, False)
    both = value(
        DTControlNet.execute(
            "d.ckpt",
            "Canny",
            1,
            0,
            1,
            "Balanced",
            own_target_blocks=" a, b,",
            control_stack=(control,),
        )
    )
    assert both[0] is control
    assert both[1] == Control("d.ckpt", input_type=ControlInputType.CANNY, target_blocks=("a", "b"))


def test_a_control_that_is_off_or_none_adds_nothing() -> None:
    assert value(DTControlNet.execute(control="none", **MAP)) == ()
    assert value(DTControlNet.execute(control="none", **MAP, image=pictures(0.5))) == ()
    assert value(DTControlNet.execute(control="c.ckpt", **{**MAP, "weight": 0.0})) == ()


def test_a_control_and_its_picture_reach_the_server(server: Any, profile: ServerProfile) -> None:
    controls = value(
        DTControlNet.execute(
            control="controlnet_tile_1.x_v1.1_f16.ckpt",
            **MAP,
            image=pictures(0.75),
            invert=True,
        )
    )
    sample(profile, V1, control=controls)
    (record,) = server.requests
    (hint,) = record.hints
    assert hint.kind == "custom"
    assert hint.arrays[0] == pytest.approx(-0.5, abs=1e-3)
    assert [row.file for row in record.configuration["controls"]] == [controls[0].file]


def test_a_tile_control_without_a_picture_shrinks_the_samplers_image(
    server: Any, profile: ServerProfile
) -> None:
    controls = value(
        DTControlNet.execute(
            control="controlnet_tile_1.x_v1.1_f16.ckpt", **MAP, down_sampling_rate=4.0
        )
    )
    sample(profile, V1, control=controls, image=pictures(0.5))
    (record,) = server.requests
    assert record.hints == ()
    assert record.configuration["controls"][0].down_sampling_rate == 4


def test_a_depth_model_gets_its_map_without_a_control(server: Any, profile: ServerProfile) -> None:
    controls = value(
        DTControlNet.execute(control="none", **{**MAP, "input_type": "Depth"}, image=pictures(1.0))
    )
    sample(profile, "flux_1_depth_dev_q5p.ckpt", control=controls)
    (record,) = server.requests
    assert [hint.kind for hint in record.hints] == ["depth"]
    assert record.configuration["controls"] == ()


def test_two_maps_for_one_place_are_one_sentence(profile: ServerProfile) -> None:
    controls: Any = ()
    for name, grey in (("seg", 0.5), ("lineart", 0.25)):
        file = f"controlnet_{name}_1.x_v1.1_f16.ckpt"
        controls = value(
            DTControlNet.execute(control=file, **MAP, image=pictures(grey), control_stack=controls)
        )
    with pytest.raises(reporting.Problem, match=r"Two controls, .*LineArt"):
        sample(profile, V1, control=controls)


@pytest.mark.parametrize(
    ("socket", "given", "node"),
    [
        ("lora", [{"model": {"file": "a.ckpt"}, "weight": 1}], "DT LoRA"),
        ("lora", ({"file": "a.ckpt"},), "DT LoRA"),
        ("control", [{"file": "a.ckpt"}], "DT ControlNet"),
        ("reference", [], "DT Kontext Reference"),
        ("model", {"value": "a.ckpt"}, "DT Model Loader"),
    ],
)
def test_a_value_of_another_pack_with_our_socket_type_is_one_sentence(
    profile: ServerProfile, socket: str, given: Any, node: str
) -> None:
    inputs: dict[str, Any] = {"model": ModelChoice(profile, MODEL), "positive": "x", socket: given}
    with pytest.raises(reporting.Problem, match=f"comes from another pack: connect {node}"):
        asyncio.run(Sampling.execute(**SAMPLER, **inputs))


def test_every_picture_of_a_batch_is_a_reference() -> None:
    batch = pictures(0.0, 1.0)
    references = value(DTKontextReference.execute(batch, weight=0.5, on=True))
    assert [(float(row.picture.pixels.mean()), row.weight) for row in references] == [
        (0, 0.5),
        (1, 0.5),
    ]
    assert value(DTKontextReference.execute(batch, references, weight=0.0)) == references
    assert value(DTKontextReference.execute(batch, references, on=False)) == references


def test_four_pictures_in_one_node_keep_their_order_and_can_be_off(
    server: Any, profile: ServerProfile
) -> None:
    before = value(DTKontextReference.execute(pictures(0.0, height=32), weight=1.0, on=True))
    output = DTKontextReference.execute(
        pictures(0.25), before, image_2=pictures(0.5), image_3=pictures(0.75),
        image_4=pictures(1.0, width=96), weight=1.0, on=True, weight_2=0.0, on_3=False,
        after_image=True,
    )  # fmt: skip
    references, numbers = output.args
    assert numbers.splitlines() == [
        "Picture 1: the sampler's image",
        "Picture 2: image, 128x32 px",
        "Picture 3: image, 128x64 px",
        "Picture 4: image_4, 96x64 px",
    ]
    assert output.ui["drawthings_facts"] == numbers.splitlines()
    sample(profile, EDIT_MODEL, reference=references, image=pictures(0.5))
    (hint,) = server.requests[0].hints
    assert hint.kind == "shuffle"
    assert [round(float(np.mean(array)), 2) for array in hint.arrays] == [-1, -0.5, 1]
    assert [array.shape[1:3] for array in hint.arrays] == [(32, 128), (64, 128), (64, 96)]


def test_without_an_image_the_first_reference_is_picture_1() -> None:
    _, numbers = DTKontextReference.execute(pictures(0.5), weight=1.0, on=True).args
    assert numbers == "Picture 1: image, 128x64 px"


def test_a_prompt_takes_a_textual_inversion() -> None:
    assert value(DTPrompt.execute("a cat", "none")) == "a cat"
    assert value(DTPrompt.execute("a cat", "easynegative")) == "a cat <easynegative>"
    assert DTPrompt.execute("a (red:1.3) cat").ui is None


def test_a_prompt_tells_what_the_model_does_not_read(profile: ServerProfile) -> None:
    choice = ModelChoice(profile, MODEL)
    (note,) = DTPrompt.execute("a (red:1.3) cat", model=choice).ui["drawthings_notes"]
    assert "Z Image" in note
    here().lists.refresh(profile)
    assert "easynegative" in DTPrompt.define_schema().inputs[2].options
    v1 = ModelChoice(profile, V1)
    assert DTPrompt.execute("a (red:1.3) cat", model=v1).ui is None
    (note,) = DTPrompt.execute("<artdeco>", model=v1).ui["drawthings_notes"]
    assert "v2" in note


def test_a_textual_inversion_of_the_server_is_described_in_the_request(
    server: Any, profile: ServerProfile
) -> None:
    text = value(DTPrompt.execute("rain", "easynegative"))
    sample(profile, V1, negative=text, guidance=5.0)
    message = server.requests[0].message
    assert message.negativePrompt == "rain <easynegative>"
    assert b"easynegative_ti_f16.ckpt" in message.override.textualInversions
