"""The table of notes, requests and answers: its columns are those of Asclepius' released data."""

from __future__ import annotations

import csv
import gzip
import io
import json
from collections.abc import Iterable, Iterator
from dataclasses import astuple, dataclass, fields
from pathlib import Path
from typing import Any, cast

from clinsynth.core import UserError

TABLE = "notes.csv"


@dataclass(frozen=True, slots=True)
class NoteRow:
    """A note, something asked about it, and the answer."""

    patient_id: str
    """Identifier of the case report that the note was written from."""
    note: str
    question: str
    answer: str
    task: str
    """Kind of request."""


COLUMNS = tuple(each.name for each in fields(NoteRow))
_NEEDED = frozenset(COLUMNS) - {"patient_id"}


def table_text(rows: Iterable[NoteRow]) -> str:
    """The rows as CSV with a head."""
    buffer = io.StringIO(newline="")
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(COLUMNS)
    writer.writerows(astuple(row) for row in rows)
    return buffer.getvalue()


def read_table(path: Path) -> list[NoteRow]:
    """The rows of ``clinsynth notes``, or others with these columns.

    Args:
        path: the folder that the command wrote, or a file: CSV with a head, or JSON Lines; gzipped or not.

    Raises:
        UserError: it cannot be read, is neither form, or a row lacks a column; the line is named.
    """
    file = path / TABLE if path.is_dir() else path
    name = file.name.removesuffix(".gz")
    try:
        raw = gzip.decompress(file.read_bytes()) if file.suffix == ".gz" else file.read_bytes()
        text = raw.decode("utf-8-sig")
    except (OSError, EOFError, UnicodeDecodeError) as error:
        raise UserError(
            f"{file} cannot be read", found=str(error), expected="the folder or table of `clinsynth notes`"
        ) from error
    if not name.endswith((".csv", ".jsonl")):
        raise UserError(
            f"{file} has an unknown form", expected="a folder with notes.csv, or .csv, .jsonl, gzipped or not"
        )
    rows = [_row(file, line, row) for line, row in (_csv if name.endswith(".csv") else _json_lines)(file, text)]
    if not rows:
        raise UserError(f"{file} has no rows")
    return rows


def _csv(file: Path, text: str) -> Iterator[tuple[int, Any]]:
    csv.field_size_limit(10**9)  # a note may be long
    reader = csv.DictReader(io.StringIO(text, newline=""), strict=True)
    try:
        for row in reader:
            yield reader.line_num, row
    except csv.Error as error:
        raise UserError(f"{file}, line {reader.line_num} is no CSV", found=str(error)) from error


def _json_lines(file: Path, text: str) -> Iterator[tuple[int, Any]]:
    for number, line in enumerate(text.split("\n"), 1):
        if line.strip():
            try:
                yield number, json.loads(line)
            except ValueError as error:
                raise UserError(f"{file}, line {number} is no JSON", found=str(error)) from error


def _row(file: Path, line: int, row: Any) -> NoteRow:
    found = cast("dict[str, Any]", row) if isinstance(row, dict) else {}
    if lacking := sorted(name for name in _NEEDED if not isinstance(found.get(name), str)):
        raise UserError(
            f"{file}, line {line} is no row of notes", found=f"no text for {', '.join(lacking)}",
            expected=", ".join(COLUMNS),
        )  # fmt: skip
    return NoteRow(str(found.get("patient_id", "")), *(found[name] for name in COLUMNS[1:]))
