"""One DT Server with several addresses: the pictures of a batch are shared."""

from __future__ import annotations

import asyncio
import socket
import threading
from typing import Any

import numpy as np
import pytest
import torch
from drawthings.dt_core.connection.profile import ServerProfile
from drawthings.dt_core.request.parts import ModelChoice
from drawthings.dt_core.simulator import Simulator
from drawthings.nodes.options import DTAppOptions
from drawthings.nodes.running import reporting
from drawthings.nodes.sampler import DTSampler
from drawthings.nodes.server import DTServer
from drawthings.nodes.servers import kept
from drawthings.nodes.servers import stored as servers
from drawthings.nodes.upscale import DTUpscale

MODEL = "z_image_turbo_1.0_q6p.ckpt"
PATIENCE_S = 20


class Sampling(DTSampler):
    class hidden:  # noqa: N801
        unique_id = "7"


class Upscaling(DTUpscale):
    class hidden:  # noqa: N801
        unique_id = "8"


def profile_of(*addresses: str) -> ServerProfile:
    made: ServerProfile = DTServer.execute(", ".join(addresses), "automatic").args[0]
    return made


def sample(profile: ServerProfile, rounds: int, **inputs: Any) -> Any:
    widgets = {"seed": 100, "steps": 3, "guidance": 1.0, "sampler": "UniPC Trailing"}
    sizes = {"width": 128, "height": 128, "strength": 1.0, "batch_size": 1, "shift": 0.0}
    options = DTAppOptions.execute(batch_count=rounds).args[0]
    given = {**widgets, **sizes, "options": options, "positive": "x", **inputs}
    return asyncio.run(Sampling.execute(model=ModelChoice(profile, MODEL), **given))


def notes(output: Any) -> list[str]:
    return [*(output.ui or {}).get("drawthings_notes", ())]


def test_rounds_are_shared_and_come_out_as_from_one_server() -> None:
    with Simulator(step_delay=0.05) as one, Simulator(step_delay=0.05) as two:
        shared = sample(profile_of(one.address, two.address), 6)
        assert min(len(one.requests), len(two.requests)) > 0
        assert len(one.requests) + len(two.requests) == 6
        one.step_delay = 0
        alone = sample(ServerProfile(one.address), 6)

    image, seeds = shared.args[0], shared.args[4]
    assert seeds == alone.args[4]
    assert len(set(seeds)) == 6
    torch.testing.assert_close(image, alone.args[0], rtol=0, atol=0)
    assert not notes(shared)


def test_a_server_that_dies_is_named_and_no_picture_is_missing() -> None:
    one, two = Simulator(step_delay=0.05), Simulator(step_delay=0.05)
    try:
        killer = threading.Thread(target=lambda: _kill_when_working(two))
        killer.start()
        output = sample(profile_of(one.address, two.address), 5)
        killer.join(PATIENCE_S)
    finally:
        one.stop()
        two.stop()
    assert output.args[0].shape == (5, 128, 128, 3)
    (note,) = notes(output)
    assert note.startswith(f"Went on without {two.address}.")


def _kill_when_working(server: Simulator) -> None:
    server.wait_for(lambda record: record.sent > 1, PATIENCE_S)
    server.stop()


def test_one_name_of_several_servers_shares_the_rounds(monkeypatch: pytest.MonkeyPatch) -> None:
    ask = socket.getaddrinfo

    def resolve(host: str, *rest: Any, **more: Any) -> list[Any]:
        places = ("127.0.0.1", "127.0.0.2") if host == "gpus.lab" else (host,)
        return [row for place in places for row in ask(place, *rest, **more)]

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    with Simulator(step_delay=0.05) as one:
        with Simulator(host="127.0.0.2", port=one.port, step_delay=0.05) as two:
            output = sample(profile_of(f"gpus.lab:{one.port}"), 6)
            assert min(len(one.requests), len(two.requests)) > 0
            assert len(one.requests) + len(two.requests) == 6
            single = sample(profile_of(f"gpus.lab:{one.port}"), 1)
    assert output.args[0].shape[0] == 6
    assert single.args[0].shape[0] == 1
    assert not notes(output)


def test_a_first_server_that_is_away_is_passed_over() -> None:
    with Simulator() as there:
        output = sample(profile_of("127.0.0.1:9", there.address), 2)
    assert output.args[0].shape[0] == 2
    assert any("127.0.0.1:9" in note for note in notes(output))


def test_a_first_server_that_refuses_us_is_passed_over() -> None:
    with Simulator(secret="other") as strict, Simulator() as there:
        output = sample(profile_of(strict.address, there.address), 2)
        assert (len(strict.requests), len(there.requests)) == (0, 2)
    assert output.args[0].shape[0] == 2
    assert any(strict.address in note and "secret" in note for note in notes(output))


def test_servers_that_are_all_away_are_one_sentence() -> None:
    with pytest.raises(reporting.Problem, match="No Draw Things server at"):
        sample(profile_of("127.0.0.1:9", "127.0.0.1:10"), 2)


def test_enlarged_pictures_keep_their_own_sizes_and_order() -> None:
    pictures = torch.stack([torch.full((96, 80, 3), level) for level in (0.2, 0.5, 0.8)])
    with Simulator() as one, Simulator() as two:
        output = asyncio.run(
            Upscaling.execute(
                model=ModelChoice(profile_of(one.address, two.address), MODEL),
                image=pictures,
                upscaler="realesrgan_x2plus_f16.ckpt",
                factor="2",
                face_restoration="none",
            )
        )
    assert output.args[0].shape == (3, 192, 160, 3)
    levels = output.args[0].mean(dim=(1, 2, 3)).numpy()
    assert np.all(np.diff(levels) > 0)


def test_a_secret_goes_to_the_stored_addresses_only() -> None:
    servers.save("lab", "gpu1, gpu2", "TLS", secret="hush")
    stored = servers.named("lab")
    assert stored.addresses == ("gpu1:7859", "gpu2:7859")
    assert kept.secrets().lookup(stored.members[1].secret_name) == "hush"
    assert DTServer.execute("gpu2, gpu1", "TLS", "lab").args[0].secret_name == "lab"
    with pytest.raises(reporting.Problem, match="is not sent to elsewhere:7859"):
        DTServer.execute("gpu1, elsewhere", "TLS", "lab")
