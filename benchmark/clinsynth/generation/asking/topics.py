"""What rows are about and how they are written: lists of topics and of styles, and rows drawn from both.

The lists are text files that a user can read and edit. A list that is in its file is never asked for again. What the
model writes is cleaned, not judged: bullets and numbers go, repeats go, and so does what is too long to be an item.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from math import ceil
from pathlib import Path
from typing import TypeVar, get_args

import numpy as np

from clinsynth.core import EntityKind, Row, TaskSpec, UserError, write_text
from clinsynth.generation.asking.answers import Wanted, refuses
from clinsynth.generation.asking.prompts import (
    bare_rows,
    fill,
    label_sets,
    label_slots,
    load,
    real_demos,
    standing_slots,
)
from clinsynth.generation.asking.rounds import Rounds
from clinsynth.generation.baseline import Budget, Knowledge, Tally, TaskView, Tools
from clinsynth.llm import Prompt
from clinsynth.task_types import task_type

WANTED = 300
"""Items that ClinGen's released prompt asks for; a reviewer of the paper read 100. A list never needs to be longer than
the number of rows that are made from it."""
ASKED = 50
"""Items that one request asks for. Small models repeat themselves in longer lists, and several short answers come
sooner than a long one."""
CALLS = 8
"""Requests at once while a list is too short."""
PATIENCE = 4
"""Rounds of requests that a list may take, at most."""
_BULLET = re.compile(r"^\s*(?:[-*\u2022\u2013]|\(?\d{1,4}[.):])?\s*")
PAIR = " | "
"""Between the two names of a pair."""


def made_list(tools: Tools, name: str, prompt: Prompt, *, wanted: int, longest: int, pairs: bool = False) -> list[str]:
    """The items of the list ``name``: from its file in ``tools.lists``, else from the model, which writes the file.

    Args:
        tools: the model, the folder and the tally, which notes file, size and digest.
        name: the file's name without its ending.
        prompt: asks for items, one per line; it is repeated until there are enough or nothing new comes.
        wanted: items, at most.
        longest: characters of an item.
        pairs: items are two names with ``|`` between.

    Raises:
        UserError: neither the file nor the model gives an item.
    """
    path = tools.lists / f"{name}.txt" if tools.lists else None
    if path and path.exists():
        items = clean(path.read_text("utf-8"), longest=longest, pairs=pairs)
    else:
        items = _asked(tools, prompt, wanted, longest, pairs)
        if items and path:
            write_text(path, "".join(f"{item}\n" for item in items))
    if not items:
        raise UserError(
            f"no usable item for the list {name}",
            found=f"{path} has none" if path and path.exists() else f"{tools.llm.model} named none",
            expected="two names with | between on each line" if pairs else "one item per line",
            remedy=f"write {path} yourself" if path else "give a folder for lists and write the list there",
        )
    digest = hashlib.sha256("\n".join(items).encode()).hexdigest()
    tools.tally.notes[f"list {name}"] = f"{len(items)} items, sha256 {digest}"
    return items


def _asked(tools: Tools, prompt: Prompt, wanted: int, longest: int, pairs: bool) -> list[str]:
    items: dict[str, str] = {}
    repeat = 0
    for turn in range(PATIENCE):
        before = len(items)
        # A model that follows instructions is asked for as many items as are missing, half as many again for repeats.
        each = ASKED / 1.5 if tools.llm.mode == "chat" else 1
        calls = min(CALLS, ceil((wanted - before) / each))
        prompts = [replace(prompt, repeat=repeat + k) for k in range(calls)]
        repeat += calls
        for answer in tools.llm.ask(prompts):
            text = answer.text if answer.finish == "stop" else answer.text.rpartition("\n")[0]
            for item in clean(text, longest=longest, pairs=pairs):
                items.setdefault(item.casefold(), item)
        # Nothing at all is bad luck of one answer, nothing new is the end of what the model knows.
        if len(items) >= wanted or (items and len(items) == before and turn > 0):
            break
    return list(items.values())[:wanted]


def clean(text: str, *, longest: int, pairs: bool = False) -> list[str]:
    """The items of a text, one per line, each once; without bullets, numbers, quotes, prose and overlong lines."""
    items: dict[str, str] = {}
    for line in text.splitlines():
        item = " ".join(_BULLET.sub("", line, count=1).split()).strip("\"'`*.,; ")
        parts = [part.strip() for part in item.split(PAIR.strip())]
        if pairs and (len(parts) != 2 or parts[0].casefold() == parts[1].casefold()):
            continue
        if len(item) > longest or item.endswith(":") or refuses(item):
            continue
        if all(any(character.isalpha() for character in part) for part in parts):
            item = PAIR.join(parts)
            items.setdefault(item.casefold(), item)
    return list(items.values())


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

    Where the source has topics of a label, classification and relations take them for it. For other labels, relations
    take related pairs where the source has them, and for the negative label two names that it does not relate. The
    other tasks take a name of one of the task's kinds, each kind equally often.

    Raises:
        UserError: the source has no name of any of the kinds.
    """
    tally.notes["knowledge"] = knowledge.name
    any_label = _any_topics(spec, knowledge, tally)
    limit = longest_name(spec)
    by_label = {label: knowledge.of_label(spec.name, label) for label in spec.labels} if not spec.is_span else {}
    own = {
        label: fit
        for label, topics in by_label.items()
        if (fit := [topic for topic in topics if max(map(len, topic)) <= limit])
    }
    if not own:
        return any_label
    tally.notes["topics of labels"] = ", ".join(f"{label} {len(topics)}" for label, topics in own.items())

    def draw(labels: tuple[str, ...], rng: np.random.Generator) -> tuple[str, ...]:
        label = pick(labels, rng) if labels else ""
        return pick(own[label], rng) if label in own else any_label(labels, rng)

    return draw


def _any_topics(spec: TaskSpec, knowledge: Knowledge, tally: Tally) -> Topics:
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
