"""Which cheap numbers say beforehand how good a student will be? Rank correlations of quality records with scores.

    python -m studies.signals submissions [--recipe NAME] [--rows N] [--without NAMES] [--out docs/signals]

Reads stored quality records and run records, no text and no test set. Within each task the submissions are ordered by
a quality number and by the student's score; the two orders are compared (Spearman's rho, Kendall's tau-b), and the
tasks of a type, and all tasks, are averaged. The interval is a bootstrap over tasks, for these submissions. The p-value
is a permutation of the submissions that all the tasks have, the same on each: a generator that writes uniform rows does
so on every task, so that nine tasks of six generators are six observations and not fifty-four. It is adjusted for all
numbers of its table (Holm). References, whose rows are real, take no part. Of several runs of one generator (the same
on the cards, with the same model) that with most tasks does: the others are no observations of their own.

A task with fewer than four submissions says nothing and is left out by name. A table whose tasks are all left out
ends without a conclusion; so does one with fewer than three tasks, which give no interval. A correlation is not a
cause: a number that goes with the score may do so because both follow the generator.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from clinsynth.core import TASKS, UserError, write_json, write_text
from clinsynth.quality import NUMBERS, read_record, record_path
from clinsynth.results import DataKind
from clinsynth.scoring.statistics import ALPHA, holm, kendall_tau
from clinsynth.standings import Stored, collect, headline_budget, standings_of
from clinsynth.training import RECIPES

LEAST_SUBMISSIONS = 4
"""On a task. Of three, one order in six is right by chance."""
LEAST_TASKS = 3
"""For an interval over tasks."""
DRAWS = 9_999
"""Bootstrap resamples, and permutations."""
ALL = "all tasks"


@dataclass(frozen=True, slots=True)
class Value:
    """One number of the rows of a submission for a task, beside what the student scored."""

    task: str
    submission: str
    number: str
    value: float
    score: float


@dataclass(frozen=True, slots=True)
class Signal:
    """How far a quality number and the scores have the same order."""

    scope: str
    """A task type, or ``ALL``."""
    number: str
    tasks: dict[str, float]
    """Spearman's rho on each task."""
    submissions: int
    """The fewest of a task."""
    spearman: float
    """Mean over the tasks."""
    spearman_interval: tuple[float, float] | None
    kendall: float
    kendall_interval: tuple[float, float] | None
    p: float
    p_adjusted: float
    conclusion: str
    """higher, lower (values go with better students), not shown, or why none is drawn."""


@dataclass(frozen=True, slots=True)
class Report:
    """All signals, and what they were not read from."""

    recipe: str
    rows: int
    submissions: tuple[str, ...]
    signals: tuple[Signal, ...]
    left_out: tuple[str, ...]


def values(places: Sequence[Path], recipe: str, rows: int, kind: DataKind = "real") -> tuple[list[Value], list[str]]:
    """Every number of every submission with a score on that task, and what is left out with the reason.

    Raises:
        UserError: there is no submission.
    """
    collection = collect(places, kind)
    table = standings_of(collection, recipe, rows)
    stored = {each.card.name: each for each in collection.stored}
    found: list[Value] = []
    left_out: list[str] = []
    first: dict[tuple[str, str], str] = {}
    for row in sorted(table.rows, key=lambda row: (-len(row.scores), row.name)):
        if row.kind != "submission":
            continue
        card = stored[row.name].card
        run_of = first.setdefault((card.generator, card.llm.name if card.llm else ""), row.name)
        if run_of != row.name:
            left_out.append(f"{row.name}: another run of the generator of {run_of}")
            continue
        for task, score in row.scores.items():
            numbers, fault = _numbers(stored[row.name], task, recipe)
            if fault:
                left_out.append(f"{row.name} on {task}: {fault}")
            found += [Value(task, row.name, name, value, score.mean) for name, value in numbers.items()]
    return found, left_out


def _numbers(stored: Stored, task: str, recipe: str) -> tuple[Mapping[str, float], str]:
    path = record_path(stored.folder, stored.kind, task)
    if not path.is_file():
        return {}, "no quality record"
    try:
        record = read_record(path)
    except UserError as error:
        return {}, str(error).splitlines()[0].replace(f"{stored.folder}/", "")
    trained = {run.training.fingerprint for run in stored.records if run.task == task and run.recipe == recipe}
    if trained != {record.data_fingerprint}:
        return {}, "the quality record is of other rows than the runs"
    return {name: value for name in NUMBERS if (value := record.data.value(name)) is not None}, ""


