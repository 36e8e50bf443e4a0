"""Child processes: a pool that ends only its own workers, and single calls within bounds of time and memory."""

from __future__ import annotations

import multiprocessing
import os
import resource
import signal
import sys
import threading
from collections.abc import Callable, Generator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from clinsynth.core.errors import UserError

LOOK_SECONDS = 0.5
"""How often a worker looks whether its parent is still there."""


@contextmanager
def worker_pool(
    workers: int, start: Callable[..., Any] | None = None, arguments: tuple[Any, ...] = ()
) -> Generator[ProcessPoolExecutor]:
    """A pool of fresh processes, each of which calls ``start`` with ``arguments`` first.

    When the block is left early, by an error or Ctrl-C, what still runs is ended. Ctrl-C reaches every process of a
    terminal; the parent alone answers it. After a kill -9 of the parent its workers end by themselves.
    """
    # spawn: a forked child of a process that has threads (progress bars, torch) can hang.
    context = multiprocessing.get_context("spawn")
    # Nothing is ever sent: the workers see the pipe's end when the parent closes it, and when the parent is no more.
    watched, held = context.Pipe(duplex=False)
    pool = ProcessPoolExecutor(workers, context, _start_worker, (watched, start, arguments))
    try:
        yield pool
        pool.shutdown()
    finally:
        held.close()
        # The pool's own thread reaps its processes: with it gone, none is half known to be over.
        pool.shutdown(wait=True, cancel_futures=True)
        watched.close()


def end_with_parent(watched: Connection) -> None:
    """Have this process end when its parent has closed the other end of a pipe, or is no more."""
    threading.Thread(target=_watch, args=(watched, os.getppid()), daemon=True).start()


def _watch(watched: Connection, parent: int) -> None:
    # The parent's number is looked at too: a process that it forked can hold the pipe open after its death.
    while not watched.poll(LOOK_SECONDS) and os.getppid() == parent:
        pass
    os._exit(1)


def _start_worker(watched: Connection, start: Callable[..., Any] | None, arguments: tuple[Any, ...]) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    end_with_parent(watched)
    if start is not None:
        start(*arguments)


@dataclass(frozen=True, slots=True)
class Bounds:
    """Limits of a process."""

    memory: int
    """Bytes beyond those that the interpreter and the imported modules take."""
    cpu_seconds: int
    wall_seconds: int
    file_bytes: int
    """Size of the largest file that it may write."""


class BoundsError(UserError):
    """The work took more than it may, or its process ended without an answer."""


def run_bounded(bounds: Bounds, function: Callable[..., Any], *arguments: Any) -> Any:
    """Call ``function`` in a fresh process within bounds, and return its value.

    The function is of a module's top level, and what it gives can be pickled.

    Raises:
        UserError: as the function does.
        BoundsError: it took more than it may.
    """
    context = multiprocessing.get_context("spawn")
    watched, held = context.Pipe(duplex=False)
    answer, told = context.Pipe(duplex=False)
    process = context.Process(target=_answer, args=(watched, told, bounds, function, arguments), daemon=True)
    process.start()
    watched.close()
    told.close()
    try:
        if not answer.poll(bounds.wall_seconds):
            raise BoundsError("it takes too long", expected=f"{bounds.wall_seconds} seconds at most")
        outcome: Any = answer.recv()
    except EOFError as error:
        raise BoundsError(_death(process, bounds)) from error
    finally:
        process.kill()
        process.join()
        process.close()
        for end in (held, answer):
            end.close()
    if isinstance(outcome, UserError):
        raise outcome
    return outcome


def _death(process: Any, bounds: Bounds) -> str:
    process.join()
    if process.exitcode in (-signal.SIGXCPU, -signal.SIGKILL):
        return f"it takes more than {bounds.cpu_seconds} seconds of computing, or more memory than there is"
    return f"the process that looked at it ended ({process.exitcode})"


def _answer(watched: Connection, told: Connection, bounds: Bounds, function: Callable[..., Any], given: Any) -> None:
    end_with_parent(watched)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _limit(bounds)
    try:
        outcome: Any = function(*given)
    except UserError as error:
        outcome = error
    except MemoryError:
        outcome = BoundsError("it takes too much memory", expected=f"{bounds.memory // 2**20:,} MiB at most")
    told.send(outcome)
    told.close()


def _limit(bounds: Bounds) -> None:
    own = Path("/proc/self/statm")
    # Elsewhere than on Linux the memory that the modules take is not known, and address space is not limited.
    if own.is_file() and sys.platform == "linux":
        taken = int(own.read_text("ascii").split()[0]) * os.sysconf("SC_PAGE_SIZE")
        _lower(resource.RLIMIT_AS, taken + bounds.memory)
    _lower(resource.RLIMIT_CPU, bounds.cpu_seconds)
    _lower(resource.RLIMIT_FSIZE, bounds.file_bytes)
    _lower(resource.RLIMIT_CORE, 0)


def _lower(kind: int, value: int) -> None:
    """Set a limit, unless this process has a lower one already."""
    _, most = resource.getrlimit(kind)
    value = value if most == resource.RLIM_INFINITY else min(value, most)
    resource.setrlimit(kind, (value, most))
