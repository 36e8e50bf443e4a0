"""Stored audits: how they are read, and the verdict that follows from one."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Literal, NamedTuple

from clinsynth.audit import gate
from clinsynth.audit.gate import Failure
from clinsynth.audit.record import AUDIT_RECORD, AUDIT_VERSION, AuditRecord, Tier, audit_path
from clinsynth.core import TASKS, FaultyRecordError, read_filed
from clinsynth.results import DataKind


class Verdict(NamedTuple):
    """State of the audit of a submission's rows for one task."""

    state: Literal["clean", "failed", "stale", "unaudited"]
    """stale: there is an audit, but of other rows, another test set or by older rules."""
    reasons: tuple[str, ...]
    """Reasons in words; empty for clean."""
    tier: Tier = "synthetic"
    """real: rows that repeat real training text, declared or not; they are never ranked with synthetic ones."""

    @property
    def ranked(self) -> bool:
        """Whether standings may rank it."""
        return self.state == "clean"


def read_audit(path: Path) -> AuditRecord:
    """Read one record, and hold what it says of its failures against its own numbers.

    The gate is applied again to the numbers that are stored: leaks, draws, nearness, what looks private, canaries,
    undeclared and restricted text. What stays open: whether these numbers, ``declared`` and ``reference`` are those of
    the rows and the card, which only an audit of the rows tells; which draws hold too much undeclared text, where
    few-shot examples are declared, for how many rows repeat these *and* training text is not stored (such failures are
    taken where they are possible); and records by older rules, which count as stale, or of tasks unknown here.

    Raises:
        FaultyRecordError: the file is no audit record, edited, another task's, or its failures do not follow.
    """
    record = read_filed(path, AuditRecord, AUDIT_RECORD)
    if not _follow(record):
        raise FaultyRecordError(
            path, "bad-form", f"is not {AUDIT_RECORD.name}", remedy=AUDIT_RECORD.remedy,
            found="its failures do not follow from its numbers",
        )  # fmt: skip
    return record


def failures_of(record: AuditRecord) -> tuple[Failure, ...]:
    """The failures of an audit by the present rules, with what each is about."""
    most = gate.undeclared_rows(record)[1]
    known = {failure.text: failure for failure in gate.failures(record, TASKS[record.task].spec, most)}
    # The only text that cannot be made again from the record: see ``read_audit``.
    return tuple(known.get(text, Failure("drawn-undeclared", text)) for text in record.failures)


def is_audited(
    folder: Path, task: str, fingerprint: str, *, kind: DataKind = "real", test: str | None = None
) -> Verdict:
    """Whether the rows that a result was made from were audited, and how that ended. Reads one small file.

    Args:
        folder: the submission's.
        task: the task's name.
        fingerprint: of the rows: ``RunRecord.training.fingerprint``.
        kind: of the result: ``RunRecord.test.kind``.
        test: fingerprint of the test set, ``RunRecord.test.fingerprint``; not compared if left out.
    """
    path = audit_path(folder, task, kind)
    try:
        record = read_audit(path) if os.path.lexists(path) else None
    except FaultyRecordError as error:
        return Verdict("unaudited", (error.fault(folder, task).text,))
    if record is None:
        return Verdict("unaudited", (f"not audited on {task}",))
    if (record.submission, record.task, record.kind) != (folder.name, task, kind):
        return Verdict("unaudited", (f"the audit on {task} is of {record.submission} on {record.task}",))
    stale = {
        f"the audit on {task} is of other rows": record.data_fingerprint != fingerprint,
        f"the audit on {task} is against another test set": test is not None and record.splits["test"] != test,
        f"the audit on {task} is by rules of version {record.audit}, now {AUDIT_VERSION}": record.audit
        != AUDIT_VERSION,
    }
    if any(stale.values()):
        return Verdict("stale", tuple(reason for reason, holds in stale.items() if holds))
    return Verdict("failed" if record.failures else "clean", record.failures, record.tier)


def _follow(record: AuditRecord) -> bool:
    if record.audit != AUDIT_VERSION or record.task not in TASKS:
        return True
    if not _possible(record):
        return False
    spec = TASKS[record.task].spec
    least, most = gate.undeclared_rows(record)
    fewest = gate.failures(record, spec, most)  # the more such rows in the file, the more of them chance explains
    if least == most:
        return record.failures == tuple(failure.text for failure in fewest)
    certain = tuple(failure.text for failure in fewest if failure.code != "drawn-undeclared")
    named = tuple(text for text in record.failures if text in certain)
    others = len(record.failures) - len(named)
    at_most = sum(failure.code == "drawn-undeclared" for failure in gate.failures(record, spec, least))
    return named == certain and len(fewest) - len(certain) <= others <= at_most


def _possible(record: AuditRecord) -> bool:
    """Whether the gate can be applied: nothing of no rows, no share above 1."""
    shares = (record.privacy.share, record.privacy.real_share or 0.0)
    long = record.verbatim is None or str(gate.RESTRICTED_WORDS) in record.verbatim.over
    return min((record.rows, *(draw.budget for draw in record.draws))) > 0 and max(shares) <= 1 and long
