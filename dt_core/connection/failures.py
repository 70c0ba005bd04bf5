"""What a failed call means: one table of gRPC statuses (docs/protocol.md 5.6)."""

from __future__ import annotations

from pathlib import Path

from ..errors import (
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
from ..text import Template, said
from . import late_grpc as grpc
from .profile import ServerProfile, TlsMode

MAX_ANSWER_BYTES = 16 << 20  # to a question; a catalogue of 10,000 entries has a tenth of it


_REQUEST_TOO_LARGE = Template(
    "request_too_large",
    "The request is too large for the server at {address} ({details}): use smaller pictures.",
)
_EXHAUSTED = Template(
    "server_exhausted",
    "The server at {address} has no room for more now ({details}): try again later, and look at "
    "its log.",
)


def is_unavailable(error: grpc.RpcError) -> bool:
    """Whether the connection may be dead: the next call should make a new one."""
    dead = {grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED}
    return isinstance(error, grpc.Call) and (error.code() in dead or _ended_whole(error))


def _ended_whole(error: grpc.Call) -> bool:
    """Whether the stream ended as if all were said, without a status: a proxy (HAProxy) does
    that where the server behind it dies."""
    details = (error.details() or "").lower()
    return error.code() is grpc.StatusCode.UNKNOWN and "stream removed" in details


def is_untrusted(error: grpc.RpcError) -> bool:
    """Whether the call failed because of the server's certificate."""
    details = (error.details() if isinstance(error, grpc.Call) else None) or ""
    return any(words in details for words in _NOT_TRUSTED)


def is_no_handshake(error: grpc.RpcError) -> bool:
    """Whether TLS did not come about, for whatever reason."""
    details = (error.details() if isinstance(error, grpc.Call) else None) or ""
    return any(words in details for words in _NO_HANDSHAKE)


def explain(error: grpc.RpcError, profile: ServerProfile) -> DrawThingsError:
    """The error of ours for a failed call: the one table of gRPC statuses.

    Where the server's certificate is not trusted any more, only the profile's own reason
    is told; `channel.explain` looks at the certificate again.
    """
    code = error.code() if isinstance(error, grpc.Call) else grpc.StatusCode.UNKNOWN
    whole = (error.details() if isinstance(error, grpc.Call) else None) or ""
    details = said(whole)
    at = f"The server at {profile.address}"
    status = grpc.StatusCode
    if code is status.CANCELLED:
        return Cancelled(f"{at} ended the call: it was cancelled.")
    if code is status.UNAVAILABLE:
        return _unavailable(profile, whole)
    if code is status.DEADLINE_EXCEEDED:
        return NoAnswer(
            f"{at} did not answer in time: it may be busy with another picture; try again."
        )
    if code is status.INVALID_ARGUMENT:
        return RequestError(f"{at} refused the request: {details}")
    if code in {status.UNAUTHENTICATED, status.PERMISSION_DENIED}:
        return SecretRejected(
            f"{at} refused us ({details or code.name}): check the shared secret in DT Server."
        )
    if isinstance(error, grpc.Call) and _ended_whole(error):
        return _broken(profile)
    if code is status.RESOURCE_EXHAUSTED and _TOO_LONG_ANSWER in whole:
        return ProtocolError(
            f"{at} sent far more than an answer can hold: see what answers at that address."
        )
    if code is status.RESOURCE_EXHAUSTED and any(words in whole for words in _TOO_LONG_REQUEST):
        return GenerationFailed(_REQUEST_TOO_LARGE(address=profile.address, details=details))
    if code is status.RESOURCE_EXHAUSTED:
        return GenerationFailed(
            _EXHAUSTED(address=profile.address, details=details or "RESOURCE_EXHAUSTED")
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


# Of the client's gRPC, which receives answers; servers use other words of requests.
_TOO_LONG_ANSWER = "Received message larger"
_TOO_LONG_REQUEST = ("Sent message larger", "exceeds limit", "length exceeds")
# Of certificates; the last one is what older gRPC says.
_NOT_TRUSTED = ("CERTIFICATE_VERIFY_FAILED", "Hostname Verification", "is not in peer certificate")
_NO_HANDSHAKE = ("andshake failed", "HANDSHAKE_FAILURE")

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


def _unavailable(profile: ServerProfile, whole: str) -> DrawThingsError:
    details, lower = said(whole), whole.lower()
    if "WRONG_VERSION_NUMBER" in whole:
        return TlsMismatch(
            f"The server at {profile.address} does not speak TLS: choose "
            '"plain text" or "automatic" in DT Server.'
        )
    if any(words in whole for words in _NOT_TRUSTED):
        return _untrusted(profile)
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


def _untrusted(profile: ServerProfile) -> DrawThingsError:
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
    return ServerUnreachable(
        f"The server at {profile.address} changed its certificate in between: try again."
    )
