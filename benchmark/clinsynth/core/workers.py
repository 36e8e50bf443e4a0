"""Worker processes: none outlives its parent, and a pool that is left early ends its own and nobody else's."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Generator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing.connection import Connection
from typing import Any

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
