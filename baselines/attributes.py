"""attributes: rows with random values of attributes (section, style, length, population), in the manner of AttrPrompt.

Deviations from that method:
- The values are written by hand, one file for each task type beside the prompts; theirs come from a language model and
  are filtered by hand, for each data set and partly for each class.
- Values are drawn independently, as theirs are, so some combinations are odd.
- No subtopics: what a text is about is left to the model.
- A base model is shown the form by three entries that were written for this project, as in ``naive``.
- Names of a relation are chosen by the model and replaced by the task's markers.
- A share of the rows of span tasks is asked for without any name (``--without-mention``).
"""

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from clinsynth.core import Row
from clinsynth.generation import Baseline, Budget, TaskView, Tools
from clinsynth.generation.asking import Rounds, Wanted, bare_rows, load, load_values, no_demos, pick

PROMPTS = Path(__file__).parent / "prompts" / "attributes"


def generate(view: TaskView, tools: Tools, budget: Budget, rng: np.random.Generator) -> Iterator[Row]:
    """Equally many rows a label, each with a value drawn for each attribute."""
    values = load_values(PROMPTS, f"{view.spec.type}.values", tools.tally)
    demos = no_demos(view.spec, tools.llm.mode, rng)
    perhaps_bare = bare_rows(view, tools, budget, rng)

    def draw(labels: tuple[str, ...]) -> Wanted:
        drawn = {attribute: pick(among, rng) for attribute, among in values.items()}
        return perhaps_bare(Wanted(labels=labels, slots=drawn, demos=demos(labels)))

    yield from Rounds(view, tools, budget, rng, draw, row=load(PROMPTS, view.spec.type, tools.tally))


BASELINE = Baseline(
    name="attributes",
    title="Random attribute values",
    description="a language model writes rows with random section, style, length, population (AttrPrompt-style)",
    real_data="none",
    generate=generate,
    needs=frozenset({"llm"}),
)
