"""What a text is to be about: names from a source of knowledge or from a list, by the task's own kinds."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar, get_args

import numpy as np

from clinsynth.errors import UserError
from clinsynth.generation.tools import Knowledge, Tally
from clinsynth.schema import EntityKind, TaskSpec

T = TypeVar("T")

KINDS: tuple[EntityKind, ...] = get_args(EntityKind)

Topics = Callable[[tuple[str, ...], np.random.Generator], tuple[str, ...]]
"""Draws a topic for a row of these labels: one name, or one for each marker of a relation."""


@dataclass(frozen=True, slots=True)
class Subject:
    """A topic as a prompt and a parser need it."""

    slots: Mapping[str, str]
    """``topic``, and for relations ``head`` and ``tail``."""
    names: tuple[str, ...]
    """The names that the row is to hold, for tasks that mark names; empty for the others."""


def subject(spec: TaskSpec, names: tuple[str, ...]) -> Subject:
    """A drawn topic, made ready."""
    if len(names) == 2 and spec.markers:
        head, tail = names
        return Subject({"topic": f"{head} and {tail}", "head": head, "tail": tail}, names)
    return Subject({"topic": names[0]}, names if spec.is_span else ())


def longest_name(spec: TaskSpec) -> int:
    """Characters of a name. ClinGen drops longer ones: 40 for entity recognition, 30 for pairs and attributes."""
    if spec.type == "named_entity_recognition":
        return 40
    return 80 if spec.type in ("text_classification", "relation_extraction") else 30


def known_topics(spec: TaskSpec, knowledge: Knowledge, tally: Tally) -> Topics:
    """Topics from a source of knowledge.

    Relations take related pairs where the source has them, and for the negative label two names that it does not
    relate. The other tasks take a name of one of the task's kinds, each kind equally often.

    Raises:
        UserError: the source has no name of any of the kinds.
    """
    tally.notes["knowledge"] = knowledge.name
    limit = longest_name(spec)
    kinds = spec.topics or KINDS
    names: dict[EntityKind, list[str]] = {
        kind: [name for name in knowledge.names(kind) if len(name) <= limit] for kind in kinds
    }
    if len(spec.markers) == 2 and len(spec.topics) == 2:
        return _known_pairs(spec, knowledge, names, tally)
    full = [names[kind] for kind in kinds if names[kind]]
    if not full:
        raise UserError(f"{knowledge.name} has no name of a {' or '.join(kinds)}", remedy="choose another --knowledge")

    def draw(labels: tuple[str, ...], rng: np.random.Generator) -> tuple[str, ...]:
        return (pick(pick(full, rng), rng),)

    return draw


def _known_pairs(
    spec: TaskSpec, knowledge: Knowledge, names: Mapping[EntityKind, Sequence[str]], tally: Tally
) -> Topics:
    head, tail = spec.topics
    if not (names[head] and names[tail]):
        raise UserError(f"{knowledge.name} has no names of a {head} and a {tail}", remedy="choose another --knowledge")
    limit = longest_name(spec)
    related = [pair for pair in knowledge.pairs(head, tail) if max(map(len, pair)) <= limit]
    known = frozenset(related)
    if not related:
        tally.notes["pairs"] = f"{knowledge.name} relates no {head} with a {tail}: the two names are drawn alone"

    def draw(labels: tuple[str, ...], rng: np.random.Generator) -> tuple[str, ...]:
        if related and labels != (spec.negative_label,):
            return pick(related, rng)
        # A source does not relate nearly all pairs: a few draws are enough, and an unlucky one is no harm.
        pairs = [(pick(names[head], rng), pick(names[tail], rng)) for _ in range(4)]
        return next((pair for pair in pairs if pair not in known), pairs[0])

    return draw


def pick(items: Sequence[T], rng: np.random.Generator) -> T:
    """One of the items, each equally likely."""
    return items[int(rng.integers(len(items)))]
