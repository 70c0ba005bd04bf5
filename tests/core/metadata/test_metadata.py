"""What made a picture, written into pictures and read back."""

from __future__ import annotations

import io
import json
import struct
import zlib
from typing import Any
from xml.etree import ElementTree as ET

import numpy as np
import pytest
from drawthings.dt_core.errors import SettingsError
from drawthings.dt_core.metadata import Generation, encode, read
from drawthings.dt_core.metadata.generation_data import from_json, is_ours, sampler_named, to_json
from drawthings.dt_core.metadata.xmp import MAX_PACKET, from_xmp, to_xmp
from drawthings.dt_core.settings import app_json
from drawthings.dt_core.settings.choices import LoraMode, Sampler, SeedMode
from drawthings.dt_core.settings.configuration import Configuration, ControlSettings, LoraSettings
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from PIL.PngImagePlugin import PngImageFile

SETTINGS = Configuration(
    model="flux_1_dev_q8p.ckpt",
    start_width=896,
    start_height=1152,
    seed=4_000_000_000,
    steps=8,
    guidance_scale=3.5,
    strength=1.0,
    sampler=Sampler.EULER_A_TRAILING,
    seed_mode=SeedMode.NVIDIA_GPU_COMPATIBLE,
    shift=3.1,
    hires_fix=True,
    hires_fix_start_width=448,
    hires_fix_start_height=576,
    loras=(LoraSettings("a.ckpt", -0.4, LoraMode.BASE), LoraSettings("b.ckpt", 0.6)),
    controls=(ControlSettings("c.ckpt", 0.7, 0.1, 0.8),),
)
MADE = Generation(SETTINGS, 'a "fox" & <wolf>\n\nübel 🦊 ]]>', "rain &amp; snow")
GREY = np.full((4, 6, 3), 128, np.uint8)
UNESCAPED = """<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF><rdf:Description>
<exif:UserComment><rdf:Alt><rdf:li xml:lang="x-default">{}</rdf:li></rdf:Alt></exif:UserComment>
</rdf:Description></rdf:RDF></x:xmpmeta>"""


def chunks(file: bytes) -> list[tuple[bytes, bytes]]:
    found, at = [], 8
    while at < len(file):
        (length,) = struct.unpack_from(">I", file, at)
        found.append((file[at + 4 : at + 8], file[at + 8 : at + 8 + length]))
        at += 12 + length
    return found


def png_with(kind: bytes, data: bytes) -> bytes:
    body = kind + data
    chunk = struct.pack(">I", len(data)) + body + struct.pack(">I", zlib.crc32(body))
    plain = encode(GREY)
    return plain[:33] + chunk + plain[33:]  # after IHDR


def comment_in(packet: str) -> str:
    found = ET.fromstring(packet).find(".//{http://ns.adobe.com/exif/1.0/}UserComment")
    assert found is not None
    return "".join(found.itertext()).strip()


def test_a_picture_tells_what_made_it() -> None:
    got = read(encode(GREY, {"workflow": "{}"}, MADE))

    assert got is not None
    assert (got.prompt, got.negative_prompt) == (MADE.prompt, MADE.negative_prompt)
    assert {name: got.settings[name] for name in SETTINGS} == dict(SETTINGS.explicit)


def test_the_chunks_are_those_that_the_app_writes() -> None:
    file = encode(GREY, {"workflow": '{"nodes": []}', "prompt": "{}"}, MADE)
    found = dict(chunks(file))

    assert found[b"iTXt"].startswith(b"XML:com.adobe.xmp\0\0\0\0\0<x:xmpmeta")
    assert found[b"sRGB"] == b"\0"
    exif = Image.open(io.BytesIO(file)).getexif()
    assert dict(exif.get_ifd(0x8769)) == {0xA002: 6, 0xA003: 4}
    assert found[b"eXIf"][:4] == b"MM\0*"
    image = Image.open(io.BytesIO(file))
    assert isinstance(image, PngImageFile)
    texts = image.text
    assert (texts["workflow"], texts["prompt"]) == ('{"nodes": []}', "{}")


@pytest.mark.parametrize("channels", [1, 3, 4])
def test_pixels_and_alpha_are_kept(channels: int) -> None:
    pixels = np.arange(5 * 7 * channels, dtype=np.uint8).reshape(5, 7, channels)
    back = np.asarray(Image.open(io.BytesIO(encode(pixels, None, MADE))))

    assert np.array_equal(back.reshape(pixels.shape), pixels)


def test_a_picture_without_a_generation_has_nothing_of_the_app() -> None:
    file = encode(GREY, {"workflow": "{}"})

    assert {kind for kind, _ in chunks(file)} == {b"IHDR", b"tEXt", b"IDAT", b"IEND"}
    assert read(file) is None


def test_the_packet_is_well_formed_and_its_comment_is_the_json() -> None:
    data = json.loads(comment_in(to_xmp(MADE)))

    assert data == to_json(MADE)
    assert data["c"] == MADE.prompt
    assert (data["size"], data["sampler"]) == ("896x1152", "Euler A Trailing")
    assert data["lora"][0] == {"model": "a.ckpt", "weight": -0.4, "mode": "base"}
    assert data["v2"]["seed"] == data["seed"] == 4_000_000_000
    assert data["v2"]["width"] == 896


def test_the_json_knows_no_key_beside_those_of_the_app() -> None:
    """So no server, secret or path can be in it."""
    assert set(to_json(MADE)["v2"]) <= app_json.KEYS | {app_json.OURS}


texts = st.text(max_size=80)


