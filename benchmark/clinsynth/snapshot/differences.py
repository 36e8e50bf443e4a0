"""Differences that a snapshot holds: ``compare`` between the references and the best submissions, each pair once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from clinsynth.scoring.statistics import ALPHA
from clinsynth.snapshot.scores import DifferenceRow
from clinsynth.standings import Comparison, Profiler, Reading, Request, Standings, compare

BEST = 12
"""Rows of a table, best first, that are compared with one another and with every reference."""


def difference_rows(
    tables: Sequence[Standings], folders: Mapping[str, Path], profiler: Profiler | None
) -> tuple[DifferenceRow, ...]:
    """Every pair of the references and the ``BEST`` first others of each table; none without ``profiler``."""
    if profiler is None:
        return ()
    out: list[DifferenceRow] = []
    for table in tables:
        references = [row.name for row in table.rows if row.kind == "reference"]
        best = [row.name for row in table.rows if row.kind != "reference"][:BEST]
        names = [*best, *references]
        reading = Reading()
        for k, base in enumerate(names[:-1]):
            out += _against(table, base, names[k + 1 :], folders, profiler, reading)
    return tuple(out)


def _against(
    table: Standings,
    base: str,
    others: Sequence[str],
    folders: Mapping[str, Path],
    profiler: Profiler,
    reading: Reading,
) -> list[DifferenceRow]:
    request = Request(
        folders=tuple(folders[name] for name in (base, *others)), tasks=table.tasks, recipe=table.recipe,
        rows=table.budget, resamples=profiler.resamples, seed=profiler.seed,
    )  # fmt: skip
    return [_row(table, base, each) for each in compare(request, profiler.store, reading).comparisons]


def _row(table: Standings, base: str, found: Comparison) -> DifferenceRow:
    if found.difference is None:
        outcome, reason = "not comparable", found.verdict.removeprefix("not comparable: ")
    elif found.p is None:
        outcome, reason = "undecided", found.verdict.removeprefix("undecided: ")
    else:
        decided = found.p < ALPHA
        outcome, reason = ("better" if found.difference > 0 else "worse") if decided else "tie", found.note
    return DifferenceRow(
        data=table.kind, recipe=table.recipe, rows=table.budget, base=base, other=found.other, scope=found.scope,
        tasks=found.tasks, seeds=found.seeds, base_score=found.base_score, other_score=found.other_score,
        difference=found.difference, low=found.low, high=found.high, p=found.p, detectable=found.detectable,
        confidence=found.confidence, outcome=outcome, reason=reason,
    )  # fmt: skip
