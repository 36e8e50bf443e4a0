"""Many rows and many tasks: weights, ranks and tie groups, contrasts from matrices, and the tables of the page."""

import dataclasses
import itertools
import json
import time
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
from studies.simulation.groups import measure
from studies.simulation.report import filled, filled_groups, limit
from studies.simulation.worlds import World, simulate
from tests.invented_profiles import ACCURACY, METRIC_NAMES, at

from clinsynth.core.nouns import MetricName
from clinsynth.scoring.statistics import (
    Profile,
    Runs,
    bootstrap,
    combine,
    contrast,
    difference,
    jackknife,
    score_of,
)
from clinsynth.scoring.statistics.contrasts import Terms
from clinsynth.scoring.statistics.ranks import (
    Ranking,
    TaskPairs,
    borda,
    combined_p_values,
    overall,
    overall_difference,
    overall_row,
    rank_intervals,
    ranking,
    tie_groups,
    type_weights,
    win_rate,
)

DOCS = Path(__file__).parents[1] / "docs"


# -- many ------------------------------------------------------------------------------------------------------------

TYPES = {"a": "x", "b": "x", "c": "y"}


def entry(score: float, rng: np.random.Generator, seeds: int = 5) -> dict[str, Profile]:
    return {task: at(score, rng, seeds) for task in TYPES}


def test_type_weights() -> None:
    assert type_weights(TYPES) == {"a": 0.25, "b": 0.25, "c": 0.5}


def ranked(entries: Mapping[str, Mapping[str, Profile]]) -> Ranking:
    pairs = {task: TaskPairs({name: own[task] for name, own in entries.items()}) for task in TYPES}
    return ranking(pairs, TYPES, list(entries), seed=0)


def test_ranking(rng: np.random.Generator) -> None:
    best = entry(0.8, rng)
    entries = {"last": entry(0.5, rng), "best": best, "worse": entry(0.7, rng), "twin": entry(0.793, rng)}
    found = ranked(entries)
    assert found.names == ("best", "twin", "worse", "last")
    assert [found.groups[name] for name in found.names] == [1, 1, 2, 3]
    assert [found.ranks[name] for name in found.names] == [(1, 2), (1, 2), (3, 3), (4, 4)]
    assert found.borda["last"] == 0
    assert found.win_rate["last"] == 0
    low, high = overall(best, TYPES, 0).interval()
    assert low < overall(best, TYPES, 0).value < high
    with pytest.raises(ValueError, match="no score on b, c"):
        overall({"a": best["a"]}, TYPES, 0)
    short = {task: TaskPairs({name: own[task] for name, own in entries.items()}) for task in TYPES}
    short["b"] = TaskPairs({"best": best["b"]})
    with pytest.raises(ValueError, match="no score on b: last"):
        ranking(short, TYPES, list(entries), seed=0)
    assert ranking({}, {}, [], 0).names == ()


def test_who_has_other_seeds_is_compared_with_all_of_them(rng: np.random.Generator) -> None:
    entries = {"a": entry(0.8, rng), "b": entry(0.75, rng, seeds=7), "c": entry(0.7, rng)}
    pairs = {task: TaskPairs({name: own[task] for name, own in entries.items()}) for task in TYPES}
    row = overall_row(pairs, type_weights(TYPES), 0, "b", ["a", "c"])
    for other in ("a", "c"):
        alone = overall_difference(entries["b"], entries[other], TYPES, 0).estimate
        assert alone is not None
        assert row[other] == pytest.approx((alone.value, alone.p_value()), rel=1e-9)


def test_an_added_entry_changes_no_difference_and_the_order_no_rank(rng: np.random.Generator) -> None:
    entries = {name: entry(score, rng) for name, score in (("a", 0.8), ("b", 0.75), ("c", 0.7))}
    more = {"d": entry(0.9, rng), **dict(reversed(entries.items()))}
    for one, two in itertools.permutations(entries, 2):
        before = overall_difference(entries[one], entries[two], TYPES, 0).estimate
        after = overall_difference(more[one], more[two], TYPES, 0).estimate
        assert before is not None
        assert after is not None
        assert before.p_value() == after.p_value()
    assert ranked(entries) == ranked(dict(reversed(entries.items())))


