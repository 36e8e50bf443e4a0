"""The quota loop: requests until every class has its share.

At first exactly what is missing is asked for. With each answer that is taken, in the order of the requests, what has
come to nothing is asked for anew, divided by the yield so far: the list of requests grows while others are under way,
so that a slow answer holds up nobody. What is asked is determined by the random generator and the answers, not by when
they come: a second call with the same answers gives the same rows. To a batch job the list is what has been asked for
when it begins, and what has come to nothing is the next job.
"""

from __future__ import annotations

import json
import math
from collections import Counter, defaultdict, deque
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import zip_longest
from typing import Any, cast

import numpy as np

from clinsynth.core import Row, TaskSpec
from clinsynth.generation.asking.answers import Step, UnusableError, Wanted, form_of, read_object, read_texts, take_row
from clinsynth.generation.asking.prompts import PromptFile, write_prompt
from clinsynth.generation.baseline import Budget, TaskView, Tools, class_of
from clinsynth.llm import LLM, Answer, Mode, Prompt

WORST_YIELD = 0.1
"""At most so many requests are under way for each missing row, however low the yield."""
PATIENCE = 3
"""A generator gives up after so many times the answers that would bring what is missing at the worst yield, if not one
of them brings a new row."""
PRIOR = 30
"""Successful requests that are assumed before the first answer, since the yield of a few answers says little."""

Labels = tuple[str, ...]
Draw = Callable[[Labels], Wanted]
"""Draws what to ask for, for a row of these labels."""


