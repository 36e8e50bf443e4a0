"""Token and tag columns, a blank line after each sentence."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path

from clinsynth.core import Row, UserError
from clinsynth.submissions.importing.session import Format, LostRowError, Session
from clinsynth.submissions.importing.spans import from_tags
from clinsynth.submissions.importing.texts import encoding_of, text_lines

_TAG = re.compile(r"O|[BIESLU](-\S+)?")
_MAX_TOKENS = 20_000
"""Tokens of a sentence: with one character each they make the longest text that a row may hold."""


@dataclass(slots=True)
class _Sentence:
    place: int = 0
    """Line of its first token."""
    tokens: list[str] = field(default_factory=list[str])
    tags: list[object] = field(default_factory=list[object])
    fault: tuple[str, str] | None = None

    def add(self, number: int, cells: list[str]) -> None:
        self.place = self.place or number
        if self.fault is not None:
            return
        if len(cells) < 2 or not cells[0]:
            self.fault = ("no-tag", " ".join(cells))
        elif len(self.tokens) == _MAX_TOKENS:
            self.fault = ("text-too-long", f"more than {_MAX_TOKENS:,} tokens")
        else:
            self.tokens.append(cells[0])
            self.tags.append(cells[-1])


def _read(path: Path, session: Session) -> Iterator[tuple[int, Row]]:
    if not session.spec.is_span:
        raise UserError(f"{session.spec.name} has no spans", remedy="conll is a format for span tasks")
    skipped = 0
    sentence = _Sentence()
    with text_lines(path, encoding_of(path, session)) as lines:
        for number, line in enumerate(chain(lines, [""]), 1):
            bare = line.strip(" \r\n")
            cells = [cell.strip(" \r\n") for cell in line.split("\t")] if "\t" in line else re.split(r" +", bare)
            if not "".join(cells):
                if sentence.place:
                    yield from _row(sentence, session)
                    sentence = _Sentence()
            elif line.startswith("-DOCSTART-") or _is_comment(line, cells):
                skipped += 1
            else:
                sentence.add(number, cells)
    session.note("the first column became the tokens, the last one the tags; tokens are joined by spaces")
    if skipped:
        session.note(f"{skipped:,} comments and document marks were skipped")


def _is_comment(line: str, cells: list[str]) -> bool:
    # "# O" is the token "#", tagged.
    return line.startswith("# ") and not (len(cells) > 1 and _TAG.fullmatch(cells[-1]))


def _row(sentence: _Sentence, session: Session) -> Iterator[tuple[int, Row]]:
    if sentence.fault is not None:
        session.drop(sentence.place, *sentence.fault)
        return
    try:
        yield sentence.place, from_tags(sentence.tokens, sentence.tags, session)
    except LostRowError as lost:
        session.drop(sentence.place, lost.reason, lost.found)


FORMAT = Format("conll", "token and tag columns in IOB1, IOB2, IOBES or BILOU, sentences between blank lines", _read)
