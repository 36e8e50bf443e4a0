"""Token and tag columns, a blank line after each sentence."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from clinsynth.core import Row, UserError
from clinsynth.submissions.importing.session import Format, LostRowError, Session
from clinsynth.submissions.importing.spans import from_tags
from clinsynth.submissions.importing.texts import read_text

_TAG = re.compile(r"O|[BIESLU](-\S+)?")


def _read(path: Path, session: Session) -> Iterator[tuple[int, Row]]:
    if not session.spec.is_span:
        raise UserError(f"{session.spec.name} has no spans", remedy="conll is a format for span tasks")
    skipped = 0
    place, lines = 0, list[list[str]]()
    for number, line in enumerate([*read_text(path).split("\n"), ""], 1):
        cells = [cell.strip(" \r") for cell in line.split("\t")] if "\t" in line else re.split(r" +", line.strip(" \r"))
        if cells == [""] or not "".join(cells):
            if lines:
                yield from _sentence(place, lines, session)
            place, lines = 0, []
        elif line.startswith("-DOCSTART-") or _is_comment(line, cells):
            skipped += 1
        else:
            place = place or number
            lines.append(cells)
    session.note("the first column became the tokens, the last one the tags; tokens are joined by spaces")
    if skipped:
        session.note(f"{skipped:,} comments and document marks were skipped")


def _is_comment(line: str, cells: list[str]) -> bool:
    # "# O" is the token "#", tagged.
    return line.startswith("# ") and not (len(cells) > 1 and _TAG.fullmatch(cells[-1]))


def _sentence(place: int, lines: list[list[str]], session: Session) -> Iterator[tuple[int, Row]]:
    if any(len(cells) < 2 or not cells[0] for cells in lines):
        session.drop(place, "no-tag", next(" ".join(cells) for cells in lines if len(cells) < 2 or not cells[0]))
        return
    try:
        yield place, from_tags([cells[0] for cells in lines], [cells[-1] for cells in lines], session)
    except LostRowError as lost:
        session.drop(place, lost.reason, lost.found)


FORMAT = Format("conll", "token and tag columns in IOB1, IOB2, IOBES or BILOU, sentences between blank lines", _read)