def test_missing_tasks_are_compared_on_the_intersection(rng: np.random.Generator) -> None:
    a, b = entry(0.8, rng), entry(0.7, rng)
    found = overall_difference(a, {task: b[task] for task in ("b", "c")}, TYPES, 0)
    assert found.tasks == ("b", "c")
    assert found.missing == ("a",)
    assert found.estimate is not None
    assert found.estimate.value == pytest.approx(
        (a["b"].mean - b["b"].mean) / 2 + (a["c"].mean - b["c"].mean) / 2
    )  # fmt: skip
    assert overall_difference({"a": a["a"]}, {"b": b["b"]}, TYPES, 0).estimate is None


def test_ties_and_rank_intervals_without_evidence() -> None:
    names = ["a", "b", "c"]
    pairs = dict.fromkeys(itertools.permutations(names, 2), (0.0, 1.0))
    assert tie_groups(dict.fromkeys(names, 0.5), pairs) == {"a": 1, "b": 1, "c": 1}
    assert rank_intervals(names, pairs) == dict.fromkeys(names, (1, 3))


def test_equal_rows_are_rarely_divided() -> None:
    """Whoever leads a table of equal rows leads by chance; Holm against that one divides 14 % of tables of 20."""
    found = measure(20, 1, 0.02, 0.0, 60)
    assert found["divided"]["pairs"] <= limit(60)
    assert found["divided"]["sure"] <= limit(60)


def test_borda_and_win_rate() -> None:
    table = {"a": {"t": 0.9, "u": 0.5}, "b": {"t": 0.8, "u": 0.5}, "c": {"t": 0.1, "u": 0.9}}
    assert borda(table) == {"a": 2.5, "b": 1.5, "c": 2}
    assert win_rate(table) == {"a": 0.625, "b": 0.375, "c": 0.5}
    assert win_rate({"a": table["a"]}) == {}, "who is alone beats nobody and loses to nobody"
    with pytest.raises(ValueError, match="without all tasks: c"):
        borda({**table, "c": {"t": 0.1}})


# -- speed, and the page ---------------------------------------------------------------------------------------------


def test_ten_thousand_resamples_take_seconds() -> None:
    a, b = simulate(World("entity_f1", 5_000, 5), np.random.default_rng(0))
    started = time.process_time()
    bootstrap([a, b], 10_000, np.random.default_rng(1))
    assert time.process_time() - started < 10


def test_the_tables_of_the_page_are_those_of_the_simulation() -> None:
    page = (DOCS / "statistics.md").read_text("utf-8")
    stored = json.loads((DOCS / "simulation" / "null.json").read_text("utf-8"))
    assert filled(page, stored) == page
    ours = [row for row in stored["rows"] if row["part"] in ("null", "bootstrap", "cluster")]
    assert ours
    assert all(row["rejected"]["ours"] <= limit(row["replicates"]) for row in ours)


def test_the_table_of_groups_is_that_of_the_simulation() -> None:
    page = (DOCS / "statistics.md").read_text("utf-8")
    stored = json.loads((DOCS / "simulation" / "groups.json").read_text("utf-8"))
    assert filled_groups(page, stored) == page
    null = [row for row in stored["rows"] if not row["lag"]]
    assert {row["rows"] for row in null} == {5, 20, 50}
    for row in null:
        assert max(row["divided"]["pairs"], row["divided"]["sure"]) <= limit(row["replicates"])


# -- many contrasts at once ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("metric", METRIC_NAMES)
@pytest.mark.parametrize("seeds", [1, 3, 5])
def test_contrasts_from_matrices_are_those_from_profiles(
    metric: MetricName, seeds: int, rng: np.random.Generator
) -> None:
    own = [jackknife(runs) for _ in range(2) for runs in simulate(World(metric, 150, seeds, 0.01), rng)]
    terms = Terms.of(own)
    for weights in ([1.0, -1.0, 0.0, 0.0], [1.0, -0.4, -0.6, 0.0], [0.25, 0.25, 0.25, 0.25]):
        one, two = terms.contrast(np.array(weights)), contrast(list(zip(weights, own, strict=True)))
        assert one.value == pytest.approx(two.value, abs=1e-14)
        assert dataclasses.astuple(one.components) == pytest.approx(dataclasses.astuple(two.components), rel=1e-9)
    many = terms.against(0, [1, 2, 3])
    singly = [difference(own[0], other) for other in own[1:]]
    assert many.value.tolist() == pytest.approx([each.value for each in singly])
    assert many.p_values().tolist() == pytest.approx([each.estimate().p_value() for each in singly], rel=1e-9)
    assert terms.pick([2, 0]).contrast(np.array([1.0, -1.0])) == terms.contrast(np.array([-1.0, 0.0, 1.0, 0.0]))


