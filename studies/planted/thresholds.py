"""The evidence for the thresholds of the leakage check: real rows that are no leaks against planted paraphrases.

    python -m studies.planted.thresholds --data-dir DIR [--tasks gad,hoc]

For each task, each distinct text of the real train split (dev, where train is not here) and each of 200 lightly
paraphrased test texts is compared with all test texts: cosine of MiniLM embeddings and Jaccard index of character
5-grams, markers left out. Texts that the publisher has in both splits are left out. Numbers only are printed.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
from studies.planted.edits import paraphrased
from studies.planted.leakage import TASK_NAMES, same_sentence

from clinsynth.audit.leakage import CONFIRM, COSINE, COSINE_ALONE, MIN_WORDS, NEAR, TextSet
from clinsynth.core.nouns import Example, Task
from clinsynth.core.registry import TASKS
from clinsynth.data.store import DataStore
from clinsynth.text.near_duplicates import jaccard
from clinsynth.training.embeddings import embed

PARAPHRASES = 200
REAL = 2_000
"""Real texts of a task, at most."""
FLOOR = 0.75
"""Pairs below this cosine are not looked at."""

Pairs = list[tuple[float, float]]
"""(cosine, Jaccard index) of the test texts near one text."""
RULES: dict[str, tuple[tuple[float, float], ...]] = {
    "cos 0.90": ((0.90, 0),),
    "cos 0.92": ((0.92, 0),),
    "cos 0.97": ((COSINE_ALONE, 0),),
    "J 0.5": ((0, 0.5),),
    "J 0.6": ((0, NEAR),),
    "cos 0.85, J 0.3": ((COSINE, 0.3),),
    "cos 0.85, J 0.4": ((COSINE, CONFIRM),),
    "used": ((COSINE_ALONE, 0), (0, NEAR), (COSINE, CONFIRM)),
}
"""A pair matches if it reaches both numbers of any alternative: (cosine, Jaccard index)."""


def _matches(rule: tuple[tuple[float, float], ...], pairs: Pairs) -> bool:
    return any(cosine >= least and index >= alike for cosine, index in pairs for least, alike in rule)


def near(
    texts: TextSet, test: TextSet, root: Path, markers: Sequence[str]
) -> tuple[list[Pairs], npt.NDArray[np.float32]]:
    """The near test texts of each text that the publisher does not have in both splits, and the highest cosine."""
    found: list[Pairs] = []
    highest: list[float] = []
    ours, theirs = embed(texts.texts, root), embed(test.texts, root)
    for k, text in enumerate(texts.texts):
        cosine = theirs @ ours[k]
        places = [int(j) for j in np.flatnonzero(cosine >= FLOOR)]
        if any(same_sentence(text, test.texts[j], markers) for j in places if cosine[j] >= COSINE):
            continue
        long = [j for j in places if min(len(texts.words[k]), len(test.words[j])) >= MIN_WORDS]
        found.append([(float(cosine[j]), jaccard(texts.shingles[k], test.shingles[j])) for j in long])
        highest.append(float(cosine.max()))
    return found, np.array(highest, np.float32)


def lines(task: Task, root: Path) -> tuple[str, str]:
    """One row of each table."""
    store, rng, markers = DataStore(root), np.random.default_rng(0), task.spec.markers
    split = "train" if store.rows(task).get("train") else "dev"
    test = TextSet(store.examples(task, "test"), markers)
    real = TextSet(store.examples(task, split), markers)
    drawn = [real.texts[int(k)] for k in rng.permutation(len(real))[:REAL]]
    chosen = [test.texts[int(k)] for k in rng.permutation(len(test))[:PARAPHRASES]]
    clean = TextSet([Example((text,)) for text in drawn], markers)
    planted = TextSet([Example((paraphrased(text, rng),)) for text in chosen], markers)
    clean_pairs, clean_cosine = near(clean, test, root, markers)
    planted_pairs, planted_cosine = near(planted, test, root, ())
    quantiles = [f"{q:.2f}" for q in np.quantile(clean_cosine, (0.5, 0.99, 0.999, 1))]
    quantiles += [f"{q:.2f}" for q in np.quantile(planted_cosine, (0.01, 0.05, 0.1, 0.5))]
    rates = [
        " / ".join(
            f"{100 * sum(_matches(rule, own) for own in pairs) / len(pairs):.{digits}f}"
            for pairs, digits in ((clean_pairs, 2), (planted_pairs, 0))
        )
        for rule in RULES.values()
    ]
    name = f"| `{task.spec.name}` | "
    return name + " | ".join([f"{len(clean_pairs):,}", *quantiles]) + " |", name + " | ".join(rates) + " |"


def main() -> None:
    """Run and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data-dir", type=Path, required=True)
    parser.add_argument("--tasks", default=",".join(TASK_NAMES))
    arguments = parser.parse_args()
    both = [lines(TASKS[name], arguments.data_dir) for name in str(arguments.tasks).split(",")]
    heads = (
        ["task", "real texts", "real 50 %", "99 %", "99.9 %", "highest", "paraphrase 1 %", "5 %", "10 %", "50 %"],
        ["task", *RULES],
    )
    for head, rows in zip(heads, zip(*both, strict=True), strict=True):
        print("| " + " | ".join(head) + " |\n|:--|" + "--:|" * (len(head) - 1))  # noqa: T201
        print("\n".join(rows) + "\n")  # noqa: T201


if __name__ == "__main__":
    main()
