"""Servers on the local network, by what they announce with multicast DNS.

Apple's servers are announced by the system and answer questions. Linux servers announce
themselves every minute and answer nothing, with packets that announce more records than
they hold and a TXT record of a wrong length (docs/protocol.md 9.1): what can be read of a
packet counts, and the rest is left.
"""

from __future__ import annotations

import contextlib
import ipaddress
import re
import socket
import struct
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from ..errors import Remedy, ServerUnreachable
from ..text import Template
from .profile import ServerProfile, TlsMode

GROUP, PORT = "224.0.0.251", 5353
SERVICE = "_dt-grpc._tcp.local"
LINUX_PAUSE_S = 65.0  # their announcements come once a minute

_NO_NETWORK = Template("no_local_network", "The local network cannot be listened to ({reason}).")

_A, _PTR, _TXT, _AAAA, _SRV = 1, 12, 16, 28, 33
_MAX_RECORDS, _MAX_JUMPS, _MAX_NAME = 256, 32, 255
_ASK_AGAIN_S = (0.0, 1.0, 3.0)
_MAPPED = re.compile(r"\.([ab])\.(\d{1,3})\.(\d{1,3})\.local$")


@dataclass(frozen=True, slots=True)
class FoundServer:
    """A server that announced itself. `tls` is None where its name does not tell."""

    name: str
    host: str
    port: int
    address: str
    tls: bool | None

    def profile(self) -> ServerProfile:
        """How to reach it.

        Plain text is never chosen by an announcement, which anybody can make: no secret would
        be safe then. Automatically it is spoken where there is none.
        """
        host = f"[{self.address}]" if ":" in self.address else self.address
        mode = TlsMode.TLS if self.tls else TlsMode.AUTOMATIC
        return ServerProfile(f"{host}:{self.port}", mode)


@dataclass(frozen=True, slots=True)
class Records:
    """What could be read of one packet: names in lower case and without a last dot.

    `services` are instance names as written, with whether they are there; `places` say
    host and port of an instance, `hosts` the addresses of a host.
    """

    services: dict[str, bool] = field(default_factory=dict)
    places: dict[str, tuple[str, int]] = field(default_factory=dict)
    hosts: dict[str, str] = field(default_factory=dict)


class _Unreadable(Exception):
    pass


def read(packet: bytes) -> Records:
    """The records of a packet up to the first that makes no sense. Never raises."""
    found = Records()
    with contextlib.suppress(_Unreadable, struct.error, IndexError):
        _read(packet, found)
    return found


def _read(packet: bytes, found: Records) -> None:
    _, flags, questions, *counts = struct.unpack_from(">6H", packet)
    if not flags & 0x8000:  # somebody asks
        return
    at = 12
    for _ in range(questions):
        _, at = _name(packet, at)
        at += 4
    for _ in range(min(sum(counts), _MAX_RECORDS)):
        owner, at = _name(packet, at)
        kind, _, ttl, length = struct.unpack_from(">HHIH", packet, at)
        at += 10
        if at + length > len(packet):
            raise _Unreadable
        if kind == _PTR and owner.lower() == SERVICE:
            found.services[_name(packet, at)[0]] = ttl > 0
        elif kind == _SRV:
            (port,) = struct.unpack_from(">H", packet, at + 4)
            found.places[owner.lower()] = (_name(packet, at + 6)[0], port)
        elif kind in {_A, _AAAA} and length == (4 if kind == _A else 16):
            address = ipaddress.ip_address(packet[at : at + length])
            if kind == _A or owner.lower() not in found.hosts:
                found.hosts[owner.lower()] = str(address)
        at += length


def _name(packet: bytes, at: int) -> tuple[str, int]:
    """A name, and where what follows it begins."""
    labels: list[str] = []
    after, jumps, size = None, 0, 0
    while True:
        length = packet[at]
        if length >= 0xC0:
            jumps += 1
            if jumps > _MAX_JUMPS:
                raise _Unreadable
            after = at + 2 if after is None else after
            at = (length & 0x3F) << 8 | packet[at + 1]
            continue
        if length > 63:
            raise _Unreadable
        at += 1
        if not length:
            return ".".join(labels), at if after is None else after
        size += length + 1
        if size > _MAX_NAME or at + length > len(packet):
            raise _Unreadable
        labels.append(packet[at : at + length].decode("utf-8", "replace"))
        at += length


