"""What a stranger could alter without being seen: the figures behind the limits of reproduction, seeds and copies.

    python -m studies.altered submissions [--recipe minilm-l6.v2] [--rows 300]

Reads stored records, predictions and rows; no test set. Three tables: by how much predictions could be raised on each
task, and in the mean of the types, before training again shows it (stored scores stand in for those of training
again); how far the two honest seeds are apart that agree most; and how much text a copy shares with its original when
an "s" is put behind some of its words.
"""

from __future__ import annotations

import argparse
import math
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations
from pathlib import Path
from statistics import stdev

import numpy as np

from clinsynth.audit.copied import COPIED, shared, sketch_of
from clinsynth.audit.leakage import TextSet
from clinsynth.core import TASKS, Example
from clinsynth.results import Results, RunRecord, digests, may_repeat
from clinsynth.results.reproductions import ERRORS, MEAN_SCORE
from clinsynth.standings import Stored, collect
from clinsynth.submissions import read_submission

COPIES = (("template", "gad"), ("clingen-llm-qwen2.5-coder-1.5b", "hoc"))
SHARES = (0.05, 0.1, 0.15, 0.2)
"""Of the words that are changed, at random."""
DRAWS = 3


def tolerances(stored: Stored, recipe: str, rows: int) -> tuple[float, float] | None:
    """How far the mean of the types may be raised task by task, and as one mean; ``None`` for fewer than two tasks."""
    by_task: dict[str, list[float]] = defaultdict(list)
    for run in stored.records:
        if (run.recipe, run.rows) == (recipe, rows):
            by_task[run.task].append(run.score)
    most = {task: max(MEAN_SCORE, ERRORS * stdev(own) * math.sqrt(2 / len(own)))
            for task, own in by_task.items() if len(own) > 1}  # fmt: skip
    if len(most) < 2:
        return None
    of_type = Counter(TASKS[task].spec.type for task in most)
    parts = [value / (len(of_type) * of_type[TASKS[task].spec.type]) for task, value in most.items()]
    return math.fsum(parts), math.hypot(*parts)


def apart(stored: Stored) -> Iterator[tuple[float, float]]:
    """Of each two seeds of one cell: the share of answers that differ, and the same in proportion (``repeats``)."""
    results = Results(stored.folder, stored.kind)
    groups: dict[tuple[str, str, int], list[RunRecord]] = defaultdict(list)
    for run in stored.records:
        if may_repeat(run):
            groups[run.task, run.recipe, run.rows].append(run)
    for group in groups.values():
        answers = [digests(results.read_predictions(run)[0]) for run in group]
        for (one, a), (two, b) in combinations(zip(group, answers, strict=True), 2):
            differ = int(np.count_nonzero(a != b)) / len(a)
            varied = min(1 - float(np.unique(each, return_counts=True)[1].max()) / len(each) for each in (a, b))
            if (room := min(varied, 1 - max(one.score, two.score))) > 0:
                yield differ, differ / room


def copied(folder: Path, task: str, share: float, rng: np.random.Generator) -> float:
    """The share of its text that a copy still has in common, when an "s" is put behind so many of its words."""
    rows = read_submission(folder).rows(task)

    def changed(text: str) -> str:
        return " ".join(word + "s" * int(word.isalpha() and rng.random() < share) for word in text.split())

    copy = [Example(tuple(map(changed, each.texts)), labels=each.labels) for each in rows]
    return shared(sketch_of(TextSet(rows)), sketch_of(TextSet(copy)))


def lines(places: Sequence[Path], recipe: str, rows: int) -> Iterator[str]:
    """The three tables, for a terminal."""
    collection = collect(places, "real")
    yield f"Raised unseen, points of the mean of the types ({recipe}, {rows} rows): task by task, as one mean"
    for each in collection.stored:
        if each.card.kind == "submission" and (found := tolerances(each, recipe, rows)):
            yield f"  {each.card.name}: {100 * found[0]:.1f}, {100 * found[1]:.1f}"
    pairs = [pair for each in collection.stored for pair in apart(each)]
    nearest = [min(pair[k] for pair in pairs) for k in (0, 1)]
    yield f"{len(pairs):,} pairs of seeds: at least {nearest[0]:.1%} of answers differ, {nearest[1]:.0%} in proportion"
    yield f"Text that a copy shares, by the share of its words that are changed (a copy: {COPIED:.0%} or more)"
    folders: Mapping[str, Path] = {each.card.name: each.folder for each in collection.stored}
    for name, task in COPIES:
        for share in SHARES:
            found = [copied(folders[name], task, share, np.random.default_rng(k)) for k in range(DRAWS)]
            yield f"  {name}, {task}, {share:.0%}: {min(found):.0%} to {max(found):.0%}"


def main() -> None:
    """Compute and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("places", nargs="*", type=Path, default=[Path("submissions")])
    parser.add_argument("--recipe", default="minilm-l6.v2")
    parser.add_argument("--rows", type=int, default=300)
    arguments = parser.parse_args()
    for line in lines(arguments.places, arguments.recipe, arguments.rows):
        print(line)  # noqa: T201 - a script


if __name__ == "__main__":
    main()
