"""The standings with statistics: who is ranked, what each number is, and what stands below the line and why."""

import csv
import io
import itertools
import json
import math
import multiprocessing
import os
import signal
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.invented import ITEMS, RECIPE, Toy, audit_of, write_card, write_run

from clinsynth.audit.record import RowMatch
from clinsynth.audit.record import TestLeaks as Leaks
from clinsynth.cli import main
from clinsynth.core.errors import UserError
from clinsynth.core.nouns import Example, Prediction, Span, Split, Task
from clinsynth.core.registry import TASKS
from clinsynth.results.predictions import Tally
from clinsynth.results.store import Cell, Results, TrainingData
from clinsynth.scoring.metrics import METRICS
from clinsynth.scoring.statistics.ranks import kendall_tau
from clinsynth.snapshot import Tables, snapshot_of
from clinsynth.snapshot.standings import agreement_rows
from clinsynth.standings import (
    Difference,
    Score,
    Standing,
    Standings,
    collect,
    profiles,
    standings,
    standings_of,
)
from clinsynth.standings import task as working
from clinsynth.standings.agreement import agreements
from clinsynth.standings.collection import choose, read_entry
from clinsynth.standings.comparison import Request, compare
from clinsynth.standings.profiles import Profiler
from clinsynth.submissions.card import Cost
from clinsynth.views import agreement

LEVELS = {"gad": 0.75, "mqp": 0.7, "ncbi-disease": 0.75}
"""Share of right answers of ``alpha``."""
SEEDS = range(5)

Enter = Callable[..., Path]


def put(place: Path, name: str, levels: dict[str, float], **options: Any) -> Path:
    """A submission: ``rows``, ``seeds``, ``recipe``, ``audited`` and what else belongs on the card."""
    rows, seeds = options.pop("rows", (1_000,)), options.pop("seeds", 5)
    audited, recipe = options.pop("audited", True), options.pop("recipe", RECIPE)
    folder = place / name
    if not folder.exists():
        write_card(folder, **options)
    for task, level in levels.items():
        for at in rows:
            for seed in range(seeds):
                write_run(folder, Cell(task, recipe, at, seed), level + 0.1 * math.log10(at / 1_000), {})
        if audited:
            audit_of(folder, task)
    return folder


def shifted(by: float) -> dict[str, float]:
    return {task: level + by for task, level in LEVELS.items()}


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """References, three contenders of which two tie, and one row for each reason to stand below the line."""
    place = tmp_path_factory.mktemp("submissions")
    put(place, "gold-full", shifted(0.2), kind="reference", audited=False, rows=(4_000,))
    put(place, "gold-n", shifted(0.05), kind="reference", audited=False, rows=(100, 300, 1_000))
    put(place, "alpha", LEVELS, cost=Cost(dollars=2.0, tokens_in=1_000_000, tokens_out=1_000_000))
    put(place, "beta", shifted(-0.008), cost=Cost(dollars=4.0, tokens_in=500_000, tokens_out=500_000))
    put(place, "gamma", shifted(-0.2), cost=Cost(dollars=1.0))
    put(place, "unaudited", shifted(0.1), audited=False)
    put(place, "few", shifted(0.1), seeds=3)
    put(place, "part", {"gad": 0.9, "ncbi-disease": 0.9})
    leaky = put(place, "leaky", shifted(0.15))
    matches = tuple(RowMatch(row=k, tests=(k,), method="exact", reason="leak") for k in range(1, 8))
    audit_of(
        leaky, "mqp", failures=("7 of 1,000 rows are a test example word for word; at most 1 may be",),
        test=Leaks(examples=ITEMS, matches=matches, one_side=(), nearest={}, touched=7),
    )  # fmt: skip
    edited = put(place, "edited", shifted(0.1))
    record = Results(edited, "real").record_path(Cell("gad", RECIPE, 1_000, 3))
    record.write_text(record.read_text("utf-8").replace('"steps": 1', '"steps": 2'), "utf-8")
    swapped = put(place, "swapped", shifted(0.1))
    paths = [Results(swapped, "real").predictions_path(Cell("gad", RECIPE, 1_000, seed)) for seed in (0, 1)]
    paths[0].write_bytes(paths[1].read_bytes())
    lost = put(place, "lost", shifted(0.1))
    Results(lost, "real").predictions_path(Cell("gad", RECIPE, 1_000, 2)).unlink()
    return place


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


