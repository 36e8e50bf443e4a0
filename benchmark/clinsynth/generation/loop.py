"""The loop: rows are taken from a generator, checked, told apart and counted until there are enough."""

from __future__ import annotations

import importlib
import time
import zlib
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, cast

import numpy as np

from clinsynth import __version__
from clinsynth.core import (
    Example,
    NotPreparedError,
    Progress,
    Row,
    Task,
    TaskSpec,
    UserError,
    environment,
    now,
    sha256_jsonl,
)
from clinsynth.data import ExampleStore, few_shot
from clinsynth.generation.baseline import Baseline, Budget, Knowledge, Tally, TaskView, Tools, class_of
from clinsynth.generation.record import CostRecord, GenerationRecord, ModelRecord, Stop
from clinsynth.llm import LLM, Answer, BudgetSpentError, Client, Ledger, Mode, Prompt, sent_requests
from clinsynth.task_types import task_type
from clinsynth.text import PERMUTATIONS, Shingles, jaccard, key, shingles, words

NEAR = 0.9
"""Jaccard index of character 5-grams from which two texts count as one: a word of a text of thirty is another.

The audit calls rows near the test set from 0.6 on (docs/audits.md). There a false alarm costs a look; here it would
cost a row, and rows that share their pattern, or the same sentence about another drug, are not the same row."""
BANDS = (12, 8)
"""Bands and rows of the index: a pair at Jaccard 0.9 becomes a candidate with 1 - (1 - 0.9^8)^12 = 99.9 %."""


class Duplicates:
    """The texts of the rows so far."""

    def __init__(self) -> None:
        self._exact: set[tuple[str, ...]] = set()
        self._sets: list[list[Shingles]] = []
        datasketch: Any = importlib.import_module("datasketch")
        self._index: Any = datasketch.MinHashLSH(num_perm=PERMUTATIONS, params=BANDS)
        self._sketch: Any = datasketch.MinHash

    def find(self, texts: Sequence[str]) -> Literal["duplicate", "near-duplicate"] | None:
        """Whether an earlier row has these texts, whatever its label; if not, they are remembered.

        A pair repeats another if both of its texts do: many rows may share a premise.
        """
        exact = tuple(map(key, texts))
        if exact in self._exact:
            return "duplicate"
        sets = shingles([words(text) for text in texts])
        # Texts of a pair are told apart, so that an exchanged pair is not the same.
        sketch = self._sketch(num_perm=PERMUTATIONS, hashfunc=int, seed=1)
        sketch.update_batch([(shingle + side) & 0xFFFFFFFF for side, own in enumerate(sets) for shingle in own])
        candidates: list[int] = self._index.query(sketch)
        for found in candidates:
            if all(jaccard(own, other) >= NEAR for own, other in zip(sets, self._sets[found], strict=True)):
                return "near-duplicate"
        self._exact.add(exact)
        self._index.insert(len(self._sets), sketch, check_duplication=False)
        self._sets.append(sets)
        return None


RealSplit = Literal["train", "dev"]

PATIENCE = (5, 1_000)
"""A generator is stopped after so many candidates a row that is wanted, and so many more."""


class PatienceSpentError(BudgetSpentError):
    """So many candidates came to nothing that the model is not asked any further."""


@dataclass(frozen=True, slots=True)
class Made:
    """A task's rows and what their record says."""

    rows: list[Row]
    split: str
    """The real split that was looked into; empty for none."""
    asked: int
    tally: Tally
    stopped: Stop
    seconds: float
    model: LLM | None
    ledger: Ledger | None
    problem: str = ""
    """What the user must put right before this task can be done."""

    def record(
        self,
        baseline: Baseline,
        task: Task,
        kind: Literal["real", "sample"],
        seed: int,
        limits: dict[str, float],
        source: Knowledge | None,
    ) -> GenerationRecord:
        """The record, without its seal."""
        kept = len(self.rows)
        candidates = kept + sum(self.tally.dropped.values())
        place = environment("", "", 0)
        needs = baseline.needs
        return GenerationRecord(
            baseline=baseline.name,
            task=task.spec.name,
            task_version=task.spec.version,
            data=kind,
            seed=seed,
            real_split=self.split,
            asked=self.asked,
            kept=kept,
            kept_by_class=dict(sorted(self.tally.kept.items())),
            candidates=candidates,
            dropped=dict(sorted(self.tally.dropped.items())),
            altered=dict(sorted(self.tally.altered.items())),
            rate=kept / candidates if candidates else None,
            stopped=self.stopped,
            limits=limits,
            prompts=dict(sorted(self.tally.prompts.items())),
            notes=dict(sorted(self.tally.notes.items())),
            knowledge=source.name if source is not None and "knowledge" in needs else None,
            model=_model_record(self.model, self.ledger) if self.model is not None and "llm" in needs else None,
            cost=CostRecord.of(self.ledger) if self.ledger is not None and "llm" in needs else None,
            seconds=round(self.seconds, 3),
            rows_sha256=sha256_jsonl(self.rows) if self.rows else "",
            clinsynth=__version__,
            commit=place.commit,
            dirty=place.dirty,
            created=now(),
        )


def _model_record(model: LLM, ledger: Ledger | None) -> ModelRecord:
    client = model if isinstance(model, Client) else None
    dialect = client.server.dialect if client else None
    return ModelRecord(
        name=model.model, reported=dict(sorted(ledger.models.items())) if ledger else {}, mode=model.mode,
        server=dialect.server if dialect else "",
        temperature=client.settings.temperature if client else None,
        structured=dict(sorted(ledger.structured.items())) if ledger else {},
        left_out=dict(dialect.left_out) if dialect else {},
        sent=sent_requests(ledger.sent) if ledger else (),
        weights=client.settings.weights if client else "",
    )  # fmt: skip


