"""How a server sends: stages, steps, pieces, codecs, cancelling (docs/protocol.md 5)."""

from __future__ import annotations

import threading

import numpy as np

from ..errors import Cancelled, DrawThingsError
from ..generation.events import Stage
from ..generation.raw_answers import Call
from ..pictures.values import Picture
from ..text import Template
from .verdicts import Found, differs, judged, not_applicable, passed
from .visit import Check, Visit

PIECE_BYTES = 4 << 20
QUEUED_S = 0.5  # how long a second call is left waiting
_TOLD_APART_S = 0.25  # two threads that hear of two streams may be late by so much
FREE_WITHIN_S = 30.0  # after a cancelled run
_LARGE_PX = 1536  # a picture of noise that is larger than one piece, in any codec

_STAGES = Template("doctor_stages", "Stages and steps")
_IN_ORDER = Template("doctor_in_order", "Text, {steps} steps and decoding were announced and came.")
_OUT_OF_ORDER = Template(
    "doctor_out_of_order", "The stages came otherwise than documented: {stages}."
)
_STEPS_DIFFER = Template(
    "doctor_steps_differ", "The steps came as {came}; 0 to {steps} was expected."
)
_WHEN = Template("doctor_preview_when", "When previews come")
_WHEN_RIGHT = Template(
    "doctor_preview_when_right", "With the steps, and never with the first or the end."
)
_WHEN_WRONG = Template("doctor_preview_when_wrong", "A preview came with {where}.")
_AT_NO_STAGE = Template("doctor_at_no_stage", "no stage")
_AT_STEP = Template("doctor_at_step", "step {step}")
_SIZES = Template("doctor_sizes", "Sizes and codec")
_SIZES_RIGHT = Template("doctor_sizes_right", "{size} bytes were announced and came ({codec}).")
_SIZES_WRONG = Template("doctor_sizes_wrong", "{announced} bytes were announced, {came} came.")
_PIECES = Template("doctor_pieces", "Large pictures in pieces")
_PIECES_RIGHT = Template("doctor_pieces_right", "{count} pieces of at most 4 MiB, at {rate} MB/s.")
_PIECES_WRONG = Template(
    "doctor_pieces_wrong", "The pieces are not of 4 MiB and a rest: {sizes} bytes."
)
_NOT_LARGE = Template("doctor_not_large", "The picture fits into one piece.")
_CANCEL = Template("doctor_cancel", "Cancelling a run")
_FREE = Template("doctor_free", "{seconds} s later the next run was done.")
_NOT_FREE = Template("doctor_not_free", "The next run was done only {seconds} s later.")
_TOO_FAST = Template("doctor_too_fast", "The run ended before it could be cancelled.")
_QUEUED = Template("doctor_queued", "Cancelling in the queue")
_UNTOUCHED = Template("doctor_untouched", "The run before it went on, and the next one was done.")
_TOUCHED = Template("doctor_touched", "The run before it failed. {why}")
_JUMPED = Template("doctor_jumped", "The second request was answered while the first one ran.")


def _stages(visit: Visit) -> Found:
    answers, steps = visit.base.answers, int(visit.settings()["steps"])
    stages = [answer.stage for answer in answers if answer.stage is not None]
    first = next((answer.plan for answer in answers if answer.plan), {})
    came = [answer.step for answer in answers if answer.stage is Stage.SAMPLING]
    outline = list(dict.fromkeys(stages))
    known = [Stage.TEXT_ENCODED, Stage.SAMPLING, Stage.IMAGE_DECODED]
    if [stage for stage in outline if stage in known] != known or Stage.SAMPLING not in first:
        return differs(_OUT_OF_ORDER(stages=[stage.value for stage in outline]))
    planned = first[Stage.SAMPLING]
    good = sorted(set(came)) == list(range(planned + 1)) and planned == steps
    figures = {"steps_asked": steps, "steps_planned": planned, "step_messages": len(came)}
    wrong = _STEPS_DIFFER(came=[str(step) for step in came] or "", steps=steps)
    return judged(good, _IN_ORDER(steps=planned), wrong, **figures)


def _when(visit: Visit) -> Found:
    sampling = [answer for answer in visit.base.answers if answer.stage is Stage.SAMPLING]
    outside = [a for a in visit.base.answers if a.preview and a.stage is not Stage.SAMPLING]
    if not any(answer.preview for answer in visit.base.answers):
        return not_applicable(_WHEN_RIGHT())
    if outside:
        stage = outside[0].stage
        return differs(_WHEN_WRONG(where=stage.value if stage else _AT_NO_STAGE()))
    for answer in (sampling[0], sampling[-1]):
        if answer.preview:
            return differs(_WHEN_WRONG(where=_AT_STEP(step=answer.step)))
    return passed(_WHEN_RIGHT())


