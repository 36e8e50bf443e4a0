"""Rows to look at: some of each submission that may be shown, and some that were written by hand for each task.

No text of a data set is shown. Rows are quoted only where the task is open, the card gives an open licence, the
generator saw no more real text than a few examples, and the audit of the task is clean; and of these none that the
audit found near any real text, or that looks as if it named somebody.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

from clinsynth.audit import AuditRecord, audit_path, read_audit
from clinsynth.core import TASKS, Example, NotPreparedError, Task, UserError
from clinsynth.data import SampleStore
from clinsynth.snapshot.descriptions import AuditRow, ExampleRow
from clinsynth.standings import Stored
from clinsynth.submissions import is_private, read_submission

ROWS = 10
"""Rows of a submission, all tasks together."""
OWN = 3
"""Rows of a task's hand-written sample."""
LENGTH = 400
"""Characters of a row."""
OPEN = re.compile(
    r"(?i)\b(apache[ -]?2|mit\b|bsd[ -]|cc0|cc[ -]by[ -]?(sa[ -]?)?[1-4]|odc-by|odbl|unlicen[sc]e|public domain)"
)
"""Licences that let anybody show a row; what forbids derived works or a use is none of them."""
_SEEN = ("none", "few-shot")


def example_rows(stored: Sequence[Stored], audits: Sequence[AuditRow]) -> tuple[ExampleRow, ...]:
    """Rows of the tasks' own samples, then of the submissions."""
    clean = {(row.submission, row.task) for row in audits if row.state == "clean"}
    own = [row for task in TASKS.values() for row in _of_task(task)]
    return (*own, *(row for each in stored for row in _of_submission(each, clean)))


def _of_task(task: Task) -> Iterator[ExampleRow]:
    try:
        examples = SampleStore().examples(task, "test")
    except (NotPreparedError, UserError):
        return
    # One of each answer first, so that three rows show what the labels are.
    answers: dict[str, Example] = {}
    for example in examples:
        answers.setdefault(answer_of(example), example)
    for example in list(answers.values())[:OWN]:
        yield _row("", task.spec.name, example)


def _of_submission(each: Stored, clean: set[tuple[str, str]]) -> Iterator[ExampleRow]:
    card = each.card
    if card.kind != "submission" or card.real_data.used not in _SEEN or not OPEN.search(card.licence):
        return
    try:
        folder = read_submission(each.folder)
    except (UserError, OSError):
        return
    tasks = [name for name in folder.tasks if (card.name, name) in clean and not _private(each, name)]
    showable = {name: rows for name in tasks if (rows := list(_showable(each, name, folder.rows(name))))}
    left = ROWS
    for k, (name, rows) in enumerate(showable.items()):
        share = -(-left // (len(showable) - k))
        # Spread over the file: rows of one answer often stand together.
        step = max(1, len(rows) // share)
        for example in rows[::step][:share]:
            left -= 1
            yield _row(card.name, name, example)


def _private(each: Stored, task: str) -> bool:
    return task not in TASKS or is_private(each.folder / "data", TASKS[task].spec)


def _showable(each: Stored, task: str, rows: Sequence[Example]) -> Iterator[Example]:
    try:
        named = _named(read_audit(audit_path(each.folder, task, each.kind)))
    except (UserError, OSError):
        return
    for number, example in enumerate(rows, 1):
        if number not in named:
            yield example


def _named(record: AuditRecord) -> set[int]:
    """Rows that the audit names for any reason."""
    numbers = {match.row for match in record.test.matches} | set(record.test.one_side)
    for rows in record.privacy.rows.values():
        numbers |= set(rows)
    if record.verbatim:
        numbers.add(record.verbatim.longest_row)
    return numbers


def _row(submission: str, task: str, example: Example) -> ExampleRow:
    text = " / ".join(" ".join(text.split()) for text in example.texts)
    return ExampleRow(
        submission=submission, task=task, answer=answer_of(example),
        text=text if len(text) <= LENGTH else f"{text[:LENGTH].rsplit(' ', 1)[0]} …",
    )  # fmt: skip


def answer_of(example: Example) -> str:
    """Labels, or entities with their kind; ``none`` where there is nothing."""
    spans: Mapping[str, None] = dict.fromkeys(
        f"{example.texts[0][span.start : span.end]} ({span.label})" for span in example.spans
    )
    return ", ".join(example.labels or spans) or "none"
