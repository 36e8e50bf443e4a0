"""The suites in a snapshot: how language models do in the evaluations of ClinicalGPT and of Asclepius."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TypeVar

from clinsynth.direct.suites import SETS, GradesRecord, SuiteRecord, largest, suite_records
from clinsynth.snapshot.data_records import Omitted
from clinsynth.snapshot.descriptions import GradeRow, SuiteRow
from clinsynth.snapshot.schema import Tables

CLINICALGPT = "clinicalgpt"
R = TypeVar("R", SuiteRecord, GradesRecord)


def suite_rows(folders: Sequence[Path], omitted: Omitted) -> tuple[SuiteRow, ...]:
    """Each measure of each set; of several records of a set the one with most questions.

    Args:
        folders: of the direct track.
        omitted: told what cannot be shown.
    """
    found = {folder: largest(_read(SuiteRecord, folder, f"{CLINICALGPT}/*.json", omitted)) for folder in folders}
    return tuple(
        SuiteRow(
            suite=record.suite, set=name, area=each.area, submission=folder.name, model=record.model, measure=measure,
            value=value, examples=record.asked, limited=record.limit is not None,
            unread=record.asked - record.answers.get("read", 0),
        )
        for name, each in SETS.items()
        for folder, records in found.items()
        if (record := records.get(name))
        for measure, value in record.scores.items()
    )  # fmt: skip


def grade_rows(folders: Sequence[Path], omitted: Omitted) -> tuple[GradeRow, ...]:
    """What each judge gave, by kind of request and together. Arguments as for ``suite_rows``."""
    rows: list[GradeRow] = []
    for folder in folders:
        for record in _read(GradesRecord, folder, "asclepius-notes/grades*.json", omitted):
            for name, judge in record.judges.items():
                means = {**{kind: judge.by_kind.get(kind) for kind in record.kinds}, "all": judge.mean}
                rows += (
                    GradeRow(
                        submission=folder.name, model=record.model, notes=record.notes_sha256, judge=name, kind=kind,
                        grade=mean, examples=record.kinds.get(kind, record.asked),
                        ungraded=sum(judge.failures.values()) if kind == "all" else None,
                        limited=record.limit is not None,
                    )
                    for kind, mean in means.items()
                )  # fmt: skip
    return tuple(rows)


def suites_of(folders: Sequence[Path], suite: str) -> Tables:
    """One suite's results and what of them is left out, and nothing else."""
    omitted = Omitted()
    suites = suite_rows(folders, omitted) if suite == CLINICALGPT else ()
    grades = grade_rows(folders, omitted) if suite != CLINICALGPT else ()
    return Tables(suites=suites, grades=grades, left_out=tuple(omitted.rows))


def _read(model: type[R], folder: Path, pattern: str, omitted: Omitted) -> Iterator[R]:
    """The records that can be taken."""
    records, faults = suite_records(folder, model, pattern)
    for fault in faults:
        omitted.fault(fault)
    yield from records
