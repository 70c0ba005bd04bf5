"""One gRPC channel per server: how it is secured, and its options.

Channels are synchronous on purpose: ComfyUI runs every prompt in a new event loop, and
an asyncio channel dies with its loop. docs/protocol.md 5.8 has the limits.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from .. import files
from ..errors import (
    CertificateChanged,
    DrawThingsError,
    Remedy,
    TlsMismatch,
    TrustError,
)
from ..text import Template, Text
from . import addresses, failures, greeting, tls
from . import late_grpc as grpc
from .failures import MAX_ANSWER_BYTES
from .known_servers import KnownServers
from .profile import ServerProfile, TlsMode

_READABLE = Template(
    "secret_would_be_readable",
    "The server at {address} does not use TLS, so the shared secret would travel readable.",
)
_SPOKE_TLS = Template(
    "spoke_tls_before", "The server at {address} spoke TLS before and now does not."
)
_NOT_PINNED = Template(
    "certificate_not_pinned",
    "The certificate of {address} is not the pinned one: pinned is {expected}, presented is "
    "{presented}.",
)
_NOT_REMEMBERED = Template(
    "certificate_not_remembered",
    "The certificate of {address} is not the remembered one: remembered is {expected}, "
    "presented is {presented}.",
)
_NOT_ACCEPTED = Template(
    "certificate_not_accepted",
    "The certificate of {address} is not the accepted one: accepted is {expected}, presented "
    "is {presented}.",
)
_NO_FILE = Template(
    "authority_file_unreadable", "The authority's file '{file}' cannot be read ({reason})."
)
_NO_PEM = Template(
    "authority_file_without_certificate",
    "The authority's file '{file}' holds no certificate in PEM form: it begins with "
    "-----BEGIN CERTIFICATE-----.",
)

ROOTS_LIMIT = 1 << 20  # bytes; all authorities of a system have a quarter of it
MAX_MESSAGE_BYTES = 1 << 30  # what the server itself accepts
_OF_QUESTIONS = {
    "name": [
        {"service": "ImageGenerationService", "method": method}
        for method in ("Echo", "FilesExist", "UploadFile", "Pubkey", "Hours")
    ],
    "maxResponseMessageBytes": MAX_ANSWER_BYTES,
}

# What one message of an answer may have without being asked for: more than any piece of a
# picture (docs/protocol.md 5.4). gRPC keeps a whole message twice before we see it.
ANSWER_BYTES = 24 << 20
_ANSWER_STEP_BYTES = 32 << 20

# A ping after so long without data, and how long its answer may take: a dead peer is noticed
# within both together. The stock server answers pings of any pace while a call is running
# (docs/protocol.md 5.8).
KEEPALIVE_S = 45
PING_ANSWER_S = 70
# While it hashes a large file its one network thread answers nothing, pings neither.
PATIENT_KEEPALIVE_S = 330
PATIENT_PING_ANSWER_S = 120


def _options(answer_bytes: int, patient: bool) -> tuple[tuple[str, Any], ...]:
    keepalive_s = PATIENT_KEEPALIVE_S if patient else KEEPALIVE_S
    answer_s = PATIENT_PING_ANSWER_S if patient else PING_ANSWER_S
    return (
        ("grpc.max_receive_message_length", answer_bytes),
        ("grpc.max_send_message_length", MAX_MESSAGE_BYTES),
        ("grpc.enable_http_proxy", 0),  # the server is on this machine or in the house
        ("grpc.enable_retries", 0),  # a generation is never sent twice on its own
        ("grpc.use_local_subchannel_pool", 1),  # share no connection with other packs
        ("grpc.keepalive_time_ms", round(keepalive_s * 1000)),
        ("grpc.keepalive_timeout_ms", round(answer_s * 1000)),
        ("grpc.http2.ping_timeout_ms", round(answer_s * 1000)),  # newer gRPC goes by this one
        ("grpc.http2.max_pings_without_data", 0),  # a queued generation sends nothing for hours
        ("grpc.service_config", json.dumps({"methodConfig": [_OF_QUESTIONS]})),
    )


# What proves who the server is: nothing, the public stock certificate (hence nothing), a
# pinned one, one that is the same since it was first seen, an authority of the system, or
# one of the user's.
Trust = Literal["none", "stock", "pinned", "own", "system", "authority"]


@dataclass(frozen=True, slots=True, eq=False)
class Connection:
    """An open channel and how it is secured: `security` in words, `trust` for programs.

    `first` is the SHA-256 of a certificate that nobody knew; it is remembered once the
    server is believed.
    """

    channel: grpc.Channel
    security: str
    trust: Trust
    target: str
    first: str
    _make: Callable[[int, bool], grpc.Channel]
    _others: dict[tuple[int, bool], grpc.Channel] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def encrypted(self) -> bool:
        return self.trust != "none"

    def for_answers(self, most_bytes: int) -> grpc.Channel:
        """A channel that takes messages of so many bytes and not far more."""
        if most_bytes <= ANSWER_BYTES:
            return self.channel
        steps = -(-most_bytes // _ANSWER_STEP_BYTES)
        return self._other(min(steps * _ANSWER_STEP_BYTES, MAX_MESSAGE_BYTES), patient=False)

    def patient(self) -> grpc.Channel:
        """A channel for calls in which the server may hash a large file."""
        return self._other(ANSWER_BYTES, patient=True)

    def close(self) -> None:
        for channel in (self.channel, *self._others.values()):
            channel.close()

    def _other(self, answer_bytes: int, *, patient: bool) -> grpc.Channel:
        with self._lock:
            key = answer_bytes, patient
            if key not in self._others:
                self._others[key] = self._make(answer_bytes, patient)
            return self._others[key]


class Link:
    """The one connection of its owner to one server: made on first use, and anew when it broke.

    `known` remembers the certificates of servers; by default the file of this user.
    """

    def __init__(self, profile: ServerProfile, known: KnownServers | None = None) -> None:
        self._profile = profile
        self._known = known
        self._open: Connection | None = None
        self._lock = threading.Lock()

    def connect(self, *, has_secret: bool = False) -> Connection:
        """The open connection. Blocks up to some seconds where there is none.

        Raises ServerUnreachable, or TrustError where the certificate is not trusted or a
        secret would travel in plain text without having been allowed to.
        """
        with self._lock:
            connection = self._open
        if connection is None:
            made = _open(self._profile, self._remembered())
            with self._lock:
                connection = self._open = self._open or made
            if connection is not made:
                made.close()
        profile = self._profile
        exposed = has_secret and not connection.encrypted and not profile.is_loopback
        if exposed and profile.tls is TlsMode.AUTOMATIC:
            raise TrustError(_READABLE(address=profile.address), remedy=Remedy.CHOOSE_PLAIN_TEXT)
        return connection

    def forget(self) -> None:
        """Look at the server anew at the next call. Calls that run now go on undisturbed."""
        with self._lock:
            # Not closed: other calls may be using it, and it goes away with the last of them.
            self._open = None

    def close(self) -> None:
        """End the connection and the calls on it; the next call makes another one."""
        with self._lock:
            connection, self._open = self._open, None
        if connection is not None:
            connection.close()

    def accept(self, fingerprint: str) -> None:
        """Trust from now on the certificate of that SHA-256, if the server presents it.

        Raises ServerUnreachable, TlsMismatch, or CertificateChanged where the server presents
        another one by now.
        """
        try:
            leaf = tls.fetch_leaf(self._profile)
        except tls.NotTls:
            raise failures.not_tls(self._profile) from None
        if leaf.fingerprint != fingerprint:
            raise _changed(self._profile, fingerprint, leaf.fingerprint, "accepted")
        self._remembered().remember(self._profile.trust_name, fingerprint)
        self.forget()

    def believe(self) -> None:
        """The server answered as one of ours does: from now on its name has that certificate.

        Raises CertificateChanged where another process has met another one meanwhile.
        """
        with self._lock:
            connection = self._open
        if connection is None or not connection.first:
            return
        counts = self._remembered().believe(self._profile.trust_name, connection.first)
        if counts != connection.first:
            self.forget()
            raise _changed(self._profile, counts, connection.first, "remembered")

    def doubt(self, connection: Connection | None = None) -> None:
        """It did not, at a first meeting: nothing is remembered of it."""
        with self._lock:
            doubted = connection or self._open
            if doubted is None or not doubted.first:
                return
            if self._open is doubted:
                self._open = None
        self._remembered().part(self._profile.trust_name, doubted.first)

    def explain(
        self, error: grpc.RpcError, known: failures.Known = failures.NOTHING
    ) -> DrawThingsError:
        """The error of ours for a failed call, of which so much is known beside.

        A server that did not answer is looked at anew.
        """
        if failures.is_unavailable(error):
            self.forget()
            if failures.is_untrusted(error) or failures.is_no_handshake(error):
                why = self._why_untrusted()
                if why is not None:
                    return why
        return failures.explain(error, self._profile, known)

    def _why_untrusted(self) -> DrawThingsError | None:
        """Look at the server's certificate again, for gRPC does not tell what is wrong with it."""
        profile = self._profile
        try:
            if profile.tls in {TlsMode.SYSTEM, TlsMode.AUTHORITY}:
                roots = _read_roots(profile.ca_file) if profile.tls is TlsMode.AUTHORITY else None
                tls.verify(profile, roots)
            elif profile.tls is not TlsMode.PLAIN:
                # It was judged when the channel was made, so it is another one by now.
                made = _open(profile, self._remembered())
                made.close()
                self.doubt(made)
        except tls.NotTls:
            return failures.not_tls(profile)
        except DrawThingsError as why:
            return why
        return None

    def _remembered(self) -> KnownServers:
        return self._known or KnownServers()


