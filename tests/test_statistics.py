"""The statistics of a difference: its level, textbook tests, what must not matter, units."""

import dataclasses
import importlib
from typing import Any

import numpy as np
import pytest
from studies.simulation.methods import p_values
from studies.simulation.report import limit
from studies.simulation.worlds import World, simulate
from tests.invented_profiles import ACCURACY, METRIC_NAMES, accuracy_runs, at

from clinsynth.core.nouns import Example, MetricName
from clinsynth.scoring.statistics import (
    Components,
    Measured,
    Profile,
    Runs,
    bootstrap,
    combine,
    contrast,
    difference,
    jackknife,
    score_of,
    sum_by_unit,
    unit_index,
)
from clinsynth.scoring.statistics.contrasts import Terms
from clinsynth.scoring.statistics.profiles import FloatArray
from clinsynth.scoring.statistics.ranks import (
    TaskPairs,
    holm,
    kendall_tau,
    overall_difference,
)

stats: Any = importlib.import_module("scipy.stats")  # Any: scipy has no stubs


# -- the level -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seeds", [3, 5])
@pytest.mark.parametrize("items", [100, 1_000, 5_000])
@pytest.mark.parametrize("metric", METRIC_NAMES)
def test_a_difference_that_is_none_is_rarely_called(metric: MetricName, items: int, seeds: int) -> None:
    replicates = 150 if items == 5_000 else 400
    rng = np.random.default_rng([items, seeds, METRIC_NAMES.index(metric)])
    world = World(metric, items, seeds, spread=0.015, together=0.3)
    found = [p_values(*simulate(world, rng))["ours"] for _ in range(replicates)]
    assert np.mean(np.array(found) < 0.05) <= limit(replicates)


def test_the_bootstrap_holds_the_level_as_well() -> None:
    rng = np.random.default_rng(1)
    world = World("entity_f1", 300, 3, spread=0.02)
    found: list[float] = []
    for _ in range(200):
        a, b = bootstrap(simulate(world, rng), 300, rng)
        found.append(difference(a, b).estimate().p_value())
    assert np.mean(np.array(found) < 0.05) <= limit(200)


def test_the_overall_difference_holds_the_level() -> None:
    rng = np.random.default_rng(2)
    types = {"a": "x", "b": "x", "c": "y"}
    found: list[float] = []
    for _ in range(200):
        drawn = {task: simulate(World("accuracy", 300, 3, spread=0.02), rng) for task in types}
        one, two = ({task: jackknife(runs[side]) for task, runs in drawn.items()} for side in (0, 1))
        estimate = overall_difference(one, two, types, seed=0).estimate
        assert estimate is not None
        found.append(estimate.p_value())
    assert np.mean(np.array(found) < 0.05) <= limit(200)


def test_resampling_items_alone_does_not_hold_it() -> None:
    """Why all this is needed."""
    rng = np.random.default_rng(3)
    found = [p_values(*simulate(World("accuracy", 5_000, 3, 0.015), rng))["items"] for _ in range(100)]
    assert np.mean(np.array(found) < 0.05) > 0.2


def test_a_detectable_difference_is_found_four_times_in_five() -> None:
    rng = np.random.default_rng(4)
    world = World("accuracy", 1_000, 5, spread=0.01)
    sizes = [difference(*map(jackknife, simulate(world, rng))).estimate().detectable() for _ in range(100)]
    lead = dataclasses.replace(world, lead=float(np.median(sizes)))
    found = [p_values(*simulate(lead, rng))["ours"] < 0.05 for _ in range(300)]
    assert 0.7 < np.mean(found) < 0.95


# -- textbook tests --------------------------------------------------------------------------------------------------


def test_one_seed_is_the_paired_t_test(rng: np.random.Generator) -> None:
    a, b = (rng.random((1, 150)) < 0.8).astype(int), (rng.random((1, 150)) < 0.7).astype(int)
    estimate = difference(jackknife(accuracy_runs(a)), jackknife(accuracy_runs(b))).estimate()
    theirs = stats.ttest_rel(a[0], b[0])
    assert estimate.p_value() == pytest.approx(theirs.pvalue, rel=1e-5)
    assert estimate.interval() == pytest.approx(tuple(theirs.confidence_interval()), rel=1e-5)


