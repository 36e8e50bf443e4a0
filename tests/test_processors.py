"""The same numbers on every processor: with the kernels of other ones, and with other numbers of threads."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
NUMBERS = """
import numpy as np
from studies.simulation.worlds import World, simulate
from clinsynth.scoring.statistics import TaskPairs, bootstrap, combine, gap_of, worth_of
from clinsynth.scoring.statistics.gaps import LearningCurve
from clinsynth.scoring.statistics.ranks import overall_row, ranking

types = {"a": "x", "b": "x", "c": "y"}
rng = np.random.default_rng(0)
tasks = {}
for task, metric in zip(types, ("entity_f1", "micro_f1", "macro_f1")):
    runs = [own for k in range(6) for own in simulate(World(metric, 700, 5, lead=0.02 * k), rng)]
    tasks[task] = TaskPairs({f"{k:02}": each for k, each in enumerate(bootstrap(runs, 400, rng))})
names = list(tasks["a"].profiles)
print(ranking(tasks, types, names, 0))
for task, pairs in tasks.items():
    order = sorted(names, key=lambda name: pairs.profiles[name].mean)
    for name in names:
        found = pairs.difference(name, order[0]).estimate()
        print(found.interval(), found.p_value(), found.detectable(), found.probability_positive())
        print(gap_of(pairs.terms(name, order[0], order[-1])))
    real = LearningCurve((100, 300, 1000), tuple(pairs.profiles[name] for name in (order[1], order[5], order[-2])))
    print(worth_of(pairs.terms(order[4], order[1], order[5], order[-2]), pairs.profiles[order[4]].mean, real))
weights = {"a": 0.25, "b": 0.25, "c": 0.5}
both = combine({task: pairs.difference("00", "03") for task, pairs in tasks.items()}, weights, 0)
print(both.interval(), both.p_value())
"""


def printed(code: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """A process of its own, with these variables."""
    environment = {**os.environ, "PYTHONPATH": f"{ROOT / 'benchmark'}{os.pathsep}{ROOT}", **variables}
    return subprocess.run(  # noqa: S603 - our own command
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False
    )


@pytest.fixture(scope="module")
def here() -> str:
    """The numbers as they come out with what OpenBLAS chooses."""
    done = printed(NUMBERS)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("Gap(") == 36
    return done.stdout


@pytest.mark.parametrize(
    ("kernels", "threads"), [("Nehalem", "1"), ("Sandybridge", "2"), ("Haswell", "1"), ("Zen", "2"), ("SkylakeX", "2")]
)
def test_no_kernel_and_no_number_of_threads_changes_a_digit(kernels: str, threads: str, here: str) -> None:
    variables = {"OPENBLAS_CORETYPE": kernels, "OPENBLAS_NUM_THREADS": threads}
    if printed("import numpy; numpy.ones((64, 64)) @ numpy.ones((64, 64))", **variables).returncode == -signal.SIGILL:
        pytest.skip(f"this processor lacks instructions that {kernels} kernels use")
    done = printed(NUMBERS, **variables)
    assert done.returncode == 0, done.stderr
    assert done.stdout == here
