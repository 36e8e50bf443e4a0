"""Differences that a snapshot holds: ``compare`` between the references and the best submissions, each pair once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from clinsynth.snapshot.scores import DifferenceRow
from clinsynth.standings import CONSTANT, Comparison, Entry, Profiler, Reading, Request, Standings, Stored, compare

BEST = 12
"""Rows of a table, best first, that are compared with one another and with every reference."""


CEILING = "gold-full"


def difference_rows(
    tables: Sequence[Standings], stored: Mapping[str, Stored], profiler: Profiler | None
) -> tuple[DifferenceRow, ...]:
    """Every pair of the references and the ``BEST`` first others of each table; none without ``profiler``."""
    if profiler is None:
        return ()
    out: list[DifferenceRow] = []
    for table in tables:
        references = [row.name for row in table.rows if row.kind == "reference" and row.name != CONSTANT]
        best = [row.name for row in table.rows if row.kind != "reference"][:BEST]
        entries = [stored[name].entry(table.recipe) for name in (*best, *references)]
        ceiling = stored[CEILING].entry(table.recipe) if CEILING in stored else None
        reading = Reading()
        for k in range(len(entries) - 1):
            out += _against(table, entries[k:], ceiling, profiler, reading)
    return tuple(out)


def _against(
    table: Standings, entries: Sequence[Entry], ceiling: Entry | None, profiler: Profiler, reading: Reading
) -> list[DifferenceRow]:
    request = Request(
        entries=tuple(entries), tasks=table.tasks, recipe=table.recipe, rows=table.budget, ceiling=ceiling,
        resamples=profiler.resamples, seed=profiler.seed,
    )  # fmt: skip
    return [_row(table, entries[0].name, each) for each in compare(request, profiler.store, reading).comparisons]


def _row(table: Standings, base: str, found: Comparison) -> DifferenceRow:
    judgement = found.judgement
    return DifferenceRow(
        data=table.kind, recipe=table.recipe, rows=table.budget, base=base, other=found.other, scope=found.scope,
        tasks=found.tasks, seeds=found.seeds, base_score=found.base_score, other_score=found.other_score,
        difference=found.difference, low=found.low, high=found.high, p=found.p, detectable=found.detectable,
        confidence=found.confidence, outcome=judgement.verdict, reason=judgement.reason, remedy=judgement.remedy,
        note=found.note,
    )  # fmt: skip
