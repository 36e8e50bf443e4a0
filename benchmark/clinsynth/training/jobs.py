"""What is told to whoever does a run, and what is told back. Loads no torch: whoever only hands out runs needs none."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from clinsynth.core import TASKS, UserError
from clinsynth.results import Cell, Draw, Results, RunRecord
from clinsynth.training.recipe import RECIPES


class MadeOf(NamedTuple):
    """What a run is made of; a record of anything else is another run's."""

    rows: str
    """sha256 over the submission's rows for the task."""
    test: str
    """sha256 over the test examples."""
    recipe: str
    """sha256 over the recipe's settings for the task."""


@dataclass(frozen=True, slots=True)
class Job:
    """A run that is to be done; small, so that it travels to another process or node."""

    submission: Path
    cell: Cell
    data_dir: Path | None
    sample: bool
    threads: int
    draw: Draw = "random"
    made_of: MadeOf | None = None
    """What whoever asks for the run means; ``None``: what the machine has that does it."""

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
        """The record, if it is there and made of what the job says."""
        record = self.results.done(self.cell)
        if record is None or self.made_of is None:
            return None
        made = MadeOf(record.training.fingerprint, record.test.fingerprint, record.recipe_fingerprint)
        return record if made == self.made_of else None


@dataclass(frozen=True, slots=True)
class Finished:
    """A run that is done."""

    record: RunRecord
    predictions: bytes | None = None
    """The packed file of predictions, from a machine that does not see the submission's folder."""


@dataclass(frozen=True, slots=True)
class Lost:
    """A run whose worker is no more; it is taken again."""

    why: str


@dataclass(frozen=True, slots=True)
class Busy:
    """A run that another call is at."""

    who: str


Outcome = Finished | UserError | Lost | Busy
