"""One gRPC channel per server: how it is secured, its options, and what its failures mean.

Channels are synchronous on purpose: ComfyUI runs every prompt in a new event loop, and
an asyncio channel dies with its loop. docs/protocol.md 5.8 has the limits.
"""

from __future__ import annotations

import json
import threading
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from . import reach, tls
from .errors import (
    Cancelled,
    CertificateChanged,
    DrawThingsError,
    GenerationFailed,
    NoAnswer,
    ProtocolError,
    RequestError,
    SecretRejected,
    ServerUnreachable,
    TlsMismatch,
    TrustError,
)
from .known_servers import KnownServers
from .profile import ServerProfile, TlsMode
from .words import said

if TYPE_CHECKING:
    import grpc
else:
    from . import late_grpc as grpc

MAX_MESSAGE_BYTES = 1 << 30  # what the server itself accepts
MAX_ANSWER_BYTES = 64 << 20  # to a question; a catalogue of 10,000 entries has a tenth of it
_OF_QUESTIONS = {
    "name": [
        {"service": "ImageGenerationService", "method": method}
        for method in ("Echo", "FilesExist", "UploadFile", "Pubkey", "Hours")
    ],
    "maxResponseMessageBytes": MAX_ANSWER_BYTES,
}

# The server takes a ping every 5 minutes without data, and ends the connection after more
# (docs/protocol.md 5.8). So a dead peer is noticed within all of these together. The answer
# to a ping waits behind megabytes of a picture, which take long on a slow connection.
KEEPALIVE_S = 330
KEEPALIVE_ANSWER_S = 60
PING_ANSWER_S = 120

_OPTIONS: tuple[tuple[str, Any], ...] = (
    ("grpc.max_receive_message_length", MAX_MESSAGE_BYTES),
    ("grpc.max_send_message_length", MAX_MESSAGE_BYTES),
    ("grpc.enable_http_proxy", 0),  # the server is on this machine or in the house
    ("grpc.enable_retries", 0),  # a generation is never sent twice on its own
    ("grpc.use_local_subchannel_pool", 1),  # share no connection with other packs
    ("grpc.keepalive_time_ms", KEEPALIVE_S * 1000),
    ("grpc.keepalive_timeout_ms", KEEPALIVE_ANSWER_S * 1000),
    ("grpc.http2.ping_timeout_ms", PING_ANSWER_S * 1000),  # newer gRPC goes by this one
    ("grpc.http2.max_pings_without_data", 0),  # a queued generation sends nothing for hours
    ("grpc.service_config", json.dumps({"methodConfig": [_OF_QUESTIONS]})),
)


# What proves who the server is: nothing, the public stock certificate (hence nothing), a
# pinned one, one that is the same since it was first seen, an authority of the system, or
# one of the user's.
Trust = Literal["none", "stock", "pinned", "own", "system", "authority"]


@dataclass(frozen=True, slots=True)
class Connection:
    """An open channel and how it is secured: `security` in words, `trust` for programs."""

    channel: grpc.Channel
    security: str
    trust: Trust
    known: KnownServers
    target: str

    @property
    def encrypted(self) -> bool:
        return self.trust != "none"


_connections: dict[ServerProfile, Connection] = {}
_lock = threading.Lock()


def connect(
    profile: ServerProfile, *, has_secret: bool = False, known: KnownServers | None = None
) -> Connection:
    """The one open connection to that server; made on first use. Blocks up to some seconds.

    `known` remembers the certificates of servers; by default the file of this user.

    Raises ServerUnreachable, or TrustError where the certificate is not trusted or a
    secret would travel in plain text without having been allowed to.
    """
    key = _key(profile)
    with _lock:
        connection = _connections.get(key)
    if connection is None:
        made = _open(profile, known or KnownServers())
        with _lock:
            connection = _connections.setdefault(key, made)
        if connection is not made:
            made.channel.close()
    exposed = has_secret and not connection.encrypted and not profile.is_loopback
    if exposed and profile.tls is TlsMode.AUTOMATIC:
        raise TrustError(
            f"The server at {profile.address} does not use TLS, so the shared secret would "
            'travel readable: choose "plain text" in DT Server to allow that, or start the '
            "server with TLS."
        )
    return connection


