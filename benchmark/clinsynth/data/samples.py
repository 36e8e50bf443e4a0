"""The bundled sample, and the few-shot draws from a task's training split."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from clinsynth.core import SPLITS, Example, NotPreparedError, Split, Task, UserError, user_cache
from clinsynth.data import manifest as arrow
from clinsynth.data.formats import Numbering
from clinsynth.data.store import DataStore, ExampleStore
from clinsynth.task_types import task_type

DATA_VARIABLE = "CLINSYNTH_DATA"


class SampleStore:
    """Rows of ``samples/<task>/{train,test}.jsonl`` beside the task's module. Scores on them mean nothing."""

    kind: Literal["real", "sample"] = "sample"

    def path(self, task: Task, split: Split) -> Path:
        """Where the sample of a split lies."""
        return task.folder / "samples" / task.spec.name / f"{split}.jsonl"

    def rows(self, task: Task) -> dict[Split, int]:
        """Rows of every split that has a sample."""
        return {split: len(self.examples(task, split)) for split in SPLITS if self.path(task, split).is_file()}

    def examples(self, task: Task, split: Split) -> list[Example]:
        """The examples of a split. Raises ``NotPreparedError`` where there are none, ``UserError`` for a bad row."""
        path = self.path(task, split)
        if not path.is_file():
            raise NotPreparedError(
                f"the bundled sample of {task.spec.name} has no {split} split",
                found=f"no file {path}",
                remedy="use train or test, or real data",
            )
        # The first text names the unit where several rows share it; each row of the other tasks stands alone.
        shared = task.spec.unit in ("claim", "question") and len(task.spec.text_names) == 2
        number = Numbering()
        kind = task_type(task.spec)
        decoded = [kind.decode(row) for row in _good_rows(path, task)]
        return [
            Example(e.texts, labels=e.labels, spans=e.spans, unit=number(e.texts[0])) if shared else e for e in decoded
        ]

    def fingerprint(self, task: Task, split: Split) -> str:
        """sha256 over every example of a split. Raises ``NotPreparedError``."""
        return arrow.fingerprint(self.examples(task, split))


def _good_rows(path: Path, task: Task) -> list[dict[str, Any]]:
    kind = task_type(task.spec)
    rows: list[dict[str, Any]] = []
    # Not splitlines(): that also breaks at U+2028, which JSON allows inside a string.
    for number, line in enumerate(path.read_text(encoding="utf-8").split("\n"), 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except json.JSONDecodeError as error:
            raise UserError(f"{path}, line {number} is not JSON", found=str(error)) from None
        fault = next(kind.faults(row, task.spec), None)
        if fault is not None:
            raise UserError(
                f"{path}, line {number}: {fault.reason}",
                found=fault.found, expected=fault.expected, remedy=fault.remedy,
            )  # fmt: skip
        rows.append(row)
    return rows


def default_data_dir() -> Path:
    """``$CLINSYNTH_DATA``, else ``$XDG_CACHE_HOME/clinsynth``, else ``~/.cache/clinsynth``."""
    own = os.environ.get(DATA_VARIABLE)
    return Path(own).expanduser() if own else user_cache()


def open_store(data_dir: Path | None = None, sample: bool = False) -> ExampleStore:
    """The bundled sample, or the real data under ``data_dir`` (default: ``default_data_dir()``)."""
    return SampleStore() if sample else DataStore(data_dir or default_data_dir())


@dataclass(frozen=True, slots=True)
class FewShot:
    """A draw of real examples."""

    examples: tuple[Example, ...]
    split: Split
    """The split they come from: train, or dev where no train split is here; never test."""


def few_shot(store: ExampleStore, task: Task, per_class: int = 5, seed: int = 0) -> FewShot:
    """Draw ``per_class`` examples of each label, deterministically.

    A label of a multi-label or span task is served by any example that carries it, so one example may serve several;
    the labels are served in turn, rarest first, which keeps the draw small. Fewer are given where the split has
    fewer. Texts are not repeated. Raises ``NotPreparedError`` where neither train nor dev is in the store.
    """
    split = _source(store, task)
    pool = store.examples(task, split)
    order = [int(i) for i in np.random.default_rng(seed).permutation(len(pool))]
    carried = [_labels(example) for example in pool]
    size = {label: sum(label in labels for labels in carried) for label in task.spec.labels}
    chosen: dict[int, None] = {}
    texts: set[Sequence[str]] = set()
    for label in sorted(task.spec.labels, key=lambda name: size[name]):
        have = sum(label in carried[i] for i in chosen)
        for i in order:
            if have >= per_class:
                break
            if label in carried[i] and pool[i].texts not in texts:
                chosen[i] = None
                texts.add(pool[i].texts)
                have += 1
    return FewShot(tuple(pool[i] for i in chosen), split)


def _labels(example: Example) -> set[str]:
    return {*example.labels, *(span.label for span in example.spans)}


def _source(store: ExampleStore, task: Task) -> Split:
    rows = store.rows(task)
    if rows.get("train"):
        return "train"
    if rows.get("dev"):
        return "dev"
    raise NotPreparedError(
        f"no few-shot examples of {task.spec.name}: neither its train nor its dev split is here",
        found=", ".join(f"{split} {n:,} rows" for split, n in rows.items()) or "nothing prepared",
        remedy="prepare the train split; test examples are never shown to a generator",
    )
