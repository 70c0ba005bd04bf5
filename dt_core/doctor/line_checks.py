"""How a server is reached, and what it says it has: checks that generate nothing."""

from __future__ import annotations

import contextlib
import importlib.metadata
import platform
import statistics
import time

from ..errors import SecretRejected
from ..models.families import FAMILIES
from ..models.file_names import weights_of
from ..text import Template
from .verdicts import Found, judged, not_applicable, passed
from .visit import Check, Visit

ROUNDS = 5
NAMES_SHOWN = 5
_PACKAGES = ("grpcio", "protobuf", "flatbuffers", "numpy", "Pillow", "fpzip", "rms-fpzip")

_REACH = Template("doctor_reach", "Reaching it")
_ANSWERS = Template("doctor_answers", "It answers in {ms} ms.")
_SECURITY = Template("doctor_security", "Encryption")
_SECURED = {
    "none": Template("doctor_plain", "None: all can be read on the network."),
    "stock": Template("doctor_tls_stock", "TLS, public stock certificate."),
    "pinned": Template("doctor_tls_pinned", "TLS, pinned certificate."),
    "own": Template("doctor_tls_own", "TLS, the server's own certificate."),
    "system": Template("doctor_tls_system", "TLS, certificate that this system trusts."),
    "authority": Template("doctor_tls_authority", "TLS, certificate of your own authority."),
}
_SECRET = Template("doctor_secret", "Shared secret")
_SECRET_RIGHT = Template("doctor_secret_right", "It wants a secret, and the one given is right.")
_SECRET_IDLE = Template(
    "doctor_secret_idle", "It answers without the secret as well: it was started without one."
)
_NO_SECRET = Template("doctor_no_secret", "None was given, and none is wanted.")
_VERSIONS = Template("doctor_versions", "Versions here")
_RUNNING = Template("doctor_running", "Python {python} with grpcio {grpcio}.")
_FAMILIES = Template("doctor_families", "Families")
_ALL_KNOWN = Template("doctor_families_known", "{count} models, all of families known here.")
_UNKNOWN = Template(
    "doctor_families_unknown",
    "{unknown} of {count} models are newer than this version knows: {names}.",
)
_NOT_LISTED = Template(
    "doctor_not_listed", "The server does not list what it has: model browsing is off."
)
_SUFFIXES = Template("doctor_suffixes", "File names")
_SUFFIXES_KNOWN = Template("doctor_suffixes_known", "Every file name tells its weights.")
_SUFFIXES_UNKNOWN = Template(
    "doctor_suffixes_unknown", "{unknown} of {count} file names end in no known weights: {names}."
)


def _reach(visit: Visit) -> Found:
    times = []
    for _ in range(ROUNDS):
        start = time.monotonic()
        visit.catalog = visit.client.echo()
        times.append((time.monotonic() - start) * 1000)
    latency_ms = round(statistics.median(times), 1)
    return passed(_ANSWERS(ms=latency_ms), latency_ms=latency_ms)


def _security(visit: Visit) -> Found:
    trust = visit.client.trust
    return passed(_SECURED[trust](), trust=trust)


def _secret(visit: Visit) -> Found:
    if not visit.client.has_secret:
        return not_applicable(_NO_SECRET())
    with contextlib.suppress(SecretRejected):
        visit.client.without_secret().echo()
        return judged(False, _SECRET_RIGHT(), _SECRET_IDLE())
    return passed(_SECRET_RIGHT())


def _versions(_visit: Visit) -> Found:
    found = {}
    for package in _PACKAGES:
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            found[package] = importlib.metadata.version(package)
    system = {"system": platform.system(), "processor": platform.machine()}
    text = _RUNNING(python=platform.python_version(), grpcio=found.get("grpcio", "?"))
    return passed(text, python=platform.python_version(), **system, **found)


def _families(visit: Visit) -> Found:
    if not visit.catalog.browsable:
        return not_applicable(_NOT_LISTED())
    models = visit.catalog.models
    unknown = [model for model in models if model.version not in FAMILIES]
    versions = sorted({model.version for model in unknown})
    return judged(
        not unknown,
        _ALL_KNOWN(count=len(models)),
        _UNKNOWN(
            unknown=len(unknown),
            count=len(models),
            names=[model.name for model in unknown[:NAMES_SHOWN]],
        ),
        models=len(models),
        unknown_models=len(unknown),
        unknown_versions=" ".join(versions),
    )


def _suffixes(visit: Visit) -> Found:
    files = [model.file for model in visit.catalog.models]
    if not files:
        return not_applicable(_NOT_LISTED())
    odd = [file for file in files if not weights_of(file)]
    return judged(
        not odd,
        _SUFFIXES_KNOWN(),
        _SUFFIXES_UNKNOWN(unknown=len(odd), count=len(files), names=odd[:NAMES_SHOWN]),
        files=len(files),
        without_known_weights=len(odd),
    )


LINE = (
    Check("reach", _REACH, _reach, generates=False),
    Check("security", _SECURITY, _security, generates=False),
    Check("secret", _SECRET, _secret, generates=False),
    Check("versions", _VERSIONS, _versions, generates=False),
    Check("families", _FAMILIES, _families, generates=False),
    Check("file_names", _SUFFIXES, _suffixes, generates=False),
)
