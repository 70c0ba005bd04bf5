"""Everything that can go wrong with a server, done by the simulator's fault script: one
sentence with cause and next step, in bounded time; what arrived whole is there; and the next
generation works."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import pytest
from drawthings.dt_core.connection import channel
from drawthings.dt_core.connection.profile import ServerProfile
from drawthings.dt_core.errors import (
    Cancelled,
    DrawThingsError,
    GenerationFailed,
    ModelNotFound,
    NoAnswer,
    NoImages,
    ProtocolError,
    SecretRejected,
    ServerUnreachable,
    SettingsError,
    TensorError,
)
from drawthings.dt_core.generation.client import Client
from drawthings.dt_core.generation.events import ImageReceived, Progress
from drawthings.dt_core.generation.job import Job
from drawthings.dt_core.request.resolved import GenerationRequest
from drawthings.dt_core.settings.configuration import Configuration
from drawthings.dt_core.simulator import Record, Simulator
from drawthings.dt_core.simulator.faults import KINDS, Fault, Script

SECRET = "hush-4711"
FRAMES = 5
REQUEST = GenerationRequest(
    Configuration(
        model="wan_v2.1_1.3b_480p_f16.ckpt",
        start_width=128,
        start_height=128,
        steps=4,
        seed=7,
        num_frames=FRAMES,
    ),
    prompt="a tower",
)
BOUND_S = 20.0  # sanity only: most take a tenth of a second

CATALOGS = ("text", "cut", "deep", "numbers", "types", "names")

of = Fault.of


@dataclass
class Outcome:
    error: BaseException | None
    pictures: int
    sent: int


@pytest.fixture(scope="module")
def running() -> Iterator[Simulator]:
    with Simulator(secret=SECRET, faults=Script()) as server:
        yield server


@pytest.fixture
def server(running: Simulator) -> Iterator[Simulator]:
    yield running
    running.secret = SECRET
    script(running).clear()


def script(server: Simulator) -> Script:
    assert server.faults is not None
    return server.faults


def run(server: Simulator, client: Client, fault: Fault | None = None) -> Outcome:
    """One generation with the fault; the fault is gone afterwards."""
    if fault is not None:
        script(server).add(fault)
    before = len(server.requests)
    since = time.monotonic()
    job = client.generate(REQUEST)
    error: BaseException | None = None
    try:
        for _ in job:
            pass
    except DrawThingsError as raised:
        error = raised
    assert time.monotonic() - since < BOUND_S
    assert job.wait(5)
    script(server).clear()
    return Outcome(error, len(job.images), len(server.requests) - before)


def begun(server: Simulator, client: Client, sent: int, *faults: Fault) -> tuple[Job, Record]:
    """A generation with the faults, of which so many messages went out."""
    earlier = len(server.requests)
    script(server).add(*faults)
    job = client.generate(REQUEST)
    record = server.wait_for(
        lambda record: record in server.requests[earlier:] and record.sent >= sent
    )
    return job, record


FAILURES = [
    (of("drop"), ServerUnreachable, 0, "broke", "generate again"),
    (of("drop", at=4), ServerUnreachable, 0, "broke", "generate again"),
    (of("drop", picture=3), ServerUnreachable, 3, "broke", "generate again"),
    (of("drop", at=1000), ServerUnreachable, FRAMES, "broke", "generate again"),
    (of("goaway", last_stream=0), ServerUnreachable, 0, "broke", "generate again"),
    (of("restart", at=3), ServerUnreachable, 0, "restarted", "generate again"),
    (of("restart", picture=2), ServerUnreachable, 2, "restarted", "generate again"),
    (of("secret", at=3), SecretRejected, 0, "secret", "Give the shared secret"),
    (of("secret", picture=1), SecretRejected, 1, "secret", "Give the shared secret"),
    (of("empty"), NoImages, 0, "without a picture", "Try another"),
    (of("end", at=5), NoImages, 0, "without a picture", "Try another"),
    (of("empty", picture=2), ProtocolError, 2, "missing", "generate again"),
    (of("end", picture=2), ProtocolError, 2, "missing", "generate again"),
    (of("garbage", at=3), ProtocolError, 0, "cannot be read", "Generate again"),
    (of("garbage", picture=2), ProtocolError, 2, "cannot be read", "Generate again"),
    (of("endless", what="pieces", at=3), TensorError, 0, "cannot be used", "again"),
    (of("no_last", picture=2), ProtocolError, 2, "middle of a picture", "Generate again"),
    (of("order", picture=1), TensorError, 1, "unknown way", "again"),
    (of("size", bytes=1 << 32), ProtocolError, FRAMES, "announced 4.29 GB", "generate again"),
    *[
        (of(kind, picture=2, codec=codec), TensorError, FRAMES - 1, "cannot be used", "again")
        for kind, codec in (
            ("cut", "fpzip"),
            ("cut", "zip"),
            ("cut", "raw"),
            ("flip", "fpzip"),
            ("flip", "zip"),
        )
    ],
    (of("cut", picture=1, keep=0.001), TensorError, 1, "inside its header", "again"),
    (of("flip", picture=1, place=0), TensorError, FRAMES - 1, "does not begin like", "again"),
    (of("dims", picture=1), TensorError, 1, "1024 MiB is the most", "again"),
    (of("dims", picture=1, dims=[2**31 - 1] * 12), TensorError, 1, "is the most", "again"),
    (of("dims", picture=1, dims=[1, -4, 4, 3]), TensorError, 1, "negative", "again"),
    (of("dims", picture=1, dims=[1, 192, 192, 4]), TensorError, FRAMES - 1, "do not", "again"),
    (of("dims", picture=1, dims=[1, 256, 256, 4]), ProtocolError, 1, "256x256 px", "See what"),
    (of("dims", picture=1, dims=[0]), TensorError, 1, "empty", "again"),
    *[
        (of("status", code=code, picture=picture), error, picture, words, step)
        for picture in (0, 2)
        for code, error, words, step in (
            ("INTERNAL", GenerationFailed, "because", "server's log"),
            ("RESOURCE_EXHAUSTED", GenerationFailed, "because", "server's log"),
            ("UNAVAILABLE", ServerUnreachable, "because", "try again"),
            ("CANCELLED", ServerUnreachable, "ended the generation", "generate again"),
            ("DEADLINE_EXCEEDED", NoAnswer, "in time", "Try again"),
            ("UNKNOWN", GenerationFailed, "because", "generate again"),
            ("UNAUTHENTICATED", SecretRejected, "because", "Give the shared secret"),
            ("UNIMPLEMENTED", ProtocolError, "because", "Update"),
        )
    ],
]


def named(case: tuple[Any, ...]) -> str:
    fault = case[0]
    place = fault.at if fault.picture is None else f"picture {fault.picture}"
    own = [str(v)[:16] for k, v in fault.options.items() if v != KINDS[fault.kind].options[k]]
    return " ".join([fault.kind, str(place), *own])


@pytest.mark.parametrize("case", FAILURES, ids=named)
def test_a_fault_ends_in_one_sentence_and_the_next_generation_works(
    server: Simulator, client: Client, case: tuple[Fault, type[Exception], int, str, str]
) -> None:
    fault, error, pictures, cause, step = case
    outcome = run(server, client, fault)
    said = str(outcome.error)
    assert type(outcome.error) is error, said
    assert outcome.pictures == pictures
    assert outcome.sent == 1  # never twice on its own
    assert cause in said
    assert step in said
    assert server.address in said
    assert SECRET not in said
    assert "\n" not in said
    server.secret = SECRET
    after = run(server, client)
    assert (after.error, after.pictures) == (None, FRAMES)


HARMLESS = [
    of("heartbeats", count=20),
    of("unset_signposts"),
    of("unknown_values"),
    of("goaway", at=3),
    of("goaway", at=3, code=11, reason="too_many_pings"),
    of("drip", bytes_per_s=300_000),
    of("stall", at=4, seconds=0.5),
    of("nan", picture=1),
    of("shrink", picture=1),
    of("flip", picture=1, codec="raw"),
    of("size", bytes=-5),
    of("unknown_keys"),
    of("many_entries"),
    *[of("bad_catalog", what=what) for what in CATALOGS],
    of("status", on="echo", times=2),
    of("stall", on="echo", seconds=0.5),
]


@pytest.mark.parametrize("fault", HARMLESS, ids=lambda fault: named((fault,)))
def test_what_can_be_endured_costs_no_picture(
    server: Simulator, client: Client, fault: Fault
) -> None:
    outcome = run(server, client, fault)
    assert (outcome.error, outcome.pictures, outcome.sent) == (None, FRAMES, 1)


def test_every_kind_of_fault_is_tried_here() -> None:
    rows = [*(case[0] for case in FAILURES), *HARMLESS, of("freeze")]
    assert {fault.kind for fault in rows} == set(KINDS)


def test_a_connection_may_drop_before_any_message(server: Simulator, client: Client) -> None:
    assert run(server, client).error is None
    messages = server.requests[-1].sent
    for at in range(messages + 1):
        outcome = run(server, client, of("drop", at=at))
        assert isinstance(outcome.error, ServerUnreachable)
        assert outcome.pictures == max(0, at - (messages - FRAMES))
    assert run(server, client).pictures == FRAMES


def test_what_a_server_says_stays_on_one_short_line(server: Simulator, client: Client) -> None:
    rude = "no\r\nSet-Cookie: x\x1b[31m\u202e " + "blah " * 10_000
    outcome = run(server, client, of("status", code="INTERNAL", details=rude))
    said = str(outcome.error)
    assert said.isprintable()
    assert len(said) < 700


def test_names_of_a_hostile_catalogue_cannot_break_a_sentence(
    server: Simulator, client: Client
) -> None:
    script(server).add(of("bad_catalog", what="names", times=0))
    with pytest.raises(ModelNotFound) as refused:
        list(client.generate(replace(REQUEST, settings=REQUEST.settings.replace(model="x.ckpt"))))
    assert "passwd.ckpt" in str(refused.value)
    assert str(refused.value).isprintable()
    known = client.known_catalog
    assert known is not None
    assert len(known.models) == 3  # a file of control characters is none
    assert all(f"{model.file}{model.name}{model.version}".isprintable() for model in known.models)


def test_far_more_pictures_than_asked_for_are_not_taken(server: Simulator, client: Client) -> None:
    outcome = run(server, client, of("endless", what="pictures", picture=1))
    assert isinstance(outcome.error, ProtocolError)
    assert "far more pictures" in str(outcome.error)
    assert FRAMES <= outcome.pictures < 200


@pytest.mark.parametrize("what", ["heartbeats", "progress", "previews"])
def test_an_endless_wait_is_ended_by_cancel_and_the_server_hears_of_it(
    server: Simulator, client: Client, what: str
) -> None:
    job, record = begun(server, client, 50, of("endless", at=2, what=what))
    job.cancel()
    with pytest.raises(Cancelled):
        list(job)
    assert server.wait_for(lambda r: r is record and r.outcome is not None).outcome == "cancelled"


def test_a_silent_generation_is_waited_for_and_ends_at_once_when_cancelled(
    server: Simulator, client: Client
) -> None:
    job, stalled = begun(server, client, 2, of("stall", at=2))
    other = client.generate(REQUEST)  # waits behind it, on the same connection
    server.wait_for(lambda record: record is not stalled and record.outcome is None)
    stopped = time.monotonic()
    job.cancel()
    with pytest.raises(Cancelled):
        list(job)
    assert time.monotonic() - stopped < 2
    assert count(other) == FRAMES  # that call only


def count(job: Job) -> int:
    return sum(isinstance(event, ImageReceived) for event in job)


def test_a_queued_generation_waits_without_a_deadline(server: Simulator, client: Client) -> None:
    client.echo_timeout_s = 0.3
    with server.busy():
        job = client.generate(REQUEST)
        assert not job.wait(1.5)  # longer than any deadline of the client's other calls
    assert count(job) == FRAMES


def test_a_dead_peer_is_noticed(monkeypatch: pytest.MonkeyPatch, server: Simulator) -> None:
    """With a keepalive of a second in place of 45."""
    monkeypatch.setattr(channel, "KEEPALIVE_S", 1)
    monkeypatch.setattr(channel, "PING_ANSWER_S", 1)
    outcome = run(server, Client(ServerProfile(server.address), secret=SECRET), of("freeze", at=3))
    assert isinstance(outcome.error, ServerUnreachable)
    assert "answers no more" in str(outcome.error)


def test_after_a_dead_peer_was_given_up_the_next_generation_does_not_wait_for_it(
    server: Simulator, client: Client
) -> None:
    job, _ = begun(server, client, 3, of("freeze", at=3))
    job.cancel()
    with pytest.raises(Cancelled):
        list(job)
    del job  # and with it the dead connection, so that the server ends its call
    again = time.monotonic()
    assert run(server, client).pictures == FRAMES
    assert time.monotonic() - again < 5


def test_a_dead_peer_is_noticed_within_two_minutes_and_a_generation_is_never_sent_again() -> None:
    options = dict(channel._options(channel.ANSWER_BYTES, patient=False))
    assert 30_000 <= options["grpc.keepalive_time_ms"] <= 60_000
    assert options["grpc.keepalive_time_ms"] + options["grpc.http2.ping_timeout_ms"] <= 120_000
    assert options["grpc.enable_retries"] == 0


def test_pings_during_a_silent_generation_cost_nothing(
    monkeypatch: pytest.MonkeyPatch, server: Simulator
) -> None:
    """A ping in each second: a server of gRPC's own manners would have ended it at the third."""
    monkeypatch.setattr(channel, "KEEPALIVE_S", 1)
    impatient = Client(ServerProfile(server.address), secret=SECRET)
    script(server).add(of("stall", at=3, seconds=6.0))
    job = impatient.generate(REQUEST)
    assert count(job) == FRAMES