def signals(found: Sequence[Value], seed: int = 0) -> tuple[list[Signal], list[str]]:
    """The correlations of each type and of all tasks, and the tasks that are too thin."""
    by_task: dict[str, dict[str, list[Value]]] = {}
    for each in found:
        by_task.setdefault(each.task, {}).setdefault(each.number, []).append(each)
    thin = [
        f"{task}: no conclusion from fewer than {LEAST_SUBMISSIONS} submissions, here "
        f"{len({v.submission for own in numbers.values() for v in own})}"
        for task, numbers in by_task.items()
        if max(map(len, numbers.values())) < LEAST_SUBMISSIONS
    ]
    types = sorted({TASKS[task].spec.type for task in by_task})
    scopes = [(ALL, list(by_task)), *((kind, [t for t in by_task if TASKS[t].spec.type == kind]) for kind in types)]
    out: list[Signal] = []
    for scope, tasks in scopes:
        raw = [s for name in NUMBERS if (s := _signal(scope, name, {t: by_task[t].get(name, []) for t in tasks}, seed))]
        adjusted = holm([each.p for each in raw])
        out += [_concluded(each, p) for each, p in zip(raw, adjusted, strict=True)]
    return out, thin


def _signal(scope: str, number: str, tasks: Mapping[str, Sequence[Value]], seed: int) -> Signal | None:
    """``None`` where no task has enough submissions, or all have the same value."""
    rng = np.random.default_rng([seed, list(NUMBERS).index(number), len(scope)])
    used = {task: own for task, own in tasks.items() if len(own) >= LEAST_SUBMISSIONS}
    if not used:
        return None
    everywhere = set[str].intersection(*({each.submission for each in own} for own in used.values()))
    drawn = rng.permuted(np.tile(np.arange(len(everywhere)), (DRAWS, 1)), axis=1)
    rho: dict[str, float] = {}
    tau: dict[str, float] = {}
    by_chance = np.zeros(DRAWS)
    fewest: list[int] = []
    for task, given in used.items():
        own = sorted(given, key=lambda each: each.submission)
        a, b = _standard([each.value for each in own]), _standard([each.score for each in own])
        agreed = kendall_tau({v.submission: v.value for v in own}, {v.submission: v.score for v in own})
        if a is None or b is None or agreed is None:
            continue
        rho[task], tau[task] = float(a @ b), agreed
        # Those that every task has change places, the same way on each; the others stay where they are.
        places = np.flatnonzero([each.submission in everywhere for each in own])
        shuffled = np.tile(b, (DRAWS, 1))
        shuffled[:, places] = b[places[drawn]]
        by_chance += shuffled @ a
        fewest.append(len(own))
    if not rho:
        return None
    mean = float(np.mean(list(rho.values())))
    p = float((1 + (abs(by_chance / len(rho)) >= abs(mean) - 1e-9).sum()) / (DRAWS + 1))
    return Signal(
        scope, number, rho, min(fewest), mean, _interval(list(rho.values()), rng),
        float(np.mean(list(tau.values()))), _interval(list(tau.values()), rng), p, p, "",
    )  # fmt: skip


def _standard(given: Sequence[float]) -> np.ndarray[Any, np.dtype[np.float64]] | None:
    """Ranks, ties by their mean, with mean 0 and length 1: the product of two is Spearman's rho."""
    # Rounded, so that equal numbers are equal whichever machine computed them.
    values = np.round(np.asarray(given, dtype=np.float64), 9)
    ranks = (values[:, None] > values).sum(axis=1) + ((values[:, None] == values).sum(axis=1) - 1) / 2
    centred = ranks - ranks.mean()
    length = float(np.sqrt(centred @ centred))
    return centred / length if length else None


def _interval(per_task: Sequence[float], rng: np.random.Generator) -> tuple[float, float] | None:
    if len(per_task) < LEAST_TASKS:
        return None
    drawn = rng.choice(np.asarray(per_task), size=(DRAWS, len(per_task))).mean(axis=1)
    low, high = np.quantile(drawn, (ALPHA / 2, 1 - ALPHA / 2))
    return float(low), float(high)


