"""Settings that the server does not read or replaces (docs/protocol.md 2.2, 11.3).

Only what the user set is worth a word: a value that equals the default changes nothing.
"""

from __future__ import annotations

from ..request import frames, prompt_syntax
from ..request.hints import hires_first_pass
from ..request.resolved import Resolved
from ..settings.choices import Sampler, SeedMode
from ..settings.table import NOT_READ, SETTINGS, Kind, setting, title
from ..text import MORE, Template, Text
from . import facts, idle
from .findings import Check, Sentences, warning

# What switches a group of settings on, where the group is not named like its switch.
_SWITCHES = {"causal_inference": "causal_inference_enabled", "refiner": "refiner_model"}
# Off is what happens anyway where the family does not have it.
_HARMLESS_OFF = frozenset({"resolution_dependent_shift", "speed_up_with_guidance_embed"})
# Names of the app, a detail of another setting, and what dt_core.request.batches does in its place.
_SILENT = frozenset({"id", "name", "compression_artifacts_quality", "batch_count"})

_NO_EFFECT = Template("has_no_effect", "{label} has no effect: {why}.")
_HAVE_NO_EFFECT = Template("have_no_effect", "{labels} have no effect: {why}.")
_NEGATIVE_PROMPT = Template("the_negative_prompt", "The negative prompt")
_NOT_READ = Template("server_does_not_read", "{label} has no effect: the server does not read it.")
_HIRES_OFF = Template("hires_off", "High resolution fix stays off: {why}.")
_FIRST_PASS = Template(
    "first_pass_smaller", "the first pass must be smaller than the picture on both sides"
)
_HIRES_STRENGTH = Template("hires_strength", "its strength must be below 1")
_SHIFT_REPLACED = Template(
    "shift_replaced",
    "Shift {shift} is replaced by one computed from the resolution: switch resolution dependent "
    "shift off to use it.",
)
_EMBEDDED_NOT_READ = Template(
    "embedded_not_read",
    "Embedded guidance {embedded} is not read: with guidance embed speed-up the value that counts "
    "is guidance, {guidance}.",
)
_CAUSAL_TOO_LONG = Template(
    "causal_too_long",
    "Causal inference has no effect: block and pad together must be smaller than the video, "
    "{frames} latent frames.",
)
_ROUNDED = Template("frames_rounded", "{name} makes {made} frames of {wanted}: it rounds down.")
_STRENGTH_0 = Template("strength_0", "Strength 0 returns one picture, whatever the batch size.")
_SAMPLER = Template(
    "sampler_does_not_suit",
    "The sampler {sampler} does not suit {family}: choose a Trailing or AYS one.",
)
_LEGACY = Template(
    "seed_mode_legacy",
    "Seed mode Legacy gives other pictures on other machines: choose another to repeat a result.",
)


def no_effect(at: Resolved) -> Sentences:
    """What was set and does nothing: one finding for each reason and group of the table."""
    family = at.family
    if family is None:
        return
    groups: dict[tuple[Text, str], list[Text]] = {}
    for name, reason in idle.reasons(at).items():
        if not reason.told:
            continue
        if name == idle.NEGATIVE_PROMPT:
            if at.request.negative_prompt.strip():
                groups.setdefault((reason.why, ""), []).append(_NEGATIVE_PROMPT())
            continue
        row = setting(name)
        lacking = row.families is not None and not family.supports(row.families)
        group = str(row.families) if lacking else ""
        off = name in _HARMLESS_OFF and not at.settings[name]
        if facts.chosen(at, name) and not off and _is_on(at, group, name):
            groups.setdefault((reason.why, group), []).append(title(row.name))
    for (why, _), labels in groups.items():
        if len(labels) == 1:
            yield warning(_NO_EFFECT(label=labels[0], why=why))
        else:
            yield warning(_HAVE_NO_EFFECT(labels=_shortened(labels), why=why))


def _is_on(at: Resolved, key: str, name: str) -> bool:
    """Whether the switch of a group is on; a group without one always is."""
    switch = _SWITCHES.get(key, key)
    row = next((row for row in SETTINGS if row.name == switch), None)
    if row is None or name == switch or (row.default is not False and row.kind is not Kind.STR):
        return True
    return bool(at.settings[switch])


def _shortened(labels: list[Text]) -> list[Text]:
    return labels if len(labels) <= 3 else [*labels[:2], MORE(count=len(labels) - 2)]


