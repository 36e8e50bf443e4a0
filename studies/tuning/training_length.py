"""How long a student should be trained at a budget: steps against rows, on real training and development data.

    python -m studies.tuning.training_length --data-dir DIR [--recipe minilm-l6.v1] [--log FILE] [--minutes 60]

No test set is read. One process does one trial after the other, the most telling first; every trial is a line of the
log (``minilm-l6.v2.jsonl`` beside this file: the recipe that it decided), and a second call does what is missing. Two
calls side by side are given seeds of their own, ``--seeds 0``. A trial is scored on at most 800 development examples
(of a task without a development split, a third of the training units is held out) and compared with the trial of 400
steps on the same rows, seed and examples: the gain has a standard error over the examples, by resampling pairs.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from studies.tuning.choose_recipe import development

from clinsynth.core.registry import TASKS
from clinsynth.results.store import Cell
from clinsynth.scoring.metrics import METRICS, Counts, Metric
from clinsynth.training.device import find_device
from clinsynth.training.draws import draw
from clinsynth.training.recipe import RECIPES, Recipe
from clinsynth.training.run import encode_for, fit_and_read

BASE = 400
"""Steps that every other number is compared with."""
HELD_OUT = 800
RESAMPLES = 1_000
ALL = 0
"""Stands for all training rows."""
TASK_NAMES = ("ncbi-disease", "gad", "mqp", "healthver", "hoc", "mediqa-rqe")
"""One of each type, the quick ones first. A held-out part of mediqa-rqe's training split is nearly trivial."""


class Trial(NamedTuple):
    """One fine-tuning run on development data."""

    task: str
    rows: int
    """Asked for; ``ALL`` for all there are."""
    steps: int
    seed: int


EPOCHS = {"ncbi-disease": 1_017, "gad": 800, "hoc": 580, "mediqa-rqe": 1_075}
"""Steps of three epochs of all training rows, where those are more than ``BASE``: the rule that is tried."""


def grid() -> Iterator[Trial]:
    """Every trial, in the order in which they are done: a comparison's base stands before it."""
    first = (
        ("ncbi-disease", ALL), ("gad", ALL), ("gad", 300), ("mqp", 300), ("ncbi-disease", 300),
        ("hoc", ALL), ("healthver", 300), ("hoc", 300), ("mediqa-rqe", ALL), ("mediqa-rqe", 300),
    )  # fmt: skip
    for seed in (0, 1):
        for task, rows in first:
            yield from (Trial(task, rows, n, seed) for n in (BASE, 800 if rows else EPOCHS[task]))
        yield from (Trial(task, ALL, 1_600, seed) for task in TASK_NAMES[:2])
    for seed in (0, 1):
        yield from (Trial(task, 300, n, seed) for n in (200, 1_600) for task in TASK_NAMES)
        yield from (Trial(task, 1_000, n, seed) for n in (BASE, 800, 1_600, 200) for task in TASK_NAMES)
        yield from (Trial(task, ALL, n, seed) for n in (1_600, 200) for task in TASK_NAMES)


def metric_of(task: str) -> tuple[Metric, Any]:
    """The metric and the task as it counts them: of relations, macro F1 over both labels, which no constant wins."""
    spec = TASKS[task].spec
    if spec.type == "relation_extraction":
        return METRICS["macro_f1"], dataclasses.replace(spec, negative_label=None)
    return METRICS[spec.metric], spec


def attempt(trial: Trial, recipe: Recipe, data_dir: Path | None) -> tuple[dict[str, Any], Counts]:
    """Run one trial: its line of the log but for the gain, and the counts of each held-out example."""
    spec = TASKS[trial.task].spec
    settings = dataclasses.replace(recipe.settings[spec.type], steps=trial.steps)
    recipe = dataclasses.replace(recipe, settings={spec.type: settings})
    train, held_out = development(trial.task, data_dir)
    order = np.random.default_rng(1).permutation(len(held_out))[:HELD_OUT]
    held_out = [held_out[int(k)] for k in order]
    cell = Cell(trial.task, recipe.name, trial.rows or len(train), trial.seed)
    drawn = draw(train, cell)
    encoded = [encode_for(examples, spec, recipe) for examples in ((), drawn, held_out)]
    outcome = fit_and_read(cell, recipe, spec, (encoded[0], encoded[1]), (held_out, encoded[2]), find_device(1))
    metric, counted = metric_of(trial.task)
    counts = metric.counts(counted, held_out, outcome.predictions)
    row = {**trial._asdict(), "rows_used": len(drawn), "held_out": len(held_out),
           "epochs": round(trial.steps * min(settings.batch_size, len(drawn)) / len(drawn), 2),
           "metric": metric.name, "score": round(float(metric.value(counts.sum(axis=0))), 4),
           "loss": round(outcome.loss or 0.0, 4), "seconds": outcome.seconds}  # fmt: skip
    return row, counts


def gain(metric: Metric, counts: Counts, base: Counts) -> dict[str, float]:
    """The difference to the base trial and its standard error over held-out examples."""
    rng = np.random.default_rng(0)
    weights = rng.multinomial(len(counts), np.full(len(counts), 1 / len(counts)), RESAMPLES)
    differences = metric.value(weights @ counts) - metric.value(weights @ base)
    found = float(metric.value(counts.sum(axis=0)) - metric.value(base.sum(axis=0)))
    return {"gain": round(found, 4), "gain_se": round(float(differences.std(ddof=1)), 4)}


def main() -> None:
    """Do the missing trials in order."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data-dir", type=Path)
    parser.add_argument("--recipe", default="minilm-l6.v1", help="whose steps are varied")
    parser.add_argument("--log", type=Path, default=Path(__file__).parent / "minilm-l6.v2.jsonl")
    parser.add_argument("--counts", type=Path, default=Path("training-length-counts"), help="kept for the comparisons")
    parser.add_argument("--seeds", default="0,1", help="of the grid's, with commas between")
    parser.add_argument("--minutes", type=float, default=float("inf"), help="begin no trial after this time")
    arguments = parser.parse_args()
    seeds = {int(seed) for seed in arguments.seeds.split(",")}
    arguments.counts.mkdir(parents=True, exist_ok=True)
    log: Path = arguments.log
    lines = log.read_text("utf-8").splitlines() if log.exists() else []
    done = {Trial(*(row[name] for name in Trial._fields)) for row in map(json.loads, lines)}
    until = time.monotonic() + 60 * arguments.minutes
    for trial in grid():
        if trial in done or trial.seed not in seeds:  # the grid names some trials twice
            continue
        if time.monotonic() > until:
            break
        row, counts = attempt(trial, RECIPES[arguments.recipe], arguments.data_dir)
        kept = arguments.counts / ("-".join(map(str, trial)) + ".npy")
        np.save(kept, counts)
        base = arguments.counts / ("-".join(map(str, trial._replace(steps=BASE))) + ".npy")
        if trial.steps != BASE and base.exists():
            row |= gain(metric_of(trial.task)[0], counts, np.load(base))
        done.add(trial)
        with log.open("a", encoding="utf-8") as stream:
            stream.write(json.dumps(row) + "\n")
        print(json.dumps(row), flush=True)  # noqa: T201 - a script


if __name__ == "__main__":
    main()
