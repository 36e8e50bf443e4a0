"""A language model that grades answers to questions about notes, each answer alone, or two in both orders.

The scale has the meaning of Asclepius' rubric (Kweon et al., 2309.00237), in words of this project. Mended: each answer
is graded alone, so that a grade does not depend on who else is judged; a pair is judged in both orders, and counts
only where these agree; a reply that is no grade is counted and left out, instead of dragging the mean below the scale.

Chat models reply with JSON. A base model goes on after worked cases, inside the brackets that hold the value.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, cast

from clinsynth.core import UserError
from clinsynth.llm import LLM, Answer, Mode, Prompt


@dataclass(frozen=True, slots=True)
class Case:
    """A question about a note, with one system's answer."""

    note: str
    question: str
    answer: str


_NOTE = (
    "Mr. Orlin, 71, came in with two days of fever and cough. X-ray: shadow in the left lower lobe. He was given "
    "ceftriaxone, later switched to doxycycline because of a rash. He went home on day five with doxycycline for three "
    "more days. Kidney function was normal."
)
_QUESTION = "Which antibiotics was the patient given, and why was the first one stopped?"
_ANSWERS = {
    "complete": "Ceftriaxone, which was stopped because of a rash, then doxycycline, also for three days at home.",
    "short": "Ceftriaxone, stopped because of a rash; doxycycline was given instead.",
    "partial": "He was given ceftriaxone and doxycycline.",
    "wrong": "He was given amoxicillin, which was stopped because his kidneys failed.",
    "reworded": "First ceftriaxone until a rash came up, then doxycycline, with three further days of it at home.",
}


def _worked_case(name: str) -> Case:
    return Case(_NOTE, _QUESTION, _ANSWERS[name])


GRADED: Sequence[tuple[Case, int]] = tuple(
    (_worked_case(name), grade) for name, grade in (("partial", 2), ("complete", 4), ("wrong", 1), ("short", 3))
)
"""One answer for each grade."""
PAIRED: Sequence[tuple[Case, Case, str]] = (
    (_worked_case("partial"), _worked_case("short"), "B"),
    (_worked_case("complete"), _worked_case("reworded"), "tie"),
    (_worked_case("short"), _worked_case("wrong"), "A"),
)
"""A pair for each outcome."""


SCALE = (
    "4: everything that matters is said and right; or the answer rightly says that the note does not tell.\n"
    "3: nothing is wrong, but something minor is left out.\n"
    "2: nothing is wrong, but something important is left out.\n"
    "1: something is wrong, invented or beside the question; or the question is answered though the note does not tell."
)
_GRADE = "Grade the answer to a question about a clinical note. The note is all that may be known.\n\n" + SCALE
_PAIR = (
    "Two answers to a question about a clinical note are compared. The note is all that may be known. The better one "
    "is that with the better grade:\n\n" + SCALE
)
_GRADE_SCHEMA = {
    "type": "object", "properties": {"grade": {"enum": [1, 2, 3, 4]}}, "required": ["grade"],
    "additionalProperties": False,
}  # fmt: skip
_PAIR_SCHEMA = {
    "type": "object", "properties": {"better": {"enum": ["A", "B", "tie"]}}, "required": ["better"],
    "additionalProperties": False,
}  # fmt: skip

Better = Literal["A", "B", "tie"]


@dataclass(frozen=True, slots=True)
class Graded:
    """A judge's grades of a list of cases."""

    grades: tuple[int | None, ...]
    """``None``: no grade could be read."""
    failures: Counter[str]
    """Replies without a grade, by reason."""


@dataclass(frozen=True, slots=True)
class Paired:
    """A judge's verdicts on pairs of answers, each in both orders."""

    first: int
    """Pairs whose first answer was better in both orders."""
    second: int
    ties: int
    """Pairs that were a tie in both orders."""
    inconsistent: int
    """Pairs whose outcome changed with the order: they count for nobody."""
    failures: Counter[str]
    """Pairs of which an order could not be read, by reason."""

    @property
    def share(self) -> float | None:
        """Share of the decided pairs that the first won; ``None`` where none was decided."""
        decided = self.first + self.second
        return self.first / decided if decided else None


@contextmanager
def open_judges(
    specs: Sequence[str], cache: Path | None, answer_tokens: int | None = None
) -> Generator[dict[str, LLM]]:
    """The judges named as ``MODEL=URL`` or ``MODEL=URL,completion``, by name. Raises ``UserError``."""
    from clinsynth.llm import Cache, Client, ClientSettings, default_cache, find_prices

    clients: dict[str, LLM] = {}
    opened: list[Client] = []
    store = Cache(cache or default_cache()) if specs else None
    try:
        for spec in specs:
            name, url, mode = read_judge(spec)
            if name in clients:
                raise UserError(f"two judges are called {name}")
            settings = ClientSettings(model=name, mode=mode, base_url=url, answer_tokens=answer_tokens)
            assert store is not None  # noqa: S101 - there are specs
            opened.append(Client(settings, store, find_prices(name, url, None, None)))
            clients[name] = opened[-1]
        yield clients
    finally:
        for client in opened:
            client.close()
        if store is not None:
            store.close()


def read_judge(spec: str) -> tuple[str, str, Mode]:
    """Name, address and mode of a judge. Raises ``UserError``."""
    name, _, where = spec.partition("=")
    url, _, given = where.partition(",")
    if not name or not url or given not in ("", "chat", "completion"):
        raise UserError(f"--judge {spec} cannot be read", expected="MODEL=URL or MODEL=URL,completion")
    return name, url, "completion" if given == "completion" else "chat"


