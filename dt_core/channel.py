"""One gRPC channel per server: how it is secured, its options, and what its failures mean.

Channels are synchronous on purpose: ComfyUI runs every prompt in a new event loop, and
an asyncio channel dies with its loop. docs/protocol.md 5.8 has the limits.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import Any, Literal

import grpc

from . import tls
from .errors import (
    Cancelled,
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
from .profile import ServerProfile, TlsMode

MAX_MESSAGE_BYTES = 1 << 30  # what the server itself accepts

_OPTIONS: tuple[tuple[str, Any], ...] = (
    ("grpc.max_receive_message_length", MAX_MESSAGE_BYTES),
    ("grpc.max_send_message_length", MAX_MESSAGE_BYTES),
    ("grpc.enable_http_proxy", 0),  # the server is on this machine or in the house
    ("grpc.enable_retries", 0),  # a generation is never sent twice on its own
    ("grpc.use_local_subchannel_pool", 1),  # share no connection with other packs
)


# What proves who the server is: nothing, the public stock certificate (hence nothing), a
# pinned one, an own one on this very machine, a system authority.
Trust = Literal["none", "stock", "pinned", "own", "system"]


@dataclass(frozen=True, slots=True)
class Connection:
    """An open channel and how it is secured: `security` in words, `trust` for programs."""

    channel: grpc.Channel
    security: str
    trust: Trust

    @property
    def encrypted(self) -> bool:
        return self.trust != "none"


_connections: dict[tuple[str, TlsMode, str], Connection] = {}
_lock = threading.Lock()


def connect(profile: ServerProfile, *, has_secret: bool = False) -> Connection:
    """The one open connection to that server; made on first use. Blocks up to some seconds.

    Raises ServerUnreachable, or TrustError where the certificate is not trusted or a
    secret would travel in plain text without having been allowed to.
    """
    key = (profile.address, profile.tls, profile.fingerprint)
    with _lock:
        connection = _connections.get(key)
    if connection is None:
        made = _open(profile)
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
    """Close the connection to that server, so that the next call looks at it anew."""
    with _lock:
        connection = _connections.pop((profile.address, profile.tls, profile.fingerprint), None)
    if connection is not None:
        connection.channel.close()


def close_all() -> None:
    """Close every connection of this process."""
    with _lock:
        connections = list(_connections.values())
        _connections.clear()
    for connection in connections:
        connection.channel.close()


def _open(profile: ServerProfile) -> Connection:
    if profile.tls is TlsMode.PLAIN:
        return _plain(profile)
    if profile.tls is TlsMode.SYSTEM:
        credentials = grpc.ssl_channel_credentials()
        channel = grpc.secure_channel(profile.address, credentials, options=_OPTIONS)
        return Connection(channel, "TLS, certificate of a system authority", "system")
    try:
        leaf = tls.fetch_leaf(profile)
    except tls.NotTls:
        if profile.tls is TlsMode.AUTOMATIC and not profile.fingerprint:
            return _plain(profile)
        raise TlsMismatch(
            f"The server at {profile.address} does not speak TLS: choose "
            '"plain text" in DT Server, or start the server without --no-tls.'
        ) from None
    return _pinned(profile, leaf, _judge(profile, leaf))


def _judge(profile: ServerProfile, leaf: tls.Leaf) -> tuple[str, Trust]:
    """Why the leaf is trusted; TrustError if it is not."""
    if profile.fingerprint:
        if leaf.fingerprint == profile.fingerprint:
            return "TLS, pinned certificate", "pinned"
        raise TrustError(
            f"The certificate of {profile.address} is not the pinned one: pinned is "
            f"{profile.fingerprint}, presented is {leaf.fingerprint}. If you changed it "
            "yourself, put the new fingerprint into DT Server; otherwise somebody may be "
            "listening."
        )
    if leaf.fingerprint == tls.STOCK_FINGERPRINT:
        return "TLS, public stock certificate", "stock"
    if profile.is_loopback:
        return "TLS, self-made certificate on this machine", "own"
    raise TrustError(
        f"The server at {profile.address} presents its own certificate, SHA-256 "
        f"{leaf.fingerprint}. If that is your server's, put this into the fingerprint field "
        'of DT Server; for a certificate of a public authority choose "TLS, system '
        'certificates".'
    )


def _plain(profile: ServerProfile) -> Connection:
    channel = grpc.insecure_channel(profile.address, options=_OPTIONS)
    return Connection(channel, "plain text", "none")


def _pinned(profile: ServerProfile, leaf: tls.Leaf, security: tuple[str, Trust]) -> Connection:
    # gRPC ignores the stock certificate's wildcard name, so the name it checks is set
    # to one the certificate has; the pinned leaf is what decides.
    options = (*_OPTIONS, ("grpc.ssl_target_name_override", leaf.name))
    credentials = grpc.ssl_channel_credentials(root_certificates=leaf.pem.encode())
    channel = grpc.secure_channel(profile.address, credentials, options=options)
    return Connection(channel, *security)


def explain(error: grpc.RpcError, profile: ServerProfile) -> DrawThingsError:
    """The error of ours for a failed call: the one table of gRPC statuses."""
    code = error.code() if isinstance(error, grpc.Call) else grpc.StatusCode.UNKNOWN
    details = ((error.details() if isinstance(error, grpc.Call) else None) or "").strip()
    at = f"The server at {profile.address}"
    status = grpc.StatusCode
    if code is status.CANCELLED:
        return Cancelled("The generation was cancelled.")
    if code is status.UNAVAILABLE:
        forget(profile)
        return _unavailable(profile, details)
    if code is status.DEADLINE_EXCEEDED:
        return NoAnswer(
            f"{at} did not answer in time: it may be busy with another picture; try again."
        )
    if code is status.INVALID_ARGUMENT:
        return RequestError(f"{at} refused the request: {details}")
    if code in {status.UNAUTHENTICATED, status.PERMISSION_DENIED}:
        return SecretRejected(f"{at} refused us: {details or 'check the shared secret'}.")
    if code is status.RESOURCE_EXHAUSTED:
        return GenerationFailed(
            f"{at} or this client refused a message as too large ({details}): use smaller pictures."
        )
    if code is status.UNIMPLEMENTED:
        return ProtocolError(
            f"{at} is not a Draw Things server, or an old one ({details}): update it."
        )
    if code is status.INTERNAL:
        return GenerationFailed(
            f"{at} failed ({details or 'internal error'}): a wrong shared secret, a failed "
            "download and a failed bridge all look like this; its log knows more."
        )
    return GenerationFailed(f"{at} failed: {code.name} {details}".rstrip() + ".")


def _unavailable(profile: ServerProfile, details: str) -> DrawThingsError:
    if "WRONG_VERSION_NUMBER" in details:
        return TlsMismatch(
            f"The server at {profile.address} does not speak TLS: choose "
            '"plain text" or "automatic" in DT Server.'
        )
    if "CERTIFICATE_VERIFY_FAILED" in details or "Hostname Verification" in details:
        return TrustError(
            f"The certificate of {profile.address} is not trusted by this system's "
            'authorities: choose "TLS" in DT Server, for the stock certificate or a pinned one.'
        )
    if "Socket closed" in details or "reset" in details.lower():
        return ServerUnreachable(
            f"The connection to {profile.address} broke: the server may have crashed or "
            "restarted, or it wants TLS while plain text is chosen in DT Server."
        )
    return ServerUnreachable(
        f"No Draw Things server at {profile.address}: start the server (in the app: Settings, "
        "API Server, gRPC), and check address, port and firewall."
    )
