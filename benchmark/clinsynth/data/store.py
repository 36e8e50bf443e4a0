"""Prepared tasks on disk: ``<root>/<task>/v<version>/<split>/`` as Arrow, with a manifest, moved in whole."""

from __future__ import annotations

import os
import shutil
import tempfile
import time
import traceback
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import as_completed
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, Protocol, cast

from clinsynth import __version__
from clinsynth.core import TASKS, Example, NotPreparedError, Split, Task, UserError, machine_fault, worker_pool
from clinsynth.data import manifest
from clinsynth.data import manifest as arrow
from clinsynth.data.fetch import Files, MissingSourceError, pin, splits_of
from clinsynth.data.formats import ReadError, counting
from clinsynth.data.manifest import Manifest, SplitFacts
from clinsynth.task_types import task_type


def build_split(task: Task, split: Split, files: Files, folder: Path) -> SplitFacts:
    """Read, check, count and write a split. Raises ``UserError`` for bad files, ``MissingSourceError`` for absent."""
    with counting() as counts:
        examples = _read(task, split, files)
    expected = task.spec.rows.get(split)
    if expected is not None and len(examples) != expected:
        raise UserError(
            f"the {split} split of {task.spec.name} has another number of rows than was published",
            found=f"{len(examples):,}",
            expected=f"{expected:,}",
            remedy="check that the files are the published ones, whole and unchanged",
        )
    arrow.save(folder, examples)
    carried = {label for e in examples for label in (*e.labels, *(span.label for span in e.spans))}
    return SplitFacts(
        len(examples), arrow.fingerprint(examples), dict(sorted(counts.items())), arrow.digests(folder),
        tuple(label for label in task.spec.labels if label not in carried),
    )  # fmt: skip


def _read(task: Task, split: Split, files: Files) -> list[Example]:
    """Run the reader and put every example through the checks that a submission's rows go through."""
    examples: list[Example] = []
    try:
        for example in task.read(split, files):
            if problem := _problem(example, task):
                raise ReadError(f"example {len(examples) + 1} of {split}: {problem}")
            examples.append(example)
    except (UserError, MissingSourceError):
        raise
    except Exception as error:
        problem = _describe(error, task)
    else:
        return examples
    # Raised out here so that no chained exception carries the data along.
    raise UserError(
        f"the {split} split of {task.spec.name} cannot be read",
        found=problem,
        remedy="check that the files are the published ones; otherwise this is a fault of the task's reader",
    )


def _problem(example: Example, task: Task) -> str:
    """The fault of an example from a reader, without quoting it; empty for a good one."""
    kind, spec = task_type(task.spec), task.spec
    if len(example.texts) != len(kind.text_keys):
        return f"{len(example.texts)} texts, expected {len(kind.text_keys)}: {', '.join(kind.text_keys)}"
    if spec.is_span and example.labels:
        return f"labels in a span task; expected Example({kind.text_keys[0]}, spans=(Span(start, end, label), ...))"
    if not spec.is_span and (example.spans or not (example.labels or spec.multi_label)):
        return "spans, or no label, in a task of labels; expected Example(texts, labels=(...,))"
    if not isinstance(cast("object", example.unit), str):
        return "a unit that is no string"
    row = kind.encode(example)
    if fault := next(kind.faults(row, spec), None):
        return f"{fault.reason}; expected {fault.expected}"
    plain = replace(example, labels=tuple(sorted(example.labels)), unit="")
    return "" if plain == kind.decode(row) else "not what its own row says; expected tuples, spans in order of the text"


def _describe(error: Exception, task: Task) -> str:
    if isinstance(error, ReadError):
        return str(error)
    frame = traceback.extract_tb(error.__traceback__)[-1]
    place = f"{type(error).__name__} at {Path(frame.filename).name}:{frame.lineno}"
    # The text of a KeyError or of int("...") quotes the data, which a data use agreement may forbid to print.
    return f"{place}: {error}" if task.spec.access == "open" else place


STALE_SECONDS = 24 * 3600
"""A build folder older than this was left by a process that died."""


class ExampleStore(Protocol):
    """Where examples come from: real data on disk, or the bundled sample."""

    @property
    def kind(self) -> Literal["real", "sample"]:
        """Real data, or the hand-written sample that only tries things out."""
        ...

    def examples(self, task: Task, split: Split) -> list[Example]:
        """The examples of a split, in order. Raises ``NotPreparedError``."""
        ...

    def fingerprint(self, task: Task, split: Split) -> str:
        """sha256 over every example of a split. Raises ``NotPreparedError``."""
        ...

    def rows(self, task: Task) -> dict[Split, int]:
        """Rows of every split that is here; empty for a task that is not."""
        ...


