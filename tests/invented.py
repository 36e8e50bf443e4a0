"""Invented test sets and runs whose truth is known, for everything that reads stored predictions."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import numpy as np

from clinsynth.audit import AUDIT_VERSION, AuditRecord
from clinsynth.audit.record import Privacy, write_audit
from clinsynth.audit.record import TestLeaks as Leaks
from clinsynth.core.errors import NotPreparedError
from clinsynth.core.nouns import Example, Prediction, Span, Split, Task
from clinsynth.core.registry import TASKS
from clinsynth.results import store as stored  # its TestData by name would be taken for a test
from clinsynth.results.store import Cell, Environment, Results, RunRecord, TrainingData
from clinsynth.scoring.metrics import score_all
from clinsynth.submissions import Card, RealData
from clinsynth.submissions.card import CARD_FILE, to_toml

RECIPE = "minilm-l6.v1"
ITEMS = 400


class Toy:
    """Test sets of made-up examples: 400 for every task but those that are ``missing``."""

    kind: Literal["real", "sample"] = "real"

    def __init__(self, *missing: str) -> None:
        self.missing = missing

    def examples(self, task: Task, split: Split) -> list[Example]:
        labels = task.spec.labels
        if task.spec.is_span:
            return [Example((f"word {k}",), spans=(Span(0, 4, labels[0]),)) for k in range(ITEMS)]
        return [Example((f"{k}",), labels=(labels[k % len(labels)],)) for k in range(ITEMS)]

    def fingerprint(self, task: Task, split: Split) -> str:
        if task.spec.name in self.missing:
            raise NotPreparedError(f"{task.spec.name} is not prepared")
        return f"test set of {task.spec.name}"

    def rows(self, task: Task) -> dict[Split, int]:
        return {"test": ITEMS}


def wrong(example: Example, task: Task) -> Prediction:
    if task.spec.is_span:
        return Prediction(spans=(Span(0, 6, task.spec.labels[0]),))
    return Prediction((next(label for label in task.spec.labels if label not in example.labels),))


def write_card(folder: Path, **fields: Any) -> None:
    """A card of a submission that was made up; ``fields`` are put into it."""
    folder.mkdir(exist_ok=True)
    card = Card(
        name=folder.name, title=folder.name, authors=("A. Person",), generator="made up", licence="CC0-1.0",
        real_data=RealData(used="none"),
    )  # fmt: skip
    (folder / CARD_FILE).write_text(to_toml(card.model_copy(update=fields)), "utf-8")


def write_run(folder: Path, cell: Cell, share: float, changes: Mapping[str, Any]) -> None:
    """A run with about this share of right answers; ``changes`` are put into its record before it is sealed."""
    task = TASKS[cell.task]
    gold = Toy().examples(task, "test")
    hard = np.random.default_rng(7).random(ITEMS)  # the same items are hard for everybody
    own = 0.1 * np.random.default_rng([*folder.name.encode(), cell.seed]).standard_normal(ITEMS)
    right = hard + own < share
    predictions = [
        Prediction(example.labels, example.spans) if good else wrong(example, task)
        for example, good in zip(gold, right, strict=True)
    ]
    results = Results(folder, "real")
    digest = results.write_predictions(cell, predictions, spans=task.spec.is_span)
    record = RunRecord(
        submission=folder.name, task=cell.task, task_version=task.spec.version, recipe=cell.recipe,
        recipe_fingerprint="r", student_fingerprint="s", rows=cell.rows, seed=cell.seed,
        training=TrainingData(fingerprint=f"rows of {folder.name}", available=cell.rows, used=cell.rows),
        test=stored.TestData(kind="real", fingerprint=Toy().fingerprint(task, "test"), examples=ITEMS),
        fit="fine-tuned", steps=1, loss=0.5, counts={}, metric=task.spec.metric,
        scores=score_all(task.spec, gold, predictions), predictions_sha256=digest, seconds={},
        environment=Environment(
            clinsynth="", commit="", dirty=False, python="", platform="", packages={}, device="cpu", dtype="float32",
            threads=1,
        ),
        created="2026-01-01T00:00:00+00:00",
    )  # fmt: skip
    results.write_record(record.model_copy(update=changes))


def audit_of(folder: Path, task: str, **changes: Any) -> None:
    """An audit of the invented rows of a task that found nothing; ``changes`` are put into it before it is sealed."""
    record = AuditRecord(
        audit=AUDIT_VERSION, submission=folder.name, task=task, task_version=TASKS[task].spec.version, kind="real",
        declared="none", reference=False, rows=1_000, data_fingerprint=f"rows of {folder.name}",
        splits={"test": Toy().fingerprint(TASKS[task], "test")}, thresholds={}, packages={}, embedder="",
        test=Leaks(examples=ITEMS, matches=(), one_side=(), nearest={}, touched=0), train=None, few_shot=None,
        verbatim=None, privacy=Privacy(rows={}, weak={}, share=0.0, real_share=None), canaries=None, scores=(),
        failures=(), seconds={}, created="2026-01-01T00:00:00+00:00",
    )  # fmt: skip
    write_audit(folder, record.model_copy(update=changes))
