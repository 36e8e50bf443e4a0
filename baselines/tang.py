"""tang: Tang et al. (2303.04360): a seed name, or a pair of names, becomes a sentence; no demonstrations.

The instruction is searched for as in the paper: the model is asked for five, ten sentences are made with each, the best
is kept and five more are asked for after it, three rounds in all.

Deviations from the paper:
- The best instruction is chosen by a number, not by reading: usable rows a request x distinct word trigrams a trigram x
  the share of rows to which the model, asked again with the text alone, gives the same label or names.
- The search makes about a quarter as many rows as are wanted, at most the paper's ten with each instruction: where few
  rows are wanted, fewer are made with each. The rows of the search are not used.
- The first instruction is this project's, and is scored like the proposed ones. One without the places for the names
  cannot be proposed, and the lines on the kind of text, on the label and on the form of the answer are the harness's,
  the same for every instruction.
- GAD is among the tasks; EU-ADR, the paper's other relation corpus, is not covered: no file of it is pinned here.
- Seeds come from ``--knowledge``; where the paper's came from is not published. Pairs that the source relates serve
  every relation but the negative one, for which two names are drawn that it does not relate.
- The paper treats names and relations. The extension to the other types gives a topic in place of the seed.
- The list of names is asked for with the sentence; the seed counts as one whether listed or not.
- A base model is shown the form by three entries that were written for this project, as in ``naive``.
"""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import count, cycle, islice
from pathlib import Path

import numpy as np

from clinsynth.core import Example, Row, TaskSpec, write_text
from clinsynth.generation import Baseline, Budget, Tally, TaskView, Tools
from clinsynth.generation.asking import (
    Draw,
    PromptFile,
    Rounds,
    Wanted,
    bare_rows,
    clean,
    known_topics,
    list_prompt,
    load,
    load_values,
    no_demos,
    standing_slots,
    subject,
    take_row,
    write_prompt,
)
from clinsynth.task_types import task_type

PROMPTS = Path(__file__).parent / "prompts" / "tang"
PROPOSED, TRIED, ROUNDS = 5, 10, 3
SHARE = 4
"""Rows that are wanted for each row of the search."""
LONGEST = 400


def generate(view: TaskView, tools: Tools, budget: Budget, rng: np.random.Generator) -> Iterator[Row]:
    """Equally many rows a label, each about a name or pair of its own draw, by the instruction that was found."""
    spec = view.spec
    topics = known_topics(spec, tools.knowledge, tools.tally)
    demos = no_demos(spec, tools.llm.mode, rng)
    perhaps_bare = bare_rows(view, tools, budget, rng)

    def draw(labels: tuple[str, ...]) -> Wanted:
        about = subject(spec, topics(labels, rng))
        return Wanted(labels=labels, slots=about.slots, names=about.names, demos=demos(labels))

    row = load(PROMPTS, spec.type, tools.tally)
    (instruction,) = load_values(PROMPTS, "start", tools.tally)[spec.type]
    instruction = searched(spec, tools, budget, row, draw, instruction)
    yield from Rounds(
        view, tools, budget, rng, lambda labels: instructed(perhaps_bare(draw(labels)), instruction), row=row
    )


def instructed(wanted: Wanted, instruction: str) -> Wanted:
    """With the instruction, its places filled, for the row and for each entry that is shown."""

    def told(slots: Mapping[str, str]) -> dict[str, str]:
        text = instruction
        for place in ("topic", "head", "tail"):
            text = text.replace(f"[{place.upper()}]", slots.get(place, ""))
        return {**slots, "instruction": text}

    demos = tuple(replace(demo, slots=told(demo.slots)) for demo in wanted.demos)
    # A text without any name has no topic to put into the instruction.
    return replace(wanted, slots=wanted.slots if wanted.bare else told(wanted.slots), demos=demos)


