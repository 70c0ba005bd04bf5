"""DrawThingsClient and its asyncio twin over a real connection: pictures, servers, models."""

from __future__ import annotations

import asyncio
import io
import wave
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from drawthings.dt_core import (
    AsyncDrawThingsClient,
    DrawThingsClient,
    DrawThingsWarning,
    GeneratedAudio,
    GeneratedImage,
    GenerationPreview,
    GenerationProgress,
    GenerationStarted,
    ModelMetadata,
    ModelNotFound,
    SecretRejected,
    SettingsError,
    TlsMismatch,
    TrustError,
    latent_info,
    metadata,
)
from drawthings.dt_core.connection.profile import TlsMode
from drawthings.dt_core.simulator import Simulator
from scripted import make_certificate
from scripts import FLUX, MODEL, config, connect, last, opened


@pytest.fixture
def client(server: Simulator) -> Iterator[DrawThingsClient]:
    with connect(server) as made:
        yield made


# --- a picture in one call


def test_a_picture_is_a_png_that_tells_what_made_it(client: DrawThingsClient) -> None:
    (png,) = client.generate_image("a lighthouse", config(seed=7), "rain")

    made = metadata.read(png)
    assert opened(png).size == (128, 64)
    assert made is not None
    assert (made.prompt, made.negative_prompt, made.settings["seed"]) == ("a lighthouse", "rain", 7)


def test_the_prompt_and_every_setting_reach_the_server(
    client: DrawThingsClient, server: Simulator
) -> None:
    client.generate_image(
        "a lighthouse",
        config(cfg_scale=3.0, shift=2.0, seed=9, resolution_dependent_shift=False),
        "rain",
    )

    record = last(server)
    assert record.configuration is not None
    assert (record.message.prompt, record.message.negativePrompt) == ("a lighthouse", "rain")
    names = ("model", "steps", "start_width", "start_height", "guidance_scale", "shift", "seed")
    found = [record.configuration[name] for name in names]
    assert found == [MODEL, 2, 128, 64, 3.0, 2.0, 9]


def test_several_pictures_come_in_order_with_the_seeds_that_follow(
    client: DrawThingsClient, server: Simulator
) -> None:
    images = client.generate_image("x", config(seed=5, batch_count=3))

    seeds = [metadata.read(png).settings["seed"] for png in images]  # type: ignore[union-attr]
    assert seeds == [5, 6, 7]
    assert len(server.requests) == 3


def test_one_request_may_make_several_pictures(client: DrawThingsClient, server: Simulator) -> None:
    images = client.generate_image("x", config(batch_size=2))

    assert len(images) == 2
    assert len(server.requests) == 1


def test_callbacks_follow_the_work(client: DrawThingsClient) -> None:
    steps: list[tuple[str, int]] = []
    previews: list[bytes] = []
    client.generate_image(
        "x",
        config(steps=4),
        progress_callback=lambda stage, step: steps.append((stage, step)),
        preview_callback=previews.append,
    )

    assert [step for stage, step in steps if stage == "sampling"] == [0, 1, 2, 3, 4]
    assert [stage for stage, _ in steps][-1] == "imageDecoded"
    assert previews
    assert all(opened(png).format == "PNG" for png in previews)


def test_a_video_is_its_frames_and_its_sound(client: DrawThingsClient) -> None:
    given = config("ltx_2_19b_distilled_q8p.ckpt", num_frames=9, steps=1)
    events = list(client.generate("x", given))

    frames = [event for event in events if isinstance(event, GeneratedImage)]
    (sound,) = [event for event in events if isinstance(event, GeneratedAudio)]
    assert [frame.index for frame in frames] == list(range(9))
    with wave.open(io.BytesIO(sound.wav())) as file:
        assert file.getframerate() == sound.audio.sample_rate
        assert file.getnframes() > 1000


def test_a_callback_that_fails_ends_the_generation(server: Simulator) -> None:
    def give_up(stage: str, step: int) -> None:
        raise ZeroDivisionError

    server.step_delay = 0.05
    with connect(server) as client, pytest.raises(ZeroDivisionError):
        client.generate_image("x", config(steps=100), progress_callback=give_up)
    record = server.wait_for(lambda record: record.outcome is not None)
    assert record.outcome == "cancelled"


# --- how it connects


def test_compression_is_warned_of_once_and_works(server: Simulator) -> None:
    with pytest.warns(DrawThingsWarning, match="enable_compression has no effect") as warned:
        client = connect(server, enable_compression=True)
    assert len(warned) == 1
    with client:
        assert client.generate_image("x", config())


