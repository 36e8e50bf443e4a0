"""Choose the hyper-parameters of a recipe on real training and development data; no test set is read.

    python -m studies.tuning.choose_recipe --data-dir DIR [--recipe minilm-l6.v1] [--workers 2]
    python -m studies.tuning.choose_recipe --data-dir DIR --recipe mpnet-base.v1 --rows 300 --tasks gad,ncbi-disease \
        --rates 2e-5,5e-5,1e-4 --workers 1

First the learning rate at the recipe's steps, then the steps at the best rate of each kind of task. Every trial is one
line of ``<recipe>.jsonl`` beside this file; a second call does what is missing, then prints the tables.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import multiprocessing
import statistics
from collections import defaultdict
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from clinsynth.core.nouns import Example, TaskSpec
from clinsynth.core.registry import TASKS
from clinsynth.data.samples import open_store
from clinsynth.results.store import Cell
from clinsynth.scoring.metrics import METRICS
from clinsynth.training.recipe import RECIPES

TASK_NAMES = ("hoc", "gad", "cdr", "healthver", "mqp", "ncbi-disease")
"""Tasks with enough real training rows. mediqa-rqe is no guide: a held-out part of its train split is trivial."""
RATES = (1e-4, 2e-4)
STEPS = (200, 800)
STEPS_TASKS = ("gad", "ncbi-disease")
"""Tasks of the second round: a label for a text, and a tag for a word."""
HELD_OUT = 1_000
"""Development examples that are read, at most."""


class Trial(NamedTuple):
    """One fine-tuning run on development data."""

    task: str
    rate: float
    steps: int
    rows: int
    seed: int = 0


def development(task: str, data_dir: Path | None) -> tuple[list[Example], list[Example]]:
    """Training and held-out examples: train and dev; where one is not here, the other cut in two by unit."""
    store = open_store(data_dir)
    have = store.rows(TASKS[task])
    parts = [store.examples(TASKS[task], split) for split in ("train", "dev") if have.get(split)]
    if len(parts) == 2:
        return parts[0], parts[1]
    units = [example.unit or str(k) for k, example in enumerate(parts[0])]
    names = sorted(set(units))
    order = np.random.default_rng(0).permutation(len(names))
    held_out = {names[int(k)] for k in order[: len(names) // 3]}
    return (
        [e for e, unit in zip(parts[0], units, strict=True) if unit not in held_out],
        [e for e, unit in zip(parts[0], units, strict=True) if unit in held_out],
    )


def group_of(spec: TaskSpec) -> str:
    """The kind of settings a task shares: as in the recipe."""
    if spec.is_span:
        return "token"
    return "long" if spec.type in ("text_classification", "fact_verification") else "short"


def attempt(trial: Trial, recipe_name: str, data_dir: Path | None) -> dict[str, Any]:
    """Run one trial."""
    from clinsynth.training.device import find_device
    from clinsynth.training.draws import draw
    from clinsynth.training.run import encode_for, fit_and_read

    recipe, spec = RECIPES[recipe_name], TASKS[trial.task].spec
    settings = dataclasses.replace(recipe.settings[spec.type], learning_rate=trial.rate, steps=trial.steps)
    recipe = dataclasses.replace(recipe, settings={spec.type: settings})
    train, held_out = development(trial.task, data_dir)
    cell = Cell(trial.task, recipe_name, trial.rows, trial.seed)
    order = np.random.default_rng(1).permutation(len(held_out))[:HELD_OUT]
    held_out = [held_out[int(k)] for k in order]
    drawn = draw(train, cell)
    encoded = [encode_for(examples, spec, recipe) for examples in ((), drawn, held_out)]
    outcome = fit_and_read(cell, recipe, spec, (encoded[0], encoded[1]), (held_out, encoded[2]), find_device(1))
    score = METRICS[spec.metric].score(spec, held_out, outcome.predictions)
    return {**trial._asdict(), "rows_used": len(drawn), "held_out": len(held_out), "metric": spec.metric,
            "score": round(score, 4), "loss": round(outcome.loss or 0.0, 4), "seconds": outcome.seconds}  # fmt: skip


def read_log(log: Path) -> dict[Trial, float]:
    """Scores of the trials that are done."""
    lines = log.read_text().splitlines() if log.exists() else []
    rows = [json.loads(line) for line in lines]
    return {Trial(**{key: row[key] for key in Trial._fields}): row["score"] for row in rows}


def best_rates(done: dict[Trial, float], steps: int, tasks: Sequence[str], tried: Sequence[float]) -> dict[str, float]:
    """For each kind of task, the rate with the best mean score."""
    scores: dict[str, dict[float, list[float]]] = defaultdict(lambda: defaultdict(list))
    for trial, score in done.items():
        # Of every rate the same tasks: older trials of other rates and tasks stay in the log, but decide nothing.
        if trial.steps == steps and trial.rate in tried and trial.task in tasks:
            scores[group_of(TASKS[trial.task].spec)][trial.rate].append(score)
    return {group: max(rates, key=lambda rate: statistics.mean(rates[rate])) for group, rates in scores.items()}


def trials(
    done: dict[Trial, float], recipe_name: str, rows: int, tasks: Sequence[str], tried: Sequence[float]
) -> Iterator[list[Trial]]:
    """The two rounds."""
    steps = RECIPES[recipe_name].settings["relation_extraction"].steps
    yield [Trial(task, rate, steps, rows) for task in tasks for rate in tried]
    rates = best_rates(done, steps, tasks, tried)
    yield [Trial(task, rates[group_of(TASKS[task].spec)], n, rows) for task in STEPS_TASKS for n in STEPS]


def table(done: dict[Trial, float], chosen: Sequence[Trial]) -> str:
    """Scores by task (rows) and setting (columns)."""
    settings = sorted({(t.rate, t.steps) for t in chosen})
    lines = ["task".ljust(16) + "".join(f"{rate:.0e} x{steps}".rjust(13) for rate, steps in settings)]
    for task in TASK_NAMES:
        of = {(t.rate, t.steps): done.get(t) for t in chosen if t.task == task}
        cells = ("".rjust(13) if (s := of.get(key)) is None else f"{100 * s:.1f}".rjust(13) for key in settings)
        lines.append(task.ljust(16) + "".join(cells))
    return "\n".join(lines)


def main() -> None:
    """Do the missing trials and print what came out."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data-dir", type=Path)
    parser.add_argument("--recipe", default="minilm-l6.v1")
    parser.add_argument("--rows", type=int, default=1_000)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--tasks", default=",".join(TASK_NAMES))
    parser.add_argument("--rates", default=",".join(map(str, RATES)))
    arguments = parser.parse_args()
    tasks, tried = arguments.tasks.split(","), [float(rate) for rate in arguments.rates.split(",")]
    log = Path(__file__).parent / f"{arguments.recipe}.jsonl"
    done = read_log(log)
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(arguments.workers, mp_context=context) as pool:
        for chosen in trials(done, arguments.recipe, arguments.rows, tasks, tried):
            waiting = [
                pool.submit(attempt, trial, arguments.recipe, arguments.data_dir)
                for trial in chosen if trial not in done
            ]  # fmt: skip
            for future in as_completed(waiting):
                row = future.result()
                with log.open("a") as stream:
                    stream.write(json.dumps(row) + "\n")
                print(json.dumps(row), flush=True)  # noqa: T201 - a script
            done.update(read_log(log))
            print(table(done, chosen), flush=True)  # noqa: T201 - a script


if __name__ == "__main__":
    main()
