"""What the user reads when something is wrong, and that the next prompt works."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator

import pytest
from drawthings.dt_core.simulator import Simulator
from drawthings.tools.child import free_port
from drawthings.tools.comfyui import ComfyUI
from drawthings.tools.comfyui_client import Client, PromptRefused
from drawthings.tools.demo import picture_node
from running_example import SECRET, SECRET_NAME, Example

MakeExample = Callable[[str], Example]


@pytest.fixture
def guarded() -> Iterator[Simulator]:
    """A simulator that wants a secret."""
    with Simulator(secret=SECRET) as simulator:
        yield simulator


def complaint(client: Client, example: Example) -> str:
    """What ComfyUI says of an example that cannot work, before or while it runs."""
    try:
        result = client.run(example.prompt)
    except PromptRefused as refused:
        return "\n".join(refused.messages)
    assert result.outcome == "error"
    return result.error


def test_an_unknown_model_is_one_sentence_with_what_the_server_has(
    client: Client, simulator: Simulator, example: MakeExample
) -> None:
    wrong = example("text_to_image_two_loras")
    wrong.choose_model("z_image_turbo_1.0_q8p.ckpt")

    said = complaint(client, wrong)

    assert "z_image_turbo_1.0_q8p.ckpt" in said
    assert sum(name in said for name in simulator.files()) >= 3
    assert len(said.splitlines()) == 1
    assert "Traceback" not in said
    assert client.run(example("text_to_image_two_loras").prompt).outcome == "success"


def test_a_server_that_is_not_there_is_named(client: Client, example: MakeExample) -> None:
    address = f"127.0.0.1:{free_port()}"
    lost = example("text_to_image_two_loras")
    lost.connect_server(address)

    said = complaint(client, lost)

    assert address in said
    assert len(said.splitlines()) == 1
    assert client.run(example("text_to_image_two_loras").prompt).outcome == "success"


def test_a_missing_secret_is_explained(
    client: Client, guarded: Simulator, example: MakeExample
) -> None:
    closed = example("text_to_image_two_loras")
    closed.connect_server(guarded.address)

    said = complaint(client, closed)

    assert "secret" in said
    assert SECRET not in said


def test_a_secret_opens_the_server_and_shows_up_nowhere(
    client: Client, comfyui: ComfyUI, guarded: Simulator, example: MakeExample
) -> None:
    chosen = example("text_to_image_two_loras")
    chosen.connect_server(guarded.address, SECRET_NAME)

    result = client.run(chosen.prompt)

    assert result.outcome == "success", result.error
    assert guarded.requests[0].message.sharedSecret == SECRET
    (file,) = result.files(picture_node(chosen.prompt))
    places = {
        "events": json.dumps([event.data for event in result.events]),
        "history": json.dumps(client.get_json("/history")),
        "node definitions": json.dumps(client.get_json("/object_info")),
        "log": comfyui.child.output(),
        "picture": client.view(file).decode("latin-1"),
    }
    assert [name for name, text in places.items() if SECRET in text] == []


def test_a_failing_node_does_not_tell_the_secret(
    client: Client, comfyui: ComfyUI, guarded: Simulator, example: MakeExample
) -> None:
    wrong = example("text_to_image_two_loras")
    wrong.connect_server(guarded.address, SECRET_NAME)
    wrong.choose_model("no_such_model.ckpt")

    said = complaint(client, wrong)

    assert "no_such_model.ckpt" in said
    everywhere = said + json.dumps(client.get_json("/history")) + comfyui.child.output()
    assert SECRET not in everywhere
