"""What the differences between submissions are worth, task by task and over task types."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from clinsynth.core import TASKS, Task, UserError
from clinsynth.data import ExampleStore
from clinsynth.results import DataKind
from clinsynth.scoring.statistics import ALPHA, Estimate, Profile, difference, holm, overall_difference, type_weights
from clinsynth.standings import RANKED_SEEDS
from clinsynth.standings.profiles import RESAMPLES, Profiler, RunSet
from clinsynth.standings.runs import (
    Entry,
    NotComparableError,
    TestSet,
    check_pair,
    comparable_runs,
    differences_of_conduct,
    read_entry,
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Request:
    """What is to be compared."""

    folders: tuple[Path, ...]
    """Submissions; each is compared with the first."""
    tasks: tuple[str, ...] = ()
    """Names; empty: every task that any of them was run on."""
    recipe: str
    rows: int
    """The budget. References may have another one: they are the ends of the scale."""
    resamples: int = RESAMPLES
    """0: leave out one unit at a time instead, also for F1."""
    seed: int = 0
    """Of the resampling."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """One submission against the first. Scores and differences are in [0, 1]; ``None`` where there is no number."""

    scope: str
    """A task, ``mean: <type>`` or ``mean of the types``."""
    other: str
    tasks: tuple[str, ...]
    """What it was compared on."""
    seeds: int = 0
    """Seeds that both have; the fewest over the tasks."""
    base_score: float | None = None
    other_score: float | None = None
    difference: float | None = None
    """The other minus the first."""
    low: float | None = None
    high: float | None = None
    """95 % interval."""
    p: float | None = None
    """Two-sided, of this comparison alone: it does not depend on what else is in the table."""
    p_holm: float | None = None
    """Adjusted for the comparisons of the same scope: the verdict goes by it."""
    detectable: float | None = None
    """The true difference that would be found 4 times in 5."""
    confidence: float | None = None
    """P(the other is better)."""
    verdict: str = ""
    note: str = ""


@dataclass(frozen=True, slots=True)
class Compared:
    """The outcome."""

    base: str
    recipe: str
    rows: int
    kind: DataKind
    comparisons: tuple[Comparison, ...]
    remarks: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Reading:
    """What was read for a comparison, for others with the same recipe, rows and resampling that follow at once."""

    entries: dict[Path, Entry] = field(default_factory=dict[Path, Entry])
    profiles: dict[tuple[str, Path, str], Profile | Exception] = field(
        default_factory=dict[tuple[str, Path, str], "Profile | Exception"]
    )
    """By task, folder and name; or why there is none."""

    def entry(self, folder: Path, recipe: str, kind: DataKind) -> Entry:
        """As ``read_entry``."""
        if folder not in self.entries:
            self.entries[folder] = read_entry(folder, recipe, kind)
        return self.entries[folder]

    def of(
        self, profiler: Profiler, test: TestSet, wanted: Mapping[str, RunSet]
    ) -> tuple[dict[str, Profile], dict[str, Exception]]:
        """As ``Profiler.profiles``."""
        # By name too: a folder of the direct track holds several rows.
        keys = {name: (test.task.spec.name, runs.entry.results.folder, name) for name, runs in wanted.items()}
        made, faults = profiler.profiles(
            test, {name: wanted[name] for name in wanted if keys[name] not in self.profiles}
        )
        for name, found in (*made.items(), *faults.items()):
            self.profiles[keys[name]] = found
        every = {name: self.profiles[key] for name, key in keys.items()}
        good = {name: each for name, each in every.items() if isinstance(each, Profile)}
        return good, {name: each for name, each in every.items() if isinstance(each, Exception)}


def compare(request: Request, store: ExampleStore, reading: Reading | None = None) -> Compared:
    """Compare submissions with the first of them, from stored predictions and the test sets on this machine.

    Args:
        request: what is to be compared.
        store: the test sets.
        reading: what was read before is taken from it, and what is read now is put into it.

    Raises:
        UserError: fewer than two submissions, two of one name, a folder without a good card, or an unknown task.
    """
    reading = Reading() if reading is None else reading
    entries = [reading.entry(folder, request.recipe, store.kind) for folder in request.folders]
    names = [entry.name for entry in entries]
    if len(set(names)) < max(2, len(names)):
        raise UserError("nothing to compare", found=", ".join(names), expected="two submissions or more, by name")
    tasks = request.tasks or tuple(task for task in TASKS if any(task in entry.runs for entry in entries))
    table: dict[str, dict[str, Profile]] = {name: {} for name in names}
    rows: list[Comparison] = []
    for task in tasks:
        rows += _on_task(TASKS[task], entries, request, store, table, reading)
    base, *others = names
    for scope, types in _scopes(tasks):
        family = [_overall(scope, table[base], table[other], other, types, request.seed) for other in others]
        rows += _judged([(row, estimate) for row, estimate in family if estimate is not None], "these test sets")
        rows += [row for row, estimate in family if estimate is None and scope == _ALL]
    return Compared(base, request.recipe, request.rows, store.kind, tuple(rows), tuple(_remarks(rows, request, store)))


_ALL = "mean of the types"


def _scopes(tasks: Sequence[str]) -> list[tuple[str, dict[str, str]]]:
    """Types with more than one task, then all: each with its tasks and their types."""
    types = {task: str(TASKS[task].spec.type) for task in tasks}
    by_type: dict[str, dict[str, str]] = defaultdict(dict)
    for task, kind in types.items():
        by_type[kind][task] = kind
    several = [(f"mean: {kind.replace('_', ' ')}", own) for kind, own in by_type.items() if len(own) > 1]
    return [*several, (_ALL, types)]


def _on_task(
    task: Task,
    entries: Sequence[Entry],
    request: Request,
    store: ExampleStore,
    table: dict[str, dict[str, Profile]],
    reading: Reading,
) -> list[Comparison]:
    """The comparisons on one task; puts the profiles of what can be compared into ``table``."""
    base, *others = [entry.name for entry in entries]
    name = task.spec.name
    good: dict[str, RunSet] = {}
    refused: dict[str, str] = {}
    try:
        test = TestSet(task, store)
        good[base] = RunSet(entries[0], comparable_runs(entries[0], test, request.rows))
    except (NotComparableError, UserError) as error:
        return [_refused(name, other, str(error)) for other in others]
    for entry in entries[1:]:
        try:
            records = comparable_runs(entry, test, request.rows)
            check_pair(good[base].records, records)
            good[entry.name] = RunSet(entry, records)
        except NotComparableError as error:
            refused[entry.name] = str(error)
    profiles, faults = reading.of(Profiler(store, request.resamples, request.seed), test, good)
    if base not in profiles:
        return [_refused(name, other, str(faults[base])) for other in others]
    refused |= {who: str(fault) for who, fault in faults.items()}
    for who, profile in profiles.items():
        table[who][name] = profile
    family: list[tuple[Comparison, Estimate]] = []
    for other in (each for each in others if each in profiles):
        a, b = _on_common_seeds(profiles[base], profiles[other])
        note = differences_of_conduct(good[base].records, good[other].records)
        row = Comparison(name, other, (name,), len(a.seeds), a.mean, b.mean, note=note)
        family.append((row, difference(b, a).estimate()))
    return [*_judged(family, "this test set"), *(_refused(name, other, why) for other, why in refused.items())]


def _on_common_seeds(a: Profile, b: Profile) -> tuple[Profile, Profile]:
    common = sorted(set(a.seeds) & set(b.seeds))
    return a.only(common), b.only(common)


def _refused(scope: str, other: str, reason: str) -> Comparison:
    return Comparison(scope, other, (), verdict=f"not comparable: {reason.splitlines()[0]}")


def _overall(
    scope: str, base: Mapping[str, Profile], own: Mapping[str, Profile], other: str, types: dict[str, str], seed: int
) -> tuple[Comparison, Estimate | None]:
    found = overall_difference(own, base, types, seed)
    row = Comparison(scope, other, found.tasks)
    if found.estimate is None:
        return replace(row, verdict="not comparable: no task in common"), None
    weights = type_weights({task: types[task] for task in found.tasks})
    pairs = {task: _on_common_seeds(base[task], own[task]) for task in found.tasks}
    means = [sum(weights[task] * pair[side].mean for task, pair in pairs.items()) for side in (0, 1)]
    seeds = min(len(pair[0].seeds) for pair in pairs.values())
    note = f"{len(found.tasks)} task{'s' * (len(found.tasks) > 1)}" + (
        f", without {', '.join(found.missing)}" if found.missing else ""
    )
    return replace(row, seeds=seeds, base_score=means[0], other_score=means[1], note=note), found.estimate


def _judged(family: Sequence[tuple[Comparison, Estimate]], what: str) -> list[Comparison]:
    """Numbers and verdicts of the comparisons of one scope; Holm's adjustment is over those with two seeds or more."""
    adjusted = iter(holm([estimate.p_value() for row, estimate in family if row.seeds > 1]))
    return [_judge(row, estimate, next(adjusted), what) if row.seeds > 1 else _one_seed(row, estimate)
            for row, estimate in family]  # fmt: skip


