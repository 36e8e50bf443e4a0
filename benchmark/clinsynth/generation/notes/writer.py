"""From case reports to notes, from notes to requests of a kind of work, and on to their answers.

After Asclepius (2309.00237), whose released code differs in this:

- the kind of work is drawn from the seed; theirs is drawn without one;
- an over-long report is cut at a sentence and counted; theirs fails at the server;
- a request that repeats an example of its prompt is dropped, and one in the pool does not enter it again; theirs
  takes every one;
- the pool of requests grows from one round to the next, not within one: a round is one batch;
- a note or answer that ends in the middle of a sentence is cut back to the last whole one, and counted;
- base models are shown one invented example of the form.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from clinsynth.core import sha256_file
from clinsynth.generation.asking import PromptFile, fill, load
from clinsynth.generation.baseline import Tally
from clinsynth.generation.notes.reports import Report
from clinsynth.llm import LLM, Answer, Prompt
from clinsynth.text import sentence_ranges, without_emphasis

PROMPTS = Path(__file__).parent / "prompts"
KINDS = (
    "Named Entity Recognition",
    "Abbreviation Expansion",
    "Relation Extraction",
    "Temporal Information Extraction",
    "Coreference Resolution",
    "Paraphrasing",
    "Summarization",
    "Question Answering",
)
"""The kinds of work that Asclepius was taught (FACTS of the released code)."""
CONTEXT = 4_096
"""Tokens that prompt and answer may have together."""
SEEDS_SHOWN, POOL_SHOWN = 3, 2
"""Hand-written requests and earlier answers that a prompt for a request shows."""
SHORTEST_NOTE = 30
"""Words."""
_PIECE = re.compile(r"[^\W\d_]{1,4}|\d|[^\w\s]|_")
_GIVES_ITSELF_AWAY = re.compile(
    # The eleven phrases of the released code ...
    r"\bAI (?:language|model)|\blanguage model|\bclinical (?:language|model)|\bthe model\b|\bNER model"
    r"|\b(?:recognition|extraction|summarization|generation) model"
    # ... and near relatives.
    r"|\bas an AI\b|\bI(?:'m| am) an AI\b|\bsynthetic\b.{0,20}\bnote\b",
    re.IGNORECASE,
)
"""Phrases by which Asclepius drops a row, wherever they stand in it."""


@dataclass(frozen=True, slots=True)
class Room:
    """Tokens an answer may have."""

    note: int
    question: int
    answer: int


TEMPLATE = 48
"""Tokens that a chat template puts around a system message and a user's."""
ROOM: Mapping[str, Room] = {"chat": Room(1_024, 128, 512), "completion": Room(256, 40, 96)}
"""By mode; a chat model's note may be longer where the context allows it. A base model seldom ends by itself and drifts
the longer it goes on."""


@dataclass(frozen=True, slots=True)
class Note:
    """A synthetic note."""

    report: Report
    text: str


def tokens(text: str) -> int:
    """An upper estimate of a text's tokens: pieces of up to four letters, single digits and signs.

    Tokenisers of language models make fewer pieces of English; none of them is needed to count.
    """
    return len(_PIECE.findall(text))


def shortened(text: str, room: int) -> str:
    """As many whole sentences from the beginning as fit into ``room`` tokens; the first one always."""
    kept, used = 0, 0
    for start, end in sentence_ranges(text):
        used += tokens(text[start:end])
        if used > room and kept:
            break
        kept = end
    return text[:kept]


