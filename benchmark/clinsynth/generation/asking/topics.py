"""What rows are about and how they are written: lists of topics and of styles, and rows drawn from both.

The lists are text files that a user can read and edit. A list that is in its file is never asked for again. What the
model writes is cleaned, not judged: bullets and numbers go, repeats go, and so does what is too long to be an item, or
counts instead of naming.
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter
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
FULL = {"chat": 0.5, "completion": 1.0}
"""Share of the wanted items from which a list is not asked for again. The first round asks a chat model for half as
many again as are wanted; another one would take as long and bring mostly what is there already."""
_BULLET = re.compile(r"^\s*(?:[-*\u2022\u2013]|\(?\d{1,4}[.):])?\s*")
_FIELD = re.compile(r"^[a-z]{3,12}:\s+", re.IGNORECASE)
"""What a name is, written before it: ``Gene: ...``."""
_EXPLAINED = re.compile(r": | [-\u2013\u2014] ")
"""Between a name and what is said of it."""
COUNTED = 6
"""Items of one answer that are alike but for their digits from which on they count (``GENE1``, ``GENE2``...) and name
nothing. Families of real names are smaller in a list: of vitamins or receptors a model writes a few."""
PAIR = " | "
"""Between the two names of a pair."""


@dataclass(frozen=True, slots=True)
class Listing:
    """A list that is read from its file, or asked for."""

    name: str
    """The file's name without its ending."""
    prompt: Prompt
    """Asks for items, one per line; it is repeated until there are enough or nothing new comes."""
    wanted: int
    """Items, at most."""
    longest: int
    """Characters of an item."""
    pairs: bool = False
    """Items are two names with ``|`` between."""
    asked: int = ASKED
    """Items that one request asks a chat model for."""

    def clean(self, text: str) -> list[str]:
        """The items of a text."""
        return clean(text, longest=self.longest, pairs=self.pairs)


def made_lists(tools: Tools, listings: Sequence[Listing]) -> list[list[str]]:
    """The items of each list: from its file in ``tools.lists``, else from the model, which writes the file.

    The lists that are missing are asked for together: their answers are long, and a server has many of them at once.

    Args:
        tools: the model, the folder and the tally, which notes the size and digest of each list.
        listings: what is wanted.

    Raises:
        UserError: neither the file nor the model gives an item of a list.
    """
    paths = [tools.lists / f"{one.name}.txt" if tools.lists else None for one in listings]
    found = [path if path and path.exists() else None for path in paths]
    lists = [one.clean(path.read_text("utf-8")) if path else [] for one, path in zip(listings, found, strict=True)]
    missing = [place for place, path in enumerate(found) if not path]
    for place, items in zip(missing, _asked(tools, [listings[place] for place in missing]), strict=True):
        lists[place] = items
        if items and (path := paths[place]):
            write_text(path, "".join(f"{item}\n" for item in items))
    for place, (one, items) in enumerate(zip(listings, lists, strict=True)):
        if not items:
            raise UserError(
                f"no usable item for the list {one.name}",
                found=f"{found[place]} has none" if found[place] else f"{tools.llm.model} named none",
                expected="two names with | between on each line" if one.pairs else "one item per line",
                remedy=f"write {paths[place]} yourself" if paths[place]
                else "give a folder for lists and write the list there",
            )  # fmt: skip
        digest = hashlib.sha256("\n".join(items).encode()).hexdigest()
        tools.tally.notes[f"list {one.name}"] = f"{len(items)} items, sha256 {digest}"
    return lists


def _asked(tools: Tools, listings: Sequence[Listing]) -> list[list[str]]:
    items: list[dict[str, str]] = [{} for _ in listings]
    repeats = [0] * len(listings)
    short = list(range(len(listings)))
    # A model that follows instructions is asked for as many items as are missing, half as many again for repeats.
    each = [one.asked / 1.5 if tools.llm.mode == "chat" else 1 for one in listings]
    enough = [max(1, ceil(FULL[tools.llm.mode] * one.wanted)) for one in listings]
    for turn in range(PATIENCE):
        before = [len(found) for found in items]
        prompts: list[Prompt] = []
        owners: list[int] = []
        for place in short:
            calls = min(CALLS, ceil((listings[place].wanted - before[place]) / each[place]))
            prompts += [replace(listings[place].prompt, repeat=repeats[place] + k) for k in range(calls)]
            owners += [place] * calls
            repeats[place] += calls
        for place, answer in zip(owners, tools.llm.ask(prompts), strict=True):
            text = answer.text if answer.finish == "stop" else answer.text.rpartition("\n")[0]
            for item in listings[place].clean(text):
                items[place].setdefault(item.casefold(), item)
        # Nothing at all is bad luck of one answer, nothing new is the end of what the model knows.
        short = [
            place
            for place in short
            if len(items[place]) < enough[place]
            and not (items[place] and len(items[place]) == before[place] and turn > 0)
        ]
        if not short:
            break
    return [list(found.values())[: one.wanted] for found, one in zip(items, listings, strict=True)]


def clean(text: str, *, longest: int, pairs: bool = False) -> list[str]:
    """The items of a text, one per line, each once.

    Without bullets, numbers, quotes, prose, and lines that count instead of naming something; of an overlong line what
    stands before its explanation, or nothing.
    """
    items: dict[str, str] = {}
    alike: Counter[str] = Counter()
    for line in text.splitlines():
        item = " ".join(_BULLET.sub("", line, count=1).split()).strip("\"'`*.,; ")
        if len(item) > longest:
            item = _EXPLAINED.split(item, maxsplit=1)[0].strip("\"'`*.,; ")
        parts = [part.strip() for part in item.split(PAIR.strip())]
        if pairs:
            parts = [_FIELD.sub("", part) for part in parts]
        if pairs and (len(parts) != 2 or parts[0].casefold() == parts[1].casefold()):
            continue
        if len(item) > longest or item.endswith(":") or refuses(item):
            continue
        if all(any(character.isalpha() for character in part) for part in parts):
            item = PAIR.join(parts)
            alike[_without_digits(item)] += item.casefold() not in items
            items.setdefault(item.casefold(), item)
    return [item for item in items.values() if alike[_without_digits(item)] < COUNTED]


