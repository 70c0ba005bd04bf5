"""What the words of a prompt mean to a model family beyond their text.

Weights in brackets, textual inversions, and forms of other programs that the server does
not know. Only says; never changes a prompt.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from ..models.catalog import Catalog, Embedding, Model
from ..models.families import Family, family

# With a letter before the colon: "(16:9)" is no weight.
_WEIGHT = re.compile(r"\([^()]*[^\W\d_][^()]*:\s*[+-]?\d*\.?\d+\s*\)")
_KEYWORD = re.compile(r"<([^<>\s:]+)>")
_LORA = re.compile(r"<(?:lora|lyco|hypernet):[^<>]*>", re.IGNORECASE)
_FOREIGN_EMBEDDING = re.compile(r"\bembedding:([\w.-]+)", re.IGNORECASE)


def keywords(prompt: str) -> tuple[str, ...]:
    """The textual inversions that a prompt names as <keyword>, in lower case, each once."""
    return tuple(dict.fromkeys(word.lower() for word in _KEYWORD.findall(prompt)))


def with_keyword(prompt: str, keyword: str) -> str:
    """The prompt with <keyword> at its end, unless it is in there already."""
    if keyword.lower() in keywords(prompt):
        return prompt
    return f"{prompt.rstrip()} <{keyword}>".lstrip()


def understands_weights(version: str, model: Model | None = None) -> bool:
    """Whether "(text:1.2)" acts on a model of that version."""
    return _feature("prompt_weighting", version, model)


def understands_embeddings(version: str, model: Model | None = None) -> bool:
    """Whether there can be textual inversions for a model of that version."""
    return _feature("textual_inversion", version, model)


def notes(
    prompt: str, version: str, catalog: Catalog | None = None, model: Model | None = None
) -> tuple[str, ...]:
    """Sentences on what in the prompt the server does not do as it says.

    `model` refines what the version's family can do; it comes from the catalogue. A version
    that the table does not know is given the benefit of the doubt.
    """
    return (
        *_weight_notes(prompt, version, model),
        *_embedding_notes(prompt, version, catalog, model),
        *_foreign_notes(prompt),
    )


def _feature(name: str, version: str, model: Model | None) -> bool:
    found = family(version)
    if model is not None and _language_model(model):
        return False
    return found is None or found.supports(name)


def _language_model(model: Model) -> bool:
    """Whether another text encoder than its family's reads the prompt (Kolors: ChatGLM)."""
    return str(model.description.get("text_encoder_version") or "").startswith("chatglm")


def _name(version: str, model: Model | None = None) -> str:
    found: Family | None = family(version)
    if model is not None and _language_model(model):
        return model.name
    return found.name if found else version


def _weight_notes(prompt: str, version: str, model: Model | None) -> Iterator[str]:
    found = _WEIGHT.search(prompt)
    if found is None:
        return
    if not understands_weights(version, model):
        yield f"{_name(version, model)} knows no weights: {found[0]!r} is read as plain text."
    elif (row := family(version)) is not None and row.supports("t5_text_encoder"):
        yield f"The weight in {found[0]!r} acts on the CLIP part of {row.name} only; T5 reads it."


def _embedding_notes(
    prompt: str, version: str, catalog: Catalog | None, model: Model | None
) -> Iterator[str]:
    words = keywords(prompt)
    if words and not understands_embeddings(version, model):
        shown = ", ".join(f"<{word}>" for word in words)
        yield (f"{_name(version, model)} has no textual inversions: {shown} is read as plain text.")
        return
    usable = False
    for word in words:
        rows = _embeddings(word, catalog)
        if not rows and catalog is not None and catalog.browsable:
            yield f"The server has no textual inversion <{word}>: it is read as plain text."
        elif rows and not any(_fits(row, version) for row in rows):
            yield (
                f"The textual inversion <{word}> is for {_name(rows[0].version)}, the model is "
                f"{_name(version, model)}: it does not act."
            )
        else:
            usable = True
    if usable:
        yield (
            "Textual inversions act in the Draw Things app; the stand-alone gRPCServerCLI reads "
            "them as plain text."
        )


def _embeddings(word: str, catalog: Catalog | None) -> list[Embedding]:
    rows = catalog.embeddings if catalog else ()
    return [row for row in rows if row.keyword.lower() == word]


def _fits(embedding: Embedding, version: str) -> bool:
    row = family(version)
    return row is None or embedding.version == version or embedding.version in row.refiner_versions


def _foreign_notes(prompt: str) -> Iterator[str]:
    lora = _LORA.search(prompt)
    if lora is not None:
        yield f"{lora[0]!r} is read as plain text: add LoRAs with DT LoRA."
    embedding = _FOREIGN_EMBEDDING.search(prompt)
    if embedding is not None:
        yield f"{embedding[0]!r} is read as plain text: write <{embedding[1]}>."
