"""No hostile answer takes far more memory than the largest honest one to the same request.

Each in a process of its own, as in the table of docs/reliability.md.
"""

from __future__ import annotations

import functools
from pathlib import Path

import pytest
from drawthings.tools.hostile import __main__ as hostile
from drawthings.tools.hostile.cases import CASES

ROOT = Path(__file__).resolve().parents[3]
REQUEST = "1024x1024"

pytestmark = pytest.mark.skipif(
    not Path("/proc/self/clear_refs").exists(), reason="peaks are read from /proc, which Linux has"
)


@functools.cache
def honest() -> int:
    return hostile.peak(ROOT, REQUEST, "honest")


# A million statuses take a minute to send; that no more than a few are kept is a test of its own.
@pytest.mark.parametrize("case", [case for case in CASES if case != "a million statuses"])
def test_a_hostile_answer_takes_little_more_memory_than_an_honest_one(case: str) -> None:
    assert hostile.peak(ROOT, REQUEST, case) <= hostile.allowed(honest())