def _without_digits(item: str) -> str:
    return re.sub(r"\d+", "", item).casefold()


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
STYLES_ASKED, STYLES_TOKENS = 10, 160
"""Styles that one request asks a chat model for, and room for them. Asked for thirty, a small model goes round in a
circle until its room is full."""
STYLES = 30
"""Writing styles of a task, at most. Three hundred cannot be told apart by a reader."""


def topics_by_styles(
    view: TaskView, tools: Tools, budget: Budget, rng: np.random.Generator, *, prompts: Path, topics: Topics | None
) -> Iterator[Row]:
    """Rows about a drawn topic in a drawn style after three drawn demonstrations; pairs are written in two steps.

    ``prompts`` holds ``styles.txt``, one file for each task type, and ``<type>.second.txt`` for pairs. Without
    ``topics`` the model names them: a list for each label of a classification or relation, else for each kind of name;
    the folder then holds ``topics.txt``, ``topics.label.txt`` and ``topics.pair.txt`` as well.
    """
    spec = view.spec
    wanted = min(STYLES, list_size(budget.rows))
    prompt = list_prompt(tools, prompts, "styles", standing_slots(spec), min(wanted, STYLES_ASKED), room=STYLES_TOKENS)
    listing = Listing(f"{spec.name}.styles", prompt, wanted, LONGEST_STYLE, asked=STYLES_ASKED)
    named = [] if topics else _topic_lists(spec, tools, prompts, budget.rows)
    styles, *made = made_lists(tools, [listing, *named])
    about_what = topics or _listed_topics(spec, made)
    demos = real_demos(view, rng)
    perhaps_bare = bare_rows(view, tools, budget, rng)

    def draw(labels: tuple[str, ...]) -> Wanted:
        about = subject(spec, about_what(labels, rng))
        slots = {**about.slots, "style": pick(styles, rng)}
        return perhaps_bare(Wanted(labels=labels, slots=slots, names=about.names, demos=demos(labels)))

    pair = len(task_type(spec).text_keys) == 2
    yield from Rounds(
        view, tools, budget, rng, draw,
        row=load(prompts, spec.type, tools.tally),
        second=load(prompts, f"{spec.type}.second", tools.tally) if pair else None,
        label_sets=label_sets(view),
    )  # fmt: skip


def _by_label(spec: TaskSpec) -> bool:
    return len(spec.markers) == 2 or spec.type == "text_classification"


def _topic_lists(spec: TaskSpec, tools: Tools, prompts: Path, rows: int) -> list[Listing]:
    if _by_label(spec):
        return [_topic_list(spec, tools, prompts, rows, label=label) for label in spec.labels]
    return [_topic_list(spec, tools, prompts, rows, kind=kind) for kind in spec.topics or KINDS]


def _listed_topics(spec: TaskSpec, lists: Sequence[Sequence[str]]) -> Topics:
    """Draws from the lists that ``_topic_lists`` describes, in their order."""
    by_label = dict(zip(spec.labels, lists, strict=True)) if _by_label(spec) else None
    pairs = len(spec.markers) == 2

    def draw(labels: tuple[str, ...], rng: np.random.Generator) -> tuple[str, ...]:
        item = pick(by_label[pick(labels, rng)] if by_label else pick(lists, rng), rng)
        return tuple(item.split(PAIR)) if pairs else (item,)

    return draw


def _topic_list(spec: TaskSpec, tools: Tools, prompts: Path, rows: int, *, kind: str = "", label: str = "") -> Listing:
    pairs = bool(label) and len(spec.markers) == 2
    slots = standing_slots(spec) | (label_slots(spec, [label]) if label else {"kinds": f"{kind}s"})
    if pairs:
        head, tail = spec.topics if len(spec.topics) == 2 else ("first name", "second name")
        slots |= {"head_kind": head, "tail_kind": tail}
    share = list_size(max(1, rows // (len(spec.labels) if label else max(1, len(spec.topics)))))
    file = "topics.pair" if pairs else "topics.label" if label else "topics"
    name = f"{spec.name}.topics.{re.sub(r'[^a-z0-9]+', '-', (label or kind).lower()).strip('-')}"
    return Listing(name, list_prompt(tools, prompts, file, slots, share), share, longest_name(spec), pairs)


def list_size(rows: int) -> int:
    """Items to ask for: as many as ClinGen, but never more than rows."""
    return max(1, min(WANTED, rows))


def list_prompt(
    tools: Tools, prompts: Path, name: str, slots: dict[str, str], count: int, *, room: int | None = None
) -> Prompt:
    """The request for a list of ``count`` items, from the prompt file ``name``; ``room`` is in tokens."""
    file, mode = load(prompts, name, tools.tally), tools.llm.mode
    room = room or LIST_TOKENS[mode]
    slots = {**slots, "count": str(max(LEAST, min(ASKED, count)))}
    if mode == "chat":
        return Prompt(text=fill(file.chat, slots), system=fill(file.system, slots), max_tokens=room)
    text = "\n\n".join((fill(file.title, slots), fill(file.entry, slots)))
    return Prompt(text=text, max_tokens=room, stop=("\n\n",))
