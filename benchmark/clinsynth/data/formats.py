"""Parsers that the readers in ``tasks/`` share, for published file forms, with their error messages.

Every message names file and line and never shows what stands there: the file may be under a data use agreement.
"""

from __future__ import annotations

import csv
import json
from collections import Counter
from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple, TypeVar, cast

from clinsynth.core import Example, RawFiles, Span

T = TypeVar("T")

_counts: ContextVar[Counter[str] | None] = ContextVar("counts", default=None)


def count(reason: str, by: int = 1) -> None:
    """Say that rows were left out or mended, and why. The store writes the totals into its manifest."""
    counts = _counts.get()
    if counts is not None:
        counts[reason] += by


@contextmanager
def counting() -> Generator[Counter[str]]:
    """Collect what readers ``count`` inside the block."""
    counts: Counter[str] = Counter()
    token = _counts.set(counts)
    try:
        yield counts
    finally:
        _counts.reset(token)


class ReadError(ValueError):
    """A file that a reader cannot take. The message holds nothing from the file, so it may always be shown."""


def fault(path: str, line: int, what: str) -> ReadError:
    """The error of a reader. ``what`` must not quote the file."""
    return ReadError(f"{path}, line {line}: {what}")


def pick(choices: Mapping[str, T], value: str, path: str, line: int) -> T:
    """``choices[value]``, or a fault that names what was expected but not what was found."""
    if value not in choices:
        raise fault(path, line, f"not one of {' | '.join(choices)}")
    return choices[value]


class Numbering:
    """Gives equal texts the same short name: a unit can then be stored in public without any of its text."""

    def __init__(self) -> None:
        self._seen: dict[str, str] = {}

    def __call__(self, text: str) -> str:
        """The name of ``text``: its number in order of first appearance."""
        return self._seen.setdefault(text, str(len(self._seen)))


def collapse(text: str) -> str:
    """The text with every run of white space made one space, and none at the ends."""
    return " ".join(text.split())


def mark(text: str, replacements: Iterable[tuple[int, int, str]]) -> str:
    """Replace stretches ``(start, end, marker)`` of a text; they must not overlap."""
    pieces: list[str] = []
    done = 0
    for start, end, marker in sorted(replacements):
        if start < done:
            raise ValueError("replacements overlap")
        pieces += [text[done:start], marker]
        done = end
    return "".join([*pieces, text[done:]])


def json_lines(files: RawFiles, path: str) -> Iterator[tuple[int, dict[str, Any]]]:
    """Line number and object of every line that is not blank."""
    with files.open(path) as stream:
        for number, line in enumerate(stream, 1):
            if not line.strip():
                continue
            try:
                value = json.loads(line)
            except json.JSONDecodeError:
                value = None
            if not isinstance(value, dict):
                raise fault(path, number, "not a JSON object")
            yield number, cast("dict[str, Any]", value)


def json_fields(files: RawFiles, path: str, keys: Sequence[str]) -> Iterator[tuple[int, dict[str, str]]]:
    """``json_lines`` cut to ``keys``, each of which must hold a string."""
    for number, value in json_lines(files, path):
        if bad := [key for key in keys if not isinstance(value.get(key), str)]:
            raise fault(path, number, f"no string under {', '.join(bad)}")
        yield number, {key: value[key] for key in keys}


def table(
    files: RawFiles,
    path: str,
    columns: Sequence[str],
    *,
    delimiter: str = ",",
    quoted: bool = True,
    header: bool = True,
) -> Iterator[tuple[int, dict[str, str]]]:
    """Line number and ``columns`` of every row of a CSV or TSV file.

    ``quoted`` says whether a quote at the start of a field is syntax or text. Without ``header``, ``columns`` must
    name every column in order.
    """
    # Process-wide, and only ever raised: evidence columns pass the default of 131,072 characters.
    csv.field_size_limit(2**31 - 1)
    with files.open(path) as stream:
        # Lenient about quotes inside fields, as pandas and R are: the published counts were made with those.
        reader = csv.reader(stream, delimiter=delimiter, quoting=csv.QUOTE_MINIMAL if quoted else csv.QUOTE_NONE)
        names = next(reader, list[str]()) if header else list(columns)
        names = [name.removeprefix("\ufeff").strip() for name in names]
        if missing := [name for name in columns if name not in names]:
            raise fault(path, 1, f"the header lacks {', '.join(missing)}")
        at = {name: names.index(name) for name in columns}
        for row in _rows(reader, path):
            if len(row) != len(names):
                raise fault(path, reader.line_num, f"{len(row)} columns, expected {len(names)}")
            yield reader.line_num, {name: row[index] for name, index in at.items()}


def _rows(reader: Iterator[list[str]], path: str) -> Iterator[list[str]]:
    try:
        yield from (row for row in reader if row)
    except csv.Error as error:
        raise fault(path, cast("Any", reader).line_num, f"not valid CSV: {error}") from None


