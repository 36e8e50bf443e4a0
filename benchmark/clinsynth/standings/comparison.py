"""Differences between submissions with their intervals, p-values and verdicts, by task and over task types."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from clinsynth.core import TASKS, Task, UserError
from clinsynth.data import ExampleStore
from clinsynth.results import DataKind
from clinsynth.scoring.statistics import (
    ALPHA,
    Estimate,
    Profile,
    difference,
    holm,
    mean_of_types,
    overall_difference,
    prepare,
    settled,
)
from clinsynth.standings.model import MEAN_OF_TYPES, SAMPLE_REMARK, task_types
from clinsynth.standings.profiles import RESAMPLES, Profiler
from clinsynth.standings.runs import (
    Answers,
    Entry,
    NotComparableError,
    TestSet,
    check_pair,
    comparable_answers,
    differences_of_conduct,
    scale_of,
)
from clinsynth.standings.verdicts import Judgement, judge, not_comparable, words


@dataclass(frozen=True, kw_only=True, slots=True)
class Request:
    """A request to compare submissions."""

    entries: tuple[Entry, ...]
    """Submissions, or models by themselves; each is compared with the first."""
    tasks: tuple[str, ...] = ()
    """Names; empty: every task that any of them was run on."""
    recipe: str
    rows: int | None
    """The budget. References may have another one: they are the ends of the scale. ``None``: each on all its rows."""
    ceiling: Entry | None = None
    """A student of all real rows. The width of an interval is judged against the distance from the constant answer to
    its score; without it, to a perfect score."""
    resamples: int = RESAMPLES
    """Bootstrap resamples of F1 metrics; 0: the jackknife instead."""
    seed: int = 0
    """Seed of the resampling."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """One submission against the first. Scores and differences are in [0, 1]; ``None`` where there is no number."""

    scope: str
    """A task, ``mean: <type>`` or ``mean of the types``."""
    other: str
    tasks: tuple[str, ...]
    """The tasks that it was compared on."""
    seeds: int = 0
    """The fewest seeds of either on any task; 0 where no seed changes either."""
    base_score: float | None = None
    other_score: float | None = None
    difference: float | None = None
    """The other minus the first."""
    low: float | None = None
    high: float | None = None
    """95 % interval."""
    p: float | None = None
    """Two-sided, of this comparison alone: the verdict goes by it, and depends on nothing else in the table."""
    p_holm: float | None = None
    """Adjusted for the comparisons of the same scope."""
    detectable: float | None = None
    """The true difference that would be found 4 times in 5."""
    confidence: float | None = None
    """P(the other is better)."""
    judgement: Judgement = field(default_factory=lambda: Judgement("not comparable"))
    """The verdict on the other."""
    words: str = ""
    """The same in words."""
    note: str = ""
    """A further remark, such as different numbers of rows."""


@dataclass(frozen=True, slots=True)
class Compared:
    """The outcome of a comparison."""

    base: str
    recipe: str
    rows: int | None
    kind: DataKind
    comparisons: tuple[Comparison, ...]
    remarks: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Reading:
    """Profiles read for a comparison, to be reused by further ones with the same recipe, rows and resampling."""

    profiles: dict[tuple[str, str], Profile | Exception] = field(
        default_factory=dict[tuple[str, str], "Profile | Exception"]
    )
    """By task and name, the profile, or why there is none."""
    floors: dict[str, float] = field(default_factory=dict[str, float])
    """By task, the score of the best constant answer."""

    def of(
        self, profiler: Profiler, test: TestSet, wanted: Mapping[str, Answers]
    ) -> tuple[dict[str, Profile], dict[str, Exception]]:
        """As ``Profiler.profiles``."""
        task = test.task.spec.name
        made, faults = profiler.profiles(
            test, {name: wanted[name] for name in wanted if (task, name) not in self.profiles}
        )
        for name, found in (*made.items(), *faults.items()):
            self.profiles[task, name] = found
        every = {name: self.profiles[task, name] for name in wanted}
        good = {name: each for name, each in every.items() if isinstance(each, Profile)}
        return good, {name: each for name, each in every.items() if isinstance(each, Exception)}

    def floor(self, profiler: Profiler, test: TestSet) -> float:
        """As ``Profiler.constant``."""
        task = test.task.spec.name
        if task not in self.floors:
            self.floors[task] = profiler.constant(test)[0].score
        return self.floors[task]


@dataclass(slots=True)
class _Made:
    """Intermediate results on the tasks so far."""

    profiles: dict[str, dict[str, Profile]]
    """Profiles by name and task."""
    scales: dict[str, float] = field(default_factory=dict[str, float])
    """Scales by task."""


def compare(request: Request, store: ExampleStore, reading: Reading | None = None) -> Compared:
    """Compare submissions with the first of them, from stored predictions and the test sets on this machine.

    Args:
        request: what is to be compared.
        store: the test sets.
        reading: what was read before is taken from it, and what is read now is put into it.

    Raises:
        UserError: fewer than two submissions, two of one name, or an unknown task.
    """
    reading = Reading() if reading is None else reading
    names = [entry.name for entry in request.entries]
    if len(set(names)) < max(2, len(names)):
        raise UserError("nothing to compare", found=", ".join(names), expected="two submissions or more, by name")
    tasks = request.tasks or tuple(task for task in TASKS if any(task in entry.tasks for entry in request.entries))
    made = _Made({name: {} for name in names})
    rows: list[Comparison] = []
    for task in tasks:
        rows += _on_task(TASKS[task], request, store, made, reading)
    base, *others = names
    for scope, types in _scopes(tasks):
        family = [_overall(scope, made, (base, other), types, request.seed) for other in others]
        scales = [_scale(row.tasks, made.scales) for row, _ in family]
        rows += _judged([(row, found, scale) for (row, found), scale in zip(family, scales, strict=True) if found])
        rows += [row for row, estimate in family if estimate is None and scope == MEAN_OF_TYPES]
    return Compared(base, request.recipe, request.rows, store.kind, tuple(rows), tuple(_remarks(rows, request, store)))


def _scopes(tasks: Sequence[str]) -> list[tuple[str, dict[str, str]]]:
    """Types with more than one task, then all: each with its tasks and their types."""
    types = task_types(tasks)
    by_type: dict[str, dict[str, str]] = defaultdict(dict)
    for task, kind in types.items():
        by_type[kind][task] = kind
    several = [(f"mean: {kind.replace('_', ' ')}", own) for kind, own in by_type.items() if len(own) > 1]
    return [*several, (MEAN_OF_TYPES, types)]


def _on_task(task: Task, request: Request, store: ExampleStore, made: _Made, reading: Reading) -> list[Comparison]:
    """The comparisons on one task; puts the profiles of what can be compared into ``made``."""
    first, *rest = request.entries
    name = task.spec.name
    good: dict[str, Answers] = {}
    refused: dict[str, str] = {}
    profiler = Profiler(store, request.resamples, request.seed)
    try:
        test = TestSet(task, store)
        good[first.name] = comparable_answers(first, test, request.rows)
        floor = reading.floor(profiler, test)
    except (NotComparableError, UserError) as error:
        return [_refused(name, other.name, str(error)) for other in rest]
    for entry in rest:
        try:
            answers = comparable_answers(entry, test, request.rows)
            check_pair(good[first.name], answers)
            good[entry.name] = answers
        except NotComparableError as error:
            refused[entry.name] = str(error)
    profiles, faults = reading.of(profiler, test, good)
    if first.name not in profiles:
        return [_refused(name, other.name, str(faults[first.name])) for other in rest]
    refused |= {who: str(fault) for who, fault in faults.items()}
    for who, profile in profiles.items():
        made.profiles[who][name] = profile
    ceiling = request.ceiling.runs.get(name, []) if request.ceiling else []
    made.scales[name] = scale_of(test, floor, ceiling)
    family: list[tuple[Comparison, Estimate, float]] = []
    for other in (each.name for each in rest if each.name in profiles):
        a, b = profiles[first.name], profiles[other]
        measured = difference(b, a)
        note = differences_of_conduct(good[first.name], good[other])
        row = Comparison(name, other, (name,), measured.components.seeds, a.mean, b.mean, note=note)
        family.append((row, measured.estimate(), made.scales[name]))
    return [*_judged(family), *(_refused(name, other, why) for other, why in refused.items())]


def _refused(scope: str, other: str, reason: str) -> Comparison:
    return _worded(Comparison(scope, other, (), judgement=not_comparable(reason)))


def _worded(row: Comparison) -> Comparison:
    said = words(row.judgement, row.other, row.difference, row.detectable, tasks=len(row.tasks), seeds=row.seeds)
    return replace(row, words=said)


def _scale(tasks: Sequence[str], scales: Mapping[str, float]) -> float:
    """The scale of the mean of type means over these tasks."""
    return mean_of_types(scales, task_types(tasks))


def _overall(
    scope: str, made: _Made, pair: tuple[str, str], types: dict[str, str], seed: int
) -> tuple[Comparison, Estimate | None]:
    base, own = (made.profiles[name] for name in pair)
    measured = overall_difference(own, base, types, seed)
    row = Comparison(scope, pair[1], measured.tasks)
    if measured.estimate is None:
        return _worded(replace(row, judgement=not_comparable("no task in common"))), None
    shared = {task: types[task] for task in measured.tasks}
    means = [mean_of_types({task: side[task].mean for task in shared}, shared) for side in (base, own)]
    seeds = [len(side[task].seeds) for task in measured.tasks for side in (base, own) if side[task].seeds]
    note = f"{len(measured.tasks)} task{'s' * (len(measured.tasks) > 1)}" + (
        f", without {', '.join(measured.missing)}" if measured.missing else ""
    )
    scores = {"base_score": means[0], "other_score": means[1]}
    return replace(row, seeds=min(seeds, default=0), note=note, **scores), measured.estimate


def _judged(family: Sequence[tuple[Comparison, Estimate, float]]) -> list[Comparison]:
    """Numbers and verdicts of the comparisons of one scope; Holm's adjustment is over those with more than one seed."""
    prepare(estimate for row, estimate, _ in family if row.seeds != 1)
    adjusted = iter(holm([estimate.p_value() for row, estimate, _ in family if row.seeds != 1]))
    return [_judge(row, estimate, scale, None if row.seeds == 1 else next(adjusted)) for row, estimate, scale in family]