def computed(place: Path, cache: Path, *missing: str) -> Standings:
    return standings([place], RECIPE, 1_000, "real", Profiler(Toy(*missing), 300, cache=cache))


@pytest.fixture(scope="module")
def table(place: Path, cache: Path) -> Standings:
    return computed(place, cache)


def row(table: Standings, name: str) -> Standing:
    (found,) = [each for each in table.rows if each.name == name]
    return found


def test_who_is_ranked_and_why_the_others_are_not(table: Standings) -> None:
    assert [each.name for each in table.rows if each.ranked] == ["alpha", "beta", "gamma"]
    codes = {each.name: [reason.code for reason in each.reasons] for each in table.rows if not each.ranked}
    assert codes == {
        "constant": ["reference"],
        "gold-full": ["reference"],
        "gold-n": ["reference"],
        "unaudited": ["unaudited"],
        "few": ["preliminary"],
        "part": ["incomplete"],
        "leaky": ["leaks"],
        "edited": ["failed-verify"],
        "swapped": ["failed-verify"],
        "lost": ["unchecked"],
    }
    assert [each.name for each in table.rows][:3] == ["alpha", "beta", "gamma"]
    assert table.rows[-1].name == "part"  # no overall score at all
    assert row(table, "part").statistics is None
    said = {each.name: each.reasons[0].text for each in table.rows if not each.ranked}
    assert said["part"].startswith("no result on mqp")
    assert "7 of 1,000 rows" in said["leaky"]
    assert "seed2.jsonl.gz" in said["lost"]
    assert "not those of its records" in said["swapped"]
    assert "seal" in said["edited"]
    assert "3 of 5 seeds" in said["few"]
    (line,) = table.left_out
    assert line.text.startswith("edited lacks a run that is not shown: runs/gad/")


def test_ranks_groups_and_points(table: Standings) -> None:
    alpha, beta, gamma = (row(table, name).statistics for name in ("alpha", "beta", "gamma"))
    assert alpha
    assert beta
    assert gamma
    assert (alpha.group, beta.group, gamma.group) == (1, 1, 2)
    assert (alpha.ranks, beta.ranks, gamma.ranks) == ((1, 2), (1, 2), (3, 3))
    points = {
        name: sum(
            sum(
                1.0 if own.mean > other.mean else 0.5 if own.mean == other.mean else 0.0
                for who in ("alpha", "beta", "gamma")
                if who != name
                for other in [row(table, who).scores[task]]
            )
            for task in LEVELS
            for own in [row(table, name).scores[task]]
        )
        for name in ("alpha", "beta", "gamma")
    }
    assert [each.borda for each in (alpha, beta, gamma)] == list(points.values())
    assert sum(points.values()) == 9  # three tasks, three pairs
    assert alpha.win_rate == pytest.approx(points["alpha"] / 2 / 3)
    for name in ("constant", "unaudited"):
        own = row(table, name).statistics
        assert own
        assert (own.group, own.ranks, own.borda, own.win_rate) == (None, None, None, None)
        assert own.interval
        assert own.leader
        assert own.leader.p_adjusted is None


def test_the_overall_score_is_the_mean_of_the_types(table: Standings) -> None:
    for each in table.rows:
        if each.statistics:
            assert each.statistics.mean == pytest.approx(np.mean([each.scores[task].mean for task in LEVELS]))
            if each.statistics.interval:
                assert 0 <= each.statistics.interval.low <= each.statistics.mean <= each.statistics.interval.high <= 1
    assert set(row(table, "alpha").types) == {TASKS[task].spec.type for task in LEVELS}


