"""Recompute everything that is stored of a submission: hashes, seals and scores. Any edit is named."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, Protocol, get_args

from clinsynth.core import TASKS, Example, NotPreparedError, TaskSpec, UnknownNameError, UserError
from clinsynth.data import ExampleStore
from clinsynth.data import fingerprint as fingerprint_of_examples
from clinsynth.results.repeats import Digests, digests, may_repeat, nearly_repeated, repeated_seeds
from clinsynth.results.store import Cell, DataKind, Draw, Results, RunRecord, TestData, read_record
from clinsynth.scoring import score_all
from clinsynth.submissions import Submission, read_submission
from clinsynth.submissions import fingerprint as fingerprint_of

TOLERANCE = 1e-9
"""Largest difference between a stored score and the recomputed one."""


class Tested(Protocol):
    """A record of either track."""

    @property
    def seal(self) -> str:
        """As it is stored."""
        ...

    def expected_seal(self) -> str:
        """As it must be."""
        ...

    @property
    def submission(self) -> str:
        """Name of the folder."""
        ...

    @property
    def task(self) -> str:
        """The task."""
        ...

    @property
    def task_version(self) -> int:
        """The task's version then."""
        ...

    @property
    def test(self) -> TestData:
        """The test set."""
        ...

    @property
    def metric(self) -> str:
        """The main metric."""
        ...

    @property
    def scores(self) -> Mapping[str, float]:
        """Every metric, in [0, 1]."""
        ...


@dataclass(frozen=True, slots=True)
class Finding:
    """A mismatch with a record, or something that could not be checked."""

    severity: Literal["failed", "unchecked"]
    file: Path
    what: str

    def __str__(self) -> str:
        return f"{self.severity}: {self.file}: {self.what}"


@dataclass(frozen=True, slots=True)
class Verified:
    """The outcome for one submission."""

    runs: int
    """Records that were looked at."""
    findings: tuple[Finding, ...]

    @property
    def ok(self) -> bool:
        """Whether nothing failed; what could not be checked does not count."""
        return not any(finding.severity == "failed" for finding in self.findings)


def verify(folder: Path, store: ExampleStore) -> Verified:
    """Check every run under a submission's folder against the data on this machine. Raises ``UserError`` if none."""
    places = [Results(folder.absolute(), store.kind, draw) for draw in get_args(Draw)]
    runs = sum(1 for results in places for _ in results.record_paths())
    if not runs:
        raise UserError(f"no runs under {places[0].runs}", remedy=f"clinsynth score {folder}")
    try:
        submission: Submission | UserError = read_submission(folder)
    except UserError as error:
        submission = error
    tests = GoldSets(store)
    return Verified(runs, tuple(finding for results in places for finding in _findings(results, submission, tests)))


def _findings(results: Results, submission: Submission | UserError, tests: GoldSets) -> Iterator[Finding]:
    """All that is to be said of the runs of one draw."""
    paths = list(results.record_paths())
    records: list[RunRecord] = []
    answers: dict[Cell, Digests] = {}
    for path in paths:
        try:
            record = read_record(path, edited=True)
        except UserError as error:
            yield Finding("failed", path, said(error))
            continue
        records.append(record)
        yield from _check(path, record, results, submission, tests, answers)
    for each in (*repeated_seeds(records, results), *nearly_repeated(records, answers)):
        yield Finding("failed", results.record_path(each.cell), each.text)
    yield from _strays(results, paths, records)


def said(error: UserError) -> str:
    """An error on one line."""
    return str(error).replace("\n", ";")


class GoldSets:
    """The test sets of a store, each read and checked once."""

    def __init__(self, store: ExampleStore) -> None:
        self._store = store
        self._found: dict[str, tuple[list[Example], str] | Finding] = {}

    def of(self, task: str, path: Path) -> tuple[list[Example], str] | Finding:
        """Examples and fingerprint; or what to say of the record at ``path``, which cannot be checked against them.

        A test set that is not here leaves a score unchecked. One that is here and damaged is a failed check.
        """
        if task not in self._found:
            self._found[task] = self._read(task, path)
        gold = self._found[task]
        return replace(gold, file=path) if isinstance(gold, Finding) else gold

    def same(self, record: Tested, path: Path) -> list[Example] | Finding:
        """The examples that the record at ``path`` is about; or why its score cannot be checked against them."""
        examples = self.of(record.task, path)
        if isinstance(examples, Finding):
            return examples
        gold, fingerprint = examples
        if fingerprint != record.test.fingerprint:
            return Finding("failed", path, "it is on another test set than the one here")
        return gold

    def _read(self, task: str, path: Path) -> tuple[list[Example], str] | Finding:
        try:
            own = TASKS[task]
            fingerprint = self._store.fingerprint(own, "test")
            examples = self._store.examples(own, "test")
        except (NotPreparedError, UnknownNameError) as error:
            return Finding("unchecked", path, f"score not recomputed: {str(error).splitlines()[0]}")
        except UserError as error:
            return Finding("failed", path, f"score not recomputed, the prepared test set is damaged: {said(error)}")
        if fingerprint_of_examples(examples) != fingerprint:
            return Finding(
                "failed", path,
                f"score not recomputed: the prepared test set of {task} is damaged, it is not what its manifest says;"
                f"  remedy: clinsynth prepare {task}, after its folder was deleted",
            )  # fmt: skip
        return examples, fingerprint


