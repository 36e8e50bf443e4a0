"""The table: right numbers, nothing compared that is not comparable, and nothing left out without a word."""

import csv
import io
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from clinsynth.cli import main
from clinsynth.core.errors import UserError
from clinsynth.core.registry import TASKS
from clinsynth.results import store as results
from clinsynth.results.store import Cell, RunRecord
from clinsynth.standings import RANKED_SEEDS, Standings, as_csv, as_json, as_markdown, grid, standings

Submit = Callable[..., Path]
StoreRun = Callable[..., RunRecord]
RECIPE = "tiny.v1"


@pytest.fixture
def places(tmp_path: Path) -> Path:
    return tmp_path


@pytest.fixture
def fill(submit: Submit, store_run: StoreRun) -> Callable[..., Path]:
    """``fill(name, {task: scores of its seeds}, rows=40, ...)``: a submission with its records."""

    def do(name: str, scores: dict[str, list[float]], rows: int = 40, **changes: object) -> Path:
        folder = submit(dict.fromkeys(scores, max(rows, 1)), name=name)
        for task, values in scores.items():
            for seed, value in enumerate(values):
                spec = TASKS[task].spec
                by_metric = dict.fromkeys((spec.metric, *spec.also), value)
                store_run(folder, Cell(task, RECIPE, rows, seed), scores=by_metric, **changes)
        return folder

    return do


def mean(values: list[float]) -> float:
    return float(np.asarray(values).mean())


def deviation(values: list[float]) -> float:
    return float(np.asarray(values).std(ddof=1))


def table(places: Path, budget: int = 40) -> Standings:
    return standings([places], RECIPE, budget, "sample")


def test_mean_and_spread_equal_numpy(fill: Callable[..., Path], places: Path, rng: np.random.Generator) -> None:
    scores = {task: rng.random(RANKED_SEEDS).tolist() for task in ("gad", "cdr", "mqp", "hoc")}
    fill("one", scores)
    (row,) = table(places).rows
    for task, values in scores.items():
        assert row.scores[task].mean == pytest.approx(mean(values), abs=1e-12)
        assert row.scores[task].spread == pytest.approx(deviation(values), abs=1e-12)
    by_type = [
        mean([mean(scores["gad"]), mean(scores["cdr"])]),
        mean(scores["mqp"]),
        mean(scores["hoc"]),
    ]
    assert row.overall(tuple(scores)) == pytest.approx(mean(by_type), abs=1e-12)
    assert sorted(row.type_means().values()) == pytest.approx(sorted(by_type), abs=1e-12)
    assert row.seeds == RANKED_SEEDS


def test_one_seed_has_no_spread(fill: Callable[..., Path], places: Path) -> None:
    fill("one", {"gad": [0.5]})
    (row,) = table(places).rows
    assert row.scores["gad"].spread is None
    assert grid(table(places))[1][0] == ["gad", "macro f1", "50.0"]


def test_a_missing_task_makes_no_overall_and_goes_last(fill: Callable[..., Path], places: Path) -> None:
    fill("most", {"gad": [0.9] * 5})
    fill("floor", {"gad": [0.0] * 5, "mqp": [0.0] * 5})
    fill("whole", {"gad": [0.2] * 5, "mqp": [0.4] * 5})
    made = table(places)
    assert [row.name for row in made.rows] == ["whole", "floor", "most"]
    assert [row.overall(made.tasks) for row in made.rows] == [pytest.approx(0.3), 0.0, None]
    head, body = grid(made)
    assert head == ["task", "metric", "whole", "floor", "most"]
    assert ["mqp", "accuracy", "40.0 (0.0)", "0.0 (0.0)", "-"] in body
    assert body[-1] == ["mean of the types", "", "30.0", "0.0", "-"]
    assert set(made.missing()) == TASKS.keys() - {"gad", "mqp"}
    assert any("hoc" in remark for remark in made.remarks())


def test_few_seeds_are_preliminary_and_the_sample_is_marked(fill: Callable[..., Path], places: Path) -> None:
    fill("three", {"gad": [0.1, 0.2, 0.3], "mqp": [0.1] * 5})
    fill("five", {"gad": [0.1] * 5, "mqp": [0.1] * 5})
    remarks = table(places).remarks()
    assert f"Preliminary, fewer than {RANKED_SEEDS} seeds: three." in remarks
    assert any(remark.startswith("SAMPLE") for remark in remarks)
    assert "SAMPLE" in as_markdown(table(places))
    value = json.loads(as_json(table(places)))
    assert value["data"] == "sample"
    assert {row["name"]: row["preliminary"] for row in value["rows"]} == {"three": True, "five": False}


