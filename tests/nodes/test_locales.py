"""Every text that a user sees is there in every language."""

from __future__ import annotations

from drawthings.tools import build_locales, node_texts


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


def test_a_changed_sentence_is_told() -> None:
    texts = {"main": {"drawthingsnodes": {"x": {"y": "A sentence without translation {hole}."}}}}

    found = list(build_locales.complaints(texts))

    assert "zh: no translation: A sentence without translation {hole}." in found
    assert "ja: no translation: A sentence without translation {hole}." in found
