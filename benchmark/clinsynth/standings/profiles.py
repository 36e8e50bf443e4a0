"""Profiles of stored runs: made once from predictions and the test set, and kept beside the prepared data.

A kept profile is found by everything that decides it: the bytes of the prediction files, the recorded scores, the test
set, the task and the resampling. So it is never out of date; deleting the folder costs time, nothing else. It holds
no text: for each seed and resample (or unit) how far the score moved.
"""

from __future__ import annotations

import hashlib
import importlib
import os
import struct
import zlib
from collections.abc import Hashable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from clinsynth.core import UserError, canonical_json
from clinsynth.data import DataStore, ExampleStore
from clinsynth.results import RunRecord
from clinsynth.scoring.statistics import Profile, Runs, bootstrap, jackknife
from clinsynth.standings.runs import Entry, NotComparableError, TestSet, counted

VERSION = 1
"""Raised whenever the same runs give another profile."""
RESAMPLES = 2_000
"""Bootstrap resamples of F1 metrics (protocol); 10,000 for a published table."""
_HEAD = struct.Struct("<qqq")
"""Of a kept profile: units, rows, seeds."""
_TOGETHER = 400_000_000
"""Bytes of counts that are resampled together: the draws are then made once for all of them."""

Key = TypeVar("Key", bound=Hashable)


class MissingPredictionsError(UserError):
    """Predictions that are not on this machine."""

    def __reduce__(self) -> tuple[type[UserError], tuple[str]]:
        # What is merely elsewhere must not come back from a worker process as what is wrong.
        return MissingPredictionsError, (str(self),)


@dataclass(frozen=True, slots=True, eq=False)
class RunSet:
    """The runs that stand for an entry on a task."""

    entry: Entry
    records: Sequence[RunRecord]
    """By seed."""


