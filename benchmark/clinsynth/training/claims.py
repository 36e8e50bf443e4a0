"""Claims on runs: a small file beside the record of a run names the process that is doing it.

Two calls on one folder thus share the work, and no run is done twice. A claim is a lease: its holder touches it while
it works, and a claim whose holder has died may be taken over. On the holder's own machine the process table shows at
once that it died, elsewhere the age of the file does. This needs no locks, which not every network file system has.
"""

from __future__ import annotations

import json
import os
import socket
import tempfile
import threading
import uuid
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path

TOUCH_SECONDS = 30.0
"""How often a holder touches its claim."""
STALE_SECONDS = 600.0
"""Age from which a claim of another machine counts as left behind: twenty touches were missed."""


class ClaimedError(Exception):
    """Another process holds the claim on the run; the message names it."""


def claim_path(record: Path) -> Path:
    """Path of the claim on the run whose record is, or will be, at ``record``: a hidden file beside it."""
    return record.with_name(f".{record.stem}.claim")


def host() -> str:
    """Name of this machine and its process namespace: containers of one host name do not see each other's processes."""
    with suppress(OSError):
        return f"{socket.gethostname()} {Path('/proc/self/ns/pid').readlink()}"
    return socket.gethostname()


def _born(process: int) -> str:
    """Start time of a process in kernel ticks; empty if there is no such process, ``?`` if the system does not say."""
    if not Path("/proc/self/stat").exists():
        try:
            os.kill(process, 0)
        except ProcessLookupError:
            return ""
        except PermissionError:
            pass
        return "?"
    try:
        fields = Path(f"/proc/{process}/stat").read_text("utf-8").rpartition(")")[2].split()
    except OSError:
        return ""
    return "" if fields[0] in "ZX" else fields[19]


def holder(path: Path) -> str:
    """The holder of the claim at ``path`` in words; empty if there is no claim, or its holder has died."""
    try:
        text, touched = path.read_text("utf-8"), path.stat().st_mtime
    except (OSError, ValueError):
        return ""
    try:
        claim = json.loads(text)
        place, process, born = str(claim["host"]), int(claim["process"]), str(claim["born"])
    except (ValueError, KeyError, TypeError):
        # It is being written just now, or whoever wrote it went down.
        return "another call" if _now(path.parent) - touched < TOUCH_SECONDS else ""
    alive = _born(process) == born if place == host() else _now(path.parent) - touched < STALE_SECONDS
    return f"process {process} on {place.split(maxsplit=1)[0]}" if alive else ""


def _now(folder: Path) -> float:
    """The time by the clock of the file system, which also dates claims: clocks of machines may differ."""
    with tempfile.NamedTemporaryFile(dir=folder, prefix=".now.") as stream:
        return os.fstat(stream.fileno()).st_mtime


def _take(path: Path, owner: str) -> str:
    """Write a claim and return its content. Raises ``ClaimedError``."""
    content = json.dumps({"owner": owner, "mark": uuid.uuid4().hex, "host": host(), "process": os.getpid(),
                          "born": _born(os.getpid())})  # fmt: skip
    path.parent.mkdir(parents=True, exist_ok=True)
    for _ in range(3):
        try:
            handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644)
        except FileExistsError:
            _clear(path, owner)
            continue
        with os.fdopen(handle, "w", encoding="utf-8") as stream:
            stream.write(content)
        return content
    raise ClaimedError(holder(path) or "another call")


def _clear(path: Path, owner: str) -> None:
    """Remove a claim whose holder has died. Raises ``ClaimedError`` if the holder lives."""
    before = _text(path)
    if who := "" if _owner(before) == owner else holder(path):
        raise ClaimedError(who)
    # Moved away first: if another process has cleared it meanwhile and put up its own, that one is put back.
    aside = path.with_name(f"{path.name}.{uuid.uuid4().hex}")
    with suppress(FileNotFoundError):
        path.rename(aside)
        if _text(aside) != before:
            with suppress(FileExistsError), path.open("x", encoding="utf-8") as stream:
                stream.write(_text(aside))
        aside.unlink()


def _text(path: Path) -> str:
    try:
        return path.read_text("utf-8")
    except (OSError, ValueError):
        return ""


def _owner(text: str) -> str:
    try:
        return str(json.loads(text)["owner"])
    except (ValueError, KeyError, TypeError):
        return ""


@contextmanager
def claimed(record: Path, owner: str) -> Generator[None]:
    """Hold the claim on a run while the block runs.

    Args:
        record: where the run's record lies, or will lie.
        owner: name of the caller; a job that a scheduler starts again takes over the claims it held under this name.

    Raises:
        ClaimedError: another process holds it.
    """
    path = claim_path(record)
    content = _take(path, owner)
    over = threading.Event()
    toucher = threading.Thread(target=_touch, args=(path, over), daemon=True)
    toucher.start()
    try:
        yield
    finally:
        over.set()
        toucher.join()
        if _text(path) == content:  # it may have been taken over, had this machine slept
            path.unlink(missing_ok=True)


def _touch(path: Path, over: threading.Event) -> None:
    while not over.wait(TOUCH_SECONDS):
        with suppress(FileNotFoundError):
            os.utime(path)