@given(texts, texts)
def test_any_prompt_makes_well_formed_xml_and_comes_back(prompt: str, negative: str) -> None:
    packet = to_xmp(Generation(SETTINGS, prompt, negative))
    ET.fromstring(packet)
    data = from_xmp(packet)

    assert data is not None
    for given_text, got in ((prompt, data["c"]), (negative, data["uc"])):
        assert "".join(c for c in given_text if c.isprintable() or c == "\n") == "".join(
            c for c in got if c.isprintable() or c == "\n"
        )


@given(st.binary(max_size=300))
def test_no_file_is_too_strange_to_be_read(noise: bytes) -> None:
    for file in (
        noise,
        b"\x89PNG\r\n\x1a\n" + noise,
        b"\xff\xd8\xff" + noise,
        png_with(b"iTXt", b"XML:com.adobe.xmp\0" + noise),
        png_with(b"zTXt", b"XML:com.adobe.xmp\0\0" + noise),
        png_with(b"eXIf", b"MM\0*" + noise),
    ):
        assert read(file) is None


@given(st.integers(0, 2000))
def test_a_picture_cut_off_anywhere_is_no_error(length: int) -> None:
    file = encode(GREY, None, MADE)
    read(file[: min(length, len(file))])


def test_a_compressed_packet_is_read_and_a_bomb_is_not() -> None:
    packet = to_xmp(MADE).encode()
    head = b"XML:com.adobe.xmp\0"
    assert read(png_with(b"iTXt", head + b"\1\0\0\0" + zlib.compress(packet)))
    assert read(png_with(b"zTXt", head + b"\0" + zlib.compress(packet)))
    bomb = zlib.compress(packet + b" " * (MAX_PACKET + 1))
    assert read(png_with(b"zTXt", head + b"\0" + bomb)) is None


def test_entities_of_a_document_type_are_never_expanded() -> None:
    bomb = '<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;">]>' + to_xmp(
        Generation(SETTINGS, "x")
    ).replace("&quot;c&quot;:&quot;x", "&quot;c&quot;:&quot;&b;")
    data = from_xmp(bomb)

    assert data is not None
    assert data["c"] == "&b;"


def test_the_xml_of_drawthings_py_is_read_although_it_is_none() -> None:
    text = json.dumps({"c": 'cats & dogs <3 "x"', "uc": "", "steps": 4, "sampler": "UniPC"})
    with pytest.raises(ET.ParseError):
        ET.fromstring(UNESCAPED.format(text))
    got = read(png_with(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + UNESCAPED.format(text).encode()))

    assert got is not None
    assert got.prompt == 'cats & dogs <3 "x"'
    assert (got.settings["steps"], got.settings["sampler"]) == (4, Sampler.UNIPC)


def test_jpeg_tells_in_xmp_or_in_its_exif_comment() -> None:
    picture = Image.fromarray(GREY)
    plain, with_exif = io.BytesIO(), io.BytesIO()
    picture.save(plain, "JPEG")
    # Pillow writes XMP into JPEGs only since version 11.
    packet = b"http://ns.adobe.com/xap/1.0/\0" + to_xmp(MADE).encode()
    segment = b"\xff\xe1" + (len(packet) + 2).to_bytes(2, "big") + packet
    with_xmp = io.BytesIO(plain.getvalue()[:2] + segment + plain.getvalue()[2:])
    exif = Image.Exif()
    exif[0x8769] = {0x9286: b"ASCII\0\0\0" + json.dumps(to_json(MADE)).encode()}
    picture.save(with_exif, "JPEG", exif=exif)

    for file in (with_xmp, with_exif):
        got = read(file.getvalue())
        assert got is not None
        assert got.prompt == MADE.prompt
        assert got.settings["seed"] == 4_000_000_000


def test_the_flat_keys_count_where_the_whole_is_missing() -> None:
    data = to_json(MADE)
    del data["v2"]
    got = from_json(data).settings

    for name in ("model", "seed", "steps", "guidance_scale", "shift", "sampler", "seed_mode"):
        assert got[name] == SETTINGS[name]
    assert (got["start_width"], got["hires_fix_start_height"]) == (896, 576)
    assert got["loras"] == SETTINGS["loras"]
    assert got["controls"] == SETTINGS["controls"]


def test_flat_values_that_cannot_be_are_left_out() -> None:
    got = from_json(
        {"c": "x", "steps": "many", "size": "big", "scale": None, "seed": -5, "lora": 3}
    )

    assert (got.prompt, dict(got.settings.explicit)) == ("x", {})


def test_wrong_values_of_a_whole_configuration_are_told() -> None:
    with pytest.raises(SettingsError, match="steps"):
        from_json({"c": "x", "v2": {"steps": "many"}})


@pytest.mark.parametrize("sampler", Sampler)
def test_every_sampler_is_found_by_its_name(sampler: Sampler) -> None:
    assert sampler_named(sampler.label) is sampler


@pytest.mark.parametrize(
    ("name", "sampler"),
    [
        ("Euler A", Sampler.EULER_A),
        ("euler ancestral", Sampler.EULER_A),
        ("DPM++ 2M", Sampler.DPMPP_2M_KARRAS),
        ("something new", Sampler.DPMPP_2M_KARRAS),
    ],
)
def test_sampler_names_match_loosely(name: str, sampler: Sampler) -> None:
    assert sampler_named(name) is sampler


def test_other_json_is_not_taken_for_the_apps() -> None:
    assert is_ours({"model": "x.ckpt", "steps": 4})
    assert is_ours({"name": "preset", "configuration": {}})
    others: list[dict[str, Any]] = [
        {},
        {"model": "x"},
        {"nodes": [], "links": [], "model": 1, "seed": 2},
        {"last_node_id": 3, "seed": 1, "steps": 2},
        {"3": {"class_type": "KSampler", "inputs": {}}},
    ]
    assert not any(map(is_ours, others))