def test_tls_is_trusted_on_first_use_and_plain_text_is_refused() -> None:
    own = make_certificate(ips=("127.0.0.1",))
    with Simulator(tls=True, certificate=own.pem, private_key=own.key) as server:
        with DrawThingsClient(server.address) as client:
            assert client.generate_image("x", config())
        with DrawThingsClient(server.address, verify_ssl=True) as client:
            with pytest.raises(TrustError, match="authorities"):
                client.generate_image("x", config())
    with Simulator() as server, DrawThingsClient(server.address) as client:
        with pytest.raises(TlsMismatch, match="insecure=True"):
            client.list_models()


def test_a_pem_file_is_what_is_trusted(tmp_path: Path) -> None:
    own = make_certificate(ips=("127.0.0.1",))
    (tmp_path / "ca.pem").write_bytes(own.pem)
    with Simulator(tls=True, certificate=own.pem, private_key=own.key) as server:
        with DrawThingsClient(server.address, ssl_cert_path=tmp_path / "ca.pem") as client:
            assert client.generate_image("x", config())


def test_insecure_is_plain_text_and_contradicts_the_rest(server: Simulator) -> None:
    with DrawThingsClient(server.address, insecure=True) as client:
        assert client.profile.tls is TlsMode.PLAIN
        assert client.generate_image("x", config())
    with pytest.raises(SettingsError, match="insecure means no TLS"):
        DrawThingsClient(server.address, insecure=True, verify_ssl=True)


def test_the_secret_is_sent_and_never_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    with Simulator(secret="open sesame") as server:
        with connect(server, shared_secret="open sesame") as client:
            assert client.generate_image("x", config())
            assert "sesame" not in repr(client) + repr(client.clients)
        with connect(server, shared_secret="guess") as client:
            with pytest.raises(SecretRejected) as refused:
                client.generate_image("x", config())
        monkeypatch.setenv("DRAWTHINGS_SECRET", "open sesame")
        with connect(server) as client:
            assert client.list_models()
    assert "shared_secret=" in str(refused.value)
    assert "guess" not in str(refused.value)


def test_the_environment_names_the_server(
    monkeypatch: pytest.MonkeyPatch, server: Simulator
) -> None:
    monkeypatch.setenv("DRAWTHINGS_SERVER", f"plain://{server.address}")
    with DrawThingsClient() as client:
        assert client.profile.tls is TlsMode.PLAIN
        assert client.list_models()


def test_several_servers_share_the_pictures() -> None:
    with Simulator(step_delay=0.3) as one, Simulator(step_delay=0.3) as two:
        with DrawThingsClient(f"{one.address},{two.address}", insecure=True) as client:
            images = client.generate_image("x", config(seed=1, batch_count=4))
        assert len(images) == 4
        assert one.requests
        assert two.requests


def test_a_client_may_be_used_again_after_it_was_closed(server: Simulator) -> None:
    client = connect(server)
    with client:
        client.generate_image("x", config())
    assert client.generate_image("x", config())


# --- what the server has


def test_models_and_loras_are_listed(client: DrawThingsClient) -> None:
    models = {model.file: model for model in client.list_models()}
    loras = {lora.file for lora in client.list_loras()}

    assert models[MODEL].name == "Z Image Turbo 1.0"
    assert models[FLUX].version == "flux1"
    assert "flux_1_canny_dev_lora_f16.ckpt" in loras


def test_latent_info_is_the_servers_or_from_the_file_name(client: DrawThingsClient) -> None:
    info = client.get_latent_info(FLUX)

    assert (info["latent_size"], info["version"], info["source"]) == (64, "flux1", "server")
    assert (info["default_size"], info["latent_channels"]) == (1024, 16)
    guessed = client.get_latent_info("my_own_flux_mix_q8p.ckpt")
    assert (guessed["version"], guessed["source"]) == ("flux1", "file name")
    with pytest.raises(ModelNotFound):
        client.get_latent_info("mystery.ckpt")


def test_model_metadata_takes_a_client_or_an_address(client: DrawThingsClient) -> None:
    own = make_certificate(ips=("127.0.0.1",))
    with Simulator(tls=True, certificate=own.pem, private_key=own.key) as server:
        by_address = ModelMetadata(server.address).get_latent_info(MODEL)

    assert by_address == ModelMetadata(client).get_latent_info(MODEL)
    assert by_address["version"] == "z_image"