def test_questions_are_repeated_and_in_the_end_the_error_is_told(
    server: Simulator, client: Client
) -> None:
    asked = server.echo_count
    script(server).add(of("status", on="echo", times=2))
    assert client.echo().models
    assert server.echo_count - asked == 3
    script(server).add(of("status", on="files", times=0))
    with pytest.raises(ServerUnreachable):
        client.files_exist(["a.ckpt"])


def test_a_restarted_server_is_asked_anew_what_it_has(server: Simulator, client: Client) -> None:
    before = client.catalog()
    assert run(server, client, of("restart", at=3)).error is not None
    assert run(server, client).error is None
    after = client.known_catalog
    assert after is not None
    assert after.server_identifier != before.server_identifier


def test_a_server_that_restarted_meanwhile_is_found_again(
    server: Simulator, client: Client
) -> None:
    assert run(server, client).error is None
    server.restart()
    known = client.catalog(max_age_s=0)  # asked for again before most generations
    assert known.server_identifier == server.identifier
    assert run(server, client).error is None


def test_a_server_that_comes_back_elsewhere_on_the_same_port_is_found_again() -> None:
    with Simulator(faults=Script()) as first:
        client = Client(ServerProfile(first.address))
        assert count(client.generate(REQUEST)) == FRAMES
        port = first.port
    with pytest.raises(ServerUnreachable):
        list(client.generate(REQUEST))
    with Simulator(port=port) as second:
        assert count(client.generate(REQUEST)) == FRAMES
        known = client.known_catalog
        assert known is not None
        assert known.server_identifier == second.identifier


