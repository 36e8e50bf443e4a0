"""The table: right numbers, nothing compared that is not comparable, and nothing left out without a word."""

import csv
import io
import json
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.invented import RECIPE as INVENTED
from tests.invented import write_card, write_run

from clinsynth.cli import main
from clinsynth.core.errors import UserError
from clinsynth.core.registry import TASKS
from clinsynth.results import store as results
from clinsynth.results.store import Cell, RunRecord
from clinsynth.snapshot import scores_of, snapshot_of
from clinsynth.standings import RANKED_SEEDS, Standings, collect, standings, standings_of
from clinsynth.submissions import read_submission, validate
from clinsynth.views import Table, means

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


def drawn(places: Path) -> Table:
    """The table of means as the board and the command line have it."""
    collection = collect([places], "sample")
    made = standings_of(collection, RECIPE, 40)
    return means(snapshot_of(scores_of(collection, [made])), {}).tables[0]


def body(places: Path) -> list[list[str]]:
    return [[cell.said for cell in row] for _, row in drawn(places).rows]


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
    assert body(places)[0] == ["gad", "macro f1", "50.0"]


def test_a_missing_task_makes_no_overall_and_goes_last(fill: Callable[..., Path], places: Path) -> None:
    fill("most", {"gad": [0.9] * 5})
    fill("floor", {"gad": [0.0] * 5, "mqp": [0.0] * 5})
    fill("whole", {"gad": [0.2] * 5, "mqp": [0.4] * 5})
    made = table(places)
    assert [row.name for row in made.rows] == ["whole", "floor", "most"]
    assert [row.overall(made.tasks) for row in made.rows] == [pytest.approx(0.3), 0.0, None]
    lines = body(places)
    assert [column.title for column in drawn(places).columns] == ["task", "metric", "whole", "floor", "most"]
    assert ["mqp", "accuracy", "40.0 (0.0)", "0.0 (0.0)", "–"] in lines
    assert lines[-1] == ["mean of the types", "", "30.0", "0.0", "–"]
    assert set(made.missing()) == TASKS.keys() - {"gad", "mqp"}
    assert any("hoc" in remark for remark in made.remarks())


def test_an_ending_that_many_names_share_is_said_once(fill: Callable[..., Path], places: Path) -> None:
    for name in ("naive-model-1b", "tang-model-1b", "naive-1000-model-1b", "template", "by-hand"):
        fill(name, {"gad": [0.5]})
    made = drawn(places)
    _, _, *columns = made.columns
    assert {column.title for column in columns} == {"naive…", "tang…", "naive-1000…", "template", "by-hand"}
    assert {column.key for column in columns} >= {"naive-model-1b", "tang-model-1b", "naive-1000-model-1b"}
    assert "… stands for -model-1b." in made.notes


def test_an_ending_that_two_names_share_stays(fill: Callable[..., Path], places: Path) -> None:
    for name in ("naive-model-1b", "tang-model-1b", "naive-other-2b"):
        fill(name, {"gad": [0.5]})
    assert not any("…" in column.title for column in drawn(places).columns)


def test_few_seeds_are_preliminary_and_the_sample_is_marked(fill: Callable[..., Path], places: Path) -> None:
    fill("three", {"gad": [0.1, 0.2, 0.3], "mqp": [0.1] * 5})
    fill("five", {"gad": [0.1] * 5, "mqp": [0.1] * 5})
    remarks = table(places).remarks()
    assert f"Preliminary, fewer than {RANKED_SEEDS} seeds: three." in remarks
    assert any(remark.startswith("SAMPLE") for remark in remarks)
    assert any(note.startswith("SAMPLE") for note in drawn(places).notes)
    assert {row.name: row.preliminary for row in table(places).rows} == {"three": True, "five": False}


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
    assert (reason.submission, reason.task) == ("a-odd", "gad")
    assert reason.text.startswith("a-odd on gad is not shown: another test set, recipe version or student")


def test_seeds_of_different_data_are_left_out(fill: Callable[..., Path], store_run: StoreRun, places: Path) -> None:
    folder = fill("one", {"gad": [0.5] * 2})
    record = store_run(folder, Cell("gad", RECIPE, 40, 2))
    store_run(folder, Cell("gad", RECIPE, 40, 2), training=record.training.model_copy(update={"fingerprint": "old"}))
    made = table(places)
    assert made.rows == ()
    assert "different data" in made.left_out[0].text


