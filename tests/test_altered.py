"""The study of what could be altered unseen, on invented records."""

from pathlib import Path

import pytest
from studies.altered import tolerances
from tests.invented import RECIPE, write_card, write_run

from clinsynth.results import Cell
from clinsynth.standings import collect


def test_the_mean_of_the_types_leaves_less_room_than_its_tasks(tmp_path: Path) -> None:
    folder = tmp_path / "method"
    write_card(folder)
    for task in ("gad", "mqp", "hoc"):
        for seed in range(5):
            write_run(folder, Cell(task, RECIPE, 300, seed), 0.6 + 0.02 * seed, {})
    (stored,) = collect([folder], "real").stored
    found = tolerances(stored, RECIPE, 300)
    assert found
    by_task, as_one = found
    assert as_one == pytest.approx(by_task / 3**0.5, rel=0.05), "three tasks of one spread"
    assert tolerances(stored, RECIPE, 100) is None