def iob(files: RawFiles, path: str, label: str) -> Iterator[Example]:
    """Sentences of a ``token<TAB>tag`` file with a blank line after each; text is the tokens joined by one space.

    Bare ``B`` and ``I`` tags mean ``label``; ``B-X`` means ``X``. An ``I`` that continues nothing starts an entity,
    as in the CoNLL evaluation script, and is counted.
    """
    tokens: list[str] = []
    tags: list[str] = []
    with files.open(path) as stream:
        for number, line in enumerate(stream, 1):
            bare = line.rstrip("\r\n")
            if bare:
                token, tab, tag = bare.rpartition("\t")
                if not tab or not token or not (tag == "O" or tag in ("B", "I") or tag[:2] in ("B-", "I-")):
                    raise fault(path, number, "expected token, tab, and a tag O, B, I, B-... or I-...")
                tokens.append(token)
                tags.append(tag)
            elif tokens:
                yield _sentence(tokens, tags, label)
                tokens, tags = [], []
    if tokens:
        yield _sentence(tokens, tags, label)


def _sentence(tokens: Sequence[str], tags: Sequence[str], label: str) -> Example:
    spans: list[Span] = []
    at = 0
    is_open = False
    for token, tag in zip(tokens, tags, strict=True):
        end = at + len(token)
        if tag == "O":
            is_open = False
        else:
            kind = tag[2:] or label
            if tag[0] == "I" and is_open and spans[-1].label == kind:
                spans[-1] = spans[-1]._replace(end=end)
            else:
                if tag[0] == "I":
                    count("I tag that continues nothing: starts an entity")
                spans.append(Span(at, end, kind))
            is_open = True
        at = end + 1
    return Example((" ".join(tokens),), spans=tuple(spans))


class Mention(NamedTuple):
    """A named entity of a PubTator article."""

    start: int
    """First character in ``Article.text``."""
    end: int
    kind: str
    """Entity type, such as Chemical."""
    concepts: tuple[str, ...]
    """Identifiers; several for a composite mention, none where the corpus has no concept (``-1``)."""


@dataclass(frozen=True, slots=True)
class Article:
    """A title and abstract with mentions and document-level relations."""

    pmid: str
    title: str
    abstract: str
    mentions: tuple[Mention, ...]
    relations: frozenset[tuple[str, str, str]]
    """``(relation, first concept, second concept)``."""

    @property
    def text(self) -> str:
        """What the offsets of the mentions count in: title, one character between, abstract."""
        return f"{self.title} {self.abstract}"


@dataclass(slots=True)
class _Draft:
    pmid: str = ""
    parts: dict[str, str] = field(default_factory=dict[str, str])
    mentions: list[Mention] = field(default_factory=list[Mention])
    relations: list[tuple[str, str, str]] = field(default_factory=list[tuple[str, str, str]])

    def done(self, path: str, line: int) -> Article:
        if self.parts.keys() != {"t", "a"}:
            raise fault(path, line, "the article above lacks its |t| or |a| line")
        return Article(
            self.pmid, self.parts["t"], self.parts["a"], tuple(sorted(self.mentions)), frozenset(self.relations)
        )

    def add(self, line: str, path: str, number: int) -> None:
        head = line.split("|", 2)
        if len(head) == 3 and head[1] in ("t", "a"):
            self.pmid = head[0]
            self.parts[head[1]] = head[2]
            return
        cells = line.split("\t")
        if len(cells) in (6, 7) and cells[1].isdigit() and cells[2].isdigit():
            self.mentions.append(self._mention(cells, path, number))
        elif len(cells) == 4:
            self.relations.append((cells[1], cells[2], cells[3]))
        else:
            raise fault(path, number, "neither title, abstract, mention nor relation")

    def _mention(self, cells: list[str], path: str, number: int) -> Mention:
        start, end = int(cells[1]), int(cells[2])
        if f"{self.parts.get('t', '')} {self.parts.get('a', '')}"[start:end] != cells[3]:
            raise fault(path, number, "the offsets do not give the mention's text")
        concepts = tuple(dict.fromkeys(c for c in cells[5].split("|") if c not in ("", "-1")))
        return Mention(start, end, cells[4], concepts)


def pubtator(files: RawFiles, path: str) -> Iterator[Article]:
    """Articles of a PubTator file, in order."""
    draft: _Draft | None = None
    number = 0
    with files.open(path) as stream:
        for number, line in enumerate(stream, 1):
            bare = line.rstrip("\r\n")
            if bare:
                draft = draft or _Draft()
                draft.add(bare, path, number)
            elif draft:
                yield draft.done(path, number)
                draft = None
    if draft:
        yield draft.done(path, number)


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
