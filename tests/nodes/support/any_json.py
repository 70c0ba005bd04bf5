"""Bodies for our routes: any JSON, and what comes near to what each of them takes."""

from __future__ import annotations

import json
from typing import Any

from drawthings.dt_core.settings.table import SETTINGS
from hypothesis import strategies as st

NEARLY = (
    "", "studio", "~nobody/file.pem", "~", "/dev/zero", "a\x00b", "\ud800", "\u202e.ckpt",
    "x" * 300,
    "127.0.0.1:1", "plain://127.0.0.1:1", "tls://", "http://a/b", "[::", "automatic", "TLS",
    "TLS, own authority", "nonsense", "0" * 64, "lora.ckpt", "*", "{}", "[" * 2000, "1e999",
    '{"model": 1, "width": 1e300, "seed": -1}', "wan_v2.1_14b_t2v_480p_q6p.ckpt", "none", "on",
    -1, 0, 1, 2**31, 2**63, 2**200, -0.0, 1e308, 0.5, float("nan"), float("inf"), True, False, None,
    {"saved": "studio"}, {"saved": 1}, {"address": "127.0.0.1:1", "tls": "nonsense"},
    {"address": "127.0.0.1:1", "ca_file": "~nobody/x", "tls": "TLS, own authority"},
)  # fmt: skip
KEYS = (
    "server", "name", "was", "address", "tls", "fingerprint", "ca_file", "secret", "secret_name",
    "refresh", "layers", "loras", "connected", "unknown", "model", "text", "prompt", "node",
    "workflow", "seconds", "names", "files", "id",
)  # fmt: skip
INNER = (
    "nodes", "links", "class_type", "inputs", "type", "id", "pos", "size", "widgets_values",
    "configuration", "use_size", "use_seed", "use_model", "saved", "address", "definitions",
    *(row.name for row in SETTINGS),
)  # fmt: skip

_leaves = st.one_of(st.sampled_from(NEARLY), st.text(max_size=8), st.integers(), st.floats())
values = st.recursive(
    _leaves,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.dictionaries(st.sampled_from(INNER), inner, max_size=5),
        st.dictionaries(st.text(max_size=4), inner, max_size=3),
    ),
    max_leaves=12,
)
bodies = st.one_of(
    st.dictionaries(st.sampled_from(KEYS), values, max_size=8),
    st.fixed_dictionaries({}, optional=dict.fromkeys(KEYS, values)),
    values,
)


def written(body: Any) -> bytes:
    """As JSON, with the words that are none: NaN and Infinity."""
    return json.dumps(body).encode()
