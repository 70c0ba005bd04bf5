"""What is known of a model: by the server's catalogue, else guessed from its file name."""

from __future__ import annotations

import re
from typing import Any

from ..errors import ModelNotFound
from ..settings.table import UNIT_PX
from .catalog import Catalog
from .families import Family, family, family_of_file

# Words of file names, the first that fits counts; only asked where nobody knows better.
_PATTERNS: tuple[tuple[str, str], ...] = (
    (r"klein[._-]?4b", "flux2_4b"),
    (r"klein[._-]?9b|klein", "flux2_9b"),
    (r"flux[._-]?2", "flux2"),
    (r"flux", "flux1"),
    (r"z[._-]?image", "z_image"),
    (r"qwen", "qwen_image"),
    (r"refiner", "sdxl_refiner_v0.9"),
    (r"ssd[._-]?1b", "ssd_1b"),
    (r"sd[._-]?3[._-]?5?[._-]?large", "sd3_large"),
    (r"sd[._-]?3|stable_diffusion_3", "sd3"),
    (r"xl|pony|illustrious|juggernaut", "sdxl_base_v0.9"),
    (r"sd[._-]?v?2|v2[._-]", "v2"),
    (r"sd[._-]?1[._-]?5|sd15|v1[._-]?[45]|sd[._-]?v?1", "v1"),
    (r"wan[._-]?v?2[._-]2.*5b", "wan_v2.2_5b"),
    (r"wan.*1[._-]3b", "wan_v2.1_1.3b"),
    (r"wan", "wan_v2.1_14b"),
    (r"ltx[._-]?v?2[._-]3", "ltx2.3"),
    (r"ltx", "ltx2"),
    (r"hunyuan", "hunyuan_video"),
    (r"hidream[._-]?o1", "hidream_o1"),
    (r"hidream", "hidream_i1"),
    (r"svd", "svd_i2v"),
    (r"kandinsky", "kandinsky2.1"),
    (r"stage_c|cascade|wurstchen|würstchen", "wurstchen_v3.0_stage_c"),
    (r"pixart", "pixart"),
    (r"auraflow", "auraflow"),
    (r"ernie", "ernie_image"),
    (r"ideogram", "ideogram_4"),
    (r"krea[._-]?2", "krea_2"),
    (r"seedvr", "seedvr2_7b"),
    (r"cosmos", "cosmos2.5_2b"),
)


def guessed(file: str) -> Family | None:
    """The family that a file's name suggests; None where it suggests none."""
    official = family_of_file(file)
    if official is not None:
        return official
    name = file.lower()
    found = (family(version) for pattern, version in _PATTERNS if re.search(pattern, name))
    return next(filter(None, found), None)


def latent_info(file: str, catalog: Catalog | None = None) -> dict[str, Any]:
    """What a script asks of a model before it chooses a size.

    latent_size: px per unit of a size on the wire, 64 for every family; version, family;
    latent_channels; default_size in px or None; is_video; source: "server" or "file name".

    Raises ModelNotFound where the server tells what it has and this is not among it, or
    where it does not tell and the name says nothing.
    """
    model = catalog.model(file) if catalog else None
    found = model.family if model else guessed(file)
    if model is None and found is None:
        raise ModelNotFound(
            f"Nobody knows the model {file!r}: the server does not describe it, and its file "
            "name names no family."
        )
    version = model.version if model else found.version if found else ""
    scale = (model.default_scale if model else None) or (found.default_scale if found else None)
    return {
        "latent_size": UNIT_PX,
        "version": version,
        "family": found.name if found else "",
        "latent_channels": found.latent_channels if found else None,
        "default_size": scale * UNIT_PX if scale else None,
        "is_video": bool(found and found.is_video),
        "source": "server" if model else "file name",
    }
