"""A real gRPC server whose answers a test writes down, message by message."""

from __future__ import annotations

import datetime as dt
import ipaddress
import threading
from collections.abc import Callable, Iterator
from concurrent import futures
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import grpc
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519
from cryptography.x509.oid import NameOID
from drawthings.dt_core.wire import protobuf

Handler = Callable[[Any, grpc.ServicerContext], Any]


@dataclass
class ScriptedServer:
    """`generate` yields responses, `echo` returns one; `cancelled` is set if a call ends early."""

    generate: Handler = lambda request, context: iter(())
    echo: Handler = lambda request, context: protobuf.EchoReply(message=f"HELLO {request.name}")
    files: Handler = lambda request, context: protobuf.FileExistenceResponse(
        files=request.files, existences=[True] * len(request.files)
    )
    hours: Handler = lambda request, context: protobuf.HoursResponse()
    pubkey: Handler = lambda request, context: protobuf.PubkeyResponse()
    requests: list[Any] = field(default_factory=list)
    cancelled: threading.Event = field(default_factory=threading.Event)
    port: int = 0
    greeted: int = 0  # how often Echo was called

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"


@dataclass(frozen=True)
class Certificate:
    """A certificate with its key, both PEM, and the certificate's SHA-256."""

    pem: bytes
    key: bytes
    fingerprint: str


_KEYS: dict[str, Callable[[], Any]] = {
    "P-256": lambda: ec.generate_private_key(ec.SECP256R1()),
    "P-521": lambda: ec.generate_private_key(ec.SECP521R1()),
    "Ed25519": ed25519.Ed25519PrivateKey.generate,
    "Ed448": ed448.Ed448PrivateKey.generate,
}


def make_certificate(
    name: str = "localhost",
    dns: tuple[str, ...] = ("localhost", "*"),
    ips: tuple[str, ...] = (),
    *,
    days: tuple[int, int] = (-1, 2),
    kind: str = "P-256",
) -> Certificate:
    """A leaf signed by a root that nobody sees, as the stock one is (docs/protocol.md 8.1).

    Valid for those `days`, counted from today, with a key of that `kind`.
    """
    root_key, key = ec.generate_private_key(ec.SECP256R1()), _KEYS[kind]()
    now = dt.datetime.now(dt.timezone.utc)
    alternatives: list[x509.GeneralName] = [x509.DNSName(entry) for entry in dns]
    alternatives += [x509.IPAddress(ipaddress.ip_address(ip)) for ip in ips]
    builder = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]))
        .issuer_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Some Root CA")]))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now + dt.timedelta(days=days[0]))
        .not_valid_after(now + dt.timedelta(days=days[1]))
    )
    if alternatives:
        builder = builder.add_extension(x509.SubjectAlternativeName(alternatives), critical=False)
    leaf = builder.sign(root_key, hashes.SHA256())
    return Certificate(
        leaf.public_bytes(serialization.Encoding.PEM),
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        ),
        leaf.fingerprint(hashes.SHA256()).hex(),
    )


@contextmanager
def serving(
    server: ScriptedServer,
    certificate: Certificate | None = None,
    port: int = 0,
    host: str = "0.0.0.0",
) -> Iterator[ScriptedServer]:
    """Run the server, by default on all local addresses and at a free port."""

    def echo(request: Any, context: grpc.ServicerContext) -> Any:
        server.greeted += 1
        return server.echo(request, context)

    def generate(request: Any, context: grpc.ServicerContext) -> Iterator[Any]:
        server.requests.append(request)
        context.add_callback(lambda: None if context.code() else server.cancelled.set())
        yield from server.generate(request, context)

    methods = {
        "GenerateImage": grpc.unary_stream_rpc_method_handler(
            generate, protobuf.GENERATE_IMAGE.parse_request, protobuf.GENERATE_IMAGE.serialize
        ),
        "Echo": grpc.unary_unary_rpc_method_handler(
            echo,
            protobuf.ECHO.parse_request,
            protobuf.ECHO.serialize,
        ),
        "FilesExist": grpc.unary_unary_rpc_method_handler(
            server.files,
            protobuf.FILES_EXIST.parse_request,
            protobuf.FILES_EXIST.serialize,
        ),
        "Hours": grpc.unary_unary_rpc_method_handler(
            server.hours, protobuf.HOURS.parse_request, protobuf.HOURS.serialize
        ),
        "Pubkey": grpc.unary_unary_rpc_method_handler(
            server.pubkey, protobuf.PUBKEY.parse_request, protobuf.PUBKEY.serialize
        ),
    }
    running = grpc.server(futures.ThreadPoolExecutor(4))
    running.add_generic_rpc_handlers(
        (grpc.method_handlers_generic_handler(protobuf.SERVICE, methods),)
    )
    if certificate is None:
        server.port = running.add_insecure_port(f"{host}:{port}")
    else:
        credentials = grpc.ssl_server_credentials([(certificate.key, certificate.pem)])
        server.port = running.add_secure_port(f"{host}:{port}", credentials)
    running.start()
    try:
        yield server
    finally:
        running.stop(None).wait(5)
