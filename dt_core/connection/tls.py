"""Which certificate a server presents, and what gRPC needs to trust exactly that one.

docs/protocol.md 8. gRPC can only be given roots to trust, so the leaf is fetched first
(unverified), judged by its fingerprint, and then given to gRPC as the one root. The
stock certificate's private key is public: trusting it hides traffic from listeners and
proves nothing about the server.
"""

from __future__ import annotations

import hashlib
import ssl
from dataclasses import dataclass
from pathlib import Path

from .. import folders
from ..errors import NoAnswer, Remedy, TrustError
from ..text import Template, verbatim
from . import addresses
from .greeting import SAYS_NOTHING
from .profile import ServerProfile, TlsMode

# SHA-256 of the leaf that every stock Draw Things server presents (docs/protocol.md 8.1).
STOCK_FINGERPRINT = "05604712afa50dd8123c8692591f01b138b159e39508fe0a2938104abe760338"


_NO_CERTIFICATE = Template("no_certificate", "The server at {address} presented no certificate.")
_NO_NAME = Template("certificate_without_name", "The certificate of {address} names no host.")
_EXPIRED = Template("certificate_expired", "The certificate of {address} has expired.")
_TOO_EARLY = Template("certificate_not_yet_valid", "The certificate of {address} is not valid yet.")
_KEY = Template(
    "certificate_key_unsupported",
    "The certificate of {address} has a key of a kind that gRPC does not know ({kind}).",
)
_FOR_ANOTHER = Template(
    "certificate_for_another_name", "The certificate of {address} is for another name."
)
_FOREIGN = Template(
    "certificate_of_nobody_known",
    "The certificate of {address} is not trusted by this system's authorities.",
)
_FOREIGN_HERE = Template(
    "certificate_of_another_authority",
    "The certificate of {address} is not signed by the authority in '{file}'.",
)
_UNUSABLE = Template("certificate_unusable", "The certificate of {address} cannot be used: {why}.")

# What OpenSSL calls them (x509_vfy.h).
_NOT_YET_VALID, _HAS_EXPIRED, _HOST_MISMATCH, _IP_MISMATCH = 9, 10, 62, 64
# Object identifiers within a certificate's key, in DER. gRPC's own TLS knows the first three
# kinds alone, unlike Python's (measured with gRPC 1.84).
_KNOWN_KEYS = (
    bytes.fromhex("06092a864886f70d010101"),  # RSA
    bytes.fromhex("06082a8648ce3d030107"),  # ECDSA P-256
    bytes.fromhex("06052b81040022"),  # ECDSA P-384
)
_OTHER_KEYS = {
    "Ed25519": bytes.fromhex("06032b6570"),
    "Ed448": bytes.fromhex("06032b6571"),
    "ECDSA P-521": bytes.fromhex("06052b81040023"),
}


class NotTls(Exception):
    """The server at `target` answers, but not with TLS."""

    def __init__(self, target: str) -> None:
        super().__init__(target)
        self.target = target


@dataclass(frozen=True, slots=True)
class Leaf:
    """The certificate that a server presents: PEM text, SHA-256, and a name gRPC accepts.

    `target` is where it was shown.
    """

    pem: str
    fingerprint: str
    name: str
    target: str


def fetch_leaf(profile: ServerProfile) -> Leaf:
    """Ask the server for its certificate, without judging it.

    Raises ServerUnreachable, NoAnswer (it takes connections but says nothing), NotTls (the
    server speaks plain text), or TrustError if the certificate cannot be used at all
    (expired, no usable name).
    """
    context = _context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    with _handshake(profile, context) as connection:
        der = connection.getpeercert(binary_form=True)
        target = addresses.target(connection)
    if not der:
        raise TrustError(_NO_CERTIFICATE(address=profile.address))
    _check_key(profile, der)
    pem = ssl.DER_cert_to_PEM_cert(der)
    fingerprint = hashlib.sha256(der).hexdigest()
    if fingerprint == STOCK_FINGERPRINT:
        return Leaf(pem, fingerprint, "localhost", target)
    return Leaf(pem, fingerprint, _usable_name(profile, pem), target)


def simulator_fingerprint() -> str | None:
    """SHA-256 of the certificate that this user's simulator made for itself, if it did.

    Its private key never left this user's folder, so it needs no memory of first use.
    """
    try:
        pem = (folders.simulator_folder() / "certificate.pem").read_text(encoding="ascii")
        return hashlib.sha256(ssl.PEM_cert_to_DER_cert(pem)).hexdigest()
    except (OSError, ValueError):
        return None


def speaks_tls(profile: ServerProfile) -> bool:
    """Whether the server speaks TLS. Raises ServerUnreachable if nothing listens there."""
    try:
        fetch_leaf(profile)
    except NotTls:
        return False
    except TrustError:
        pass
    return True