@dataclass(frozen=True, slots=True)
class Profiler:
    """How profiles are made, and where they are kept."""

    store: ExampleStore
    resamples: int = RESAMPLES
    """0: leave out one unit at a time instead, also for F1."""
    seed: int = 0
    """Of the resampling."""
    cache: Path | None = None
    """By default ``statistics/`` in the folder of the prepared data, and nowhere for the sample."""
    workers: int = 1
    """Processes that a large table may be computed by; a program that asks for more must guard its main module, as
    for every use of multiprocessing."""

    @property
    def folder(self) -> Path | None:
        """Where profiles are kept."""
        if self.cache:
            return self.cache
        return self.store.root / "statistics" if isinstance(self.store, DataStore) else None

    def profiles(self, test: TestSet, wanted: Mapping[Key, RunSet]) -> tuple[dict[Key, Profile], dict[Key, Exception]]:
        """The profiles on one test set, and the reason for each that cannot be had."""
        found: dict[Key, Profile] = {}
        faults: dict[Key, Exception] = {}
        names: dict[Key, str] = {}
        todo: dict[Key, Runs] = {}
        for key, runs in wanted.items():
            try:
                names[key] = self._name(test, runs)
                kept = self._kept(names[key], runs)
                if kept is not None:
                    found[key] = kept
                    continue
                todo[key] = counted(runs.entry, test, runs.records)
            except (NotComparableError, UserError) as error:
                faults[key] = error
            if sum(each.counts.nbytes for each in todo.values()) > _TOGETHER:
                found.update(self._make(test, todo, wanted, names))
                todo = {}
        found.update(self._make(test, todo, wanted, names))
        return found, faults

    def _name(self, test: TestSet, runs: RunSet) -> str:
        """The name of the file that a profile is kept in. Raises ``MissingPredictionsError``."""
        paths = [runs.entry.results.predictions_path(record.cell) for record in runs.records]
        try:
            packed = [hashlib.sha256(path.read_bytes()).hexdigest() for path in paths]
        except OSError as error:
            place = Path(error.filename).relative_to(runs.entry.results.folder.parent)
            raise MissingPredictionsError(f"predictions are not here: {place}") from error
        stored = [(r.seed, r.predictions_sha256, r.score) for r in runs.records]
        spec = test.task.spec
        resampling = [] if self._exact(test) else [self.resamples, self.seed]
        parts = [VERSION, spec.name, spec.version, spec.metric, test.fingerprint, resampling, stored, packed]
        return hashlib.sha256(canonical_json(parts).encode()).hexdigest()

    def _exact(self, test: TestSet) -> bool:
        return test.metric.decomposable or not self.resamples

    def _make(
        self, test: TestSet, todo: Mapping[Key, Runs], wanted: Mapping[Key, RunSet], names: Mapping[Key, str]
    ) -> Iterator[tuple[Key, Profile]]:
        if not todo:
            return
        if self._exact(test):
            made = [jackknife(runs) for runs in todo.values()]
        else:
            # A stream for each task: neither other tasks nor other submissions change a number.
            rng = np.random.default_rng([self.seed, zlib.crc32(test.task.spec.name.encode())])
            with one_thread():
                made = bootstrap(list(todo.values()), self.resamples, rng)
        for key, profile in zip(todo, made, strict=True):
            kept = profile.deviations.astype(np.float32)
            self._keep(names[key], profile.units, kept)
            yield key, _profile(wanted[key], profile.units, kept)

    def _path(self, name: str) -> Path | None:
        return self.folder / name[:2] / f"{name[2:]}.profile" if self.folder else None

    def _kept(self, name: str, runs: RunSet) -> Profile | None:
        path = self._path(name)
        try:
            content = path.read_bytes() if path else b""
        except OSError:
            return None  # not there
        found = _unpacked(content, len(runs.records))
        return None if found is None else _profile(runs, *found)

    def _keep(self, name: str, units: int, deviations: npt.NDArray[np.float32]) -> None:
        path = self._path(name)
        if path is None:
            return
        temporary = path.with_name(f".{path.name}.{os.getpid()}")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            # Not forced to the disk, which takes longer than to make it: one cut short by a crash fails its checksum.
            temporary.write_bytes(_packed(units, deviations))
            temporary.replace(path)
        except OSError:
            return  # a folder that cannot be written to costs time, nothing else
        finally:
            with suppress(OSError):
                temporary.unlink(missing_ok=True)


def _packed(units: int, deviations: npt.NDArray[np.float32]) -> bytes:
    """What is kept: units, rows and seeds, the deviations, and a checksum of all that."""
    content = _HEAD.pack(units, *deviations.shape) + np.ascontiguousarray(deviations, dtype="<f4").tobytes()
    return content + zlib.crc32(content).to_bytes(4, "little")


def _unpacked(content: bytes, seeds: int) -> tuple[int, npt.NDArray[np.float32]] | None:
    """Units and deviations; ``None`` for a file that is cut short or of other seeds: its profile is made again."""
    if len(content) <= _HEAD.size + 4 or zlib.crc32(content[:-4]) != int.from_bytes(content[-4:], "little"):
        return None
    units, rows, columns = _HEAD.unpack_from(content)
    if columns != seeds or len(content) != _HEAD.size + 4 * rows * columns + 4:
        return None
    return units, np.frombuffer(content, "<f4", rows * columns, _HEAD.size).reshape(rows, columns)


def cores() -> int:
    """Processor cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def one_thread() -> AbstractContextManager[Any]:
    """For products that are small, or beside other work: threads then cost more than they bring."""
    threads: Any = importlib.import_module("threadpoolctl")
    return threads.threadpool_limits(1)


def _profile(runs: RunSet, units: int, deviations: npt.NDArray[np.float32]) -> Profile:
    """The same from what is kept and from what was just made: deviations are rounded to float32 either way."""
    scores = np.array([record.score for record in runs.records])
    return Profile(tuple(record.seed for record in runs.records), units, scores, deviations.astype(np.float64))
