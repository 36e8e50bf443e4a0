"""The suite ``asclepius-notes``: instructions over clinical notes, answered by a model and graded by others.

The rows are those of ``clinsynth notes``, a note, one of eight kinds of instruction, and an answer that is not shown;
or real notes, each with a request (``real_notes``).
Answers are text, and stay in a folder that version control ignores; records hold grades by position.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import time
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import mean
from typing import Any

from clinsynth.core import UserError, now, progress, text_table, write_jsonl_gz, write_text
from clinsynth.direct.card import write_card
from clinsynth.direct.runner import made_card, subset
from clinsynth.direct.session import Session
from clinsynth.direct.suites.humans import alpha
from clinsynth.direct.suites.judge import Case, Graded, Paired, compare_answers, grade
from clinsynth.direct.suites.questions import PlainTask, SuiteRequest, suite_record
from clinsynth.direct.suites.real_notes import Notes
from clinsynth.direct.suites.records import (
    FORM,
    GradesRecord,
    JudgeRecord,
    PairRecord,
    SuiteRecord,
    write_record,
)
from clinsynth.generation.notes import NoteRow
from clinsynth.llm import LLM

MAX_TOKENS = 400
KINDS = 8
"""Kinds of instruction in Asclepius' evaluation."""
_ASK = (
    "Read the clinical note and do what is asked. Keep to what the note says; if it does not tell, say so and say why. "
    "Be exact and brief."
)


@dataclass(frozen=True, slots=True)
class NotesOutcome:
    """The answers of a model and their grades."""

    answers: SuiteRecord
    grades: GradesRecord


def run_notes(
    request: SuiteRequest, notes: Notes, judges: AbstractContextManager[Mapping[str, LLM]], against: Sequence[Path]
) -> NotesOutcome:
    """Have the questions answered, then graded by each judge, alone and against other folders' answers.

    Raises:
        UserError: the server failed, too many answers were cut, or another folder has no
            answers to these notes.
    """
    rows, suite = notes.rows, notes.suite
    out = request.out.absolute()
    limit = request.limit if request.limit is not None and request.limit < len(rows) else None
    positions = subset(len(rows), limit)
    answers = _answer(request, notes, positions, limit)
    said = read_answers(out, suite, limit)
    cases = [Case(rows[k].note, rows[k].question, said[key(rows[k])]) for k in positions]
    others = {folder.absolute().name: _cases_of(folder, notes, positions) for folder in against}
    given: dict[str, Graded] = {}
    records: dict[str, JudgeRecord] = {}
    pairs: list[PairRecord] = []
    with judges as opened, progress(suite, len(opened)) as bar:
        for name, judge in opened.items():
            given[name] = grade(judge, cases)
            for other, theirs in others.items():
                both = [(mine, their) for mine, their in zip(cases, theirs, strict=True) if their is not None]
                pairs.append(_pair(other, name, len(both), compare_answers(judge, both)))
            records[name] = _judged(judge, given[name], [rows[k].task for k in positions])
            bar.advance(1)
            bar.say(f"{name}: {len(cases):,} answers graded")
    grades = GradesRecord(
        suite=suite, submission=out.name, model=request.model.name, notes_sha256=_digest([rows[k] for k in positions]),
        asked=len(positions), examples=len(rows), limit=limit,
        kinds=dict(sorted(Counter(rows[k].task for k in positions).items())), judges=records,
        alpha=alpha({name: each.grades for name, each in given.items()}), pairs=tuple(pairs), form=FORM,
        created=now(),
    )  # fmt: skip
    lines = [{"id": k, **{name: each.grades[n] for name, each in given.items()}} for n, k in enumerate(positions)]
    write_jsonl_gz(grades.cell.path(out).with_suffix(".jsonl.gz"), lines)
    return NotesOutcome(answers, write_record(out, grades))


def key(row: NoteRow) -> str:
    """Names a question about a note without saying it."""
    return hashlib.sha256(f"{row.note}\0{row.question}".encode()).hexdigest()[:32]


def prompt(row: NoteRow) -> str:
    """What the model under test is asked."""
    return f"{_ASK}\n\nNote:\n{row.note}\n\nRequest:\n{row.question}\n\nAnswer:"


def _answer(request: SuiteRequest, notes: Notes, positions: Sequence[int], limit: int | None) -> SuiteRecord:
    rows, suite = notes.rows, notes.suite
    out = request.out.absolute()
    card = made_card(request.model, out)
    session = Session(request.model, request.say)
    write_card(out, card)
    task = PlainTask("clinsynth_asclepius_notes", [prompt(row) for row in rows], request.room(MAX_TOKENS), ("\n\n\n",))
    began = time.monotonic()
    with progress(suite, len(positions)) as bar:
        asked = None if limit is None else positions
        replies = session.ask("clinsynth_asclepius_notes", task, asked, partial(bar.advance, 1),
                              short=request.must_end(text=True))  # fmt: skip
    failures = ["" if reply.text.strip() else _why_empty(reply.meta.finish) for reply in replies]
    record = suite_record(
        request, suite, "answers", replies, failures, must_end=request.must_end(text=True), prompt_source="clinsynth",
        max_tokens=request.room(MAX_TOKENS), examples=len(rows), limit=limit, files={"notes": _digest(rows)},
        scores={"answered": mean(float(not failure) for failure in failures)},
        seconds=round(time.monotonic() - began, 3),
    )  # fmt: skip
    folder = _answers_folder(out, suite)
    write_text(folder / ".gitignore", "*\n")
    folder.chmod(0o700)
    said = [{"key": key(rows[k]), "answer": r.text.strip()} for k, r in zip(positions, replies, strict=True)]
    write_jsonl_gz(folder / _answers_file(limit), said)
    return write_record(out, record)


