"""Folders: the user's own for what may be lost, those that one call has to itself, and those replaced as a whole.

A reader of the last meets the old one or the new one, whatever becomes of the writer.
"""

from __future__ import annotations

import ctypes
import errno
import fcntl
import os
import shutil
import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from clinsynth.core.errors import UserError

_HERE = -100  # AT_FDCWD
_EXCHANGE = 2  # RENAME_EXCHANGE


def user_cache() -> Path:
    """``$XDG_CACHE_HOME/clinsynth``, else ``~/.cache/clinsynth``."""
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "clinsynth"


@contextmanager
def held_folder(folder: Path) -> Generator[None]:
    """Have a folder, which may be there already, for this call alone; if the block ends well, it is removed.

    A call that is interrupted or killed leaves it to the next one, with what is in it.

    Raises:
        BlockingIOError: another call has it.
    """
    with _turn(folder.parent):
        folder.mkdir(exist_ok=True)
        held = _hold(folder)
    try:
        yield
        # A call that has just made sure that the folder is there must not see it go before it holds it.
        with _turn(folder.parent):
            shutil.rmtree(folder)
    finally:
        os.close(held)


@contextmanager
def replaced_folder(folder: Path) -> Generator[Path]:
    """Give an empty folder beside ``folder`` that takes its place if the block ends well.

    What a killed call left beside it is removed by the next one; a call that still works is left alone.

    Raises:
        UserError: ``folder`` is a mount point, which nothing can take the place of.
    """
    # A link is followed: what it leads to is replaced, and the link goes on leading there.
    target = folder.resolve()
    if target.is_dir() and os.path.ismount(target):
        raise UserError(f"{folder} is a mount point, and cannot be replaced", remedy=f"name a folder in it: {folder}/x")
    target.parent.mkdir(parents=True, exist_ok=True)
    fresh, held = _begun(target)
    try:
        yield fresh
        fresh.chmod(0o755)
        _put_in_place(fresh, target)
    finally:
        # After an exchange it is the old folder that lies under the temporary name.
        shutil.rmtree(fresh, ignore_errors=True)
        os.close(held)


def _begun(target: Path) -> tuple[Path, int]:
    """A fresh folder and the file descriptor that holds its lock, after what killed calls left is put right."""
    prefix = f".{target.name}.new-"
    # A folder that another call has just made and not locked yet is not one that was left.
    with _turn(target.parent):
        if (old := _old(target)).exists():
            if target.exists():
                shutil.rmtree(old, ignore_errors=True)
            else:
                old.rename(target)
        for left in target.parent.glob(f"{prefix}*"):
            _remove_unless_held(left)
        fresh = Path(tempfile.mkdtemp(prefix=prefix, dir=target.parent))
        return fresh, _hold(fresh)


@contextmanager
def _turn(folder: Path) -> Generator[None]:
    """One call at a time: the others wait."""
    held = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(held, fcntl.LOCK_EX)
        yield
    finally:
        os.close(held)


def _hold(folder: Path) -> int:
    """Lock a folder until the file descriptor is closed; the kernel does that when this process ends, however it ends.

    Raises:
        BlockingIOError: another call has locked it.
    """
    held = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(held)
        raise
    return held


def _old(target: Path) -> Path:
    return target.with_name(f".{target.name}.old")


def _remove_unless_held(left: Path) -> None:
    try:
        held = _hold(left)
    except OSError:
        return
    try:
        shutil.rmtree(left, ignore_errors=True)
    finally:
        os.close(held)


def _put_in_place(fresh: Path, target: Path) -> None:
    try:
        fresh.rename(target)  # where there is nothing, or an empty folder
    except OSError as error:
        if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
            raise
        _exchange(fresh, target)


def _exchange(fresh: Path, target: Path) -> None:
    """Swap two folders in one step where the system can; else in two, with nothing there for an instant between."""
    call = getattr(ctypes.CDLL(None, use_errno=True), "renameat2", None)
    if call is not None and call(_HERE, os.fsencode(fresh), _HERE, os.fsencode(target), _EXCHANGE) == 0:
        return
    # A call that is killed between the two is put right by the next one.
    target.rename(_old(target))
    fresh.rename(target)
    shutil.rmtree(_old(target), ignore_errors=True)
