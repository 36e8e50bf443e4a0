"""Work on a stranger's files in a process of its own, which is ended when it takes more than it may."""

from __future__ import annotations

import multiprocessing
import os
import resource
import signal
import sys
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from clinsynth.core.errors import UserError
from clinsynth.core.workers import end_with_parent


@dataclass(frozen=True, slots=True)
class Bounds:
    """What a process may take."""

    memory: int
    """Bytes beyond those that the interpreter and the imported modules take."""
    cpu_seconds: int
    wall_seconds: int
    file_bytes: int
    """Size of the largest file that it may write."""


class BoundsError(UserError):
    """The work took more than it may, or its process ended without an answer."""


def run_bounded(bounds: Bounds, function: Callable[..., Any], *arguments: Any) -> Any:
    """What ``function`` gives for the arguments, called in a fresh process within bounds.

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
        found: Any = answer.recv()
    except EOFError as error:
        raise BoundsError(_death(process, bounds)) from error
    finally:
        process.kill()
        process.join()
        process.close()
        for end in (held, answer):
            end.close()
    if isinstance(found, UserError):
        raise found
    return found


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
        found: Any = function(*given)
    except UserError as error:
        found = error
    except MemoryError:
        found = BoundsError("it takes too much memory", expected=f"{bounds.memory // 2**20:,} MiB at most")
    told.send(found)
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
