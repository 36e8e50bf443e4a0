"""The direct track as ``compare`` sees it: answers that are the same whatever the student's seed.

A model that answers greedily with fixed demonstrations has no seeds. Against a student it stands for every seed alike:
the difference then varies with the student's seeds and with the test units, and with nothing else.
"""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path

from clinsynth.core import TASKS, UserError
from clinsynth.direct.card import is_direct, read_card
from clinsynth.direct.records import DirectCell, DirectRecord, DirectResults
from clinsynth.results import Cell, DataKind, Results, RunRecord, TrainingData
from clinsynth.standings import Entry

RECIPE = "direct"
SEEDS = range(5)
"""The seeds that it stands for: those of a complete row of students."""


class _AsResults(Results):
    """Finds the one file of predictions, whatever seed is asked for."""

    def __init__(self, direct: DirectResults, cells: dict[str, DirectCell]) -> None:
        super().__init__(direct.folder, direct.kind)
        self._direct = direct
        self._cells = cells

    def predictions_path(self, cell: Cell) -> Path:
        """Where the predictions on a task lie."""
        return self._direct.predictions_path(self._cells[cell.task])


def split_shots(folder: Path) -> tuple[Path, int | None]:
    """A folder of the direct track, and the shots where it was given as ``<folder>/shots5``."""
    name = folder.name.removeprefix("shots")
    if folder.name.startswith("shots") and name.isdecimal() and is_direct(folder.parent):
        return folder.parent, int(name)
    return folder, None


def is_direct_place(folder: Path) -> bool:
    """Whether ``compare`` is given a folder of the direct track."""
    return is_direct(split_shots(folder)[0])


def direct_entry(place: Path, kind: DataKind) -> Entry:
    """The complete records of one row of a folder.

    Raises:
        UserError: there are none, or the folder has both rows and none was named.
    """
    folder, shots = split_shots(place)
    card = read_card(folder)
    results = DirectResults(folder, kind)
    records = [r for r in results.records() if r.limit is None and r.task in TASKS]
    found = sorted({record.shots for record in records})
    if shots is None and len(found) > 1:
        raise UserError(f"{folder} has several rows", found=", ".join(f"shots{k}" for k in found),
                        remedy=f"name one: {folder}/shots{found[0]}")  # fmt: skip
    chosen = [record for record in records if shots in (None, record.shots)]
    if not chosen:
        raise UserError(
            f"{place} has no complete {kind} record", expected="whole test sets: a subset is preliminary",
            remedy="clinsynth direct without --limit",
        )  # fmt: skip
    runs: dict[str, list[RunRecord]] = defaultdict(list)
    for record in chosen:
        runs[record.task] = [_as_run(record, seed) for seed in SEEDS]
    cells = {record.task: record.cell for record in chosen}
    return Entry(f"{card.name}/shots{chosen[0].shots}", True, _AsResults(results, cells), runs)


def _as_run(record: DirectRecord, seed: int) -> RunRecord:
    return RunRecord(
        submission=record.submission, task=record.task, task_version=record.task_version, recipe=RECIPE,
        recipe_fingerprint=RECIPE, student_fingerprint=RECIPE, rows=0, seed=seed,
        training=TrainingData(fingerprint="", available=0, used=0), test=record.test, fit="constant", steps=0,
        loss=None, counts=record.answers, metric=record.metric, scores=record.scores,
        predictions_sha256=record.predictions_sha256, seconds={}, environment=record.environment,
        created=record.created,
    )  # fmt: skip
