"""Names to things: tasks, baselines, task types, recipes. Leaves are found by looking into their folder."""

from __future__ import annotations

import importlib
import os
import pkgutil
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import ModuleType
from typing import TypeVar

from clinsynth.core.errors import UnknownNameError, UserError
from clinsynth.core.nouns import Reader, Task, TaskSpec

T = TypeVar("T")

TASKS_DIR_VARIABLE = "CLINSYNTH_TASKS_DIR"
"""Further folders of task modules, separated as in PATH; ``--tasks-dir`` sets it for worker processes too."""


class Registry(Mapping[str, T]):
    """A mapping that is filled on first use and answers an unknown name with the nearest ones."""

    def __init__(self, kind: str, load: Callable[[], Mapping[str, T]]) -> None:
        self._kind = kind
        self._load = load
        self._items: Mapping[str, T] | None = None

    def _all(self) -> Mapping[str, T]:
        if self._items is None:
            self._items = self._load()
        return self._items

    def forget(self) -> None:
        """Look again at the next use: folders were added."""
        self._items = None

    def __getitem__(self, name: str) -> T:
        try:
            return self._all()[name]
        except KeyError:
            raise UnknownNameError(self._kind, name, self._all()) from None

    def __contains__(self, name: object) -> bool:
        return name in self._all()

    def __iter__(self) -> Iterator[str]:
        return iter(self._all())

    def __len__(self) -> int:
        return len(self._all())


def leaves(window: str) -> Iterator[ModuleType]:
    """The modules of a window, by name; those with a leading underscore are nobody's leaf."""
    package = importlib.import_module(window)
    for found in sorted(pkgutil.iter_modules(package.__path__), key=lambda module: module.name):
        if not found.name.startswith("_"):
            yield importlib.import_module(f"{window}.{found.name}")


def _load_tasks() -> Mapping[str, Task]:
    window = importlib.import_module("clinsynth.tasks")
    for folder in filter(None, os.environ.get(TASKS_DIR_VARIABLE, "").split(os.pathsep)):
        path = str(Path(folder).resolve())
        if not Path(path).is_dir():
            raise UserError(f"no folder of tasks at {path}", remedy="check --tasks-dir")
        if path not in window.__path__:
            window.__path__.append(path)
    tasks: dict[str, Task] = {}
    for module in leaves("clinsynth.tasks"):
        spec = getattr(module, "TASK", None)
        read: Reader | None = getattr(module, "read", None)
        if not isinstance(spec, TaskSpec) or read is None:
            raise UserError(
                f"{module.__file__} is not a task module",
                expected="TASK = TaskSpec(...) and a function read(split, files)",
                remedy="see docs/adding-a-task.md",
            )
        if spec.name in tasks:
            raise UserError(f"{module.__file__} names its task {spec.name!r} a second time")
        tasks[spec.name] = Task(spec, read, Path(module.__file__ or "").parent)
    return tasks


TASKS: Registry[Task] = Registry("task", _load_tasks)


def select_tasks(names: list[str] | None) -> list[Task]:
    """The named tasks in the given order; all of them for ``None``, an empty list or ``all``."""
    if not names or names == ["all"]:
        return [TASKS[name] for name in TASKS]
    return [TASKS[name] for name in dict.fromkeys(names)]