def _judge(row: Comparison, estimate: Estimate, scale: float, p_holm: float | None) -> Comparison:
    judged = replace(row, difference=settled(estimate.value), judgement=judge(estimate, row.seeds, scale))
    if p_holm is None:
        return _worded(judged)  # one seed: no interval
    low, high = estimate.interval()
    full = replace(
        judged, low=low, high=high, p=estimate.p_value(), p_holm=settled(p_holm), detectable=estimate.detectable(),
        confidence=estimate.probability_positive(),
    )  # fmt: skip
    return _worded(full)


def _remarks(rows: Sequence[Comparison], request: Request, store: ExampleStore) -> Iterable[str]:
    rows_used = "all its rows each" if request.rows is None else f"{request.rows:,} rows"
    yield (
        f"{request.recipe}, {rows_used}. Scores x 100; difference: the other minus the first, with its 95 % interval, "
        "paired by test unit, and by seed where both have the same. p: two-sided, for the comparison alone; verdicts "
        "go by it. p (Holm): adjusted for the comparisons of the same line of tasks. resolves: found 4 times in 5."
    )
    if store.kind == "sample":
        yield SAMPLE_REMARK
    asked = [row for row in rows if row.p is not None and row.scope in TASKS]
    called = sum(row.judgement.verdict in ("better", "worse") for row in asked)
    if len(asked) > 1:
        yield (
            f"{called} of {len(asked)} comparisons on single tasks are decided; if nothing differed, about "
            f"{ALPHA * len(asked):.1f} would be. The claim to make is the one over the task types."
        )
    asked_of = {row.scope for row in rows}
    yield from (each.text for entry in request.entries for each in entry.left_out if each.task in {*asked_of, ""})
    if any(row.note and row.scope in TASKS for row in rows):
        yield "A method with fewer rows uses all it has, a reference may have more; the note says so."
