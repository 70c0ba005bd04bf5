"""Every text that a user sees is there in every language."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from drawthings.tools import build_locales, node_texts
from spoken import translations


def test_no_text_is_missing_left_over_or_stale() -> None:
    texts = build_locales.english(node_texts.read(), node_texts.read_sentences())

    assert list(build_locales.complaints(texts)) == []


def test_commands_and_settings_are_found_in_the_features() -> None:
    texts = build_locales.english(node_texts.read(), node_texts.read_sentences())

    assert "drawthingsnodes_refresh" in texts["commands"]
    assert texts["settings"]["drawthingsnodes_without_effect"]["options"] == {
        "dim": "dim",
        "fold away": "fold away",
        "show": "show",
    }


def test_a_sentence_without_translation_is_told_by_its_key() -> None:
    texts = {"main": {"drawthingsnodes": {"sentences": {"new_one": "A sentence with a {hole}."}}}}

    found = list(build_locales.complaints(texts))

    said = "no translation: main.drawthingsnodes.sentences.new_one: A sentence with a {hole}."
    assert {f"zh: {said}", f"ja: {said}"} <= set(found)


def test_other_holes_and_a_translation_of_nothing_are_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    texts = {"main": {"drawthingsnodes": {"sentences": {"new_one": "A sentence with a {hole}."}}}}
    table = {"A sentence with a {hole}.": "{ghost}", "Nobody says that.": "x"}
    for language in build_locales.LANGUAGES:
        (tmp_path / f"{language}.json").write_text(json.dumps(table), encoding="utf-8")
    monkeypatch.setattr(build_locales, "TRANSLATIONS", tmp_path)

    found = list(build_locales.complaints(texts))

    place = "main.drawthingsnodes.sentences.new_one"
    assert f"zh: other holes: {place}: A sentence with a {{hole}}." in found
    assert "ja: not used: Nobody says that." in found


def test_the_page_gets_every_sentence_of_the_backend_in_its_languages() -> None:
    told = node_texts.read_sentences()

    for language in build_locales.LANGUAGES:
        assert translations(language).keys() == told.keys()
