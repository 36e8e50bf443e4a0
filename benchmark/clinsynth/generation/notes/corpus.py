"""Notes with requests and answers, the product of Asclepius: how they are made, and their table as it was released."""

from __future__ import annotations

import csv
import gzip
import io
import json
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import astuple, dataclass, field, fields
from pathlib import Path
from typing import Any, Literal, cast

import numpy as np
from pydantic import ValidationError

from clinsynth import __version__
from clinsynth.core import Part, UserError, csv_text, now, without_guard, write_json, write_text
from clinsynth.generation.baseline import Tally
from clinsynth.generation.notes.reports import Report, Reports
from clinsynth.generation.notes.writer import CONTEXT, KINDS, NoteWriter
from clinsynth.generation.record import CostRecord
from clinsynth.llm import LLM, Answer, BudgetSpentError, Client, Mode, Prompt

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
    return csv_text(COLUMNS, (astuple(row) for row in rows))


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
            yield reader.line_num, {name: without_guard(text) for name, text in row.items() if isinstance(text, str)}
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
    entry = cast("dict[str, Any]", row) if isinstance(row, dict) else {}
    if lacking := sorted(name for name in _NEEDED if not isinstance(entry.get(name), str)):
        raise UserError(
            f"{file}, line {line} is no row of notes", found=f"no text for {', '.join(lacking)}",
            expected=", ".join(COLUMNS),
        )  # fmt: skip
    return NoteRow(str(entry.get("patient_id", "")), *(entry[name] for name in COLUMNS[1:]))


RECORD = "notes.json"
ROUND = 64
"""Rows asked for at a time; the pool of requests grows in between."""
PATIENCE = 3
"""Rounds in a row without a row, after which it is given up."""


@dataclass(frozen=True, kw_only=True, slots=True)
class NotesRequest:
    """A request for rows of notes."""

    reports: Reports
    rows: int
    out: Path
    """Folder of ``notes.csv`` and ``notes.json``."""
    seed: int = 42
    context: int = CONTEXT


class NotesRecord(Part):
    """How the rows were made."""

    format: Literal[1] = 1
    reports: str
    reports_sha256: str
    reports_used: int
    reports_dropped: dict[str, int]
    model: str
    mode: str
    seed: int
    context: int
    asked: int
    kept: int
    kept_by_task: dict[str, int]
    dropped: dict[str, int]
    """Notes, requests and answers that came to nothing, by reason. A row is lost with any of them."""
    altered: dict[str, int]
    stopped: Literal["rows", "limit", "patience"]
    prompts: dict[str, str]
    cost: CostRecord | None
    seconds: float
    clinsynth: str
    created: str


@dataclass(slots=True)
class _Made:
    rows: list[NoteRow] = field(default_factory=list[NoteRow])
    reports: set[str] = field(default_factory=set[str])
    stopped: Literal["rows", "limit", "patience"] = "rows"


def make_notes(
    request: NotesRequest, llm: LLM, on_rows: Callable[[int], Any] = lambda _: None
) -> tuple[NotesRecord, bool]:
    """Write the table and its record; gives the record, and whether it was there already.

    What was answered is in the client's cache: the same call after an interruption pays nothing twice.

    Raises:
        UserError: the folder holds rows of another request, or not one row came of it.
    """
    if request.rows < 1:
        raise UserError(f"{request.rows} rows", expected="at least 1")
    stored = read_notes_record(request.out)
    if stored is not None and stored.stopped != "limit":
        wanted = _key(request, llm)
        here = (stored.reports_sha256, stored.model, stored.mode, stored.seed, stored.context, stored.asked)
        if here != wanted:
            raise UserError(
                f"{request.out} holds notes of another request",
                found=f"{stored.asked:,} rows by {stored.model} from {stored.reports}, seed {stored.seed}",
                remedy="choose another --out, or delete the folder",
            )
        return stored, True
    began = time.perf_counter()
    tally, ledger = Tally(), llm.new_ledger() if isinstance(llm, Client) else None
    made = _Made()
    try:
        _rounds(request, llm, tally, made, on_rows)
    except BudgetSpentError:
        made.stopped = "limit"
    reports = request.reports
    record = NotesRecord(
        reports=reports.name, reports_sha256=reports.digest, reports_used=len(made.reports),
        reports_dropped=dict(sorted(reports.dropped.items())), model=llm.model, mode=llm.mode, seed=request.seed,
        context=request.context, asked=request.rows, kept=len(made.rows),
        kept_by_task=dict(sorted(Counter(row.task for row in made.rows).items())),
        dropped=dict(sorted(tally.dropped.items())), altered=dict(sorted(tally.altered.items())), stopped=made.stopped,
        prompts=dict(sorted(tally.prompts.items())), cost=CostRecord.of(ledger) if ledger else None,
        seconds=round(time.perf_counter() - began, 3), clinsynth=__version__, created=now(),
    )  # fmt: skip
    if not made.rows:
        reasons = ", ".join(f"{reason} {count:,}" for reason, count in record.dropped.items())
        raise UserError("not one row of notes was made", found=reasons or "no answer within the limits")
    write_text(request.out / TABLE, table_text(made.rows))
    write_json(request.out / RECORD, record.model_dump(mode="json"))
    return record, False


