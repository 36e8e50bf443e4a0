"""Over task types: the mean of the type means, its differences, and the ranking that follows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from clinsynth.scoring.statistics.estimates import ALPHA, Estimate, combine
from clinsynth.scoring.statistics.profiles import Profile, difference, score_of
from clinsynth.scoring.statistics.ranking import borda, rank_intervals, tie_groups, win_rate

Profiles = Mapping[str, Profile]
"""A submission's profiles by task."""


def type_weights(types: Mapping[str, str]) -> dict[str, float]:
    """The weight of each task in the mean of type means, from its type; they add up to 1."""
    sizes = Counter(types.values())
    return {task: 1 / len(sizes) / sizes[kind] for task, kind in types.items()}


def overall(profiles: Profiles, types: Mapping[str, str], seed: int) -> Estimate:
    """The overall score on the tasks of ``types``; ``seed`` is that of ``combine``.

    The tasks count as fixed: the interval speaks of other seeds and other test items, not of other tasks.

    Raises:
        ValueError: a task is missing. A gap never makes a mean smaller or larger.
    """
    if missing := [task for task in types if task not in profiles]:
        raise ValueError(f"no score on {', '.join(missing)}")
    return combine({task: score_of(profiles[task]) for task in types}, type_weights(types), seed)


@dataclass(frozen=True, slots=True, eq=False)
class OverallDifference:
    """A - B over the tasks that both have."""

    estimate: Estimate | None
    """``None`` where there is no common task."""
    tasks: tuple[str, ...]
    missing: tuple[str, ...]
    """Tasks that were left out because one of the two lacks them."""


def overall_difference(a: Profiles, b: Profiles, types: Mapping[str, str], seed: int) -> OverallDifference:
    """A - B on the mean of type means over the tasks of ``types`` that both have."""
    tasks = tuple(task for task in types if task in a and task in b and set(a[task].seeds) & set(b[task].seeds))
    missing = tuple(task for task in types if task not in tasks)
    if not tasks:
        return OverallDifference(None, (), missing)
    weights = type_weights({task: types[task] for task in tasks})
    return OverallDifference(
        combine({task: difference(a[task], b[task]) for task in tasks}, weights, seed), tasks, missing
    )


@dataclass(frozen=True, slots=True)
class Ranked:
    """One row of a ranking."""

    name: str
    score: float | None
    """Overall score in [0, 1]; ``None`` if it is not ranked, and ``reason`` says why."""
    interval: tuple[float, float] | None
    group: int | None
    """Dense tie group, from 1."""
    ranks: tuple[int, int] | None
    """Best and worst rank."""
    borda: float | None
    win_rate: float | None
    reason: str = ""


def ranking(entries: Mapping[str, Profiles], types: Mapping[str, str], seed: int, min_seeds: int = 5) -> list[Ranked]:
    """Rank the entries that have every task of ``types`` with ``min_seeds`` seeds or more; the others follow by name.

    Adding an entry changes no score, interval or difference of others, but may change groups and ranks.
    """
    reasons = {name: reason for name, own in entries.items() if (reason := _unfit(own, types, min_seeds))}
    names = [name for name in entries if name not in reasons]
    scores = {name: overall(entries[name], types, seed) for name in names}
    pairs = _pairs({name: entries[name] for name in names}, types, seed)
    means = {name: estimate.value for name, estimate in scores.items()}
    groups, ranks = tie_groups(means, pairs), rank_intervals(names, pairs)
    table = {name: {task: entries[name][task].mean for task in types} for name in names}
    points, rates = borda(table), win_rate(table)
    rows = [
        Ranked(name, means[name], scores[name].interval(ALPHA), groups[name], ranks[name], points[name], rates[name])
        for name in sorted(names, key=lambda name: (-means[name], name))
    ]
    return rows + [Ranked(name, None, None, None, None, None, None, reasons[name]) for name in sorted(reasons)]


def _unfit(own: Profiles, types: Mapping[str, str], min_seeds: int) -> str:
    missing = [task for task in types if task not in own]
    if missing:
        return f"no rank: no score on {', '.join(missing)}"
    few = [task for task in types if len(own[task].seeds) < min_seeds]
    return f"no rank, preliminary: fewer than {min_seeds} seeds on {', '.join(few)}" if few else ""


def _pairs(
    entries: Mapping[str, Profiles], types: Mapping[str, str], seed: int
) -> dict[tuple[str, str], tuple[float, float]]:
    names: Sequence[str] = sorted(entries)
    out: dict[tuple[str, str], tuple[float, float]] = {}
    for place, a in enumerate(names):
        for b in names[place + 1 :]:
            estimate = overall_difference(entries[a], entries[b], types, seed).estimate
            value, p = (estimate.value, estimate.p_value()) if estimate else (0.0, 1.0)
            out[a, b], out[b, a] = (value, p), (-value, p)
    return out