def test_a_failed_question_does_not_end_a_generation_on_the_same_connection(
    server: Simulator, client: Client
) -> None:
    job, _ = begun(server, client, 3, of("stall", at=3, seconds=1.5))
    script(server).add(of("status", on="echo", times=0))
    with pytest.raises(ServerUnreachable):
        client.echo()
    assert count(job) == FRAMES


def test_many_entries_are_read_in_reasonable_time(server: Simulator, client: Client) -> None:
    script(server).add(of("many_entries", count=10_000))
    since = time.monotonic()
    catalog = client.echo()
    assert len(catalog.models) > 10_000
    assert len(catalog.loras) > 10_000
    assert time.monotonic() - since < BOUND_S


def test_what_a_later_version_says_is_kept_and_sent_back(server: Simulator, client: Client) -> None:
    script(server).add(of("unknown_keys"))
    catalog = client.echo()
    later = catalog.model("later_models.ckpt")
    assert later is not None
    assert later.family is None
    assert later.description["tomorrow"] is True


def test_strange_numbers_in_a_catalogue_count_as_not_given(
    server: Simulator, client: Client
) -> None:
    script(server).add(of("bad_catalog", what="numbers"))
    catalog = client.echo()
    model, huge = catalog.models
    assert (model.default_scale, model.frames_per_second, huge.default_scale) == (None, None, None)
    assert catalog.loras[0].default_weight == 0.6
    assert catalog.upscalers[0].scale_factor == 4


