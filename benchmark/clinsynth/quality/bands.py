"""Quality in words: each number beside the same number of real rows, in one of three bands, with what to do about it.

The bands are a reading aid. Where a number of the rows lies within ``NEAR`` times that of real rows it is called like
real, within ``FAR`` times it is off, and beyond that far off. The factors are chosen, not estimated: docs/quality.md
shows what the numbers of real draws and of the baselines are.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from clinsynth.quality.record import NUMBERS, Measured

Level = Literal["like real", "off", "far", "unknown"]
NEAR, FAR = 1.25, 2.0


@dataclass(frozen=True, slots=True)
class _Question:
    name: str
    title: str
    bad: Literal["high", "low"]
    """The side of the real value that counts as a fault."""
    advice: str
    least: float = 0.0
    """Smallest difference that counts, whatever the ratio."""


_QUESTIONS = (
    _Question("aps", "variety of the rows", "high", "vary topics, styles and lengths in what is asked for", 0.02),
    _Question("distinct_2", "variety of the wording", "low", "raise the temperature or ask for other wordings"),
    _Question("vocabulary", "number of different words", "low", "write about more different things"),
    _Question("words_mean", "words per row", "low", "ask for texts as long as real ones"),
    _Question("words_mean", "words per row", "high", "ask for texts as short as real ones"),
    _Question("frechet", "distance to real text", "high", "show real examples, or describe the source better", 0.05),
    _Question("label_divergence", "shares of the labels", "high", "write as many of each label as real data has", 0.02),
    _Question("near_duplicates", "rows that nearly repeat others", "high", "drop them, and ask for more variety", 0.01),
    _Question("conflicting", "same text, different label", "high", "look at these rows and settle the label", 0.005),
    _Question(
        "label_noise", "labels that look wrong", "high", "have labels checked, by a person or asking twice", 0.05
    ),
)


@dataclass(frozen=True, slots=True)
class Band:
    """One number in words."""

    name: str
    """As in ``quality.NUMBERS``."""
    title: str
    level: Level
    value: float | None
    real: float | None
    words: str
    advice: str


def bands_of(data: Measured, reference: Measured | None) -> tuple[Band, ...]:
    """The bands of rows beside real ones; without real rows every level is unknown."""
    bands: dict[tuple[str, str], Band] = {}
    for question in _QUESTIONS:
        value = data.numbers.get(question.name)
        real = reference.numbers.get(question.name) if reference else None
        level = _level(question, value, real)
        key = question.name, question.title
        if key in bands and level in ("like real", "unknown"):
            continue
        words = f"{_shown(question.name, value)} against {_shown(question.name, real)} of real rows"
        bands[key] = Band(question.name, question.title, level, value, real, words, question.advice)
    return tuple(bands.values())


def _level(question: _Question, value: float | None, real: float | None) -> Level:
    if value is None or real is None:
        return "unknown"
    worse, better = (value, real) if question.bad == "high" else (real, value)
    if worse - better <= question.least:
        return "like real"
    ratio = worse / better if better > 0 else float("inf")
    return "like real" if ratio <= NEAR else "off" if ratio <= FAR else "far"


def _shown(name: str, value: float | None) -> str:
    if value is None:
        return "unknown"
    show = NUMBERS[name].show
    return f"{100 * value:.1f} %" if show == "share" else f"{value:,.0f}" if show == "count" else f"{value:.3f}"
