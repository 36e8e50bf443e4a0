"""The quota loop: rounds of requests until every class has its share.

A round asks for exactly what is missing, divided by the yield of the rounds before, as **one** sequence of requests
(two where the texts of a pair are written one after the other): what a batch job takes. What comes is determined by
the random generator and the answers; a second call with the same answers gives the same rows.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import zip_longest

import numpy as np

from clinsynth.core import Row, TaskSpec
from clinsynth.generation.asking.answers import Step, UnusableError, Wanted, form_of, read_object, read_texts, take_row
from clinsynth.generation.asking.prompts import PromptFile, write_prompt
from clinsynth.generation.baseline import Budget, TaskView, Tools, class_of
from clinsynth.llm import Prompt

PATIENCE = 3
"""Rounds in a row that bring no new row, after which a generator gives up."""
WORST_YIELD = 0.1
"""However little comes of them, no more than ten requests are made at once for a missing row."""

Labels = tuple[str, ...]
Draw = Callable[[Labels], Wanted]
"""What to ask for, for a row of these labels."""


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
    _got: Counter[Labels] = field(default_factory=Counter[Labels])
    _repeats: Counter[Prompt] = field(default_factory=Counter[Prompt])
    _first_repeat: int = field(init=False)

    def __post_init__(self) -> None:
        # Another seed is another draw of answers, also where all prompts are the same.
        self._first_repeat = int(self.rng.integers(2**31))

    def __iter__(self) -> Iterator[Row]:
        """Rows, until each class has its share or several rounds in a row have brought nothing new."""
        kept, idle = self.tools.tally.kept, 0
        while idle < PATIENCE and kept.total() < self.budget.rows:
            before = kept.total()
            plan = self._plan_sets() if self.view.spec.multi_label else self._plan()
            yield from self._in_two_steps(plan) if self.second else self._in_one_step(plan)
            idle = 0 if kept.total() > before else idle + 1

    def _plan(self) -> list[Labels]:
        """The labels of each row to ask for; the classes take turns, so that none is behind if the budget is spent."""
        lines: list[list[Labels]] = []
        for label, lacking in missing(self.view.spec, self.tools.tally.kept, self.budget.rows).items():
            labels = (label,) if label else ()
            lines.append([labels] * math.ceil(lacking / self._yield(labels) - 1e-9))
        return [labels for turn in zip_longest(*lines) for labels in turn if labels is not None]

    def _plan_sets(self) -> list[Labels]:
        """Sets of labels, each drawn for the label that lacks most when the sets before it are there."""
        lacking = missing(self.view.spec, self.tools.tally.kept, self.budget.rows)
        part = max(self._got.total() / self._asked.total() if self._asked else 1.0, WORST_YIELD)
        open_rows = {label: rows / part for label, rows in lacking.items()}
        plan: list[Labels] = []
        for _ in range(math.ceil(sum(open_rows.values()) - 1e-9)):
            label = max(open_rows, key=lambda name: open_rows[name])
            sets = self.label_sets.get(label) or ((label,),)
            labels = sets[int(self.rng.integers(len(sets)))]
            plan.append(labels)
            for one in labels:
                open_rows[one] -= 1 / len(labels)
        return plan

    def _yield(self, labels: Labels) -> float:
        return max(self._got[labels] / self._asked[labels] if self._asked[labels] else 1.0, WORST_YIELD)

    def _in_one_step(self, plan: Sequence[Labels]) -> Iterator[Row]:
        yield from self._rows(plan, [self.draw(labels) for labels in plan], self.row, self.step)

    def _in_two_steps(self, plan: Sequence[Labels]) -> Iterator[Row]:
        """First texts for the class that lacks most; each serves one row of every class."""
        number = max(Counter(plan).values(), default=0)
        wanted = [self.draw(()) for _ in range(number)]
        prompts = [self._prompt(self.row, item, "first") for item in wanted]
        form, firsts = form_of(self.view.spec, "first"), list[tuple[Wanted, str]]()
        for item, prompt, answer in zip(wanted, prompts, self.tools.llm.ask(prompts), strict=True):
            try:
                firsts.append((item, read_texts(read_object(answer, form, prompt.opening), form, prompt)[0]))
            except UnusableError as error:
                self.tools.tally.drop(f"first-text-{error}")
        used: Counter[Labels] = Counter()
        served: list[Labels] = []
        seconds: list[Wanted] = []
        for labels in plan:
            if (turn := used[labels]) < len(firsts):
                used[labels] += 1
                served.append(labels)
                first, text = firsts[turn]
                # The second text is about what the first is about, in its own draw of demonstrations.
                seconds.append(replace(self.draw(labels), slots=first.slots, names=first.names, given=(text,)))
        if self.second:
            yield from self._rows(served, seconds, self.second, "second")

    def _rows(self, plan: Sequence[Labels], wanted: Sequence[Wanted], file: PromptFile, step: Step) -> Iterator[Row]:
        spec, tally = self.view.spec, self.tools.tally
        prompts = [self._prompt(file, item, step) for item in wanted]
        answers = self.tools.llm.ask(prompts)
        for labels, item, prompt, answer in zip(plan, wanted, prompts, answers, strict=True):
            self._asked[labels] += 1
            row = take_row(spec, item, prompt, answer, tally, step)
            if row is None:
                continue
            name = class_of(row)
            if not spec.multi_label and missing(spec, tally.kept, self.budget.rows)[name] <= 0:
                tally.drop("class-full")
                continue
            before = tally.kept[name]
            yield row
            self._got[labels] += tally.kept[name] > before

    def _prompt(self, file: PromptFile, wanted: Wanted, step: Step) -> Prompt:
        prompt = write_prompt(self.view.spec, self.tools.llm.mode, file, wanted, step)
        # A prompt that comes again is another draw.
        key = replace(prompt, schema=None)
        self._repeats[key] += 1
        return replace(prompt, repeat=self._first_repeat + self._repeats[key] - 1)
