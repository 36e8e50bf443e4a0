"""The executor of this machine: one run at a time in each process. If a process dies, only its run is lost."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import Any

from clinsynth.core import UserError, cores, end_with_parent
from clinsynth.training.device import gpus
from clinsynth.training.executors import OnSteps
from clinsynth.training.jobs import Job, Lost, Outcome
from clinsynth.training.worker import attempt

POLL_SECONDS = 0.5
RUN_BYTES = 3 << 30
"""Bytes of memory to allow for a run of the CPU student (measured: 1 to 3.3 GB)."""


def memory() -> int:
    """Bytes of this machine's memory."""
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")


def places() -> int:
    """Number of runs that suit this machine: one per GPU, else one per core as far as memory allows.

    Every run has one thread: two runs on two cores finish sooner than one after the other on both, and what a run
    computes does not depend on how many go on beside it.
    """
    return gpus() or max(1, min(cores(), memory() // RUN_BYTES))


@dataclass(slots=True)
class _Worker:
    process: BaseProcess
    pipe: Connection
    job: Job | None = None


class LocalProcesses:
    """Processes on this machine. After one was killed there are fewer: the usual cause is too little memory."""

    def __init__(self, workers: int, on_steps: OnSteps) -> None:
        """``workers``: runs at a time, 0 for ``places``."""
        self._asked, self._on_steps = workers, on_steps
        self._width = 0
        self._waiting: deque[Job] = deque()
        self._workers: dict[int, _Worker] = {}
        self._context = multiprocessing.get_context("spawn")
        # Nothing is ever sent: workers see the pipe's end when this process is no more.
        self._watched, self._held = self._context.Pipe(duplex=False)
        self._counter = self._context.Value("L", 0)
        self._seen = 0

    def where(self, jobs: Sequence[Job]) -> list[str]:
        """Say in words where these would be done."""
        at_once = min(self._asked or places(), len(jobs))
        return [
            f"on this machine, {at_once} at a time ({cores()} cores, {memory() / 2**30:.0f} GB, {gpus()} GPUs;"
            f" a run has one thread and needs up to {RUN_BYTES >> 30} GB)"
        ]

    def submit(self, jobs: Sequence[Job]) -> None:
        """Queue these runs behind those that wait already."""
        self._waiting.extend(jobs)
        self._width = self._width or self._asked or places()
        self._hand_out()

    def _hand_out(self) -> None:
        busy = sum(worker.job is not None for worker in self._workers.values())
        while self._waiting and busy < self._width:
            idle = next((worker for worker in self._workers.values() if worker.job is None), None) or self._started()
            idle.job = self._waiting.popleft()
            with suppress(OSError):  # it died just now; its pipe says so next
                idle.pipe.send(idle.job)
            busy += 1

    def _started(self) -> _Worker:
        place = next(number for number in range(len(self._workers) + 1) if number not in self._workers)
        ours, theirs = self._context.Pipe()
        device = _device(place % count) if (count := gpus()) else ""
        process = self._context.Process(target=_work, args=(device, theirs, self._watched, self._counter), daemon=True)
        process.start()
        theirs.close()
        self._workers[place] = _Worker(process, ours)
        return self._workers[place]

    def outcomes(self) -> Sequence[tuple[Job, Outcome]]:
        """Outcomes since the last call; waits a moment if there is none yet."""
        ready = wait([worker.pipe for worker in self._workers.values()], POLL_SECONDS)
        self._on_steps(self._counter.value - self._seen)
        self._seen = self._counter.value
        outcomes: list[tuple[Job, Outcome]] = []
        for place, worker in list(self._workers.items()):
            if worker.pipe not in ready:
                continue
            try:
                outcome: Outcome = worker.pipe.recv()
            except (EOFError, OSError):
                outcome = self._buried(place)
            if worker.job is not None:
                outcomes.append((worker.job, outcome))
            worker.job = None
        self._hand_out()
        return outcomes

    def _buried(self, place: int) -> Outcome:
        process = self._workers.pop(place).process
        process.join()
        code = process.exitcode or 0
        if code > 0:
            return UserError(
                f"the worker process ended with status {code}: a fault of clinsynth, whose traceback stands above"
            )
        if code == -signal.SIGKILL and self._width > 1:
            self._width -= 1
        name = signal.Signals(-code).name if code else "no reason"
        memory_is_short = ", most likely for want of memory" if code == -signal.SIGKILL else ""
        return Lost(f"its process was ended by {name}{memory_is_short}; {self._width} at a time from now on")

    def close(self) -> None:
        """End the workers of this call, and no other process."""
        self._waiting.clear()
        for worker in self._workers.values():
            worker.process.terminate()
        for worker in self._workers.values():
            worker.process.join()
            worker.pipe.close()
        self._workers.clear()
        for end in (self._held, self._watched):
            end.close()


def _work(device: str, pipe: Connection, watched: Connection, counter: Any) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches every process of a terminal; the parent answers it
    end_with_parent(watched)
    if device:
        os.environ["CUDA_VISIBLE_DEVICES"] = device

    def count_step() -> None:
        with counter.get_lock():
            counter.value += 1

    while True:
        try:
            job: Job = pipe.recv()
        except EOFError:
            sys.exit(0)
        pipe.send(attempt(job, f"process {os.getpid()}", count_step))


def _device(number: int) -> str:
    """The number of a GPU among those that this call may use."""
    allowed = [part for part in os.environ.get("CUDA_VISIBLE_DEVICES", "").split(",") if part]
    return allowed[number] if number < len(allowed) else str(number)
