"""Scores between a floor and a ceiling, and in real examples: the scales that people can use."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, partial

import numpy as np
from scipy.special import ndtri  # pyright: ignore[reportMissingTypeStubs] - scipy has none

from clinsynth.scoring.statistics.contrasts import Line, Lines, Terms, contrast
from clinsynth.scoring.statistics.estimates import ALPHA, Measured, crossing, crossings, settled
from clinsynth.scoring.statistics.profiles import FloatArray, IntArray, Profile

_TINY = 1e-300
_FAR = 1e3
"""Bounds of a gap beyond this are left open."""
NO_SCALE = "real data is not above the constant answer by twice the standard error"


@dataclass(frozen=True, slots=True)
class Gap:
    """(score - floor) / (full - floor): 0 at the floor, 1 at the ceiling; below and above are possible."""

    value: float | None
    low: float | None
    high: float | None
    reason: str = ""
    """Why something is missing."""


def gap_recovered(score: Profile, floor: Profile, full: Profile, alpha: float = ALPHA) -> Gap:
    """Gap recovered, with the interval of all g for which score - floor = g (full - floor) is not rejected.

    That is Fieller's interval (1954): it knows that the ends of the scale are estimated on the same test set. There is
    no gap where the ceiling is not above the floor by more than twice the standard error of their difference.
    """
    return gap_of(Terms.of([score, floor, full]), alpha)


def gap_of(terms: Terms, alpha: float = ALPHA) -> Gap:
    """The same from the terms of score, floor and ceiling, in this order."""
    span = terms.contrast([0.0, -1.0, 1.0])
    if not is_scale(span):
        return Gap(None, None, None, NO_SCALE)
    value = (terms.means[0] - terms.means[1]) / span.value
    return _bounded([(terms, value, span.value)], alpha)[0]


def gaps_of(many: Sequence[Terms], alpha: float = ALPHA) -> list[Gap]:
    """The same of many on one test set."""
    spans = [terms.contrast([0.0, -1.0, 1.0]) for terms in many]
    scaled = [
        (terms, (terms.means[0] - terms.means[1]) / span.value, span.value)
        for terms, span in zip(many, spans, strict=True)
        if is_scale(span)
    ]
    bounds = iter(_bounded(scaled, alpha))
    return [next(bounds) if is_scale(span) else Gap(None, None, None, NO_SCALE) for span in spans]


def _bounded(scaled: Sequence[tuple[Terms, float, float]], alpha: float) -> list[Gap]:
    """With their intervals: of terms, the gap, and the span that it is a share of."""
    lines = [terms.line([1.0, -1.0, 0.0], [0.0, 1.0, -1.0]) for terms, _, _ in scaled]
    edges = [_Excess(line, alpha) for line in lines]
    values: FloatArray = np.array([value for _, value, _ in scaled])
    # Where seeds decide and are few, the edge is not much farther than three standard errors.
    steps = np.array(
        [max(3 * line.at(value).components.variance**0.5 / span, 1e-9)
         for line, (_, value, span) in zip(lines, scaled, strict=True)]
    )  # fmt: skip
    many = Lines(lines)
    inside = np.array([edge(value) for edge, value in zip(edges, values.tolist(), strict=True)])
    bounds = [
        crossings(partial(_excesses, many, alpha), values, inside, values + sign * steps, np.full(len(lines), 1e-12))
        for sign in (-1, 1)
    ]
    out: list[Gap] = []
    for k, value in enumerate(values.tolist()):
        low, high = (
            settled(round(float(bound[k]), 11))
            if np.isfinite(bound[k])
            else _edge(edges[k], value, sign * float(steps[k]))
            for sign, bound in zip((-1, 1), bounds, strict=True)
        )
        out.append(Gap(settled(value), low, high, "" if low is not None and high is not None else "no bound"))
    return out


def _excesses(many: Lines, alpha: float, x: FloatArray, which: IntArray) -> FloatArray:
    """As ``_Excess``, for many lines at once."""
    return ndtri(np.maximum(many.tails(x, which), _TINY)) - ndtri(alpha / 2)


@dataclass(frozen=True, slots=True)
class _Excess:
    """Above 0 where the sum on a line is not told from 0; nearly linear in the place."""

    line: Line
    alpha: float

    def __call__(self, x: float) -> float:
        estimate = self.line.at(x).estimate()
        return float(ndtri(max(estimate.tail(abs(estimate.value)), _TINY)) - ndtri(self.alpha / 2))


def is_scale(span: Measured) -> bool:
    """Whether ceiling minus floor exceeds twice its standard error: else no share of it means anything."""
    return span.value > 2 * span.components.variance**0.5


def _edge(excess: _Excess, start: float, step: float) -> float | None:
    """Where ``excess`` falls to 0, going from ``start`` by ``step`` at first."""
    inside, outside = (start, excess(start)), (start + step, excess(start + step))
    while outside[1] >= 0:
        step *= 2
        if abs(step) > _FAR:
            return None
        inside, outside = outside, (start + step, excess(start + step))
    return settled(round(crossing(excess, inside, outside, 1e-12), 11))


def _mean(values: Sequence[float], places: Sequence[int]) -> float:
    return sum(values[k] for k in places) / len(places)


@dataclass(frozen=True)
class LearningCurve:
    """Scores at several numbers of rows, on one test set."""

    rows: tuple[int, ...]
    """Ascending."""
    profiles: tuple[Profile, ...]

    def __post_init__(self) -> None:
        if len(self.rows) != len(self.profiles) or list(self.rows) != sorted(set(self.rows)) or not self.rows:
            raise ValueError(f"rows {self.rows} are not ascending, or not as many as profiles")

    @cached_property
    def smoothing(self) -> FloatArray:
        """``[points, points]``: averages falling neighbours until the curve never falls (isotonic regression, PAVA)."""
        blocks: list[list[int]] = []
        values = [profile.mean for profile in self.profiles]
        for k in range(len(values)):
            blocks.append([k])
            while len(blocks) > 1 and _mean(values, blocks[-2]) > _mean(values, blocks[-1]):
                blocks[-2:] = [blocks[-2] + blocks[-1]]
        out = np.zeros((len(values), len(values)))
        for block in blocks:
            out[np.ix_(block, block)] = 1 / len(block)
        return out

    def fitted(self) -> FloatArray:
        """``[points]``: the scores, made monotone."""
        return (self.smoothing * np.array([profile.mean for profile in self.profiles])).sum(axis=1)

    def weights_at(self, rows: float) -> FloatArray:
        """``[points]``: the weight of each point in the curve at ``rows``, linear in log rows between the points."""
        points: FloatArray = np.arange(len(self.rows), dtype=np.float64)
        place = float(np.interp(math.log(rows), np.log(self.rows), points))
        left = min(int(place), max(0, len(self.rows) - 2))
        weights: FloatArray = np.zeros(len(self.rows))
        weights[left] = 1.0 if len(self.rows) == 1 else 1 - (place - left)
        if len(self.rows) > 1:
            weights[left + 1] = place - left
        return (weights[:, None] * self.smoothing).sum(axis=0)

    def inverse(self, score: float) -> float | None:
        """The fewest rows at which the curve reaches ``score``; ``None`` outside it."""
        fitted = self.fitted()
        if not fitted[0] <= score <= fitted[-1]:
            return None
        k = int(np.searchsorted(fitted, score, side="left"))
        if k == 0:
            return float(self.rows[0])
        share = (score - fitted[k - 1]) / (fitted[k] - fitted[k - 1])
        return float(np.exp(np.log(self.rows[k - 1]) + share * np.log(self.rows[k] / self.rows[k - 1])))

    def area(self) -> Measured:
        """Mean score over log rows from the first point to the last (trapezoids): a score again, in [0, 1].

        ``contrast`` of two areas: pass ``area_terms`` of both. Raises ``ValueError`` for a single point.
        """
        return contrast(self.area_terms())

    def area_terms(self, sign: float = 1.0) -> list[tuple[float, Profile]]:
        """The terms of ``area``, times ``sign``. Raises ``ValueError`` for a single point."""
        if len(self.rows) < 2:
            raise ValueError("a single point has no area")
        steps = np.diff(np.log(self.rows))
        weights: FloatArray = (np.append(steps, 0) + np.insert(steps, 0, 0)) / 2 / steps.sum()
        return [(sign * w, profile) for w, profile in zip(weights.tolist(), self.profiles, strict=True)]


@dataclass(frozen=True, slots=True)
class Worth:
    """How many real examples a score is worth. ``None`` is outside the curve: ``words`` says on which side."""

    rows: float | None
    low: float | None
    """``None``: not even the fewest real examples are ruled out; or, if so is ``high``, all of the curve lies below."""
    high: float | None
    words: str
    """Such as ``340 (210 to > 1,000)``."""


def worth(score: Profile, real: LearningCurve, alpha: float = ALPHA) -> Worth:
    """Where a score falls on the learning curve of real data.

    The interval holds the numbers of rows at which real data is not significantly better or worse, by the paired test:
    the error of the curve is in it.
    """
    return worth_of(Terms.of([score, *real.profiles]), score.mean, real, alpha)


def worth_of(terms: Terms, score: float, real: LearningCurve, alpha: float = ALPHA) -> Worth:
    """The same from the terms of the score and of each point of the curve, and the score's mean over all its seeds."""
    first, last = real.rows[0], real.rows[-1]
    fitted = real.fitted()
    rows = real.inverse(score)
    outside = "" if rows is not None else f"> {last:,}" if score > fitted[-1] else f"< {first:,}"
    start = rows or (last if score > fitted[-1] else first)

    down = _outermost(terms, real, [start, *(float(k) for k in reversed(real.rows) if k < start)], alpha)
    up = _outermost(terms, real, [start, *(float(k) for k in real.rows if k > start)], alpha)
    if down is None and up is None:
        only = None if rows is None else settled(rows)
        return Worth(only, only, only, outside or f"{rows:,.0f}")
    low, high = (start if edge is None else edge for edge in (down, up))
    low, high = (None if low == first else low), (None if high == last else high)
    low_words = f"< {first:,}" if low is None else f"{low:,.0f}"
    high_words = f"> {last:,}" if high is None else f"{high:,.0f}"
    # Outside the curve the interval is open on that side though the end of the curve may be ruled out.
    if outside.startswith(">"):
        high, high_words = None, outside
    elif outside:
        low, low_words = None, outside
    words = f"{outside or f'{rows:,.0f}'} ({low_words} to {high_words})"
    rows, low, high = (None if each is None else settled(each) for each in (rows, low, high))
    return Worth(rows, low, high, words)