@dataclass(frozen=True, slots=True)
class Prepared:
    """The outcome of ``DataStore.prepare``."""

    task: str
    changed: bool
    """Whether anything was written."""
    rows: Mapping[Split, int]
    missing: Mapping[Split, str]
    """Splits that are not there, with the reason."""
    counted: Mapping[Split, Mapping[str, int]]
    """Rows left out or mended, by split and reason."""
    folder: Path
    unused: Mapping[Split, tuple[str, ...]]
    """Labels that no example of a split has, by split."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """The outcome of one task in ``prepare_all``."""

    task: str
    status: Literal["prepared", "unchanged", "not_prepared", "failed"]
    """not_prepared: the user must bring files; failed: something is wrong with what is there."""
    report: Prepared | None
    error: str


class DataStore:
    """Real data under one folder."""

    kind: Literal["real", "sample"] = "real"

    def __init__(self, root: Path) -> None:
        self.root = root

    def folder(self, task: Task) -> Path:
        """Where the task lies, prepared or not."""
        return self.root / task.spec.name / f"v{task.spec.version}"

    def manifest(self, task: Task) -> Manifest | None:
        """The manifest of a prepared task; ``None`` if it is not prepared."""
        return manifest.read(self.folder(task))

    def rows(self, task: Task) -> dict[Split, int]:
        """Rows of every prepared split; empty for none."""
        described = self.manifest(task)
        return described.rows if described else {}

    def examples(self, task: Task, split: Split) -> list[Example]:
        """The examples of a split in published order. Raises ``NotPreparedError``; ``UserError`` if damaged."""
        facts = self._facts(task, split)
        examples, problem = _intact(self.folder(task) / split, facts)
        if not problem:
            return examples
        raise UserError(
            f"{self.folder(task) / split} is damaged",
            found=problem,
            expected=f"the {facts.rows:,} rows that were prepared",
            remedy=f"run `clinsynth prepare {task.spec.name}`" + (" --from <folder>" if task.spec.apply else ""),
        )

    def fingerprint(self, task: Task, split: Split) -> str:
        """sha256 over every example of a split. Raises ``NotPreparedError``."""
        return self._facts(task, split).fingerprint

    def _facts(self, task: Task, split: Split) -> SplitFacts:
        described = self.manifest(task)
        if described and split in described.splits:
            return described.splits[split]
        name = task.spec.name
        command = f"`clinsynth prepare {name}`" + (" with --from <folder>" if task.spec.apply else "")
        if split not in splits_of(task.spec):
            raise NotPreparedError(f"{name} has no {split} split", expected=", ".join(splits_of(task.spec)))
        if described is None:
            raise NotPreparedError(
                f"{name} is not prepared in {self.root}",
                remedy=f"{task.spec.apply} Then run {command}" if task.spec.apply else f"run {command}",
            )
        raise NotPreparedError(
            f"the {split} split of {name} is not prepared in {self.root}",
            found=", ".join(f"{s} {n:,} rows" for s, n in described.rows.items()),
            expected=described.missing.get(split, ""),
            remedy=f"run {command}; --from <folder> takes files that you have, else they are downloaded",
        )

    def prepare(self, task: Task, source_dir: Path | None = None) -> Prepared:
        """Read whatever splits of a task can be had into the store.

        Files come from ``source_dir`` if given, else from earlier downloads or the publisher. Does nothing where all
        that can be prepared is. Raises ``UserError`` for a file that is not the published one, and
        ``NotPreparedError`` where not one split can be had; either way the store stays as it was.
        """
        if source_dir is not None and not source_dir.is_dir():
            raise UserError(f"no folder {source_dir}", remedy="check --from")
        files = Files(task, source_dir, self.root / "raw")
        old = self._current(task)
        if old and old.splits != (sound := self._sound(task, old)):
            old = replace(old, splits=sound)
            manifest.write(self.folder(task), old)
        done: dict[Split, SplitFacts] = dict(old.splits) if old else {}
        wanted: list[Split] = [split for split in splits_of(task.spec) if split not in done]
        missing: dict[Split, str] = {split: reason for split in wanted if (reason := _why_missing(task, split, files))}
        todo: list[Split] = [split for split in wanted if split not in missing]
        if old and not todo:
            return self._report(task, replace(old, missing=missing), changed=False)

        parent = self.folder(task).parent
        parent.mkdir(parents=True, exist_ok=True)
        _sweep(parent)
        building = Path(tempfile.mkdtemp(prefix=".building-", dir=parent))
        try:
            splits = dict(done)
            for split in done:
                shutil.copytree(self.folder(task) / split, building / split)
            for split in todo:
                try:
                    splits[split] = build_split(task, split, files, building / split)
                except MissingSourceError as error:
                    missing[split] = str(error)
            if not splits:
                raise NotPreparedError(
                    f"{task.spec.name} cannot be prepared: none of its files is here",
                    found="; ".join(dict.fromkeys(missing.values())),
                    remedy=task.spec.apply or "give --from a folder that holds them, or a network",
                )
            new = Manifest(
                task.spec.name, task.spec.version, __version__, splits, missing,
                {**(old.sources if old else {}), **files.digests}, _pins(task),
            )  # fmt: skip
            if old and splits.keys() == done.keys():
                return self._report(task, new, changed=False)
            manifest.write(building, new)
            if task.spec.access == "open":
                building.chmod(0o755)  # restricted data stay readable by their owner alone, as mkdtemp made them
            _move_in(building, self.folder(task))
        finally:
            shutil.rmtree(building, ignore_errors=True)
        return self._report(task, new, changed=True)

    def _current(self, task: Task) -> Manifest | None:
        described = self.manifest(task)
        return described if described and described.pins == _pins(task) else None

    def _sound(self, task: Task, found: Manifest) -> dict[Split, SplitFacts]:
        """The splits whose files are as they were prepared; digests are added to those of an earlier version."""
        sound: dict[Split, SplitFacts] = {}
        for split, facts in found.splits.items():
            folder = self.folder(task) / split
            if facts.files:
                problem = manifest.fault_of(folder, facts)
            else:
                _, problem = _intact(folder, facts)
            if not problem:
                sound[split] = facts if facts.files else replace(facts, files=arrow.digests(folder))
        return sound

    def _report(self, task: Task, found: Manifest, *, changed: bool) -> Prepared:
        counted: dict[Split, Mapping[str, int]] = {s: facts.counted for s, facts in found.splits.items()}
        unused: dict[Split, tuple[str, ...]] = {s: facts.unused for s, facts in found.splits.items() if facts.unused}
        return Prepared(task.spec.name, changed, found.rows, found.missing, counted, self.folder(task), unused)


def _intact(folder: Path, facts: SplitFacts) -> tuple[list[Example], str]:
    """The examples of a split, or what is wrong with its files.

    The files are compared with their digests before they are opened: a changed byte in one of them can end the process,
    and mostly gives other rows without a word.
    """
    if problem := manifest.fault_of(folder, facts):
        return [], problem
    try:
        examples = arrow.load(folder)
    except Exception as error:  # pyarrow and datasets raise many classes for a damaged file
        return [], type(error).__name__
    if len(examples) != facts.rows:
        return [], f"{len(examples):,} rows"
    if not facts.files and arrow.fingerprint(examples) != facts.fingerprint:
        return [], "other rows than were prepared"
    return examples, ""


def _pins(task: Task) -> dict[str, str]:
    return {source.path: pin(source) for source in task.spec.sources}


def _why_missing(task: Task, split: Split, files: Files) -> str:
    reasons = [files.why_missing(source) for source in task.spec.sources if split in source.splits]
    return "; ".join(filter(None, reasons))


def _sweep(parent: Path) -> None:
    for left in parent.glob(".*-*"):
        if time.time() - left.stat().st_mtime > STALE_SECONDS:
            shutil.rmtree(left, ignore_errors=True)


def _move_in(new: Path, target: Path) -> None:
    if not target.exists():
        new.rename(target)
        return
    aside = Path(tempfile.mkdtemp(prefix=".replaced-", dir=target.parent))
    target.rename(aside / target.name)
    new.rename(target)
    shutil.rmtree(aside, ignore_errors=True)


def _outcome(task: Task, root: Path, source_dir: Path | None) -> Outcome:
    name = task.spec.name
    try:
        report = DataStore(root).prepare(task, source_dir)
    except NotPreparedError as error:
        return Outcome(name, "not_prepared", None, str(error))
    except UserError as error:
        return Outcome(name, "failed", None, str(error))
    except OSError as error:  # a full disk, a folder without permission
        return Outcome(name, "failed", None, str(machine_fault(error) or f"{name}: {error}"))
    return Outcome(name, "prepared" if report.changed else "unchanged", report, "")


def _outcome_by_name(name: str, root: Path, source_dir: Path | None) -> Outcome:
    # Readers do not travel between processes; names do.
    return _outcome(TASKS[name], root, source_dir)


def prepare_all(
    tasks: Sequence[Task],
    store: DataStore,
    source_dir: Path | None = None,
    on_progress: Callable[[Outcome], None] | None = None,
    workers: int | None = None,
) -> list[Outcome]:
    """Prepare registered tasks side by side, one process each; a task that fails does not stop the others.

    ``on_progress`` is called here, with each outcome as it comes; the returned list is in the order of ``tasks``.
    """
    workers = min(workers or os.cpu_count() or 1, len(tasks))
    outcomes: dict[str, Outcome] = {}
    if workers <= 1:
        for task in tasks:
            outcomes[task.spec.name] = _outcome(task, store.root, source_dir)
            if on_progress:
                on_progress(outcomes[task.spec.name])
        return [outcomes[task.spec.name] for task in tasks]
    with worker_pool(workers) as pool:
        running = {pool.submit(_outcome_by_name, t.spec.name, store.root, source_dir): t.spec.name for t in tasks}
        for future in as_completed(running):
            name = running[future]
            error = future.exception()
            # Only the class: the text of an unforeseen error may hold data.
            died = Outcome(name, "failed", None, f"{name}: the worker process ended with {type(error).__name__}")
            outcomes[name] = died if error else future.result()
            if on_progress:
                on_progress(outcomes[name])
    return [outcomes[task.spec.name] for task in tasks]
