"""The doctor finds nothing wrong with the simulator, and each fault of a faulty one."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from drawthings.dt_core.cli.main import main
from drawthings.dt_core.connection.profile import ServerProfile
from drawthings.dt_core.doctor.examination import CHECKS, Examination, examine
from drawthings.dt_core.doctor.verdicts import Outcome, Verdict
from drawthings.dt_core.errors import ModelNotFound
from drawthings.dt_core.generation.client import Client
from drawthings.dt_core.simulator import Simulator
from drawthings.dt_core.simulator.faults import Fault, Script

SECRET = "s3cret-of-this-test"
FILM = "ltx_2_19b_distilled_q8p.ckpt"
EDIT = "flux_1_kontext_dev_q5p.ckpt"


def found(server: Simulator, model: str = "", **options: Any) -> dict[str, Verdict]:
    client = Client(ServerProfile(server.address), secret=server.secret or None)
    return {verdict.check: verdict for verdict in examine(client, model=model, **options)}


def outcomes(verdicts: dict[str, Verdict], outcome: Outcome) -> set[str]:
    return {check for check, verdict in verdicts.items() if verdict.outcome is outcome}


@pytest.mark.parametrize("tls", [False, True], ids=["plain", "TLS"])
def test_everything_passes_on_the_simulator(tls: bool) -> None:
    with Simulator(tls=tls, secret=SECRET) as server:
        verdicts = found(server)

    assert [*verdicts] == [check.name for check in CHECKS]
    assert outcomes(verdicts, Outcome.DIFFERS) == set()
    assert outcomes(verdicts, Outcome.NOT_APPLICABLE) == {"references", "film"}
    assert verdicts["security"].figures["trust"] == ("own" if tls else "none")


def test_films_with_sound_and_edit_models_have_checks_of_their_own(server: Simulator) -> None:
    film, edit = found(server, FILM), found(server, EDIT)

    assert film["film"].figures == {"frames": 9, "sound": True}
    assert edit["references"].outcome is Outcome.PASSED
    assert outcomes(film, Outcome.DIFFERS) | outcomes(edit, Outcome.DIFFERS) == set()


FAULTS: dict[str, tuple[Fault, set[str]]] = {
    "no picture": (Fault.of("empty", times=1), {"text_to_image"}),
    "not a number": (Fault.of("nan", picture=0, times=1, share=0.5), {"text_to_image"}),
    "another size": (Fault.of("shrink", picture=0, times=1), {"text_to_image"}),
    "damaged data": (Fault.of("cut", picture=0, times=1), {"text_to_image"}),
    "a lie about sizes": (Fault.of("size", times=1), {"sizes"}),
    "a failure": (Fault.of("status", code="INTERNAL", times=1), {"text_to_image"}),
}
ODD = {
    "no message": Fault.of("garbage", at=2),
    **{
        f"{what} without end": Fault.of("endless", at=2, what=what)
        for what in ("heartbeats", "progress", "previews", "pieces", "pictures")
    },
}


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_of_the_server_is_found(name: str) -> None:
    fault, expected = FAULTS[name]
    with Simulator(faults=Script((fault,))) as server:
        verdicts = found(server)

    assert expected <= outcomes(verdicts, Outcome.DIFFERS)


@pytest.mark.parametrize("name", ODD)
def test_what_no_run_sends_ends_the_check_and_no_more(name: str) -> None:
    with Simulator(faults=Script((ODD[name],))) as server:
        verdicts = found(server)

    assert outcomes(verdicts, Outcome.DIFFERS) == {"text_to_image"}
    assert verdicts["text_to_image"].figures["error"] == "ProtocolError"
    assert [*verdicts] == [check.name for check in CHECKS]


def test_what_builds_on_a_failed_picture_is_left_out_not_called_wrong() -> None:
    with Simulator(faults=Script((Fault.of("empty", times=1),))) as server:
        verdicts = found(server)

    assert outcomes(verdicts, Outcome.DIFFERS) == {"text_to_image"}
    assert verdicts["same_seed"].outcome is Outcome.NOT_APPLICABLE


def test_nothing_is_generated_without_leave_and_the_question_names_the_model(
    server: Simulator,
) -> None:
    asked: list[str] = []

    def refuse(question: object) -> bool:
        asked.append(str(question))
        return False

    verdicts = found(server, may_generate=refuse)
    assert server.requests == ()

    assert len(asked) == 1
    assert "stable-diffusion" in asked[0] or ".ckpt" in asked[0]
    assert verdicts["text_to_image"].outcome is Outcome.NOT_APPLICABLE
    assert verdicts["reach"].outcome is Outcome.PASSED


def test_a_check_that_is_stopped_cancels_what_runs_and_says_no_more() -> None:
    with Simulator(step_delay=0.1) as server:
        examination = Examination(Client(ServerProfile(server.address)))
        examination.begin()
        verdicts = []
        for verdict in examination.verdicts(lambda: True):
            verdicts.append(verdict.check)
            if verdict.check == "file_names":
                threading.Timer(0.3, examination.stop).start()  # in the first picture
        made = len(server.requests)

    assert verdicts == [check.name for check in CHECKS if not check.generates]
    assert made == 1


def test_a_server_that_does_not_list_its_models_takes_a_named_one() -> None:
    with Simulator(model_browser=False) as server:
        silent, named = found(server), found(server, "sd_v1.5_f16.ckpt")

    assert silent["text_to_image"].outcome is Outcome.NOT_APPLICABLE
    assert named["text_to_image"].outcome is Outcome.PASSED


def test_a_model_that_is_not_there_ends_the_visit() -> None:
    with Simulator() as server, pytest.raises(ModelNotFound, match="nothing_f16"):
        found(server, "nothing_f16.ckpt")


@pytest.fixture
def written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Callable[..., tuple[int, str, str]]:
    monkeypatch.setenv("DRAWTHINGS_SECRET", SECRET)

    def run(server: Simulator, *options: str) -> tuple[int, str, str]:
        file = tmp_path / "report.json"
        code = main(["doctor", "--server", server.address, "--report", str(file), *options])
        return code, capsys.readouterr().out, file.read_text(encoding="utf-8")

    return run


def test_the_command_prints_a_table_and_writes_a_report_without_names(
    written: Callable[..., tuple[int, str, str]],
) -> None:
    with Simulator(secret=SECRET) as server:
        code, printed, report = written(server, "--yes")
        host = server.address.partition(":")[0]

    assert code == 0
    assert "passed   The same seed again" in printed
    assert "0 differs" in printed
    checks = json.loads(report)["checks"]
    assert {row["check"] for row in checks} == {check.name for check in CHECKS}
    for private in (SECRET, host, ".ckpt", "lighthouse"):
        assert private not in report


def test_the_command_generates_nothing_where_nobody_can_be_asked(
    written: Callable[..., tuple[int, str, str]],
) -> None:
    with Simulator(secret=SECRET) as server:
        code, printed, _ = written(server, "--json")
        assert server.requests == ()

    assert code == 0
    assert json.loads(printed)["counts"]["passed"] >= 5


def test_a_server_that_differs_gives_another_exit_status(
    written: Callable[..., tuple[int, str, str]],
) -> None:
    fault = Fault.of("nan", picture=0, times=1, share=0.5)
    with Simulator(secret=SECRET, faults=Script((fault,))) as server:
        code, printed, _ = written(server, "--yes")

    assert code == 1
    assert "differs  A picture from text" in printed
