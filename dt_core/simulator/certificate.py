"""The simulator's own certificate: made once per user, for this machine's own names only.

The real server presents a certificate whose private key is public (docs/protocol.md 8.1);
this one's key never leaves the user's cache folder.
"""

from __future__ import annotations

import datetime as dt
import ipaddress
import ssl
from pathlib import Path

from .. import files, folders
from ..errors import Remedy, TrustError
from ..text import Template, verbatim

_VALID_DAYS = 3650
_LIMIT = 1 << 20  # bytes of a file
_NOT_KEPT = Template(
    "simulator_certificate_not_kept",
    "The simulator's certificate cannot be kept ({reason}): it is another one at every start.",
)
_NO_CRYPTOGRAPHY = Template(
    "simulator_no_cryptography",
    "The simulator's certificate is made with the Python package cryptography, which is not "
    "installed.",
)


def own_certificate(folder: Path | None = None) -> tuple[bytes, bytes]:
    """Certificate and private key as PEM, made on first use and then kept in `folder`.

    Raises TrustError if the package cryptography is missing.
    """
    folder = folder or folders.simulator_folder()
    try:
        with files.locked(folder / "certificate.pem"):
            pair = _kept(folder)
            if pair is None:
                pair = _made()
                files.write(folder / "private-key.pem", pair[1])
                files.write(folder / "certificate.pem", pair[0])
    except OSError as error:
        pair = _kept(folder)
        if pair is None:
            files.say_once(_NOT_KEPT(reason=verbatim(error.strerror or type(error).__name__)))
            pair = _made()
    return pair


def _kept(folder: Path) -> tuple[bytes, bytes] | None:
    """Those of before, if they are there, whole, and belong together."""
    certificate, key = folder / "certificate.pem", folder / "private-key.pem"
    try:
        pair = files.read(certificate, _LIMIT), files.read(key, _LIMIT)
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(certificate, key, "")
    except OSError:  # of which SSLError is one
        return None
    return pair


def _made() -> tuple[bytes, bytes]:
    try:  # here, because only TLS needs it: it is not among the dependencies
        from cryptography import x509
        from cryptography.hazmat.primitives import hashes, serialization
        from cryptography.hazmat.primitives.asymmetric import ec
    except ImportError:
        raise TrustError(_NO_CRYPTOGRAPHY(), remedy=Remedy.INSTALL_CRYPTOGRAPHY) from None
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    start = dt.datetime.now(dt.timezone.utc) - dt.timedelta(days=1)
    addresses = (x509.IPAddress(ipaddress.ip_address(text)) for text in ("127.0.0.1", "::1"))
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(start)
        .not_valid_after(start + dt.timedelta(days=_VALID_DAYS))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost"), *addresses]), False)
        .sign(key, hashes.SHA256())
    )
    return (
        certificate.public_bytes(serialization.Encoding.PEM),
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        ),
    )