def read_notes_record(folder: Path) -> NotesRecord | None:
    """The record of a folder; ``None`` where there is none. Raises ``UserError`` for a faulty one."""
    path = folder / RECORD
    if not path.is_file():
        return None
    try:
        return NotesRecord.model_validate_json(path.read_bytes())
    except ValidationError as error:
        raise UserError(f"{path} is no record of notes", found=str(error.errors()[0]["msg"])) from None


def _key(request: NotesRequest, llm: LLM) -> tuple[str, str, str, int, int, int]:
    return request.reports.digest, llm.model, llm.mode, request.seed, request.context, request.rows


def _rounds(request: NotesRequest, llm: LLM, tally: Tally, made: _Made, on_rows: Callable[[int], Any]) -> None:
    rng = np.random.default_rng(request.seed)
    writer = NoteWriter(llm, tally, rng, request.context)
    queue = cycled(request.reports, rng)
    idle = 0
    while len(made.rows) < request.rows:
        if idle == PATIENCE:
            made.stopped = "patience"
            return
        before = len(made.rows)
        wanted = min(ROUND, request.rows - before)
        notes = [note for note in writer.notes([next(queue) for _ in range(wanted)]) if note is not None]
        kinds = [KINDS[int(rng.integers(len(KINDS)))] for _ in notes]
        questions = list(writer.questions(notes, kinds))
        asked = [(note, kind, text) for note, kind, text in zip(notes, kinds, questions, strict=True) if text]
        answers = writer.answers([(note, text) for note, _, text in asked])
        for (note, kind, question), answer in zip(asked, answers, strict=True):
            if answer:
                made.rows.append(NoteRow(note.report.id, note.text, question, answer, kind))
                made.reports.add(note.report.id)
        on_rows(len(made.rows) - before)
        idle = idle + 1 if len(made.rows) == before else 0


class _Listener:
    """Stands for a model and keeps the prompts it is given."""

    model = ""

    def __init__(self, mode: Mode) -> None:
        self.mode: Mode = mode
        self.heard: list[Prompt] = []

    def ask(self, prompts: Sequence[Prompt]) -> Iterator[Answer]:
        """Nothing is answered."""
        self.heard.extend(prompts)
        return iter([Answer(text="", finish="failed") for _ in prompts])


def note_prompts(request: NotesRequest, mode: Mode, number: int) -> list[Prompt]:
    """The first prompts that ``make_notes`` would send."""
    listener = _Listener(mode)
    rng = np.random.default_rng(request.seed)
    writer = NoteWriter(listener, Tally(), rng, request.context)
    queue = cycled(request.reports, rng)
    for _ in writer.notes([next(queue) for _ in range(number)]):
        continue
    return listener.heard


def cycled(reports: Reports, rng: np.random.Generator) -> Iterator[tuple[Report, int]]:
    """The reports in a random order, over and over, each with how often it has come before."""
    turn = 0
    while True:
        for k in rng.permutation(len(reports.items)):
            yield reports.items[int(k)], turn
        turn += 1
