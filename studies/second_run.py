"""How far does a second run of a generator score from the first?

    python -m studies.second_run template --tasks gad,mqp --generator-seeds 1-4 --seeds 0,1 --data-dir DIR --out DIR

A stored submission is one run of its generator, and its five seeds are trainings of the student. Here the generator
writes its rows again with other seeds of its own, and students are trained on each file. For each task: the mean score
of each file, the stored one first; the standard deviation between trainings on one file, pooled over the files; that
which is left between files (one-way analysis of variance with random effects); and the p-value of its F test that
files do not differ. Repeated, it goes on from where it was stopped.
"""

from __future__ import annotations

import argparse
import importlib
import math
import statistics
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from clinsynth.cli import main as clinsynth
from clinsynth.core import TASKS, UserError
from clinsynth.results import SEEDS, Results
from clinsynth.training import DEFAULT_RECIPE, RECIPES, seeds_of

scipy_stats: Any = importlib.import_module("scipy.stats")


def scores(folder: Path, task: str, seeds: Sequence[int]) -> dict[int, float]:
    """Scores x 100 by training seed, of the runs that are stored in a folder at the recipe's number of rows."""
    runs = Results(folder, "real").records()
    budget = RECIPES[DEFAULT_RECIPE].budget
    return {
        run.seed: 100 * run.score
        for run in runs
        if (run.task, run.recipe, run.rows) == (task, DEFAULT_RECIPE, budget) and run.seed in seeds
    }


def components(groups: Sequence[Sequence[float]]) -> tuple[float, float, float]:
    """Standard deviations within groups and between them, and the p-value of the F test that groups do not differ.

    Args:
        groups: the scores of each file, two or more of them; their numbers may differ.
    """
    sizes = np.array([len(group) for group in groups])
    means = np.array([np.mean(group) for group in groups])
    total, count = int(sizes.sum()), len(groups)
    grand = float((sizes * means).sum() / total)
    within = sum(float(((np.asarray(g) - np.mean(g)) ** 2).sum()) for g in groups) / (total - count)
    among = float((sizes * (means - grand) ** 2).sum()) / (count - 1)
    usual = (total - float((sizes**2).sum()) / total) / (count - 1)
    between = max(0.0, (among - within) / usual)
    p = float(scipy_stats.f.sf(among / within, count - 1, total - count)) if within else 1.0
    return math.sqrt(within), math.sqrt(between), p


def line(task: str, first: Path, again: Sequence[Path]) -> str:
    """A row of the table.

    Args:
        task: its name.
        first: folder of the stored submission, of which the protocol's seeds are taken.
        again: folders of the further runs of its generator.
    """
    groups = [list(scores(folder, task, SEEDS).values()) for folder in (first, *again)]
    if any(len(found) < 2 for found in groups):
        raise UserError(f"a run on {task} is missing", expected="two training seeds or more of each file")
    within, between, p = components(groups)
    means = ", ".join(f"{statistics.mean(found):.1f}" for found in groups)
    return f"| {task} | {TASKS[task].spec.metric} | {means} | {within:.1f} | {between:.1f} | {p:.3f} |"


def main() -> None:
    """Generate, train, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("baseline")
    parser.add_argument("--tasks", required=True)
    parser.add_argument("--generator-seeds", default="1-4", help="0 is the stored run's")
    parser.add_argument("--seeds", default="0,1", help="of the training")
    parser.add_argument("--data-dir", required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--submissions", type=Path, default=Path("submissions"))
    arguments = parser.parse_args()
    budget = str(RECIPES[DEFAULT_RECIPE].budget)
    again: list[Path] = []
    for seed in seeds_of(arguments.generator_seeds):
        folder = arguments.out / f"{arguments.baseline}-{seed}"
        common = [str(folder), "--tasks", arguments.tasks, "--data-dir", arguments.data_dir]
        wrote = clinsynth(["generate", arguments.baseline, "--rows", budget, "--seed", str(seed), "--out", *common])
        if wrote or clinsynth(["score", *common, "--seeds", arguments.seeds, "--workers", "1"]):
            raise SystemExit(1)
        again.append(folder)
    print("| task | metric | mean by file | SD between trainings | SD between files | p |")  # noqa: T201
    print("|:--|:--|:--|--:|--:|--:|")  # noqa: T201
    for task in str(arguments.tasks).split(","):
        print(line(task, arguments.submissions / arguments.baseline, again))  # noqa: T201


if __name__ == "__main__":
    main()
