"""Servers that announce themselves: the packets of each system, damaged ones, a real socket."""

from __future__ import annotations

import json
import socket
import struct
import threading
from collections.abc import Iterator

import pytest
from commands import Command
from drawthings.dt_core.connection import discovery
from drawthings.dt_core.connection.discovery import FoundServer, Listener, discover, question, read
from drawthings.dt_core.connection.profile import TlsMode
from drawthings.dt_core.errors import Remedy, ServerUnreachable
from hypothesis import given
from hypothesis import strategies as st

SERVICE = "_dt-grpc._tcp.local"
A, PTR, TXT, AAAA, SRV = 1, 12, 16, 28, 33
ANSWER = 0x8400
FLUSH = 0x8001  # class IN with the cache-flush bit
SENDER = "192.168.1.50"


def name(text: str) -> bytes:
    parts = (part.encode() for part in text.split("."))
    return b"".join(bytes([len(part)]) + part for part in parts) + b"\0"


def record(
    owner: bytes, kind: int, data: bytes, ttl: int = 120, length: int | None = None
) -> bytes:
    size = len(data) if length is None else length
    return owner + struct.pack(">HHIH", kind, FLUSH, ttl, size) + data


def service(host: str, port: int) -> bytes:
    return struct.pack(">HHH", 0, 0, port) + name(host)


def packet(*records: bytes, counts: tuple[int, int, int] | None = None) -> bytes:
    answers, authority, more = counts or (len(records), 0, 0)
    return struct.pack(">6H", 0, ANSWER, 0, answers, authority, more) + b"".join(records)


def linux(instance: str = "gpu-box_notls", port: int = 7859, ttl: int = 120) -> bytes:
    """As Linux servers announce: 4 answers and 6 more are claimed, three records follow, and
    the last says 5 bytes but carries 10 (docs/protocol.md 9.1)."""
    whole = f"{instance}.{SERVICE}"
    return packet(
        record(name(SERVICE), PTR, name(whole), ttl),
        record(name(whole), SRV, service("gpu-box.local", port), ttl),
        record(name(whole), TXT, b"\x09txtvers=1", ttl, length=5),
        counts=(4, 0, 6),
    )


def heard(*packets: bytes, sender: str = SENDER) -> tuple[FoundServer, ...]:
    listener = Listener()
    for one in packets:
        listener.hear(one, sender)
    return listener.found


def test_the_malformed_packet_of_a_linux_server_is_read() -> None:
    (server,) = heard(linux())

    assert server == FoundServer("gpu-box", "gpu-box.local", 7859, SENDER, tls=False)
    assert server.profile().address == f"{SENDER}:7859"
    assert server.profile().tls is TlsMode.AUTOMATIC


def test_the_packet_of_an_apple_server_is_read_with_its_compressed_names() -> None:
    # Names point to where they stood before: the service at 12, its domain, the instance.
    start = 12
    first = name(SERVICE)
    instance_at = start + len(first) + 10
    instance = b"\x0aStudio_tls" + struct.pack(">H", 0xC000 | start)
    srv_data = struct.pack(">HHH", 0, 0, 7860) + b"\x06studio" + struct.pack(">H", 0xC000 | 26)
    host_at = instance_at + len(instance) + 2 + 10 + 6
    pointer = struct.pack(">H", 0xC000 | instance_at)
    host = struct.pack(">H", 0xC000 | host_at)
    whole = packet(
        record(first, PTR, instance),
        record(pointer, SRV, srv_data),
        record(host, AAAA, bytes.fromhex("fe80" + "00" * 13 + "01")),
        record(host, A, bytes([10, 0, 0, 7])),
        counts=(1, 0, 3),
    )
    assert whole[26:33] == b"\x05local\0"

    assert heard(whole) == (FoundServer("Studio", "studio.local", 7860, "10.0.0.7", tls=True),)


