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

from .. import folders
from ..errors import NoAnswer, TrustError
from . import addresses
from .profile import ServerProfile

# SHA-256 of the leaf that every stock Draw Things server presents (docs/protocol.md 8.1).
STOCK_FINGERPRINT = "05604712afa50dd8123c8692591f01b138b159e39508fe0a2938104abe760338"


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
        raise TrustError(f"The server at {profile.address} presented no certificate.")
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
        raise TrustError(
            f"The certificate of {profile.address} cannot be used: {error.verify_message}."
        ) from None
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
        raise TrustError(
            f"The certificate of {profile.address} names no host: make one with a subject name."
        )
    return names[0]


def _rows(value: object) -> tuple[object, ...]:
    return value if isinstance(value, tuple) else ()


def _pairs(value: object) -> list[tuple[object, object]]:
    return [row for row in _rows(value) if isinstance(row, tuple) and len(row) == 2]


def _context() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.set_alpn_protocols(["h2"])
    return context


def _handshake(profile: ServerProfile, context: ssl.SSLContext) -> ssl.SSLSocket:
    plain = addresses.connect(profile)
    target = addresses.target(plain)
    try:
        return context.wrap_socket(plain, server_hostname=profile.host)
    except ssl.SSLCertVerificationError:
        plain.close()
        raise
    except TimeoutError:  # silence is no plain text: it hangs, or hashes a large file
        plain.close()
        raise NoAnswer(
            f"The server at {profile.address} takes connections but does not answer: it may be "
            "busy or stuck; try again, and restart it if that does not help."
        ) from None
    except (ssl.SSLError, ConnectionError):
        plain.close()
        raise NotTls(target) from None
