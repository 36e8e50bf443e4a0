"""What the data cost, as the card says, and the score for it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from clinsynth.scoring.statistics import pareto, share_of_cost
from clinsynth.standings.model import CostOfData, Standing
from clinsynth.submissions import Cost


def with_costs(rows: Sequence[Standing], cards: Mapping[str, Cost]) -> list[Standing]:
    """The rows with their costs. Fronts are among submissions with an overall score, without references."""
    made = {row.name: _cost(row, cards[row.name]) for row in rows}
    entrants = [row for row in rows if row.kind == "submission"]
    scores = {row.name: row.statistics.mean for row in entrants if row.statistics}
    by_dollars = pareto([(name, score, made[name].dollars) for name, score in scores.items()])
    by_tokens = pareto([(name, score, made[name].tokens) for name, score in scores.items()])
    return [
        replace(
            row,
            cost=replace(
                made[row.name],
                on_dollar_front=by_dollars.get(row.name),
                on_token_front=by_tokens.get(row.name),
            ),
        )
        for row in rows
    ]


def _cost(row: Standing, cost: Cost) -> CostOfData:
    known = CostOfData(
        calls=cost.calls,
        tokens_in=cost.tokens_in,
        tokens_out=cost.tokens_out,
        dollars=cost.dollars,
        price_source=cost.price_source,
        price_date=cost.price_date.isoformat() if cost.price_date else None,
        seconds=cost.seconds,
        per_dollar=None,
        per_million_tokens=None,
        on_dollar_front=None,
        on_token_front=None,
    )
    if row.statistics is None:
        return known
    score, tokens = row.statistics.mean, known.tokens
    return replace(
        known,
        per_dollar=share_of_cost(score, known.dollars),
        per_million_tokens=share_of_cost(score, None if tokens is None else tokens / 1e6),
    )
