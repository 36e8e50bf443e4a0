"""Plots of a results page, and the attack on its table, on invented records."""

from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import pytest
from studies.results.__main__ import attack, condition_of, markdown, write
from studies.results.figures import figures
from studies.results.orders import Block, block_of, by_metric, misplaced, orders
from tests import invented_snapshot
from tests.invented import RECIPE, Toy, write_card, write_run

from clinsynth.core import UserError
from clinsynth.results.store import Cell
from clinsynth.snapshot import DirectPairRow, GenerationRow, Tables, Wanted, build
from clinsynth.standings import Profiler

SHARES = {"first": {"gad": 0.8, "mqp": 0.6, "hoc": 0.7}, "second": {"gad": 0.6, "mqp": 0.9, "hoc": 0.5}}


@pytest.fixture
def places(tmp_path: Path) -> list[Path]:
    folder = tmp_path / "submissions"
    folder.mkdir()
    everyone = SHARES | {"few": {"gad": 0.9}, "gold-n": {"gad": 0.5, "mqp": 0.7, "hoc": 0.8}}
    for name, shares in everyone.items():
        write_card(folder / name, kind="reference" if name == "gold-n" else "submission")
        for task, share in shares.items():
            for rows in (100, 300) if name == "gold-n" else (300,):
                for seed in range(2):
                    write_run(folder / name, Cell(task, RECIPE, rows, seed), share - (0.1 if rows == 100 else 0), {})
    return [folder]


@pytest.fixture
def tables(places: list[Path]) -> Tables:
    return build(Wanted(places, "real"), Profiler(Toy(), 0))


def test_the_largest_block_without_a_gap() -> None:
    scores = {name: dict.fromkeys(own, 0.5) for name, own in (SHARES | {"few": {"gad": 0.9}}).items()}
    block = block_of(scores)
    assert block.names == ("first", "second")
    assert set(block.tasks) == {"gad", "mqp", "hoc"}
    assert set(block_of(scores, ["gad"]).names) == {"first", "second", "few"}
    assert block_of({"alone": {"gad": 0.5}}) == Block((), ())
    # Three with one task are more than two with one.
    assert set(block_of({"a": {"gad": 0.1}, "b": {"gad": 0.1, "mqp": 0.1}, "c": {"gad": 0.1}}).names) == set("abc")


def test_pairs_that_turn_round_are_found() -> None:
    scores = {
        "a": {"gad": {"macro_f1": 0.7, "f1": 0.2}, "mqp": {"accuracy": 0.6}},
        "b": {"gad": {"macro_f1": 0.5, "f1": 0.9}, "mqp": {"accuracy": 0.7}},
    }
    block = block_of(by_metric(scores))
    found = {each.way: each for each in orders(scores, block, {})}
    shown = found["as shown: main metrics, mean of the types"]
    assert list(shown.scores) == ["a", "b"]
    assert shown.turned == ()
    assert found["without gad"].turned == (("a", "b"),)
    assert found["without gad"].tau == pytest.approx(-1)
    assert found["without mqp"].turned == ()
    assert found["the published metric on gad"].turned == (("a", "b"),)


def test_references_out_of_order() -> None:
    shown = {"constant": {"hoc": 0.3}, "gold-few": {"hoc": 0.26}, "gold-full": {"hoc": 0.8}}
    (only,) = misplaced(shown)
    assert (only.task, only.lower, only.higher) == ("hoc", "constant", "gold-few")


def test_the_command_writes_plots_and_tables(places: list[Path], tables: Tables, tmp_path: Path) -> None:
    condition = condition_of(tables, RECIPE, 300)
    made = attack(places, tables, condition)
    assert set(made.block.names) == {"first", "second"}
    assert made.orders[0].scores.keys() == {"first", "second"}
    assert any(one.higher == "gold-n" and one.lower == "first" for one in made.beyond)
    written = {path.name for path in write(tmp_path / "out", tables, condition, made)}
    assert {"scores-gad.svg", "curves-gad.svg", "attack.md", "attack.json"} <= written
    for name in written:
        text = (tmp_path / "out" / name).read_text("utf-8")
        if name.endswith(".svg"):
            ElementTree.fromstring(text)  # noqa: S314 - our own
    assert "| without hoc |" in markdown(made)


def test_every_kind_of_plot_is_drawn() -> None:
    tables = invented_snapshot.tables()
    names, tasks = invented_snapshot.METHODS[:3], invented_snapshot.TASK_NAMES
    generation = tuple(
        GenerationRow(submission=name, task=task, baseline=name, model="m", candidates=400, kept=300, calls=400,
                      tokens_in=1_000 * (k + 1), tokens_out=500, dollars=None, stopped="")
        for k, name in enumerate(names)
        for task in tasks
    )  # fmt: skip
    pairs = tuple(
        DirectPairRow(data="real", recipe="minilm-l6.v1", rows=300, direct="m", submission=name, task=task, metric="f1",
                      zero_shot=0.4, few_shot=None, shots=0, student=0.5, difference=0.1, low=None, high=None,
                      verdict=None, examples=100, limited=False, seeds=2)
        for name in names
        for task in tasks
    )  # fmt: skip
    first = tables.conditions[0]
    here = [row for row in tables.scores if (row.recipe, row.rows) == (first.recipe, first.rows)]
    others = tuple(row.model_copy(update={"recipe": "mpnet-base.v1"}) for row in here)
    tables = replace(tables, generation=generation, direct_pairs=pairs, scores=(*tables.scores, *others))
    shown = pairs[0].model_copy(update={"zero_shot": None, "few_shot": 0.4, "shots": 3})
    tables = replace(tables, direct_pairs=(*pairs, shown))
    drawn = {each.key: each for each in figures(tables, tables.conditions[0], Block(tuple(names), tasks))}
    captions = [point.label for series in drawn["student-minus-model"].series for point in series.points]
    assert len(captions) == len(set(captions)), "two sets of answers to one task"
    assert f"{tasks[0]}, 3-shot: {names[0]}" in captions
    keys = drawn.keys()
    assert {"overall", "gap", "tokens", "scores-gad", "curves"} <= keys
    assert {"student-minus-model", "students-mpnet-base.v1"} <= keys
    small, large = drawn["students-mpnet-base.v1"].series
    assert [(p.label, p.y) for p in small.points] == [(p.label, p.y) for p in large.points], "one line for a row"


def test_a_submission_without_a_curve_stands_beside_that_of_real_data() -> None:
    tables = invented_snapshot.tables()
    names, tasks = invented_snapshot.METHODS[:3], invented_snapshot.TASK_NAMES
    curves = tuple(row.model_copy(update={"task": tasks[0]}) for row in tables.curves if row.submission == "gold-n")
    drawn = figures(replace(tables, curves=curves), tables.conditions[0], Block(tuple(names), tasks))
    (figure,) = [each for each in drawn if each.key == f"curves-{tasks[0]}"]
    (points,) = [each.points for each in figure.series if each.name == names[0]]
    rows = tables.conditions[0].rows
    assert [rows < point.x < 1.5 * rows for point in points] == [True], "to the right of the curve's own points"


def test_conditions_that_are_not_there_are_named(tables: Tables) -> None:
    with pytest.raises(UserError, match="no results under these conditions"):
        condition_of(tables, RECIPE, 7)