def _strays(results: Results, paths: Sequence[Path], records: Sequence[RunRecord]) -> Iterator[Finding]:
    known = {results.predictions_path(record.cell) for record in records} | set(paths)
    for file in sorted(path for base in (results.runs, results.predictions) for path in base.rglob("*")):
        if file in known or (file.is_dir() and not file.is_symlink()):
            continue
        if file.name.startswith("."):
            yield Finding("unchecked", file, "left by a run that was stopped, or by something else; delete it")
        elif file.is_relative_to(results.predictions):
            yield Finding("failed", file, "predictions of a run that has no record")
        else:
            yield Finding("failed", file, "no run record belongs there")


def _check(
    path: Path,
    record: RunRecord,
    results: Results,
    submission: Submission | UserError,
    tests: GoldSets,
    answers: dict[Cell, Digests],
) -> list[Finding]:
    findings = [Finding("failed", path, fault) for fault in record_faults(record, results)]
    if record.task not in TASKS:
        return [*findings, Finding("unchecked", path, f"score not recomputed: no task {record.task} here")]
    predictions_path = results.predictions_path(record.cell)
    try:
        predictions, digest = results.read_predictions(record)
    except UserError as error:
        return [*findings, Finding("failed", path, said(error))]
    if may_repeat(record):
        answers[record.cell] = digests(predictions)
    if digest != record.predictions_sha256:
        findings.append(Finding("failed", predictions_path, "not the predictions that the record was made from"))
    findings += _check_data(record, submission, results.folder)
    gold = tests.same(record, path)
    if isinstance(gold, Finding):
        return [*findings, gold]
    if len(predictions) != len(gold):
        findings.append(Finding("failed", predictions_path, f"{len(predictions)} predictions for {len(gold)} examples"))
    else:
        spec = TASKS[record.task].spec
        findings += [
            Finding("failed", path, fault) for fault in score_faults(record, spec, score_all(spec, gold, predictions))
        ]
    return findings


def record_faults(record: RunRecord, results: Results) -> Iterator[str]:
    """Faults of a record that show without predictions or test data."""
    yield from place_faults(record, results.folder, results.kind)
    if record.training.used != record.rows:
        yield f"used {record.training.used} rows, not the {record.rows} of its place"
    if record.training.draw != results.draw:
        yield f"its rows are a {record.training.draw} draw, in the place of {results.draw} draws"
    if not 1 <= record.rows <= record.training.available:
        yield f"used {record.rows} rows of {record.training.available}"


def place_faults(record: Tested, folder: Path, kind: DataKind) -> Iterator[str]:
    """Why a record of either track is not one of this place: edited, or of another folder, data or task version."""
    if record.seal != record.expected_seal():
        yield "the record was edited: its seal does not fit its content"
    if record.submission != folder.name:
        yield f"the record is of {record.submission}, not of {folder.name}"
    if record.test.kind != kind:
        yield f"a record on {record.test.kind} data among those on {kind} data"
    if record.task in TASKS and record.task_version != (now := TASKS[record.task].spec.version):
        yield f"made with version {record.task_version} of the task, which is at version {now}: make it again"


def score_faults(record: Tested, spec: TaskSpec, scores: Mapping[str, float]) -> Iterator[str]:
    """Differences between the scores of a record and those that its predictions give."""
    if record.metric != spec.metric or record.scores.keys() != scores.keys():
        yield f"its metrics are not those of {spec.name}: {', '.join(scores)}"
    for name, score in scores.items():
        stored = record.scores.get(name)
        if stored is None or abs(score - stored) > TOLERANCE:
            yield f"{name} is {score:.6f} from the predictions, {stored} here"


def _check_data(record: RunRecord, submission: Submission | UserError, folder: Path) -> list[Finding]:
    file = folder / "data" / f"{record.task}.jsonl.gz"
    if not file.exists() and not file.with_suffix("").exists():
        # References hold real text, which is not published: only who has the data can check it.
        return [Finding("unchecked", file, "the training rows are not here")]
    if isinstance(submission, UserError):
        return [Finding("failed", file, str(submission).replace("\n", ";"))]
    try:
        file = submission.files[record.task]
        rows = submission.rows(record.task)
    except (KeyError, UserError) as error:
        return [Finding("failed", file, str(error).splitlines()[0])]
    if fingerprint_of(rows, submission.specs[record.task]) != record.training.fingerprint:
        return [Finding("failed", file, "not the rows that the student was trained on")]
    if len(rows) != record.training.available:
        return [Finding("failed", file, f"{len(rows)} rows, not the {record.training.available} of the record")]
    return []