def verify(profile: ServerProfile, roots: bytes | None) -> None:
    """Judge the server as an authority does: the system's, or the one of `roots` (PEM).

    Raises TrustError with what is wrong: expired, of nobody known, for another name, or with
    a key that gRPC does not know; and what `fetch_leaf` may raise.
    """
    context = _context()
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN  # as gRPC does
    if roots is None:
        context.load_default_certs()
    else:
        try:
            context.load_verify_locations(cadata=roots.decode("ascii", "replace"))
        except ssl.SSLError:
            return  # gRPC reads the file in its own way
    name = ServerProfile(profile.trust_name).host
    try:
        with _handshake(profile, context, name) as connection:
            der = connection.getpeercert(binary_form=True)
    except ssl.SSLCertVerificationError as error:
        raise _unverified(profile, error) from None
    _check_key(profile, der or b"")


def not_of_the_system(profile: ServerProfile) -> TrustError:
    """What it means that no authority of this system signed the certificate."""
    return TrustError(_FOREIGN(address=profile.address), remedy=Remedy.CHOOSE_TLS)


def _check_key(profile: ServerProfile, der: bytes) -> None:
    if der and not any(key in der for key in _KNOWN_KEYS):
        kind = next((name for name, key in _OTHER_KEYS.items() if key in der), "?")
        raise TrustError(_KEY(address=profile.address, kind=kind), remedy=Remedy.OTHER_KEY)


def _unverified(profile: ServerProfile, error: ssl.SSLCertVerificationError) -> TrustError:
    address = profile.address
    if error.verify_code == _HAS_EXPIRED:
        return TrustError(_EXPIRED(address=address), remedy=Remedy.NEW_CERTIFICATE)
    if error.verify_code == _NOT_YET_VALID:
        return TrustError(_TOO_EARLY(address=address), remedy=Remedy.CHECK_CLOCK)
    if error.verify_code in {_HOST_MISMATCH, _IP_MISMATCH}:
        return TrustError(_FOR_ANOTHER(address=address), remedy=Remedy.CHECK_CERTIFICATE)
    if profile.tls is TlsMode.SYSTEM:
        return not_of_the_system(profile)
    if profile.tls is TlsMode.AUTHORITY:
        file = Path(profile.ca_file).name
        return TrustError(
            _FOREIGN_HERE(address=address, file=file), remedy=Remedy.CHECK_CERTIFICATE
        )
    return TrustError(_UNUSABLE(address=address, why=verbatim(error.verify_message)))


def _usable_name(profile: ServerProfile, pem: str) -> str:
    """A name of the certificate that gRPC accepts (docs/protocol.md 8.3).

    The standard library parses only certificates that it has verified, hence a second
    handshake that trusts exactly this one.
    """
    context = _context()
    context.check_hostname = False
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    context.load_verify_locations(cadata=pem)
    try:
        with _handshake(profile, context) as connection:
            certificate = connection.getpeercert() or {}
    except ssl.SSLCertVerificationError as error:
        raise _unverified(profile, error) from None
    names = [
        str(value) for kind, value in _pairs(certificate.get("subjectAltName")) if kind == "DNS"
    ]
    names = [name for name in names if "*" not in name]
    names += [
        str(value)
        for kind, value in _pairs(certificate.get("subjectAltName"))
        if kind == "IP Address"
    ]
    for part in _rows(certificate.get("subject")):
        names += [str(value) for kind, value in _pairs(part) if kind == "commonName"]
    if not names:
        raise TrustError(_NO_NAME(address=profile.address), remedy=Remedy.NEW_CERTIFICATE)
    return names[0]


def _rows(value: object) -> tuple[object, ...]:
    return value if isinstance(value, tuple) else ()


def _pairs(value: object) -> list[tuple[object, object]]:
    return [row for row in _rows(value) if isinstance(row, tuple) and len(row) == 2]


def _context() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.set_alpn_protocols(["h2"])
    return context


def _handshake(profile: ServerProfile, context: ssl.SSLContext, name: str = "") -> ssl.SSLSocket:
    plain = addresses.connect(profile)
    target = addresses.target(plain)
    try:
        return context.wrap_socket(plain, server_hostname=name or profile.host)
    except ssl.SSLCertVerificationError:
        plain.close()
        raise
    except TimeoutError:  # silence is no plain text: it hangs, or hashes a large file
        plain.close()
        raise NoAnswer(
            SAYS_NOTHING(address=profile.address), remedy=Remedy.RESTART_SERVER
        ) from None
    except (ssl.SSLError, ConnectionError):
        plain.close()
        raise NotTls(target) from None