def test_budgets_are_apart_but_for_those_that_have_fewer(fill: Callable[..., Path], places: Path) -> None:
    fill("small", {"gad": [0.3] * 5}, rows=20)
    fill("right", {"gad": [0.5] * 5}, rows=40)
    fill("large", {"gad": [0.9] * 5}, rows=60)
    made = table(places)
    assert [row.name for row in made.rows] == ["right", "small"]
    assert "Had fewer rows and used all of them: small (20-20 rows)." in made.remarks()
    assert [each.text for each in made.left_out] == [f"large is not shown: no sample run of {RECIPE} on 40 rows."]


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
    assert [each.text for each in made.left_out] == [f"one is not shown: no real run of {RECIPE} on 40 rows."]


def test_a_faulty_card_is_told(fill: Callable[..., Path], places: Path) -> None:
    fill("one", {"gad": [0.5] * 5})
    (fill("two", {"gad": [0.5] * 5}) / "submission.toml").write_text("name = [\n")
    assert [row.name for row in table(places).rows] == ["one"]
    assert "two is not shown: submission.toml is faulty" in table(places).left_out[0].text


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
    assert {line[0]: line[2:] for line in body(places)}["gad"] == [
        f"{100 * mean(scores[row.name]['gad']):.1f} ({100 * deviation(scores[row.name]['gad']):.1f})"
        for row in made.rows
    ]
    shown: dict[str, str] = {}
    for form in ("table", "markdown", "json", "csv"):
        words = ["standings", str(places), "--sample", "--recipe", RECIPE, "--rows", "40", "--format", form]
        assert main([*words, "--no-statistics"]) == 0
        shown[form] = capsys.readouterr().out
    value = json.loads(shown["json"])
    by_seed = {(row["submission"], row["task"], row["seed"]): row["score"] for row in value["seeds"]}
    assert by_seed == {(n, t, k): s for n, own in scores.items() for t in own for k, s in enumerate(own[t])}
    lines = list(csv.DictReader(io.StringIO(shown["csv"])))
    assert {(line["submission"], line["task"]) for line in lines} == {(n, t) for n in scores for t in ("gad", "mqp")}
    for line in lines:
        own = scores[line["submission"]][line["task"]]
        assert float(line["score"]) == pytest.approx(mean(own), abs=1e-9)
        assert float(line["spread"]) == pytest.approx(deviation(own), abs=1e-9)
        assert (line["seeds"], line["rows_used"]) == ("5", "40")
    for form in ("table", "markdown"):
        for name, own in scores.items():
            assert name in shown[form]
            assert all(f"{100 * mean(values):.1f}" in shown[form] for values in own.values())
        assert all(remark in shown[form].replace("\\", "") for remark in made.remarks())


def test_what_somebody_calls_a_reference_decides_nothing(tmp_path: Path) -> None:
    """Neither the required tasks nor the conditions of comparable runs: those are the references' by name."""

    def put(name: str, tasks: Sequence[str], kind: str = "submission", **changes: Any) -> None:
        write_card(tmp_path / name, kind=kind)
        for task in tasks:
            for seed in range(RANKED_SEEDS):
                write_run(tmp_path / name, Cell(task, INVENTED, 300, seed), 0.7, changes)

    put("gold-n", ("gad",), "reference")
    put("mine", ("gad",))
    before = standings([tmp_path], INVENTED, 300, "real")
    put("my-gold", ("gad", "mqp"), "reference", recipe_fingerprint="other")
    after = standings([tmp_path], INVENTED, 300, "real")
    assert before.required == after.required == ("gad",)
    assert after.tasks == ("gad", "mqp"), "it is shown all the same"
    by_name = {row.name: row for row in after.rows}
    assert by_name["mine"].overall(after.required) is not None
    assert "gad" in by_name["mine"].scores
    shutil.rmtree(tmp_path / "gold-n")
    assert standings([tmp_path], INVENTED, 300, "real").required == ("gad",), "submissions before what calls itself so"
    shutil.rmtree(tmp_path / "mine")
    assert standings([tmp_path], INVENTED, 300, "real").required == ("gad", "mqp"), "alone, its own tasks"


def test_a_reference_of_ones_own_is_good_to_score_and_not_to_hand_in(submit: Callable[..., Path]) -> None:
    folder = submit({"gad": 40}, "my-gold")
    card = folder / "submission.toml"
    card.write_text(card.read_text("utf-8").replace('kind = "submission"', 'kind = "reference"'), "utf-8")
    report = validate(folder)
    (error,) = [problem for problem in report.problems if problem.severity == "error"]
    assert (error.reason, report.exit_code, report.usable) == ("reference-name", 1, True)
    assert read_submission(folder).card.kind == "reference"
    named = submit({"gad": 40}, "gold-n")
    card = named / "submission.toml"
    card.write_text(card.read_text("utf-8").replace('kind = "submission"', 'kind = "reference"'), "utf-8")
    assert validate(named).exit_code == 0