def test_differences_are_those_of_compare(table: Standings, place: Path, cache: Path) -> None:
    entries = [read_entry(place / name, RECIPE, "real") for name in ("alpha", "beta", "gamma", "gold-full")]
    request = Request(entries=tuple(entries[:3]), recipe=RECIPE, rows=1_000, ceiling=entries[3], resamples=300)
    found = {(each.scope, each.other): each for each in compare(request, Toy()).comparisons}
    for name in ("beta", "gamma"):
        own = row(table, name)
        assert own.statistics
        for scope, mine in (
            ("mean of the types", own.statistics.leader),
            *((task, each.statistics.leader) for task, each in own.scores.items() if each.statistics),
        ):
            theirs = found[scope, name]
            if mine is None or mine.other != "alpha":
                continue  # another one leads that task
            assert mine.value == pytest.approx(theirs.difference)
            assert (mine.low, mine.high) == pytest.approx((theirs.low, theirs.high))
            assert mine.p == pytest.approx(theirs.p, rel=1e-6)
            assert mine.p_adjusted == pytest.approx(min(1.0, 3 * mine.p)), "three pairs among three contenders"
            assert mine.detectable == pytest.approx(theirs.detectable)
            assert mine.judgement == theirs.judgement
            assert mine.p_adjusted is not None
            assert mine.probability == pytest.approx(mine.p_adjusted / 2), "of one that is behind"


def alone(difference: Difference) -> Difference:
    """Without what allows for the choice of the leader."""
    return replace(difference, p_adjusted=None, probability=0.0)


def test_an_entry_more_changes_nothing_between_two(table: Standings, place: Path, cache: Path) -> None:
    put(place, "delta", shifted(-0.3))
    try:
        more = computed(place, cache)
    finally:
        (place / "delta" / "submission.toml").unlink()
    assert "delta" in [each.name for each in more.rows if each.ranked]
    for name in ("alpha", "beta", "gamma", "constant", "few"):
        before, after = row(table, name).statistics, row(more, name).statistics
        assert before
        assert after
        assert (before.mean, before.interval, before.gap) == (after.mean, after.interval, after.gap)
        assert before.leader
        assert after.leader
        assert alone(before.leader) == alone(after.leader)
        for task in LEVELS:
            one, two = row(table, name).scores[task].statistics, row(more, name).scores[task].statistics
            assert one
            assert two
            assert (one.interval, one.gap, one.worth) == (two.interval, two.gap, two.worth)


def test_gap_recovered_and_its_ends(table: Standings) -> None:
    for task in LEVELS:
        floor, full = (row(table, name).scores[task].mean for name in ("constant", "gold-full"))
        own = row(table, "alpha").scores[task]
        assert own.statistics
        gap = own.statistics.gap
        assert gap.value == pytest.approx((own.mean - floor) / (full - floor))
        assert None not in (gap.low, gap.value, gap.high)
        assert (gap.low or 0) < (gap.value or 0) < (gap.high or 0)
        for name, end in (("constant", 0), ("gold-full", 1)):
            statistics = row(table, name).scores[task].statistics
            assert statistics
            assert statistics.gap.value == pytest.approx(end)
        assert (table.summaries[task].floor, table.summaries[task].ceiling) == (floor, "gold-full")
    alpha = row(table, "alpha").statistics
    assert alpha
    gaps = [own.gap.value for task in LEVELS if (own := row(table, "alpha").scores[task].statistics)]
    assert alpha.gap == pytest.approx(np.mean([value for value in gaps if value is not None]))


def test_worth_is_read_off_the_curve_of_gold_n(table: Standings) -> None:
    for task in LEVELS:
        assert table.summaries[task].real_rows == (100, 300, 1_000)
        points = next(curve for curve in row(table, "gold-n").curves if curve.task == task).points
        own = row(table, "alpha").scores[task]
        assert own.statistics
        worth = own.statistics.worth
        assert worth.rows is not None
        left, right = next(pair for pair in itertools.pairwise(points) if pair[0].mean <= own.mean <= pair[1].mean)
        assert left.rows <= worth.rows <= right.rows
        share = (own.mean - left.mean) / (right.mean - left.mean)
        assert worth.rows == pytest.approx(left.rows * (right.rows / left.rows) ** share)
        far = row(table, "gold-full").scores[task].statistics
        assert far
        assert far.worth.words.startswith("> 1,000")


