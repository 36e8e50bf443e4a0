"""Documents of examples that were published sentence by sentence, so that sentences of one document share a unit."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

from clinsynth.core import Example
from clinsynth.data.formats import ReadError


def documents_by_text(examples: Iterable[Example], documents: Mapping[str, str], path: str) -> Iterator[Example]:
    """Name the document of every example, from the documents' running text.

    The examples must be the documents cut into sentences: each document whole and in its own order, the documents in
    any order. White space is not compared, since tokenising adds some. Because a whole document has to fit, sentences
    that stand in several documents (headings, set phrases) are not taken for the wrong one.

    Args:
        examples: one sentence each, in published order.
        documents: text by name; the name becomes the unit.
        path: the file of the examples, for messages.

    Raises:
        ReadError: where a sentence belongs to no document that is left.
    """
    given = list(examples)
    sentences = [_squeezed(example.texts[0]) for example in given]
    left = {name: _squeezed(text) for name, text in documents.items()}
    at = 0
    while at < len(given):
        fits = ((name, _end(sentences, at, text)) for name, text in left.items())
        name, end = next(((name, end) for name, end in fits if end is not None), ("", None))
        if end is None:
            raise ReadError(f"{path}, sentence {at + 1}: it and those after it are none of the documents")
        del left[name]
        yield from (replace(example, unit=name) for example in given[at:end])
        at = end


def documents_by_size(examples: Iterable[Example], sizes: Sequence[int], path: str) -> Iterator[Example]:
    """Number the document of every example, from the documents' numbers of sentences in published order.

    Raises:
        ReadError: where there are more or fewer examples than the sizes add up to.
    """
    given = list(examples)
    if len(given) != sum(sizes):
        raise ReadError(f"{path}: {len(given):,} sentences, but its documents have {sum(sizes):,}")
    units = (str(number) for number, size in enumerate(sizes) for _ in range(size))
    yield from (replace(example, unit=unit) for example, unit in zip(given, units, strict=True))


def _squeezed(text: str) -> str:
    return "".join(text.split())


def _end(sentences: Sequence[str], at: int, text: str) -> int | None:
    """Where the sentences from ``at`` on have made up the whole text; ``None`` where they do not."""
    done = 0
    while done < len(text) and at < len(sentences) and sentences[at] and text.startswith(sentences[at], done):
        done += len(sentences[at])
        at += 1
    return at if done == len(text) > 0 else None
