"""Recompute everything that is stored of a submission: hashes, seals and scores. Any edit is named."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from clinsynth.data.store import ExampleStore
from clinsynth.errors import NotPreparedError, UserError
from clinsynth.registry import TASKS
from clinsynth.results import Results, RunRecord, read_predictions, read_record
from clinsynth.scoring.metrics import score_all
from clinsynth.submissions import Submission, read_submission

TOLERANCE = 1e-9
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
    known = {results.predictions_path(read_record(path).cell) for path in paths if not _unreadable(path)}
    for stray in sorted(set(results.predictions.glob("*/*/n*/*")) - known):
        findings.append(Finding("failed", stray, "predictions of a run that has no record"))
    return Verified(len(paths), tuple(findings))


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
    findings: list[Finding] = []
    if record.seal != record.expected_seal():
        findings.append(Finding("failed", path, "the record was edited: its seal does not fit its content"))
    if record.submission != results.folder.name:
        findings.append(Finding("failed", path, f"the record is of {record.submission}, not of {results.folder.name}"))
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
        for name, score in score_all(task.spec, gold, predictions).items():
            stored = record.scores.get(name)
            if stored is None or abs(score - stored) > TOLERANCE:
                findings.append(Finding("failed", path, f"{name} is {score:.6f} from the predictions, {stored} here"))
    return findings


def _check_data(record: RunRecord, submission: Submission | UserError, folder: Path) -> list[Finding]:
    file = folder / "data" / f"{record.task}.jsonl.gz"
    if isinstance(submission, UserError) or record.task not in submission.files:
        # References hold real text, which is not published: only who has the data can check it.
        return [Finding("unchecked", file, "the training rows are not here")]
    try:
        found = submission.fingerprint(record.task)
    except UserError as error:
        return [Finding("failed", file, str(error).splitlines()[0])]
    if found != record.training.fingerprint:
        return [Finding("failed", submission.files[record.task], "not the rows that the student was trained on")]
    return []
