"""The judgement of a soak: growth is found, chance is not, and the page gets the figures."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest
from drawthings.tools.soak import figures
from drawthings.tools.soak.figures import Sample, Soak, growth, report, sample, write


def samples(*memory: float, first: int = figures.WARM_UP) -> list[Sample]:
    return [Sample(first + 25 * n, m, 20, 10, 2) for n, m in enumerate(memory)]


def test_steady_growth_is_found_and_named() -> None:
    (found,) = growth(samples(*range(700, 900, 10)))
    assert found == "memory grew from 720 to 870 MiB"


def test_a_single_high_sample_is_no_growth() -> None:
    steady = [700.0] * 12
    assert growth(samples(900, *steady)) == growth(samples(*steady, 900)) == []


def test_what_grows_before_the_warm_up_is_over_does_not_count() -> None:
    assert growth([*samples(100, first=0), *samples(*[700.0] * 8)]) == []


def test_one_worker_more_is_found() -> None:
    rows = [Sample(200 + n, 700, 20, 10, 1 + n // 8) for n in range(16)]
    assert growth(rows) == ["processes grew from 1 to 2"]


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_a_process_is_measured() -> None:
    this = sample(os.getpid(), 7)
    assert this.generations == 7
    assert this.memory > 10
    assert this.descriptors >= 3
    assert this.threads >= 1


def test_the_page_gets_the_figures_and_keeps_the_rest(tmp_path: Path) -> None:
    soak = Soak(samples(700, 710, 705), seconds=90, cancel_ms=[40, 20, 900])
    soak.outcomes.update(success=180, interrupted=12, error=8)
    text = report(soak)
    assert "200 generations" in text
    assert "median 40 ms, 95 % within 900 ms, longest 900 ms" in text
    page = tmp_path / "page.md"
    page.write_text(f"before\n{figures.BEGIN}\nold\n{figures.END}\nafter\n", encoding="utf-8")
    for _ in range(2):
        write(text, page)
    said = page.read_text(encoding="utf-8")
    assert said.startswith(f"before\n{figures.BEGIN}")
    assert said.endswith(f"{figures.END}\nafter\n")
    assert said.count("200 generations of") == 1
    assert "\nold\n" not in said
