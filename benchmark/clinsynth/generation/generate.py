"""Run a baseline for some tasks and write what it makes as an ordinary submission."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import numpy as np

from clinsynth.data.few_shot import few_shot
from clinsynth.data.store import ExampleStore
from clinsynth.errors import NotPreparedError, UserError
from clinsynth.generation.tools import Tools
from clinsynth.progress import progress
from clinsynth.schema import Baseline, Budget, Example, Row, Task, TaskView
from clinsynth.submissions import Card, RealData, write_submission
from clinsynth.submissions.card import CARD_FILE
from clinsynth.submissions.writing import check_name, existing_card
from clinsynth.task_types import task_type

RealSplit = Literal["train", "dev"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Request:
    """What is to be generated."""

    tasks: Sequence[Task]
    rows: int
    """At most so many rows a task."""
    out: Path
    """The submission's folder; its last part is the submission's name."""
    seed: int = 0
    real_split: RealSplit = "train"
    """Where reference rows are drawn from. dev only because there is no train split: it is disclosed."""


@dataclass(frozen=True, slots=True)
class Generated:
    """What came of it."""

    rows: dict[str, int] = field(default_factory=dict[str, int])
    """Rows written, by task."""
    kept: dict[str, int] = field(default_factory=dict[str, int])
    """Tasks whose file was there already and was left alone, with its size in bytes."""
    skipped: dict[str, str] = field(default_factory=dict[str, str])
    """Tasks that could not be done, with the reason."""


def generate(baseline: Baseline, request: Request, store: ExampleStore) -> Generated:
    """Generate the tasks that are not in ``request.out`` yet; each task's file is written when it is done.

    Raises:
        UserError: the folder holds another method's submission or cannot be one; or nothing at all could be generated.
    """
    out = request.out.absolute()
    check_name(out.name)
    if request.rows < 1:
        raise UserError(f"{request.rows} rows", expected="at least 1")
    card = _card(baseline, request, store)
    found = existing_card(out)
    if (out / CARD_FILE).exists() and (found is None or found.generator != card.generator):
        raise UserError(
            f"{out} holds another submission",
            found=found.generator if found else f"{CARD_FILE} is not filled in, or faulty",
            expected=card.generator,
            remedy="choose another --out",
        )
    done = Generated()
    disclosed = set(found.disclosures if found else ())
    with progress(f"{baseline.name}", len(request.tasks)) as bar:
        for task in request.tasks:
            name = task.spec.name
            path = out / "data" / f"{name}.jsonl.gz"
            if path.exists():
                done.kept[name] = path.stat().st_size
            else:
                try:
                    rows, split = _rows(baseline, task, request, store)
                except NotPreparedError as error:
                    done.skipped[name] = str(error)
                    bar.advance(1)
                    continue
                if split == "dev":
                    disclosed.add(f"{name}: rows come from the dev split; there was no train split.")
                full = card.model_copy(update={"disclosures": tuple(sorted(disclosed))})
                write_submission(out, full, {name: rows}, private=store.kind == "real" and baseline.real_data != "none")
                done.rows[name] = len(rows)
            bar.advance(1)
    if not done.rows and not done.kept:
        raise UserError(f"{baseline.name} could make nothing", found="; ".join(done.skipped.values()))
    return done


def _rows(baseline: Baseline, task: Task, request: Request, store: ExampleStore) -> tuple[list[Row], str]:
    """Canonical rows, checked as a stranger's would be, and the real split that they were made from, if any."""
    view, used = task_view(task, store, request.real_split)
    rng = np.random.default_rng([request.seed, zlib.crc32(task.spec.name.encode())])
    rows = list(baseline.generate(view, Tools(), Budget(rows=request.rows), rng))
    kind = task_type(task.spec)
    for row in rows:
        for fault in kind.faults(row, task.spec):
            raise AssertionError(f"{baseline.name} made a bad row for {task.spec.name}: {fault.reason}")
    return rows, used()


def task_view(task: Task, store: ExampleStore, real_split: RealSplit) -> tuple[TaskView, Callable[[], str]]:
    """The task as a generator sees it, and a function that tells which real split it has looked into."""
    used: list[str] = []
    few: list[Example] = []

    def real() -> Sequence[Example]:
        if not store.rows(task).get(real_split):
            raise NotPreparedError(
                f"{task.spec.name} has no {real_split} split here",
                found=", ".join(f"{split} {n:,}" for split, n in store.rows(task).items()) or "nothing prepared",
                remedy="clinsynth prepare it, or say --real-split dev to draw from dev rows, which is then disclosed",
            )
        used.append(real_split)
        return store.examples(task, real_split)

    def shown() -> Sequence[Example]:
        if not few:
            drawn = few_shot(store, task)
            used.append(drawn.split)
            few.extend(drawn.examples)
        return few

    return TaskView(task.spec, shown, real), lambda: used[-1] if used else ""


def _card(baseline: Baseline, request: Request, store: ExampleStore) -> Card:
    details = {
        "none": "",
        "few-shot": "Five real examples a class, drawn with seed 0.",
        "train": "Rows of the real training split.",
    }[baseline.real_data]
    restricted = baseline.real_data != "none" and store.kind == "real"
    return Card(
        name=request.out.absolute().name,
        title=baseline.title,
        authors=("The clinsynth authors",),
        bibtex=baseline.citation,
        generator=f"{baseline.name}: {baseline.description}",
        kind="reference" if baseline.reference else "submission",
        licence="Real text under each task's own licence: not to be published" if restricted else "Apache-2.0",
        real_data=RealData(used=baseline.real_data, details=details),
    )