@pytest.mark.parametrize(
    "changes",
    [
        {"test": results.TestData(kind="sample", fingerprint="other", examples=40)},
        {"recipe_fingerprint": "other"},
        {"student_fingerprint": "other"},
    ],
    ids=["test set", "recipe", "student"],
)
def test_runs_of_other_conditions_are_left_out(
    fill: Callable[..., Path], places: Path, changes: dict[str, object]
) -> None:
    fill("a-odd", {"gad": [0.9] * 5}, **changes)
    fill("one", {"gad": [0.5] * 5})
    fill("two", {"gad": [0.4] * 5})
    made = table(places)
    assert [row.name for row in made.rows] == ["one", "two"]
    (reason,) = made.left_out
    assert reason.startswith("a-odd on gad is not shown: another test set, recipe version or student")
    assert reason in made.remarks()


def test_seeds_of_different_data_are_left_out(fill: Callable[..., Path], store_run: StoreRun, places: Path) -> None:
    folder = fill("one", {"gad": [0.5] * 2})
    record = store_run(folder, Cell("gad", RECIPE, 40, 2))
    store_run(folder, Cell("gad", RECIPE, 40, 2), training=record.training.model_copy(update={"fingerprint": "old"}))
    made = table(places)
    assert made.rows == ()
    assert "different data" in made.left_out[0]


def test_budgets_are_apart_but_for_those_that_have_fewer(fill: Callable[..., Path], places: Path) -> None:
    fill("small", {"gad": [0.3] * 5}, rows=20)
    fill("right", {"gad": [0.5] * 5}, rows=40)
    fill("large", {"gad": [0.9] * 5}, rows=60)
    made = table(places)
    assert [row.name for row in made.rows] == ["right", "small"]
    assert "Had fewer rows and used all of them: small (20-20 rows)." in made.remarks()
    assert made.left_out == (f"large is not shown: no sample run of {RECIPE} on 40 rows.",)


def test_a_cut_of_a_larger_submission_does_not_stand_in_for_the_budget(
    submit: Submit, store_run: StoreRun, places: Path
) -> None:
    store_run(submit({"gad": 40}, name="cut"), Cell("gad", RECIPE, 20, 0))
    assert table(places).rows == ()
    assert [row.name for row in table(places, budget=20).rows] == ["cut"]


def test_real_and_sample_are_apart(fill: Callable[..., Path], places: Path) -> None:
    fill("one", {"gad": [0.5] * 5})
    made = standings([places], RECIPE, 40, "real")
    assert made.rows == ()
    assert made.left_out == (f"one is not shown: no real run of {RECIPE} on 40 rows.",)


def test_a_faulty_card_is_told(fill: Callable[..., Path], places: Path) -> None:
    fill("one", {"gad": [0.5] * 5})
    (fill("two", {"gad": [0.5] * 5}) / "submission.toml").write_text("name = 'two'\n")
    assert [row.name for row in table(places).rows] == ["one"]
    assert "two is not shown: submission.toml is faulty" in table(places).left_out[0]


def test_places(fill: Callable[..., Path], places: Path) -> None:
    one, two = (fill(name, {"gad": [0.5] * 5}) for name in ("one", "two"))
    assert [row.name for row in standings([two, one], RECIPE, 40, "sample").rows] == ["one", "two"]
    with pytest.raises(UserError, match="no submission under"):
        standings([places / "nowhere"], RECIPE, 40, "sample")


def test_every_format_holds_the_same_numbers(
    fill: Callable[..., Path], places: Path, rng: np.random.Generator, capsys: pytest.CaptureFixture[str]
) -> None:
    scores = {name: {task: rng.random(5).tolist() for task in ("gad", "mqp")} for name in ("one", "two")}
    for name, own in scores.items():
        fill(name, own)
    made = table(places)
    value = json.loads(as_json(made))
    for row in value["rows"]:
        for task, score in row["tasks"].items():
            assert list(score["by_seed"].values()) == scores[row["name"]][task]
            assert score["mean"] == pytest.approx(mean(scores[row["name"]][task]))
    lines = list(csv.DictReader(io.StringIO(as_csv(made))))
    assert {(line["submission"], line["task"]) for line in lines} == {(n, t) for n in scores for t in ("gad", "mqp")}
    for line in lines:
        own = scores[line["submission"]][line["task"]]
        assert float(line["mean"]) == pytest.approx(mean(own), abs=1e-6)
        assert float(line["spread"]) == pytest.approx(deviation(own), abs=1e-6)
        assert (line["seeds"], line["rows"], line["data"]) == ("5", "40", "sample")
    drawn, _, remarks = as_markdown(made).partition("\n\n")
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in drawn.splitlines()]
    head, body = grid(made)
    assert [cells[0], *cells[2:]] == [head, *body]
    assert {len(row) for row in cells} == {len(head)}
    assert remarks.strip().splitlines() == made.remarks()
    for form in ("table", "markdown", "json", "csv"):
        words = ["standings", str(places), "--sample", "--recipe", RECIPE, "--rows", "40", "--format", form]
        assert main([*words, "--no-statistics"]) == 0
        shown = capsys.readouterr().out
        for name, own in scores.items():
            assert name in shown
            for values in own.values():
                assert (f"{mean(values):.6f}" if form in ("json", "csv") else f"{100 * mean(values):.1f}")[:7] in shown
