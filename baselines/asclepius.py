"""Notes from case reports, requests on them, and rows taken from both, in the manner of Asclepius (2309.00237).

A case report becomes a discharge-style note; the note gets a request of one of the eight kinds of work of that system;
and from note and request come rows of our tasks:

- names and attributes: a sentence of the note, in which the model lists the mentions;
- inference, verification: a sentence of the note is the first text, the model writes the second one for a label;
- question pairs: the request is the first text, the model writes the second one for a label;
- relations, topics: the model writes a text on what the note is about for a label.

Deviations from the paper:
- Its product, instructions with answers, is what ``clinsynth notes`` writes; here they serve our tasks.
- The kinds of work are those that suit the task's type, drawn from the seed; theirs are drawn from all eight.
- Several rows come from one note (``ROWS_A_NOTE``).
- A prompt for a row shows the beginning of the note, and a case report and its note have 2,048 tokens together.
- What differs in notes and requests themselves is said in ``clinsynth.generation.notes.writer``.
- A base model is shown the form by entries that were written for this project and are no data of the task.

The case reports are those that come along, or the file that ``CLINSYNTH_REPORTS`` names.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from math import ceil
from pathlib import Path

import numpy as np

from clinsynth.core import Row, TaskTypeName
from clinsynth.generation import Baseline, Budget, TaskView, Tools
from clinsynth.generation.asking import Rounds, Step, Wanted, load, no_demos
from clinsynth.generation.notes import NoteWriter, cycled, read_reports
from clinsynth.text import sentence_ranges, without_emphasis

PROMPTS = Path(__file__).parent / "prompts" / "asclepius"
ROWS_A_NOTE = 5
SPARE = 3
"""Sentences for each row of span tasks, where a sentence serves once: not every answer can be used."""
PATIENCE = 3
"""Rounds of notes in a row that bring none, after which it goes on with those that there are."""
EXCERPT = {"chat": 150, "completion": 40}
"""Words of the note that a prompt for a row shows."""
CONTEXT = 2_048
"""Tokens of a case report and its note: rows come from a note's first words and from single sentences."""
SENTENCE = (4, 80)
"""Words of a sentence that can be a text of its own."""


@dataclass(frozen=True, slots=True)
class Use:
    """How rows of a type are taken from a note."""

    step: Step
    given: str
    """What the first text is: ``sentence`` of the note, the ``request``, or nothing."""
    kinds: tuple[str, ...]
    """The kinds of work that suit the type."""


USES: dict[TaskTypeName, Use] = {
    "text_classification": Use("row", "", ("Question Answering", "Summarization")),
    "relation_extraction": Use("row", "", ("Relation Extraction",)),
    "natural_language_inference": Use(
        "second", "sentence", ("Temporal Information Extraction", "Coreference Resolution")
    ),
    "fact_verification": Use("second", "sentence", ("Question Answering", "Relation Extraction")),
    "sentence_similarity": Use("second", "request", ("Paraphrasing", "Question Answering")),
    "named_entity_recognition": Use("label", "sentence", ("Named Entity Recognition", "Abbreviation Expansion")),
    "attribute_extraction": Use("label", "sentence", ("Named Entity Recognition", "Relation Extraction")),
}


@dataclass(frozen=True, slots=True)
class Material:
    """A note, a request on it, and its sentences."""

    note: str
    request: str
    sentences: tuple[str, ...]


def generate(view: TaskView, tools: Tools, budget: Budget, rng: np.random.Generator) -> Iterator[Row]:
    """Equally many rows a label, from as many notes as they need."""
    spec, llm = view.spec, tools.llm
    use = USES[spec.type]
    if use.given and "question" in spec.text_names[0]:
        use = USES["sentence_similarity"]
    material = list(_material(tools, use, budget.rows, rng))
    if not material:
        return
    demos = no_demos(spec, llm.mode, rng)
    words = EXCERPT[llm.mode]
    given_texts = _given(use, material, rng)

    def draw(labels: tuple[str, ...]) -> Wanted:
        given = given_texts()
        source, text = given if given else (material[int(rng.integers(len(material)))], "")
        slots = {"note": " ".join(source.note.split()[:words]), "instruction": source.request}
        return Wanted(labels=labels, slots=slots, demos=demos(labels), given=(text,) if text else ())

    file = load(PROMPTS, spec.type, tools.tally)
    yield from Rounds(view, tools, budget, rng, draw, row=file, step=use.step)


def _material(tools: Tools, use: Use, rows: int, rng: np.random.Generator) -> Iterator[Material]:
    """Notes with their requests, enough for so many rows; fewer where the model gives no more."""
    reports = read_reports()
    tools.tally.notes["case reports"] = f"{reports.name}, sha256 {reports.digest}"
    writer = NoteWriter(tools.llm, tools.tally, rng, CONTEXT)
    queue = cycled(reports, rng)
    supply, found, idle = 0.0, 0, 0
    while supply < rows and idle < PATIENCE:
        before = found
        wanted = ceil((rows - supply) / ROWS_A_NOTE)
        notes = [note for note in writer.notes([next(queue) for _ in range(wanted)]) if note is not None]
        kinds = [use.kinds[int(rng.integers(len(use.kinds)))] for _ in notes]
        for note, request in zip(notes, list(writer.questions(notes, kinds)), strict=True):
            if sentences := _sentences(note.text) if request else ():
                found += 1
                supply += len(sentences) / SPARE if use.step == "label" else ROWS_A_NOTE
                yield Material(note.text, request, sentences)
        idle = 0 if found > before else idle + 1
    tools.tally.notes["notes"] = str(found)


def _sentences(note: str) -> tuple[str, ...]:
    found: list[str] = []
    for line in without_emphasis(note).splitlines():
        for start, end in sentence_ranges(line):
            sentence = " ".join(line[start:end].lstrip("-*# ").split())
            if SENTENCE[0] <= len(sentence.split()) <= SENTENCE[1]:
                found.append(sentence)
    return tuple(found)


def _given(use: Use, material: list[Material], rng: np.random.Generator) -> Callable[[], tuple[Material, str] | None]:
    """Draws first texts, each once before any comes again."""
    texts = [
        (source, text)
        for source in material
        for text in (source.sentences if use.given == "sentence" else (source.request,))
    ]
    queue: list[tuple[Material, str]] = []

    def draw() -> tuple[Material, str] | None:
        if not use.given:
            return None
        if not queue:
            queue.extend(texts[int(k)] for k in rng.permutation(len(texts)))
        return queue.pop()

    return draw


BASELINE = Baseline(
    name="asclepius",
    title="Rows taken from synthetic notes",
    description="case report -> synthetic discharge note -> request on it -> labelled rows from both (Asclepius)",
    real_data="none",
    generate=generate,
    needs=frozenset({"llm"}),
    citation="""@misc{asclepius,
  title = {{Asclepius}},
  howpublished = {arXiv:2309.00237; Findings of the Association for Computational Linguistics: ACL 2024, 5148--5168},
  year = {2024}
}""",
)
