"""Does the order of the submissions hang on a choice that somebody made? Other averages, other metrics, one task less.

Compared are the submissions of the largest block without a gap: so many submissions on so many tasks that all of them
have. Scores are those of the standings, means over the seeds.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations, pairwise
from statistics import mean

from clinsynth.core import REFERENCES, TASKS
from clinsynth.results import RunRecord
from clinsynth.scoring.statistics import kendall_tau, type_weights
from clinsynth.scoring.statistics.ranks import borda
from clinsynth.standings.collection import Chosen

ByTask = Mapping[str, float]
"""A submission's score on each task."""
"""In the order that their scores should have."""
PUBLISHED = {"cdr": "f1", "gad": "f1"}
"""Tasks whose main metric is not the published one (docs/tasks.md), and that one."""
MOST_TASKS = 16


@dataclass(frozen=True, slots=True)
class Block:
    """Submissions that all have the same tasks."""

    names: tuple[str, ...]
    tasks: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Order:
    """The submissions by one way of adding up, best first."""

    way: str
    scores: dict[str, float]
    tau: float | None
    """Against the first way; ``None`` for fewer than two submissions, or where all are tied."""
    turned: tuple[tuple[str, str], ...]
    """Pairs of which the first way has the first one ahead, and this one the second."""


@dataclass(frozen=True, slots=True)
class Misplaced:
    """Two rows of a task that stand the other way round than a reader would expect."""

    task: str
    lower: str
    """The one that should score less."""
    higher: str
    lower_score: float
    higher_score: float


def block_of(scores: Mapping[str, ByTask], tasks: Sequence[str] = ()) -> Block:
    """The most cells without a gap, of several the one with more submissions; on ``tasks`` if some are given.

    At least two submissions; empty where there is no such block.
    """
    if tasks:
        names = tuple(name for name, own in scores.items() if set(tasks) <= own.keys())
        return Block(names, tuple(tasks))
    # A block's tasks are what its submissions have in common: the tasks of one, or of several together.
    found: set[frozenset[str]] = {frozenset(own) for own in scores.values()}
    for _ in range(MOST_TASKS):
        more = found | {a & b for a, b in combinations(found, 2)}
        if more == found:
            break
        found = more
    blocks = [
        Block(tuple(name for name, own in scores.items() if common <= own.keys()),
              tuple(task for task in TASKS if task in common))
        for common in found
        if common
    ]  # fmt: skip
    several = [block for block in blocks if len(block.names) > 1]
    return max(several, key=lambda b: (len(b.names) * len(b.tasks), len(b.names), b.tasks), default=Block((), ()))


def scores_of(chosen: Sequence[Chosen]) -> dict[str, dict[str, dict[str, float]]]:
    """By submission and task every metric's mean over the seeds."""
    return {each.entry.name: {task: _means(runs) for task, runs in each.runs.items() if runs} for each in chosen}


def _means(runs: Sequence[RunRecord]) -> dict[str, float]:
    return {metric: mean(run.scores[metric] for run in runs) for metric in runs[0].scores}


def by_metric(
    scores: Mapping[str, Mapping[str, Mapping[str, float]]], instead: Mapping[str, str] | None = None
) -> dict[str, dict[str, float]]:
    """Each score by the task's main metric, or by the one that ``instead`` names for it."""
    chosen = {name: task.spec.metric for name, task in TASKS.items()} | dict(instead or {})
    return {name: {task: own[chosen[task]] for task, own in tasks.items()} for name, tasks in scores.items()}


def mean_of_types(scores: Mapping[str, ByTask], block: Block) -> dict[str, float]:
    """As the standings add up: types count alike, and tasks within their type."""
    weights = type_weights({task: TASKS[task].spec.type for task in block.tasks})
    return {name: sum(weights[task] * scores[name][task] for task in block.tasks) for name in block.names}


def orders(
    scores: Mapping[str, Mapping[str, Mapping[str, float]]], block: Block, gaps: Mapping[str, ByTask]
) -> list[Order]:
    """The order as shown, then every other way; empty for fewer than two submissions.

    Args:
        scores: by submission, task and metric.
        block: what is compared.
        gaps: gap recovered by submission and task, where it is known.
    """
    if len(block.names) < 2:
        return []
    main = by_metric(scores)
    first = mean_of_types(main, block)
    return [_order(way, found, first) for way, found in _ways(scores, main, block, gaps)]


def _ways(
    scores: Mapping[str, Mapping[str, Mapping[str, float]]], main: Mapping[str, ByTask], block: Block,
    gaps: Mapping[str, ByTask],
) -> Iterator[tuple[str, dict[str, float]]]:  # fmt: skip
    yield "as shown: main metrics, mean of the types", mean_of_types(main, block)
    yield "mean of the tasks", {name: mean(main[name][task] for task in block.tasks) for name in block.names}
    yield "Borda points", borda({name: {task: main[name][task] for task in block.tasks} for name in block.names})
    measured = Block(block.names, tuple(
        task for task in block.tasks if all(task in gaps.get(name, {}) for name in block.names)
    ))  # fmt: skip
    if measured.tasks:
        yield f"gap recovered, on {', '.join(measured.tasks)}", mean_of_types(gaps, measured)
    others = {"macro F1": dict.fromkeys(TASKS, "macro_f1"), "the published metric": PUBLISHED}
    for words, metrics in others.items():
        here = {
            task: metrics[task] for task in block.tasks
            if task in metrics and metrics[task] != TASKS[task].spec.metric
            and all(metrics[task] in scores[name][task] for name in block.names)
        }  # fmt: skip
        if here:
            of_block = {name: {task: scores[name][task] for task in block.tasks} for name in block.names}
            yield f"{words} on {', '.join(here)}", mean_of_types(by_metric(of_block, here), block)
    if len(block.tasks) > 1:
        for left in block.tasks:
            rest = Block(block.names, tuple(task for task in block.tasks if task != left))
            yield f"without {left}", mean_of_types(main, rest)


def _order(way: str, found: Mapping[str, float], first: Mapping[str, float]) -> Order:
    ahead = sorted(first, key=lambda name: (-first[name], name))
    turned = tuple((a, b) for a, b in combinations(ahead, 2) if first[a] > first[b] and found[b] > found[a])
    ranked = dict(sorted(found.items(), key=lambda pair: (-pair[1], pair[0])))
    return Order(way, ranked, kendall_tau(first, found), turned)


def misplaced(scores: Mapping[str, ByTask]) -> list[Misplaced]:
    """References that stand the other way round on a task: each with the next one that the task has."""
    out: list[Misplaced] = []
    for task in TASKS:
        here = [name for name in REFERENCES if task in scores.get(name, {})]
        for low, high in pairwise(here):
            a, b = scores[low][task], scores[high][task]
            if a > b:
                out.append(Misplaced(task, low, high, a, b))
    return out


def beyond(scores: Mapping[str, ByTask], names: Sequence[str]) -> list[Misplaced]:
    """Submissions below the best constant answer, or above as many real rows."""
    pairs = [("constant", name) for name in names] + [(name, "gold-n") for name in names]
    return [
        Misplaced(task, low, high, scores[low][task], scores[high][task])
        for task in TASKS
        for low, high in pairs
        if task in scores.get(low, {}) and task in scores.get(high, {}) and scores[low][task] > scores[high][task]
    ]