@pytest.mark.parametrize("seeds", [2, 3, 5, 10])
def test_seeds_alone_are_the_t_test_over_seeds(seeds: int) -> None:
    scores = np.random.default_rng(seeds).normal(0.02, 0.01, seeds)
    flat = Profile(tuple(range(seeds)), 50, scores, np.zeros((50, seeds)))
    estimate = score_of(flat).estimate()
    theirs = stats.ttest_1samp(scores, 0.0)
    assert estimate.p_value() == pytest.approx(theirs.pvalue, rel=1e-6)
    assert estimate.interval() == pytest.approx(tuple(theirs.confidence_interval()), rel=1e-5)


def test_the_error_of_the_seeds_is_that_of_behrens_and_fisher() -> None:
    """Two independent errors, each with its own t: drawn, and by quadrature."""
    parts = Components(seeds=4, units=60, seed=0.9, unit=1.1, residual=0.0)
    rng = np.random.default_rng(0)
    drawn: FloatArray = rng.standard_t(3, 400_000) * parts.seed**0.5 + rng.standard_t(59, 400_000) * parts.unit**0.5
    estimate = Measured(2.5, parts).estimate()
    assert estimate.p_value() == pytest.approx(float(np.mean(abs(drawn) > 2.5)), abs=3e-3)
    assert estimate.interval()[1] - 2.5 == pytest.approx(sorted(drawn.tolist())[390_000], abs=0.03)


def test_components_are_those_of_a_two_way_table(rng: np.random.Generator) -> None:
    """Mean squares of seeds, units and their interaction, from the analysis of variance."""
    x = (rng.random((5, 80)) < 0.7).astype(float)
    parts = score_of(jackknife(accuracy_runs(x))).components
    rows, columns = x.mean(axis=1), x.mean(axis=0)
    rest = x - rows[:, None] - columns[None, :] + x.mean()
    assert parts.seed == pytest.approx(rows.var(ddof=1) / 5)
    assert parts.unit == pytest.approx(columns.var(ddof=1) / 80)
    assert parts.residual == pytest.approx((rest**2).sum() / (4 * 79) / 400)


def test_clusters_of_one_size_are_the_t_test_over_their_means(rng: np.random.Generator) -> None:
    right = (rng.random(400) < 0.7).astype(int)
    index = np.repeat(np.arange(100), 4)
    counts = sum_by_unit(np.stack([right, np.ones_like(right)], axis=-1)[None], index)
    estimate = score_of(jackknife(Runs(ACCURACY, (0,), counts))).estimate()
    theirs = stats.ttest_1samp(right.reshape(100, 4).mean(axis=1), 0.0)
    assert estimate.interval() == pytest.approx(tuple(theirs.confidence_interval()), rel=1e-5)


def test_the_bootstrap_agrees_with_scipy(rng: np.random.Generator) -> None:
    a, _ = simulate(World("entity_f1", 400, 3), rng)
    (profile,) = bootstrap([a], 4_000, rng)

    def mean_score(units: np.ndarray) -> float:
        return float(a.value(a.counts[:, units].sum(axis=1)).mean())

    theirs = stats.bootstrap((np.arange(400),), mean_score, n_resamples=2_000, vectorized=False, rng=rng)
    assert score_of(profile).components.unit ** 0.5 == pytest.approx(theirs.standard_error, rel=0.06)


@pytest.mark.parametrize("metric", [*METRIC_NAMES, "macro_f1"])
def test_bootstrap_and_jackknife_agree(metric: MetricName, rng: np.random.Generator) -> None:
    runs = simulate(World(metric, 1_000, 5), rng)
    one, two = difference(*map(jackknife, runs)).components, difference(*bootstrap(runs, 4_000, rng)).components
    assert one.seed == pytest.approx(two.seed)
    assert one.unit == pytest.approx(two.unit, rel=0.12)
    assert one.residual == pytest.approx(two.residual, rel=0.12)


def test_holm_and_kendall_are_those_of_the_books() -> None:
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])  # Holm 1979, by hand
    assert holm([]) == []
    rng = np.random.default_rng(5)
    for _ in range(20):
        x, y = rng.integers(0, 6, 8), rng.integers(0, 6, 8)
        a, b = ({str(k): float(v) for k, v in enumerate(each)} for each in (x, y))
        theirs = stats.kendalltau(x, y).statistic
        assert kendall_tau(a, b) == pytest.approx(theirs)
    assert kendall_tau({"a": 1, "b": 2}, {"a": 3, "b": 3}) is None
    assert kendall_tau({"a": 1}, {"a": 3}) is None