def test_curves_and_their_area(table: Standings) -> None:
    assert [each.name for each in table.rows if each.curves] == ["gold-n"]
    found = {curve.task: curve for curve in row(table, "gold-n").curves}
    assert set(found) == {*LEVELS, None}
    for curve in found.values():
        means = [point.mean for point in curve.points]
        assert means == sorted(means)
        logs = np.log([point.rows for point in curve.points])
        assert curve.area == pytest.approx(np.trapezoid(means, logs) / (logs[-1] - logs[0]))
        assert curve.area_interval
        assert curve.area_interval.low < (curve.area or 0) < curve.area_interval.high
    shared = [np.mean([found[task].points[k].mean for task in LEVELS]) for k in range(3)]
    assert [point.mean for point in found[None].points] == pytest.approx(shared)


def test_cost_and_fronts(table: Standings) -> None:
    costs = {name: row(table, name).cost for name in ("alpha", "beta", "gamma", "few")}
    alpha, beta, gamma, few = costs.values()
    assert alpha
    assert beta
    assert gamma
    assert few
    score = row(table, "alpha").statistics
    assert score
    assert alpha.per_dollar == pytest.approx(score.mean / 2)
    assert alpha.per_million_tokens == pytest.approx(score.mean / 2)
    # Cheaper is better or worse is cheaper: beta costs more dollars for less, and fewer tokens.
    assert (alpha.on_dollar_front, beta.on_dollar_front, gamma.on_dollar_front) == (True, False, True)
    assert (alpha.on_token_front, beta.on_token_front, gamma.on_token_front) == (True, True, None)
    assert (gamma.tokens, gamma.per_million_tokens) == (None, None)
    assert (few.dollars, few.per_dollar, few.on_dollar_front) == (None, None, None)


def test_agreement_between_aggregates_and_students(table: Standings, place: Path, cache: Path) -> None:
    (aggregates,) = [each for each in table.agreements if (each.first, each.second) == ("mean of the types", "Borda")]
    assert (aggregates.names, aggregates.tau) == (3, 1.0)
    assert not [each for each in table.agreements if each.kind == "students"]
    other = {"alpha": 0.4, "beta": 0.8, "gamma": 0.6}
    for name, level in other.items():
        put(place, name, dict.fromkeys(LEVELS, level), recipe="other.v1", rows=(500,))
    try:
        (students,) = [each for each in computed(place, cache).agreements if each.kind == "students"]
    finally:
        for name in other:
            for path in (place / name).rglob("other.v1/*/*"):
                path.unlink()
    assert (students.first, students.second) == (f"{RECIPE}, 1,000 rows", "other.v1, 500 rows")
    here = {name: own.mean for name in other if (own := row(table, name).statistics)}
    assert (students.names, students.tau) == (3, kendall_tau(here, other))
    assert students.interval
    assert -1 <= students.interval.low <= (students.tau or 0) <= students.interval.high <= 1
    assert ("alpha", "beta") in students.turned


def test_what_is_said_of_another_student() -> None:
    """Synthetic tables of two students: one pair turns round, on the task that carries the difference."""

    def of(recipe: str, *scores: tuple[str, dict[str, float]]) -> Standings:
        rows = tuple(
            Standing(name, name, "submission",
                     {task: Score(task, "accuracy", 300, {0: value}) for task, value in own.items()})
            for name, own in scores
        )  # fmt: skip
        tasks = ("gad", "mqp", "hoc")
        return Standings(recipe, 300, "real", tasks, rows, (), tasks)

    a, b, c = ({"gad": x, "mqp": x, "hoc": x} for x in (0.8, 0.7, 0.5))
    first = of("small.v1", ("a", a), ("b", b), ("c", c))
    second = of("large.v1", ("a", a), ("b", b | {"gad": 0.99, "hoc": 0.85}), ("c", c), ("d", {"gad": 0.1}))
    # Rows that had fewer stand in the table of a larger budget as well: of the two the one of equal budget counts.
    (found,) = agreements(first, [[second, replace(second, budget=5_424)]])
    assert (found.kind, found.names, found.turned) == ("students", 3, (("a", "b"),))
    assert found.tau == pytest.approx(1 / 3)
    assert found.interval
    # Without gad among the resampled tasks the two have one order; with it, another.
    assert (found.interval.low, found.interval.high) == (pytest.approx(1 / 3), pytest.approx(1.0))
    shown = Tables(agreements=tuple(agreement_rows(replace(first, agreements=(found,)))))
    (lines,) = agreement(snapshot_of(shown))
    ((_, line),) = lines.rows
    assert [cell.said for cell in line[1:]] == [
        "small.v1, 300 rows", "large.v1, 300 rows", "3", "0.33 (0.33–1.00)", "a > b",
    ]  # fmt: skip
    few = of("large.v1", ("a", a))
    (alone,) = agreements(first, [[few]])
    assert (alone.tau, alone.interval) == (None, None)