def question() -> bytes:
    """A packet that asks who offers the service."""
    labels = b"".join(bytes([len(part)]) + part.encode() for part in SERVICE.split("."))
    return struct.pack(">6H", 0, 0, 1, 0, 0, 0) + labels + b"\0" + struct.pack(">2H", _PTR, 1)


class Listener:
    """Puts the packets of several senders together. `found` are the servers known by now."""

    def __init__(self) -> None:
        self._known = Records()
        self._senders: dict[str, str] = {}

    def hear(self, packet: bytes, sender: str) -> None:
        """Take in a packet; `sender` is the address that it came from."""
        news = read(packet)
        self._known.services.update(news.services)
        self._known.places.update(news.places)
        self._known.hosts.update(news.hosts)
        self._senders.update(dict.fromkeys(news.places, sender))

    @property
    def found(self) -> tuple[FoundServer, ...]:
        return tuple(sorted(self._servers(), key=lambda server: (server.name.lower(), server.port)))

    def _servers(self) -> Iterator[FoundServer]:
        for instance, there in self._known.services.items():
            place = self._known.places.get(instance.lower())
            if not there or place is None or not place[1]:
                continue
            host, port = place
            name = instance.removesuffix(f".{SERVICE}")
            tls = True if name.endswith("_tls") else False if name.endswith("_notls") else None
            address = (
                self._known.hosts.get(host.lower())
                or _mapped(host)
                or self._senders[instance.lower()]
            )
            shown = name.removesuffix("_tls").removesuffix("_notls")
            yield FoundServer(shown, host, port, address, tls)


def _mapped(host: str) -> str | None:
    """The address that a host name of the form name.a.X.Y.local stands for."""
    match = _MAPPED.search(host)
    if match is None or max(int(match[2]), int(match[3])) > 255:
        return None
    return f"{'192.168' if match[1] == 'a' else '10.0'}.{int(match[2])}.{int(match[3])}"


def discover(
    seconds: float = 3.0,
    *,
    told: Callable[[FoundServer], None] = lambda _: None,
    listen: Callable[[], socket.socket] | None = None,
) -> tuple[FoundServer, ...]:
    """Ask and listen for so long: `told` of each server once, all of them at the end.

    Servers in the app answer at once, Linux servers are heard within LINUX_PAUSE_S. `listen`
    opens the socket, by default one of the multicast group.

    Raises ServerUnreachable where the system lets nobody listen.
    """
    try:
        heard = (listen or _multicast)()
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise ServerUnreachable(_NO_NETWORK(reason=reason), remedy=Remedy.NAME_SERVER) from None
    listener, seen = Listener(), set()
    start = time.monotonic()
    asked = list(_ASK_AGAIN_S)
    with heard:
        while (past := time.monotonic() - start) < seconds:
            if asked and past >= asked[0]:
                asked.pop(0)
                with contextlib.suppress(OSError):
                    heard.sendto(question(), (GROUP, PORT))
            until = min(seconds, asked[0] if asked else seconds)
            heard.settimeout(max(until - past, 0.01))
            try:
                packet, sender = heard.recvfrom(65_535)
            except OSError:  # nothing came, or the network went
                continue
            listener.hear(packet, sender[0])
            for server in listener.found:
                if server not in seen:
                    seen.add(server)
                    told(server)
    return listener.found


def _multicast() -> socket.socket:
    made = socket.socket(socket.AF_INET, socket.SOCK_DGRAM, socket.IPPROTO_UDP)
    try:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if hasattr(socket, "SO_REUSEPORT"):
            with contextlib.suppress(OSError):
                made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        made.bind(("", PORT))
        group = socket.inet_aton(GROUP) + socket.inet_aton("0.0.0.0")  # noqa: S104 - any interface
        made.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, group)
        made.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_TTL, 255)
    except BaseException:
        made.close()
        raise
    return made
