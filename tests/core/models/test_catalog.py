"""What an Echo answer becomes."""

from __future__ import annotations

import json

import pytest
from catalogs import catalog, echo_reply
from drawthings.dt_core.models.catalog import Catalog
from drawthings.dt_core.wire import protobuf


def test_every_kind_is_read_with_its_own_facts() -> None:
    found = catalog()
    assert found.browsable
    assert found.server_identifier == 7
    flux = found.model("flux.ckpt")
    assert flux is not None
    assert (flux.version, flux.guidance_embed, flux.default_scale) == ("flux1", True, 16)
    assert flux.family is not None
    assert flux.family.name == "FLUX.1"
    style = found.lora("range.ckpt")
    assert style is not None
    assert (style.default_weight, style.lower_weight, style.upper_weight) == (0.8, -1, 3)
    depth = found.control("v1_depth.ckpt")
    assert depth is not None
    assert (depth.type, depth.modifier) == ("controlnet", "depth")
    assert found.embeddings[0].keyword == "easy"
    upscaler = found.upscaler("x4.ckpt")
    assert upscaler is not None
    assert upscaler.scale_factor == 4


def test_unknown_keys_and_versions_are_kept() -> None:
    found = catalog()
    flux, future = found.model("flux.ckpt"), found.model("future.ckpt")
    assert flux is not None
    assert flux.description["hypothetical_key"] == {"new": [1]}
    assert future is not None
    assert (future.version, future.family) == ("model_of_2031", None)


def test_a_display_name_finds_its_model_if_it_is_the_only_one() -> None:
    rows = [
        {"file": "a.ckpt", "name": "Twin", "version": "v1"},
        {"file": "b.ckpt", "name": "Twin", "version": "v1"},
        {"file": "c.ckpt", "name": "Only", "version": "v1"},
    ]
    override = protobuf.MetadataOverride(models=json.dumps(rows).encode())
    found = Catalog.from_reply(protobuf.EchoReply(override=override))
    only = found.model("only")
    assert only is not None
    assert only.file == "c.ckpt"
    assert found.model("Twin") is None


def test_the_first_of_two_entries_of_one_file_counts() -> None:
    rows = [{"file": "a.ckpt", "version": "v1"}, {"file": "a.ckpt", "version": "v2"}]
    override = protobuf.MetadataOverride(models=json.dumps(rows).encode())
    found = Catalog.from_reply(protobuf.EchoReply(override=override))
    assert [model.version for model in found.models] == ["v1"]


@pytest.mark.parametrize(
    "data",
    [b"", b"{}", b"[1, null, {}]", b"not json", b"\xff\xfe", b"[" * 100_000, b'[{"file": 3}]'],
)
def test_descriptions_that_are_not_understood_are_left_out(data: bytes) -> None:
    override = protobuf.MetadataOverride(models=data, loras=data, controlNets=data, upscalers=data)
    found = Catalog.from_reply(protobuf.EchoReply(files=["x.ckpt"], override=override))
    assert (found.models, found.loras, found.controls, found.upscalers) == ((), (), (), ())
    assert found.has("x.ckpt")


def test_odd_values_fall_back_instead_of_failing() -> None:
    rows = [{"file": "a", "name": 5, "version": [], "default_scale": "big", "weight": 3}]
    data = json.dumps(rows).encode()
    override = protobuf.MetadataOverride(models=data, loras=data, controlNets=data)
    found = Catalog.from_reply(protobuf.EchoReply(override=override))
    assert (found.models[0].name, found.models[0].version) == ("a", "")
    assert found.models[0].default_scale is None
    assert found.loras[0].default_weight == 0.6


def test_a_server_that_does_not_tell_is_not_browsable() -> None:
    assert not Catalog.from_reply(protobuf.EchoReply(message="HELLO x")).browsable
    assert Catalog.from_reply(echo_reply()).has("flux.ckpt")
