"""The wheels of clinsynth and its dependencies, at the versions and with the hashes of the lock file."""

from __future__ import annotations

import json
import os
import platform
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast
from urllib.parse import unquote, urlsplit

import clinsynth
from clinsynth.core import Progress, UserError, sha256_file

EXTRAS = ("dev",)
"""Extras that together cover the lock file: those that users install, and the tools for tests."""
LOCK = "requirements.lock"
AT_A_TIME = 12
"""Packages per call of pip: an interruption loses at most the packages of one call."""
TORCH_INDEX = "https://download.pytorch.org/whl/cpu"
"""Where the CPU build of torch is published: it needs none of the packages that the CUDA build does."""
EPOCH = "315532800"
"""Time of files in wheels that are built here: 1980, so that the same source gives the same bytes."""


@dataclass(frozen=True, slots=True)
class Pinned:
    """One package of the lock."""

    name: str
    version: str
    text: str
    """The requirement as the lock has it, with its hashes."""
    hashes: frozenset[str]


def source_folder(asked: Path | None) -> Path:
    """The checkout that clinsynth is built from. Raises ``UserError`` where there is none."""
    folder = asked or Path(clinsynth.__file__).parents[2]
    if (folder / "pyproject.toml").is_file() and (folder / LOCK).is_file():
        return folder
    raise UserError(
        f"{folder} is no checkout of clinsynth",
        expected=f"pyproject.toml and {LOCK}, to build clinsynth and to fetch what was tested with it",
        remedy="name one with --source, or leave the packages out with --no-wheels",
    )


def pinned(source: Path) -> list[Pinned]:
    """The packages of a checkout's lock, in its order; of torch, the CPU build alone where constraints.txt names it.

    The CUDA build needs packages of NVIDIA that are not in the lock, and that not everybody may hand on.
    """
    lock, constraints = source / LOCK, source / "constraints.txt"
    named = constraints.read_text("utf-8") if constraints.is_file() else ""
    cpu = re.search(r"^# CPU build of torch: ([0-9a-f]{64})$", named, re.MULTILINE)
    packages: list[Pinned] = []
    for text in re.split(r"\n(?=[A-Za-z0-9])", lock.read_text("utf-8")):
        if match := re.match(r"([A-Za-z0-9._-]+)==(\S+)", text):
            of_torch = normal(match[1]) == "torch"
            own = f"{match[0]} --hash=sha256:{cpu[1]}" if cpu and of_torch else text.strip()
            hashes = frozenset(re.findall(r"--hash=sha256:([0-9a-f]{64})", own))
            packages.append(Pinned(normal(match[1]), match[2], own, hashes))
    return packages


def normal(name: str) -> str:
    """A package's name in the normal form of package indexes."""
    return re.sub(r"[-_.]+", "-", name).lower()


def installed_size(packages: Sequence[Pinned]) -> int:
    """Bytes of these packages as installed in this environment; packages that are not installed count 0."""
    from importlib.metadata import PackageNotFoundError, files

    total = 0
    for each in packages:
        try:
            total += sum(file.size or 0 for file in files(each.name) or ())
        except PackageNotFoundError:
            continue
    return total


def missing(packages: Sequence[Pinned], folder: Path) -> list[Pinned]:
    """Packages for which the folder has no file with a hash of the lock file."""
    here = set(_digests(folder))
    return [each for each in packages if not each.hashes & here]


def _digests(folder: Path) -> dict[str, Path]:
    paths = [path for path in sorted(folder.glob("*")) if path.is_file()] if folder.is_dir() else []
    return {sha256_file(path): path for path in paths}


def collect(source: Path, folder: Path, extras: Sequence[str], bar: Progress) -> list[Path]:
    """Fetch what is missing, build what is published as source alone, and give the wheels that are needed.

    Every file comes from the lock by its hash, was built from one that does, or is clinsynth itself. A call that was
    stopped goes on from what lies in ``folder``.

    Raises:
        UserError: pip cannot get or build a package, or what was collected is not enough.
    """
    packages = pinned(source)
    folder.mkdir(parents=True, exist_ok=True)
    todo = missing(packages, folder)
    bar.advance(len(packages) - len(todo))
    for start in range(0, len(todo), AT_A_TIME):
        some = todo[start : start + AT_A_TIME]
        _fetch(some, folder)
        bar.advance(len(some))
        bar.say(f"packages: {len(packages) - len(todo) + start + len(some)} of {len(packages)} are here")
    here = _digests(folder)
    built = [_built(here[digest], folder, bar) for each in packages for digest in each.hashes & here.keys()]
    own = _wheel(source, folder)
    bar.say(f"packages: {own.name} is built")
    needed = _needed(folder, extras, packages)
    if strange := sorted(path.name for path in set(needed) - {*built, own}):
        raise UserError(
            f"{folder} holds other packages than the lock",
            found=", ".join(strange),
            remedy="delete them and call again",
        )
    return needed