def _open(profile: ServerProfile, known: KnownServers) -> Connection:
    if profile.tls is TlsMode.PLAIN:
        return _plain(greeting.speaks(profile))
    if profile.tls is TlsMode.SYSTEM:
        return _by_authority(profile, None, "of a system authority", "system")
    if profile.tls is TlsMode.AUTHORITY:
        roots = _read_roots(profile.ca_file)
        return _by_authority(profile, roots, "of the own authority", "authority")
    try:
        leaf = tls.fetch_leaf(profile)
    except tls.NotTls as answer:
        if profile.tls is not TlsMode.AUTOMATIC or profile.fingerprint:
            raise failures.not_tls(profile) from None
        if known.is_met(profile.trust_name):
            raise TlsMismatch(
                _SPOKE_TLS(address=profile.address), remedy=Remedy.SAY_WHY_PLAIN_TEXT
            ) from None
        return _plain(answer.target)
    security, trust, first = _judge(profile, leaf, known)
    return _pinned(leaf, (security, trust), leaf.fingerprint if first else "")


def _judge(profile: ServerProfile, leaf: tls.Leaf, known: KnownServers) -> tuple[str, Trust, bool]:
    """Why the leaf is trusted, and whether it is a first one; CertificateChanged if it is not."""
    if profile.fingerprint:
        if leaf.fingerprint == profile.fingerprint:
            return "TLS, pinned certificate", "pinned", False
        raise _changed(profile, profile.fingerprint, leaf.fingerprint, "pinned")
    if profile.is_loopback and leaf.fingerprint == tls.simulator_fingerprint():
        return "TLS, this user's simulator", "own", False
    before = known.meet(profile.trust_name, leaf.fingerprint)
    if before not in {None, leaf.fingerprint}:
        raise _changed(profile, str(before), leaf.fingerprint, "remembered")
    if leaf.fingerprint == tls.STOCK_FINGERPRINT:
        return "TLS, public stock certificate", "stock", before is None
    seen = "seen for the first time" if before is None else "the same as before"
    return f"TLS, own certificate, {seen}", "own", before is None


