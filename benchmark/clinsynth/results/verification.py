"""Recompute everything that is stored of a submission: hashes, seals and scores. Any edit is named."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

from clinsynth.core import TASKS, NotPreparedError, TaskSpec, UserError
from clinsynth.data import ExampleStore
from clinsynth.results.store import Results, RunRecord, read_predictions, read_record
from clinsynth.scoring import score_all
from clinsynth.submissions import Submission, read_submission
from clinsynth.submissions import fingerprint as fingerprint_of

TOLERANCE = 1e-9


class Scored(Protocol):
    """A record of either track."""

    @property
    def metric(self) -> str:
        """The main metric."""
        ...

    @property
    def scores(self) -> Mapping[str, float]:
        """Every metric, in [0, 1]."""
        ...


"""Largest difference between a stored score and the recomputed one."""


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that is not as the record says, or that could not be checked."""

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
    results = Results(folder.absolute(), store.kind)
    paths = sorted(results.runs.glob("*/*/n*/seed*.json"))
    if not paths:
        raise UserError(f"no runs under {results.runs}", remedy=f"clinsynth score {folder}")
    try:
        submission: Submission | UserError = read_submission(folder)
    except UserError as error:
        submission = error
    findings: list[Finding] = []
    for path in paths:
        findings += _check(path, results, submission, store)
    findings += _strays(results, paths)
    return Verified(len(paths), tuple(findings))


def _strays(results: Results, paths: Sequence[Path]) -> Iterator[Finding]:
    known = {results.predictions_path(read_record(path).cell) for path in paths if not _unreadable(path)} | set(paths)
    for file in sorted(path for base in (results.runs, results.predictions) for path in base.rglob("*")):
        if file in known or file.is_dir():
            continue
        if file.name.startswith("."):
            yield Finding("unchecked", file, "left by a run that was stopped, or by something else; delete it")
        elif file.is_relative_to(results.predictions):
            yield Finding("failed", file, "predictions of a run that has no record")
        else:
            yield Finding("failed", file, "no run record belongs there")


def _unreadable(path: Path) -> bool:
    try:
        read_record(path)
    except UserError:
        return True
    return False


def _check(path: Path, results: Results, submission: Submission | UserError, store: ExampleStore) -> list[Finding]:
    try:
        record = read_record(path)
        predictions_path = results.predictions_path(record.cell)
        predictions, digest = read_predictions(predictions_path)
    except UserError as error:
        return [Finding("failed", path, str(error).replace("\n", ";"))]
    findings = [Finding("failed", path, fault) for fault in record_faults(record, results)]
    if digest != record.predictions_sha256:
        findings.append(Finding("failed", predictions_path, "not the predictions that the record was made from"))
    findings += _check_data(record, submission, results.folder)
    try:
        task = TASKS[record.task]
        gold, fingerprint = store.examples(task, "test"), store.fingerprint(task, "test")
    except (NotPreparedError, UserError) as error:
        return [*findings, Finding("unchecked", path, f"score not recomputed: {str(error).splitlines()[0]}")]
    if fingerprint != record.test.fingerprint:
        findings.append(Finding("failed", path, "the run was on another test set than the one here"))
    elif len(predictions) != len(gold):
        findings.append(Finding("failed", predictions_path, f"{len(predictions)} predictions for {len(gold)} examples"))
    else:
        findings += [
            Finding("failed", path, fault)
            for fault in score_faults(record, task.spec, score_all(task.spec, gold, predictions))
        ]
    return findings


def record_faults(record: RunRecord, results: Results) -> Iterator[str]:
    """What is wrong with a record in itself."""
    if record.seal != record.expected_seal():
        yield "the record was edited: its seal does not fit its content"
    if record.submission != results.folder.name:
        yield f"the record is of {record.submission}, not of {results.folder.name}"
    if record.test.kind != results.kind:
        yield f"a run on {record.test.kind} data among those on {results.kind} data"
    if record.training.used != record.rows:
        yield f"used {record.training.used} rows, not the {record.rows} of its place"


def score_faults(record: Scored, spec: TaskSpec, scores: Mapping[str, float]) -> Iterator[str]:
    """Where the scores of a record are not those that its predictions give."""
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