def _fetch(packages: Sequence[Pinned], folder: Path) -> None:
    with tempfile.TemporaryDirectory() as scratch:
        wanted = Path(scratch, "wanted.txt")
        wanted.write_text("".join(f"{each.text}\n" for each in packages), "utf-8")
        words = ("download", "--no-deps", "--require-hashes", "--dest", str(folder), "-r", str(wanted))
        try:
            _pip(*words)
        except UserError:
            if all(each.name != "torch" for each in packages):
                raise
            _pip(*words, "--extra-index-url", TORCH_INDEX)


def _built(file: Path, folder: Path, bar: Progress) -> Path:
    """The wheel of a file: the file itself, or the wheel built from it, which is built if it is not here."""
    if file.suffix == ".whl":
        return file
    stem = file.name.removesuffix(".tar.gz").removesuffix(".zip")
    name, _, version = stem.rpartition("-")
    wheel = next((path for path in _wheels(folder) if _identity(path) == (normal(name), version)), None)
    if wheel is None:
        bar.say(f"packages: {file.name} is published as source alone and is built here")
        wheel = _wheel(file, folder)
    return wheel


def _wheels(folder: Path) -> Iterator[Path]:
    yield from sorted(folder.glob("*.whl"))


def _identity(wheel: Path) -> tuple[str, str]:
    name, version = wheel.name.split("-")[:2]
    return normal(name), version


def _wheel(source: Path, folder: Path) -> Path:
    """Build a wheel in a temporary folder and move it in place."""
    with tempfile.TemporaryDirectory(prefix=".building-", dir=folder) as scratch:
        # The build tools of this environment are those of the lock: nothing is fetched for a checkout.
        isolated = ["--no-build-isolation"] if source.is_dir() else []
        _pip("wheel", "--no-deps", *isolated, "--wheel-dir", scratch, str(source))
        made = next(Path(scratch).glob("*.whl"))
        return made.replace(folder / made.name)


def _needed(folder: Path, extras: Sequence[str], packages: Sequence[Pinned]) -> list[Path]:
    """The wheels that an installation needs, as pip resolves them from the folder alone."""
    with tempfile.TemporaryDirectory() as scratch:
        pins = Path(scratch, "pins.txt")
        pins.write_text("".join(f"{each.name}=={each.version}\n" for each in packages), "utf-8")
        report = Path(scratch, "report.json")
        _pip(
            "install", "--dry-run", "--ignore-installed", "--no-index", "--find-links", str(folder), "-c", str(pins),
            "--only-binary", ":all:", "--report", str(report), requirement(extras), alone=True,
        )  # fmt: skip
        installs: list[dict[str, Any]] = json.loads(report.read_text("utf-8"))["install"]
    urls = [cast("str", each["download_info"]["url"]) for each in installs]
    return sorted(folder / Path(unquote(urlsplit(url).path)).name for url in urls)


def requirement(extras: Sequence[str]) -> str:
    """The requirement that pip is given."""
    return (
        f"clinsynth[{','.join(extras)}]=={clinsynth.__version__}" if extras else f"clinsynth=={clinsynth.__version__}"
    )


def _pip(*words: str, alone: bool = False) -> None:
    """Call pip. ``alone``: without the settings of this machine, such as another index."""
    environment = {**os.environ, "SOURCE_DATE_EPOCH": EPOCH}
    if alone:
        environment = {name: value for name, value in environment.items() if not name.startswith("PIP_")}
        environment["PIP_CONFIG_FILE"] = os.devnull
    options = ("--quiet", "--disable-pip-version-check", "--no-input")
    done = subprocess.run(  # noqa: S603 - our own words
        [sys.executable, "-m", "pip", *options, *words], env=environment, capture_output=True, text=True, check=False
    )
    if done.returncode:
        said = [line for line in done.stderr.splitlines() if line.strip() and not line.startswith("WARNING")]
        raise UserError(
            f"pip {words[0]} failed",
            found=" ".join(said[-2:])[:600] or f"status {done.returncode}",
            remedy="the lock lacks what is named, or its packages are for another Python: see --source"
            if alone
            else "look after the network or the index of pip, and call again: what was fetched is kept",
        )


def system() -> str:
    """Name of the operating system and processor, as the installer compares it."""
    return f"{platform.system()}-{platform.machine()}".lower()
