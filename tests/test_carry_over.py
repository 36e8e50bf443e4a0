"""Runs that a new recipe trains as the old one did are taken over; all others stay where they are."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from studies.carry_over import carry_over, trains_alike

from clinsynth.core.registry import TASKS
from clinsynth.data.samples import SampleStore
from clinsynth.results.store import Cell, Results
from clinsynth.results.verification import verify
from clinsynth.training.recipe import RECIPES, Recipe, recipe_fingerprint
from clinsynth.training.run import Job, run

SAMPLE = SampleStore()
Submit = Callable[..., Path]
Register = Callable[..., Recipe]


def lines(folder: Path, old: Recipe, new: Recipe, *, dry: bool = False) -> list[str]:
    return [line.partition(": ")[2] for line in carry_over(folder, old, new, SAMPLE, dry=dry)]


@pytest.fixture
def recipes(register: Register) -> tuple[Recipe, Recipe]:
    return register("old.v1", steps=4), register("new.v2", steps=4, epochs=1)


def test_only_what_is_trained_alike_is_taken_over(submit: Submit, recipes: tuple[Recipe, Recipe]) -> None:
    old, new = recipes
    folder = submit({"gad": 40})
    for rows in (24, 40):
        run(Job(folder, Cell("gad", "old.v1", rows, 0), None, True, threads=1))
    results = Results(folder, "sample")
    first = results.done(Cell("gad", "old.v1", 24, 0))
    assert first
    assert lines(folder, old, new, dry=True) == ["taken over", "left: new.v2 trains it otherwise"]
    assert len(list(results.records())) == 2
    taken, left = lines(folder, old, new)
    assert taken.startswith("taken over: macro_f1")
    assert left == "left: new.v2 trains it otherwise"
    record = results.done(Cell("gad", "new.v2", 24, 0))
    assert record
    assert (record.carried_from, first.carried_from) == ("old.v1", "")
    assert record.recipe_fingerprint == recipe_fingerprint(new, TASKS["gad"].spec)
    assert (record.scores, record.predictions_sha256) == (first.scores, first.predictions_sha256)
    assert (record.created, record.environment, record.seconds) == (first.created, first.environment, first.seconds)
    assert verify(folder, SAMPLE).ok
    assert lines(folder, old, new)[0] == "left: it is there already"
    # What is trained under the new name is the same.
    again = run(Job(folder, Cell("gad", "new.v2", 24, 0), None, True, threads=1))
    assert (again.predictions_sha256, again.loss) == (first.predictions_sha256, first.loss)


def test_an_edited_run_is_left(submit: Submit, recipes: tuple[Recipe, Recipe]) -> None:
    old, new = recipes
    folder = submit({"gad": 40})
    for seed in (0, 1):
        run(Job(folder, Cell("gad", "old.v1", 24, seed), None, True, threads=1))
    results = Results(folder, "sample")
    path = results.predictions_path(Cell("gad", "old.v1", 24, 0))
    results.predictions_path(Cell("gad", "old.v1", 24, 1)).unlink()
    from clinsynth.core.nouns import Prediction

    spec = TASKS["gad"].spec
    results.write_predictions(Cell("gad", "old.v1", 24, 0), [Prediction((spec.labels[0],))], spans=False)
    assert path.exists()
    assert lines(folder, old, new) == ["left: its predictions were edited", "left: its predictions are not here"]


def test_what_trains_alike() -> None:
    old, new, spec = RECIPES["minilm-l6.v1"], RECIPES["minilm-l6.v2"], TASKS["gad"].spec
    assert trains_alike(old, new, spec, 300)
    assert trains_alike(old, new, spec, 2_133)
    assert not trains_alike(old, new, spec, 2_134)
    assert not trains_alike(old, RECIPES["mpnet-base.v1"], spec, 300)
    slower = {kind: replace(settings, learning_rate=1e-5) for kind, settings in new.settings.items()}
    assert not trains_alike(old, replace(new, settings=slower), spec, 300)
