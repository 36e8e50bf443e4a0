"""The variance components of the study of a second run of a generator."""

import importlib
import math
from typing import Any

import numpy as np
import pytest
from studies.second_run import components

scipy_stats: Any = importlib.import_module("scipy.stats")


def test_the_test_is_that_of_a_one_way_analysis() -> None:
    groups = [[61.0, 62.0, 62.7, 62.4, 61.8], [57.8, 58.0], [60.8, 59.4, 60.0]]
    within, _, p = components(groups)
    assert p == pytest.approx(scipy_stats.f_oneway(*groups).pvalue)
    squares = sum(((np.array(group) - np.mean(group)) ** 2).sum() for group in groups)
    assert within == pytest.approx(math.sqrt(squares / (10 - 3)))


def test_what_was_put_in_is_found(rng: np.random.Generator) -> None:
    files = rng.normal(60, 2, 4_000)
    within, between, _ = components([list(rng.normal(file, 1, int(rng.integers(2, 6)))) for file in files])
    assert within == pytest.approx(1, abs=0.05)
    assert between == pytest.approx(2, abs=0.1)
    assert components([[1.0, 3.0], [1.0, 3.0]])[1] == 0, "no negative variance"
