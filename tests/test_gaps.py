"""Gaps recovered, learning curves, what rows are worth in real ones, and cost."""

import math
from collections.abc import Sequence

import numpy as np
import pytest
from tests.invented_profiles import accuracy_runs, at

from clinsynth.scoring.statistics import (
    Profile,
    contrast,
    jackknife,
)
from clinsynth.scoring.statistics.gaps import LearningCurve, gap_recovered, pareto, share_of_cost, worth

# -- gaps, curves, cost ----------------------------------------------------------------------------------------------


def test_gap_recovered(rng: np.random.Generator) -> None:
    floor, middle, full = at(0.5, rng, spread=0), at(0.7, rng), at(0.9, rng)
    gap = gap_recovered(middle, floor, full)
    assert gap.value is not None
    assert gap.low is not None
    assert gap.high is not None
    assert gap.low < gap.value < gap.high
    assert gap.value == pytest.approx(0.5, abs=0.1)
    # The bounds are where the hypothesis "score - floor = g (full - floor)" is just not rejected.
    for g in (gap.low, gap.high):
        tested = contrast([(1.0, middle), (g - 1, floor), (-g, full)]).estimate()
        assert tested.p_value() == pytest.approx(0.05, abs=1e-4)
    assert gap_recovered(full, floor, full).value == 1
    assert gap_recovered(floor, floor, full).value == 0


def test_the_interval_of_the_gap_holds_the_truth() -> None:
    rng = np.random.default_rng(6)
    held: list[bool] = []
    for _ in range(100):
        hard = rng.random(300) / 2 - 0.25
        # True scores of 0.65, 0.5 and 0.75 on the same items, with seeds that differ.
        score, floor, full = (
            jackknife(accuracy_runs(rng.random((5, 300)) < level + hard + rng.normal(0, 0.015, (5, 1))))
            for level in (0.65, 0.5, 0.75)
        )
        gap = gap_recovered(score, floor, full)
        held.append(gap.low is not None and gap.high is not None and gap.low <= 0.6 <= gap.high)
    assert np.mean(held) > 0.95 - 3 * math.sqrt(0.95 * 0.05 / 100)


def test_no_gap_without_a_scale(rng: np.random.Generator) -> None:
    a, b = at(0.7, rng), at(0.5, rng)
    assert gap_recovered(a, a, b).value is None
    floor, full = sorted((at(0.7, rng, items=100), at(0.71, rng, items=100)), key=lambda profile: profile.mean)
    gap = gap_recovered(at(0.7, rng, items=100), floor, full)
    assert gap.low is None
    assert gap.value is None
    assert "twice the standard error" in gap.reason


def curve(
    scores: Sequence[float], rng: np.random.Generator, rows: tuple[int, ...] = (100, 300, 1_000)
) -> LearningCurve:
    return LearningCurve(rows, tuple(at(score, rng) for score in scores))


def exact(score: float) -> Profile:
    """Without any error."""
    return Profile((0, 1, 2), 10, np.full(3, score), np.zeros((10, 3)))


def exact_curve(*scores: float, rows: tuple[int, ...] = (100, 300, 1_000)) -> LearningCurve:
    return LearningCurve(rows, tuple(map(exact, scores)))


def test_worth_is_read_off_the_curve() -> None:
    real = exact_curve(0.5, 0.6, 0.8)
    assert worth(exact(0.6), real).rows == pytest.approx(300)
    assert worth(exact(0.5), real).rows == pytest.approx(100)
    assert worth(exact(0.8), real).rows == pytest.approx(1_000)
    assert worth(exact(0.7), real).rows == pytest.approx(math.sqrt(300 * 1_000))
    assert worth(exact(0.7), real).words in ("548", "548 (548 to 548)")


def test_worth_outside_the_curve_stays_words() -> None:
    real = exact_curve(0.5, 0.6, 0.8)
    assert worth(exact(0.9), real).words == "> 1,000"
    assert worth(exact(0.4), real).words == "< 100"
    assert worth(exact(0.9), real).rows is None


def test_worth_where_the_curve_falls_or_stands() -> None:
    falling = exact_curve(0.6, 0.5, 0.8)  # the first two are pooled to 0.55
    assert falling.fitted().tolist() == pytest.approx([0.55, 0.55, 0.8])
    assert worth(exact(0.55), falling).rows == pytest.approx(100)
    assert worth(exact(0.56), falling).rows == pytest.approx(300 * (10 / 3) ** (0.01 / 0.25))
    flat = exact_curve(0.5, 0.5, 0.5)
    assert flat.inverse(0.5) == 100
    assert exact_curve(0.9, 0.6, 0.3).fitted().tolist() == pytest.approx([0.6, 0.6, 0.6])
    single = exact_curve(0.5, rows=(100,))
    assert worth(exact(0.5), single).rows == 100
    assert worth(exact(0.6), single).words == "> 100"


def test_worth_has_an_interval(rng: np.random.Generator) -> None:
    real = curve((0.5, 0.6, 0.8), rng)
    found = worth(at(0.7, rng), real)
    assert found.rows is not None
    assert found.low is not None
    assert found.high is not None
    assert 300 < found.low < found.rows < found.high < 1_000
    assert worth(real.profiles[0], real).words.startswith("100 (< 100 to ")
    assert worth(real.profiles[-1], real).words.endswith(" to > 1,000)")


def test_the_weights_of_a_curve_give_its_value() -> None:
    real = exact_curve(0.6, 0.5, 0.8)
    scores = np.array([profile.mean for profile in real.profiles])
    for rows in (100, 170, 300, 640, 1_000):
        assert real.weights_at(rows).sum() == pytest.approx(1)
        value = float(real.weights_at(rows) @ scores)
        assert value == pytest.approx(float(np.interp(math.log(rows), np.log(real.rows), real.fitted())))
    with pytest.raises(ValueError, match="ascending"):
        LearningCurve((300, 100), real.profiles[:2])


def test_area_under_the_curve() -> None:
    assert exact_curve(0.5, 0.5, 0.5).area().value == pytest.approx(0.5)
    assert exact_curve(0.4, 0.6, rows=(100, 1_000)).area().value == pytest.approx(0.5)
    one, two = exact_curve(0.4, 0.6, 0.7), exact_curve(0.5, 0.7, 0.8)
    assert contrast([*two.area_terms(), *one.area_terms(-1)]).value == pytest.approx(0.1)
    with pytest.raises(ValueError, match="single point"):
        exact_curve(0.5, rows=(100,)).area()


def test_unknown_cost_stays_unknown() -> None:
    assert share_of_cost(0.8, None) is None
    assert share_of_cost(0.8, 0.0) is None
    assert share_of_cost(0.8, 4.0) == pytest.approx(0.2)
    front = pareto([("dear", 0.9, 10.0), ("cheap", 0.8, 1.0), ("beaten", 0.7, 5.0), ("dark", 0.99, None),
                    ("same", 0.8, 1.0)])  # fmt: skip
    assert front == {"dear": True, "cheap": True, "beaten": False, "dark": None, "same": True}
