"""Topics x writing styles x demonstrations: the common part of ClinGen's two variants, which differ in the topics."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from clinsynth.core import Row, TaskSpec
from clinsynth.generation.asking.answers import Wanted
from clinsynth.generation.asking.demonstrations import bare_rows, label_sets, real_demos
from clinsynth.generation.asking.prompts import fill, label_slots, load, standing_slots
from clinsynth.generation.asking.rounds import Rounds
from clinsynth.generation.asking.topics import (
    ASKED,
    KINDS,
    PAIR,
    WANTED,
    Topics,
    longest_name,
    made_list,
    pick,
    subject,
)
from clinsynth.generation.baseline import Budget, TaskView, Tools
from clinsynth.llm import Prompt
from clinsynth.task_types import task_type

LIST_TOKENS = {"chat": 800, "completion": 160}
"""Room for the items of one answer: those of one request, or as many as a small base model names before it repeats
itself."""
LEAST = 5
"""Items that a request asks for: a list of one or two is no list to a model."""
LONGEST_STYLE = 80
STYLES = 30
"""Writing styles of a task, at most. Three hundred cannot be told apart by a reader."""


def topics_by_styles(
    view: TaskView, tools: Tools, budget: Budget, rng: np.random.Generator, *, prompts: Path, topics: Topics
) -> Iterator[Row]:
    """Rows about a drawn topic in a drawn style after three drawn demonstrations; pairs are written in two steps.

    ``prompts`` holds ``styles.txt``, one file for each task type, and ``<type>.second.txt`` for pairs.
    """
    spec = view.spec
    wanted = min(STYLES, list_size(budget.rows))
    prompt = list_prompt(tools, prompts, "styles", standing_slots(spec), wanted)
    styles = made_list(tools, f"{spec.name}.styles", prompt, wanted=wanted, longest=LONGEST_STYLE)
    demos = real_demos(view, rng)
    perhaps_bare = bare_rows(view, tools, budget, rng)

    def draw(labels: tuple[str, ...]) -> Wanted:
        about = subject(spec, topics(labels, rng))
        slots = {**about.slots, "style": pick(styles, rng)}
        return perhaps_bare(Wanted(labels=labels, slots=slots, names=about.names, demos=demos(labels)))

    pair = len(task_type(spec).text_keys) == 2
    yield from Rounds(
        view, tools, budget, rng, draw,
        row=load(prompts, spec.type, tools.tally),
        second=load(prompts, f"{spec.type}.second", tools.tally) if pair else None,
        label_sets=label_sets(view),
    )  # fmt: skip


def made_topics(spec: TaskSpec, tools: Tools, prompts: Path, rows: int) -> Topics:
    """Topics that the model names: a list for each label of a classification or relation, else for each kind of name.

    ``prompts`` holds ``topics.txt``, ``topics.label.txt`` and ``topics.pair.txt``.
    """
    pairs = len(spec.markers) == 2
    if not (pairs or spec.type == "text_classification"):
        kinds = spec.topics or KINDS
        pooled = [_topic_list(spec, tools, prompts, rows, kind) for kind in kinds]

        def draw_pooled(labels: tuple[str, ...], rng: np.random.Generator) -> tuple[str, ...]:
            return (pick(pick(pooled, rng), rng),)

        return draw_pooled
    by_label = {label: _topic_list(spec, tools, prompts, rows, "", label) for label in spec.labels}

    def draw(labels: tuple[str, ...], rng: np.random.Generator) -> tuple[str, ...]:
        item = pick(by_label[pick(labels, rng)], rng)
        return tuple(item.split(PAIR)) if pairs else (item,)

    return draw


def _topic_list(spec: TaskSpec, tools: Tools, prompts: Path, rows: int, kind: str, label: str = "") -> Sequence[str]:
    pairs = bool(label) and len(spec.markers) == 2
    slots = standing_slots(spec) | (label_slots(spec, [label]) if label else {"kinds": f"{kind}s"})
    if pairs:
        head, tail = spec.topics if len(spec.topics) == 2 else ("first name", "second name")
        slots |= {"head_kind": head, "tail_kind": tail}
    share = list_size(max(1, rows // (len(spec.labels) if label else max(1, len(spec.topics)))))
    file = "topics.pair" if pairs else "topics.label" if label else "topics"
    name = f"{spec.name}.topics.{re.sub(r'[^a-z0-9]+', '-', (label or kind).lower()).strip('-')}"
    prompt = list_prompt(tools, prompts, file, slots, share)
    return made_list(tools, name, prompt, wanted=share, longest=longest_name(spec), pairs=pairs)


def list_size(rows: int) -> int:
    """Items to ask for: as many as ClinGen, but never more than rows."""
    return max(1, min(WANTED, rows))


def list_prompt(tools: Tools, prompts: Path, name: str, slots: dict[str, str], count: int) -> Prompt:
    """The request for a list, from the prompt file ``name``."""
    file, mode = load(prompts, name, tools.tally), tools.llm.mode
    slots = {**slots, "count": str(max(LEAST, min(ASKED, count)))}
    if mode == "chat":
        return Prompt(text=fill(file.chat, slots), system=fill(file.system, slots), max_tokens=LIST_TOKENS[mode])
    text = "\n\n".join((fill(file.title, slots), fill(file.entry, slots)))
    return Prompt(text=text, max_tokens=LIST_TOKENS[mode], stop=("\n\n",))