def grade(judge: LLM, cases: Sequence[Case]) -> Graded:
    """Grade each case alone."""
    answers = list(judge.ask(grade_prompts(cases, judge.mode)))
    failures: Counter[str] = Counter()
    grades: list[int | None] = []
    for answer in answers:
        graded = _grade(answer, judge.mode)
        grades.append(graded if isinstance(graded, int) else None)
        if isinstance(graded, str):
            failures[graded] += 1
    return Graded(tuple(grades), failures)


def compare_answers(judge: LLM, pairs: Sequence[tuple[Case, Case]]) -> Paired:
    """Judge pairs of answers to the same question, in both orders."""
    answers = list(judge.ask(compare_prompts(pairs, judge.mode)))
    counts: Counter[str] = Counter()
    failures: Counter[str] = Counter()
    for there, back in zip(answers[::2], answers[1::2], strict=True):
        one, two = _better(there, judge.mode), _better(back, judge.mode)
        if one not in ("A", "B", "tie") or two not in ("A", "B", "tie"):
            failures[one if one not in ("A", "B", "tie") else two] += 1
        elif one == {"A": "B", "B": "A", "tie": "tie"}[two]:
            counts[one] += 1
        else:
            counts["inconsistent"] += 1
    return Paired(counts["A"], counts["B"], counts["tie"], counts["inconsistent"], failures)


def grade_prompts(cases: Sequence[Case], mode: Mode) -> list[Prompt]:
    """A request for each case."""
    worked = [(_one(case), str(value)) for case, value in GRADED]
    return [_prompt("grade", _GRADE, worked, _one(case), mode) for case in cases]


def compare_prompts(pairs: Sequence[tuple[Case, Case]], mode: Mode) -> list[Prompt]:
    """Two requests for each pair: as it stands, and turned round."""
    worked = [(_both(one, two), outcome) for one, two, outcome in PAIRED]
    asked = [_both(a, b) for one, two in pairs for a, b in ((one, two), (two, one))]
    return [_prompt("better", _PAIR, worked, text, mode) for text in asked]


def _case(case: Case) -> str:
    return f"Note:\n{case.note}\n\nQuestion:\n{case.question}"


def _one(case: Case) -> str:
    return f"{_case(case)}\n\nAnswer:\n{case.answer}"


def _both(one: Case, two: Case) -> str:
    return f"{_case(one)}\n\nAnswer A:\n{one.answer}\n\nAnswer B:\n{two.answer}"


def _prompt(
    key: Literal["grade", "better"], head: str, worked: Sequence[tuple[str, str]], text: str, mode: Mode
) -> Prompt:
    choices = "1, 2, 3 or 4" if key == "grade" else "A, B or tie"
    if mode == "completion":
        cue = f"{'Grade' if key == 'grade' else 'Better answer'} ({choices}): ["
        shown = [head, *(f"{case}\n\n{cue}{value}]" for case, value in worked), f"{text}\n\n{cue}"]
        return Prompt(text="\n\n".join(shown), max_tokens=8, stop=("]", "\n"), temperature=0.0)
    example = '{"grade": 2}' if key == "grade" else '{"better": "tie"}'
    ask = f"{head}\n\n{text}\n\nReply with JSON such as {example}, where the value is {choices}, and nothing else."
    return Prompt(text=ask, schema=_GRADE_SCHEMA if key == "grade" else _PAIR_SCHEMA, max_tokens=32, temperature=0.0)


def _grade(answer: Answer, mode: Mode) -> int | str:
    """The grade, or why there is none."""
    said = _said(answer, mode, "grade")
    if said.reason:
        return said.reason
    value = said.value
    if isinstance(value, str) and re.fullmatch(r"[1-4]", value):
        value = int(value)
    return value if type(value) is int and 1 <= value <= 4 else "off-scale"


def _better(answer: Answer, mode: Mode) -> str:
    """A, B or tie, or why there is none."""
    said = _said(answer, mode, "better")
    if said.reason:
        return said.reason
    value = str(said.value).strip()
    return {"a": "A", "b": "B", "tie": "tie"}.get(value.casefold(), "off-scale")


@dataclass(frozen=True, slots=True)
class _Said:
    value: object = None
    reason: str = ""


def _said(answer: Answer, mode: Mode, key: str) -> _Said:
    if answer.finish in ("failed", "filtered"):
        return _Said(reason={"failed": "no-reply", "filtered": "withheld"}[answer.finish])
    text = answer.text.strip()
    if not text:
        return _Said(reason="empty")
    if mode == "completion":
        verdict = re.fullmatch(r"(\d+|A|B|tie)", text.strip("\"'. "), re.IGNORECASE)  # all of what the brackets hold
        return _Said(verdict.group(1)) if verdict else _Said(reason="no-value")
    if fence := re.fullmatch(r"```(?:json)?\s*(.*?)\s*```", text, re.DOTALL):
        text = fence.group(1)
    try:
        value: Any = json.loads(text)
    except (ValueError, RecursionError):
        return _Said(reason="truncated" if answer.finish == "length" else "not-json")
    if not isinstance(value, dict) or set(cast("dict[str, Any]", value)) != {key}:
        return _Said(reason="wrong-key")
    return _Said(cast("dict[str, Any]", value)[key])
