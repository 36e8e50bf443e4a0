"""What judges are shown: questions about notes with answers, and worked gradings that a base model goes on from.

A base model follows examples, not a rubric: one invented note, one question, an answer for each grade. Chat models get
the rubric alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Case:
    """A question about a note, with one system's answer."""

    note: str
    question: str
    answer: str


_NOTE = (
    "Mr. Orlin, 71, came in with two days of fever and cough. X-ray: shadow in the left lower lobe. He was given "
    "ceftriaxone, later switched to doxycycline because of a rash. He went home on day five with doxycycline for three "
    "more days. Kidney function was normal."
)
_QUESTION = "Which antibiotics was the patient given, and why was the first one stopped?"
_ANSWERS = {
    "complete": "Ceftriaxone, which was stopped because of a rash, then doxycycline, also for three days at home.",
    "short": "Ceftriaxone, stopped because of a rash; doxycycline was given instead.",
    "partial": "He was given ceftriaxone and doxycycline.",
    "wrong": "He was given amoxicillin, which was stopped because his kidneys failed.",
    "reworded": "First ceftriaxone until a rash came up, then doxycycline, with three further days of it at home.",
}


def _worked_case(name: str) -> Case:
    return Case(_NOTE, _QUESTION, _ANSWERS[name])


GRADED: Sequence[tuple[Case, int]] = tuple(
    (_worked_case(name), grade) for name, grade in (("partial", 2), ("complete", 4), ("wrong", 1), ("short", 3))
)
"""One answer for each grade."""
PAIRED: Sequence[tuple[Case, Case, str]] = (
    (_worked_case("partial"), _worked_case("short"), "B"),
    (_worked_case("complete"), _worked_case("reworded"), "tie"),
    (_worked_case("short"), _worked_case("wrong"), "A"),
)
"""A pair for each outcome."""
