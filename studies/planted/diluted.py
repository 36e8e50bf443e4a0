"""How many disguised test items can hide among honest rows: where the audit's gate shuts, and where it does not.

    python -m studies.planted.diluted --data-dir DIR [--tasks gad,hoc,mqp] [--submission submissions/template]

Some of a stored submission's rows make way for test items with their gold labels, whose words were shuffled and partly
replaced by words of the honest rows; names of markers stay. The whole audit is run on each mixture in a folder that is
deleted. Numbers only are printed: rows that leak (how many may), and the share that is nearer to test text than to
training text; the last column says whether the rows pass.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from clinsynth.audit import audit
from clinsynth.core import TASKS, Example
from clinsynth.data import DataStore
from clinsynth.submissions import Submission, read_submission, write_submission
from clinsynth.task_types import task_type

SHARES = (0.1, 0.2, 0.3, 0.4, 0.5)
"""Of the rows, what is replaced."""
REPLACED = (0.0, 0.25, 0.45)
"""Of a test item's words, what is replaced."""


def disguised(text: str, words: Sequence[str], share: float, rng: np.random.Generator) -> str:
    """The words of a text in a random order, a share of them replaced by others."""
    own = text.split()
    for k in range(len(own)):
        if not own[k].startswith("@") and rng.random() < share:
            own[k] = words[int(rng.integers(len(words)))]
    return " ".join(own[int(k)] for k in rng.permutation(len(own)))


def mixture(honest: Sequence[Example], test: Sequence[Example], share: float, replaced: float) -> list[Example]:
    """The honest rows, of which a share makes way for disguised test items."""
    rng = np.random.default_rng(0)
    words = [word for row in honest for text in row.texts for word in text.split() if not word.startswith("@")]
    rows = list(honest)
    places = rng.permutation(len(rows))[: min(round(share * len(rows)), len(test))]
    for place, item in zip(places, rng.permutation(len(test)), strict=False):
        example = test[int(item)]
        texts = tuple(disguised(text, words, replaced, rng) for text in example.texts)
        rows[int(place)] = Example(texts, labels=example.labels)
    return rows


def trial(honest: Submission, task: str, share: float, replaced: float, store: DataStore) -> str:
    """A line of the table."""
    kind = task_type(TASKS[task].spec)
    rows = [
        kind.encode(row) for row in mixture(honest.rows(task), store.examples(TASKS[task], "test"), share, replaced)
    ]
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place) / honest.card.name
        write_submission(folder, honest.card, {task: rows})
        (found,) = audit(folder, [task], store)
    leaks = len({match.row for match in found.test.matches if match.reason == "leak"})
    near = found.nearness
    nearer = f"{100 * near.test:.0f} % ({100 * near.usual:.0f} %)" if near else "–"
    passes = "**passes**" if found.clean else "fails"
    return f"| {task} | {100 * share:.0f} % | {100 * replaced:.0f} % | {leaks} | {nearer} | {passes} |"


def main() -> None:
    """Audit the mixtures and print a line for each."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data-dir", type=Path, required=True)
    parser.add_argument("--tasks", default="gad,hoc,mqp")
    parser.add_argument("--submission", type=Path, default=Path("submissions/template"))
    arguments = parser.parse_args()
    store, honest = DataStore(arguments.data_dir), read_submission(arguments.submission)
    print("| task | rows replaced | words replaced | rows that leak | nearer to test (usual) | the rows |")  # noqa: T201
    print("|:--|--:|--:|--:|--:|:--|")  # noqa: T201
    for task in str(arguments.tasks).split(","):
        for replaced in REPLACED:
            for share in SHARES:
                print(trial(honest, task, share, replaced, store), flush=True)  # noqa: T201


if __name__ == "__main__":
    main()
