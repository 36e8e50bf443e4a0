"""The statistics as text tables: the ranking, the tasks, the curves and the cost. Scores are shown times 100."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from clinsynth.core import Grid
from clinsynth.standings.model import Agreement, Difference, Interval, Overall, Score, Standing, Standings
from clinsynth.standings.text import csv_lines

UNKNOWN = "unknown"
MOST_TURNED = 6
"""Pairs that a note names."""
BELOW = "—"
"""In place of a rank, for rows below the line."""


def _points(value: float | None, sign: str = "") -> str:
    return "-" if value is None else f"{100 * value:{sign}.1f}"


def _between(interval: Interval | None) -> str:
    return "-" if interval is None else f"{_points(interval.low)} to {_points(interval.high)}"


def _minus(difference: Difference | None) -> str:
    if difference is None:
        return "-"
    return f"{_points(difference.value, '+')} ({_points(difference.low, '+')} to {_points(difference.high, '+')})"


def _share(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f}"


def _amount(value: float | None, digits: int = 0) -> str:
    return UNKNOWN if value is None else f"{value:,.{digits}f}"


def _flag(value: bool | None) -> str:
    return "-" if value is None else "yes" if value else "no"


def ranking(table: Standings) -> Grid:
    """A row for each submission: ranked ones first, then those below the line with their reasons."""
    head = ["rank", "submission", "why not ranked", "score", "95 % interval", "ranks", "to the leader", "P(better)",
            "p (adjusted)", "gap", "largest share of the variance", "Borda", "wins", "tasks"]  # fmt: skip
    return head, [_ranked(row, table) for row in table.rows]


def _ranked(row: Standing, table: Standings) -> list[str]:
    own = row.statistics
    why = "; ".join(dict.fromkeys(reason.code for reason in row.reasons))
    have = f"{len([task for task in table.required if task in row.scores])}/{len(table.required)}"
    if own is None:
        return [BELOW, row.name, why, *["-"] * 10, have]
    ranks = "-" if own.ranks is None else f"{own.ranks[0]}-{own.ranks[1]}"
    leader = own.leader
    return [
        BELOW if own.group is None else str(own.group), row.name, why, _points(own.mean), _between(own.interval), ranks,
        _minus(leader), _share(leader and leader.probability), _p(leader and leader.p_adjusted), _mean_gap(own, table),
        _largest(own.variance_shares), "-" if own.borda is None else f"{own.borda:g}", _share(own.win_rate), have,
    ]  # fmt: skip


def _mean_gap(own: Overall, table: Standings) -> str:
    """The mean gap, and how many tasks it is the mean over where these are not all."""
    over = f" ({len(own.gap_tasks)} of {len(table.required)} tasks)" if len(own.gap_tasks) < len(table.required) else ""
    return "-" if own.gap is None else _points(own.gap) + over


def _largest(shares: Mapping[str, float]) -> str:
    """The task that most of the variance comes from."""
    task = max(shares, key=lambda task: shares[task], default="")
    return f"{task} {100 * shares[task]:.0f} %" if task else "-"


def _p(value: float | None) -> str:
    return "-" if value is None else "<0.0001" if value < 0.0001 else f"{value:.4f}" if value < 0.1 else f"{value:.2f}"


def tasks(table: Standings) -> Grid:
    """A row for each task and submission, best first."""
    head = ["task", "submission", "tie group", "score", "95 % interval", "share of the variance", "to the leader",
            "resolves", "gap recovered", "worth real rows", "missing"]  # fmt: skip
    body: list[list[str]] = []
    for task in table.tasks:
        scored = [(row, row.scores[task]) for row in table.rows if task in row.scores]
        scored.sort(key=lambda pair: (-pair[1].mean, pair[0].name))
        body += [_on_task(row, score) for row, score in scored]
    return head, body


def _on_task(row: Standing, score: Score) -> list[str]:
    own = score.statistics
    first = [score.task, row.name]
    if own is None:
        return [*first, "-", _points(score.mean), *["-"] * 6, score.missing]
    share = row.statistics.variance_shares.get(score.task) if row.statistics else None
    gap = "-" if own.gap.value is None else _points(own.gap.value)
    if own.gap.low is not None or own.gap.high is not None:
        gap += f" ({_points(own.gap.low)} to {_points(own.gap.high)})"
    return [
        *first, "-" if own.group is None else str(own.group), _points(score.mean), _between(own.interval),
        "-" if share is None else f"{100 * share:.0f} %", _minus(own.leader),
        _points(own.leader.detectable) if own.leader else "-", gap, own.worth.words or "-",
        "; ".join(filter(None, dict.fromkeys((own.gap.reason, own.worth.reason)))),
    ]  # fmt: skip


def curves(table: Standings) -> Grid:
    """A row for each submission and task with more than one number of rows."""
    head = ["submission", "task", "score at rows", "area"]
    body: list[list[str]] = []
    for row in table.rows:
        for curve in row.curves:
            points = "; ".join(f"{point.rows:,}: {_points(point.mean)}" for point in curve.points)
            area = f"{_points(curve.area)} ({_between(curve.area_interval)})"
            body.append([row.name, curve.task or "mean of the types", points, area])
    return head, body


def cost(table: Standings) -> Grid:
    """A row for each submission."""
    head = ["submission", "price source", "score", "calls", "tokens in", "tokens out", "dollars", "seconds",
            "per dollar", "per million tokens", "front: dollars", "front: tokens"]  # fmt: skip
    return head, [line for row in table.rows for line in _cost(row)]


def _cost(row: Standing) -> Iterator[list[str]]:
    own = row.cost
    if own is None or row.kind == "reference":
        return
    known = own.calls, own.tokens_in, own.tokens_out
    source = f"{own.price_source or ''} {own.price_date or ''}".strip()
    yield [
        row.name, source or "-", _points(row.statistics.mean if row.statistics else None), *map(_amount, known),
        _amount(own.dollars, 2), _amount(own.seconds), _points(own.per_dollar), _points(own.per_million_tokens),
        _flag(own.on_dollar_front), _flag(own.on_token_front),
    ]  # fmt: skip


LEFT = {"overall": 3, "tasks": 2, "curves": 3, "cost": 2}
"""Columns of each view that are text from the left."""
SPARE = {
    "overall": ("Borda", "wins", "P(better)", "largest share of the variance", "p (adjusted)", "ranks", "tasks", "gap",
                "95 % interval", "to the leader"),
    "tasks": ("share of the variance", "missing", "resolves", "tie group", "worth real rows", "to the leader"),
    "curves": ("area",),
    "cost": ("front: tokens", "front: dollars", "price source", "per million tokens", "seconds", "calls",
             "per dollar"),
}  # fmt: skip
"""Columns of each view that a narrow terminal does without, the first one first."""
GRIDS = {"overall": ranking, "tasks": tasks, "curves": curves, "cost": cost}


def notes(table: Standings, view: str) -> list[str]:
    """What is to be known of a view beside the table's remarks: its words, each reason, and what agrees with what."""
    out = [_WORDS[view]] if view in _WORDS else []
    if view == "overall":
        for reason in dict.fromkeys(reason for row in table.rows for reason in row.reasons):
            names = ", ".join(row.name for row in table.rows if reason in row.reasons)
            out.append(f"{names}: {reason.code}: {reason.text}.")
        out += [_agreed(each) for each in table.agreements]
    if view == "tasks":
        out += [
            f"{each.task}: {each.units:,} units, resolves {_points(each.detectable)} points (median over comparisons "
            f"with {each.leader})."
            for each in table.summaries.values()
            if each.detectable is not None
        ]
        out += [f"{each.task}: floor {_points(each.floor)}, {each.constant}." for each in table.summaries.values()]
        out += [_mixed(row, score) for row in table.rows for score in row.scores.values() if score.mix is not None]
    if view == "curves" and not curves(table)[1]:
        out.append("Nobody has runs at more than one number of rows.")
    return out


