"""The names of `dt_core`: which, found by whom, and what finding them costs."""

from __future__ import annotations

# mypy: warn-unused-ignores
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from drawthings import dt_core

ROOT = Path(__file__).parents[3]

# They stay: scripts use them. New ones are added here, and none is taken away.
NAMES = sorted(
    """
    AsyncClient AsyncDrawThingsClient Audio AudioReceived Cancelled Catalog CertificateChanged
    Client ColorCalibration CompressionMethod Configuration Control ControlInputType ControlMode
    ControlNetConfig DownloadSize DrawThingsClient DrawThingsError DrawThingsWarning Event
    FileOnServer FileStatus FoundServer GeneratedAudio GeneratedImage GenerationDownload
    GenerationEvent GenerationFailed GenerationNote GenerationPreview GenerationProgress
    GenerationRequest GenerationStarted ImageGenerationConfig ImageReceived Job LoRAConfig Lora
    LoraMode Mask ModelChoice ModelMetadata ModelNotFound NoAnswer NoImages Noticed Picture
    Preview Progress ProtocolError Reference RemoteDownload RequestError Sampler SecretRejected
    SeedMode ServerError ServerLeft ServerProfile ServerUnreachable SettingsError Size Stage
    Started TensorError Thresholds TlsMismatch TlsMode TrustError Upload UploadFailed
    UploadPhase UploadedFile discover encode_image_to_tensor latent_info save_images
    """.split()  # noqa: SIM905
)


def run(script: str) -> str:
    """What it prints, in a Python that has imported nothing yet."""
    done = subprocess.run(
        [sys.executable, "-c", f"import sys; sys.path.insert(0, {str(ROOT)!r})\n{script}"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    return done.stdout


def test_all_public_names_are_there_and_listed() -> None:
    listed = getattr(dt_core, "__all__")  # noqa: B009 - no type checker sees it

    assert listed == NAMES
    assert set(NAMES) <= set(dir(dt_core))
    for name in NAMES:
        assert getattr(dt_core, name) is not None


def test_a_star_brings_all_of_them_and_nothing_else() -> None:
    brought = run("before = {*globals()}\nfrom dt_core import *\nprint(*{*globals()} - before)")

    assert set(brought.split()) == {*NAMES, "before"}


def test_importing_the_library_and_its_rooms_does_not_load_what_scripts_use() -> None:
    loaded = run(
        "import dt_core; from dt_core import metadata, errors\n"
        "assert not hasattr(dt_core, '__wrapped__')\n"
        "print(*(name for name in sys.modules if name.startswith('dt_core')))"
    ).split()

    assert "dt_core.errors" in loaded
    assert "dt_core.api" not in loaded


def test_a_name_that_is_not_there_is_an_error_like_any_other() -> None:
    told = run(
        "import dt_core\n"
        "try: dt_core.Nonsense\n"
        "except AttributeError as error: print(error)\n"
        "try: from dt_core import Nonsense\n"
        "except ImportError as error: print(error.name)\n"
    ).splitlines()

    assert told == ["module 'dt_core' has no attribute 'Nonsense'", "dt_core"]


if TYPE_CHECKING:  # what a type checker must see

    def _seen() -> Any:
        from drawthings.dt_core import Nonsense  # type: ignore[attr-defined]

        number: int = dt_core.discover  # type: ignore[assignment]
        client: dt_core.DrawThingsClient = dt_core.Client()  # type: ignore[assignment]
        return Nonsense, number, client
