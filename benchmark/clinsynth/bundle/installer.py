"""The program of a bundle: it checks every file by its digest and installs without a network.

    python3 clinsynth-bundle.zip DIR        install into DIR; a call that was stopped goes on
    python3 clinsynth-bundle.zip --list     what is in it, and under which licence
    python3 clinsynth-bundle.zip --check    the digests of all files, and nothing else

It stands in the bundle as ``__main__.py`` and runs before anything is installed: it uses the standard library alone.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import platform
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path, PurePosixPath
from typing import Any

LISTING = "listing.json"
INSTALLED = ".installed"
"""File with the digest of the listing whose installation was completed."""
CHUNK = 2**20
WRAPPER = """#!/bin/sh
# clinsynth as it was installed here, with the data and the students beside it and without a network.
here=$(dirname -- "$(readlink -f -- "$0")")
export HF_HUB_OFFLINE=1 HF_DATASETS_OFFLINE=1
export CLINSYNTH_DATA="${CLINSYNTH_DATA:-$here/data}" CLINSYNTH_WEIGHTS="${CLINSYNTH_WEIGHTS:-$here/weights}"
exec "$here/venv/bin/clinsynth" "$@"
"""


class StopError(Exception):
    """Stops the installation with one line for the user."""


def main(words: list[str] | None = None, bundle: Path | None = None) -> int:
    """Exit status 0: installed; 2: not possible, with the reason on standard error."""
    bundle = bundle or Path(__file__).parent
    parser = argparse.ArgumentParser(prog=f"python3 {bundle.name}", description="Install clinsynth without a network.")
    parser.add_argument("folder", nargs="?", type=Path, metavar="DIR", help="where to install")
    parser.add_argument("--list", action="store_true", help="say what is in it")
    parser.add_argument("--check", action="store_true", help="compare every file with its digest, and install nothing")
    parser.add_argument("--expect", default="", metavar="SHA256", help="stop unless the listing has this digest")
    arguments = parser.parse_args(words)
    if not (arguments.folder or arguments.list or arguments.check):
        parser.error("name a folder to install into, or --list, or --check")
    try:
        with zipfile.ZipFile(bundle) as archive:
            listing, digest = read_listing(archive)
            if arguments.expect and arguments.expect != digest:
                raise StopError(f"the listing has the digest {digest}, not the one that --expect names")
            if arguments.list:
                say(*described(listing, digest))
            if arguments.check:
                for each in listing["files"]:
                    check(archive, each)
                say(f"{len(listing['files']):,} files are as listed ({digest})")
            if arguments.folder:
                install(archive, listing, digest, arguments.folder)
    except (StopError, zipfile.BadZipFile) as error:
        sys.stderr.write(f"{bundle.name}: {error}\n")
        return 2
    except OSError as error:
        sys.stderr.write(f"{bundle.name}: {error.filename or ''}: {error.strerror or error}\n")
        return 2
    except KeyboardInterrupt:
        sys.stderr.write("\nstopped; the same command goes on from there\n")
        return 130
    return 0


def say(*lines: str) -> None:
    """Print a line for the user."""
    sys.stdout.write("".join(f"{line}\n" for line in lines))
    sys.stdout.flush()


def read_listing(archive: zipfile.ZipFile) -> tuple[dict[str, Any], str]:
    """The listing and its digest. The archive must hold what is listed and nothing else."""
    try:
        raw = archive.read(LISTING)
    except KeyError:
        raise StopError("it has no listing, and is no bundle") from None
    listing = json.loads(raw)
    names = [each["name"] for each in listing["files"]]
    for name in names:
        path = PurePosixPath(name)
        if path.is_absolute() or ".." in path.parts or "\\" in name or not path.parts:
            raise StopError(f"it lists {name!r}, which lies outside of it")
    stored = archive.namelist()
    extra = set(stored) - {*names, LISTING, "__main__.py"}
    if extra or len(set(stored)) != len(stored) or not set(names) <= set(stored):
        odd = sorted(extra | (set(names) - set(stored))) or ["a name twice"]
        raise StopError(f"its files are not those of its listing: {', '.join(odd[:5])}; copy it again")
    return listing, hashlib.sha256(raw).hexdigest()


def described(listing: dict[str, Any], digest: str) -> list[str]:
    """The listing in words."""
    lines = [f"clinsynth {listing['clinsynth']} for Python {listing['python']} on {listing['system']}", ""]
    lines += [f"{part['size'] / 1e6:10,.1f} MB  {part['what']}: {part['about']}" for part in listing["parts"]]
    lines += [f"{'':>10}     not in it: {left['what']}: {left['why']}" for left in listing["left_out"]]
    total = sum(each["size"] for each in listing["files"])
    return [*lines, "", f"{len(listing['files']):,} files, {total / 1e6:,.1f} MB; digest of the listing {digest}"]


def check(archive: zipfile.ZipFile, each: dict[str, Any], target: Path | None = None) -> None:
    """Compare one file with its digest; it is written to ``target`` if there is one."""
    digest, size = hashlib.sha256(), 0
    try:
        with archive.open(each["name"]) as source, (target or Path(os.devnull)).open("wb") as out:
            while part := source.read(CHUNK):
                digest.update(part)
                size += len(part)
                out.write(part)
    except (zipfile.BadZipFile, EOFError) as error:
        raise StopError(f"{each['name']} cannot be read ({error}): copy the bundle again") from None
    if (size, digest.hexdigest()) != (each["size"], each["sha256"]):
        raise StopError(f"{each['name']} is not as listed: copy the bundle again")


def install(archive: zipfile.ZipFile, listing: dict[str, Any], digest: str, folder: Path) -> None:
    """Unpack and install; files of an earlier call are kept if their digests match."""
    here = f"{sys.version_info[0]}.{sys.version_info[1]}"
    if listing["requirement"] and (here, system()) != (listing["python"], listing["system"]):
        raise StopError(
            f"its packages are for Python {listing['python']} on {listing['system']}, and this is Python {here} on "
            f"{system()}: call it with another Python, or write the bundle on a machine like this one"
        )
    if listing["restricted"]:
        os.umask(0o077)  # data under an agreement: for its user alone
    folder.mkdir(parents=True, exist_ok=True)
    folder = folder.resolve()
    done = folder / INSTALLED
    if done.is_file() and done.read_text("ascii").strip() == digest:
        say(f"{folder}: installed already")
        return
    done.unlink(missing_ok=True)
    need, free = sum(each["size"] for each in listing["files"]), shutil.disk_usage(folder).free
    if free < need and not any(folder.iterdir()):
        raise StopError(f"{folder} has room for {free / 1e6:,.0f} MB, and {need / 1e6:,.0f} MB are needed at least")
    unpack(archive, listing["files"], folder)
    if listing["requirement"]:
        install_packages(folder, listing["requirement"])
        wrapper = folder / "clinsynth"
        wrapper.write_text(WRAPPER, "ascii")
        wrapper.chmod(0o755 if not listing["restricted"] else 0o700)
        version = run([str(wrapper), "--version"])
        say(f"{version.strip()} is installed", "", f"next: cd {folder} && ./clinsynth standings")
    else:
        say(f"unpacked into {folder}; it has no packages: set CLINSYNTH_DATA={folder / 'data'}")
    done.write_text(digest + "\n", "ascii")


def system() -> str:
    """Name of the operating system and processor."""
    return f"{platform.system()}-{platform.machine()}".lower()


def unpack(archive: zipfile.ZipFile, files: list[dict[str, Any]], folder: Path) -> None:
    """Write every missing file; it gets its name once it is complete and its digest matches."""
    for number, each in enumerate(files, 1):
        target = folder / each["name"]
        if target.is_file() and target.stat().st_size == each["size"] and digest_of(target) == each["sha256"]:
            continue
        target.parent.mkdir(parents=True, exist_ok=True)
        part = target.with_name(f".{target.name}.part")
        try:
            check(archive, each, part)
            part.replace(target)
        finally:
            part.unlink(missing_ok=True)
        if number % 50 == 0 or each["size"] > 50 * CHUNK:
            say(f"unpacked {number:,} of {len(files):,} files: {each['name']}")
    say(f"unpacked and checked {len(files):,} files")


def digest_of(path: Path) -> str:
    """sha256 of a file."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def install_packages(folder: Path, requirement: str) -> None:
    """A virtual environment with the packages of the bundle; nothing is looked for elsewhere."""
    venv = folder / "venv"
    say("installing the packages; some minutes")
    run([sys.executable, "-m", "venv", "--clear", str(venv)])
    run([
        str(venv / "bin" / "python"), "-m", "pip", "--disable-pip-version-check", "install", "--no-index",
        "--no-cache-dir", "--no-input", "--quiet", "--find-links", str(folder / "wheels"), requirement,
    ])  # fmt: skip


def run(words: list[str]) -> str:
    """Run a command and give its output; where it fails, its last words are the reason."""
    # Settings for pip and Python of this user or machine, such as another index, have no say here.
    own = {name: value for name, value in os.environ.items() if not name.startswith(("PIP_", "PYTHON", "VIRTUAL_ENV"))}
    done = subprocess.run(  # noqa: S603 - our own words
        words, env={**own, "PIP_CONFIG_FILE": os.devnull}, capture_output=True, text=True, check=False
    )
    if done.returncode:
        said = (done.stderr or done.stdout).strip().splitlines()
        raise StopError(f"{Path(words[0]).name} failed: {' '.join(said[-3:]) or f'status {done.returncode}'}")
    return done.stdout


if __name__ == "__main__":
    sys.exit(main())