# -- what must not matter --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("metric", METRIC_NAMES)
def test_the_order_of_units_and_seeds_does_not_matter(metric: MetricName, rng: np.random.Generator) -> None:
    a, b = simulate(World(metric, 300, 5), rng)
    units, seeds = rng.permutation(a.units), rng.permutation(5)
    mixed = [Runs(r.value, tuple(seeds.tolist()), r.counts[seeds][:, units]) for r in (a, b)]
    one, two = difference(*map(jackknife, (a, b))), difference(*map(jackknife, mixed))
    assert two.value == pytest.approx(one.value)
    assert dataclasses.astuple(two.components) == pytest.approx(dataclasses.astuple(one.components))


def test_a_against_b_is_b_against_a(rng: np.random.Generator) -> None:
    a, b = bootstrap(simulate(World("micro_f1", 200, 5), rng), 500, rng)
    one, two = difference(a, b).estimate(), difference(b, a).estimate()
    assert one.value == -two.value
    assert one.p_value() == two.p_value()
    assert one.probability_positive() == pytest.approx(1 - two.probability_positive())


def test_others_in_the_table_change_nothing_between_two(rng: np.random.Generator) -> None:
    a, b = simulate(World("entity_f1", 200, 5), rng)
    c, _ = simulate(World("entity_f1", 200, 3), rng)
    two = bootstrap([a, b], 500, np.random.default_rng(9))
    three = bootstrap([c, b, a], 500, np.random.default_rng(9))
    assert difference(two[0], two[1]) == difference(three[2], three[1])


def test_the_bootstrap_does_not_depend_on_how_it_is_cut_up(monkeypatch: pytest.MonkeyPatch) -> None:
    from clinsynth.scoring.statistics import profiles

    a, b = simulate(World("entity_f1", 200, 5), np.random.default_rng(0))
    whole = difference(*bootstrap([a, b], 500, np.random.default_rng(9))).components
    monkeypatch.setattr(profiles, "_CELLS", 200 * 100)
    assert difference(*bootstrap([a, b], 500, np.random.default_rng(9))).components == whole


def test_tasks_combine_in_any_order_and_one_task_is_itself() -> None:
    parts = Components(5, 100, 2e-4, 1e-4, 2e-5)
    measured = {"a": Measured(0.02, parts), "b": Measured(0.01, parts)}
    weights = {"a": 0.5, "b": 0.5}
    turned = dict(reversed(measured.items()))
    assert combine(measured, weights, 0).p_value() == combine(turned, weights, 0).p_value()
    alone = combine({"a": Measured(0.02, parts)}, {"a": 1.0}, 0)
    assert alone.interval() == Measured(0.02, parts).estimate().interval()
    halved = combine({"a": Measured(0.02, parts)}, {"a": 0.5}, 0)
    assert halved.interval()[0] == pytest.approx(alone.interval()[0] / 2)


def test_other_seeds_are_not_paired(rng: np.random.Generator) -> None:
    a, b = (jackknife(runs) for runs in simulate(World("accuracy", 200, 5), rng))
    assert difference(a.only([4, 0, 2]), b.only([0, 2, 4])) == difference(a.only([0, 2, 4]), b.only([0, 2, 4]))
    found = difference(a, b.only([0, 2, 4]))
    assert found.value == pytest.approx(a.mean - b.only([0, 2, 4]).mean), "it follows from the scores as they are shown"
    alone = [score_of(each).components for each in (a, b.only([0, 2, 4]))]
    assert found.components.seeds == 3, "as uncertain as the part with the fewest seeds"
    assert found.components.seed == pytest.approx(sum(part.seed for part in alone))
    assert found.components.residual == pytest.approx(sum(part.residual for part in alone))
    with pytest.raises(ValueError, match="other test units"):
        difference(a, at(0.5, rng, items=100))


def test_other_seeds_hold_the_level_too() -> None:
    rng = np.random.default_rng(8)
    world = World("accuracy", 2_000, 5, spread=0.015)
    found: list[float] = []
    for _ in range(200):
        a, b = (jackknife(runs) for runs in simulate(world, rng))
        found.append(difference(a, b.only([0, 1, 2])).estimate().p_value())
    assert np.mean(np.array(found) < 0.05) <= limit(200)