def _one_seed(row: Comparison, estimate: Estimate) -> Comparison:
    verdict = "undecided: one seed in common does not show how far seeds lie apart"
    return replace(row, difference=estimate.value, verdict=verdict)


def _judge(row: Comparison, estimate: Estimate, p_holm: float, what: str) -> Comparison:
    low, high = estimate.interval()
    if p_holm < ALPHA:
        verdict = (
            f"{row.other} is {'better' if estimate.value > 0 else 'worse'} by {100 * abs(estimate.value):.1f} points"
        )
    elif estimate.value == 0 and estimate.standard_error == 0:
        verdict = "tie: no difference at all"
    else:
        verdict = f"tie: {what} can only resolve {100 * estimate.detectable():.1f} points"
    few = f" (preliminary: {row.seeds} seeds)" if row.seeds < RANKED_SEEDS else ""
    return replace(
        row, difference=estimate.value, low=low, high=high, p=estimate.p_value(), p_holm=p_holm,
        detectable=estimate.detectable(), confidence=estimate.probability_positive(), verdict=verdict + few,
    )  # fmt: skip


def _remarks(rows: Sequence[Comparison], request: Request, store: ExampleStore) -> Iterable[str]:
    yield (
        f"{request.recipe}, {request.rows:,} rows. Scores x 100; difference: the other minus the first, with its 95 % "
        "interval, paired by test unit and seed. p: two-sided, for the comparison alone; p (Holm): adjusted for the "
        "comparisons of the same line of tasks, and what the verdict goes by. resolves: found 4 times in 5."
    )
    if store.kind == "sample":
        yield "SAMPLE: the test items are a few hand-written ones. These numbers try the machinery, no more."
    asked = [row for row in rows if row.p_holm is not None and row.scope in TASKS]
    called = sum(row.p_holm is not None and row.p_holm < ALPHA for row in asked)
    if len(asked) > 1:
        yield (
            f"{called} of {len(asked)} comparisons on single tasks are decided; if nothing differed, about "
            f"{ALPHA * len(asked):.1f} would be. The claim to make is the one over the task types."
        )
    if any(row.note and row.scope in TASKS for row in rows):
        yield "A method with fewer rows uses all it has, a reference may have more; the note says so."