def test_a_line_of_sums_is_each_of_them(rng: np.random.Generator) -> None:
    own = [jackknife(runs) for _ in range(2) for runs in simulate(World("entity_f1", 150, 5, 0.01), rng)]
    own[2] = own[2].only([0, 1, 2])
    own[3] = jackknife(Runs(ACCURACY, (), np.ones((1, 150, 2), dtype=np.int64)))
    terms, start, step = Terms.of(own), np.array([1.0, -0.4, -0.6, 0.0]), np.array([0.0, 0.3, -1.0, 0.7])
    for x in (0.0, 0.7, -1.3):
        one, two = terms.line(start, step).at(x), terms.contrast(start + x * step)
        assert one.value == pytest.approx(two.value)
        assert dataclasses.astuple(one.components) == pytest.approx(dataclasses.astuple(two.components))


def test_many_differences_over_tasks_are_those_of_combine(rng: np.random.Generator) -> None:
    metrics: dict[str, MetricName] = {"a": "accuracy", "b": "entity_f1", "c": "micro_f1"}
    own = {
        task: [jackknife(runs) for _ in range(2) for runs in simulate(World(metric, 150, 5, 0.01), rng)]
        for task, metric in metrics.items()
    }
    weights = {"a": 0.5, "b": 0.25, "c": 0.25}
    parts = {task: Terms.of(profiles).against(0, [1, 2, 3]) for task, profiles in own.items()}
    value, p = combined_p_values(parts, weights, 7)
    for k in (1, 2, 3):
        single = combine({task: difference(all_[0], all_[k]) for task, all_ in own.items()}, weights, 7)
        assert value[k - 1] == pytest.approx(single.value)
        assert p[k - 1] == pytest.approx(single.p_value(), rel=1e-9)
    alone = {"a": parts["a"]}
    assert combined_p_values(alone, {"a": 1.0}, 7)[1].tolist() == parts["a"].p_values().tolist()


def test_equal_profiles_are_no_difference_in_matrices_either(rng: np.random.Generator) -> None:
    runs, _ = simulate(World("entity_f1", 100, 5), rng)
    profile = jackknife(runs)
    terms = Terms.of([profile, profile])
    assert terms.against(0, [1]).p_values().tolist() == [1.0]
    assert terms.contrast(np.array([1.0, -1.0])).components.unit == 0.0
    assert difference(profile, profile).estimate().interval() == (0.0, 0.0)
    with pytest.raises(ValueError, match="other test units"):
        Terms.of([profile, at(0.5, rng, items=70)])


def test_intervals_of_scores_stay_within_their_scale(rng: np.random.Generator) -> None:
    high = score_of(at(0.99, rng, items=60, spread=0.03)).estimate()
    assert high.interval()[1] > 1
    assert high.score_interval() == (high.interval()[0], 1.0)
    low = score_of(at(0.01, rng, items=60, spread=0.03)).estimate()
    assert low.interval()[0] < 0
    assert low.score_interval() == (0.0, low.interval()[1])
    middle = score_of(at(0.5, rng)).estimate()
    assert middle.score_interval() == middle.interval()


@pytest.mark.parametrize("tail", [0.4, 0.2, 0.025, 1e-5])
def test_a_quantile_is_where_the_tail_is_reached(tail: float, rng: np.random.Generator) -> None:
    estimate = score_of(at(0.5, rng)).estimate()
    assert estimate.tail(estimate.quantile(tail)) == pytest.approx(tail, rel=1e-6)
    assert estimate.quantile(tail) == estimate.quantile(tail)
