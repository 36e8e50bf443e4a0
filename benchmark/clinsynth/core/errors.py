"""Errors that the user can put right: one message with place, found, expected and remedy, never a traceback."""

from __future__ import annotations

import errno
from collections.abc import Iterable
from difflib import get_close_matches


class UserError(Exception):
    """An error that only the user can put right. The command line prints it and exits with status 2."""

    def __init__(self, what: str, *, found: str = "", expected: str = "", remedy: str = "") -> None:
        """``what`` names the place and the fault; the other parts are printed one to a line."""
        parts = {"found": found, "expected": expected, "remedy": remedy}
        super().__init__("\n".join([what, *(f"  {k}: {v}" for k, v in parts.items() if v)]))

    def __reduce__(self) -> tuple[type[UserError], tuple[str]]:
        # Errors come back from worker processes; there only the message counts.
        return UserError, (str(self),)


class NotPreparedError(UserError):
    """A task, or the split that is needed, is not in the data folder."""


class UnknownNameError(UserError):
    """A name that no registry has; carries the nearest names."""

    def __init__(self, kind: str, name: str, known: Iterable[str]) -> None:
        """``kind`` is what the name should have been: task, baseline, recipe..."""
        names = sorted(known)
        near = get_close_matches(name, names, n=3)
        super().__init__(
            f"unknown {kind} {name!r}",
            expected=", ".join(names) or f"no {kind} is known here",
            remedy=f"did you mean {' or '.join(near)}?" if near else "",
        )


_FAULTS = {
    errno.ENOSPC: ("the disk is full", "make room and call again: what was finished is kept"),
    errno.EDQUOT: ("your share of the disk is used up", "make room and call again: what was finished is kept"),
    errno.EFBIG: ("a file may not become as large as it has to", "raise the limit (ulimit -f) and call again"),
    errno.EROFS: ("the folder is on a read-only file system", "name a folder that can be written to"),
    errno.EACCES: ("permission is denied", "name a folder that you may read and write, or have its owner let you"),
    errno.EPERM: ("permission is denied", "name a folder that you may read and write, or have its owner let you"),
    errno.ENOTDIR: ("a file stands where a folder should be", "name another folder"),
    errno.EISDIR: ("a folder stands where a file should be", "name another file"),
    errno.EIO: ("the disk cannot be read or written", "look after the disk"),
    errno.EMFILE: ("too many files are open", "raise the limit (ulimit -n) and call again"),
}


def machine_fault(error: OSError) -> UserError | None:
    """An error of the operating system as a ``UserError`` with a remedy; ``None`` if it is no fault of the machine."""
    known = _FAULTS.get(error.errno or 0)
    if known is None:
        return None
    what, remedy = known
    place = error.filename2 or error.filename
    return UserError(f"{place}: {what}" if place else what, remedy=remedy)