def forget(profile: ServerProfile) -> None:
    """Look at that server anew at the next call. Calls that run now go on undisturbed."""
    with _lock:
        # Not closed: other calls may be using it, and it goes away with the last of them.
        _connections.pop(_key(profile), None)


def close_all() -> None:
    """Close every connection of this process."""
    with _lock:
        connections = list(_connections.values())
        _connections.clear()
    for connection in connections:
        connection.channel.close()


def accept(profile: ServerProfile, fingerprint: str, known: KnownServers | None = None) -> None:
    """Trust from now on the certificate of that SHA-256, if the server presents it.

    Raises ServerUnreachable, TlsMismatch, or CertificateChanged where the server presents
    another one by now.
    """
    known = known or KnownServers()
    try:
        leaf = tls.fetch_leaf(profile)
    except tls.NotTls:
        raise _not_tls(profile) from None
    if leaf.fingerprint != fingerprint:
        raise _changed(profile, fingerprint, leaf.fingerprint, "accepted")
    known.remember(profile.address, fingerprint)
    forget(profile)


def _key(profile: ServerProfile) -> ServerProfile:
    return replace(profile, secret_name="")  # secrets travel with the calls


def _open(profile: ServerProfile, known: KnownServers) -> Connection:
    if profile.tls is TlsMode.PLAIN:
        return _plain(_target(profile), known)
    if profile.tls is TlsMode.SYSTEM:
        return _by_authority(profile, None, "of a system authority", "system", known)
    if profile.tls is TlsMode.AUTHORITY:
        roots = _read_roots(profile.ca_file)
        return _by_authority(profile, roots, "of the own authority", "authority", known)
    try:
        leaf = tls.fetch_leaf(profile)
    except tls.NotTls as answer:
        if profile.tls is not TlsMode.AUTOMATIC or profile.fingerprint:
            raise _not_tls(profile) from None
        if known.fingerprint(profile.address):
            raise TlsMismatch(
                f"The server at {profile.address} spoke TLS before and now does not: if you "
                'switched that off yourself, choose "plain text" in DT Server; if it is just '
                "starting, try again; otherwise somebody may be listening."
            ) from None
        return _plain(answer.target, known)
    return _pinned(leaf, _judge(profile, leaf, known), known)


def _judge(profile: ServerProfile, leaf: tls.Leaf, known: KnownServers) -> tuple[str, Trust]:
    """Why the leaf is trusted; CertificateChanged if it is not. A first one is remembered."""
    if profile.fingerprint:
        if leaf.fingerprint == profile.fingerprint:
            return "TLS, pinned certificate", "pinned"
        raise _changed(profile, profile.fingerprint, leaf.fingerprint, "pinned")
    if profile.is_loopback and leaf.fingerprint == tls.simulator_fingerprint():
        return "TLS, this user's simulator", "own"
    before = known.fingerprint(profile.address)
    if before is None:
        known.remember(profile.address, leaf.fingerprint)
    elif before != leaf.fingerprint:
        raise _changed(profile, before, leaf.fingerprint, "remembered")
    if leaf.fingerprint == tls.STOCK_FINGERPRINT:
        return "TLS, public stock certificate", "stock"
    seen = "seen for the first time" if before is None else "the same as before"
    return f"TLS, own certificate, {seen}", "own"


def _changed(
    profile: ServerProfile, expected: str, presented: str, kind: str
) -> CertificateChanged:
    where = "put the new one into the fingerprint field of DT Server"
    if kind != "pinned":
        where = f"accept it in the Draw Things tab of the sidebar, or {where}"
    return CertificateChanged(
        f"The certificate of {profile.address} is not the {kind} one: {kind} is {expected}, "
        f"presented is {presented}. If you changed the server or its certificate yourself, "
        f"{where}; otherwise somebody may be listening.",
        expected,
        presented,
    )


