"""A model whose answers are a function of the prompt, and what is asked of the baselines with it."""

import json
import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from clinsynth.core.errors import NotPreparedError
from clinsynth.core.nouns import EntityKind, Example, Row
from clinsynth.core.registry import TASKS
from clinsynth.data.samples import SampleStore
from clinsynth.generation.baseline import BASELINES, Budget, Tally, TaskView, Tools, class_of
from clinsynth.generation.loop import task_view
from clinsynth.llm.requests import Answer, Mode, Prompt

PROMPTS = Path(__file__).parents[1] / "baselines" / "prompts"
NAMES = ("attributes", "clingen-kg", "clingen-llm", "demo", "naive", "tang")
ZERO_SHOT = ("attributes", "naive", "tang")
ONE_OF_EACH = ("hoc", "gad", "mediqa-rqe", "healthver", "mqp", "ncbi-disease", "casi")
MODES: tuple[Mode, ...] = ("chat", "completion")
SYLLABLES = ("ba", "ce", "di", "fo", "gu", "ka", "le", "mi", "no", "pu", "ra", "se", "ti", "vo", "zu")
Write = Callable[[Prompt, int], Answer]


def word(*number: int) -> str:
    return "".join(SYLLABLES[int(k)] for k in np.random.default_rng(number).integers(len(SYLLABLES), size=4))


def obedient(prompt: Prompt, number: int) -> Answer:
    """What a model would answer that does all that it is told: each text its own, every marker and mention in place."""
    if prompt.schema is None:
        if "[HEAD]" in prompt.text:
            return Answer(text="\n".join(f"Way {k} to write of [HEAD] with [TAIL]" for k in range(5)), finish="stop")
        if "[TOPIC]" in prompt.text:
            return Answer(text="\n".join(f"- Way {k} to write of [TOPIC]" for k in range(5)), finish="stop")
        pairs = (f"{k}. {word(number, k)} | {word(number, k, 1)}" for k in range(40))
        return Answer(text="\n".join(pairs), finish="stop")
    value: dict[str, Any] = {}
    places = sorted(set(re.findall(r"@\w+\$", prompt.text))) or re.findall(r"(?:gene|disease)\d", prompt.text)
    # The whole message of a chat, the own entry of a document.
    last = prompt.text if prompt.system else prompt.text.rstrip().rpartition("\n\n")[2]
    bare = "mentions no" in last or "without any" in last
    for place, (key, kind) in enumerate(prompt.schema["properties"].items()):
        markers = " and ".join(places)
        if key in ("gene", "disease", "chemical"):
            value[key] = f"{key}{number}"
            places = [*places, value[key]]
        elif kind["type"] == "string":
            words = (word(number, place, k) for k in range(9))
            value[key] = " ".join([*words, markers, "ended", word(number, 99)]).replace("  ", " ")
        else:
            value[key] = [] if bare or place > 1 else [word(number, 99)]
    return Answer(text=json.dumps(value), finish="stop")


def always(answer: Answer) -> Write:
    return lambda _, __: answer


class Script:
    """A model whose answers are a function of the prompt and of how many it had before."""

    model = "script"

    def __init__(self, write: Write = obedient, mode: Mode = "chat") -> None:
        self.mode: Mode = mode
        self.write = write
        self.rounds: list[list[Prompt]] = []

    @property
    def prompts(self) -> list[Prompt]:
        return [prompt for asked in self.rounds for prompt in asked]

    def ask(self, prompts: Sequence[Prompt]) -> Iterator[Answer]:
        before = len(self.prompts)
        self.rounds.append([])
        for k, prompt in enumerate(prompts):  # which may grow
            self.rounds[-1].append(prompt)
            yield self.write(prompt, before + k)


class Names:
    """A source of knowledge that is small enough to be known by heart."""

    name = "names v1"

    def names(self, kind: EntityKind) -> Sequence[str]:
        return () if kind == "symptom" else tuple(f"{kind}{k}" for k in range(6))

    def pairs(self, first: EntityKind, second: EntityKind) -> Sequence[tuple[str, str]]:
        return tuple((f"{first}{k}", f"{second}{k}") for k in range(4))

    def of_label(self, task: str, label: str) -> Sequence[tuple[str, ...]]:
        return ()


def view_of(name: str) -> TaskView:
    return task_view(TASKS[name], SampleStore(), "train")[0]


def blind(name: str) -> TaskView:
    """A view whose real examples must not be looked at."""

    def never() -> Sequence[Example]:
        raise NotPreparedError("no real data here")

    return TaskView(TASKS[name].spec, never, never)


def take(rows: Iterator[Row], tally: Tally, number: int) -> list[Row]:
    """As the harness does: rows are counted as they are taken."""
    taken: list[Row] = []
    for row in rows:
        taken.append(row)
        tally.kept[class_of(row)] += 1
        if len(taken) == number:
            break
    return taken


def made(baseline: str, task: str, script: Script, number: int, seed: int = 0, **tools: Any) -> tuple[list[Row], Tally]:
    view = blind(task) if baseline in ZERO_SHOT else view_of(task)
    tally = Tally()
    given = Tools(tally=tally, model=script, source=Names(), **tools)
    rows = BASELINES[baseline].generate(view, given, Budget(number), np.random.default_rng(seed))
    return take(rows, tally, number), tally