def _concluded(signal: Signal, adjusted: float) -> Signal:
    said = "not shown"
    if signal.spearman_interval is None:
        said = f"none: {len(signal.tasks)} of {LEAST_TASKS} tasks"
    elif adjusted < ALPHA and signal.spearman_interval[0] * signal.spearman_interval[1] > 0:
        said = "higher" if signal.spearman > 0 else "lower"
    return replace(signal, p_adjusted=adjusted, conclusion=said)


def report(
    places: Sequence[Path], recipe: str = "", rows: int = 0, kind: DataKind = "real", without: Sequence[str] = ()
) -> Report:
    """Everything, for the recipe and the number of rows with which standings open unless others are given.

    Raises:
        UserError: there is no submission, or none of a name that is to be left out.
    """
    collection = collect(places, kind)
    recipe = recipe or collection.headline_recipe()
    rows = rows or headline_budget([each.entry(recipe) for each in collection.stored], RECIPES[recipe])
    found, left_out = values(places, recipe, rows, kind)
    names = {each.submission for each in found}
    if unknown := sorted(set(without) - names):
        raise UserError(f"no submission {unknown[0]}", found=", ".join(sorted(names)), remedy="leave out one of these")
    found = [each for each in found if each.submission not in without]
    made, thin = signals(found)
    return Report(recipe, rows, tuple(sorted({v.submission for v in found})), tuple(made), (*thin, *left_out))


def markdown(made: Report) -> str:
    """Tables for a page: all tasks first, then each type."""
    return "\n".join(_lines(made)) + "\n"


def _lines(made: Report) -> Iterator[str]:
    yield f"{made.recipe}, {made.rows:,} rows, submissions: {', '.join(made.submissions) or 'none'}."
    if not made.signals:
        yield ""
        yield f"No conclusion: no task has {LEAST_SUBMISSIONS} submissions with a score and a quality record."
    for scope in dict.fromkeys(each.scope for each in made.signals):
        rows = sorted((s for s in made.signals if s.scope == scope), key=lambda s: (s.p, -abs(s.spearman), s.number))
        yield ""
        yield f"**{scope.replace('_', ' ').capitalize()}**"
        yield ""
        yield "| number | tasks | submissions | Spearman (95 %) | Kendall (95 %) | p | Holm | better students have |"
        yield "|:--|--:|--:|--:|--:|--:|--:|:--|"
        for s in rows:
            yield (
                f"| {NUMBERS[s.number].title.strip()} (`{s.number}`) | {len(s.tasks)} | {s.submissions} "
                f"| {_said(s.spearman, s.spearman_interval)} | {_said(s.kendall, s.kendall_interval)} "
                f"| {s.p:.3f} | {s.p_adjusted:.3f} | {s.conclusion} |"
            )
    if made.left_out:
        yield ""
        yield "Left out:"
        yield ""
        yield from (f"- {each}" for each in made.left_out)


def _said(value: float, interval: tuple[float, float] | None) -> str:
    return f"{value:+.2f}" + (f" ({interval[0]:+.2f} to {interval[1]:+.2f})" if interval else "")


def main() -> None:
    """Parse, compute, print and write."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("places", nargs="*", type=Path, default=[Path("submissions")])
    parser.add_argument("--recipe", default="", help="default: the one that standings open with")
    parser.add_argument("--rows", type=int, default=0, help="default: the number that standings open with")
    parser.add_argument("--sample", action="store_true", help="records of the bundled sample")
    parser.add_argument("--without", default="", help="submissions to leave out, with commas between")
    parser.add_argument("--out", type=Path, default=None, help="folder for signals.json and signals.md")
    arguments = parser.parse_args()
    without = [name for name in str(arguments.without).split(",") if name]
    kind: DataKind = "sample" if arguments.sample else "real"
    made = report(arguments.places, arguments.recipe, arguments.rows, kind, without)
    page = markdown(made)
    print(page, end="")  # noqa: T201 - a script
    if arguments.out:
        stem = "-".join(["signals", *(["without", *without] if without else [])])
        write_json(arguments.out / f"{stem}.json", asdict(made))
        write_text(arguments.out / f"{stem}.md", page)


if __name__ == "__main__":
    main()