def test_without_model_browsing_the_file_name_tells() -> None:
    with Simulator(model_browser=False) as server, connect(server) as client:
        assert client.list_models() == []
        assert client.get_latent_info("anything_sdxl_q8p.ckpt")["version"] == "sdxl_base_v0.9"
        assert client.generate_image("x", config())


@pytest.mark.parametrize(
    ("file", "version"),
    [
        ("my_sd15_mix.ckpt", "v1"),
        ("dreamshaper_sd1.5_f16.ckpt", "v1"),
        ("sd-v1-5_f16.ckpt", "v1"),
        ("realvis_xl_v4.ckpt", "sdxl_base_v0.9"),
        ("my_sdxl_mix_q6p_q8p.ckpt", "sdxl_base_v0.9"),
        ("some_flux_finetune.ckpt", "flux1"),
        ("flux2_mix.ckpt", "flux2"),
        ("some_z_image_mix.ckpt", "z_image"),
        ("z-image-thing.ckpt", "z_image"),
        ("qwen_mix.ckpt", "qwen_image"),
        ("klein_9b_mix.ckpt", "flux2_9b"),
        ("klein_4b_mix.ckpt", "flux2_4b"),
        ("sd3.5_large_mix.ckpt", "sd3_large"),
        ("sd_v2.1_mix.ckpt", "v2"),
        ("wan_2.2_5b_mix.ckpt", "wan_v2.2_5b"),
        ("wan_2.1_14b_mix.ckpt", "wan_v2.1_14b"),
        ("ltx_2.3_mix.ckpt", "ltx2.3"),
        ("hunyuan_mix.ckpt", "hunyuan_video"),
        ("kandinsky_mix.ckpt", "kandinsky2.1"),
        ("cosmos_mix.ckpt", "cosmos2.5_2b"),
    ],
)
def test_a_file_name_suggests_its_family(file: str, version: str) -> None:
    info = latent_info(file)

    assert info["version"] == version
    assert info["latent_size"] == 64
    assert info["family"]


# --- the asyncio twin


def test_the_asyncio_twin_yields_events(server: Simulator) -> None:
    async def work() -> list[Any]:
        async with AsyncDrawThingsClient(server.address, insecure=True) as client:
            return [event async for event in client.generate("x", config(steps=3))]

    events = asyncio.run(work())
    kinds = [type(event) for event in events]
    assert kinds[0] is GenerationStarted
    assert kinds[-1] is GeneratedImage
    assert GenerationPreview in kinds
    assert [e.step for e in events if isinstance(e, GenerationProgress) and e.steps] == [0, 1, 2, 3]
    assert opened(events[-1].png()).size == (128, 64)


def test_the_asyncio_twin_does_the_same_in_one_call(server: Simulator) -> None:
    async def work() -> tuple[Any, ...]:
        async with AsyncDrawThingsClient(server.address, insecure=True) as client:
            return (
                await client.generate_image(
                    "x",
                    config(seed=3, batch_count=2),
                    progress_callback=lambda stage, step: stages.append(stage),
                    preview_callback=previews.append,
                ),
                await client.list_models(),
                await client.list_loras(),
                await client.get_latent_info(FLUX),
                await client.catalog(),
            )

    stages: list[str] = []
    previews: list[bytes] = []
    images, models, loras, info, catalog = asyncio.run(work())
    assert stages.count("imageDecoded") == 2
    assert all(opened(png).format == "PNG" for png in previews)
    with connect(server) as client:
        assert images == client.generate_image("x", config(seed=3, batch_count=2))
        assert (models, loras) == (client.list_models(), client.list_loras())
    assert info["version"] == "flux1"
    assert catalog.browsable


def test_several_generations_run_at_once_without_blocking_the_loop() -> None:
    async def work(addresses: list[str]) -> tuple[int, list[list[bytes]]]:
        ticks = 0

        async def tick() -> None:
            nonlocal ticks
            while True:
                ticks += 1
                await asyncio.sleep(0.01)

        ticking = asyncio.ensure_future(tick())
        clients = [AsyncDrawThingsClient(address, insecure=True) for address in addresses]
        made = await asyncio.gather(*(c.generate_image("x", config(steps=8)) for c in clients))
        ticking.cancel()
        return ticks, list(made)

    with Simulator(step_delay=0.05) as one, Simulator(step_delay=0.05) as two:
        ticks, made = asyncio.run(work([one.address, two.address]))
    assert [len(images) for images in made] == [1, 1]
    assert ticks >= 10
