"""Profiles of stored runs: made once from predictions and the test set, and kept beside the prepared data.

A kept profile is found by everything that decides it: the bytes of the prediction files, the recorded scores, the test
set, the task and the resampling. So it is never out of date; deleting the folder costs time, nothing else. It holds
no text: for each seed and resample (or unit) how far the score moved.
"""

from __future__ import annotations

import hashlib
import importlib
import json
import os
import struct
import zlib
from collections import Counter
from collections.abc import Hashable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Literal, TypeVar

import numpy as np
import numpy.typing as npt
from pydantic import ValidationError

from clinsynth.core import Example, Prediction, Sealed, TaskSpec, UserError, canonical_json, write_json
from clinsynth.data import DataStore, ExampleStore
from clinsynth.scoring import METRICS, Metric
from clinsynth.scoring.statistics import Profile, Runs, bootstrap, jackknife, sum_by_unit
from clinsynth.standings.runs import Answers, NotComparableError, TestSet, counted

RECORDS = Path(__file__).with_name("constants.json")
"""Stored floors of the open tasks, for tables that are made without test sets."""


class Constant(Sealed):
    """The best constant answer to a test set. Holds no text of any dataset."""

    format: Literal[1] = 1
    task: str
    task_version: int
    test_fingerprint: str
    """sha256 over the test examples."""
    examples: int
    metric: str
    labels: tuple[str, ...]
    """Labels given to every item; empty for a span task, which means no span."""
    counts: tuple[int, ...]
    """The metric's counts of this answer, summed over the test set."""
    score: float

    @property
    def words(self) -> str:
        """Such as ``always yes``."""
        return f"always {' + '.join(self.labels)}" if self.labels else "never anything"


def best_constant(spec: TaskSpec, metric: Metric, gold: Sequence[Example]) -> tuple[Prediction, tuple[int, ...], float]:
    """The constant answer with the highest score, its summed counts and that score; of equal ones the first.

    Every label of a task that has one label for each item. Of sets of labels those that can be the best: the m most
    frequent labels for every m (the best m for F1, whether micro or macro), and every set that is the answer to an item
    (the best for accuracy). ``tests/test_floor.py`` compares that with all subsets.
    """
    kinds = Counter((example.labels, example.spans) for example in gold)
    best: tuple[Prediction, tuple[int, ...], float] | None = None
    for labels in _candidates(spec, gold):
        said = Prediction(labels)
        counts = np.sum(
            [
                times * np.array(metric.count(spec, Example(("",), labels=own, spans=spans), said))
                for (own, spans), times in kinds.items()
            ],
            axis=0,
        )
        score = float(metric.value(counts))
        if best is None or score > best[2]:
            best = said, tuple(counts.tolist()), score
    if best is None:
        raise ValueError(f"{spec.name} has no label to say")
    return best


def _candidates(spec: TaskSpec, gold: Sequence[Example]) -> Iterator[tuple[str, ...]]:
    if spec.is_span:
        yield ()
    elif not spec.multi_label:
        yield from ((label,) for label in spec.labels)
    else:
        often = Counter(label for example in gold for label in example.labels)
        order = sorted(spec.labels, key=lambda label: (-often[label], spec.labels.index(label)))
        prefixes = (tuple(order[:most]) for most in range(len(order) + 1))
        yield from dict.fromkeys((*prefixes, *(example.labels for example in gold)))


def constant_of(test: TestSet) -> Constant:
    """The best constant answer to a test set."""
    spec = test.task.spec
    said, counts, score = best_constant(spec, test.metric, test.gold)
    return Constant(
        task=spec.name, task_version=spec.version, test_fingerprint=test.fingerprint, examples=len(test.gold),
        metric=spec.metric, labels=said.labels, counts=counts, score=score,
    ).sealed()  # fmt: skip