def _mixed(row: Standing, score: Score) -> str:
    """What label shares have to do with a score."""
    mix = score.mix
    if mix is None:
        return ""
    far = "" if mix.divergence is None else f"; as drawn, they are {mix.divergence:.2f} bits from real rows"
    return (
        f"{score.task}: {row.name} scores {_points(score.mean)} with its own label shares, {_points(mix.balanced)} "
        f"with equal ones ({mix.seeds} seeds){far}."
    )


def _agreed(each: Agreement) -> str:
    """What two orders have in common, and the pairs that turn round; some at most."""
    said = f"Kendall's tau of {each.first} and {each.second}, {each.names} rows: "
    said += "not defined" if each.tau is None else f"{each.tau:.2f}"
    if each.interval is not None:
        said += f" ({each.interval.low:.2f} to {each.interval.high:.2f} over resampled tasks)"
    shown = [f"{one} and {two}" for one, two in each.turned[:MOST_TURNED]]
    more = len(each.turned) - len(shown)
    if shown:
        said += f"; turned round: {', '.join(shown)}{f' and {more} more pairs' if more else ''}"
    return f"{said}."


_WORDS = {
    "overall": (
        "rank: tie group, nobody in it is shown to be worse than its first. to the leader: difference with its 95 % "
        "interval, paired by test unit and seed; the leader's own is to the second. P(better), p (adjusted): adjusted "
        "for all pairs of the ranking, whose first was chosen by the scores. gap: mean of gap recovered, times 100."
    ),
    "tasks": (
        "resolves: the difference to the leader that would be found 4 times in 5. gap recovered: 0 is the constant "
        "answer, 100 is gold-full. worth: number of real rows (gold-n) with the same score. share of the variance: of "
        "that of the overall score."
    ),
    "curves": "area: mean score over log rows from the first point to the last, with its 95 % interval.",
    "cost": "As the cards say. per dollar, per million tokens: overall score x 100 divided by the cost.",
}


