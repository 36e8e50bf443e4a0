"""demo: rows after real examples of the label, in the manner of DemoGen.

Deviations from that method:
- Three examples a prompt, drawn at random for each row from the few-shot examples of its label; in their own order.
- One wording for each task type. The model writes the whole row in one answer, pairs too.
- Rows of multi-label tasks take the label sets of the few-shot examples.
- A long demonstration is cut after three sentences in text classification.
- Names of a relation are chosen by the model and replaced by the task's markers.
- A share of the rows of span tasks is asked for without any name (``--without-mention``).
- Several rows of a label can be asked for in one request, after one draw of examples (``--rows-per-request``).
"""

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from clinsynth.core import Row
from clinsynth.generation import Baseline, Budget, TaskView, Tools
from clinsynth.generation.asking import Rounds, Wanted, bare_rows, label_sets, load, real_demos, several

PROMPTS = Path(__file__).parent / "prompts" / "demo"


def generate(view: TaskView, tools: Tools, budget: Budget, rng: np.random.Generator) -> Iterator[Row]:
    """Equally many rows a label, each after its own draw of examples."""
    demos = real_demos(view, rng, tools.asking.rows_per_request)
    perhaps_bare = bare_rows(view, tools, budget, rng)

    def draw(labels: tuple[str, ...]) -> Wanted:
        return perhaps_bare(Wanted(labels=labels, demos=demos(labels)))

    row = load(PROMPTS, view.spec.type, tools.tally)
    yield from Rounds(view, several(tools), budget, rng, draw, row=row, label_sets=label_sets(view))


BASELINE = Baseline(
    name="demo",
    title="Few-shot examples in the prompt",
    description="a language model writes rows after real few-shot examples (DemoGen-style)",
    real_data="few-shot",
    generate=generate,
    needs=frozenset({"llm"}),
)