def test_records_may_come_in_several_packets_and_any_order() -> None:
    whole = f"Mac_tls.{SERVICE}"
    parts = (
        packet(record(name("mac.local"), A, bytes([10, 0, 0, 9]))),
        packet(record(name(whole), SRV, service("mac.local", 7859))),
        packet(record(name(SERVICE), PTR, name(whole))),
    )
    for order in (parts, parts[::-1]):
        assert [server.address for server in heard(*order)] == ["10.0.0.9"]
    assert heard(*parts[:2]) == (), "nobody said that this is the service"


@pytest.mark.parametrize(
    ("instance", "shown", "mode"),
    [
        ("Mac_tls", "Mac", TlsMode.TLS),
        ("Mac_notls", "Mac", TlsMode.AUTOMATIC),
        ("Mac", "Mac", TlsMode.AUTOMATIC),
        ("Büro", "Büro", TlsMode.AUTOMATIC),
    ],
)
def test_the_name_tells_whether_the_server_speaks_tls(
    instance: str, shown: str, mode: TlsMode
) -> None:
    (server,) = heard(linux(instance))

    assert (server.name, server.profile().tls) == (shown, mode)


@pytest.mark.parametrize(
    ("host", "address"),
    [
        ("mac.a.3.17.local", "192.168.3.17"),
        ("mac.b.3.17.local", "10.0.3.17"),
        ("mac.a.3.999.local", SENDER),
        ("mac.local", SENDER),
    ],
)
def test_some_host_names_hold_the_address(host: str, address: str) -> None:
    whole = f"m_tls.{SERVICE}"
    (server,) = heard(
        packet(
            record(name(SERVICE), PTR, name(whole)), record(name(whole), SRV, service(host, 7859))
        )
    )

    assert server.address == address


def test_an_ipv6_address_can_be_used() -> None:
    whole = f"m_tls.{SERVICE}"
    (server,) = heard(
        packet(
            record(name(SERVICE), PTR, name(whole)),
            record(name(whole), SRV, service("m.local", 7859)),
            record(name("m.local"), AAAA, socket.inet_pton(socket.AF_INET6, "fd00::7")),
        )
    )

    assert server.profile().address == "[fd00::7]:7859"


def test_a_server_that_says_goodbye_is_gone_and_may_come_back() -> None:
    assert heard(linux(), linux(ttl=0)) == ()
    assert len(heard(linux(), linux(ttl=0), linux())) == 1


def test_another_port_replaces_the_one_before() -> None:
    assert [server.port for server in heard(linux(port=1234), linux(port=5678))] == [5678]


def test_several_servers_are_told_apart_and_sorted() -> None:
    listener = Listener()
    listener.hear(linux("zeta_tls"), "10.0.0.1")
    listener.hear(linux("Alpha_notls"), "10.0.0.2")

    told = [(server.name, server.address) for server in listener.found]
    assert told == [("Alpha", "10.0.0.2"), ("zeta", "10.0.0.1")]


def test_questions_and_other_services_are_left_alone() -> None:
    whole = "printer._ipp._tcp.local"
    other = packet(
        record(name("_ipp._tcp.local"), PTR, name(whole)),
        record(name(whole), SRV, service("printer.local", 631)),
    )
    probe = struct.pack(">6H", 0, 0, 1, 0, 0, 0) + name("gpu-box.local") + struct.pack(">2H", A, 1)

    assert heard(other, probe, question()) == ()


def test_the_question_is_for_the_service() -> None:
    assert question() == struct.pack(">6H", 0, 0, 1, 0, 0, 0) + name(SERVICE) + b"\0\x0c\0\x01"


@pytest.mark.parametrize(
    "damaged",
    [
        b"",
        b"\0" * 12,
        struct.pack(">6H", 0, ANSWER, 0, 65_535, 65_535, 65_535),
        packet(b"\xc0\x0c" + b"\0" * 10),  # a name that points to itself
        packet(b"\xc0\x0e\xc0\x0c" + b"\0" * 10),  # two that point to each other
        packet(b"\x80name"),  # a length that does not exist
        packet(b"\x3f" * 300),  # a name without an end
        packet(record(name(SERVICE), PTR, b"\x20half")),
        packet(record(name(SERVICE), SRV, b"\0")),
        packet(record(name(SERVICE), A, b"\0\0", length=60_000)),
    ],
)
def test_damaged_packets_are_ignored(damaged: bytes) -> None:
    assert heard(damaged) == ()


