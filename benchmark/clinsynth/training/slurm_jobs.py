"""Runs as array jobs of SLURM, by its own commands: sbatch, squeue, scontrol, scancel.

A folder that all nodes share holds the jobs and their outcomes as JSON: ``jobs/<k>.json`` for each element
of the array, ``outcomes/<k>.<i>.json`` for each of its runs, and ``log/<k>``, what it printed. It is removed when all
went well.
"""

from __future__ import annotations

import json
import os
import shlex
import shutil
import subprocess
import sys
import time
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from itertools import groupby
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from clinsynth.core import UserError, write_json
from clinsynth.training.executors import OnSteps
from clinsynth.training.jobs import Busy, Finished, Job, Lost, Outcome
from clinsynth.training.local_processes import LocalProcesses
from clinsynth.training.worker import Parcel, adopt, attempt, caller_variables

OPTIONS_VARIABLE = "CLINSYNTH_SLURM"
FOLDER_VARIABLE = "CLINSYNTH_SLURM_DIR"
"""Names a folder that all nodes share; by default ``slurm-logs`` in the working folder."""
POLL_SECONDS = 1.0
ASK_SECONDS = 5.0
"""Seconds between two queries of the scheduler, which serves all of its users."""
SETTLE_SECONDS = 20.0
"""Seconds that the last files of an ended element may take to appear through a network file system."""
RUNS_PER_ELEMENT = 5
"""Runs of one element, all of one task: they share its tokenised test set, and schedulers dislike tiny jobs."""
MINUTES_PER_RUN = 30
"""Time limit asked for one run."""
DEFAULTS = {"cpus-per-task": "1", "mem": "4G"}
"""Options of sbatch that apply unless ``CLINSYNTH_SLURM`` overrides them."""
_ENDED = frozenset({"CANCELLED", "COMPLETED", "FAILED", "TIMEOUT", "NODE_FAIL", "OUT_OF_MEMORY", "PREEMPTED",
                    "BOOT_FAIL", "DEADLINE", "REVOKED"})  # fmt: skip
_JOBS = TypeAdapter(list[Job])


def options_of(text: str) -> dict[str, str]:
    """Options from ``partition=gpu gres=gpu:1``. Raises ``UserError``."""
    pairs = [pair.removeprefix("--").partition("=") for pair in text.split()]
    if any(not (name and sign and value) for name, sign, value in pairs):
        raise UserError(
            f"{OPTIONS_VARIABLE}={text!r} cannot be read",
            expected="name=value pairs with blanks between them, as in: partition=gpu gres=gpu:1",
        )
    return {name.replace("_", "-"): value for name, _, value in pairs}


@dataclass(slots=True)
class _Element:
    """One element of an array: some runs of one task, one after the other."""

    array: str
    """The array's job id."""
    number: int
    folder: Path
    jobs: list[Job]
    """All jobs of the element, in order."""
    open: set[int] = field(default_factory=set[int])
    """Jobs without an outcome so far."""
    ended: float = 0.0
    """When the scheduler was first seen to have ended the element; 0: not yet."""
    state: str = ""


