"""Calls of the command line that are forked from a process which has imported everything, and can be killed.

A call costs what it does and not the loading of its packages, so that hundreds can be killed; all of it is work that
a kill can meet. Processes that a call would start afresh are forked from it likewise: with the descriptors that a fresh
one would have got and no other, so that they see the death of their parent as they do otherwise.
"""

from __future__ import annotations

import concurrent.futures.process
import gc
import importlib
import json
import multiprocessing.spawn
import multiprocessing.util
import os
import pkgutil
import re
import signal
import subprocess
import sys
import threading
import time
import traceback
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, NoReturn

FORK = "--multiprocessing-fork"
"""The word by which ``multiprocessing`` knows a process that it started."""
IMPORTED = (
    "clinsynth.cli", "torch", "torch._inductor", "transformers.models.auto.modeling_auto",
    "transformers.models.auto.tokenization_auto", "transformers.models.bert.modeling_bert", "datasets",
    "pyarrow.parquet", "sklearn.metrics", "scipy.stats", "PIL.ImageFont", "datasketch",
)  # fmt: skip
ROOMS = ("cli", "tasks", "baselines", "submissions", "generation", "data", "training", "results", "snapshot", "views",
         "site")  # fmt: skip
"""With the packages above, what the six commands of the trials need."""


class Zygote:
    """A process that does nothing but fork calls, one at a time."""

    def __init__(self, driver: Path, environment: Mapping[str, str]) -> None:
        """``driver``: a script that defines what the tests need and, called with ``--serve``, ends in ``serve``."""
        self._said = driver.parent / "said"
        self._process = subprocess.Popen(  # noqa: S603 - our own driver
            [sys.executable, str(driver), "--serve", str(self._said)], env=environment, cwd=driver.parent, text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        )  # fmt: skip
        self._line()

    def _line(self) -> str:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        assert line, "the zygote ended"
        return line

    def start(self, *words: object) -> Call:
        """A call of ``clinsynth`` in a session of its own; the one before it has ended."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps([str(word) for word in words]) + "\n")
        self._process.stdin.flush()
        return Call(int(self._line()), self)

    def status(self) -> int:
        """What the last call ended with; waits for its end."""
        return int(self._line())

    def said(self) -> str:
        """What the last call wrote."""
        return self._said.read_text("utf-8")

    def close(self) -> None:
        """End it, and the call that is at work."""
        self._process.kill()
        self._process.communicate()


class Call:
    """One call."""

    def __init__(self, pid: int, zygote: Zygote) -> None:
        self.pid = pid
        self._zygote = zygote
        self._handle: int | None = None
        with suppress(ProcessLookupError):  # it has ended already
            self._handle = os.pidfd_open(pid)

    def kill(self) -> None:
        """``kill -9`` of this process; of no other that has its number by now."""
        if self._handle is not None:
            with suppress(ProcessLookupError):
                signal.pidfd_send_signal(self._handle, signal.SIGKILL)

    def end(self) -> tuple[int, str]:
        """Status as of ``subprocess``, and what it wrote."""
        status = self._zygote.status()
        if self._handle is not None:
            os.close(self._handle)
            self._handle = None
        return status, self._zygote.said()

    def processes(self) -> list[int]:
        """Those of its session that are at work, the call itself left out."""
        found: list[int] = []
        for path in Path("/proc").glob("[0-9]*/stat"):
            with suppress(OSError):
                state, _, _, session = path.read_text("ascii").rpartition(")")[2].split()[:4]
                if int(session) == self.pid and state != "Z" and path.parent.name != str(self.pid):
                    found.append(int(path.parent.name))
        return found

    def alone(self, seconds: float = 60.0) -> bool:
        """Whether all of its processes end within so many seconds after it."""
        until = time.monotonic() + seconds
        while self.processes():
            if time.monotonic() > until:
                return False
            time.sleep(0.05)
        return True


def serve(said: Path) -> list[str]:
    """Read calls from standard input and fork each; returns in the forked process alone, with its words."""
    for name in IMPORTED:
        importlib.import_module(name)
    for room in ROOMS:
        package = importlib.import_module(f"clinsynth.{room}")
        for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            importlib.import_module(module.name)
    start_afresh = multiprocessing.util.spawnv_passfds

    def start(path: Any, words: list[str], descriptors: Any) -> int:
        if FORK not in words:
            return start_afresh(path, words, descriptors)
        pid = os.fork()
        if pid == 0:
            _be_spawned(words, {*map(int, descriptors)})
        return pid

    multiprocessing.util.spawnv_passfds = start
    assert threading.active_count() == 1, "a process of threads is not to be forked"
    gc.collect()
    gc.freeze()
    answers = os.dup(1)
    os.write(answers, b"0\n")
    for line in sys.stdin:
        pid = os.fork()
        if pid == 0:
            os.setsid()
            with said.open("wb") as stream, open(os.devnull, "rb") as nothing:  # noqa: PTH123 - no path of ours
                os.dup2(nothing.fileno(), 0)
                os.dup2(stream.fileno(), 1)
                os.dup2(stream.fileno(), 2)
            os.close(answers)
            return json.loads(line)
        os.write(answers, b"%d\n" % pid)
        _, status = os.waitpid(pid, 0)
        os.write(answers, b"%d\n" % os.waitstatus_to_exitcode(status))
    sys.exit(0)


def _be_spawned(words: list[str], descriptors: set[int]) -> NoReturn:
    """Go on as a process that was started with these words and has these descriptors."""
    status = 1
    try:
        for number in (int(each.name) for each in list(Path("/proc/self/fd").iterdir())):
            if number > 2 and number not in descriptors:
                with suppress(OSError):
                    os.close(number)
        # As of: python -c "from multiprocessing.spawn import spawn_main; spawn_main(tracker_fd=5, pipe_handle=7)" FORK
        (code,) = (str(word) for word in words if "spawn_main(" in str(word))
        options = {name: int(number) for name, number in re.findall(r"(\w+)=(\d+)", code)}
        sys.argv = ["-c", FORK]
        vars(concurrent.futures.process)["_threads_wakeups"].clear()  # pools of the parent
        multiprocessing.spawn.spawn_main(**options)
    except SystemExit as end:
        status = end.code if isinstance(end.code, int) else 0
    except BaseException:  # as the interpreter does at its end
        traceback.print_exc()
        raise
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)
