"""What a prompt shows: real few-shot examples, or entries that show the form alone."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TypeVar

import numpy as np

from clinsynth.core import TaskSpec
from clinsynth.generation.asking.answers import Demo
from clinsynth.generation.asking.prompts import format_demos, real_demo
from clinsynth.generation.baseline import TaskView
from clinsynth.llm import Mode
from clinsynth.text import sentence_ranges

T = TypeVar("T")

SHOWN = 3
"""Real examples a prompt, drawn at random (ClinGen)."""
FORMATS = 3
"""Entries that show a base model the form."""
SENTENCES = 3
"""Of a demonstration's text in text classification (ClinGen)."""

Demos = Callable[[tuple[str, ...]], tuple[Demo, ...]]
"""Draws demonstrations for a row of these labels."""


def real_demos(view: TaskView, rng: np.random.Generator) -> Demos:
    """Few-shot examples of the row's label, or of any of its labels; of all where none has one."""
    few = view.few_shot()
    spec = view.spec

    def draw(labels: tuple[str, ...]) -> tuple[Demo, ...]:
        pool = [example for example in few if set(labels) & set(example.labels)] or few
        return tuple(_shortened(real_demo(spec, example), spec) for example in _some(pool, SHOWN, rng))

    return draw


def no_demos(spec: TaskSpec, mode: Mode, rng: np.random.Generator) -> Demos:
    """No real example. A base model is shown the form by entries that are no data of the task, others by no entry."""
    pool = format_demos(spec.type, spec.markers, spec.labels) if mode == "completion" else ()

    def draw(labels: tuple[str, ...]) -> tuple[Demo, ...]:
        return tuple(_some(pool, FORMATS, rng))

    return draw


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
