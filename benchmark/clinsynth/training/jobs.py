"""Messages between the process that hands out runs and its workers. Loads no torch: handing out runs needs none."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from clinsynth.core import TASKS, UserError
from clinsynth.results import Cell, Draw, Results, RunRecord
from clinsynth.training.recipe import RECIPES


class MadeOf(NamedTuple):
    """Digests of the inputs of a run; a record with other digests belongs to another run."""

    rows: str
    """sha256 over the submission's rows for the task."""
    test: str
    """sha256 over the test examples."""
    recipe: str
    """sha256 over the recipe's settings for the task."""


@dataclass(frozen=True, slots=True)
class Job:
    """A run to do; small, so that it can be sent to another process or node."""

    submission: Path
    cell: Cell
    data_dir: Path | None
    sample: bool
    threads: int
    draw: Draw = "random"
    made_of: MadeOf | None = None
    """The inputs that the caller expects; ``None``: whatever the worker's machine has."""

    @property
    def results(self) -> Results:
        """Where the record and the predictions lie."""
        return Results(self.submission, "sample" if self.sample else "real", self.draw)

    @property
    def steps(self) -> int:
        """Optimiser steps of the run: what progress counts."""
        recipe = RECIPES[self.cell.recipe]
        return recipe.few_shot_steps + recipe.settings[TASKS[self.cell.task].spec.type].steps_for(self.cell.rows)

    def finished(self) -> RunRecord | None:
        """The stored record, if there is one and it was made from these inputs."""
        record = self.results.done(self.cell)
        if record is None or self.made_of is None:
            return None
        made = MadeOf(record.training.fingerprint, record.test.fingerprint, record.recipe_fingerprint)
        return record if made == self.made_of else None


@dataclass(frozen=True, slots=True)
class Finished:
    """The outcome of a run that was done."""

    record: RunRecord
    predictions: bytes | None = None
    """Gzipped prediction file, if the worker's machine does not share the submission's folder."""


@dataclass(frozen=True, slots=True)
class Lost:
    """The worker of the run died; the run is started again."""

    why: str


@dataclass(frozen=True, slots=True)
class Busy:
    """Another call is doing the run."""

    who: str


Outcome = Finished | UserError | Lost | Busy
