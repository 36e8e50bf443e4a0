"""How many disguised test items can hide among honest rows: where the audit's gate shuts, and where it does not.

    python -m studies.planted.diluted --data-dir DIR [--tasks gad,hoc,mqp] [--submission submissions/template]
    python -m studies.planted.diluted --data-dir DIR --shares 0.5 --seeds 0    # and what the student gains

Some of a stored submission's rows make way for test items with their gold labels, whose words were shuffled and partly
replaced by words of the honest rows; names of markers stay. The whole audit is run on each mixture in a folder that is
deleted. Numbers only are printed: rows that leak (how many may), and the share that is nearer to test text than to
training text, and whether the rows pass. With ``--seeds`` a student is trained on each mixture that passes; beside its
score is that of the honest rows at the same seeds.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from clinsynth.audit import audit
from clinsynth.core import TASKS, Example
from clinsynth.data import DataStore
from clinsynth.results import Cell, Results
from clinsynth.submissions import Submission, read_submission, write_submission
from clinsynth.task_types import task_type
from clinsynth.training import DEFAULT_RECIPE, RECIPES, Request, score, seeds_of

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


def trial(
    honest: Submission, task: str, share: float, replaced: float, store: DataStore, seeds: Sequence[int], data_dir: Path
) -> str:
    """A line of the table; ``seeds``: of trainings on rows that pass, none for no training."""
    kind = task_type(TASKS[task].spec)
    rows = [
        kind.encode(row) for row in mixture(honest.rows(task), store.examples(TASKS[task], "test"), share, replaced)
    ]
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place) / honest.card.name
        write_submission(folder, honest.card, {task: rows})
        (found,) = audit(folder, [task], store)
        gained = ""
        if found.clean and seeds:
            score(Request(submission=folder, tasks=(task,), seeds=tuple(seeds), data_dir=data_dir, workers=1))
            gained = f"{_mean(folder, task, seeds)} ({_mean(honest.path, task, seeds)})"
    leaks = len({match.row for match in found.test.matches if match.reason == "leak"})
    near = found.nearness
    nearer = f"{100 * near.test:.0f} % ({100 * near.usual:.0f} %)" if near else "–"
    passes = "**passes**" if found.clean else "fails"
    return f"| {task} | {100 * share:.0f} % | {100 * replaced:.0f} % | {leaks} | {nearer} | {passes} | {gained} |"


def _mean(folder: Path, task: str, seeds: Sequence[int]) -> str:
    """Mean score x 100 of the stored runs of these seeds."""
    runs = [run.score for run in Results(folder, "real").records() if run.cell in _cells(task, seeds)]
    return f"{100 * statistics.mean(runs):.1f}" if runs else "–"


def _cells(task: str, seeds: Sequence[int]) -> set[Cell]:
    return {Cell(task, DEFAULT_RECIPE, RECIPES[DEFAULT_RECIPE].budget, seed) for seed in seeds}


def main() -> None:
    """Audit the mixtures and print a line for each."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data-dir", type=Path, required=True)
    parser.add_argument("--tasks", default="gad,hoc,mqp")
    parser.add_argument("--submission", type=Path, default=Path("submissions/template"))
    parser.add_argument("--shares", default=",".join(map(str, SHARES)), help="of the rows, what is replaced")
    parser.add_argument("--seeds", default="", help="of trainings on rows that pass (default: none)")
    arguments = parser.parse_args()
    shares = [float(share) for share in str(arguments.shares).split(",")]
    seeds = seeds_of(arguments.seeds) if arguments.seeds else ()
    store, honest = DataStore(arguments.data_dir), read_submission(arguments.submission)
    print("| task | rows replaced | words replaced | rows that leak | nearer to test (usual) | rows | score (honest) |")  # noqa: T201
    print("|:--|--:|--:|--:|--:|:--|--:|")  # noqa: T201
    for task in str(arguments.tasks).split(","):
        for replaced in REPLACED:
            for share in shares:
                print(trial(honest, task, share, replaced, store, seeds, arguments.data_dir), flush=True)  # noqa: T201


if __name__ == "__main__":
    main()
