"""The simulator's own certificate: made once per user, for this machine's own names only.

The real server presents a certificate whose private key is public (docs/protocol.md 8.1);
this one's key never leaves the user's cache folder.
"""

from __future__ import annotations

import datetime as dt
import ipaddress
import shutil
import ssl
import subprocess
import tempfile
from pathlib import Path

from .. import files, folders
from ..errors import TrustError
from ..text import Template, verbatim

_VALID_DAYS = 3650
_LIMIT = 1 << 20  # bytes of a file
_NOT_KEPT = Template(
    "simulator_certificate_not_kept",
    "The simulator's certificate cannot be kept ({reason}): it is another one at every start.",
)
_NAMES = "DNS:localhost,IP:127.0.0.1,IP:::1"
_NO_TOOL = (
    "The simulator cannot make a certificate, because neither the Python package cryptography "
    "nor the command openssl is installed: pass --certificate and --private-key, or --no-tls."
)


def own_certificate(folder: Path | None = None) -> tuple[bytes, bytes]:
    """Certificate and private key as PEM, made on first use and then kept in `folder`.

    Raises TrustError if there is nothing to make one with.
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
    made = _with_cryptography() or _with_openssl()
    if made is None:
        raise TrustError(_NO_TOOL)
    return made


def _with_cryptography() -> tuple[bytes, bytes] | None:
    try:
        from cryptography import x509
        from cryptography.hazmat.primitives import hashes, serialization
        from cryptography.hazmat.primitives.asymmetric import ec
    except ImportError:
        return None
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


def _with_openssl() -> tuple[bytes, bytes] | None:
    openssl = shutil.which("openssl")
    if openssl is None:
        return None
    with tempfile.TemporaryDirectory() as scratch:
        certificate, key = Path(scratch, "certificate"), Path(scratch, "key")
        command = [openssl, "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-sha256"]
        command += ["-days", str(_VALID_DAYS), "-subj", "/CN=localhost"]
        command += ["-addext", f"subjectAltName={_NAMES}"]
        command += ["-keyout", str(key), "-out", str(certificate)]
        try:
            subprocess.run(command, check=True, capture_output=True, timeout=60)
        except (OSError, subprocess.SubprocessError):
            return None
        return certificate.read_bytes(), key.read_bytes()
