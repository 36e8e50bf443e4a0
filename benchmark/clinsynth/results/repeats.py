"""One run that is stored under several seeds: copied to the last answer, or with a few answers changed.

Students of different seeds never agree that much, for each draws other rows and begins with another head. Of all
pairs of seeds in ``submissions/`` (``studies.altered``) the two that agree most differ in 2.6 % of the answers. In
proportion to what they get wrong or say other than their most frequent answer, whichever is less, the nearest differ
in 17 %.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from clinsynth.core import Prediction, UserError
from clinsynth.results.store import Cell, Results, RunRecord

VARIED = 0.02
"""From this share of answers other than the most frequent one, two students do not agree on every example by chance."""
DIFFER = 0.01
"""Two seeds that differ in no more of their answers may be one run..."""
IN_PROPORTION = 0.1
"""...and are, if that is no more than this share of what they get wrong, and of what they say other than their most
frequent answer: two students that are nearly always right, or nearly always say the same, agree by themselves."""

Digests = npt.NDArray[np.int64]


class SameRun(NamedTuple):
    """Seeds whose stored predictions are the same, or nearly."""

    cell: Cell
    """The task of the first of them."""
    seeds: tuple[int, ...]
    share: float = 1.0
    """Of the answers that are equal."""

    @property
    def text(self) -> str:
        """For a reader."""
        seeds = ", ".join(map(str, self.seeds))
        same = "the same predictions" if self.share == 1 else f"{100 * self.share:.1f} % of the answers in common"
        return f"seeds {seeds} have {same} on {self.cell.task}: one run, stored more than once"


def repeated_seeds(records: Sequence[RunRecord], results: Results) -> Iterator[SameRun]:
    """Runs on real data that are one run under several seeds, to the last answer.

    Only where digests are equal are predictions read.
    """
    alike: dict[tuple[str, str, int, str], list[RunRecord]] = defaultdict(list)
    for record in records:
        if may_repeat(record):
            alike[record.task, record.recipe, record.rows, record.predictions_sha256].append(record)
    for group in alike.values():
        if len(group) > 1 and _is_varied(group[0], results):
            ordered = sorted(group, key=lambda record: record.seed)
            yield SameRun(ordered[0].cell, tuple(record.seed for record in ordered))


def may_repeat(record: RunRecord) -> bool:
    """Whether another seed would give other answers: the sample is small, and a constant student has one answer."""
    return record.fit == "fine-tuned" and record.test.kind == "real"


def nearly_repeated(records: Sequence[RunRecord], answers: Mapping[Cell, Digests]) -> Iterator[SameRun]:
    """Pairs of runs that differ in a few answers only, among those whose answers were read: ``digests`` of each."""
    groups: dict[tuple[str, str, int], list[RunRecord]] = defaultdict(list)
    for record in sorted(records, key=lambda record: record.seed):
        if may_repeat(record) and record.cell in answers:
            groups[record.task, record.recipe, record.rows].append(record)
    for group in groups.values():
        for one, two in combinations(group, 2):
            share = share_of_one_run(answers[one.cell], answers[two.cell], max(one.score, two.score))
            if share is not None and one.predictions_sha256 != two.predictions_sha256:
                yield SameRun(one.cell, (one.seed, two.seed), share)


def digests(predictions: Sequence[Prediction]) -> Digests:
    """``[examples]``: equal numbers are equal answers, within this process."""
    return np.fromiter(map(hash, predictions), np.int64, len(predictions))


def share_of_one_run(one: Digests, two: Digests, score: float) -> float | None:
    """The share of equal answers if two files of answers are one run's; ``None`` if two students may have given them.

    Args:
        one: a file's answers.
        two: another one's.
        score: the higher of their scores.
    """
    if len(one) != len(two) or not len(one):
        return None
    differ = int(np.count_nonzero(one != two)) / len(one)
    varied = min(1 - float(np.unique(each, return_counts=True)[1].max()) / len(each) for each in (one, two))
    most = min(DIFFER, IN_PROPORTION * varied, IN_PROPORTION * (1 - score))
    return 1 - differ if differ <= most and varied >= VARIED else None


def _is_varied(record: RunRecord, results: Results) -> bool:
    try:
        predictions, _ = results.read_predictions(record)
    except UserError:
        return True  # nothing speaks for them
    most = Counter[Prediction](predictions).most_common(1)
    return bool(most) and 1 - most[0][1] / len(predictions) >= VARIED
