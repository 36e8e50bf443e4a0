"""The file of a bundle: a zip archive that Python runs, written whole or not at all."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shutil
import sys
import zipfile
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import clinsynth
from clinsynth.bundle import installer
from clinsynth.bundle.contents import Contents, Member, Part, Request, member
from clinsynth.bundle.packages import (
    collect,
    installed_size,
    missing,
    pinned,
    requirement,
    source_folder,
    system,
)
from clinsynth.core import Progress, UserError, progress

LISTING = installer.LISTING
_MOMENT = (1980, 1, 1, 0, 0, 0)
"""The time of every member: the same contents give the same bytes."""
_CHUNK = 2**20


@dataclass(frozen=True, slots=True)
class Written:
    """A bundle that was written."""

    parts: tuple[Part, ...]
    size: int
    """Bytes of the file."""
    listing_sha256: str
    """Digest of the listing, which holds those of all files; it identifies the bundle."""


def write_bundle(request: Request, contents: Contents) -> Written:
    """Collect the packages and write everything into one file.

    Raises:
        UserError: packages cannot be had, another call writes the same file, or a file changed meanwhile.
    """
    request.out.parent.mkdir(parents=True, exist_ok=True)
    with _alone(request.out) as part:
        parts = [*contents.parts, *([_packages(request)] if request.packages else [])]
        members = sorted((each for one in parts for each in one.members), key=lambda each: each.name)
        listing = _listing(request, contents, parts, members)
        with progress("bundle", sum(each.size for each in members)) as bar, part.open("wb") as stream:
            # Data under an agreement is for its owner alone, from the first byte on.
            part.chmod(0o600 if contents.restricted else 0o644)
            _write(stream, listing, members, bar)
            stream.flush()
            os.fsync(stream.fileno())
        part.replace(request.out)
    if request.packages and request.wheels is None:
        shutil.rmtree(default_wheels(request.out), ignore_errors=True)
    return Written(tuple(parts), request.out.stat().st_size, hashlib.sha256(listing).hexdigest())


def packages_to_get(request: Request) -> str:
    """Packages in words: how many are here, how many would be fetched, and their approximate size."""
    packages = pinned(source_folder(request.source))
    todo = missing(packages, request.wheels or default_wheels(request.out))
    unpacked = installed_size(packages)
    return (
        f"{'':>10}     packages: {len(packages)} in the lock, {len(packages) - len(todo)} here, {len(todo)} to fetch; "
        f"unpacked they take {unpacked / 1e6:,.0f} MB here, as wheels about a third of it"
    )


def default_wheels(out: Path) -> Path:
    """Default folder for packages; it is removed when the bundle is written."""
    return out.with_name(f".{out.name}.wheels")


@contextmanager
def _alone(out: Path) -> Generator[Path]:
    """A file beside ``out`` for this call alone; remains of a killed call are overwritten."""
    part = out.with_name(f".{out.name}.part")
    with part.open("ab") as held:
        try:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise UserError(f"{out} is being written by another call", remedy="wait for it") from None
        try:
            yield part
        except OSError as error:
            error.filename = str(out) if error.filename in (None, str(part)) else error.filename
            raise
        finally:
            part.unlink(missing_ok=True)


def _packages(request: Request) -> Part:
    source = source_folder(request.source)
    with progress("packages", len(pinned(source))) as bar:
        wheels = collect(source, request.wheels or default_wheels(request.out), request.extras, bar)
    members = tuple(member(f"wheels/{path.name}", path) for path in wheels)
    return Part("packages", f"{len(members)} wheels for {requirement(request.extras)}", members)


def _listing(request: Request, contents: Contents, parts: Sequence[Part], members: Sequence[Member]) -> bytes:
    """What the bundle holds, without a time and without a path of this machine."""
    listing: dict[str, Any] = {
        "format": 1,
        "clinsynth": clinsynth.__version__,
        "python": f"{sys.version_info[0]}.{sys.version_info[1]}",
        "system": system(),
        "requirement": requirement(request.extras) if request.packages else "",
        "restricted": contents.restricted,
        "parts": [{"what": each.what, "about": each.about, "size": each.size} for each in parts],
        "left_out": [{"what": what, "why": why} for what, why in contents.left_out],
        "files": [{"name": each.name, "size": each.size, "sha256": each.sha256} for each in members],
    }
    return (json.dumps(listing, indent=1, ensure_ascii=False) + "\n").encode()


def _write(stream: IO[bytes], listing: bytes, members: Sequence[Member], bar: Progress) -> None:
    # Stored, not packed: most of it is packed already, and the bytes depend on no library.
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_STORED) as archive:
        archive.writestr(_entry("__main__.py"), Path(installer.__file__).read_bytes())
        archive.writestr(_entry(LISTING), listing)
        for each in members:
            bar.show(each.name)
            entry, digest = _entry(each.name), hashlib.sha256()
            entry.file_size = each.size
            with each.path.open("rb") as source, archive.open(entry, "w") as out:
                while chunk := source.read(_CHUNK):
                    digest.update(chunk)
                    out.write(chunk)
                    bar.advance(len(chunk))
            if digest.hexdigest() != each.sha256:
                raise UserError(f"{each.path} changed while it was read", remedy="call again")


def _entry(name: str) -> zipfile.ZipInfo:
    entry = zipfile.ZipInfo(name, _MOMENT)
    entry.external_attr = 0o644 << 16
    return entry