def _outermost(terms: Terms, real: LearningCurve, places: Sequence[float], alpha: float) -> float | None:
    """The last number of rows that is not ruled out, along ``places`` and then on towards the next; ``None`` for none.

    Beyond the last of ``places`` that is not, there is one crossing: between two points of the curve, and so between
    two places, the weights of its points are linear in log rows.
    """
    weights = [np.concatenate([[1.0], -real.weights_at(place)]) for place in places]
    excess = [_Excess(terms.line(each, np.zeros(len(each))), alpha)(0.0) for each in weights]
    held = [k for k, over in enumerate(excess) if over >= 0]
    if not held:
        return None
    k = held[-1]
    if k == len(places) - 1:
        return places[k]
    between = _Excess(terms.line(weights[k], weights[k + 1] - weights[k]), alpha)
    share = crossing(between, (0.0, excess[k]), (1.0, excess[k + 1]), 1e-9)
    return math.exp(math.log(places[k]) + share * math.log(places[k + 1] / places[k]))


def share_of_cost(score: float, cost: float | None) -> float | None:
    """Score per dollar or per token; ``None`` where the cost is unknown, or nothing was paid."""
    return score / cost if cost else None


def pareto(points: Sequence[tuple[str, float, float | None]]) -> dict[str, bool | None]:
    """Which of (name, score, cost) nobody beats in both: more score for no more cost, or less cost for no less score.

    A point of unknown cost (``None``) is on no front and beats nobody: ``None``.
    """
    known = [(name, score, cost) for name, score, cost in points if cost is not None]
    front = {
        name: not any(s >= score and c <= cost and (s > score or c < cost) for _, s, c in known)
        for name, score, cost in known
    }
    return {name: front.get(name) for name, _, _ in points}
