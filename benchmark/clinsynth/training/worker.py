"""The work of a worker on one run, on any machine: check whether it is done, claim it, do it, report the outcome."""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from clinsynth.core import TASKS, TASKS_DIR_VARIABLE, UserError, machine_fault, write_bytes
from clinsynth.data import open_store
from clinsynth.results import RunRecord
from clinsynth.submissions import CARD_FILE, read_submission
from clinsynth.training.claims import ClaimedError, claimed, host
from clinsynth.training.jobs import Busy, Finished, Job, MadeOf, Outcome
from clinsynth.training.recipe import RECIPES, recipe_fingerprint

VARIABLES = ("CLINSYNTH_DATA", "CLINSYNTH_WEIGHTS", TASKS_DIR_VARIABLE, "XDG_CACHE_HOME", "HF_HOME", "HF_HUB_OFFLINE")
"""Environment variables of data, weights and tasks; they are passed on to workers on other machines."""
_FOLDERS = frozenset(VARIABLES) - {"HF_HUB_OFFLINE"}


@dataclass(frozen=True, slots=True)
class Parcel:
    """A submission's card and its rows of one task, for machines that do not share its folder."""

    name: str
    files: tuple[tuple[str, bytes], ...]
    """Path below the folder and content."""

    @classmethod
    def of(cls, submission: Path, task: str) -> Parcel:
        """The files of a submission that a run of ``task`` reads."""
        data = read_submission(submission).files[task]
        paths = (submission / CARD_FILE, data)
        return cls(submission.name, tuple((p.relative_to(submission).as_posix(), p.read_bytes()) for p in paths))

    def unpack(self, place: Path) -> Path:
        """Write it below ``place``; gives the submission's folder there."""
        for name, content in self.files:
            write_bytes(place / self.name / name, content)
        return place / self.name


def caller_variables() -> dict[str, str]:
    """``VARIABLES`` that are set, with whole paths: a worker has another working folder."""
    values = {name: os.environ[name] for name in VARIABLES if os.environ.get(name)}
    return {
        name: os.pathsep.join(str(Path(part).expanduser().absolute()) for part in value.split(os.pathsep) if part)
        if name in _FOLDERS else value
        for name, value in values.items()
    }  # fmt: skip


def adopt(variables: Mapping[str, str]) -> None:
    """Set the caller's ``VARIABLES``; a node keeps its own value where the caller's folder does not exist on it."""
    for name, value in variables.items():
        here = name not in _FOLDERS or all(Path(part).is_dir() for part in value.split(os.pathsep))
        if os.environ.get(name) != value and (here or name not in os.environ):
            os.environ[name] = value
            if name == TASKS_DIR_VARIABLE:
                TASKS.forget()


def attempt(job: Job, owner: str, on_step: Callable[[], Any] = lambda: None) -> Outcome:
    """Do a run, unless it is done or another process holds it. User errors are returned, not raised."""
    try:
        if record := job.finished():
            return Finished(record)
        with claimed(job.results.record_path(job.cell), owner):
            if record := job.finished():  # whoever held the claim before has just done it
                return Finished(record)
            _compare(job)
            from clinsynth.training.run import run

            return Finished(run(job, on_step))
    except ClaimedError as error:
        return Busy(str(error))
    except UserError as error:
        return error
    except OSError as error:
        fault = machine_fault(error)
        if fault is None:
            raise
        return fault


def _compare(job: Job) -> None:
    """Raise ``UserError`` where this machine has other inputs for the run than the caller expects."""
    if job.made_of is None:
        return
    from clinsynth.training.run import rows_fingerprint

    task = TASKS[job.cell.task]
    here = MadeOf(
        rows_fingerprint(job.submission, job.cell.task),
        open_store(job.data_dir, job.sample).fingerprint(task, "test"),
        recipe_fingerprint(RECIPES[job.cell.recipe], task.spec),
    )
    for what, own, asked in zip(("rows", "test set", "recipe"), here, job.made_of, strict=True):
        if own != asked:
            raise UserError(
                f"{host().split()[0]} has another {what} for {job.cell.task} than the machine that asks",
                found=own, expected=asked,
                remedy="have the same data and the same clinsynth on both",
            )  # fmt: skip


def attempt_far(job: Job, owner: str, variables: Mapping[str, str], parcel: Parcel) -> Outcome:
    """``attempt`` on another machine; if it does not share the submission's folder, rows and predictions are sent."""
    adopt(variables)
    try:
        if _is_here(job):
            return _named(attempt(job, owner))
        there = replace(job, submission=_unpacked(parcel))
        done = attempt(there, owner)
        if isinstance(done, Finished):
            return replace(done, predictions=there.results.predictions_path(job.cell).read_bytes())
        return _named(done)
    except UserError as error:
        return _named(error)


_unpacked_parcels: dict[Parcel, Path] = {}
"""Submissions sent to this process; they are kept until it ends, so that rows are encoded once."""


def _unpacked(parcel: Parcel) -> Path:
    if parcel not in _unpacked_parcels:
        place = tempfile.mkdtemp(prefix="clinsynth-run-")
        atexit.register(shutil.rmtree, place, ignore_errors=True)
        _unpacked_parcels[parcel] = parcel.unpack(Path(place))
    return _unpacked_parcels[parcel]


def _is_here(job: Job) -> bool:
    """Whether this machine shares the caller's folder, and does not merely have one of the same name."""
    if not job.submission.is_dir() or job.made_of is None:
        return False
    from clinsynth.training.run import rows_fingerprint

    try:
        return rows_fingerprint(job.submission, job.cell.task) == job.made_of.rows
    except UserError:
        return False


def _named(outcome: Outcome) -> Outcome:
    return UserError(f"on {host().split()[0]}: {outcome}") if isinstance(outcome, UserError) else outcome


def store_here(job: Job, done: Finished) -> RunRecord:
    """Store the files of a finished run in the submission's folder, wherever the run was done; returns its record."""
    results = job.results
    if done.predictions is not None:
        write_bytes(results.predictions_path(job.cell), done.predictions)
        results.write_record(done.record)
    return done.record
