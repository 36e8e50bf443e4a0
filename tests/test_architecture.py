"""The house: imports run down the rooms in the order of docs/design.md, and a room is entered by its door alone."""

from __future__ import annotations

import ast
import importlib
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).parents[1]
HARNESS = ROOT / "benchmark" / "clinsynth"
OPEN = {"clinsynth.data.formats"}
"""A toolbox that is a door itself: what the readers of tasks are made of."""
_ROW = re.compile(r"^\| `([a-z_]+)/` \|", re.MULTILINE)
ORDER = _ROW.findall((ROOT / "docs" / "design.md").read_text("utf-8"))
"""Rooms from the ground up, as the document lists them."""
DOORS = sorted(
    ".".join(("clinsynth", *stub.parent.relative_to(HARNESS).parts)) for stub in HARNESS.rglob("__init__.pyi")
)


class Import(NamedTuple):
    """One import of something of the harness."""

    importer: str
    """Dotted name of the importing module."""
    module: str
    """Dotted name of what it is taken from."""
    names: tuple[str, ...]


def _modules() -> Iterator[tuple[str, Path]]:
    for path in sorted(HARNESS.rglob("*.py")):
        parts = path.relative_to(HARNESS).with_suffix("").parts
        yield ".".join(("clinsynth", *(part for part in parts if part != "__init__"))), path
    for folder in ("tasks", "baselines", "leaderboard"):
        for path in sorted((ROOT / folder).glob("*.py")):
            yield f"{folder}.{path.stem}", path


def _imports() -> Iterator[Import]:
    for importer, path in _modules():
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("clinsynth"):
                yield Import(importer, node.module, tuple(alias.name for alias in node.names))


IMPORTS = list(_imports())


def _inside(module: str, room: str) -> bool:
    return module == room or module.startswith(f"{room}.")


def _door_of(module: str) -> str:
    """The innermost room that a module belongs to."""
    return max((door for door in DOORS if _inside(module, door)), key=len, default="")


@cache
def _offered(door: str) -> frozenset[str]:
    """The names in a room's stub."""
    stub = ast.parse(HARNESS.joinpath(*door.split(".")[1:], "__init__.pyi").read_text("utf-8"))
    imports = [node for node in stub.body if isinstance(node, ast.ImportFrom)]
    return frozenset(alias.asname or alias.name for node in imports for alias in node.names)


def test_the_document_lists_every_room() -> None:
    rooms = {path.parent.name for path in HARNESS.glob("*/__init__.py")} - {"tasks", "baselines"}
    assert set(ORDER) == rooms
    assert len(ORDER) == len(set(ORDER))


def test_imports_run_downwards() -> None:
    def room(module: str) -> str:
        return module.split(".")[1] if "." in module else ""

    upwards = [
        f"{each.importer} takes {', '.join(each.names)} from {each.module}"
        for each in IMPORTS
        if each.importer.startswith("clinsynth.") and room(each.importer) in ORDER and room(each.module) in ORDER
        and ORDER.index(room(each.module)) > ORDER.index(room(each.importer))
    ]  # fmt: skip
    assert not upwards


def test_rooms_are_entered_by_their_doors() -> None:
    through_walls = [
        f"{each.importer} takes {', '.join(each.names)} from {each.module}"
        for each in IMPORTS
        if (door := _door_of(each.module)) and each.module not in {door, *OPEN} and not _inside(each.importer, door)
    ]
    assert not through_walls


def test_a_door_gives_only_what_it_names() -> None:
    """A module of a room can be imported by its name as if the room offered it."""
    beside_the_door = [
        f"{each.importer} takes {name} from {each.module}"
        for each in IMPORTS
        if each.module in DOORS and each.module not in OPEN and not _inside(each.importer, each.module)
        for name in each.names
        if name not in _offered(each.module)
    ]
    assert not beside_the_door


@pytest.mark.parametrize("door", DOORS)
def test_a_door_opens_on_everything_that_it_names(door: str) -> None:
    room, names = importlib.import_module(door), _offered(door)
    own = {path.stem for path in HARNESS.joinpath(*door.split(".")[1:]).glob("*")}
    # A module of the same name would take the attribute's place as soon as it is imported.
    assert not own & names
    assert all(hasattr(room, name) for name in names)


def test_no_file_circles() -> None:
    """Modules that need each other while they are being imported; what a function imports waits until it is called."""
    graph: dict[str, set[str]] = {}
    known = {name for name, _ in _modules()}
    for importer, path in _modules():
        taken: set[str] = set()
        for node in ast.parse(path.read_text("utf-8")).body:
            if isinstance(node, ast.ImportFrom) and node.module in known:
                taken.add(node.module)
        graph[importer] = taken - {importer}
    done: set[str] = set()

    def visit(module: str, path: tuple[str, ...]) -> None:
        assert module not in path, " -> ".join((*path[path.index(module) :], module))
        if module not in done:
            for other in sorted(graph.get(module, ())):
                visit(other, (*path, module))
            done.add(module)

    for module in graph:
        visit(module, ())


WITH_LM_EVAL = {"lm_eval_task", "suites.clinicalgpt", "suites.notes", "suites.questions"}
"""Modules of ``direct/`` whose classes are lm-eval's own: nothing outside may need one of them to be imported."""

ALONE = """
import importlib, pkgutil, sys
import clinsynth
from clinsynth.cli import EXTRAS
from clinsynth.core import UserError

class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in EXTRAS:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Absent())
for each in pkgutil.walk_packages(clinsynth.__path__, "clinsynth."):
    if not each.name.endswith("__main__"):
        try:
            importlib.import_module(each.name)
        except (ModuleNotFoundError, UserError):
            print(each.name)
"""


def test_without_extras_everything_else_can_be_imported() -> None:
    """Who installs the package alone evaluates rows and makes a board: imports at the top of a module need no extra."""
    done = subprocess.run(  # noqa: S603 - our own words
        [sys.executable, "-c", ALONE], capture_output=True, text=True, check=False,
        env={**os.environ, "PYTHONPATH": str(HARNESS.parent)},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert set(done.stdout.split()) == {f"clinsynth.direct.{name}" for name in WITH_LM_EVAL}