class SlurmJobs:
    """Array jobs, as many at a time as the scheduler or ``workers`` allows."""

    def __init__(self, workers: int, on_steps: OnSteps) -> None:
        """``workers``: elements at a time, 0 for as many as the scheduler gives."""
        self._workers, self._on_steps = workers, on_steps
        self._options = options_of(os.environ.get(OPTIONS_VARIABLE, ""))
        self._elements: list[_Element] = []
        self._folders: list[Path] = []
        self._asked = 0.0
        self._failed = False
        self._here: LocalProcesses | None = None
        if shutil.which("sbatch") is None:
            sys.stderr.write("clinsynth: no SLURM here (no sbatch): runs are done on this machine\n")
            self._here = LocalProcesses(workers, on_steps)

    def where(self, jobs: Sequence[Job]) -> list[str]:
        """Say in words where these would be done; asks the scheduler for its partitions."""
        if self._here:
            return self._here.where(jobs)
        chunks = self._chunks(jobs)
        asked = " ".join(f"--{name}={value}" for name, value in self._all_options(chunks).items())
        partitions = _ask("sinfo", "--noheader", "--format=%P %a, %D nodes, %c cores, %m MB each, %G")
        partition = self._options.get("partition", "")
        known = [line.split()[0].rstrip("*") for line in partitions.splitlines() if line.strip()]
        if partition and partition not in known:
            raise UserError(f"{OPTIONS_VARIABLE}: SLURM has no partition {partition!r}", expected=", ".join(known))
        limit = f", {self._workers} at a time" if self._workers else ""
        lines = [f"SLURM: an array of {len(chunks)} jobs of up to {max(map(len, chunks))} runs{limit}: {asked}"]
        lines += [f"  partition {line.strip()}" for line in partitions.splitlines() if line.strip()]
        return [*lines, f"  folder that all nodes must see: {_base()}"]

    def _chunks(self, jobs: Sequence[Job]) -> list[list[Job]]:
        ordered = sorted(jobs, key=lambda job: (job.cell.task, job.cell.rows, job.cell.seed))
        groups = [list(group) for _, group in groupby(ordered, key=lambda job: job.cell.task)]
        return [
            group[start : start + RUNS_PER_ELEMENT]
            for group in groups
            for start in range(0, len(group), RUNS_PER_ELEMENT)
        ]

    def _all_options(self, chunks: Sequence[Sequence[Job]]) -> dict[str, str]:
        minutes = MINUTES_PER_RUN * max(map(len, chunks))
        options = {"job-name": "clinsynth", "time": str(minutes), **DEFAULTS, **self._options}
        if self._options.keys() & {"mem-per-cpu", "mem-per-gpu"}:
            del options["mem"]
        return options

    def submit(self, jobs: Sequence[Job]) -> None:
        """Submit an array. Raises ``UserError`` with the message of the scheduler."""
        if self._here:
            return self._here.submit(jobs)
        folder = _base() / f"{time.strftime('%Y%m%d-%H%M%S')}-{uuid.uuid4().hex[:8]}"
        folder.parent.mkdir(parents=True, exist_ok=True)
        folder.mkdir(mode=0o700)
        for part in ("jobs", "outcomes", "log"):
            (folder / part).mkdir()
        self._folders.append(folder)
        chunks = self._chunks(jobs)
        write_json(folder / "variables.json", caller_variables())
        for number, chunk in enumerate(chunks):
            there = [_seen_by_nodes(job, folder) for job in chunk]
            (folder / "jobs" / f"{number}.json").write_bytes(_JOBS.dump_json(there))
        script = folder / "job.sh"
        script.write_text(
            f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -m clinsynth.training.slurm_jobs {shlex.quote(str(folder))}'
            ' "$SLURM_ARRAY_TASK_ID"\n', "utf-8",
        )  # fmt: skip
        limit = f"%{self._workers}" if self._workers else ""
        said = _ask(
            "sbatch", "--parsable", f"--array=0-{len(chunks) - 1}{limit}", f"--output={folder}/log/%a", "--export=ALL",
            "--open-mode=append", *(f"--{name}={value}" for name, value in self._all_options(chunks).items()),
            str(script),
        )  # fmt: skip
        array = said.strip().partition(";")[0]
        self._elements += [
            _Element(array, number, folder, chunk, set(range(len(chunk)))) for number, chunk in enumerate(chunks)
        ]
        return None

    def outcomes(self) -> Sequence[tuple[Job, Outcome]]:
        """Outcomes since the last call; waits a moment if there is none yet."""
        if self._here:
            return self._here.outcomes()
        outcomes = [each for element in self._elements for each in self._read(element)]
        if not outcomes and time.monotonic() > self._asked + ASK_SECONDS:
            self._asked = time.monotonic()
            outcomes = self._ended()
        self._elements = [element for element in self._elements if element.open]
        if not outcomes:
            time.sleep(POLL_SECONDS)
        self._failed = self._failed or any(isinstance(outcome, UserError | Lost) for _, outcome in outcomes)
        return outcomes

    def _read(self, element: _Element) -> list[tuple[Job, Outcome]]:
        outcomes: list[tuple[Job, Outcome]] = []
        for number in sorted(element.open):
            path = element.folder / "outcomes" / f"{element.number}.{number}.json"
            if path.is_file():
                element.open.discard(number)
                self._on_steps(element.jobs[number].steps)
                outcomes.append((element.jobs[number], _outcome(element.jobs[number], element.folder, path)))
        return outcomes

    def _ended(self) -> list[tuple[Job, Outcome]]:
        """Runs whose element ended without reporting their outcome."""
        states: dict[tuple[str, int], str] = {}
        for array in {element.array for element in self._elements}:
            states |= {(array, number): state for number, state in _states(array).items()}
        outcomes: list[tuple[Job, Outcome]] = []
        for element in self._elements:
            state = states.get((element.array, element.number), "")
            if state and state not in _ENDED:
                element.ended = 0.0
                continue
            element.ended, element.state = element.ended or time.monotonic(), state or element.state
            if time.monotonic() < element.ended + (0 if state == "CANCELLED" else SETTLE_SECONDS):
                continue
            first, *others = sorted(element.open)
            outcomes.append((element.jobs[first], _why(element)))
            # Those after it were not begun. Whoever cancelled an element meant all of it.
            cancelled = element.state == "CANCELLED"
            outcomes += [(element.jobs[k], _why(element) if cancelled else Lost(f"after {first}")) for k in others]
            element.open.clear()
        return outcomes

    def close(self) -> None:
        """Cancel unfinished jobs; remove the folders unless they hold logs of a failure."""
        if self._here:
            return self._here.close()
        arrays = sorted({element.array for element in self._elements if element.open})
        self._elements = []
        if arrays:
            subprocess.run(["scancel", *arrays], capture_output=True, check=False)  # noqa: S603, S607 - SLURM's own
            sys.stderr.write(f"clinsynth: cancelled SLURM jobs {' '.join(arrays)}\n")
        elif not self._failed:
            for folder in self._folders:
                shutil.rmtree(folder, ignore_errors=True)
        self._folders = []
        return None