@pytest.mark.parametrize("end", range(0, len(linux()), 3))
def test_what_can_be_read_of_a_cut_packet_counts(end: int) -> None:
    services = read(linux()[:end]).services

    assert services in ({}, {f"gpu-box_notls.{SERVICE}": True})


@given(st.binary(max_size=600), st.integers(0, 200))
def test_no_packet_breaks_the_reader(noise: bytes, at: int) -> None:
    read(struct.pack(">6H", 0, ANSWER, 0, 9, 9, 9) + noise)
    whole = linux()
    for server in heard(whole[:at] + noise + whole[at + 1 :]):
        server.profile()


# --- over a real socket


@pytest.fixture
def network() -> Iterator[tuple[socket.socket, tuple[str, int]]]:
    """A socket to listen on, and where to send to: stands in for the multicast group."""
    made = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    made.bind(("127.0.0.1", 0))
    yield made, made.getsockname()
    made.close()


def send(to: tuple[str, int], *packets: bytes) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        for one in packets:
            sender.sendto(one, to)


def test_each_server_is_told_when_it_is_heard_and_once(
    network: tuple[socket.socket, tuple[str, int]],
) -> None:
    listening, address = network
    told: list[FoundServer] = []
    sending = threading.Timer(0.1, send, (address, linux(), b"noise", linux()))
    sending.start()
    found = discover(0.6, told=told.append, listen=lambda: listening)
    sending.join()

    assert [(server.name, server.address) for server in found] == [("gpu-box", "127.0.0.1")]
    assert told == list(found)


def test_nobody_heard_is_no_error(network: tuple[socket.socket, tuple[str, int]]) -> None:
    assert discover(0.05, listen=lambda: network[0]) == ()


def test_a_system_that_lets_nobody_listen_is_told_in_a_sentence() -> None:
    def refuse() -> socket.socket:
        raise OSError(98, "Address already in use")

    with pytest.raises(ServerUnreachable, match=r"Address already in use\)") as caught:
        discover(0.05, listen=refuse)
    assert caught.value.remedy is Remedy.NAME_SERVER


def test_the_command_lists_what_announces_itself(
    network: tuple[socket.socket, tuple[str, int]],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    listening, address = network
    monkeypatch.setattr(discovery, "_multicast", listening.dup)
    send(address, linux("Studio_tls"))
    said = Command(capsys)("discover", "--seconds", "0.2")
    send(address, linux("Studio_tls"))
    rows = json.loads(Command(capsys)("discover", "--seconds", "0.2", "--json").out)
    none = Command(capsys)("discover", "--seconds", "0.05")

    assert (said.status, said.out) == (0, "127.0.0.1:7859  TLS    Studio\n")
    assert rows == [
        {"name": "Studio", "address": "127.0.0.1:7859", "host": "gpu-box.local", "tls": True}
    ]
    assert (none.status, none.out) == (4, "")
    assert "once a minute" in none.err


def test_a_name_from_the_network_cannot_change_the_terminal(
    network: tuple[socket.socket, tuple[str, int]],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    listening, address = network
    monkeypatch.setattr(discovery, "_multicast", listening.dup)
    send(address, linux("Evil\x1b[2J\u202e\nname_tls"))

    assert Command(capsys)("discover", "--seconds", "0.2").out.endswith("TLS    Evil [2J name\n")


def test_the_multicast_group_is_really_listened_to() -> None:
    try:
        probe = discovery._multicast()
    except OSError as error:
        pytest.skip(f"no multicast here: {error}")
    with probe, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        sender.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_LOOP, 1)
        probe.settimeout(2)
        try:
            sender.sendto(linux("Echo_tls"), (discovery.GROUP, discovery.PORT))
            listener = Listener()
            while not listener.found:
                packet, where = probe.recvfrom(65_535)
                listener.hear(packet, where[0])
        except OSError as error:
            pytest.skip(f"the network here passes no multicast: {error}")
    assert [server.name for server in listener.found] == ["Echo"]