def shares(spec: TaskSpec, rows: int) -> dict[str, int]:
    """How many rows each class is to have: equally many, the first ones one more. Span tasks have one class, ``""``."""
    classes = ("",) if spec.is_span else spec.labels
    return {label: rows // len(classes) + (k < rows % len(classes)) for k, label in enumerate(classes)}


def missing(spec: TaskSpec, kept: Mapping[str, int], rows: int) -> dict[str, float]:
    """How many rows each class still lacks. A row of several labels counts for each of them by its part."""
    have: defaultdict[str, float] = defaultdict(float)
    for name, count in kept.items():
        labels = name.split("|") if spec.multi_label and name else [name]
        for label in labels:
            have[label] += count / len(labels)
    return {label: max(share - have[label], 0.0) for label, share in shares(spec, rows).items()}


@dataclass(frozen=True, slots=True)
class _Asked:
    """A request that is under way, or about to be."""

    labels: Labels
    wanted: Wanted
    prompt: Prompt
    step: Step
    opens: bool = False
    """Whether it is for the first text of a pair, which serves one row of every class."""


@dataclass(slots=True)
class Rounds:
    """A generator of rows: what to ask for, and how it is written down."""

    view: TaskView
    tools: Tools
    budget: Budget
    rng: np.random.Generator
    draw: Draw
    row: PromptFile
    """The prompt for a row; with ``second``, for its first text."""
    second: PromptFile | None = None
    """The prompt for the second text of a pair, where it is written in a step of its own."""
    label_sets: Mapping[str, Sequence[Labels]] = field(default_factory=dict[str, Sequence[Labels]])
    """For multi-label tasks: the sets of labels to draw from, for a row that is to have this label."""
    step: Step = "row"
    """What is asked for where there is no ``second``: another step than the whole row needs ``given`` texts."""
    _asked: Counter[Labels] = field(default_factory=Counter[Labels])
    """Requests for rows that have been answered."""
    _got: Counter[Labels] = field(default_factory=Counter[Labels])
    _under_way: Counter[Labels] = field(default_factory=Counter[Labels])
    _opening: int = 0
    """First texts that are under way."""
    _items: deque[_Asked] = field(default_factory=deque[_Asked])
    _queue: list[Prompt] = field(default_factory=list[Prompt])
    """Prompts given to the model; the list grows with ``_items``."""
    _repeats: Counter[Prompt] = field(default_factory=Counter[Prompt])
    _first_repeat: int = field(init=False)

    def __post_init__(self) -> None:
        # Another seed is another draw of answers, also where all prompts are the same.
        self._first_repeat = int(self.rng.integers(2**31))

    def __iter__(self) -> Iterator[Row]:
        """Rows, until each class has its share or nothing new has come for too long."""
        idle = 0
        self._ask_for_more()
        # More than once only for a model that does not look at how its list has grown.
        while self._items:
            self._queue = [item.prompt for item in self._items]
            for answer in self.tools.llm.ask(self._queue):
                moved = yield from self._take(self._items.popleft(), answer)
                idle = 0 if moved else idle + 1
                lacking = sum(self._missing().values())
                if not lacking or idle >= PATIENCE * math.ceil(lacking / WORST_YIELD):
                    return
                self._ask_for_more()

    def _missing(self) -> dict[str, float]:
        return missing(self.view.spec, self.tools.tally.kept, self.budget.rows)

    def _ask_for_more(self) -> None:
        """Put into the list what is missing and not under way."""
        if self.view.spec.multi_label:
            for labels in self._sets():
                self._add(labels, self.draw(labels), self.row, self.step)
            return
        lines = {labels: lacking for labels in self._classes() if (lacking := self._lacking(labels)) > 0}
        if self.second is not None:
            for _ in range(max(lines.values(), default=0) - self._opening):
                self._add((), self.draw(()), self.row, "first", opens=True)
            return
        # The classes take turns, so that none is behind if the budget is spent.
        for turn in zip_longest(*([labels] * lacking for labels, lacking in lines.items())):
            for labels in turn:
                if labels is not None:
                    self._add(labels, self.draw(labels), self.row, self.step)

    def _classes(self) -> list[Labels]:
        return [(label,) if label else () for label in shares(self.view.spec, self.budget.rows)]

    def _lacking(self, labels: Labels) -> int:
        """How many more requests a class needs, by its yield so far."""
        rows = self._missing()["".join(labels)]
        return math.ceil(rows / _yield(self._got[labels], self._asked[labels]) - 1e-9) - self._under_way[labels]

    def _sets(self) -> Iterator[Labels]:
        """Sets of labels, each drawn for the label that lacks most when the sets before it are there."""
        part = _yield(self._got.total(), self._asked.total())
        lacking = {label: rows / part for label, rows in self._missing().items()}
        for labels, count in self._under_way.items():
            for one in labels:
                lacking[one] -= count / len(labels)
        for _ in range(math.ceil(sum(lacking.values()) - 1e-9)):
            label = max(lacking, key=lambda name: lacking[name])
            sets = self.label_sets.get(label) or ((label,),)
            labels = sets[int(self.rng.integers(len(sets)))]
            for one in labels:
                lacking[one] -= 1 / len(labels)
            yield labels

    def _add(self, labels: Labels, wanted: Wanted, file: PromptFile, step: Step, *, opens: bool = False) -> None:
        item = _Asked(labels, wanted, self._prompt(file, wanted, step), step, opens)
        self._items.append(item)
        self._queue.append(item.prompt)
        if opens:
            self._opening += 1
        else:
            self._under_way[labels] += 1

    def _take(self, item: _Asked, answer: Answer) -> Generator[Row, None, bool]:
        """The row of an answer, if it is one; returns whether it brings anything new."""
        if item.opens:
            return self._take_first(item, answer)
        self._under_way[item.labels] -= 1
        self._asked[item.labels] += 1
        tally = self.tools.tally
        row = take_row(self.view.spec, item.wanted, item.prompt, answer, tally, item.step)
        if row is None:
            return False
        name = class_of(row)
        if not self.view.spec.multi_label and self._missing()[name] <= 0:
            tally.drop("class-full")
            return False
        before = tally.kept[name]
        yield row
        new = tally.kept[name] > before
        self._got[item.labels] += new
        return new

    def _take_first(self, item: _Asked, answer: Answer) -> bool:
        """Ask for the second texts that go with a first one: one for each class that lacks some."""
        self._opening -= 1
        form = form_of(self.view.spec, "first")
        try:
            text = read_texts(read_object(answer, form, item.prompt.opening), form, item.prompt)[0]
        except UnusableError as error:
            self.tools.tally.drop(f"first-text-{error}")
            return False
        for labels in self._classes():
            if self.second is not None and self._lacking(labels) > 0:
                # The second text is about what the first is about, in its own draw of demonstrations.
                about = replace(self.draw(labels), slots=item.wanted.slots, names=item.wanted.names, given=(text,))
                self._add(labels, about, self.second, "second")
        return True

    def _prompt(self, file: PromptFile, wanted: Wanted, step: Step) -> Prompt:
        prompt = write_prompt(self.view.spec, self.tools.llm.mode, file, wanted, step)
        # A prompt that comes again is another draw.
        key = replace(prompt, schema=None)
        self._repeats[key] += 1
        return replace(prompt, repeat=self._first_repeat + self._repeats[key] - 1)


def _yield(got: int, asked: int) -> float:
    return max((got + PRIOR) / (asked + PRIOR), WORST_YIELD)


KEY = "rows"
ROOM = 128
"""Tokens that an answer may have for each row beyond the first, which has the prompt's own room."""


def several(tools: Tools) -> Tools:
    """The tools, with a model that is asked for as many rows at once as ``--rows-per-request`` says."""
    number = tools.asking.rows_per_request
    if number == 1 or tools.llm.mode == "completion":
        return tools
    tools.tally.notes["rows per request"] = str(number)
    return replace(tools, model=Several(tools.llm, number))


@dataclass(slots=True)
class _Group:
    """Places, in a round, of prompts that one request answers."""

    first: Prompt
    places: list[int]


class Several:
    """A model behind which equal prompts are put together, up to ``number``, and their answers taken apart again."""

    def __init__(self, llm: LLM, number: int) -> None:
        self._llm = llm
        self._number = number
        self.mode: Mode = llm.mode
        self.model = llm.model

    def ask(self, prompts: Sequence[Prompt]) -> Iterator[Answer]:
        """As ``LLM.ask``: an answer for each prompt, in their order."""
        groups: list[_Group] = []
        open_group: dict[tuple[str, str], _Group] = {}
        for place, prompt in enumerate(prompts):
            key = prompt.system, prompt.text
            group = open_group.get(key)
            if prompt.schema is None or group is None or len(group.places) == self._number:
                group = _Group(prompt, [])
                groups.append(group)
                if prompt.schema is not None:
                    open_group[key] = group
            group.places.append(place)
        # Groups begin in the order of their first prompts, so an answer is there when its prompt's turn comes.
        answers = self._llm.ask([_together(group.first, len(group.places)) for group in groups])
        waiting, ready = iter(groups), dict[int, Answer]()
        for place in range(len(prompts)):
            while place not in ready:
                group = next(waiting)
                ready |= zip(group.places, _apart(next(answers), len(group.places)), strict=True)
            yield ready.pop(place)


def _together(prompt: Prompt, number: int) -> Prompt:
    """The request for so many objects. What is the same for one row and for many stands in front."""
    if number == 1 or prompt.schema is None:
        return prompt
    schema: dict[str, Any] = {
        "type": "object",
        "properties": {
            KEY: {"type": "array", "items": prompt.schema, "minItems": number, "maxItems": number}
        },
        "required": [KEY], "additionalProperties": False,
    }  # fmt: skip
    said = (
        f"\nDo this {number} times, each time about something else and in another way. Put the {number} objects into "
        f'one list: {{"{KEY}": [...]}}'
    )
    return replace(prompt, text=prompt.text + said, schema=schema, max_tokens=prompt.max_tokens + ROOM * (number - 1))


def _apart(answer: Answer, number: int) -> list[Answer]:
    """An answer for each object. What is missing fails as a whole answer would: cut short, or no JSON."""
    if number == 1 or answer.finish in ("failed", "filtered"):
        return [answer] * number
    parts = [replace(answer, text=json.dumps(item, ensure_ascii=False), finish="stop") for item in _objects(answer)]
    rest = replace(answer, text="")
    return (parts + [rest] * number)[:number]


def _objects(answer: Answer) -> list[dict[str, Any]]:
    """Every whole object of the list, also of one that was cut."""
    text, found = answer.text, list[dict[str, Any]]()
    decoder = json.JSONDecoder()
    place = text.find("{", text.find("[") + 1) if "[" in text else -1
    while place >= 0:
        try:
            value, end = decoder.raw_decode(text, place)
        except (ValueError, RecursionError):
            break
        found.append(cast("dict[str, Any]", value))
        place = text.find("{", end)
    return found
