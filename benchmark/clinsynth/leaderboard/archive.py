"""Archives that readers hand over: received one at a time, unpacked within bounds, judged by ``validate``, deleted.

Only plain files are unpacked, only under their own names, and no more bytes than a submission may have. Nothing in an
archive is ever run. All of it happens in a process of its own with limits of memory and time: the formats are old and
rich, and what reads them can be made to take hours or all of the memory by a file of some hundred bytes.
"""

from __future__ import annotations

import asyncio
import gzip
import re
import shutil
import stat
import struct
import tarfile
import tempfile
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path, PurePosixPath
from typing import IO, Any, cast

from clinsynth.core import Bounds, UserError, clean, run_bounded
from clinsynth.submissions import CARD_FILE, validate

MOST_FILES = 20_000
"""Members of an archive: a submission with 16 tasks and all its runs has fewer than 500."""
MOST_BYTES = 512 * 1024 * 1024
"""Unpacked bytes, all files together."""
MOST_HEADER = 64 * 1024
"""Most bytes of a tar member that describes the next one, such as its long name or its attributes."""
BOUNDS = Bounds(memory=1536 * 2**20, cpu_seconds=60, wall_seconds=120, file_bytes=MOST_BYTES)
SUFFIXES = (".zip", ".tar.gz", ".tgz")
"""Suffixes of archives."""
_PLAIN = re.compile(r"[^\\:\x00-\x1f\x7f]{1,400}")
"""Names of members: no drives, no other system's separators, nothing unseen."""
_CHUNK = 1 << 20
_BLOCK = 512
_FAULTS = (
    tarfile.TarError, zipfile.BadZipFile, zipfile.LargeZipFile, zlib.error, struct.error, EOFError, OSError,
    RuntimeError, NotImplementedError, ValueError, OverflowError, KeyError, IndexError,
)  # fmt: skip
"""Exceptions of the format readers for damaged files."""


@dataclass(frozen=True, slots=True)
class _Member:
    name: str
    file: IO[bytes]


def report(path: Path, name: str = "") -> tuple[str, int]:
    """The report of ``clinsynth validate`` on the submission in an archive, and its exit status.

    Args:
        path: the archive.
        name: what its owner calls it, if not as ``path`` does.

    Raises:
        UserError: the archive cannot be read, holds what no submission may, or takes too long or too much memory.
    """
    with tempfile.TemporaryDirectory(prefix="clinsynth-", ignore_cleanup_errors=True) as place:
        words, status = cast("tuple[str, int]", run_bounded(BOUNDS, judge, path, name or path.name, Path(place)))
    return words, status


def judge(path: Path, name: str, place: Path) -> tuple[str, int]:
    """As ``report``, in this process: unpacks into ``place``, which is left for the caller to remove."""
    _unpack(path, name, place)
    folder = _submission(place, name)
    checked = validate(folder)
    # The reader knows the submission by its name, not by where it was unpacked.
    return str(checked).replace(f"{folder}/", f"{folder.name}/").replace(str(folder), folder.name), checked.exit_code


def is_archive(name: str) -> bool:
    """Whether a file of this name may be an archive."""
    return name.lower().endswith(SUFFIXES)


def _submission(place: Path, name: str) -> Path:
    entries = [entry for entry in place.iterdir() if entry.name != "__MACOSX"]
    if len(entries) == 1 and entries[0].is_dir():
        return entries[0]
    if not (place / CARD_FILE).is_file():
        found = ", ".join(sorted(entry.name[:80] for entry in entries)[:5]) or "nothing"
        raise UserError("the archive holds no submission", found=found, expected=f"one folder with {CARD_FILE}")
    # Packed without its folder: the archive's own name is the submission's.
    stem = re.sub(r"(\.tar\.gz|\.tgz|\.tar|\.zip)$", "", Path(name).name, flags=re.IGNORECASE)
    inside = place / (re.sub(r"[^A-Za-z0-9._-]", "-", stem).strip(".")[:100] or "submission")
    # Under a name that no member has.
    packed = Path(tempfile.mkdtemp(dir=place))
    for entry in entries:
        entry.rename(packed / entry.name)
    shutil.rmtree(place / "__MACOSX", ignore_errors=True)
    packed.rename(inside)
    return inside


def _unpack(path: Path, name: str, place: Path) -> None:
    left, count = MOST_BYTES, 0
    try:
        for member in _members(path, name):
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
    except _FAULTS as error:
        # Only the class: the reader's own words can hold a path of this machine.
        raise UserError(
            "the archive cannot be read", found=type(error).__name__, remedy="pack it anew as .zip"
        ) from error
    if not count:
        raise UserError("the archive is empty", expected=f"one folder with {CARD_FILE}")


def _members(path: Path, name: str) -> Iterator[_Member]:
    """The plain files. Raises ``UserError`` for links, devices and what is no archive."""
    with path.open("rb") as stream:
        begun = stream.read(_BLOCK)
    if begun[:2] == b"PK":
        yield from _of_zip(path)
    elif begun[:2] == b"\x1f\x8b" or begun[257:262] == b"ustar":
        yield from _of_tar(path, packed=begun[:2] == b"\x1f\x8b")
    else:
        raise UserError("this is no archive", found=name[:80], expected=" or ".join(SUFFIXES))


def _of_zip(path: Path) -> Iterator[_Member]:
    with zipfile.ZipFile(path) as packed:
        for entry in packed.infolist():
            if entry.is_dir():
                continue
            if stat.S_IFMT(entry.external_attr >> 16) not in (0, stat.S_IFREG):
                raise UserError("the archive holds a link", found=entry.filename[:80], expected="plain files")
            if entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
                raise UserError("the archive is packed in an unusual way", expected="deflate, as .zip has it")
            with packed.open(entry) as file:
                yield _Member(entry.filename, file)


