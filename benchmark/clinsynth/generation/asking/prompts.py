"""Prompts from text files: one file for each baseline and task type, filled for each row that is wanted.

A file has up to four sections, each begun by a line ``== name ==``:

``system``, ``chat``
    The two messages to a model that follows instructions.
``title``, ``entry``
    For a base model, which goes on with a document: its first lines, and what stands above each JSON object. The
    demonstrations are entries with their object, the row that is wanted is an entry without. An entry's lines are put
    into one.

``$slot`` is filled in; **a line with a slot that has no value here is left out**, so one file serves prompts with and
without a topic, and tasks with and without labels.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from string import Template
from typing import Any, TypeVar

import numpy as np

from clinsynth.core import Example, Span, TaskSpec, UserError
from clinsynth.generation.asking.answers import WITHOUT_LOST, Demo, Step, Wanted, form_of
from clinsynth.generation.baseline import Budget, Tally, TaskView, Tools
from clinsynth.llm import Mode, Prompt
from clinsynth.task_types import TASK_TYPES, task_type
from clinsynth.text import sentence_ranges

MAX_TOKENS: Mapping[Mode, int] = {"chat": 512, "completion": 192}
"""ClinGen asks chat models for up to 512; a base model that has not ended its object by the other seldom does."""
SECOND_TOKENS = 256
"""For the second text of a pair (ClinGen)."""
BETWEEN = "\n\n"
"""Texts that end an entry of a base model's document."""
_GIVEN: tuple[Step, ...] = ("second", "label")
"""Steps at which a text is there already."""
SECTIONS = ("system", "chat", "title", "entry")
WRITING = Path(__file__).parent / "writing.txt"
"""Instructions for writing the texts and labels of each task."""


@dataclass(frozen=True, slots=True)
class PromptFile:
    """The sections of one file."""

    system: str
    chat: str
    title: str
    entry: str


def load(folder: Path, name: str, tally: Tally) -> PromptFile:
    """Read ``<folder>/<name>.txt`` and note its digest in ``tally.prompts``, for a task type also ``writing.txt``'s."""
    if name in TASK_TYPES:
        tally.prompts[f"asking/{WRITING.name}"] = hashlib.sha256(WRITING.read_bytes()).hexdigest()
    parts = re.split(r"^== (\w+) ==\n", _read(folder, name, tally), flags=re.MULTILINE)
    sections = dict(zip(parts[1::2], (part.strip() for part in parts[2::2]), strict=True))
    if parts[0].strip() or set(sections) - set(SECTIONS):
        expected = f"sections == {' ==, == '.join(SECTIONS)} =="
        raise UserError(f"{folder / name}.txt is not a prompt file", expected=expected)
    return PromptFile(*(sections.get(section, "") for section in SECTIONS))


def load_values(folder: Path, name: str, tally: Tally) -> dict[str, list[str]]:
    """Read a file of lines ``name: value; value; ...`` and note its digest in ``tally.prompts``."""
    lines = (line.partition(": ") for line in _read(folder, name, tally).splitlines())
    return {key: values.split("; ") for key, _, values in lines}


def _read(folder: Path, name: str, tally: Tally) -> str:
    content = (folder / f"{name}.txt").read_bytes()
    tally.prompts[f"{folder.name}/{name}.txt"] = hashlib.sha256(content).hexdigest()
    return content.decode()


def fill(text: str, slots: Mapping[str, str]) -> str:
    """``text`` with its slots filled; lines with a slot that has no value are left out."""
    return "\n".join(
        Template(line).substitute(slots)
        for line in text.splitlines()
        if all(slots.get(slot) for slot in Template(line).get_identifiers())
    )


@cache
def writing(task: str) -> Mapping[str, str]:
    """The entries of ``writing.txt`` for a task: ``text``, ``second``, ``without``, and an instruction per label."""
    texts: dict[str, str] = {}
    section = ""
    for line in WRITING.read_text("utf-8").splitlines():
        if line.startswith("["):
            section = line.strip("[]")
        elif section == task and line:
            key, _, text = line.partition(": ")
            texts[key] = text
    return texts


def standing_slots(spec: TaskSpec) -> dict[str, str]:
    """Slots of a task that any prompt can use: ``description``, ``kind``, ``definitions``, ``first``, ``second``..."""
    kind, told = task_type(spec), writing(spec.name)
    names = spec.text_names if len(spec.text_names) == len(kind.text_keys) else kind.text_keys
    slots = {
        "description": spec.description,
        "kind": told.get("text") or f"a text for this task: {spec.description}",
        "definitions": "; ".join(f"{said(label)}: {text}" for label, text in spec.label_descriptions.items()),
        "first": names[0].replace("_", " "),
        "names": " or ".join(said(label).lower() for label in spec.labels[: 1 if spec.is_span else None]),
    }
    if len(names) == 2:
        slots["second"] = names[1].replace("_", " ")
        slots["second_kind"] = told.get("second") or "a text that belongs to it"
    if spec.markers:
        slots["markers"] = " and ".join(spec.markers)
        kinds = [marker.strip("@$").lower() for marker in spec.markers]
        slots["marked"] = " and ".join(f"{sign} for a {kind}" for sign, kind in zip(spec.markers, kinds, strict=True))
        slots["chosen"] = " and a real ".join(kinds)
    return slots


