"""XMP packets: the app's JSON inside well-formed XML, and out of XML that may be neither.

No XML parser builds anything from foreign text: expat is only asked whether a packet is
well-formed, and refuses a document type, so that no entity is ever expanded.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any
from xml.parsers import expat

from .generation_data import Generation, described, is_ours, to_json

MAX_PACKET = 4 * 1024 * 1024  # characters
_FORBIDDEN = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x84\x86-\x9f\ud800-\udfff\ufffe\uffff]")
_ENTITY = re.compile(r"&(?:#x([0-9a-fA-F]{1,6})|#([0-9]{1,7})|(amp|lt|gt|quot|apos));")
_NAMED = {"amp": "&", "lt": "<", "gt": ">", "quot": '"', "apos": "'"}
_SPECIAL = {"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "\n": "&#xA;", "\t": "&#x9;"}
_ELEMENT = re.compile(r"<exif:UserComment\b[^>]*>(.*?)</exif:UserComment\s*>", re.DOTALL)
_ATTRIBUTE = re.compile(r"""\bexif:UserComment\s*=\s*(?:"([^"]*)"|'([^']*)')""")

_PACKET = (
    '<x:xmpmeta xmlns:x="adobe:ns:meta/" x:xmptk="XMP Core 6.0.0">\n'
    ' <rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">\n'
    '  <rdf:Description rdf:about=""\n'
    '    xmlns:exif="http://ns.adobe.com/exif/1.0/"\n'
    '    xmlns:dc="http://purl.org/dc/elements/1.1/"\n'
    '    xmlns:xmp="http://ns.adobe.com/xap/1.0/">\n'
    "   <exif:UserComment><rdf:Alt>"
    '<rdf:li xml:lang="x-default">{comment}</rdf:li></rdf:Alt></exif:UserComment>\n'
    "   <dc:description><rdf:Alt>"
    '<rdf:li xml:lang="x-default">{description}</rdf:li></rdf:Alt></dc:description>\n'
    "   <xmp:CreatorTool>Draw Things</xmp:CreatorTool>\n"
    "  </rdf:Description>\n"
    " </rdf:RDF>\n"
    "</x:xmpmeta>\n"
)


def to_xmp(generation: Generation) -> str:
    """The packet of a generation; characters that XML cannot hold are left out."""
    comment = json.dumps(to_json(generation), ensure_ascii=False, separators=(",", ":"))
    return _PACKET.format(comment=_escaped(comment), description=_escaped(described(generation)))


def from_xmp(packet: str) -> Mapping[str, Any] | None:
    """The app's JSON in a packet; None where there is none."""
    if len(packet) > MAX_PACKET:
        return None
    well_formed = _is_well_formed(packet)
    for text in _comments(packet):
        plain = _unescaped(text)
        for candidate in (plain, text) if well_formed else (text, plain):
            data = json_in(candidate)
            if data is not None:
                return data
    return None


def json_in(text: str) -> Mapping[str, Any] | None:
    """The app's JSON object between the outermost braces; None where there is none."""
    begin, end = text.find("{"), text.rfind("}")
    if begin < 0 or end < begin or end - begin > MAX_PACKET:
        return None
    try:
        data = json.loads(text[begin : end + 1], strict=False)
    except (ValueError, RecursionError):
        return None
    return data if isinstance(data, dict) and is_ours(data) else None


def _escaped(text: str) -> str:
    text = _FORBIDDEN.sub("", text.replace("\r\n", "\n").replace("\r", "\n"))
    return re.sub('[&<>"\n\t]', lambda found: _SPECIAL[found.group()], text)


def _unescaped(text: str) -> str:
    """The characters for their references, once; others stay as they are."""

    def plain(found: re.Match[str]) -> str:
        hexadecimal, decimal, name = found.groups()
        if name:
            return _NAMED[name]
        code = int(hexadecimal, 16) if hexadecimal else int(decimal)
        return chr(code) if code <= 0x10FFFF and not 0xD800 <= code <= 0xDFFF else ""

    return _ENTITY.sub(plain, text)


def _comments(packet: str) -> Iterator[str]:
    for found in _ELEMENT.finditer(packet):
        yield found.group(1).replace("<![CDATA[", "").replace("]]>", "")
    for found in _ATTRIBUTE.finditer(packet):
        yield found.group(1) or found.group(2) or ""


class _Refused(Exception):
    pass


def _is_well_formed(packet: str) -> bool:
    def refuse(*_: object) -> None:
        raise _Refused

    parser = expat.ParserCreate()
    parser.StartDoctypeDeclHandler = refuse
    parser.EntityDeclHandler = refuse
    try:
        parser.Parse(packet.lstrip("\ufeff").encode("utf-8", "replace"), True)
    except (expat.ExpatError, _Refused):
        return False
    return True
