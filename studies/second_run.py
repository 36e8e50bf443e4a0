"""How far does a second run of a generator score from the first?

    python -m studies.second_run template --tasks gad,mqp --generator-seeds 1-4 --seeds 0,1 --data-dir DIR --out DIR

A stored submission is one run of its generator, and its five seeds are trainings of the student. Here the generator
writes its rows again with other seeds of its own, and students are trained on each set. For each task: the scores by
generator seed; their standard deviation where the training seed is the same one (the mean over training seeds), which
holds what training adds as well; that of the stored run over its training seeds; and what is left for the generator,
the root of the difference of the squares. Repeated, it goes on from where it was stopped.
"""

from __future__ import annotations

import argparse
import statistics
from collections.abc import Sequence
from pathlib import Path

from clinsynth.cli import main as clinsynth
from clinsynth.core import TASKS, UserError
from clinsynth.results import Results
from clinsynth.training import DEFAULT_RECIPE, RECIPES, seeds_of


def scores(folder: Path, task: str, seeds: Sequence[int]) -> dict[int, float]:
    """Scores x 100 by training seed, of the runs that are stored in a folder at the recipe's number of rows."""
    runs = Results(folder, "real").records()
    budget = RECIPES[DEFAULT_RECIPE].budget
    return {
        run.seed: 100 * run.score
        for run in runs
        if (run.task, run.recipe, run.rows) == (task, DEFAULT_RECIPE, budget) and run.seed in seeds
    }


def line(task: str, first: Path, again: Sequence[Path], seeds: Sequence[int]) -> str:
    """A row of the table.

    Args:
        task: its name.
        first: folder of the stored submission.
        again: folders of the further runs of its generator.
        seeds: training seeds that all of them have.
    """
    by_run = [scores(folder, task, seeds) for folder in (first, *again)]
    if any(set(found) != set(seeds) for found in by_run):
        raise UserError(f"a run on {task} is missing", expected=f"training seeds {', '.join(map(str, seeds))} of each")
    stored = scores(first, task, range(5))
    between = statistics.mean(statistics.stdev(found[seed] for found in by_run) for seed in seeds)
    training = statistics.stdev(stored.values())
    own = max(0.0, between**2 - training**2) ** 0.5
    means = ", ".join(f"{statistics.mean(found.values()):.1f}" for found in by_run)
    return f"| {task} | {TASKS[task].spec.metric} | {means} | {between:.1f} | {training:.1f} | {own:.1f} |"


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
    print("| task | metric | by run of the generator | SD between runs | SD between trainings | of the generator |")  # noqa: T201
    print("|:--|:--|:--|--:|--:|--:|")  # noqa: T201
    for task in str(arguments.tasks).split(","):
        print(line(task, arguments.submissions / arguments.baseline, again, seeds_of(arguments.seeds)))  # noqa: T201


if __name__ == "__main__":
    main()
