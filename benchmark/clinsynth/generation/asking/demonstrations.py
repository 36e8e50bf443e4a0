"""What a prompt shows: real few-shot examples, or entries that show the form alone."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TypeVar

import numpy as np

from clinsynth.core import TaskSpec
from clinsynth.generation.asking.answers import WITHOUT_LOST, Demo, Wanted
from clinsynth.generation.asking.prompts import format_demos, real_demo, writing
from clinsynth.generation.baseline import Budget, TaskView, Tools
from clinsynth.llm import Mode
from clinsynth.text import sentence_ranges

T = TypeVar("T")

SHOWN = 3
"""Real examples per prompt, drawn at random (ClinGen)."""
FORMATS = 3
"""Entries that show a base model the form."""
WITHOUT_MENTION = {"named_entity_recognition": 0.4, "attribute_extraction": 0.1}
"""Share of texts without any name. Of the sentences in four corpora of names 35 to 46 % have none; snippets on
medication were chosen because they have some."""
SENTENCES = 3
"""Of a demonstration's text in text classification (ClinGen)."""

Demos = Callable[[tuple[str, ...]], tuple[Demo, ...]]
"""Draws demonstrations for a row of these labels."""


def real_demos(view: TaskView, rng: np.random.Generator, rows: int = 1) -> Demos:
    """Few-shot examples of the row's label, or of any of its labels; of all where none has one.

    They stand in the order of the examples, whichever are drawn: a server that keeps the beginnings of prompts then
    reads few of them anew. ``rows`` rows of a label in turn get the same draw, so that one request can ask for them.
    """
    few = view.few_shot()
    spec = view.spec
    drawn: dict[tuple[str, ...], list[tuple[Demo, ...]]] = {}

    def draw(labels: tuple[str, ...]) -> tuple[Demo, ...]:
        if not drawn.get(labels):
            pool = [example for example in few if set(labels) & set(example.labels)] or few
            chosen = sorted(int(k) for k in rng.permutation(len(pool))[:SHOWN])
            drawn[labels] = [tuple(_shortened(real_demo(spec, pool[k]), spec) for k in chosen)] * rows
        return drawn[labels].pop()

    return draw


def no_demos(spec: TaskSpec, mode: Mode, rng: np.random.Generator) -> Demos:
    """No real example. A base model is shown the form by entries that are no data of the task, others by no entry."""
    pool = format_demos(spec.type, spec.markers, spec.labels) if mode == "completion" else ()

    def draw(labels: tuple[str, ...]) -> tuple[Demo, ...]:
        return tuple(_some(pool, FORMATS, rng))

    return draw


def bare_rows(view: TaskView, tools: Tools, budget: Budget, rng: np.random.Generator) -> Callable[[Wanted], Wanted]:
    """Turns a share of the wanted rows of a span task into rows without any name, which have a theme for a topic.

    The share is that of ``--without-mention``. Rows that are lost are made up for, so that it holds of what is kept.
    """
    spec, tally = view.spec, tools.tally
    if not spec.is_span:
        return lambda wanted: wanted
    share = WITHOUT_MENTION[spec.type] if tools.asking.without_mention is None else tools.asking.without_mention
    tally.notes["share without mention"] = f"{share:g}"
    themes = [theme for theme in writing(spec.name).get("without", "").split("; ") if theme]

    drawn = bare = 0

    def perhaps(wanted: Wanted) -> Wanted:
        nonlocal drawn, bare
        # Each kind is asked for as often as its share and what was lost of it say; beyond that, by share.
        lost = tally.altered[WITHOUT_LOST]
        lacking_bare = max(share * budget.rows + lost - bare, 0.0)
        lacking_other = max((1 - share) * budget.rows + tally.dropped.total() - lost - (drawn - bare), 0.0)
        lacking = lacking_bare + lacking_other
        drawn += 1
        if rng.random() >= (lacking_bare / lacking if lacking else share):
            return wanted
        bare += 1
        slots = {slot: text for slot, text in wanted.slots.items() if slot != "topic"}
        if themes:
            slots["theme"] = themes[int(rng.integers(len(themes)))]
        return replace(wanted, bare=True, slots=slots, names=())

    return perhaps


def label_sets(view: TaskView) -> Mapping[str, Sequence[tuple[str, ...]]]:
    """For multi-label tasks, the label sets of the few-shot examples that carry each label; else nothing."""
    sets: dict[str, list[tuple[str, ...]]] = {}
    for example in view.few_shot() if view.spec.multi_label else ():
        for label in example.labels:
            sets.setdefault(label, []).append(example.labels)
    return sets


def _some(pool: Sequence[T], number: int, rng: np.random.Generator) -> list[T]:
    chosen = rng.permutation(len(pool))[:number]
    return [pool[int(k)] for k in chosen]


def _shortened(demo: Demo, spec: TaskSpec) -> Demo:
    """A long text is cut after its first sentences, where that leaves the answer as it is."""
    if spec.type != "text_classification":
        return demo
    (text,) = demo.example.texts
    ranges = sentence_ranges(text)[:SENTENCES]
    return replace(demo, example=replace(demo.example, texts=(text[: ranges[-1][1]],))) if ranges else demo
