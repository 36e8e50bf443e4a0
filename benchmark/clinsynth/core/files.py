"""Files are written whole or not at all; compressed files have the same bytes for the same content."""

from __future__ import annotations

import csv
import gzip
import hashlib
import io
import json
import os
import re
import stat
import tempfile
from collections.abc import Generator, Iterable, Iterator, Sequence
from contextlib import contextmanager
from fnmatch import fnmatchcase
from pathlib import Path
from typing import IO, Any, cast

MAX_UNPACKED = 512 * 2**20
"""Bytes of one unpacked file, where nothing says how many there may be."""
_CHUNK = 2**20


class UnfitFileError(OSError):
    """A path that is no regular file, or one that holds more than it may. The message has no path."""

    def __init__(self, code: str, message: str) -> None:
        """``code`` is ``not-a-file`` or ``too-large``."""
        super().__init__(message)
        self.code = code


@contextmanager
def atomic_path(target: Path) -> Generator[Path]:
    """Give a temporary path beside ``target`` that is moved there if the block ends well."""
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        handle, name = tempfile.mkstemp(prefix=f".{target.name}.", dir=target.parent)
    except OSError as error:
        error.filename = str(target)
        raise
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        with temporary.open("rb") as written:
            os.fsync(written.fileno())
        temporary.chmod(0o644)
        temporary.replace(target)
    except OSError as error:
        # A full disk is told without a name, and a temporary name says nothing to the user.
        if error.filename in (None, name):
            error.filename = str(target)
        raise
    finally:
        temporary.unlink(missing_ok=True)


def write_text(target: Path, text: str) -> None:
    """Write ``text`` as UTF-8, atomically."""
    with atomic_path(target) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_bytes(target: Path, content: bytes) -> None:
    """Write ``content`` atomically."""
    with atomic_path(target) as temporary:
        temporary.write_bytes(content)


def canonical_json(value: Any) -> str:
    """One line of JSON that depends on the value alone: sorted keys, no spaces, text unescaped."""
    return json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":"), allow_nan=False)


def write_json(target: Path, value: Any) -> None:
    """Write readable JSON, atomically."""
    write_text(target, json.dumps(value, indent=1, ensure_ascii=False, allow_nan=False) + "\n")


_FORMULA = re.compile(r"'*[=+\-@\t\r]")
"""How text begins that a spreadsheet would run, or that has been kept from that."""