@cache
def recorded() -> dict[tuple[str, str, str], Constant]:
    """The stored constant answers, by task, metric and fingerprint of the test set, without any that was edited."""
    stored = [Constant.model_validate(each) for each in json.loads(RECORDS.read_text("utf-8"))]
    return {
        (each.task, each.metric, each.test_fingerprint): each
        for each in stored
        if each.seal == each.expected_seal() and float(METRICS[each.metric].value(np.array(each.counts))) == each.score  # pyright: ignore[reportArgumentType]
    }


def record(constants: Sequence[Constant], path: Path = RECORDS) -> None:
    """Store constant answers, of tasks with open test sets only."""
    write_json(path, [each.model_dump(mode="json") for each in sorted(constants, key=lambda each: each.task)])


VERSION = 3
"""Raised whenever the same runs give another profile, or none: 3 refuses seeds that are nearly one run."""
RESAMPLES = 2_000
"""Bootstrap resamples of F1 metrics (protocol); 10,000 for a published table."""
_HEAD = struct.Struct("<qqqq")
"""Header of a kept profile: units, rows, columns, and bytes of the answer that precedes the numbers."""
_TOGETHER = 400_000_000
"""Bytes of counts that are resampled together: the draws are then made once for all of them."""

Key = TypeVar("Key", bound=Hashable)


class MissingPredictionsError(UserError):
    """The predictions of a run are not on this machine."""

    def __reduce__(self) -> tuple[type[UserError], tuple[str]]:
        # What is merely elsewhere must not come back from a worker process as what is wrong.
        return MissingPredictionsError, (str(self),)


@dataclass(frozen=True, slots=True)
class Profiler:
    """Makes profiles and keeps them on disk."""

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

    def constant(self, test: TestSet) -> tuple[Constant, Profile]:
        """The best constant answer to a test set, and its profile. Raises ``UserError`` if that is damaged."""
        name = self._digest(test, "constant")
        kept = self._kept(name)
        if kept is not None and kept.columns == 1:
            with suppress(ValidationError):
                said = Constant.model_validate_json(kept.said)
                return said, _profile((), [said.score], kept)
        said = constant_of(test)
        predictions = [Prediction(said.labels)] * len(test.gold)
        counts = test.metric.counts(test.task.spec, test.gold, predictions)
        try:
            runs = Runs(test.metric.value, (), sum_by_unit(counts, test.index)[None])
        except ValueError as error:
            raise UserError(f"the test set of {said.task} is too small for statistics", found=str(error)) from error
        ((_, kept),) = self._make(test, {"constant": runs}, {"constant": name}, said.model_dump_json().encode())
        return said, _profile((), [said.score], kept)

    def profiles(self, test: TestSet, wanted: Mapping[Key, Answers]) -> tuple[dict[Key, Profile], dict[Key, Exception]]:
        """The profiles on one test set, and the reason for each that cannot be had."""
        profiles: dict[Key, Profile] = {}
        faults: dict[Key, Exception] = {}
        names: dict[Key, str] = {}
        todo: dict[Key, Runs] = {}
        for key, answers in wanted.items():
            try:
                names[key] = self._name(test, answers)
                kept = self._kept(names[key])
                if kept is not None and kept.columns == len(answers.files):
                    profiles[key] = _profile(answers.seeds, [file.score for file in answers.files], kept)
                    continue
                todo[key] = counted(answers, test)
            except (NotComparableError, UserError) as error:
                faults[key] = error
            if sum(each.counts.nbytes for each in todo.values()) > _TOGETHER:
                profiles.update(self._made(test, todo, wanted, names))
                todo = {}
        profiles.update(self._made(test, todo, wanted, names))
        return profiles, faults

    def _made(
        self, test: TestSet, todo: Mapping[Key, Runs], wanted: Mapping[Key, Answers], names: Mapping[Key, str]
    ) -> Iterator[tuple[Key, Profile]]:
        for key, kept in self._make(test, todo, names):
            answers = wanted[key]
            yield key, _profile(answers.seeds, [file.score for file in answers.files], kept)

    def _name(self, test: TestSet, answers: Answers) -> str:
        """The name of the file that a profile is kept in. Raises ``MissingPredictionsError``."""
        try:
            packed = [hashlib.sha256(file.path.read_bytes()).hexdigest() for file in answers.files]
        except OSError as error:
            place = Path(error.filename).relative_to(answers.folder.parent)
            raise MissingPredictionsError(f"predictions are not here: {place}") from error
        seeds = answers.seeds or (None,)
        stored = [(seed, file.sha256, file.score) for seed, file in zip(seeds, answers.files, strict=True)]
        return self._digest(test, [stored, packed])

    def _digest(self, test: TestSet, what: Any) -> str:
        spec = test.task.spec
        resampling = [] if self._exact(test) else [self.resamples, self.seed]
        parts = [VERSION, spec.name, spec.version, spec.metric, test.fingerprint, resampling, what]
        return hashlib.sha256(canonical_json(parts).encode()).hexdigest()

    def _exact(self, test: TestSet) -> bool:
        return test.metric.decomposable or not self.resamples

    def _make(
        self, test: TestSet, todo: Mapping[Key, Runs], names: Mapping[Key, str], said: bytes = b""
    ) -> Iterator[tuple[Key, _Kept]]:
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
            kept = _Kept(profile.units, profile.deviations.astype(np.float32), said)
            self._keep(names[key], kept)
            yield key, kept

    def _path(self, name: str) -> Path | None:
        return self.folder / name[:2] / f"{name[2:]}.profile" if self.folder else None

    def _kept(self, name: str) -> _Kept | None:
        path = self._path(name)
        try:
            content = path.read_bytes() if path else b""
        except OSError:
            return None  # not there
        return _unpacked(content)

    def _keep(self, name: str, kept: _Kept) -> None:
        path = self._path(name)
        if path is None:
            return
        temporary = path.with_name(f".{path.name}.{os.getpid()}")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            # Not forced to the disk, which takes longer than to make it: one cut short by a crash fails its checksum.
            temporary.write_bytes(_packed(kept))
            temporary.replace(path)
        except OSError:
            return  # a folder that cannot be written to costs time, nothing else
        finally:
            with suppress(OSError):
                temporary.unlink(missing_ok=True)


