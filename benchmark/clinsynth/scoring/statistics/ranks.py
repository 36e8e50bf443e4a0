"""Many submissions: corrections for asking often, tie groups, rank intervals, and other ways to add up."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from clinsynth.scoring.statistics.estimates import ALPHA

Pairs = Mapping[tuple[str, str], tuple[float, float]]
"""For each ordered pair (a, b): a - b, and the two-sided p of no difference, not adjusted."""


def holm(p: Sequence[float]) -> list[float]:
    """Adjusted p-values in the given order: the chance of any false claim among them stays under alpha (Holm 1979)."""
    order = sorted(range(len(p)), key=lambda k: p[k])
    out, largest = [0.0] * len(p), 0.0
    for place, k in enumerate(order):
        largest = max(largest, min(1.0, (len(p) - place) * p[k]))
        out[k] = largest
    return out


def among_all(p: float, rows: int) -> float:
    """A p-value adjusted for every pair of ``rows``: whoever is compared with whom may then be chosen by the scores.

    The first of a table is the first because its errors were lucky. Adjusted for the comparisons with it alone, equal
    rows are told apart far too often (docs/statistics.md).
    """
    return min(1.0, p * rows * (rows - 1) / 2)


def tie_groups(scores: Mapping[str, float], pairs: Pairs, alpha: float = ALPHA) -> dict[str, int]:
    """Dense ranks: 1 for the leader and all that are not shown to be worse; 2 for the best of the rest...

    Shown to be worse: after adjustment for all pairs of the table. The chance that rows which are equally good are
    divided anywhere is then at most ``alpha``. Within a group nobody is shown to be worse than its leader; that does
    not show that all are equal.
    """
    left = sorted(scores, key=lambda name: (-scores[name], name))
    groups: dict[str, int] = {}
    rank = 0
    while left:
        rank += 1
        leader, *others = left
        tied = [leader, *(name for name in others if among_all(pairs[leader, name][1], len(scores)) >= alpha)]
        groups |= dict.fromkeys(tied, rank)
        left = [name for name in left if name not in groups]
    return groups


def rank_intervals(names: Sequence[str], pairs: Pairs, alpha: float = ALPHA) -> dict[str, tuple[int, int]]:
    """Best and worst rank of each: one more than are shown to be better, and all but those shown to be worse.

    After adjustment for all pairs, so that all intervals together hold the true ranks with confidence 1 - alpha (the
    simultaneous ones of Mogstad, Romano, Shaikh and Wilhelm 2024), and never contradict the tie groups.
    """
    out: dict[str, tuple[int, int]] = {}
    for name in names:
        against = [pairs[name, other] for other in names if other != name]
        shown = [d for d, p in against if among_all(p, len(names)) < alpha]
        out[name] = (1 + sum(d < 0 for d in shown), len(names) - sum(d > 0 for d in shown))
    return out


def _complete(table: Mapping[str, Mapping[str, float]]) -> list[str]:
    tasks = sorted({task for scores in table.values() for task in scores})
    lacking = [name for name, scores in table.items() if set(tasks) - scores.keys()]
    if lacking:
        raise ValueError(f"without all tasks: {', '.join(lacking)}")
    return tasks


def borda(table: Mapping[str, Mapping[str, float]]) -> dict[str, float]:
    """Points from ``{name: {task: score}}``: a task gives one for each submission beaten and a half for an equal one.

    Raises ``ValueError`` if a score is missing.
    """
    tasks = _complete(table)
    points = np.zeros(len(table))
    for task in tasks:
        scores = np.array([own[task] for own in table.values()])
        beaten = np.greater.outer(scores, scores).sum(axis=1)
        equal = np.equal.outer(scores, scores).sum(axis=1) - 1
        points += beaten + equal / 2
    return dict(zip(table, points.tolist(), strict=True))


def win_rate(table: Mapping[str, Mapping[str, float]]) -> dict[str, float]:
    """Mean share of the others that are beaten on a task, an equal one by half; empty where there is no other.

    Raises ``ValueError`` as ``borda``.
    """
    others, tasks = len(table) - 1, max(1, len(_complete(table)))
    if others < 1:
        return {}
    return {name: points / others / tasks for name, points in borda(table).items()}


def kendall_tau(a: Mapping[str, float], b: Mapping[str, float]) -> float | None:
    """Tau-b between two orders of the same names, such as two aggregates or two students.

    Names that only one has are left out. ``None`` for fewer than two names, or if one side ties them all.
    """
    names = [name for name in a if name in b]
    x, y = (np.sign(np.subtract.outer(v, v)) for v in ([s[n] for n in names] for s in (a, b)))
    scale = np.sqrt((x * x).sum() * (y * y).sum())
    return float((x * y).sum() / scale) if scale else None