def _base() -> Path:
    return Path(os.environ.get(FOLDER_VARIABLE) or "slurm-logs").absolute()


def _seen_by_nodes(job: Job, folder: Path) -> Job:
    """The job; if the submission is on another file system, with a copy of its rows in the shared folder."""
    if job.submission.stat().st_dev == folder.stat().st_dev:
        return job
    place = folder / "rows" / job.cell.task
    if not place.is_dir():
        Parcel.of(job.submission, job.cell.task).unpack(place)
    return replace(job, submission=place / job.submission.name)


def _ask(*words: str) -> str:
    """Output of a SLURM command. Raises ``UserError`` with the message of a command that fails."""
    try:
        done = subprocess.run(words, capture_output=True, text=True, check=False)  # noqa: S603 - SLURM's own
    except FileNotFoundError as error:
        raise UserError(f"SLURM's {words[0]} is not on this machine") from error
    if done.returncode:
        raise UserError(
            f"SLURM refuses: {words[0]} ended with status {done.returncode}",
            found=" ".join(done.stderr.split()),
            remedy=f"options for it come from {OPTIONS_VARIABLE}, as in: partition=gpu gres=gpu:1",
        )
    return done.stdout


def _states(array: str) -> dict[int, str]:
    """State of each element that the scheduler still knows; empty if it does not answer at the moment."""
    done = subprocess.run(  # noqa: S603 - SLURM's own
        ["squeue", "--noheader", "--array", "--states=all", f"--jobs={array}", "--format=%K %T"],  # noqa: S607
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    if done.returncode and "Invalid job id" not in done.stderr:
        # A controller that restarts: what it is asked next time counts.
        return dict.fromkeys(range(100_000), "UNKNOWN")
    pairs = (line.split() for line in done.stdout.splitlines())
    return {int(pair[0]): pair[1] for pair in pairs if len(pair) == 2 and pair[0].isdigit()}


def _why(element: _Element) -> Outcome:
    """Why an element ended early: the reason that SLURM gives, and the end of its output."""
    name = f"{element.array}_{element.number}"
    log = element.folder / "log" / str(element.number)
    if element.state == "CANCELLED":
        return UserError(f"SLURM job {name} was cancelled", remedy="the same command does what is missing")
    said = subprocess.run(["scontrol", "show", "job", name], capture_output=True, text=True, check=False)  # noqa: S603, S607
    parts = (word.partition("=") for word in said.stdout.split())
    facts = {key: value for key, _, value in parts}
    code, _, signal = facts.get("ExitCode", "0:0").partition(":")
    lines = log.read_text("utf-8", "replace").strip().splitlines() if log.is_file() else []
    # Python ends with 1 after a traceback: it would do so again.
    if code == "1" and signal == "0" and lines:
        return UserError(f"SLURM job {name} failed: {lines[-1][:300]}", remedy=f"all that it printed: {log}")
    reason = f"signal {signal}" if signal not in ("", "0") else f"status {code}"
    return Lost(f"SLURM job {name} on {facts.get('NodeList', 'a node')}: {element.state or 'over'}, {reason}")


def _outcome(job: Job, folder: Path, path: Path) -> Outcome:
    told: dict[str, Any] = json.loads(path.read_text("utf-8"))
    if "error" in told:
        return UserError(told["error"])
    if "busy" in told:
        return Busy(told["busy"])
    there = _seen_by_nodes(job, folder)
    record = there.finished()
    if record is None:
        return Lost(f"its record is not in {there.submission}, though its job wrote it")
    own = there.submission == job.submission
    return Finished(record, None if own else there.results.predictions_path(job.cell).read_bytes())


def work(folder: Path, number: int) -> None:
    """Do the runs of one element in order. An element that is started again continues with what is left."""
    adopt(json.loads((folder / "variables.json").read_text("utf-8")))
    owner = f"SLURM job {os.environ.get('SLURM_ARRAY_JOB_ID')}_{number}"
    for place, job in enumerate(_JOBS.validate_json((folder / "jobs" / f"{number}.json").read_bytes())):
        path = folder / "outcomes" / f"{number}.{place}.json"
        if path.is_file():
            continue
        outcome = attempt(job, owner)
        node = os.environ.get("SLURMD_NODENAME", "a node")
        if isinstance(outcome, UserError):
            write_json(path, {"error": f"on {node}: {outcome}"})
        elif isinstance(outcome, Busy):
            write_json(path, {"busy": outcome.who})
        else:
            write_json(path, {"finished": job.cell.stem})


if __name__ == "__main__":
    work(Path(sys.argv[1]), int(sys.argv[2]))
