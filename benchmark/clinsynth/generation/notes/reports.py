"""Case reports that notes are written from: a dozen that come along, or a file such as PMC-Patients."""

from __future__ import annotations

import csv
import gzip
import hashlib
import importlib
import io
import json
import os
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

from clinsynth.core import UserError

REPORTS_VARIABLE = "CLINSYNTH_REPORTS"
"""Where the baseline ``asclepius`` finds its case reports: ``builtin`` (default), or a file."""
BUILTIN = Path(__file__).parent / "reports.txt"
TEXT_COLUMN = "patient"
ID_COLUMNS = ("patient_uid", "patient_id")
"""Columns of PMC-Patients (https://github.com/pmc-patients/pmc-patients)."""
SHORTEST = 40
"""Words; anything shorter tells no course of an illness."""


@dataclass(frozen=True, slots=True)
class Report:
    """One case report."""

    id: str
    text: str


@dataclass(frozen=True, slots=True)
class Reports:
    """All case reports of a source, in its order."""

    name: str
    """``builtin``, or the name of the file."""
    digest: str
    """sha256 of the file as it is stored."""
    items: tuple[Report, ...]
    dropped: Counter[str] = field(default_factory=Counter[str])
    """Entries that are no case report, by reason: ``empty``, ``short``, ``repeated``."""


def read_reports(source: str | None = None) -> Reports:
    """``builtin`` or the path of a CSV, Parquet, JSON or JSON Lines file with a column ``patient``.

    Raises:
        UserError: no such file, not one of these forms, no such column, or no case report in it.
    """
    source = source or os.environ.get(REPORTS_VARIABLE) or "builtin"
    path = BUILTIN if source == "builtin" else Path(source).expanduser()
    if not path.is_file():
        raise UserError(
            f"no case reports at {path}",
            expected="builtin, or a file",
            remedy="download PMC-Patients (https://github.com/pmc-patients/pmc-patients) and name PMC-Patients.csv",
        )
    rows = _builtin() if path == BUILTIN else _rows(path)
    dropped: Counter[str] = Counter()
    items: dict[str, Report] = {}
    for number, (name, text) in enumerate(rows):
        plain = " ".join(text.split())
        size = len(plain.split())
        reason = "empty" if not size else "short" if size < SHORTEST else "repeated" if plain in items else ""
        if reason:
            dropped[reason] += 1
        else:
            items[plain] = Report(name or str(number), plain)
    if not items:
        raise UserError(f"{path} holds no case report", found=f"{dropped.total():,} entries, none of {SHORTEST} words")
    with path.open("rb") as stream:
        digest = hashlib.file_digest(stream, "sha256").hexdigest()
    return Reports("builtin" if path == BUILTIN else path.name, digest, tuple(items.values()), dropped)


def _builtin() -> Iterator[tuple[str, str]]:
    name = ""
    for line in BUILTIN.read_text(encoding="utf-8").splitlines():
        if line.startswith("== "):
            name = line[3:]
        elif name and line:
            yield name, line


def _rows(path: Path) -> Iterator[tuple[str, str]]:
    name = path.name.removesuffix(".gz")
    if name.endswith(".parquet"):
        table: Any = importlib.import_module("pyarrow.parquet")
        entries: Iterable[Mapping[str, Any]] = (
            row for batch in table.ParquetFile(path).iter_batches() for row in batch.to_pylist()
        )
    else:
        entries = _text_rows(path, name)
    for number, row in enumerate(entries, 1):
        if TEXT_COLUMN not in row:
            raise UserError(f"{path}, entry {number}: no column {TEXT_COLUMN!r}", found=", ".join(map(str, row))[:200])
        yield next((str(row[key]) for key in ID_COLUMNS if row.get(key) is not None), ""), str(row[TEXT_COLUMN] or "")


def _text_rows(path: Path, name: str) -> Iterator[Mapping[str, Any]]:
    try:
        opened = gzip.open if path.suffix == ".gz" else open
        with opened(path, "rb") as raw, io.TextIOWrapper(cast("Any", raw), encoding="utf-8", newline="") as stream:
            if name.endswith(".csv"):
                csv.field_size_limit(10**9)  # a case report may be long
                yield from csv.DictReader(stream)
            elif name.endswith(".jsonl"):
                yield from (json.loads(line) for line in stream if line.strip())
            elif name.endswith(".json"):
                yield from json.load(stream)
            else:
                raise UserError(f"{path} has an unknown form", expected=".csv, .parquet, .json or .jsonl")
    except (OSError, EOFError, ValueError, csv.Error) as error:
        raise UserError(f"{path} cannot be read", found=str(error)[:200]) from None