def _why_empty(finish: str) -> str:
    return {"rejected": "rejected", "filtered": "withheld"}.get(finish, "empty")


def _answers_folder(out: Path, suite: str) -> Path:
    return out / "suites" / suite / "text"


def _answers_file(limit: int | None) -> str:
    return f"answers{'' if limit is None else f'-limit{limit}'}.jsonl.gz"


def read_answers(out: Path, suite: str, limit: int | None = None) -> dict[str, str]:
    """Stored answers by question; without ``limit`` all that are there."""
    folder = _answers_folder(out.absolute(), suite)
    files = [folder / _answers_file(limit)] if limit is not None else sorted(folder.glob("answers*.jsonl.gz"))
    found: dict[str, str] = {}
    for file in files:
        if file.is_file():
            for line in gzip.decompress(file.read_bytes()).decode().splitlines():
                row = json.loads(line)
                found[row["key"]] = row["answer"]
    return found


def _cases_of(folder: Path, notes: Notes, positions: Sequence[int]) -> list[Case | None]:
    rows, said = notes.rows, read_answers(folder, notes.suite)
    found = [said.get(key(rows[k])) for k in positions]
    if not any(answer is not None for answer in found):
        raise UserError(f"{folder} has no answers to these notes", remedy="run the suite for that model first")
    return [
        None if answer is None else Case(rows[k].note, rows[k].question, answer)
        for k, answer in zip(positions, found, strict=True)
    ]


def _judged(judge: LLM, given: Graded, kinds: Sequence[str]) -> JudgeRecord:
    known = [(kind, g) for kind, g in zip(kinds, given.grades, strict=True) if g is not None]
    by_kind: dict[str, list[int]] = defaultdict(list)
    for kind, value in known:
        by_kind[kind].append(value)
    ledger: Any = getattr(judge, "ledger", None)
    cost: dict[str, Any] = {}
    if ledger is not None:
        whole = not ledger.unmeasured
        cost = {"answers": ledger.new + ledger.cached, "tokens_in": ledger.tokens_in if whole else None,
                "tokens_out": ledger.tokens_out if whole else None, "dollars": ledger.known_dollars}  # fmt: skip
    return JudgeRecord(
        model=judge.model, mode=judge.mode, graded=len(known), failures=dict(sorted(given.failures.items())),
        mean=mean(g for _, g in known) if known else None,
        by_kind={kind: mean(values) for kind, values in sorted(by_kind.items())},
        distribution={str(g): sum(value == g for _, value in known) for g in (1, 2, 3, 4)}, usage=cost,
    )  # fmt: skip


def _pair(other: str, judge: str, pairs: int, found: Paired) -> PairRecord:
    return PairRecord(
        against=other, judge=judge, pairs=pairs, won=found.first, lost=found.second, ties=found.ties,
        inconsistent=found.inconsistent, failures=dict(sorted(found.failures.items())),
    )  # fmt: skip


def _digest(rows: Sequence[NoteRow]) -> str:
    return hashlib.sha256("".join(key(row) for row in rows).encode()).hexdigest()


def notes_text(outcome: NotesOutcome) -> str:
    """The grades by judge and kind, the pairs, and what is missing."""
    grades = outcome.grades
    names = list(grades.judges)
    body = [
        [kind, f"{count:,}", *(_mean(grades.judges[name].by_kind.get(kind)) for name in names)]
        for kind, count in grades.kinds.items()
    ]
    body.append(["all", f"{grades.asked:,}", *(_mean(grades.judges[name].mean) for name in names)])
    lines = [text_table(["instruction", "asked", *names], body, right=len(names) + 1), ""]
    lines.append("Grades from 1 to 4: mean of those that could be read.")
    if grades.limit:
        lines.append(f"Preliminary: a seeded subset of {grades.asked:,} of {grades.examples:,} rows.")
    if len(grades.kinds) < KINDS:
        lines.append(f"Only {len(grades.kinds)} of {KINDS} kinds of instruction are among them.")
    for name, judge in grades.judges.items():
        lost = ", ".join(f"{reason} {count}" for reason, count in judge.failures.items()) or "none"
        lines.append(f"{name}: {judge.graded:,} of {grades.asked:,} graded; replies without a grade: {lost}.")
    if len(names) > 1:
        lines.append(f"Krippendorff's alpha: {'not defined' if grades.alpha is None else f'{grades.alpha:.2f}'}.")
    if not names:
        lines.append("No judge was named: the answers are stored, nothing is graded.")
    for pair in grades.pairs:
        lost = ", ".join(f"{reason} {count}" for reason, count in pair.failures.items()) or "none"
        lines.append(
            f"{pair.judge}: against {pair.against}, {pair.pairs:,} pairs in both orders: won {pair.won}, lost "
            f"{pair.lost}, tie {pair.ties}, changed with the order {pair.inconsistent}, unreadable {lost}."
        )
    if outcome.answers.unparsable:
        lines.append(f"{outcome.answers.unparsable:,} answers were empty or refused; they were graded as they are.")
    return "\n".join(lines)


def _mean(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f}"
