"""Files are written whole or not at all; compressed files have the same bytes for the same content."""

from __future__ import annotations

import errno
import gzip
import hashlib
import json
import os
import stat
import tempfile
from collections.abc import Generator, Iterable
from contextlib import contextmanager
from pathlib import Path
from typing import Any


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


def canonical_json(value: Any) -> str:
    """One line of JSON that depends on the value alone: sorted keys, no spaces, text unescaped."""
    return json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":"), allow_nan=False)


def write_json(target: Path, value: Any) -> None:
    """Write readable JSON, atomically."""
    write_text(target, json.dumps(value, indent=1, ensure_ascii=False, allow_nan=False) + "\n")


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
    """sha256 of what ``write_jsonl_gz`` would write, unpacked."""
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


def unpacked_bytes(path: Path) -> bytes:
    """Content of a file, unpacked if its name ends in ``.gz``."""
    return gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()


def read_regular(path: Path, limit: int) -> bytes:
    """The bytes of a regular file of at most ``limit`` bytes.

    Raises:
        OSError: there is none; it is a link, a pipe, a device or a folder; or it is larger.
    """
    # Without O_NONBLOCK the opening of a pipe waits for its writer, for ever; a device never ends.
    handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW)
    with os.fdopen(handle, "rb") as stream:
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            raise OSError(errno.EINVAL, "not a file", str(path))
        content = stream.read(limit + 1)
    if len(content) > limit:
        raise OSError(errno.EFBIG, f"larger than {limit:,} bytes", str(path))
    return content
