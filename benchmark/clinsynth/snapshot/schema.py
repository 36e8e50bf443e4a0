"""What a snapshot is made of: tables of flat rows, each with a model whose docstrings are the column descriptions.

A row says only what was computed elsewhere. ``None`` is unknown or not applicable, and a reason stands beside it; no
number is ever 0 for want of knowledge. Scores are in [0, 1].
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import Literal, get_args, get_type_hints

from clinsynth.snapshot.descriptions import (
    AuditRow,
    BandRow,
    DirectPairRow,
    DirectRow,
    DropRow,
    ElsewhereRow,
    ExampleRow,
    GenerationRow,
    GradeRow,
    LeftOutRow,
    Place,
    QualityRow,
    Row,
    SubmissionRow,
    SuiteRow,
    TaskRow,
)
from clinsynth.snapshot.scores import (
    AgreementRow,
    ConditionRow,
    CostRow,
    CurveRow,
    DifferenceRow,
    OverallRow,
    ScoreRow,
    SeedRow,
    SummaryRow,
    TypeRow,
)

__all__ = [
    "FORMAT",
    "MODELS",
    "AgreementRow",
    "AuditRow",
    "BandRow",
    "ConditionRow",
    "CostRow",
    "CurveRow",
    "DifferenceRow",
    "DirectPairRow",
    "DirectRow",
    "DropRow",
    "ElsewhereRow",
    "ExampleRow",
    "GenerationRow",
    "GradeRow",
    "LeftOutRow",
    "Manifest",
    "OverallRow",
    "Place",
    "QualityRow",
    "Row",
    "ScoreRow",
    "SeedRow",
    "Snapshot",
    "SubmissionRow",
    "SuiteRow",
    "SummaryRow",
    "TableFile",
    "Tables",
    "TaskRow",
    "TypeRow",
]

FORMAT = 4
"""Raised whenever a column changes its name, type or meaning."""


@dataclass(frozen=True, slots=True)
class Tables:
    """Every table of a snapshot."""

    tasks: tuple[TaskRow, ...] = ()
    submissions: tuple[SubmissionRow, ...] = ()
    conditions: tuple[ConditionRow, ...] = ()
    overall: tuple[OverallRow, ...] = ()
    types: tuple[TypeRow, ...] = ()
    scores: tuple[ScoreRow, ...] = ()
    summaries: tuple[SummaryRow, ...] = ()
    agreements: tuple[AgreementRow, ...] = ()
    seeds: tuple[SeedRow, ...] = ()
    differences: tuple[DifferenceRow, ...] = ()
    curves: tuple[CurveRow, ...] = ()
    costs: tuple[CostRow, ...] = ()
    quality: tuple[QualityRow, ...] = ()
    bands: tuple[BandRow, ...] = ()
    examples: tuple[ExampleRow, ...] = ()
    audits: tuple[AuditRow, ...] = ()
    generation: tuple[GenerationRow, ...] = ()
    drops: tuple[DropRow, ...] = ()
    direct: tuple[DirectRow, ...] = ()
    direct_pairs: tuple[DirectPairRow, ...] = ()
    suites: tuple[SuiteRow, ...] = ()
    grades: tuple[GradeRow, ...] = ()
    elsewhere: tuple[ElsewhereRow, ...] = ()
    left_out: tuple[LeftOutRow, ...] = ()


def _models() -> dict[str, type[Row]]:
    hints = get_type_hints(Tables)
    return {each.name: get_args(hints[each.name])[0] for each in fields(Tables)}


MODELS: dict[str, type[Row]] = _models()
"""The model of each table's rows, by the table's name."""


class TableFile(Row):
    """Where a table lies, and what it must hold."""

    rows: int
    parquet_sha256: str
    json_sha256: str


class Manifest(Row):
    """``snapshot.json``: what the snapshot is. Everything but ``id`` and ``tables`` may differ between equal ones."""

    format: Literal[4] = FORMAT
    id: str
    """sha256 over the content of all tables and the format: equal content has an equal id."""
    created: str
    """UTC, ISO 8601."""
    clinsynth: str
    """Version of the harness that made it."""
    commit: str
    """Commit of the checkout that made it; empty outside one."""
    tables: dict[str, TableFile]

    @property
    def short(self) -> str:
        """The first 12 hexadecimal digits of the id: enough to cite."""
        return self.id[:12]

    @property
    def day(self) -> str:
        """The day it was made."""
        return self.created[:10]

    @property
    def source(self) -> str:
        """What a table has to say of where it is from."""
        return f"clinsynth snapshot {self.short} of {self.day}"


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A snapshot in memory."""

    manifest: Manifest
    tables: Tables = field(repr=False)
