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
from cryptography.hazmat.primitives.asymmetric import ec
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


def make_certificate(
    name: str = "localhost", dns: tuple[str, ...] = ("localhost", "*"), ips: tuple[str, ...] = ()
) -> Certificate:
    """A leaf signed by a root that nobody sees, as the stock one is (docs/protocol.md 8.1)."""
    root_key, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    now = dt.datetime.now(dt.timezone.utc)
    alternatives: list[x509.GeneralName] = [x509.DNSName(entry) for entry in dns]
    alternatives += [x509.IPAddress(ipaddress.ip_address(ip)) for ip in ips]
    builder = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]))
        .issuer_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Some Root CA")]))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=2))
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
    server: ScriptedServer, certificate: Certificate | None = None, port: int = 0
) -> Iterator[ScriptedServer]:
    """Run the server on all local addresses, at a free port if none is given."""

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
        server.port = running.add_insecure_port(f"0.0.0.0:{port}")
    else:
        credentials = grpc.ssl_server_credentials([(certificate.key, certificate.pem)])
        server.port = running.add_secure_port(f"0.0.0.0:{port}", credentials)
    running.start()
    try:
        yield server
    finally:
        running.stop(None).wait(5)
