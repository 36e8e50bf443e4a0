"""Names to things: tasks, baselines, task types, recipes. Leaves are found by looking into their folder."""

from __future__ import annotations

import importlib
import os
import pkgutil
import sys
import traceback
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
    """The modules of a package of leaves, by name; those with a leading underscore are left out."""
    package = importlib.import_module(window)
    for found in sorted(pkgutil.iter_modules(package.__path__), key=lambda module: module.name):
        if not found.name.startswith("_"):
            yield importlib.import_module(f"{window}.{found.name}")


class _FaultyModuleError(Exception):
    """A module that is no good task; the message says where and why."""


def _load_tasks() -> Mapping[str, Task]:
    """The tasks of this project, and those of the user's folders.

    A faulty module of a user's folder is named on standard error and left out: the other tasks go on working.
    """
    window = importlib.import_module("clinsynth.tasks")
    own = [str(Path(path).resolve()) for path in window.__path__]
    folders = [
        str(Path(folder).resolve()) for folder in os.environ.get(TASKS_DIR_VARIABLE, "").split(os.pathsep) if folder
    ]
    for path in folders:
        if not Path(path).is_dir():
            raise UserError(f"no folder of tasks at {path}", remedy="check --tasks-dir")
        if path not in own and path not in window.__path__:
            window.__path__.append(path)
    tasks: dict[str, Task] = {}
    met: dict[str, str] = {}
    for folder in dict.fromkeys(str(Path(path).resolve()) for path in window.__path__):
        for found in sorted(pkgutil.iter_modules([folder]), key=lambda module: module.name):
            if found.name.startswith("_"):
                continue
            file = Path(folder, f"{found.name}.py")
            try:
                if found.name in met:
                    raise _FaultyModuleError(f"{file} has the name of {met[found.name]}: give it another one")
                met[found.name] = str(file)
                task = _task(f"clinsynth.tasks.{found.name}", file)
                if task.spec.name in tasks:
                    raise _FaultyModuleError(f"{file} names its task {task.spec.name!r}, which there is already")
                tasks[task.spec.name] = task
            except _FaultyModuleError as error:
                if folder not in folders:
                    raise UserError(str(error), remedy="see docs/adding-a-task.md") from None
                _leave_out(str(error))
    return tasks


def _task(name: str, file: Path) -> Task:
    try:
        module = importlib.import_module(name)
    except (Exception, SystemExit) as error:  # a module under way can raise anything
        raise _FaultyModuleError(_where(error, file)) from None
    spec: object = getattr(module, "TASK", None)
    read: Reader | None = getattr(module, "read", None)
    if not isinstance(spec, TaskSpec) or not callable(read):
        missing = "no TASK = TaskSpec(...)" if not isinstance(spec, TaskSpec) else "no function read(split, files)"
        raise _FaultyModuleError(f"{file} is not a task module: {missing}")
    if fault := _fault_of(spec):
        raise _FaultyModuleError(f"{file}: {fault}")
    return Task(spec, read, Path(module.__file__ or "").parent)


def _fault_of(spec: TaskSpec) -> str:
    """A fault of a task that would otherwise show only later; empty for none."""
    if not spec.labels or len(set(spec.labels)) != len(spec.labels):
        return "labels are missing, or one stands twice"
    if set(spec.label_descriptions) != set(spec.labels):
        return "label_descriptions must describe every label, and nothing else"
    if spec.clingen_labels and sorted(spec.clingen_labels) != sorted(spec.labels):
        return "clingen_labels must be the labels in the order of the released files, or empty"
    if spec.is_span != ("entity_f1" in (spec.metric, *spec.also)):
        return "entity_f1 is the metric of span tasks, and of those alone"
    if "f1" in (spec.metric, *spec.also) and (spec.negative_label not in spec.labels or len(spec.labels) != 2):
        return "f1 needs two labels, and negative_label to be one of them"
    return ""


def _where(error: BaseException, file: Path) -> str:
    """The module's own line that an error comes from, and what it says."""
    line = error.lineno if isinstance(error, SyntaxError) else None
    if line is None:
        lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == str(file)]
        line = lines[-1] if lines else None
    said = error.msg if isinstance(error, SyntaxError) else str(error)
    return f"{file}{f', line {line}' if line else ''}: {type(error).__name__}: {said}"


def _leave_out(what: str) -> None:
    import multiprocessing  # loads what is needed to start processes: of use only where there may be some

    # Worker processes look into the folders as well: once is enough.
    if multiprocessing.parent_process() is None:
        sys.stderr.write(f"clinsynth: a task was left out: {what}\n")


TASKS: Registry[Task] = Registry("task", _load_tasks)


def select_tasks(names: list[str] | None) -> list[Task]:
    """The named tasks in the given order; all of them for ``None``, an empty list or ``all``."""
    if not names or names == ["all"]:
        return [TASKS[name] for name in TASKS]
    return [TASKS[name] for name in dict.fromkeys(names)]