def make(
    baseline: Baseline,
    task: Task,
    store: ExampleStore,
    tools: Tools,
    wanted: tuple[int, int, RealSplit],
    bar: Progress,
) -> Made:
    """Make a task's rows. ``wanted`` is how many, the seed, and the split for reference rows.

    Raises:
        NotPreparedError: real examples are needed and not here.
        UserError: the model cannot be used at all. What concerns the task alone is in ``problem``.
        AssertionError: a baseline without a model made a bad row: its fault, not its data's.
    """
    rows, seed, real_split = wanted
    view, used = task_view(task, store, real_split)
    rng = rng_of(seed, task.spec)
    model = tools.model
    ledger = model.new_ledger() if isinstance(model, Client) else None
    watched = replace(tools, model=_Watched(model, tools.tally, _patience(rows))) if model is not None else tools
    limits = model.settings if isinstance(model, Client) else None
    budget = Budget(rows, limits.max_tokens if limits else None, limits.max_dollars if limits else None)
    began = time.perf_counter()
    taking = _Taking(baseline, task.spec, tools.tally, rows, [], None if baseline.reference else Duplicates())
    made = baseline.generate(view, watched, budget, rng)
    stopped: Stop = "exhausted"
    problem = ""
    try:
        stopped = taking.all(made, _Report(bar, ledger, task.spec.name, began))
    except NotPreparedError:
        raise
    except UserError as error:
        # A list without a usable item concerns this task; a server that is gone concerns all.
        if taking.rows or (isinstance(model, Client) and model.server.ended is not None):
            raise
        problem = str(error)
    finally:
        # Now, not when memory is tidied: answers in flight belong to this task.
        if isinstance(made, Generator):
            cast("Generator[Row]", made).close()
    bar.advance(rows - len(taking.rows))
    seconds = time.perf_counter() - began
    return Made(taking.rows, used(), rows, tools.tally, stopped, seconds, model, ledger, problem)


def rng_of(seed: int, spec: TaskSpec) -> np.random.Generator:
    """A task's own randomness."""
    return np.random.default_rng([seed, zlib.crc32(spec.name.encode())])


def _patience(rows: int) -> int:
    times, more = PATIENCE
    return times * rows + more


@dataclass(frozen=True, slots=True)
class _Report:
    """What a terminal shows while rows come."""

    bar: Progress
    ledger: Ledger | None
    task: str
    began: float

    def __call__(self, taken: bool, tally: Tally) -> None:
        if taken:
            self.bar.advance(1)
        kept, seconds = tally.kept.total(), max(time.perf_counter() - self.began, 1e-9)
        self.bar.show(f"{self.task}: " + pace(kept, kept + tally.dropped.total(), seconds, self.ledger))


def pace(kept: int, candidates: int, seconds: float, ledger: Ledger | None) -> str:
    """Rows per second, yield and cost, in words."""
    parts = [f"{kept / seconds:.1f} rows/s", f"yield {100 * kept / max(candidates, 1):.0f} %"]
    if ledger is not None:
        dollars = ledger.known_dollars
        parts += [f"{ledger.calls:,} calls", "cost unknown" if dollars is None else f"${dollars:.4f}"]
    return ", ".join(parts)


@dataclass(frozen=True, slots=True)
class _Taking:
    """Rows as they are taken."""

    baseline: Baseline
    spec: TaskSpec
    tally: Tally
    wanted: int
    rows: list[Row]
    known: Duplicates | None
    """``None`` for references: real rows stay as they are."""

    def all(self, made: Iterator[Row], report: _Report) -> Stop:
        """Take rows until there are enough; says why it stopped."""
        try:
            for row in made:
                report(self._take(row), self.tally)
                if len(self.rows) >= self.wanted and not self.baseline.reference:
                    return "rows"
                if len(self.rows) + self.tally.dropped.total() >= _patience(self.wanted) and self.known is not None:
                    return "patience"
        except PatienceSpentError:
            return "patience"
        except BudgetSpentError:
            return "limit"
        return "rows" if len(self.rows) >= self.wanted else "exhausted"

    def _take(self, row: Row) -> bool:
        kind = task_type(self.spec)
        fault = next(kind.faults(row, self.spec), None)
        if fault is not None and "llm" not in self.baseline.needs:
            raise AssertionError(f"{self.baseline.name} made a bad row for {self.spec.name}: {fault.reason}")
        reason = fault.reason if fault else None
        if reason is None and self.known is not None:
            reason = self.known.find([str(row[key]) for key in kind.text_keys])
        if reason is not None:
            self.tally.drop(reason)
            return False
        self.rows.append(row)
        self.tally.kept[class_of(row)] += 1
        return True


class _Watched:
    """A model that is not asked any further once patience has ended."""

    def __init__(self, model: LLM, tally: Tally, patience: int) -> None:
        self._model = model
        self._tally = tally
        self._patience = patience
        self.mode: Mode = model.mode
        self.model = model.model

    def ask(self, prompts: Sequence[Prompt]) -> Iterator[Answer]:
        """As ``LLM.ask``; what is not needed any more is not asked, also of a list that grows."""
        self._look()
        answers = self._model.ask(prompts)
        try:
            for answer in answers:
                yield answer
                self._look()
        finally:
            # Now, not when memory is tidied: answers in flight belong to this task.
            if isinstance(answers, Generator):
                cast("Generator[Answer]", answers).close()

    def _look(self) -> None:
        if self._tally.dropped.total() + self._tally.kept.total() >= self._patience:
            raise PatienceSpentError("too many candidates came to nothing")


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
