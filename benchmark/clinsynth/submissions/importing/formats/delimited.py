"""Tables of values between commas, semicolons or tabs, with a header."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from clinsynth.core import Row, UserError
from clinsynth.submissions.importing.session import Format, Session
from clinsynth.submissions.importing.tables import find_layout, header_of, rows_of
from clinsynth.submissions.importing.texts import encoding_of, text_lines
from clinsynth.submissions.rows import MAX_LINE

_DELIMITERS = {",": "commas", ";": "semicolons", "\t": "tabs"}


@dataclass(frozen=True, slots=True)
class _Form:
    encoding: str
    delimiter: str
    quoting: Literal[0, 3]
    skip: int
    """Lines before the header."""


def _read(path: Path, session: Session) -> Iterator[tuple[int, Row]]:
    form = _form(path, session)
    cells = _cells(path, form)
    first = next(cells, None)
    if first is None:
        raise UserError(f"{path} is empty", expected="a header and rows")
    header = header_of(path, first[1], session)
    yield from rows_of(_records(header, cells, session), find_layout(header, session), session)


def _records(
    header: list[str], table: Iterator[tuple[int, list[str]]], session: Session
) -> Iterator[tuple[int, dict[str, str]]]:
    for line, cells in table:
        if len(cells) == len(header):
            yield line, dict(zip(header, cells, strict=True))
        elif cells:
            session.drop(line, "ragged-row", f"{len(cells)} cells for {len(header)} columns")


def _form(path: Path, session: Session) -> _Form:
    """How the file is written, and noted. The whole file is parsed once: where quotes fail is known only then."""
    encoding = encoding_of(path, session)
    with text_lines(path, encoding) as lines:
        first = next(lines, "")
    told = re.fullmatch(r"sep=(.)\s*", first)  # what Excel writes so that it can read its own files
    bare = re.sub(r'"[^"]*"?', "", first)
    delimiter = told[1] if told else max(_DELIMITERS, key=bare.count)
    session.note(f"columns are separated by {_DELIMITERS.get(delimiter, delimiter)}")
    form = _Form(encoding, delimiter, csv.QUOTE_MINIMAL, int(bool(told)))
    try:
        for _ in _cells(path, form):
            pass
    except csv.Error as error:
        if delimiter != "\t":
            remedy = (
                "a quote that is never closed, or text after a closing quote: quote the cell, and double its quotes"
            )
            raise UserError(f"{path} is not valid CSV: {error}", remedy=remedy) from None
        # Many tab-separated files use no quoting at all; a quote is then a character like any other.
        session.note(f"quotes were read as plain characters, since they do not pair up ({error})")
        return _Form(encoding, delimiter, csv.QUOTE_NONE, form.skip)
    return form


class _Lines:
    """Lines of a file that together make rows of a bounded length."""

    def __init__(self, lines: Iterator[str]) -> None:
        self._lines = lines
        self.row = 0
        """Characters of the row at hand."""

    def __iter__(self) -> _Lines:
        return self

    def __next__(self) -> str:
        line = next(self._lines)
        self.row += len(line)
        if self.row > MAX_LINE:
            raise csv.Error(f"a row of more than {MAX_LINE:,} characters")
        return line


def _cells(path: Path, form: _Form) -> Iterator[tuple[int, list[str]]]:
    # Process-wide, and only ever raised: a cell may be as long as a row.
    csv.field_size_limit(max(csv.field_size_limit(), MAX_LINE))
    with text_lines(path, form.encoding) as text:
        for _ in range(form.skip):
            next(text, "")
        lines = _Lines(text)
        reader = csv.reader(lines, delimiter=form.delimiter, quoting=form.quoting, strict=True)
        line = 1
        try:
            for cells in reader:
                yield line + form.skip, cells
                line = reader.line_num + 1
                lines.row = 0
        except csv.Error as error:
            raise csv.Error(f"line {line + form.skip}: {error}") from None


FORMAT = Format("csv", "values between commas, semicolons or tabs, with a header (.gz too)", _read)
