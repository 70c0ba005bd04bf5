"""What the words of a prompt mean to a model family beyond their text.

Weights in brackets, textual inversions, and forms of other programs that the server does
not know. Only says; never changes a prompt.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from ..models.catalog import Catalog, Embedding, Model
from ..models.families import Family, family
from ..text import Template, Text

# With a letter before the colon: "(16:9)" is no weight.
_WEIGHT = re.compile(r"\([^()]*[^\W\d_][^()]*:\s*[+-]?\d*\.?\d+\s*\)")
_KEYWORD = re.compile(r"<([^<>\s:]+)>")
_LORA = re.compile(r"<(?:lora|lyco|hypernet):[^<>]*>", re.IGNORECASE)
_FOREIGN_EMBEDDING = re.compile(r"\bembedding:([\w.-]+)", re.IGNORECASE)

_NO_WEIGHTS = Template(
    "prompt_no_weights", "{model} knows no weights: '{words}' is read as plain text."
)
_CLIP_ONLY = Template(
    "prompt_weight_of_clip",
    "The weight in '{words}' acts on the CLIP part of {family} only; T5 reads it.",
)
_NO_INVERSIONS = Template(
    "prompt_no_inversions", "{model} has no textual inversions: {words} is read as plain text."
)
_INVERSION_MISSING = Template(
    "prompt_inversion_missing",
    "The server has no textual inversion <{word}>: it is read as plain text.",
)
_INVERSION_FAMILY = Template(
    "prompt_inversion_family",
    "The textual inversion <{word}> is for {family}, the model is {model}: it does not act.",
)
_ONLY_IN_APP = Template(
    "prompt_inversions_in_app",
    "Textual inversions act in the Draw Things app; the stand-alone gRPCServerCLI reads them as "
    "plain text.",
)
_LORA_IN_PROMPT = Template(
    "prompt_lora",
    "'{words}' is read as plain text: a LoRA is chosen beside the prompt, not in it.",
)
_FOREIGN = Template("prompt_embedding", "'{words}' is read as plain text: write <{word}>.")


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
) -> tuple[Text, ...]:
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


def _weight_notes(prompt: str, version: str, model: Model | None) -> Iterator[Text]:
    found = _WEIGHT.search(prompt)
    if found is None:
        return
    if not understands_weights(version, model):
        yield _NO_WEIGHTS(model=_name(version, model), words=found[0])
    elif (row := family(version)) is not None and row.supports("t5_text_encoder"):
        yield _CLIP_ONLY(words=found[0], family=row.name)


def _embedding_notes(
    prompt: str, version: str, catalog: Catalog | None, model: Model | None
) -> Iterator[Text]:
    words = keywords(prompt)
    if words and not understands_embeddings(version, model):
        shown = [f"<{word}>" for word in words]
        yield _NO_INVERSIONS(model=_name(version, model), words=shown)
        return
    usable = False
    for word in words:
        rows = _embeddings(word, catalog)
        if not rows and catalog is not None and catalog.browsable:
            yield _INVERSION_MISSING(word=word)
        elif rows and not any(_fits(row, version) for row in rows):
            yield _INVERSION_FAMILY(
                word=word, family=_name(rows[0].version), model=_name(version, model)
            )
        else:
            usable = True
    if usable:
        yield _ONLY_IN_APP()


def _embeddings(word: str, catalog: Catalog | None) -> list[Embedding]:
    rows = catalog.embeddings if catalog else ()
    return [row for row in rows if row.keyword.lower() == word]


def _fits(embedding: Embedding, version: str) -> bool:
    row = family(version)
    return row is None or embedding.version == version or embedding.version in row.refiner_versions


def _foreign_notes(prompt: str) -> Iterator[Text]:
    lora = _LORA.search(prompt)
    if lora is not None:
        yield _LORA_IN_PROMPT(words=lora[0])
    embedding = _FOREIGN_EMBEDDING.search(prompt)
    if embedding is not None:
        yield _FOREIGN(words=embedding[0], word=embedding[1])