def records(table: Standings, view: str) -> str:
    """A view as CSV, in raw numbers."""
    head, lines = {"overall": _overall_lines, "curves": _curve_lines, "cost": _cost_lines}[view](table)
    return csv_lines(head, lines)


def _overall_lines(table: Standings) -> tuple[list[str], list[list[Any]]]:
    head = ["submission", "kind", "data", "recipe", "rows", "group", "best_rank", "worst_rank", "mean", "low", "high",
            "leader", "difference", "difference_low", "difference_high", "p", "p_adjusted", "probability", "verdict",
            "detectable", "gap", "gap_tasks", "borda", "win_rate", "reasons"]  # fmt: skip
    lines: list[list[Any]] = []
    for row in table.rows:
        first: list[Any] = [row.name, row.kind, table.kind, table.recipe, table.budget]
        why = "; ".join(f"{reason.code}: {reason.text}" for reason in row.reasons)
        own = row.statistics
        if own is None:
            lines.append([*first, *[None] * 19, why])
            continue
        d = own.leader
        lines.append([
            *first, own.group, *(own.ranks or (None, None)), own.mean, own.interval and own.interval.low,
            own.interval and own.interval.high,
            *((d.other, d.value, d.low, d.high, d.p, d.p_adjusted, d.probability, d.judgement.verdict, d.detectable)
              if d else [None] * 9),
            own.gap, " ".join(own.gap_tasks), own.borda, own.win_rate, why,
        ])  # fmt: skip
    return head, lines


def _curve_lines(table: Standings) -> tuple[list[str], list[list[Any]]]:
    head = ["submission", "task", "rows", "seeds", "mean", "low", "high", "area", "area_low", "area_high"]
    lines: list[list[Any]] = [
        [row.name, curve.task or "mean of the types", point.rows, point.seeds, point.mean,
         point.interval and point.interval.low, point.interval and point.interval.high, curve.area,
         curve.area_interval and curve.area_interval.low, curve.area_interval and curve.area_interval.high]
        for row in table.rows for curve in row.curves for point in curve.points
    ]  # fmt: skip
    return head, lines


def _cost_lines(table: Standings) -> tuple[list[str], list[list[Any]]]:
    head = ["submission", "mean", "calls", "tokens_in", "tokens_out", "dollars", "price_source", "price_date",
            "seconds", "per_dollar", "per_million_tokens", "on_dollar_front", "on_token_front"]  # fmt: skip
    lines: list[list[Any]] = [
        [row.name, row.statistics.mean if row.statistics else None, own.calls, own.tokens_in, own.tokens_out,
         own.dollars, own.price_source, own.price_date, own.seconds, own.per_dollar, own.per_million_tokens,
         own.on_dollar_front, own.on_token_front]
        for row in table.rows if row.kind == "submission" and (own := row.cost)
    ]  # fmt: skip
    return head, lines
