"""Reproduction of stored runs: train them again from the submitted rows and compare the predictions."""

from __future__ import annotations

import shutil
import statistics
from collections import defaultdict
from collections.abc import Generator, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from itertools import combinations
from pathlib import Path

from clinsynth.core import (
    TASKS,
    NotPreparedError,
    Prediction,
    UserError,
    atomic_path,
    held_folder,
    sha256_lines,
    user_cache,
)
from clinsynth.data import ExampleStore, open_store
from clinsynth.results import (
    SEEDS,
    Cell,
    ReproductionRecord,
    Results,
    RunRecord,
    mean_difference,
    most_difference,
    reproduced_runs,
    reproduction_of,
    write_reproduction,
)
from clinsynth.submissions import CARD_FILE, Submission, read_submission
from clinsynth.training.scoring import Request, score

WORKPLACE = "reproducing"
"""Folder in the user's cache of runs whose task is not yet done: as a home, every node of a cluster sees it."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ReproductionRequest:
    """A request to train stored runs again."""

    submission: Path
    tasks: tuple[str, ...] = ()
    """Names; empty: every task with a run whose test set is here."""
    recipe: str = ""
    """Empty: every recipe."""
    rows: tuple[int, ...] = ()
    """Budgets; empty: every one."""
    seeds: tuple[int, ...] = SEEDS
    again: bool = False
    """Whether runs that were reproduced before are trained once more."""
    data_dir: Path | None = None
    sample: bool = False
    workers: int = 0
    executor: str = "local"


@dataclass(slots=True)
class ReproductionPlan:
    """The stored runs to train again, and those that cannot be."""

    todo: list[RunRecord] = field(default_factory=list[RunRecord])
    done: list[ReproductionRecord] = field(default_factory=list[ReproductionRecord])
    """Reproduction records that are there and speak of the stored runs."""
    refused: dict[Cell, str] = field(default_factory=dict[Cell, str])
    """Runs that were made from other inputs than those here: they cannot be reproduced."""
    skipped: dict[str, str] = field(default_factory=dict[str, str])
    """Tasks that cannot be trained here, and files that cannot be read as records, with the reason."""


@dataclass(frozen=True, slots=True)
class Reproduced:
    """The outcome of training runs again."""

    records: tuple[ReproductionRecord, ...]
    """Of every run that was asked for, old or new."""
    failed: tuple[tuple[Cell, str], ...]
    """Runs that could not be trained, or not be compared."""

    @property
    def groups(self) -> list[tuple[ReproductionRecord, ...]]:
        """The seeds of each task, recipe and budget."""
        groups: dict[tuple[str, str, int], list[ReproductionRecord]] = defaultdict(list)
        for record in self.records:
            groups[record.task, record.recipe, record.rows].append(record)
        return [tuple(group) for group in groups.values()]

    @property
    def ok(self) -> bool:
        """Whether every run was trained again and came out as stored, each seed and their mean."""
        means = all(mean_difference(group) <= most_difference(group) for group in self.groups)
        return not self.failed and means and all(record.reproduced for record in self.records)


def plan_reproduction(request: ReproductionRequest) -> ReproductionPlan:
    """Find the stored runs to train again. Trains nothing.

    Raises:
        UserError: the submission cannot be read, or nothing of what was asked for is stored.
    """
    submission = read_submission(request.submission)
    store = open_store(request.data_dir, request.sample)
    stored = Results(submission.path, store.kind).stored()
    known = reproduced_runs(submission.path, store.kind)
    out = ReproductionPlan(skipped={fault.path.name: fault.text for fault in (*stored.faults, *known.faults)})
    asked = [record for record in stored.records if _is_asked(record, request)]
    if not asked:
        raise UserError(
            f"no run in {request.submission} is to be reproduced",
            expected=f"runs of the seeds {', '.join(map(str, request.seeds))} of what was asked for",
            remedy=f"clinsynth score {request.submission}",
        )
    for record in asked:
        earlier = known.by_run.get(record.seal)
        if earlier and not request.again:
            out.done.append(earlier)
            continue
        try:
            fault = _differs(record, submission, store)
        except UserError as error:
            out.skipped[record.task] = str(error).splitlines()[0]
            continue
        if fault:
            out.refused[record.cell] = fault
        else:
            out.todo.append(record)
    return out


def _is_asked(record: RunRecord, request: ReproductionRequest) -> bool:
    return (
        record.seed in request.seeds
        and request.recipe in ("", record.recipe)
        and (not request.tasks or record.task in request.tasks)
        and (not request.rows or record.rows in request.rows)
    )


def _differs(record: RunRecord, submission: Submission, store: ExampleStore) -> str:
    """Why a run cannot be trained again as it was; empty if it can. Raises ``UserError`` where something is missing."""
    from clinsynth.training.recipe import RECIPES, recipe_fingerprint
    from clinsynth.training.weights import find_weights, weights_fingerprint

    task, recipe = TASKS[record.task], RECIPES[record.recipe]
    if record.task not in submission.files:
        raise NotPreparedError(f"the rows of {record.task} are not in {submission.path}",
                               remedy="references: clinsynth generate makes them again")  # fmt: skip
    faults = {
        "made with other settings of the recipe": record.recipe_fingerprint != recipe_fingerprint(recipe, task.spec),
        "its student had other weights": record.student_fingerprint
        != weights_fingerprint(find_weights(recipe.weights)),
        "run on another test set than the one here": record.test.fingerprint != store.fingerprint(task, "test"),
        "not trained on the rows that are here": record.training.fingerprint != submission.fingerprint(record.task),
    }
    return next((text for text, holds in faults.items() if holds), "")


def reproduce(request: ReproductionRequest, planned: ReproductionPlan | None = None) -> Reproduced:
    """Train the runs again, compare, and store a record of each as soon as its task is done.

    An interrupted call can be repeated and goes on from the last run that was finished.

    Raises:
        UserError: as ``plan_reproduction``; or a worker was killed.
    """
    planned = planned or plan_reproduction(request)
    folder = request.submission.absolute()
    results = Results(folder, "sample" if request.sample else "real")
    records = list(planned.done)
    failed = [*planned.refused.items()]
    groups: dict[tuple[str, str, int], list[RunRecord]] = defaultdict(list)
    for record in planned.todo:
        groups[record.task, record.recipe, record.rows].append(record)
    for group in groups.values():
        for record, outcome in _trained(folder, group, request):
            if isinstance(outcome, str):
                failed.append((record.cell, outcome))
            else:
                records.append(write_reproduction(folder, outcome, results.kind))
    return Reproduced(tuple(sorted(records, key=lambda record: record.cell)), tuple(failed))


def _trained(
    folder: Path, group: Sequence[RunRecord], request: ReproductionRequest
) -> Iterator[tuple[RunRecord, ReproductionRecord | str]]:
    """Train the runs of one task, recipe and budget in a folder that holds only the rows.

    The folder is left behind where this is interrupted, so that its finished runs need not be trained again.
    """
    first = group[0]
    stored = Results(folder, "sample" if request.sample else "real")
    with _workplace(folder, first) as copy:
        scored = score(
            Request(
                submission=copy, tasks=(first.task,), recipe=first.recipe, budgets=(first.rows,),
                seeds=tuple(record.seed for record in group), data_dir=request.data_dir, sample=request.sample,
                workers=request.workers, executor=request.executor,
            )
        )  # fmt: skip
        why = {cell: str(error).splitlines()[0] for cell, error in scored.failed}
        made = Results(copy, stored.kind)
        new = {record.cell: (record, made.read_predictions(record)[0]) for record in scored.records}
        between = _between([said for _, said in new.values()])
        for record in group:
            if record.cell not in new:
                yield record, why.get(record.cell, "it was not trained")
                continue
            try:
                said, _ = stored.read_predictions(record)
            except UserError as error:
                yield record, str(error).splitlines()[0]
                continue
            again, answers = new[record.cell]
            if len(said) == len(answers):
                yield record, reproduction_of(stored, record, again, _equal(said, answers), between)
            else:
                yield record, f"{len(said)} predictions are stored, for {len(answers)} examples"


@contextmanager
def _workplace(folder: Path, record: RunRecord) -> Generator[Path]:
    """Give the folder of a run's task, recipe and budget, with the card and the rows; the same one at each call.

    It is removed when the block ends well, and left where it was interrupted.

    Raises:
        UserError: another call is at the same runs.
    """
    key = sha256_lines([str(folder), record.training.fingerprint, record.cell.stem.rpartition("/")[0]])[:16]
    place = user_cache().absolute() / WORKPLACE
    copy = place / key / folder.name
    # Rows may be of a task whose data nobody else on this machine may read.
    place.mkdir(mode=0o700, parents=True, exist_ok=True)
    with ExitStack() as held:
        try:
            held.enter_context(held_folder(copy.parent))
        except BlockingIOError:
            runs = record.cell.stem.rpartition("/")[0]
            raise UserError(
                f"another call trains {runs} of {folder.name} again", remedy="wait until it has ended, then repeat this"
            ) from None
        for source in (Path(CARD_FILE), read_submission(folder).files[record.task].relative_to(folder)):
            with atomic_path(copy / source) as target:
                shutil.copyfile(folder / source, target)
        yield copy


def _equal(one: Sequence[Prediction], other: Sequence[Prediction]) -> int:
    return sum(left == right for left, right in zip(one, other, strict=True))


def _between(runs: Sequence[Sequence[Prediction]]) -> float | None:
    """Mean share of examples with equal predictions over all pairs of runs; ``None`` for a single run."""
    shares = [_equal(one, other) / len(one) for one, other in combinations(runs, 2)]
    return statistics.mean(shares) if shares else None