def test_a_test_set_that_is_not_here_leaves_the_means(table: Standings, place: Path, cache: Path) -> None:
    without = computed(place, cache, "mqp")
    assert without.unavailable == {"mqp": "mqp is not prepared"}
    assert not any(each.ranked for each in without.rows)
    for name in ("alpha", "gamma"):
        own, before = row(without, name), row(table, name)
        assert [reason.code for reason in own.reasons] == ["unchecked"]
        assert own.statistics
        assert before.statistics
        assert own.statistics.mean == before.statistics.mean
        assert own.statistics.interval is None
        assert own.scores["mqp"].statistics is None
        assert own.scores["mqp"].missing == "mqp is not prepared"
        assert own.scores["gad"].statistics == before.scores["gad"].statistics
    assert "No statistics on mqp: mqp is not prepared." in without.remarks()


def test_without_references_there_is_no_scale_and_everybody_counts(tmp_path: Path, cache: Path) -> None:
    put(tmp_path, "one", {"gad": 0.7})
    put(tmp_path, "two", {"gad": 0.5, "mqp": 0.6})
    made = computed(tmp_path, cache)
    assert set(made.required) == {"gad", "mqp"}
    own = row(made, "two").scores["gad"].statistics
    assert own
    assert own.gap.value is None
    assert own.gap.reason == "no run of gold-full on gad"
    assert own.worth.words == ""
    assert own.worth.reason == "no run of gold-n on gad"
    assert [each.name for each in made.rows if each.ranked] == ["two"]
    put(tmp_path, "gold-few", {"gad": 0.3}, kind="reference", audited=False)
    more = computed(tmp_path, cache)
    assert more.required == ("gad",)  # no stranger makes others incomplete by a task that no reference has
    assert [each.name for each in more.rows if each.ranked] == ["one", "two"]
    assert any("no reference has a result: mqp" in remark for remark in more.remarks())


def test_the_sample_is_never_ranked(tmp_path: Path, cache: Path) -> None:
    toy = Toy()
    put(tmp_path, "one", {"gad": 0.7})
    (tmp_path / "one" / "sample").mkdir()
    for name in ("runs", "predictions"):
        (tmp_path / "one" / name).rename(tmp_path / "one" / "sample" / name)
    toy.kind = "sample"
    made = standings([tmp_path], RECIPE, 1_000, "sample", Profiler(toy, 300, cache=cache))
    assert not any(each.ranked for each in made.rows)
    assert made.rows[0].reasons[0].code == "sample"
    assert made.rows[0].scores["gad"].statistics


