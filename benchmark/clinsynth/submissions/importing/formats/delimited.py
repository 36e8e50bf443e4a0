"""Tables of comma- or tab-separated values with a header."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

from clinsynth.core import Row, UserError
from clinsynth.submissions.faults import shown
from clinsynth.submissions.importing.session import Format, Session
from clinsynth.submissions.importing.tables import find_layout, rows_of
from clinsynth.submissions.importing.texts import read_text


def _read(path: Path, session: Session) -> Iterator[tuple[int, Row]]:
    text = read_text(path)
    first = text.split("\n", 1)[0]
    delimiter = "\t" if first.count("\t") > first.count(",") else ","
    session.note(f"columns are separated by {'tabs' if delimiter == chr(9) else 'commas'}")
    try:
        table = list(_cells(text, delimiter, csv.QUOTE_MINIMAL))
    except csv.Error as error:
        if delimiter == ",":
            remedy = (
                "a quote that is never closed, or text after a closing quote: quote the cell, and double its quotes"
            )
            raise UserError(f"{path} is not valid CSV: {error}", remedy=remedy) from None
        # Many tab-separated files use no quoting at all; a quote is then a character like any other.
        session.note(f"quotes were read as plain characters, since they do not pair up ({error})")
        table = list(_cells(text, delimiter, csv.QUOTE_NONE))
    if not table:
        raise UserError(f"{path} is empty", expected="a header and rows")
    _, header = table[0]
    if len(set(header)) != len(header):
        found = shown(", ".join(header))
        raise UserError(f"{path} names a column twice", found=found, remedy="the first line must be a header")
    records: list[tuple[int, Row]] = []
    for line, cells in table[1:]:
        if len(cells) == len(header):
            records.append((line, dict(zip(header, cells, strict=True))))
        elif cells:
            session.drop(line, "ragged-row", f"{len(cells)} cells for {len(header)} columns")
    yield from rows_of(records, find_layout(header, session), session)


def _cells(text: str, delimiter: str, quoting: Literal[0, 3]) -> Iterator[tuple[int, list[str]]]:
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, quoting=quoting, strict=True)
    line = 1
    try:
        for cells in reader:
            yield line, cells
            line = reader.line_num + 1
    except csv.Error as error:
        raise csv.Error(f"line {line}: {error}") from None


FORMAT = Format("csv", "comma- or tab-separated values with a header (.gz too)", _read)
