"""naive: rows from the label's description alone, in the manner of ZeroGen.

Deviations from that method:
- One wording for each task type, filled with the task's own description; theirs is one for each data set.
- The model writes the whole row in one answer, pairs too; theirs go on from a given first text.
- Nucleus sampling is left to the command line (temperature 1, top-p 1 by default).
- A base model is shown the form by three entries with made-up labels that were written for this project; for the two
  span types their keys are the task's labels. They are no data of any task.
- Names of a relation are chosen by the model and replaced by the task's markers.
- A share of the rows of span tasks is asked for without any name (``--without-mention``).
- Several rows of a label can be asked for in one request (``--rows-per-request``).
"""

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from clinsynth.core import Row
from clinsynth.generation import Baseline, Budget, TaskView, Tools
from clinsynth.generation.asking import Rounds, Wanted, bare_rows, load, no_demos, several

PROMPTS = Path(__file__).parent / "prompts" / "naive"


def generate(view: TaskView, tools: Tools, budget: Budget, rng: np.random.Generator) -> Iterator[Row]:
    """Equally many rows a label, all from the same request for a label."""
    demos = no_demos(view.spec, tools.llm.mode, rng)
    perhaps_bare = bare_rows(view, tools, budget, rng)

    def draw(labels: tuple[str, ...]) -> Wanted:
        return perhaps_bare(Wanted(labels=labels, demos=demos(labels)))

    yield from Rounds(view, several(tools), budget, rng, draw, row=load(PROMPTS, view.spec.type, tools.tally))


BASELINE = Baseline(
    name="naive",
    title="Label descriptions alone",
    description="a language model writes rows from the description of the label (ZeroGen-style)",
    real_data="none",
    generate=generate,
    needs=frozenset({"llm"}),
)
