"""Our socket types. What flows through each is a value of dt_core:

DT_SERVER     ServerProfile
DT_MODEL      ModelChoice
DT_LORA       tuple[Lora, ...]
DT_CONTROL    tuple[Control, ...]
DT_REFERENCE  tuple[Reference, ...]
DT_OPTIONS    Options
DT_MASK       tuple[Mask, ...]
DT_STITCH     tuple[Crop, ...]
DT_GENERATION tuple[Generation, ...], one for each picture
"""

from __future__ import annotations

from comfy_api.latest import io

Server = io.Custom("DT_SERVER")
Model = io.Custom("DT_MODEL")
Lora = io.Custom("DT_LORA")
Control = io.Custom("DT_CONTROL")
Reference = io.Custom("DT_REFERENCE")
Options = io.Custom("DT_OPTIONS")
Mask = io.Custom("DT_MASK")
Stitch = io.Custom("DT_STITCH")
Generation = io.Custom("DT_GENERATION")

CATEGORY = "Draw Things"
