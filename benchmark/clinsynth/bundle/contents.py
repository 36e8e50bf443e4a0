"""Contents of a bundle, and what is left out, with the reasons."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path

from clinsynth.bundle.packages import EXTRAS
from clinsynth.core import TaskSpec, UserError, select_tasks, sha256_file
from clinsynth.data import DataStore, default_data_dir
from clinsynth.direct import is_direct
from clinsynth.snapshot import read_snapshot
from clinsynth.submissions import CARD_FILE
from clinsynth.training import DEFAULT_RECIPE, RECIPES, weight_files

COPIED = re.compile(r"CC BY|CC0|Public Domain|ODC-By|MIT\b|BSD|Apache-2\.0|GPL-3\.0")
"""Beginnings of licences that allow redistribution; data under any other licence is left out."""
RECORDS = (
    CARD_FILE, "direct.toml", "runs/*.json", "predictions/*.jsonl.gz", "balanced/*.json", "balanced/*.jsonl.gz",
    "reproduced/*.json", "audit/*.json", "quality/*.json", "direct/*.json", "direct-predictions/*.jsonl.gz",
)  # fmt: skip
"""Files of a submission that hold no text. Rows are never taken along: they may be drawn from real text."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Request:
    """A request for a bundle."""

    out: Path
    """The file to write."""
    tasks: tuple[str, ...] = ()
    """Names of prepared tasks; empty: all of them."""
    recipes: tuple[str, ...] = (DEFAULT_RECIPE,)
    """Recipes whose students are included."""
    unlicensed: bool = False
    """Whether to include open data whose licence is not known to allow redistribution."""
    restricted: bool = False
    """Whether to include data that is available on request only."""
    data_dir: Path | None = None
    snapshot: Path = Path("snapshot")
    submissions: Path = Path("submissions")
    packages: bool = True
    extras: tuple[str, ...] = EXTRAS
    wheels: Path | None = None
    """Folder in which packages are collected and kept; ``None``: beside ``out``, and not kept."""
    source: Path | None = None
    """Checkout from which clinsynth is built; ``None``: the one that this runs from."""


@dataclass(frozen=True, slots=True)
class Member:
    """One file of a bundle."""

    name: str
    path: Path
    """Its path on this machine."""
    size: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Part:
    """Files that are reported and listed as one item."""

    what: str
    about: str
    members: tuple[Member, ...]

    @property
    def size(self) -> int:
        """Bytes."""
        return sum(member.size for member in self.members)


@dataclass(slots=True)
class Contents:
    """All of a bundle except its packages, which take long to collect."""

    parts: list[Part] = field(default_factory=list[Part])
    left_out: list[tuple[str, str]] = field(default_factory=list[tuple[str, str]])
    """Item and reason, for everything that is left out."""
    restricted: bool = False
    """Whether it holds data that is available on request only."""

    @property
    def size(self) -> int:
        """Bytes."""
        return sum(part.size for part in self.parts)


def plan_bundle(request: Request) -> Contents:
    """Find all contents, and check prepared data and the snapshot against their digests.

    Raises:
        UserError: something that was asked for by name is not here, or is damaged.
    """
    if request.out.is_dir():
        raise UserError(f"{request.out} is a folder", expected="the name of a file to write", remedy="name a file")
    contents = Contents()
    _data(request, contents)
    _students(request, contents)
    _snapshot(request, contents)
    _submissions(request, contents)
    return contents


def member(name: str, path: Path) -> Member:
    """A file under its name in the bundle."""
    return Member(name, path, path.stat().st_size, sha256_file(path))


def why_left_out(spec: TaskSpec, *, unlicensed: bool, restricted: bool) -> str:
    """Why the data of a task is left out; empty if it is included."""
    if spec.access != "open":
        return "" if restricted else f"access by {spec.access}: --restricted-data, where your agreement lets you"
    if unlicensed or COPIED.match(spec.licence):
        return ""
    return f"licence: {spec.licence or 'not stated'}; --unlicensed-data, if you may copy it"


def _data(request: Request, contents: Contents) -> None:
    store = DataStore(request.data_dir or default_data_dir())
    for task in select_tasks(list(request.tasks)):
        spec, found = task.spec, store.manifest(task)
        what = f"data of {spec.name}"
        if found is None:
            if request.tasks:
                raise UserError(f"{spec.name} is not prepared in {store.root}", remedy=f"clinsynth prepare {spec.name}")
            contents.left_out.append((what, "not prepared here"))
            continue
        if why := why_left_out(spec, unlicensed=request.unlicensed, restricted=request.restricted):
            contents.left_out.append((what, why))
            continue
        folder, base = store.folder(task), f"data/{spec.name}/v{spec.version}"
        members = [member(f"{base}/manifest.json", folder / "manifest.json")]
        for split, facts in found.splits.items():
            own = [member(f"{base}/{split}/{name}", folder / split / name) for name in _files(folder / split)]
            if {each.path.name: each.sha256 for each in own} != dict(facts.files):
                raise UserError(f"{folder / split} is not as it was prepared", remedy=f"clinsynth prepare {spec.name}")
            members += own
        rows = ", ".join(f"{split} {number:,}" for split, number in found.rows.items())
        contents.parts.append(Part(what, f"{rows}; licence: {spec.licence or 'not stated'}", tuple(members)))
        contents.restricted = contents.restricted or spec.access != "open"


def _files(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir() if path.is_file()) if folder.is_dir() else []


def _students(request: Request, contents: Contents) -> None:
    for weights in dict.fromkeys(RECIPES[name].weights for name in request.recipes):
        what = f"student {weights.repo}"
        if weights.package and request.packages:
            contents.parts.append(Part(what, f"in the package {weights.package.replace('_', '-')}", ()))
            continue
        base = f"weights/{weights.repo.split('/')[-1]}"
        files = tuple(member(f"{base}/{path.name}", path) for path in weight_files(weights))
        contents.parts.append(Part(what, "licence: see its model card", files))


def _snapshot(request: Request, contents: Contents) -> None:
    if not request.snapshot.is_dir():
        contents.left_out.append(("snapshot", f"none at {request.snapshot}: clinsynth snapshot --out"))
        return
    snapshot = read_snapshot(request.snapshot)
    files = tuple(member(f"snapshot/{name}", request.snapshot / name) for name in _files(request.snapshot))
    about = f"{snapshot.manifest.short}, {len(snapshot.tables.submissions)} submissions"
    contents.parts.append(Part("snapshot", about, files))


def _submissions(request: Request, contents: Contents) -> None:
    folders = [path for path in sorted(request.submissions.glob("*")) if not path.is_symlink() and path.is_dir()]
    members = [
        member(f"submissions/{folder.name}/{path.relative_to(folder).as_posix()}", path)
        for folder in folders
        if (folder / CARD_FILE).is_file() or is_direct(folder)
        for path in _records(folder)
    ]
    if members:
        own = len({each.name.split("/")[1] for each in members})
        about = f"cards, records and predictions of {own}, without rows and text"
        contents.parts.append(Part("submissions", about, tuple(members)))
    else:
        contents.left_out.append(("submissions", f"none in {request.submissions}"))


def _records(folder: Path) -> Iterator[Path]:
    for path in sorted(_plain_files(folder)):
        name = path.relative_to(folder).as_posix()
        if any(fnmatchcase(name, pattern) for pattern in RECORDS):
            yield path


def _plain_files(folder: Path) -> Iterable[Path]:
    for path in folder.iterdir():
        if path.is_symlink() or path.name.startswith("."):
            continue
        if path.is_dir():
            yield from _plain_files(path)
        elif path.is_file():
            yield path