def label_slots(spec: TaskSpec, labels: Sequence[str]) -> dict[str, str]:
    """``label``, ``definition`` and ``order`` of the labels that a row is to have."""
    told = writing(spec.name)
    definitions = [spec.label_descriptions[label] for label in labels]
    orders = [told.get(label, definition) for label, definition in zip(labels, definitions, strict=True)]
    return {
        "label": "; ".join(said(label) for label in labels),
        "definition": "; ".join(definitions),
        "order": "; and also ".join(orders),
    }


def said(label: str) -> str:
    """A label in words. Only the label itself is touched, never the text around it."""
    return label.replace("_", " ")


def real_demo(spec: TaskSpec, example: Example) -> Demo:
    """A few-shot example with what is known of it: its labels, or the first name in it as its topic."""
    slots = label_slots(spec, example.labels) if example.labels else {}
    if example.spans:
        first = min(example.spans, key=lambda span: (span.label != spec.labels[0], span.start))
        slots["topic"] = " ".join(example.texts[0][first.start : first.end].split())
    return Demo(example=example, slots=slots)


@cache
def format_demos(spec_type: str, markers: tuple[str, ...], labels: tuple[str, ...]) -> tuple[Demo, ...]:
    """Entries written for this project that show a base model the form where a method shows no real example.

    They are no data of any task: their labels are made up. Span tasks alone need their own labels as keys; entries
    without any of ``labels`` are left out.
    """
    path = Path(__file__).parent / "format_demos" / f"{spec_type}.jsonl"
    return tuple(
        demo
        for line in path.read_text("utf-8").splitlines()
        if (demo := _format_demo(json.loads(line), markers, labels)) is not None
    )


def _format_demo(entry: Mapping[str, Any], markers: tuple[str, ...], labels: tuple[str, ...]) -> Demo | None:
    slots = {name: fill_markers(text, markers) for name, text in entry["slots"].items()}
    texts = tuple(fill_markers(text, markers) for text in entry["texts"])
    spans = [
        Span(start := texts[0].index(mention), start + len(mention), label)
        for label, mentions in entry.get("mentions", {}).items()
        for mention in mentions
        if label in labels
    ]
    if entry.get("mentions") and not spans:
        return None
    return Demo(example=Example(texts, spans=tuple(sorted(spans))), slots=slots)


def fill_markers(text: str, markers: tuple[str, ...]) -> str:
    """``[0]`` and ``[1]`` become the task's markers."""
    for number, marker in enumerate(markers):
        text = text.replace(f"[{number}]", marker)
    return text


def write_prompt(spec: TaskSpec, mode: Mode, file: PromptFile, wanted: Wanted, step: Step = "row") -> Prompt:
    """The request for one row, or for one step of it."""
    # After sentences that show signs for names, a small model forgets the names that it was given, unless it has to
    # write them down first (docs/llm-baselines.md).
    form = form_of(spec, step, named=mode == "chat" and (bool(wanted.demos) or not wanted.names))
    standing = standing_slots(spec)
    slots = standing | (label_slots(spec, wanted.labels) if wanted.labels else {}) | dict(wanted.slots)
    if spec.is_span:
        slots |= _mentions(slots, wanted.bare) if step == "row" else {}
    if wanted.given:
        slots |= dict(zip(("given", "given_second"), wanted.given, strict=False))
    objects = [form.show(demo.example, spec) for demo in wanted.demos]
    if mode == "chat":
        if form.names:
            # The names of real examples are not known, and signs in their place would be copied.
            objects = [f"- {demo.example.texts[0]}" for demo in wanted.demos]
        before = [f"{slots['first']}: {_given(demo)}\n" if step in _GIVEN else "" for demo in wanted.demos]
        # On lines of their own, below the words that announce them.
        examples = "".join(f"\n\n{a}{b}" for a, b in zip(before, objects, strict=True))
        slots |= {"form": form.said(), "examples": f"{examples}\n" if examples else ""}
        return Prompt(
            text=fill(file.chat, slots), system=fill(file.system, slots), schema=form.schema(),
            max_tokens=SECOND_TOKENS if step == "second" else MAX_TOKENS["chat"],
        )  # fmt: skip
    title = fill(file.title, slots)
    shown = [_shown(spec, demo, standing, step) for demo in wanted.demos]
    entries = [f"{_entry(file, known)}\n{text}" for known, text in zip(shown, objects, strict=True)]
    own = _entry(file, slots)
    text = BETWEEN.join([title, *entries, f"{own}\n"])
    # A base model goes on with a second object or the next entry.
    stop = (BETWEEN, "\n{", f"\n{own.partition(' ')[0]}")
    return Prompt(
        text=text, schema=form.schema(), max_tokens=MAX_TOKENS["completion"], stop=stop, opening=form.opening()
    )  # fmt: skip


def _mentions(slots: Mapping[str, str], bare: bool) -> dict[str, str]:
    """``some`` or ``none``: what a text is to mention, or is not to; a text without it may be about a ``theme``."""
    if not bare:
        return {"some": slots["names"]}
    theme = slots.get("theme")
    return {"none": slots["names"] + (f" and is about {theme}" if theme else "")}


def _shown(spec: TaskSpec, demo: Demo, standing: Mapping[str, str], step: Step) -> dict[str, str]:
    slots = {**standing, **demo.slots}
    if spec.is_span and step == "row":
        slots |= _mentions(slots, not demo.example.spans)
    return slots | ({"given": _given(demo)} if step in _GIVEN else {})


def _entry(file: PromptFile, slots: Mapping[str, str]) -> str:
    """The text above an object: one line, so that a model does not add conditions of its own."""
    return " ".join(fill(file.entry, slots).split())


def _given(demo: Demo) -> str:
    return " ".join(demo.example.texts[0].split())


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
