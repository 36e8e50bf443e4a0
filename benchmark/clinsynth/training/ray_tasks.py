"""Runs as tasks of a Ray cluster: an existing one, or one that is started on this machine for the call."""

from __future__ import annotations

import importlib
import os
import socket
import sys
import time
from collections import deque
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

from clinsynth.core import UserError
from clinsynth.training.executors import OnSteps
from clinsynth.training.jobs import Job, Lost, Outcome
from clinsynth.training.local_processes import places
from clinsynth.training.worker import Parcel, attempt_far, caller_variables

POLL_SECONDS = 0.5
ADDRESS_VARIABLE = "RAY_ADDRESS"
ANSWER_SECONDS = 30.0
"""How long a machine may take to answer at all."""


def _ray() -> Any:
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")  # Ray's own default from its next version on
    try:
        return importlib.import_module("ray")
    except ImportError as error:
        raise UserError("Ray is not installed", remedy="pip install 'clinsynth[ray]'") from error


class RayTasks:
    """Tasks of one core each, and of a GPU each where the cluster has any."""

    def __init__(self, workers: int, on_steps: OnSteps) -> None:
        """``workers``: runs at a time, 0 for as many as the cluster has room for."""
        self._workers, self._on_steps = workers, on_steps
        self._ray = _ray()
        self._waiting: deque[Job] = deque()
        self._pending: dict[Any, Job] = {}
        self._task: Any = None
        self._parcel: Any = None
        self._variables: Any = None

    def where(self, jobs: Sequence[Job]) -> list[str]:
        """Say in words where these would be done: on an existing cluster, if there is one."""
        if not self._joined():
            return [f"no Ray cluster runs: one of {self._workers or places()} cores is started on this machine"]
        try:
            nodes = [node for node in self._ray.nodes() if node["Alive"]]
            lines = [f"Ray cluster of {len(nodes)} nodes" + (f", {self._workers} at a time" if self._workers else "")]
            return lines + [
                f"  {node['NodeManagerHostname']}: {node['Resources'].get('CPU', 0):.0f} cores,"
                f" {node['Resources'].get('GPU', 0):.0f} GPUs"
                for node in nodes
            ]
        finally:
            self._ray.shutdown()

    def _joined(self) -> bool:
        """Join the cluster that ``RAY_ADDRESS`` names, or one on this machine; returns whether there is one."""
        address = os.environ.get(ADDRESS_VARIABLE, "")
        _knock(address)
        try:
            self._ray.init(address=address or "auto", log_to_driver=False, logging_level="ERROR")
        except ConnectionError as error:
            if address:
                raise _silent(address, error) from error
            return False
        except (RuntimeError, ValueError) as error:
            # Of another version, for one: Ray says which.
            raise UserError("the Ray cluster cannot be joined", found=" ".join(str(error).split())[:300]) from error
        return True

    def _start(self) -> None:
        if not self._joined():
            self._ray.init(
                address="local", num_cpus=self._workers or places(), log_to_driver=False, logging_level="ERROR",
                include_dashboard=False,
            )  # fmt: skip
        resources = self._ray.cluster_resources()
        if resources.get("CPU", 0) < 1:
            raise UserError("the Ray cluster has no core to offer", found=str(dict(resources)))
        # Dead workers are counted in one place, by whoever dispatches; Ray is not to try again by itself.
        self._task = self._ray.remote(num_cpus=1, num_gpus=1 if resources.get("GPU") else 0, max_retries=0)(_attempt)
        put = self._ray.put
        self._variables = put(caller_variables())

        @cache
        def parcel(submission: Path, task: str) -> Any:
            return put(Parcel.of(submission, task))

        self._parcel = parcel

    def submit(self, jobs: Sequence[Job]) -> None:
        """Start these runs. Raises ``UserError`` if there is no cluster."""
        if self._task is None:
            self._start()
        self._waiting.extend(jobs)
        self._hand_out()

    def _hand_out(self) -> None:
        while self._waiting and (not self._workers or len(self._pending) < self._workers):
            job = self._waiting.popleft()
            handle = self._task.remote(job, self._variables, self._parcel(job.submission, job.cell.task))
            self._pending[handle] = job

    def outcomes(self) -> Sequence[tuple[Job, Outcome]]:
        """Outcomes since the last call; waits a moment if there is none yet."""
        outcomes: list[tuple[Job, Outcome]] = []
        if not self._pending:
            time.sleep(POLL_SECONDS)
            return outcomes
        for handle in self._ray.wait(list(self._pending), num_returns=1, timeout=POLL_SECONDS)[0]:
            job, outcome = self._pending.pop(handle), self._outcome(handle)
            self._on_steps(0 if isinstance(outcome, Lost) else job.steps)
            outcomes.append((job, outcome))
        self._hand_out()
        return outcomes

    def _outcome(self, handle: Any) -> Outcome:
        errors = importlib.import_module("ray.exceptions")
        try:
            outcome: Outcome = self._ray.get(handle)
        except errors.RayTaskError as error:
            sys.stderr.write(f"{error}\n")
            return UserError(f"a fault of clinsynth on a Ray node: {_last_line(error)}")
        except (errors.RuntimeEnvSetupError, errors.TaskUnschedulableError) as error:
            return UserError(f"Ray cannot start the run: {_last_line(error)}")
        except errors.RayError as error:
            # Ray goes on for a paragraph about where to look.
            return Lost(f"{type(error).__name__}: {str(error).strip().splitlines()[0].split('. ')[0]}")
        return outcome

    def close(self) -> None:
        """Cancel unfinished tasks, then leave the cluster, or stop the one that was started here."""
        self._waiting.clear()
        for handle in self._pending:
            self._ray.cancel(handle, force=True)
        self._pending.clear()
        if self._task is not None:
            self._ray.shutdown()
            self._task = None


def _knock(address: str) -> None:
    """Look whether anything listens at ``host:port``: Ray itself tries for many minutes. Raises ``UserError``."""
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if not (host and port.isdigit()):
        return  # none, or a word of Ray's own
    try:
        socket.create_connection((host.strip("[]"), int(port)), ANSWER_SECONDS).close()
    except (OSError, OverflowError) as error:
        raise _silent(address, error) from error


def _silent(address: str, error: Exception) -> UserError:
    return UserError(
        f"no Ray cluster answers at {ADDRESS_VARIABLE}={address}", found=str(error).splitlines()[0],
        remedy="look whether it runs (ray status), or unset the variable",
    )  # fmt: skip


def _last_line(error: BaseException) -> str:
    return str(error).strip().splitlines()[-1][:300]


def _attempt(job: Job, variables: dict[str, str], parcel: Parcel) -> Outcome:
    return attempt_far(job, f"Ray process {os.getpid()}", variables, parcel)
