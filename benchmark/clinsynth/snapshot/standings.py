"""The standings' numbers as rows of a snapshot: taken over one by one, nothing is computed here."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal, cast

from clinsynth.core import CEILING, CONSTANT, TASKS, TaskTypeName
from clinsynth.results import Cell, RunRecord
from clinsynth.snapshot.descriptions import Place
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
from clinsynth.standings import (
    MEAN_OF_TYPES,
    Comparison,
    Curve,
    Difference,
    Entry,
    Interval,
    Profiler,
    Reading,
    Request,
    Score,
    Standing,
    Standings,
    Stored,
    compare,
)


def _key(table: Standings) -> dict[str, Any]:
    return {"data": table.kind, "recipe": table.recipe, "rows": table.budget}


def place_of(row: Standing) -> Place:
    """Above, beside or below the line."""
    if row.ranked:
        return "ranked"
    return "reference" if row.kind == "reference" else "unranked"


def _why(row: Standing, table: Standings) -> list[tuple[str, str]]:
    """Code and text of each reason; that of being a reference is said by the place."""
    reasons: list[tuple[str, str]] = [
        (reason.code, reason.text) for reason in row.reasons if reason.code != "reference"
    ]
    if not reasons and place_of(row) == "unranked":
        reasons.append(
            ("unchecked", "this snapshot was made without intervals" if not table.computed else "no overall score")
        )
    return reasons


def _ends(interval: Interval | None) -> tuple[float | None, float | None]:
    return (interval.low, interval.high) if interval else (None, None)


def _to_leader(found: Difference | None) -> dict[str, Any]:
    if found is None:
        numbers = ("difference", "low", "high", "p", "probability")
        return {"leader": "", "detectable": None, "leader_verdict": None} | {f"leader_{name}": None for name in numbers}
    return {
        "leader": found.other, "leader_difference": found.value, "leader_low": found.low, "leader_high": found.high,
        "leader_p": found.p if found.p_adjusted is None else found.p_adjusted, "leader_probability": found.probability,
        "leader_verdict": found.judgement.verdict, "detectable": found.detectable,
    }  # fmt: skip


def condition_row(table: Standings) -> ConditionRow:
    """The table itself. That it is of this recipe and these rows is in every caption; what was left out has a table."""
    return ConditionRow(
        **_key(table), tasks=table.tasks, missing=tuple(table.missing()), required=table.required,
        resamples=table.resamples, remarks=tuple(table.remarks()),
    )  # fmt: skip


def overall_rows(table: Standings, stored: Mapping[str, Stored]) -> Iterator[OverallRow]:
    """A row for each submission, in the order of the standings."""
    for row in table.rows:
        overall = row.statistics
        low, high = _ends(overall.interval if overall else None)
        ranks = overall.ranks if overall else None
        shares = overall.variance_shares if overall else {}
        largest = max(shares, key=lambda task: shares[task], default="")
        runs = _runs(row, table, stored.get(row.name))
        yield OverallRow(
            **_key(table),
            submission=row.name,
            place=place_of(row),
            reasons=tuple(text for _, text in _why(row, table)),
            codes=tuple(code for code, _ in _why(row, table)),
            group=overall.group if overall else None,
            rank_low=ranks[0] if ranks else None,
            rank_high=ranks[1] if ranks else None,
            mean=row.overall(table.required),
            low=low,
            high=high,
            gap=overall.gap if overall else None,
            gap_tasks=overall.gap_tasks if overall else (),
            gap_reason=_no_gap(row),
            variance_task=largest,
            variance_share=shares.get(largest),
            **_to_leader(overall.leader if overall else None),
            tasks=len(row.scores),
            seeds=row.seeds,
            scored=max((record.created[:10] for own in runs.values() for record in own), default=""),
            reproduced=_reproduced(stored.get(row.name), runs),
            borda=overall.borda if overall else None,
            win_rate=overall.win_rate if overall else None,
        )


def _runs(row: Standing, table: Standings, stored: Stored | None) -> dict[str, list[RunRecord]]:
    """The runs behind a row, by task; none for what needs no run."""
    cells = {record.cell: record for record in stored.records} if stored else {}
    return {
        task: [cells[Cell(task, table.recipe, score.rows, seed)] for seed in sorted(score.by_seed)]
        for task, score in row.scores.items()
        if stored
    }


def _reproduced(
    stored: Stored | None, runs: Mapping[str, Sequence[RunRecord]]
) -> Literal["reproduced", "in part", "not reproduced", "as handed in"]:
    states = {stored.reproductions.state(own) for own in runs.values()} if stored else set[str]()
    if "not reproduced" in states or (stored and stored.reproductions.lifted(runs)):
        return "not reproduced"
    if states == {"reproduced"}:
        return "reproduced"
    return "in part" if "reproduced" in states else "as handed in"


def _no_gap(row: Standing) -> str:
    if row.statistics is None or row.statistics.gap is not None:
        return "" if row.statistics else "a task is missing"
    reasons = sorted({s.statistics.gap.reason for s in row.scores.values() if s.statistics} - {""})
    return "; ".join(reasons)


def type_rows(table: Standings) -> Iterator[TypeRow]:
    """A row for each submission and type of which it has any score."""
    by_type: dict[str, list[str]] = {}
    for task in table.required:
        by_type.setdefault(TASKS[task].spec.type, []).append(task)
    for row in table.rows:
        means = row.type_means(table.required)
        for kind, tasks in sorted(by_type.items()):
            have = [task for task in tasks if task in row.scores]
            if not have:
                continue
            low, high = _ends(row.types.get(kind))
            yield TypeRow(
                **_key(table), submission=row.name, place=place_of(row), type=cast("TaskTypeName", kind),
                mean=means[kind] if len(have) == len(tasks) else None, low=low, high=high, tasks=len(have),
                of_tasks=len(tasks),
            )  # fmt: skip


def score_rows(table: Standings) -> Iterator[ScoreRow]:
    """A row for each submission and task."""
    for row in table.rows:
        for task in table.tasks:
            if task in row.scores:
                yield _score_row(table, row, row.scores[task])


def _place_on_task(row: Standing, score: Score, table: Standings) -> tuple[Place, tuple[str, ...]]:
    """A row that lacks another task has its place on this one all the same; the reasons are those of this task."""
    if score.statistics and score.statistics.group is not None:
        return "ranked", ()
    own = tuple(reason.text for reason in row.reasons if score.task in reason.tasks)
    every = tuple(text for _, text in _why(row, table))
    return ("reference", ()) if row.kind == "reference" else ("unranked", own or every)


def _score_row(table: Standings, row: Standing, score: Score) -> ScoreRow:
    own = score.statistics
    place, why = _place_on_task(row, score, table)
    low, high = _ends(own.interval if own else None)
    gap, worth = (own.gap, own.worth) if own else (None, None)
    missing = score.missing or ("" if low is not None else "one seed does not show how far seeds lie apart")
    shares = row.statistics.variance_shares if row.statistics else {}
    return ScoreRow(
        **_key(table), submission=row.name, place=place, reasons=why, task=score.task, metric=score.metric,
        rows_used=score.rows, seeds=len(score.by_seed), mean=score.mean, spread=score.spread, low=low, high=high,
        interval_reason=missing, group=own.group if own else None,
        **_to_leader(own.leader if own else None), variance_share=shares.get(score.task),
        gap=gap.value if gap else None, gap_low=gap.low if gap else None, gap_high=gap.high if gap else None,
        gap_reason=gap.reason if gap else missing, worth=worth.rows if worth else None,
        worth_low=worth.low if worth else None, worth_high=worth.high if worth else None,
        worth_words=worth.words if worth else "", worth_reason=worth.reason if worth else missing,
        balanced=score.mix.balanced if score.mix else None,
        label_divergence=score.mix.divergence if score.mix else None,
    )  # fmt: skip


def summary_rows(table: Standings) -> Iterator[SummaryRow]:
    """A row for each task."""
    for task in table.tasks:
        summary = table.summaries.get(task)
        yield SummaryRow(
            **_key(table),
            task=task,
            leader=(summary.leader or "") if summary else "",
            units=summary.units if summary else None,
            detectable=summary.detectable if summary else None,
            floor=summary.floor if summary else None,
            constant=summary.constant if summary else "",
            ceiling=summary.ceiling if summary else "",
            real_rows=summary.real_rows if summary else (),
            unavailable=table.unavailable.get(task, "" if summary else "this snapshot was made without intervals"),
        )


def agreement_rows(table: Standings) -> Iterator[AgreementRow]:
    """A row for each pair of orders."""
    for each in table.agreements:
        yield AgreementRow(**_key(table), kind=each.kind, first=each.first, second=each.second, names=each.names,
                           tau=each.tau, low=each.interval.low if each.interval else None,
                           high=each.interval.high if each.interval else None,
                           turned=tuple(f"{one} > {two}" for one, two in each.turned))  # fmt: skip


def seed_rows(tables: Sequence[Standings], stored: Mapping[str, Stored]) -> tuple[SeedRow, ...]:
    """A row for each run that stands in a table."""
    out: list[SeedRow] = []
    runs = {name: {record.cell: record for record in each.records} for name, each in stored.items()}
    cells = {name: {(c.task, c.recipe, c.rows, c.seed): r for c, r in own.items()} for name, own in runs.items()}
    for table in tables:
        for row in table.rows:
            for task, score in row.scores.items():
                for seed, value in sorted(score.by_seed.items()):
                    record = cells[row.name][task, table.recipe, score.rows, seed]
                    out.append(
                        SeedRow(
                            **_key(table), submission=row.name, task=task, seed=seed, score=value, fit=record.fit,
                            predictions_sha256=record.predictions_sha256,
                            training_fingerprint=record.training.fingerprint, commit=record.environment.commit,
                        )
                    )  # fmt: skip
    return tuple(out)


def curve_rows(tables: Sequence[Standings]) -> tuple[CurveRow, ...]:
    """A row for each point of a curve; tables of one recipe have the same curves, which are taken once."""
    out: dict[tuple[str, str, str, str, int], CurveRow] = {}
    for table in tables:
        for row in table.rows:
            for curve in row.curves:
                for each in _points(table, row, curve):
                    out.setdefault((each.data, each.recipe, each.submission, each.task, each.rows), each)
    return tuple(out.values())


def _points(table: Standings, row: Standing, curve: Curve) -> Iterator[CurveRow]:
    area_low, area_high = _ends(curve.area_interval)
    for point in curve.points:
        low, high = _ends(point.interval)
        yield CurveRow(
            data=table.kind, recipe=table.recipe, submission=row.name, kind=cast("Any", row.kind),
            task=curve.task or MEAN_OF_TYPES, rows=point.rows, seeds=point.seeds, mean=point.mean, low=low, high=high,
            area=curve.area, area_low=area_low, area_high=area_high,
        )  # fmt: skip


def cost_rows(table: Standings) -> Iterator[CostRow]:
    """A row for each submission; references cost no generation."""
    for row in table.rows:
        cost = row.cost
        if row.kind == "reference":
            continue
        yield CostRow(
            **_key(table), submission=row.name, place=place_of(row), mean=row.overall(table.required),
            dollars=cost.dollars if cost else None, tokens=cost.tokens if cost else None,
            score_per_dollar=cost.per_dollar if cost else None,
            score_per_million_tokens=cost.per_million_tokens if cost else None,
            front_dollars=cost.on_dollar_front if cost else None, front_tokens=cost.on_token_front if cost else None,
        )  # fmt: skip


BEST = 12
"""Rows of a table, best first, that are compared with one another and with every reference."""


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
        entries = [stored[name].checked(table.recipe) for name in (*best, *references)]
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
