"""A stranger's archive: unpacked within bounds into a folder of its own, judged by ``validate``, and deleted.

Only plain files are unpacked, only under their own names, and no more bytes than a submission may have. Nothing in an
archive is ever run.
"""

from __future__ import annotations

import shutil
import stat
import tarfile
import tempfile
import zipfile
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO

from clinsynth.core import UserError
from clinsynth.submissions import CARD_FILE, validate

MOST_FILES = 20_000
"""Members of an archive: a submission with 16 tasks and all its runs has fewer than 500."""
MOST_BYTES = 512 * 1024 * 1024
"""Unpacked bytes, all files together."""
_CHUNK = 1 << 20


@dataclass(frozen=True, slots=True)
class _Member:
    name: str
    file: IO[bytes]


def report(path: Path) -> tuple[str, int]:
    """What ``clinsynth validate`` says of the submission in an archive, and its exit status.

    Raises:
        UserError: the archive cannot be read, or holds what no submission may.
    """
    with unpacked(path) as folder:
        found = validate(folder)
        # The reader knows the submission by its name, not by where it was unpacked.
        return str(found).replace(f"{folder}/", f"{folder.name}/").replace(str(folder), folder.name), found.exit_code


@contextmanager
def unpacked(path: Path) -> Generator[Path]:
    """The folder of the submission in an archive, for as long as the block lasts."""
    place = Path(tempfile.mkdtemp(prefix="clinsynth-"))
    try:
        _unpack(path, place)
        yield _submission(place, path)
    finally:
        shutil.rmtree(place, ignore_errors=True)


def _submission(place: Path, path: Path) -> Path:
    entries = [entry for entry in place.iterdir() if entry.name != "__MACOSX"]
    if len(entries) == 1 and entries[0].is_dir():
        return entries[0]
    if not (place / CARD_FILE).is_file():
        found = ", ".join(sorted(entry.name for entry in entries)[:5]) or "nothing"
        raise UserError("the archive holds no submission", found=found, expected=f"one folder with {CARD_FILE}")
    # Packed without its folder: the archive's own name is the submission's.
    name = path.name.split(".tar")[0].removesuffix(".zip").removesuffix(".tgz") or "submission"
    inside = place / name
    inside.mkdir()
    for entry in entries:
        entry.rename(inside / entry.name)
    return inside


def _unpack(path: Path, place: Path) -> None:
    left, count = MOST_BYTES, 0
    try:
        for member in _members(path):
            count += 1
            if count > MOST_FILES:
                raise UserError("the archive has too many files", expected=f"{MOST_FILES:,} at most")
            target = place / _safe(member.name)
            target.parent.mkdir(parents=True, exist_ok=True)
            with target.open("xb") as out:
                while chunk := member.file.read(_CHUNK):
                    left -= len(chunk)
                    if left < 0:
                        raise UserError("the archive is too large", expected=f"{MOST_BYTES // 2**20} MiB when unpacked")
                    out.write(chunk)
    except (
        tarfile.TarError,
        zipfile.BadZipFile,
        EOFError,
        OSError,
        RuntimeError,
        NotImplementedError,
        ValueError,
    ) as e:
        raise UserError("the archive cannot be read", found=type(e).__name__, remedy="pack it anew as .zip") from e
    if not count:
        raise UserError("the archive is empty", expected=f"one folder with {CARD_FILE}")


def _members(path: Path) -> Iterator[_Member]:
    """The plain files. Raises ``UserError`` for links, devices and what is no archive."""
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as packed:
            for entry in packed.infolist():
                kind = stat.S_IFMT(entry.external_attr >> 16)
                if entry.is_dir():
                    continue
                if kind not in (0, stat.S_IFREG):
                    raise UserError("the archive holds a link", found=entry.filename[:80], expected="plain files")
                with packed.open(entry) as file:
                    yield _Member(entry.filename, file)
        return
    if not tarfile.is_tarfile(path):
        raise UserError("this is no archive", found=path.name[:80], expected=".zip, .tar.gz or .tgz")
    with tarfile.open(path) as packed:
        for info in packed:
            if info.isdir():
                continue
            file = packed.extractfile(info) if info.isreg() else None
            if file is None:
                raise UserError("the archive holds a link or a device", found=info.name[:80], expected="plain files")
            yield _Member(info.name, file)


def _safe(name: str) -> PurePosixPath:
    """A member's path below the folder. Raises ``UserError`` for one that would lead out of it."""
    path = PurePosixPath(name)
    parts = [part for part in path.parts if part != "."]
    odd = path.is_absolute() or not parts or ".." in parts or any(c in name for c in "\\:\0") or len(name) > 400
    if odd or len(parts) > 12:
        raise UserError("the archive holds an unsafe path", found=name[:80], expected="paths inside one folder")
    return PurePosixPath(*parts)
