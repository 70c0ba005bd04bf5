"""What a failed call means: one table of gRPC statuses (docs/protocol.md 5.6)."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ..errors import (
    Cancelled,
    DrawThingsError,
    GenerationFailed,
    NoAnswer,
    ProtocolError,
    Remedy,
    RequestError,
    SecretRejected,
    ServerUnreachable,
    TlsMismatch,
    TrustError,
)
from ..text import Template, said
from . import late_grpc as grpc
from . import tls
from .profile import ServerProfile, TlsMode

_ENDED = Template("call_ended_there", "The server at {address} ended the call: it was cancelled.")
_LATE = Template(
    "no_answer_in_time",
    "The server at {address} did not answer in time: it may be busy with another picture.",
)
_REFUSED = Template("request_refused_there", "The server at {address} refused the request: {words}")
_REFUSED_US = Template("server_refused_us", "The server at {address} refused us ({words}).")
_TOO_MUCH = Template(
    "answer_too_long", "The server at {address} sent far more than an answer can hold."
)
_TOO_LARGE = Template(
    "message_too_large",
    "The server at {address} or this client refused a message as too large ({words}).",
)
_EXHAUSTED = Template(
    "server_exhausted", "The server at {address} is at a limit of its own ({words})."
)
_NOT_OURS = Template(
    "no_draw_things_server",
    "The server at {address} is not a Draw Things server, or an old one ({words}).",
)
_FAILED = Template("server_failed", "The server at {address} failed ({words}).")
_ONE_OF_FOUR = Template(
    "server_failed_likely",
    "The server at {address} failed ({words}): most likely {likely}, but the same is said of "
    "{others}.",
)
_BAD_SECRET = Template("cause_secret", "the shared secret is wrong")
_OR_SECRET = Template("or_secret", "a wrong shared secret")
_BAD_DOWNLOAD = Template("cause_download", "it could not download a file that it lacks")
_OR_DOWNLOAD = Template("or_download", "a failed download")
_BAD_GENERATOR = Template(
    "cause_generator", "what generates there failed, itself or a server that it forwards to"
)
_OR_GENERATOR = Template("or_generator", "a failed bridge to another server")
_OR_REQUEST = Template("or_request", "a request that its version cannot read")
_UNREADABLE = Template(
    "message_unreadable",
    "The server at {address} sent a message that cannot be read: it is of another version, or "
    "something in between damages what passes.",
)
_BROKE = Template(
    "connection_broke",
    "The connection to {address} broke: the server may have crashed, restarted or gone to sleep.",
)
_BROKE_PLAIN = Template(
    "plain_connection_broke",
    "The connection to {address} broke: the server may have crashed, restarted or gone to sleep, "
    "or it wants TLS while plain text is chosen for it.",
)
_NO_TLS = Template("server_without_tls", "The server at {address} does not speak TLS.")
_NOBODY = Template("no_server", "No Draw Things server at {address}.")
_GONE = Template(
    "server_gone",
    "The server at {address} answers no more: it is asleep or off, or the network in between is "
    "gone.",
)
_NOT_NOW = Template(
    "no_calls_now", "The Draw Things server at {address} cannot take calls now ({words})."
)
_FOREIGN = Template(
    "certificate_of_another_authority_or_name",
    "The certificate of {address} is not signed by the authority in '{file}' or is for another "
    "name.",
)
_OTHER_NOW = Template(
    "certificate_changed_meanwhile",
    "The server at {address} changed its certificate in between.",
)

MAX_ANSWER_BYTES = 16 << 20  # to a question; a catalogue of 10,000 entries has a tenth of it


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of a call that failed, beside its status.

    `secret_is_right` is what Echo said of the same secret, None where it was not asked or did
    not answer. `downloads` says that the server was fetching a file or lacks the model;
    `pictures` that the call carried some.
    """

    secret_is_right: bool | None = None
    downloads: bool = False
    pictures: bool = False


NOTHING = Known()


def is_unavailable(error: grpc.RpcError) -> bool:
    """Whether the connection may be dead: the next call should make a new one."""
    dead = {grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED}
    code, details = status_of(error)
    return code in dead or _ended_whole(code, details)


def status_of(error: grpc.RpcError) -> tuple[grpc.StatusCode, str]:
    """The status of a failed call and what came with it; UNKNOWN and "" where there is none."""
    if not isinstance(error, grpc.Call):
        return grpc.StatusCode.UNKNOWN, ""
    return error.code(), error.details() or ""


def _ended_whole(code: grpc.StatusCode, details: str) -> bool:
    """Whether the stream ended as if all were said, without a status: a proxy (HAProxy) does
    that where the server behind it dies."""
    return code is grpc.StatusCode.UNKNOWN and "stream removed" in details.lower()


def is_untrusted(error: grpc.RpcError) -> bool:
    """Whether the call failed because of the server's certificate."""
    return any(words in status_of(error)[1] for words in _NOT_TRUSTED)


def is_no_handshake(error: grpc.RpcError) -> bool:
    """Whether TLS did not come about, for whatever reason."""
    return any(words in status_of(error)[1] for words in _NO_HANDSHAKE)


