"""Names from a knowledge source in hand-written patterns: no language model, the offline default.

The patterns lie in ``patterns/``: one file for a task, else one for its type. Whoever wrote them read the task's
description and knows how such texts sound; those of gad were revised against its training split, as the card says. No
sentence is a copy of one in the data. Labels are right by construction,
spans by offsets. Classes take turns; so do sentences with and without a mention.
"""

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from clinsynth.core import Row, TaskSpec, sha256_file
from clinsynth.generation import Baseline, Budget, TaskView, Tools
from clinsynth.generation.rules import Writer, read_patterns
from clinsynth.task_types import task_type

FOLDER = Path(__file__).parent / "patterns"
SECOND_LABEL = 0.12
"""Share of multi-label rows that are made of the texts of two labels."""


def patterns_of(spec: TaskSpec) -> Path:
    """The task's own file, else its type's."""
    own = FOLDER / f"{spec.name}.txt"
    return own if own.is_file() else FOLDER / f"{spec.type}.txt"


def generate(view: TaskView, tools: Tools, budget: Budget, rng: np.random.Generator) -> Iterator[Row]:
    """Rows without end; the same text is never given twice."""
    spec = view.spec
    patterns = read_patterns(patterns_of(spec))
    for path in patterns.files:
        tools.tally.prompts[f"patterns/{path.name}"] = sha256_file(path)
    writer = Writer(patterns, tools.knowledge, rng)
    kind = task_type(spec)
    labels = ("",) if spec.is_span else spec.labels
    made = dict.fromkeys(labels, 0)
    seen: set[tuple[str, ...]] = set()
    for _ in range(20 * budget.rows + 1_000):
        # What the harness refuses (a near duplicate, say) is made up for in the same class.
        label = min(labels, key=lambda name: (tools.tally.kept[name], made[name]))
        made[label] += 1
        example = writer.write(spec, label)
        row = kind.encode(example)
        if spec.multi_label and rng.random() < SECOND_LABEL:
            other = labels[int(rng.integers(len(labels)))]
            if other != label:
                text = f"{example.texts[0]} {writer.write(spec, other).texts[0]}"
                row = {**row, "text": text, "labels": sorted({label, other})}
        if example.texts not in seen and len(set(example.texts)) == len(example.texts):
            seen.add(example.texts)
            yield row


BASELINE = Baseline(
    name="template",
    title="Names in hand-written patterns",
    description="no LLM: knowledge-source names in hand-written patterns, the offline default",
    real_data="none",
    generate=generate,
    needs=frozenset({"knowledge"}),
    disclosures={
        "gad": "the patterns were made with its training set in view; no sentence of it is copied.",
    },
)