@pytest.mark.parametrize("metric", METRIC_NAMES)
def test_no_digit_depends_on_the_rest_of_the_table(metric: MetricName, rng: np.random.Generator) -> None:
    """Sums of products are whole numbers: in any order, on any processor, with any number of threads."""
    own = bootstrap([runs for _ in range(20) for runs in simulate(World(metric, 150, 5), rng)], 500, rng)
    whole = Terms.of(own)
    for places in ([3, 17], [39, 0, 5]):
        few, picked = Terms.of([own[place] for place in places]), whole.pick(places)
        assert few.shared.tolist() == picked.shared.tolist()
        assert few.product.tolist() == picked.product.tolist()
    turned = Terms.of([dataclasses.replace(each, deviations=each.deviations[::-1].copy()) for each in own])
    assert turned.shared.tolist() == whole.shared.tolist()
    assert turned.product.tolist() == whole.product.tolist()


def test_answers_without_seeds_stand_beside_every_seed(rng: np.random.Generator) -> None:
    a, b = (jackknife(runs) for runs in simulate(World("accuracy", 200, 5), rng))
    counts = np.ones((1, 200, 2), dtype=np.int64)
    counts[0, :90, 0] = 0
    fixed = jackknife(Runs(ACCURACY, (), counts))
    repeated = jackknife(Runs(ACCURACY, tuple(range(5)), np.repeat(counts, 5, axis=0)))
    for sign in (1.0, -1.0):
        one, two = (contrast([(sign, a), (-sign, other)]) for other in (fixed, repeated))
        assert one.value == pytest.approx(two.value)
        assert dataclasses.astuple(one.components) == pytest.approx(dataclasses.astuple(two.components), rel=1e-6)
    assert score_of(fixed).components.seeds == 0
    pairs = TaskPairs({"a": a, "b": b, "fixed": fixed})
    alone = difference(a, fixed)
    assert pairs.row("a", ["b", "fixed"])["fixed"] == pytest.approx((alone.value, alone.estimate().p_value()))
    with pytest.raises(ValueError, match="do not fit"):
        Runs(ACCURACY, (), np.repeat(counts, 2, axis=0))


# -- units -----------------------------------------------------------------------------------------------------------


def test_units_are_numbered_by_name_and_the_nameless_stand_alone() -> None:
    examples = [Example(("",), unit=unit) for unit in ("7", "", "7", "", "b")]
    assert unit_index(examples).tolist() == [0, 1, 0, 2, 3]


def test_counts_add_up_by_unit() -> None:
    counts = np.array([[1, 1], [0, 1], [1, 1]])
    assert sum_by_unit(counts, np.array([0, 1, 0])).tolist() == [[2, 2], [0, 1]]
    with pytest.raises(ValueError, match="unit numbers"):
        sum_by_unit(counts, np.array([0, 1]))


def test_clustered_units_widen_the_interval(rng: np.random.Generator) -> None:
    world = World("accuracy", 1_000, 5, spread=0.003, cluster=5)
    state = rng.bit_generator.state
    clustered = difference(*map(jackknife, simulate(world, rng))).estimate()
    rng.bit_generator.state = state
    naive = difference(*map(jackknife, simulate(world, rng, by_unit=False))).estimate()
    assert clustered.value == naive.value
    assert clustered.detectable() > 1.2 * naive.detectable()


def test_runs_must_fit(rng: np.random.Generator) -> None:
    counts = np.ones((2, 10, 2), dtype=np.int64)
    with pytest.raises(ValueError, match="do not fit"):
        Runs(ACCURACY, (0,), counts)
    with pytest.raises(ValueError, match="do not fit"):
        Runs(ACCURACY, (1, 1), counts)
    with pytest.raises(ValueError, match="two independent units"):
        Runs(ACCURACY, (0, 1), counts[:, :1])
    with pytest.raises(ValueError, match="one number of units"):
        bootstrap([Runs(ACCURACY, (0, 1), counts)], 1, rng)


def test_equal_predictions_are_no_difference(rng: np.random.Generator) -> None:
    a, _ = simulate(World("entity_f1", 100, 5), rng)
    estimate = difference(jackknife(a), jackknife(a)).estimate()
    assert (estimate.p_value(), estimate.interval(), estimate.detectable()) == (1.0, (0.0, 0.0), 0.0)
    assert estimate.probability_positive() == 0.5