def _of_tar(path: Path, *, packed: bool) -> Iterator[_Member]:
    with _bytes_of(path, packed=packed) as stream:
        _check_headers(stream)
    with _bytes_of(path, packed=packed) as stream, tarfile.open(fileobj=stream, mode="r:") as members:
        for info in members:
            if info.isdir():
                continue
            file = members.extractfile(info) if info.isreg() and not info.issparse() else None
            if file is None:
                raise UserError("the archive holds a link or a device", found=info.name[:80], expected="plain files")
            yield _Member(info.name, file)


def _bytes_of(path: Path, *, packed: bool) -> IO[bytes]:
    return cast("IO[bytes]", gzip.open(path, "rb")) if packed else path.open("rb")


def _check_headers(stream: IO[bytes]) -> None:
    """Read a tar as far as its headers go, before anything interprets them.

    Raises:
        UserError: a member that describes others is larger than any name or attribute, or of a form that takes the
            reader of tars a time that grows with the square of its size.
    """
    left = MOST_BYTES + MOST_FILES * 4 * _BLOCK
    while len(block := stream.read(_BLOCK)) == _BLOCK and block.strip(b"\0"):
        size = _octal(block[124:136])
        describes = block[156:157] in (b"x", b"X", b"g", b"L", b"K", b"N")
        if describes and size > MOST_HEADER:
            raise UserError("the archive has a name or an attribute that is too long",
                            expected=f"{MOST_HEADER // 1024} KiB at most", remedy="pack it anew as .zip")  # fmt: skip
        rest = -(-size // _BLOCK) * _BLOCK
        left -= _BLOCK + rest
        if left < 0:
            raise UserError("the archive is too large", expected=f"{MOST_BYTES // 2**20} MiB when unpacked")
        if describes:
            # A size of its own would have the reader of tars see headers where none were looked for.
            if re.search(rb"[0-9]{100}| (?:size|GNU\.sparse\.[a-z]*)=", stream.read(rest)):
                raise UserError("the archive has an attribute that is no attribute", remedy="pack it anew as .zip")
            continue
        while rest and (chunk := stream.read(min(rest, _CHUNK))):
            rest -= len(chunk)


def _octal(field: bytes) -> int:
    digits = field.strip(b" \0")
    if not re.fullmatch(rb"[0-7]{0,11}", digits):
        raise UserError("the archive gives a size that is no size", remedy="pack it anew as .zip")
    return int(digits or b"0", 8)


def _safe(name: str) -> PurePosixPath:
    """A member's path below the folder. Raises ``UserError`` for one that would lead out of it."""
    path = PurePosixPath(name)
    parts = [part for part in path.parts if part != "."]
    odd = path.is_absolute() or not parts or ".." in parts or not _PLAIN.fullmatch(name)
    if odd or len(parts) > 12:
        raise UserError("the archive holds an unsafe path", found=name[:80], expected="paths inside one folder")
    return PurePosixPath(*parts)


UPLOAD = 100 * 1024 * 1024
"""Largest archive that is taken, in bytes."""
AT_A_TIME = 4
"""Archives that may be received or wait at the same time; a further one is refused."""
RECEIVE_SECONDS = 300.0
_FORM = 64 * 1024
"""Bytes of a form besides its file."""


class RefusedError(Exception):
    """An upload that is refused unread, with the HTTP status for it."""

    def __init__(self, status: int, said: str) -> None:
        super().__init__(said)
        self.status = status


class Uploads:
    """One queue of archives: each is checked by itself, in the order in which they came in."""

    def __init__(self) -> None:
        self._here = 0
        self._one = asyncio.Lock()

    async def check(self, request: Any) -> str:
        """The report on the archive in a form. Raises ``RefusedError`` for what is not looked at."""
        length = request.headers.get("content-length", "")
        if not length.isdecimal():
            raise RefusedError(411, "the request does not say how long it is")
        if int(length) > UPLOAD + _FORM:
            raise RefusedError(413, f"an archive may have {UPLOAD // 2**20} MiB at most")
        if self._here >= AT_A_TIME:
            raise RefusedError(503, "other archives are being checked: come again in some minutes")
        self._here += 1
        try:
            return await self._checked(request)
        finally:
            self._here -= 1

    async def _checked(self, request: Any) -> str:
        multipart: Any = import_module("starlette.formparsers").MultiPartException
        try:
            async with asyncio.timeout(RECEIVE_SECONDS):
                # What is in the form lies in unnamed files, which are gone with the process, however it ends.
                form: Any = await request.form(max_files=1, max_fields=0)
        except TimeoutError as error:
            raise RefusedError(408, "the archive came in too slowly") from error
        except multipart as error:
            raise RefusedError(400, "the form cannot be read") from error
        try:
            file = form.get("archive")
            name = str(getattr(file, "filename", "") or "")
            if file is None or not is_archive(name):
                raise RefusedError(415, f"this is no archive: its name must end in {' or '.join(SUFFIXES)}")
            async with self._one:
                return await asyncio.to_thread(_report, file.file, Path(name).name)
        finally:
            await form.close()


def _report(stream: Any, name: str) -> str:
    with tempfile.NamedTemporaryFile(prefix="clinsynth-upload-") as stored:
        stream.seek(0)
        shutil.copyfileobj(stream, stored)
        stored.flush()
        try:
            return clean(report(Path(stored.name), name)[0])
        except UserError as error:
            return clean(str(error))