@dataclass(slots=True)
class NoteWriter:
    """Asks a model for notes, requests and answers; counts in ``tally`` what comes to nothing."""

    llm: LLM
    tally: Tally
    rng: np.random.Generator
    context: int = CONTEXT
    pool: dict[str, list[str]] = field(default_factory=dict[str, list[str]])
    """Requests that the model has written, by kind."""
    _files: dict[str, PromptFile] = field(default_factory=dict[str, PromptFile])
    _first_repeat: int = field(init=False)

    def __post_init__(self) -> None:
        # Another seed is another draw of answers, also where all prompts are the same.
        self._first_repeat = int(self.rng.integers(2**31))

    def notes(self, reports: Iterable[tuple[Report, int]]) -> Iterator[Note | None]:
        """A note for each pair of a report and a number that counts its notes; ``None`` where no note could be made."""
        given = list(reports)
        prompts = [self._note_prompt(report, turn) for report, turn in given]
        for (report, _), answer in zip(given, self.llm.ask(prompts), strict=True):
            text = self._usable(answer, "note")
            if text and len(text.split()) < SHORTEST_NOTE:
                self.tally.drop("note-too-short")
                text = ""
            if text and _plain(text) in _plain(report.text):
                self.tally.drop("note-copies-report")
                text = ""
            yield Note(report, text) if text else None

    def questions(self, notes: Sequence[Note], kinds: Sequence[str]) -> Iterator[str]:
        """A request of the given kind for each note; empty where it came to nothing."""
        self._file("question")
        seeds = read_seeds(self.tally)
        prompts: list[Prompt] = []
        shown_with: list[set[str]] = []
        for number, (note, kind) in enumerate(zip(notes, kinds, strict=True)):
            examples = _some(seeds[kind], SEEDS_SHOWN, self.rng) + _some(self.pool.get(kind, []), POOL_SHOWN, self.rng)
            shown_with.append({_plain(one) for one in examples})
            slots = {"kind": kind, "note": note.text, "examples": "\n".join(f"- {one}" for one in examples)}
            prompts.append(self._prompt("question", slots, stop=("\n",), repeat=number))
        for kind, shown, answer in zip(kinds, shown_with, self.llm.ask(prompts), strict=True):
            question = self._usable(answer, "question")
            if question and len(question.split()) < 3:
                self.tally.drop("question-too-short")
                question = ""
            if question and _plain(question) in shown:
                self.tally.drop("question-repeats-example")
                question = ""
            if question:
                known = self.pool.setdefault(kind, [])
                if _plain(question) not in {_plain(one) for one in [*known, *seeds[kind]]}:
                    known.append(question)
            yield question

    def answers(self, asked: Sequence[tuple[Note, str]]) -> Iterator[str]:
        """The answer to each request; empty where it came to nothing."""
        prompts = [
            self._prompt("answer", {"note": note.text, "question": question}, ("\nNote:", "\nQuestion:"), number)
            for number, (note, question) in enumerate(asked)
        ]
        for answer in self.llm.ask(prompts):
            text = self._usable(answer, "answer")
            if text.endswith("?"):
                self.tally.drop("answer-asks-back")
                text = ""
            yield text

    def _note_prompt(self, report: Report, turn: int) -> Prompt:
        stop = ("\nCase report:", "\n\nCase report")
        empty = self._prompt("note", {"report": "."}, stop)
        room = self.context - empty.max_tokens - tokens(empty.text) - tokens(empty.system)
        text = shortened(report.text, room)
        if len(text) < len(report.text):
            self.tally.alter("report-shortened")
        prompt = self._prompt("note", {"report": text}, stop)
        most = prompt.max_tokens
        if self.llm.mode == "chat":
            # As long as it likes within what the context leaves, as in the released code.
            most = max(most, self.context - tokens(prompt.text) - tokens(prompt.system) - TEMPLATE)
        return replace(prompt, max_tokens=most, repeat=self._first_repeat + turn)

    def _prompt(self, name: str, slots: Mapping[str, str], stop: tuple[str, ...], repeat: int = 0) -> Prompt:
        file = self._file(name)
        room = getattr(ROOM[self.llm.mode], name)
        if self.llm.mode == "chat":
            text, system = fill(file.chat, slots), fill(file.system, slots)
            return Prompt(text=text, system=system, max_tokens=room, repeat=self._first_repeat + repeat)
        # The form of the answer is that of the title's example: one line after "Discharge summary:".
        text = f"{fill(file.title, slots)}\n\n{fill(file.entry, slots)}"
        return Prompt(text=text, max_tokens=room, stop=stop, repeat=self._first_repeat + repeat)

    def _file(self, name: str) -> PromptFile:
        if name not in self._files:
            self._files[name] = load(PROMPTS, name, self.tally)
        return self._files[name]

    def _usable(self, answer: Answer, what: str) -> str:
        """The text of an answer, cleaned; empty, and counted, where it cannot be used."""
        text = _first_line(answer.text) if what == "question" else _whole(answer)
        reason = ""
        if answer.finish in ("failed", "filtered"):
            reason = answer.finish
        elif not text:
            reason = "empty"
        elif _GIVES_ITSELF_AWAY.search(text):
            reason = "gives-itself-away"
        if reason:
            self.tally.drop(f"{what}-{reason}")
            return ""
        if what != "question" and answer.finish == "length":
            self.tally.alter(f"{what}-cut-to-sentences")
        return text


def read_seeds(tally: Tally) -> dict[str, list[str]]:
    """The hand-written requests by kind; their file's digest goes into ``tally.prompts``."""
    path = PROMPTS / "seeds.txt"
    tally.prompts[f"{PROMPTS.name}/{path.name}"] = sha256_file(path)
    seeds: dict[str, list[str]] = {}
    kind = ""
    for line in path.read_text(encoding="utf-8").splitlines():
        if line.startswith("["):
            kind = line.strip("[]")
        elif line and not line.startswith("#"):
            seeds.setdefault(kind, []).append(line)
    return seeds


def _some(pool: Sequence[str], most: int, rng: np.random.Generator) -> list[str]:
    return [pool[int(k)] for k in rng.permutation(len(pool))[:most]]


def _first_line(text: str) -> str:
    lines = [line.strip() for line in without_emphasis(text).splitlines()]
    first = next((line for line in lines if line), "")
    return re.sub(r"^(?:[-*\u2022]|\d+[.)])\s*|^(?:Request|Question|Instruction):\s*", "", first).strip("\"' ")


def _whole(answer: Answer) -> str:
    """The text; where it was cut, up to its last whole sentence."""
    text = answer.text.strip()
    if answer.finish == "length":
        end = max(text.rfind(sign) for sign in (". ", ".\n", "! ", "? ", "\n"))
        text = text[: end + 1].strip() if end > 0 and not text.endswith((".", "!", "?")) else text
    return text


def _plain(text: str) -> str:
    return " ".join(re.findall(r"\w+", text.lower()))
