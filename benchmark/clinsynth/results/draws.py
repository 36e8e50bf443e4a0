"""What seeds have to do with one another: which rows each of them draws, and whether each is a run of its own."""

from __future__ import annotations

import zlib
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from clinsynth.core import Prediction, UserError
from clinsynth.results.store import Cell, Results, RunRecord

_VARIED = 0.02
"""From this share of answers other than the most frequent one, two students do not agree on every example by chance."""


def drawn(task: str, seed: int, available: int, rows: int) -> list[int]:
    """Indices of a seed's draw of ``rows`` rows out of ``available``, in the order of the draw.

    The draw that ``training.run`` makes: the same for every submission with so many rows, whatever the recipe; a
    smaller budget's draw is the beginning of a larger one's.
    """
    rng = np.random.default_rng([seed, zlib.crc32(f"{task}/rows".encode())])
    return [int(k) for k in rng.permutation(available)[:rows]]


class SameRun(NamedTuple):
    """Seeds whose stored predictions are the same to the last answer."""

    cell: Cell
    """Of the first of them."""
    seeds: tuple[int, ...]

    @property
    def text(self) -> str:
        """For a reader."""
        seeds = ", ".join(map(str, self.seeds))
        return f"seeds {seeds} have the same predictions on {self.cell.task}: one run, stored more than once"


def repeated_seeds(records: Sequence[RunRecord], results: Results) -> Iterator[SameRun]:
    """Runs on real data that are one run under several seeds.

    Fine-tuned students of different seeds never agree on a whole test set, unless they say nearly the same of every
    example. Only where digests are equal are predictions read.
    """
    alike: dict[tuple[str, str, int, str], list[RunRecord]] = defaultdict(list)
    for record in records:
        if record.fit == "fine-tuned" and record.test.kind == "real":
            alike[record.task, record.recipe, record.rows, record.predictions_sha256].append(record)
    for group in alike.values():
        if len(group) > 1 and _is_varied(group[0], results):
            ordered = sorted(group, key=lambda record: record.seed)
            yield SameRun(ordered[0].cell, tuple(record.seed for record in ordered))


def _is_varied(record: RunRecord, results: Results) -> bool:
    try:
        predictions, _ = results.read_predictions(record)
    except UserError:
        return True  # nothing speaks for them
    most = Counter[Prediction](predictions).most_common(1)
    return bool(most) and 1 - most[0][1] / len(predictions) >= _VARIED