@dataclass(frozen=True, slots=True, eq=False)
class _Kept:
    """The kept part of a profile; its seeds and scores are in the records."""

    units: int
    deviations: npt.NDArray[np.float32]
    said: bytes = b""
    """The constant answer, as JSON."""

    @property
    def columns(self) -> int:
        return self.deviations.shape[1]


def _packed(kept: _Kept) -> bytes:
    """Numbers, the answer, deviations, and a checksum of all that."""
    head = _HEAD.pack(kept.units, *kept.deviations.shape, len(kept.said))
    content = head + kept.said + np.ascontiguousarray(kept.deviations, dtype="<f4").tobytes()
    return content + zlib.crc32(content).to_bytes(4, "little")


def _unpacked(content: bytes) -> _Kept | None:
    """``None`` for a file that is cut short: its profile is made again."""
    if len(content) <= _HEAD.size + 4 or zlib.crc32(content[:-4]) != int.from_bytes(content[-4:], "little"):
        return None
    units, rows, columns, length = _HEAD.unpack_from(content)
    start = _HEAD.size + length
    if len(content) != start + 4 * rows * columns + 4:
        return None
    deviations = np.frombuffer(content, "<f4", rows * columns, start).reshape(rows, columns)
    return _Kept(units, deviations, content[_HEAD.size : start])


def _profile(seeds: tuple[int, ...], scores: Sequence[float], kept: _Kept) -> Profile:
    """The same from what is kept and from what was just made: deviations are rounded to float32 either way."""
    return Profile(seeds, kept.units, np.array(scores), kept.deviations.astype(np.float64))


def one_thread() -> AbstractContextManager[Any]:
    """Limit linear algebra to one thread: for small products, or beside other work, more threads cost time."""
    threads: Any = importlib.import_module("threadpoolctl")
    return threads.threadpool_limits(1)