def csv_text(head: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    """CSV in which a spreadsheet finds no formula: text that begins like one has an apostrophe before it.

    ``without_guard`` takes the apostrophe away again. ``None`` is an empty field.
    """
    out = io.StringIO(newline="")
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(head)
    writer.writerows([_guarded(value) for value in row] for row in rows)
    return out.getvalue()


def _guarded(value: Any) -> Any:
    return f"'{value}" if isinstance(value, str) and _FORMULA.match(value) else value


def without_guard(text: str) -> str:
    """A field of ``csv_text`` as it was before it was written."""
    return text[1:] if text.startswith("'") and _FORMULA.match(text) else text


def write_jsonl_gz(target: Path, rows: Iterable[Any]) -> str:
    """Write gzipped JSON Lines atomically and return the sha256 of the unpacked content."""
    digest = hashlib.sha256()
    with (
        atomic_path(target) as temporary,
        temporary.open("wb") as raw,
        # No name and no time in the header: the same rows give the same file.
        gzip.GzipFile(filename="", fileobj=raw, mode="wb", mtime=0, compresslevel=6) as packed,
    ):
        for row in rows:
            line = _json_line(row)
            digest.update(line)
            packed.write(line)
    return digest.hexdigest()


def sha256_jsonl(rows: Iterable[Any]) -> str:
    """sha256 of the unpacked content that ``write_jsonl_gz`` would write."""
    digest = hashlib.sha256()
    for row in rows:
        digest.update(_json_line(row))
    return digest.hexdigest()


def _json_line(row: Any) -> bytes:
    return (json.dumps(row, ensure_ascii=False, allow_nan=False) + "\n").encode()


def sha256_lines(rows: Iterable[Any]) -> str:
    """sha256 over the canonical JSON of each row and a newline."""
    digest = hashlib.sha256()
    for row in rows:
        digest.update(canonical_json(row).encode() + b"\n")
    return digest.hexdigest()


def sha256_file(path: Path) -> str:
    """sha256 of a file's bytes as they are stored."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def open_regular(path: Path, limit: int | None = None, *, follow: bool = False) -> IO[bytes]:
    """Open a regular file, without waiting for a pipe.

    Args:
        path: the file.
        limit: bytes that it may have as it is stored; ``None``: any number.
        follow: whether a link may stand for its target: a path that the user typed may be one, nothing that a stranger
            handed in may.

    Raises:
        UnfitFileError: it is a folder, a link, a pipe or a device, or it is larger.
        OSError: it cannot be opened.
    """
    # A link could show any file of this machine, a device never ends, and opening a pipe would wait for its writer.
    _check_regular(path.stat() if follow else path.lstat(), limit)
    flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)
    flags |= 0 if follow else getattr(os, "O_NOFOLLOW", 0)
    handle = os.open(path, flags)
    try:
        _check_regular(os.fstat(handle), limit)  # what was opened is what counts, should it have been swapped
    except UnfitFileError:
        os.close(handle)
        raise
    return os.fdopen(handle, "rb")


_KINDS = (
    (stat.S_ISLNK, "a link"),
    (stat.S_ISDIR, "a folder"),
    (stat.S_ISFIFO, "a pipe"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISREG, ""),
)


def _check_regular(status: os.stat_result, limit: int | None) -> None:
    kind = next((name for holds, name in _KINDS if holds(status.st_mode)), "a device")
    if kind:
        raise UnfitFileError("not-a-file", f"{kind}, not a file")
    if limit is not None and status.st_size > limit:
        raise UnfitFileError("too-large", f"{status.st_size:,} bytes, at most {limit:,} are read")


def read_regular(path: Path, limit: int) -> bytes:
    """The bytes of a regular file of at most ``limit`` bytes. Raises as ``open_regular``."""
    with open_regular(path, limit) as stream:
        return _bounded(stream, limit)


@contextmanager
def open_bytes(path: Path, *, follow: bool = False) -> Generator[IO[bytes]]:
    """A regular file as a stream; ``.gz`` is unpacked while it is read. Otherwise as ``open_regular``."""
    with open_regular(path, follow=follow) as stored:
        if path.suffix != ".gz":
            yield stored
            return
        with gzip.GzipFile(fileobj=stored, mode="rb") as unpacked:
            yield cast("IO[bytes]", unpacked)


def unpacked_bytes(path: Path, limit: int = MAX_UNPACKED) -> bytes:
    """Content of a regular file, unpacked if its name ends in ``.gz``: at most ``limit`` bytes.

    No more than the limit is ever unpacked, whatever the file would grow to. Raises as ``open_regular``, and
    ``EOFError`` or ``zlib.error`` for a damaged file.
    """
    packed_limit = limit + 1_024 if path.suffix == ".gz" else limit  # what gzip cannot pack, it lengthens a little
    with open_regular(path, packed_limit) as stream:
        if path.suffix != ".gz":
            return _bounded(stream, limit)
        with gzip.GzipFile(fileobj=stream, mode="rb") as packed:
            return _bounded(cast("IO[bytes]", packed), limit)


def _bounded(stream: IO[bytes], limit: int) -> bytes:
    parts: list[bytes] = []
    size = 0
    while part := stream.read(_CHUNK):
        size += len(part)
        if size > limit:
            raise UnfitFileError("too-large", f"more than {limit:,} bytes")
        parts.append(part)
    return b"".join(parts)


def stored_paths(base: Path, pattern: str) -> Iterator[Path]:
    """Paths below ``base`` that fit a pattern such as ``*/n*/seed*.json``, sorted; hidden ones left out.

    Unlike a glob it enters no link: a link in the place of a folder is given itself, so that its
    reader reports what it is; so is anything in the place of a file.
    """
    first, _, rest = pattern.partition("/")
    if base.is_symlink():
        yield base
        return
    if not base.is_dir():
        return
    for path in sorted(base.iterdir()):
        if path.name.startswith(".") or not fnmatchcase(path.name, first):
            continue
        if not rest:
            yield path
        else:
            yield from stored_paths(path, rest)