def explain(
    error: grpc.RpcError, profile: ServerProfile, known: Known = NOTHING
) -> DrawThingsError:
    """The error of ours for a failed call: the one table of gRPC statuses.

    Where the server's certificate is not trusted any more, only the profile's own reason
    is told; `channel.explain` looks at the certificate again.
    """
    code, whole = status_of(error)
    details, address = said(whole), profile.address
    words = details or code.name
    status = grpc.StatusCode
    if code is status.CANCELLED:
        return Cancelled(_ENDED(address=address))
    if code is status.UNAVAILABLE:
        return _unavailable(profile, whole)
    if code is status.DEADLINE_EXCEEDED:
        return NoAnswer(_LATE(address=address), remedy=Remedy.TRY_AGAIN)
    if code is status.INVALID_ARGUMENT:
        return RequestError(_REFUSED(address=address, words=words))
    if code in {status.UNAUTHENTICATED, status.PERMISSION_DENIED}:
        return SecretRejected(_REFUSED_US(address=address, words=words), remedy=Remedy.GIVE_SECRET)
    if _ended_whole(code, whole):
        return _broken(profile)
    if code is status.RESOURCE_EXHAUSTED:
        return _exhausted(address, whole, known)
    if code is status.UNIMPLEMENTED:
        return ProtocolError(_NOT_OURS(address=address, words=words), remedy=Remedy.UPDATE_SERVER)
    if code is status.INTERNAL and "deserializing response" in details:
        return unreadable(profile)
    if code is status.INTERNAL and "RST_STREAM" in details:
        return _broken(profile)
    if code is status.INTERNAL and _ONE_TEXT in details:
        return _one_of_four(address, words, known)
    if details and code is not status.INTERNAL:
        words = f"{code.name}: {details}"
    return GenerationFailed(_FAILED(address=address, words=words), remedy=Remedy.READ_LOG)


# What the server says of every error that its code throws (docs/protocol.md 5.6).
_ONE_TEXT = "unknown error processing request"
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
    return ProtocolError(_UNREADABLE(address=profile.address), remedy=Remedy.GENERATE_OR_UPDATE)


def not_tls(profile: ServerProfile) -> TlsMismatch:
    """What it means that a server answers in plain text where TLS was chosen."""
    return TlsMismatch(_NO_TLS(address=profile.address), remedy=Remedy.CHOOSE_PLAIN_TEXT)


def _exhausted(address: str, whole: str, known: Known) -> DrawThingsError:
    if _TOO_LONG_ANSWER in whole:
        return ProtocolError(_TOO_MUCH(address=address), remedy=Remedy.SEE_WHO_ANSWERS)
    words = said(whole) or grpc.StatusCode.RESOURCE_EXHAUSTED.name
    if not any(limit in whole for limit in _TOO_LONG_REQUEST):
        return GenerationFailed(_EXHAUSTED(address=address, words=words), remedy=Remedy.READ_LOG)
    remedy = Remedy.SMALLER_PICTURES if known.pictures else Remedy.READ_LOG_FIRST
    return GenerationFailed(_TOO_LARGE(address=address, words=words), remedy=remedy)


def _one_of_four(address: str, words: str, known: Known) -> GenerationFailed:
    """The likely one first, then what else has that text. A secret that Echo took is none."""
    if known.downloads:
        likely, remedy = _BAD_DOWNLOAD(), Remedy.LET_IT_DOWNLOAD
        others = [_OR_GENERATOR(), _OR_REQUEST()]
    elif known.secret_is_right:
        likely, remedy = _BAD_GENERATOR(), Remedy.READ_LOG
        others = [_OR_DOWNLOAD(), _OR_REQUEST()]
    else:
        likely, remedy = _BAD_SECRET(), Remedy.GIVE_SECRET
        others = [_OR_DOWNLOAD(), _OR_GENERATOR(), _OR_REQUEST()]
    if known.downloads and known.secret_is_right is None:
        others = [_OR_SECRET(), *others]
    return GenerationFailed(
        _ONE_OF_FOUR(address=address, words=words, likely=likely, others=others), remedy=remedy
    )


def _broken(profile: ServerProfile) -> ServerUnreachable:
    at = profile.address
    return ServerUnreachable(
        _BROKE_PLAIN(address=at) if profile.tls is TlsMode.PLAIN else _BROKE(address=at),
        remedy=Remedy.SEE_THAT_IT_RUNS,
    )


def _unavailable(profile: ServerProfile, whole: str) -> DrawThingsError:
    lower, address = whole.lower(), profile.address
    if "WRONG_VERSION_NUMBER" in whole:
        return not_tls(profile)
    if any(words in whole for words in _NOT_TRUSTED):
        return _untrusted(profile)
    never_there = "failed to connect" in lower  # of which a server that wants TLS is one kind
    silent = any(words in lower for words in _SILENT) and not never_there
    if any(words in lower for words in _BROKEN) and not silent:
        return _broken(profile)
    if any(words in lower for words in _NOT_THERE):
        return ServerUnreachable(_NOBODY(address=address), remedy=Remedy.START_SERVER)
    if silent:
        return ServerUnreachable(_GONE(address=address), remedy=Remedy.WAKE_SERVER)
    words = said(whole) or grpc.StatusCode.UNAVAILABLE.name
    return ServerUnreachable(_NOT_NOW(address=address, words=words), remedy=Remedy.SEE_ITS_PROXY)


def _untrusted(profile: ServerProfile) -> DrawThingsError:
    address = profile.address
    if profile.tls is TlsMode.SYSTEM:
        return tls.not_of_the_system(profile)
    if profile.tls is TlsMode.AUTHORITY:
        file = Path(profile.ca_file).name
        return TrustError(_FOREIGN(address=address, file=file), remedy=Remedy.CHECK_CERTIFICATE)
    return ServerUnreachable(_OTHER_NOW(address=address), remedy=Remedy.TRY_AGAIN)