def searched(spec: TaskSpec, tools: Tools, budget: Budget, row: PromptFile, draw: Draw, best: str) -> str:
    """The best instruction: from ``<task>.instruction.txt`` in the folder of lists, else searched for and put there."""
    path = tools.lists / f"{spec.name}.instruction.txt" if tools.lists else None
    if path and path.exists():
        best = path.read_text("utf-8").strip()
    else:
        places = ["[HEAD]", "[TAIL]"] if spec.markers else ["[TOPIC]"]
        trials = max(1, min(TRIED, budget.rows // (SHARE * (1 + PROPOSED * ROUNDS))))
        repeats = count()
        score = worth(spec, tools, row, draw, best, list(islice(repeats, trials)))
        for turn in range(ROUNDS):
            slots = {**standing_slots(spec), "best": best, "places": " and ".join(places)}
            prompt = list_prompt(tools, PROMPTS, "templates", slots, PROPOSED)
            (answer,) = tools.llm.ask([replace(prompt, repeat=turn)])
            proposed = [one for one in clean(answer.text, longest=LONGEST) if all(place in one for place in places)]
            for instruction in proposed[:PROPOSED]:
                reached = worth(spec, tools, row, draw, instruction, list(islice(repeats, trials)))
                if reached > score:
                    best, score = instruction, reached
        if path:
            write_text(path, best + "\n")
    tools.tally.notes["instruction"] = f"sha256 {hashlib.sha256(best.encode()).hexdigest()}"
    return best


def worth(spec: TaskSpec, tools: Tools, row: PromptFile, draw: Draw, instruction: str, repeats: Sequence[int]) -> float:
    """Usable rows a request, times distinct word trigrams a trigram of their texts, times the share of right labels."""
    labels = [()] if spec.is_span else [(label,) for label in spec.labels]
    wanted = [instructed(draw(one), instruction) for one in islice(cycle(labels), len(repeats))]
    prompts = [
        replace(write_prompt(spec, tools.llm.mode, row, one), repeat=k) for k, one in zip(repeats, wanted, strict=True)
    ]
    found = [
        take_row(spec, one, prompt, answer, Tally())
        for one, prompt, answer in zip(wanted, prompts, tools.llm.ask(prompts), strict=True)
    ]
    usable = [one for one in found if one is not None]
    words = [str(one[key]).lower().split() for one in usable for key in task_type(spec).text_keys]
    trigrams = [tuple(text[k : k + 3]) for text in words for k in range(len(text) - 2)]
    if not trigrams:
        return 0.0
    return len(usable) / len(repeats) * (len(set(trigrams)) / len(trigrams)) * agreement(spec, tools, usable)


def agreement(spec: TaskSpec, tools: Tools, rows: Sequence[Row]) -> float:
    """How far the model gives rows their own labels, or names, when it is shown the texts alone: from 0 to 1."""
    kind, file = task_type(spec), load(PROMPTS, "agreement", tools.tally)
    examples = [kind.decode(row) for row in rows]
    wanted = [Wanted(given=example.texts) for example in examples]
    prompts = [write_prompt(spec, tools.llm.mode, file, one, "label") for one in wanted]
    answers = tools.llm.ask(prompts)
    shares: list[float] = []
    for example, one, prompt, answer in zip(examples, wanted, prompts, answers, strict=True):
        row = take_row(spec, one, prompt, answer, Tally(), "label")
        own, again = (_marks(each) if each else set[str]() for each in (example, kind.decode(row) if row else None))
        # A row of one label that the model finds beside others is right in part.
        shares.append(len(own & again) / len(own | again) if own | again else float(row is not None))
    return sum(shares) / len(shares) if shares else 0.0


def _marks(example: Example) -> set[str]:
    spans = {f"{span.label} {span.start} {span.end}" for span in example.spans}
    return spans | set(example.labels)


BASELINE = Baseline(
    name="tang",
    title="Seed names to sentences",
    description="Tang et al.: seed names become sentences, by an instruction that is searched for; no demonstrations",
    real_data="none",
    generate=generate,
    needs=frozenset({"llm", "knowledge"}),
    citation="""@misc{tang2023synthetic,
  title = {Does Synthetic Data Generation of {LLMs} Help Clinical Text Mining?},
  author = {Tang, Ruixiang and Han, Xiaotian and Jiang, Xiaoqian and Hu, Xia},
  year = {2023},
  eprint = {2303.04360},
  archiveprefix = {arXiv}
}""",
)
