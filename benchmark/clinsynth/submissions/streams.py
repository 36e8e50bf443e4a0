"""A stranger's files as bytes: opened only if they are regular, unpacked while they are read, never beyond a bound."""

from __future__ import annotations

import gzip
import os
import stat
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, cast


class NotRegularError(OSError):
    """A folder, link, pipe or device where a file is expected."""


def open_regular(path: Path, *, follow: bool = False) -> IO[bytes]:
    """The bytes of a regular file as they are stored.

    Args:
        path: the file.
        follow: whether a link may stand for its target; nobody's submission may hold one, but a path that the user
            typed may be one.

    Raises:
        NotRegularError: it is a folder, link, pipe or device.
        OSError: it cannot be opened.
    """
    # Without O_NONBLOCK, opening a pipe that nobody writes to would wait for ever.
    flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)
    if not follow:
        flags |= getattr(os, "O_NOFOLLOW", 0)
        if path.is_symlink():
            raise NotRegularError(f"{path.name} is a link, not a file")
    # Before it is opened: to open a device may do something.
    if not stat.S_ISREG(path.stat().st_mode):
        raise NotRegularError(f"{path.name} is not a regular file")
    handle = os.open(path, flags)
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        os.close(handle)
        raise NotRegularError(f"{path.name} is not a regular file")
    return os.fdopen(handle, "rb")


@contextmanager
def open_bytes(path: Path, *, follow: bool = False) -> Generator[IO[bytes]]:
    """The unpacked bytes of a regular file as a stream; ``.gz`` is unpacked while it is read. Raises as above."""
    with open_regular(path, follow=follow) as stored:
        if path.suffix != ".gz":
            yield stored
            return
        with gzip.GzipFile(fileobj=stored, mode="rb") as unpacked:
            yield cast("IO[bytes]", unpacked)


def read_bounded(path: Path, most: int) -> bytes | None:
    """The bytes of a small regular file; ``None`` if there are more than ``most``. Raises as above."""
    with open_regular(path) as stream:
        content = stream.read(most + 1)
    return content if len(content) <= most else None