def _changed(
    profile: ServerProfile, expected: str, presented: str, kind: str
) -> CertificateChanged:
    return CertificateChanged(
        _other_than(kind, profile.address, expected, presented),
        expected,
        presented,
        remedy=Remedy.PIN_CERTIFICATE if kind == "pinned" else Remedy.ACCEPT_CERTIFICATE,
    )


def _other_than(kind: str, address: str, expected: str, presented: str) -> Text:
    if kind == "pinned":
        return _NOT_PINNED(address=address, expected=expected, presented=presented)
    if kind == "accepted":
        return _NOT_ACCEPTED(address=address, expected=expected, presented=presented)
    return _NOT_REMEMBERED(address=address, expected=expected, presented=presented)


def _read_roots(ca_file: str) -> bytes:
    """The certificates of an authority's file: a regular one of some certificates, no device."""
    name = Path(ca_file).name
    try:
        pem = files.peek(Path(ca_file).expanduser(), ROOTS_LIMIT)
    except (OSError, RuntimeError, ValueError) as error:  # "~nobody", and NUL in a path
        reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
        raise TrustError(_NO_FILE(file=name, reason=reason), remedy=Remedy.CHECK_PATH) from None
    if b"-----BEGIN CERTIFICATE-----" not in pem:
        raise TrustError(_NO_PEM(file=name))
    return pem


def _by_authority(
    profile: ServerProfile, roots: bytes | None, words: str, trust: Trust
) -> Connection:
    credentials = grpc.ssl_channel_credentials(roots)
    name = "grpc.default_authority", profile.certificate_name or profile.address
    target = _target(profile)

    def make(answer_bytes: int, patient: bool) -> grpc.Channel:
        return grpc.secure_channel(target, credentials, (*_options(answer_bytes, patient), name))

    return _connection(make, f"TLS, certificate {words}", trust, target)


def _plain(target: str) -> Connection:
    def make(answer_bytes: int, patient: bool) -> grpc.Channel:
        return grpc.insecure_channel(target, _options(answer_bytes, patient))

    return _connection(make, "plain text", "none", target)


def _connection(
    make: Callable[[int, bool], grpc.Channel],
    security: str,
    trust: Trust,
    target: str,
    first: str = "",
) -> Connection:
    return Connection(make(ANSWER_BYTES, False), security, trust, target, first, make)


def _target(profile: ServerProfile) -> str:
    with addresses.connect(profile) as connection:
        return addresses.target(connection)


def _pinned(leaf: tls.Leaf, security: tuple[str, Trust], first: str) -> Connection:
    # gRPC ignores the stock certificate's wildcard name, so the name it checks is set
    # to one the certificate has; the pinned leaf is what decides.
    name = "grpc.ssl_target_name_override", leaf.name
    credentials = grpc.ssl_channel_credentials(root_certificates=leaf.pem.encode())

    def make(answer_bytes: int, patient: bool) -> grpc.Channel:
        options = (*_options(answer_bytes, patient), name)
        return grpc.secure_channel(leaf.target, credentials, options)

    return _connection(make, *security, leaf.target, first)