def _not_tls(profile: ServerProfile) -> TlsMismatch:
    return TlsMismatch(
        f"The server at {profile.address} does not speak TLS: choose "
        '"plain text" in DT Server, or start the server without --no-tls.'
    )


def _read_roots(ca_file: str) -> bytes:
    try:
        pem = Path(ca_file).expanduser().read_bytes()
    except OSError as error:
        raise TrustError(
            f"The authority's file {Path(ca_file).name!r} cannot be read ({error.strerror}): "
            "check its path."
        ) from None
    if b"-----BEGIN CERTIFICATE-----" not in pem:
        raise TrustError(
            f"The authority's file {Path(ca_file).name!r} holds no certificate in PEM form: "
            "it begins with -----BEGIN CERTIFICATE-----."
        )
    return pem


def _by_authority(
    profile: ServerProfile, roots: bytes | None, words: str, trust: Trust, known: KnownServers
) -> Connection:
    credentials = grpc.ssl_channel_credentials(roots)
    options = (*_OPTIONS, ("grpc.default_authority", profile.certificate_name or profile.address))
    target = _target(profile)
    channel = grpc.secure_channel(target, credentials, options=options)
    return Connection(channel, f"TLS, certificate {words}", trust, known, target)


def _plain(target: str, known: KnownServers) -> Connection:
    channel = grpc.insecure_channel(target, options=_OPTIONS)
    return Connection(channel, "plain text", "none", known, target)


def _target(profile: ServerProfile) -> str:
    with reach.connect(profile) as connection:
        return reach.target(connection)


def _pinned(leaf: tls.Leaf, security: tuple[str, Trust], known: KnownServers) -> Connection:
    # gRPC ignores the stock certificate's wildcard name, so the name it checks is set
    # to one the certificate has; the pinned leaf is what decides.
    options = (*_OPTIONS, ("grpc.ssl_target_name_override", leaf.name))
    credentials = grpc.ssl_channel_credentials(root_certificates=leaf.pem.encode())
    channel = grpc.secure_channel(leaf.target, credentials, options=options)
    return Connection(channel, *security, known, leaf.target)


def explain(error: grpc.RpcError, profile: ServerProfile) -> DrawThingsError:
    """The error of ours for a failed call: the one table of gRPC statuses."""
    code = error.code() if isinstance(error, grpc.Call) else grpc.StatusCode.UNKNOWN
    whole = (error.details() if isinstance(error, grpc.Call) else None) or ""
    details = said(whole)
    at = f"The server at {profile.address}"
    status = grpc.StatusCode
    if code is status.CANCELLED:
        return Cancelled(f"{at} ended the call: it was cancelled.")
    if code is status.UNAVAILABLE:
        with _lock:
            connection = _connections.get(_key(profile))
        forget(profile)
        return _unavailable(profile, whole, connection)
    if code is status.DEADLINE_EXCEEDED:
        forget(profile)  # the connection may be dead and nobody have noticed
        return NoAnswer(
            f"{at} did not answer in time: it may be busy with another picture; try again."
        )
    if code is status.INVALID_ARGUMENT:
        return RequestError(f"{at} refused the request: {details}")
    if code in {status.UNAUTHENTICATED, status.PERMISSION_DENIED}:
        return SecretRejected(
            f"{at} refused us ({details or code.name}): check the shared secret in DT Server."
        )
    if code is status.RESOURCE_EXHAUSTED and any(words in whole for words in _TOO_LONG_ANSWER):
        return ProtocolError(
            f"{at} sent far more than an answer can hold: see what answers at that address."
        )
    if code is status.RESOURCE_EXHAUSTED:
        return GenerationFailed(
            f"{at} or this client refused a message as too large ({details}): use smaller pictures."
        )
    if code is status.UNIMPLEMENTED:
        return ProtocolError(
            f"{at} is not a Draw Things server, or an old one ({details}): update it."
        )
    if code is status.INTERNAL and "deserializing response" in details:
        return unreadable(profile)
    if code is status.INTERNAL and "RST_STREAM" in details:
        return _broken(profile)
    if code is status.INTERNAL:
        return GenerationFailed(
            f"{at} failed ({details or 'internal error'}): a wrong shared secret, a failed "
            "download and a failed bridge all look like this; its log knows more."
        )
    return GenerationFailed(
        f"{at} failed ({code.name}{f': {details}' if details else ''}): look at its log, and "
        "generate again."
    )