def _sizes(visit: Visit) -> Found:
    answers = visit.base.answers
    announced = [a.download_bytes for a in answers if a.download_bytes is not None]
    came = sum(len(piece) for answer in answers for piece in answer.pieces)
    codec = " ".join(sorted(visit.base.codecs))
    return judged(
        announced == [came],
        _SIZES_RIGHT(size=came, codec=codec),
        _SIZES_WRONG(announced=sum(announced), came=came),
        announced=sum(announced),
        came=came,
        codec=codec,
    )


def _pieces(visit: Visit) -> Found:
    """A picture at strength 0 comes back without being generated (docs/protocol.md 5.2)."""
    noise = np.random.default_rng(0).random((_LARGE_PX, _LARGE_PX, 3), dtype=np.float32)
    large = visit.settings(strength=0.0, start_width=_LARGE_PX, start_height=_LARGE_PX)
    run = visit.run(visit.request(large, image=Picture(noise)))
    with_pieces = [answer for answer in run.answers if answer.pieces]
    sizes = [len(piece) for answer in with_pieces for piece in answer.pieces]
    if len(sizes) < 2:
        return not_applicable(_NOT_LARGE())
    took = with_pieces[-1].seconds - with_pieces[0].seconds
    rate = round((sum(sizes) - sizes[0]) / max(took, 1e-3) / 1e6, 1)
    good = set(sizes[:-1]) == {PIECE_BYTES} and sizes[-1] <= PIECE_BYTES
    good = good and [answer.more for answer in with_pieces] == [True] * (len(sizes) - 1) + [False]
    texts = _PIECES_RIGHT(count=len(sizes), rate=rate), _PIECES_WRONG(sizes=[*map(str, sizes)])
    return judged(good, *texts, pieces=len(sizes), megabytes_per_second=rate)


def _next_run(visit: Visit) -> float:
    """How long a plain run takes now, in seconds."""
    return visit.run(visit.request()).seconds


def _cancel(visit: Visit) -> Found:
    call = visit.call(visit.request(visit.settings(steps=50)))
    cancelled = False
    try:
        for answer in call:
            if answer.stage is Stage.SAMPLING:
                call.cancel()
                cancelled = True
    except Cancelled:
        pass
    if not cancelled:
        return not_applicable(_TOO_FAST())
    seconds = round(_next_run(visit), 2)
    limit = FREE_WITHIN_S + 2 * visit.base.seconds
    return judged(
        seconds <= limit, _FREE(seconds=seconds), _NOT_FREE(seconds=seconds), seconds=seconds
    )


def _queued(visit: Visit) -> Found:
    first = _Listener(visit.call(visit.request(visit.settings(seed=7, steps=20))))
    first.heard.wait()
    second = _Listener(visit.call(visit.request(visit.settings(seed=8))))
    second.heard.wait(QUEUED_S)
    second.call.cancel()
    first.thread.join()
    second.thread.join()
    if first.error is not None:
        return differs(_TOUCHED(why=first.error.text), error=type(first.error).__name__)
    if second.times and second.times[0] < first.times[-1] - _TOLD_APART_S:
        return differs(_JUMPED())
    seconds = round(_next_run(visit), 2)
    return passed(_UNTOUCHED(), seconds=seconds, was_waiting=not second.times)


class _Listener:
    """A call that is read in a thread of its own: when each answer came, and how it ended."""

    def __init__(self, call: Call) -> None:
        self.call = call
        self.times: list[float] = []
        self.error: DrawThingsError | None = None
        self.heard = threading.Event()
        self.thread = threading.Thread(target=self._read, name="drawthings-doctor", daemon=True)
        self.thread.start()

    def _read(self) -> None:
        try:
            for answer in self.call:
                self.times.append(self.call.began + answer.seconds)
                self.heard.set()
        except DrawThingsError as error:
            self.error = error
        self.heard.set()


STREAM = (
    Check("stages", _STAGES, _stages),
    Check("preview_times", _WHEN, _when),
    Check("sizes", _SIZES, _sizes),
    Check("pieces", _PIECES, _pieces),
    Check("cancel", _CANCEL, _cancel),
    Check("queue", _QUEUED, _queued),
)