def test_profiles_are_kept_and_never_out_of_date(tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = put(tmp_path, "one", {"gad": 0.7, "mqp": 0.6})
    first = computed(tmp_path, tmp_path / "kept")
    kept = sorted((tmp_path / "kept").rglob("*.profile"))
    assert len(kept) == 4, "of the submission and of the constant answer, on two tasks"

    def refuse(*_: object) -> None:
        raise AssertionError("predictions were read again")

    with monkeypatch.context() as patch:
        patch.setattr(profiles, "counted", refuse)
        patch.setattr(profiles, "constant_of", refuse)
        assert computed(tmp_path, tmp_path / "kept") == first
        kept[0].write_bytes(kept[0].read_bytes()[:100])  # cut short
        with pytest.raises(AssertionError):
            computed(tmp_path, tmp_path / "kept")
    assert computed(tmp_path, tmp_path / "kept") == first
    path = Results(folder, "real").predictions_path(Cell("mqp", RECIPE, 1_000, 0))
    path.write_bytes(Results(folder, "real").predictions_path(Cell("mqp", RECIPE, 1_000, 1)).read_bytes())
    assert [reason.code for reason in computed(tmp_path, tmp_path / "kept").rows[0].reasons] == ["failed-verify"]


def test_one_reading_serves_several_tables(place: Path, cache: Path, table: Standings) -> None:
    collection = collect([place], "real")
    assert collection.budgets() == {RECIPE: (100, 300, 1_000, 4_000)}
    assert standings_of(collection, RECIPE, 1_000, Profiler(Toy(), 300, cache=cache)) == table
    small = standings_of(collection, RECIPE, 300)
    assert "gold-n" in [each.name for each in small.rows]
    assert not small.computed


@pytest.fixture
def command(place: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    def open_store(_folder: Path | None, _sample: bool) -> Toy:
        return Toy()

    monkeypatch.setattr("clinsynth.cli.standings.open_store", open_store)
    return ["standings", str(place), "--resamples", "0"]


@pytest.mark.parametrize("view", ["means", "overall", "tasks", "curves", "cost"])
def test_the_command_shows_every_view_in_every_format(
    view: str, command: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    shown: dict[str, str] = {}
    for form in ("table", "markdown", "json", "csv"):
        assert main([*command, "--view", view, "--format", form]) == 0
        shown[form] = capsys.readouterr().out
    value = json.loads(shown["json"])
    assert {row["submission"] for row in value["overall"] if row["group"] is not None} == {"alpha", "beta", "gamma"}
    assert all(row["leader"] for row in value["summaries"])
    lines = list(csv.DictReader(io.StringIO(shown["csv"])))
    assert lines
    assert all(None not in line and None not in line.values() for line in lines)
    for form in ("table", "markdown"):
        assert "gold-n" in shown[form] if view != "cost" else "unknown" in shown[form]
    if view in ("means", "overall"):
        assert "leaky: the audit on mqp failed: 7 of 1,000 rows" in shown["table"]
    if view == "overall":
        by_name = {line["submission"]: line for line in lines}
        assert by_name["alpha"]["rank"] == "1"
        assert by_name["few"]["remarks"]


def test_no_statistics_reads_no_data(command: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*command, "--no-statistics", "--format", "json"]) == 0
    value = json.loads(capsys.readouterr().out)
    assert all(row["low"] is None and row["group"] is None for row in (*value["overall"], *value["scores"]))


def test_the_ceiling_is_the_run_on_all_real_rows(tmp_path: Path, cache: Path) -> None:
    full = put(tmp_path, "gold-full", {"gad": 0.8}, kind="reference", audited=False, rows=(4_000,))
    put(tmp_path, "one", {"gad": 0.6})
    before = row(computed(tmp_path, cache), "one").scores["gad"].statistics
    for seed in SEEDS:  # cut to the budget, the same rows: a row of the table, and no ceiling
        cell = Cell("gad", RECIPE, 1_000, seed)
        data = TrainingData(fingerprint="rows of gold-full", available=4_000, used=1_000)
        write_run(full, cell, 0.7, {"training": data})
    made = computed(tmp_path, cache)
    after = row(made, "one").scores["gad"].statistics
    assert row(made, "gold-full").scores["gad"].rows == 1_000
    assert before
    assert after
    assert before.gap.value
    assert after.gap.value == pytest.approx(before.gap.value, rel=1e-12)
    assert (after.gap.low, after.gap.high) == pytest.approx((before.gap.low, before.gap.high), rel=1e-9)
    assert made.summaries["gad"].ceiling == "gold-full"
    own = row(made, "gold-full").scores["gad"].statistics
    assert own
    assert own.gap.value
    assert own.gap.value < 0.95
    for seed in SEEDS:  # a ceiling that cannot be computed is not replaced by what was cut
        Results(full, "real").predictions_path(Cell("gad", RECIPE, 4_000, seed)).unlink()
    without = row(computed(tmp_path, cache), "one").scores["gad"].statistics
    assert without
    assert without.gap.reason == "no run of gold-full on gad"


class Elsewhere(Toy):
    """Misbehaves in worker processes: one is killed, or one that is never done."""

    def __init__(self, fate: str) -> None:
        super().__init__()
        self.fate = fate

    def examples(self, task: Task, split: Split) -> list[Example]:
        if multiprocessing.parent_process() is not None and task.spec.name == "mqp":
            if self.fate == "killed":
                os.kill(os.getpid(), signal.SIGKILL)
            time.sleep(600)
        return super().examples(task, split)


def test_processes_give_the_same_numbers(
    place: Path, table: Standings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(working, "FEW_RUNS", 0)
    started: list[int] = []
    spread = working._spread  # pyright: ignore[reportPrivateUsage] - to see that it is what computes

    def seen(*words: Any) -> Any:
        started.append(words[3])
        return spread(*words)

    monkeypatch.setattr(working, "_spread", seen)
    profiler = Profiler(Toy(), 300, cache=tmp_path / "nothing kept", workers=2)
    made = standings([place], RECIPE, 1_000, "real", profiler)
    assert started == [2]
    assert made == table  # every float, every reason, the order of the rows
    assert list(made.summaries) == list(table.summaries)
    assert {path.name for path in (tmp_path / "nothing kept").rglob("*.profile")}
    assert multiprocessing.active_children() == []


def test_few_runs_start_no_process(place: Path, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(working, "_spread", None)
    assert standings([place], RECIPE, 1_000, "real", Profiler(Toy(), 300, cache=cache, workers=8)).computed


def test_a_process_that_dies_is_told(place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(working, "FEW_RUNS", 0)
    with pytest.raises(UserError, match="was killed"):
        standings([place], RECIPE, 1_000, "real", Profiler(Elsewhere("killed"), 300, cache=tmp_path, workers=2))
    assert multiprocessing.active_children() == []


def test_ctrl_c_leaves_no_process(place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(working, "FEW_RUNS", 0)
    chosen = choose(collect([place], "real"), RECIPE, 1_000)

    def stop(_: float) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        working.task_tables(
            tuple(LEVELS), chosen, Profiler(Elsewhere("never done"), 300, cache=tmp_path, workers=2), stop
        )
    assert multiprocessing.active_children() == []


def test_lines_are_counted_as_predictions_are() -> None:
    rng = np.random.default_rng(3)
    for name in ("gad", "hoc", "ncbi-disease", "mqp"):
        task = TASKS[name]
        gold = Toy().examples(task, "test")
        labels, metric = task.spec.labels, METRICS[task.spec.metric]
        tally = Tally(task.spec, metric, gold)
        for _ in range(4):
            said = [
                Prediction(spans=(Span(0, int(rng.integers(3, 6)), str(rng.choice(labels))),))
                if task.spec.is_span
                else Prediction(
                    tuple(map(str, rng.permutation(labels)[: 1 + int(task.spec.multi_label and rng.integers(2))]))
                )
                for _ in gold
            ]
            rows = (
                {"id": k, "spans": [list(span) for span in p.spans]}
                if task.spec.is_span
                else {"id": k, "labels": list(p.labels)}
                for k, p in enumerate(said)
            )
            content = "".join(json.dumps(each) + "\n" for each in rows).encode()
            found = tally.counts(content)
            assert found is not None
            assert (found == metric.counts(task.spec, gold, said)).all()
            lines = content.splitlines(keepends=True)
            for odd in (
                lines[1:],
                [lines[1], lines[0], *lines[2:]],
                [*lines[:-1], b"{}\n"],
                [*lines[:-1], lines[-1].replace(b"}", b', "id": 0}')],
                [*lines[:-1], lines[-1].replace(b"]}", b"]")],
            ):
                assert tally.counts(b"".join(odd)) is None