def test_a_slow_connection_goes_on_as_long_as_it_takes(server: Simulator, client: Client) -> None:
    script(server).add(of("drip", bytes_per_s=120_000))
    job = client.generate(REQUEST)
    steps = sum(isinstance(event, Progress) for event in job)
    assert steps > 4
    assert len(job.images) == FRAMES


def test_several_faults_at_once_leave_the_client_sound(server: Simulator, client: Client) -> None:
    """Eight threads, each with faults of its own kind, on one connection."""
    kinds = [of("drop", at=2), of("flip"), of("secret"), of("end", at=1), of("garbage", at=2)]
    script(server).add(*kinds, *kinds)
    ended: list[int | str] = []

    def one() -> None:
        job = client.generate(REQUEST)
        try:
            ended.append(count(job))
        except DrawThingsError as error:
            ended.append(str(error))

    threads = [threading.Thread(target=one) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert len(ended) == 8
    script(server).clear()
    server.secret = SECRET
    assert run(server, client).pictures == FRAMES


# --- the script itself


def test_a_fault_counts_for_its_number_of_calls_and_its_user_only() -> None:
    faults = Script((of("drop", times=2), of("end", user="ann", times=0)))
    assert [f.kind for f in faults.take("generate", "bob")] == ["drop"]
    assert [f.kind for f in faults.take("generate", "ann")] == ["drop", "end"]
    assert [f.kind for f in faults.take("generate", "ann")] == ["end"]
    assert faults.take("generate", "bob") == []
    assert faults.take("echo") == []


def test_a_user_name_can_bring_a_fault() -> None:
    (fault,) = Script().take("generate", "fault:cut picture=2 codec=zip")
    assert (fault.kind, fault.picture, fault["codec"], fault["keep"]) == ("cut", 2, "zip", 0.5)


def test_a_fault_file_is_read() -> None:
    rows = {"faults": [{"fault": "status", "on": "echo", "code": "INTERNAL", "times": 0}]}
    (fault,) = Script.from_json(json.dumps(rows)).take("echo")
    assert (fault.kind, fault["code"], fault["details"]) == ("status", "INTERNAL", "because")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("no JSON", "cannot be read"),
        ("[]", "cannot be read"),
        ('{"faults": [{"at": 1}]}', "cannot be read"),
        ('{"faults": [{"fault": "explode"}]}', "no fault 'explode'"),
        ('{"faults": [{"fault": "drop", "codec": "zip"}]}', "no option 'codec'"),
        ('{"faults": [{"fault": "drop", "on": "echo"}]}', "on generate only"),
    ],
)
def test_a_wrong_fault_file_is_refused_in_words(text: str, words: str) -> None:
    with pytest.raises(SettingsError, match=words):
        Script.from_json(text)