# Which side found it too large, newer gRPC says; the limit tells it with older ones.
_TOO_LONG_ANSWER = ("CLIENT: Received message larger", f" vs. {MAX_ANSWER_BYTES})")
# Of certificates; the last one is what older gRPC says.
_NOT_TRUSTED = ("CERTIFICATE_VERIFY_FAILED", "Hostname Verification", "is not in peer certificate")

# What gRPC says of connections, in lower case.
_SILENT = ("keepalive", "ping timeout", "timed out")
_BROKEN = ("socket closed", "reset", "goaway", "broken pipe", "stream removed")
_NOT_THERE = ("failed to connect", "connection refused", "dns", "name resolution", "no route")


def unreadable(profile: ServerProfile) -> ProtocolError:
    """What it means that a message is no message of the protocol."""
    return ProtocolError(
        f"The server at {profile.address} sent a message that cannot be read: it is of another "
        "version, or something in between damages what passes. Generate again; if that does not "
        "help, update the server."
    )


def _broken(profile: ServerProfile) -> ServerUnreachable:
    why = "the server may have crashed, restarted or gone to sleep"
    if profile.tls is TlsMode.PLAIN:
        why += ", or it wants TLS while plain text is chosen in DT Server"
    return ServerUnreachable(
        f"The connection to {profile.address} broke: {why}. See that it runs, and generate again."
    )


def _unavailable(
    profile: ServerProfile, whole: str, connection: Connection | None
) -> DrawThingsError:
    details, lower = said(whole), whole.lower()
    if "WRONG_VERSION_NUMBER" in whole:
        return TlsMismatch(
            f"The server at {profile.address} does not speak TLS: choose "
            '"plain text" or "automatic" in DT Server.'
        )
    if any(words in whole for words in _NOT_TRUSTED):
        return _untrusted(profile, connection)
    never_there = "failed to connect" in lower  # of which a server that wants TLS is one kind
    silent = any(words in lower for words in _SILENT) and not never_there
    if any(words in lower for words in _BROKEN) and not silent:
        return _broken(profile)
    if any(words in lower for words in _NOT_THERE):
        return ServerUnreachable(
            f"No Draw Things server at {profile.address}: start the server (in the app: Settings, "
            "API Server, gRPC), and check address, port and firewall."
        )
    if silent:
        return ServerUnreachable(
            f"The server at {profile.address} answers no more: it is asleep or off, or the network "
            "in between is gone. Wake it, and generate again."
        )
    return ServerUnreachable(
        f"The Draw Things server at {profile.address} cannot take calls now "
        f"({details or 'unavailable'}): see that it runs, also behind a proxy, and try again."
    )


def _untrusted(profile: ServerProfile, connection: Connection | None) -> DrawThingsError:
    if profile.tls is TlsMode.SYSTEM:
        return TrustError(
            f"The certificate of {profile.address} is not trusted by this system's "
            'authorities: choose "TLS" in DT Server, for the stock certificate or a pinned one.'
        )
    if profile.tls is TlsMode.AUTHORITY:
        return TrustError(
            f"The certificate of {profile.address} is not signed by the authority in "
            f"{Path(profile.ca_file).name!r} or is for another name: check the file and the "
            "address."
        )
    # It was judged when the channel was made, so it is another one by now.
    try:
        _open(profile, connection.known if connection else KnownServers()).channel.close()
    except DrawThingsError as error:
        return error
    return ServerUnreachable(
        f"The server at {profile.address} changed its certificate in between: try again."
    )