def not_read(at: Resolved) -> Sentences:
    for row in SETTINGS:
        if row.families == NOT_READ and row.name not in _SILENT and facts.chosen(at, row.name):
            yield warning(_NOT_READ(label=title(row.name)))


def hires_fix_runs(at: Resolved) -> Sentences:
    settings, family = at.settings, at.family
    if not settings["hires_fix"] or facts.hires_fix_acts(at):
        return
    if family is not None and (family.supports("stage_2") or not family.supports("hires_fix")):
        return  # sizes mean something else there, or another check tells
    if not facts.on_text_path(at):
        why = facts.ONLY_FROM_TEXT()
    elif hires_first_pass(at) is None:
        why = _FIRST_PASS()
    else:
        why = _HIRES_STRENGTH()
    yield warning(_HIRES_OFF(why=why))


def shift_replaced(at: Resolved) -> Sentences:
    shift = at.settings["shift"]
    given = "shift" in at.request.settings and shift != setting("shift").default
    if given and facts.shift_is_computed(at):
        yield warning(_SHIFT_REPLACED(shift=float(shift)))


def guidance_embed(at: Resolved) -> Sentences:
    settings, given = at.settings, at.request.settings.explicit
    if at.model is None or at.family is None:
        return
    guidance, speed_up = settings["guidance_scale"], "speed_up_with_guidance_embed"
    if facts.embeds_guidance(at) and at.family.supports("guidance_embed"):
        differs = settings["guidance_embed"] != guidance
        meant = facts.chosen(at, "guidance_embed") or abs(guidance - 1) <= 0.001
        if "guidance_embed" in given and differs and meant:
            yield warning(
                _EMBEDDED_NOT_READ(
                    embedded=float(settings["guidance_embed"]), guidance=float(guidance)
                )
            )
    elif given.get(speed_up) and at.family.supports(speed_up) and not facts.why_no_guidance(at):
        reason = idle.reasons(at).get(speed_up)
        if reason is not None:
            yield warning(_NO_EFFECT(label=title(speed_up), why=reason.why))


def causal_inference(at: Resolved) -> Sentences:
    settings, family = at.settings, at.family
    if family is None or not settings["causal_inference_enabled"]:
        return
    if family.supports("causal_inference"):
        latent_frames = frames.latent(family, max(1, settings["num_frames"]))
        block = settings["causal_inference"]
        pad = max(0, settings["causal_inference_pad"])
        if not block > 0 or block + pad >= latent_frames:
            yield warning(_CAUSAL_TOO_LONG(frames=latent_frames))


def frames_rounded(at: Resolved) -> Sentences:
    family, wanted = at.family, at.settings["num_frames"]
    if family is None or family.frames_rule is None or "num_frames" not in at.request.settings:
        return
    made = family.frames_rule.nearest_below(wanted)
    if made < wanted:
        yield warning(_ROUNDED(name=family.name, made=made, wanted=wanted))


def batch_at_strength_0(at: Resolved) -> Sentences:
    settings = at.settings
    plain = at.request.image is not None and not facts.masked(at)
    if plain and settings["strength"] == 0 and settings["batch_size"] > 1:
        yield warning(_STRENGTH_0())


def sampler_fits(at: Resolved) -> Sentences:
    sampler = at.settings["sampler"]
    if at.family is not None and at.family.is_flow and sampler < Sampler.EULER_A_TRAILING:
        yield warning(_SAMPLER(sampler=sampler.label, family=at.family.name))


def seed_mode(at: Resolved) -> Sentences:
    if at.settings["seed_mode"] is SeedMode.LEGACY:
        yield warning(_LEGACY())


def words(at: Resolved) -> Sentences:
    """Weights and textual inversions that the model does not understand."""
    said: dict[Text, None] = {}
    for prompt in (at.request.prompt, at.request.negative_prompt):
        said.update(dict.fromkeys(prompt_syntax.notes(prompt, at.version, at.catalog, at.model)))
    for text in said:
        yield warning(text)


CHECKS: tuple[Check, ...] = (
    no_effect,
    not_read,
    hires_fix_runs,
    shift_replaced,
    guidance_embed,
    causal_inference,
    frames_rounded,
    batch_at_strength_0,
    sampler_fits,
    seed_mode,
    words,
)
