"""BibTeX entries for a page: the benchmark, the methods that it shows, and the data sets.

BibTeX hands the words of an entry to LaTeX, which runs them. Entries of cards are a stranger's, so they are taken apart
and written anew from what is known to be harmless; any other is left out, and a comment says why.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from clinsynth.core import clean
from clinsynth.snapshot import Snapshot
from clinsynth.views import Page


def as_bibtex(snapshot: Snapshot, page: Page) -> str:
    """The snapshot, every method on the page that names an entry, and the data sets that it was scored on.

    Keys that clash get a letter; what has no entry, or one that is refused, is named in a comment.
    """
    cards = {row.submission: row for row in snapshot.tables.submissions}
    shown = [cards[name] for name in page.submissions if name in cards]
    without = [card.submission for card in shown if not card.bibtex.strip()]
    names = {row.task for row in snapshot.tables.scores if row.submission in page.submissions}
    given = [(f"the card of {card.submission}", card.bibtex) for card in shown if card.bibtex.strip()]
    given += [(row.task, row.citation) for row in snapshot.tables.tasks if row.task in names and row.citation.strip()]
    entries = [_benchmark(snapshot)]
    notes = [f"No entry in the card of: {', '.join(without)}"] if without else []
    for place, text in given:
        try:
            entries += read_entries(text)
        except EntryError as error:
            notes.append(f"Left out, the entry of {place}: {error}")
    comments = [f"% {clean(' '.join(note.split()))}" for note in notes]
    return "\n\n".join([*(["\n".join(comments)] if comments else []), *_distinct(entries)]) + "\n"


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry of a bibliography."""

    kind: str
    key: str
    fields: tuple[tuple[str, str], ...]
    """Names, and values without the braces around them."""

    def text(self, key: str) -> str:
        """The entry under a key."""
        lines = "".join(f"  {name} = {{{value}}},\n" for name, value in self.fields)
        return f"@{self.kind}{{{key},\n{lines}}}"


class EntryError(ValueError):
    """An entry that is refused, with the reason."""


_KINDS = frozenset(
    re.findall(
        r"\S+",
        "article book booklet collection conference dataset electronic inbook incollection inproceedings manual "
        "mastersthesis misc online patent phdthesis proceedings report software techreport thesis unpublished",
    )
)
"""Not among them: ``@preamble`` and ``@string``, which are TeX and macros, and ``@comment``."""
_COMMANDS = frozenset(
    re.findall(
        r"\S+",
        "' ` ^ \" ~ = . - & % $ # _ { } aa AA ae AE c d emph H i j k l L o O oe OE r ss textbf textgreater textit "
        "textless textsubscript textsuperscript u url v",
    )
)
"""Accents, letters, typefaces and escapes: commands of TeX that only print."""
_START = re.compile(r"\s*@([A-Za-z]+)\s*\{\s*([A-Za-z0-9][A-Za-z0-9:._/+-]{0,99})\s*,")
_FIELD = re.compile(r"\s*([A-Za-z][A-Za-z-]{0,39})\s*=\s*(?:(\d{1,9})|([a-z]{3})\b|([{\"]))")
_MONTHS = frozenset(re.findall(r"\S+", "jan feb mar apr may jun jul aug sep oct nov dec"))
_COMMAND = re.compile(r"\\([A-Za-z]+|.)", re.DOTALL)
_MOST = 20_000
"""Characters that the entries of one card may have."""


def read_entries(text: str) -> list[Entry]:
    """The entries in a text. Raises ``EntryError`` if anything in it is not an ordinary entry."""
    if len(text) > _MOST:
        raise EntryError(f"it is longer than {_MOST:,} characters")
    out: list[Entry] = []
    at = 0
    while text[at:].strip():
        start = _START.match(text, at)
        if start is None:
            raise EntryError("it does not begin as @type{key, ...}")
        kind = start.group(1).lower()
        if kind not in _KINDS:
            raise EntryError(f"@{kind} is no type of publication")
        fields, at = _read_fields(text, start.end())
        out.append(Entry(kind, start.group(2), tuple(fields)))
    return out


def _read_fields(text: str, at: int) -> tuple[list[tuple[str, str]], int]:
    fields: list[tuple[str, str]] = []
    while True:
        if end := re.compile(r"\s*\}").match(text, at):
            return fields, end.end()
        matched = _FIELD.match(text, at)
        if matched is None:
            raise EntryError("a field is not of the form name = {value}")
        name, number, month, opened = matched.groups()
        at = matched.end()
        if opened:
            value, at = _read_value(text, at, "}" if opened == "{" else '"')
        elif number is not None or month in _MONTHS:
            value = number or month
        else:
            raise EntryError("a value is a macro's name")
        fields.append((name.lower(), _harmless(value)))
        comma = re.compile(r"\s*(,|(?=\}))").match(text, at)
        if comma is None:
            raise EntryError("no comma after a field")
        at = comma.end()


def _read_value(text: str, at: int, close: str) -> tuple[str, int]:
    """A value up to its closing mark, and the place behind it."""
    # Braces count as they do for BibTeX, which knows no escaped ones.
    depth, start = 0, at
    while at < len(text):
        character = text[at]
        if depth == 0 and character == close:
            return text[start:at], at + 1
        depth += (character == "{") - (character == "}")
        if depth < 0:
            break
        at += 1
    raise EntryError("its braces do not fit")


def _harmless(value: str) -> str:
    # ^^5c is another way to write a backslash.
    if "^^" in value:
        raise EntryError("^^ writes characters that are not seen")
    for command in _COMMAND.findall(value):
        if command not in _COMMANDS:
            raise EntryError(f"\\{command} is not among the commands that only print")
    if clean(value) != value.replace("\r", ""):
        raise EntryError("a control character or one that turns the reading order is in it")
    # An angle bracket is markup where the entry is put into a page.
    return " ".join(value.split()).replace("<", r"{\textless}").replace(">", r"{\textgreater}")


def _benchmark(snapshot: Snapshot) -> Entry:
    manifest = snapshot.manifest
    return Entry("misc", f"clinsynth-{manifest.short}", (
        ("title", "clinsynth: a benchmark for synthetic clinical training data"),
        ("author", "{The clinsynth authors}"),
        ("year", manifest.created[:4]),
        ("note", f"Snapshot {manifest.short} of {manifest.day}, clinsynth {manifest.clinsynth}"),
    ))  # fmt: skip


def _distinct(entries: list[Entry]) -> list[str]:
    out: list[str] = []
    seen: dict[str, Entry] = {}
    for entry in entries:
        if entry in seen.values():
            continue
        fresh, letter = entry.key, "a"
        while fresh in seen:
            letter = chr(ord(letter) + 1)
            fresh = f"{entry.key}{letter}"
        seen[fresh] = entry
        out.append(entry.text(fresh))
    return out
