"""Who is at a run: a small file beside its record. Two calls on one folder share the work, and no run is done twice.

A claim is a lease. Its holder touches it while it works; one whose holder is no more is anybody's. On the holder's own
machine the process table says so at once, elsewhere the age of the file does: that needs no locks, which not every
network file system has.
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
    """Somebody else is at the run; the message says who."""


def claim_path(record: Path) -> Path:
    """Where the claim of a run lies whose record is, or will be, at ``record``: hidden, so that nobody reads it."""
    return record.with_name(f".{record.stem}.claim")


def host() -> str:
    """This machine; processes of two containers do not see each other even where both have its name."""
    with suppress(OSError):
        return f"{socket.gethostname()} {Path('/proc/self/ns/pid').readlink()}"
    return socket.gethostname()


def _born(process: int) -> str:
    """When a process began, in the kernel's ticks; empty if there is no such process, ``?`` where that is not said."""
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
    """Who holds the claim at ``path``, for people; empty if there is none, or it was left behind."""
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
    """The time by the clock of the file system, which touches claims too: machines may go differently."""
    with tempfile.NamedTemporaryFile(dir=folder, prefix=".now.") as stream:
        return os.fstat(stream.fileno()).st_mtime


def _take(path: Path, owner: str) -> str:
    """Put up a claim; gives what stands in it. Raises ``ClaimedError``."""
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
    """Remove a claim that was left behind. Raises ``ClaimedError`` if it was not."""
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
    """Hold the claim of a run for the length of a block.

    Args:
        record: where the run's record lies, or will lie.
        owner: who asks; a scheduler's job that is started again takes over what it held itself.

    Raises:
        ClaimedError: somebody else holds it.
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
