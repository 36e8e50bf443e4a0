"""The floor: the best constant answer is the best, stands where it belongs, and is right in the committed record."""

import itertools
import json
from pathlib import Path

import numpy as np
import pytest
from tests.invented import RECIPE, Toy, write_card, write_run

from clinsynth.core.nouns import Example, MetricName, Prediction, Span
from clinsynth.core.registry import TASKS
from clinsynth.data.samples import SampleStore, default_data_dir
from clinsynth.data.store import DataStore
from clinsynth.results.store import Cell
from clinsynth.scoring.metrics import METRICS
from clinsynth.standings import profiles, runs, standings
from clinsynth.standings.profiles import Constant, Profiler, best_constant, constant_of, record, recorded


@pytest.mark.parametrize("metric", ["accuracy", "micro_f1", "macro_f1"])
def test_no_set_of_labels_is_better(metric: MetricName) -> None:
    rng = np.random.default_rng(4)
    hoc = TASKS["hoc"].spec
    labels = hoc.labels[:5]
    for _ in range(20):
        often = rng.random(5) ** 2
        gold = [
            Example(
                ("",),
                labels=tuple(label for label, share in zip(labels, often, strict=True) if rng.random() < share),
            )
            for _ in range(30)
        ]
        _, counts, score = best_constant(hoc, METRICS[metric], gold)
        every = [
            METRICS[metric].score(hoc, gold, [Prediction(said)] * len(gold))
            for size in range(6)
            for said in itertools.combinations(labels, size)
        ]
        assert score == pytest.approx(max(every))
        assert float(METRICS[metric].value(np.array(counts))) == pytest.approx(score)


def test_the_floor_of_one_label_and_of_spans() -> None:
    cdr = TASKS["cdr"].spec
    gold = [Example(("",), labels=(cdr.labels[k % 3 == 0],)) for k in range(30)]
    for metric in ("accuracy", cdr.metric):
        said, _, score = best_constant(cdr, METRICS[metric], gold)
        every = [METRICS[metric].score(cdr, gold, [Prediction((label,))] * 30) for label in cdr.labels]
        assert score == max(every)
        assert len(said.labels) == 1
    ner = TASKS["ncbi-disease"].spec
    found = best_constant(ner, METRICS[ner.metric], [Example(("word",), spans=(Span(0, 4, ner.labels[0]),))])
    assert found == (Prediction(), (0, 0, 1), 0.0)


def test_it_is_a_row_without_rank_or_seeds(tmp_path: Path) -> None:
    write_card(tmp_path / "one")
    for seed in range(5):
        write_run(tmp_path / "one", Cell("gad", RECIPE, 1_000, seed), 0.8, {})
    made = standings([tmp_path], RECIPE, 1_000, "real", Profiler(Toy(), 200, cache=tmp_path / "kept"))
    again = standings([tmp_path], RECIPE, 1_000, "real", Profiler(Toy(), 200, cache=tmp_path / "kept"))
    assert made == again, "from what was kept"
    row = next(each for each in made.rows if each.name == "constant")
    task = TASKS["gad"]
    said, _, score = best_constant(task.spec, METRICS[task.spec.metric], Toy().examples(task, "test"))
    assert (row.scores["gad"].mean, row.scores["gad"].spread, row.seeds) == (score, None, 0)
    assert made.summaries["gad"].constant == f"always {said.labels[0]}"
    assert [reason.code for reason in row.reasons] == ["reference"]
    assert not row.preliminary
    own = row.scores["gad"].statistics
    assert own
    assert own.interval
    assert own.interval.low < score < own.interval.high
    assert "constant" not in " ".join(made.remarks())
    assert "constant" not in [each.name for each in standings([tmp_path], RECIPE, 1_000, "real").rows]


def test_its_name_is_taken(tmp_path: Path) -> None:
    write_card(tmp_path / "constant")
    write_card(tmp_path / "one")
    write_run(tmp_path / "constant", Cell("gad", RECIPE, 1_000, 0), 0.99, {})
    write_run(tmp_path / "one", Cell("gad", RECIPE, 1_000, 0), 0.8, {})
    made = standings([tmp_path], RECIPE, 1_000, "real")
    assert [each.name for each in made.rows] == ["one"]
    assert [(each.submission, each.task) for each in made.left_out] == [("constant", "")]
    assert "call it otherwise" in made.left_out[0].text


def test_without_test_sets_it_comes_from_the_record(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_card(tmp_path / "one")
    for task in ("gad", "mqp", "hoc"):
        write_run(tmp_path / "one", Cell(task, RECIPE, 1_000, 0), 0.8, {})
    found = [constant_of(runs.TestSet(TASKS[task], Toy())) for task in ("gad", "mqp")]
    edited = found[1].model_copy(update={"score": 0.99})
    record([found[0], edited], tmp_path / "constants.json")
    monkeypatch.setattr(profiles, "RECORDS", tmp_path / "constants.json")
    recorded.cache_clear()
    try:
        made = standings([tmp_path], RECIPE, 1_000, "real")
    finally:
        recorded.cache_clear()
    row = next(each for each in made.rows if each.name == "constant")
    assert {task: score.mean for task, score in row.scores.items()} == {"gad": found[0].score}


def test_who_shows_more_has_recovered_more(tmp_path: Path) -> None:
    """On one task a higher score is a higher share of the gap, whatever seeds each of them has."""
    for name, level, seeds, kind in (
        ("gold-full", 0.95, 3, "reference"), ("aa", 0.8, 5, "submission"), ("bb", 0.805, 4, "submission"),
        ("cc", 0.79, 2, "submission"), ("dd", 0.81, 3, "submission"), ("ee", 0.6, 5, "submission"),
    ):  # fmt: skip
        write_card(tmp_path / name, kind=kind)
        for task in ("gad", "mqp", "ncbi-disease"):
            for seed in range(seeds):
                write_run(tmp_path / name, Cell(task, RECIPE, 1_000, seed), level, {})
    made = standings([tmp_path], RECIPE, 1_000, "real", Profiler(Toy(), 200, cache=tmp_path / "kept"))
    for task in made.tasks:
        scores = {row.name: row.scores[task] for row in made.rows}
        shown = sorted(
            (score.mean, score.statistics.gap.value)
            for score in scores.values()
            if score.statistics and score.statistics.gap.value is not None
        )
        assert len(shown) == len(scores)
        for (low, less), (high, more) in itertools.pairwise(shown):
            assert low == high or less < more
        for score in scores.values():
            own = score.statistics
            if own and own.leader:
                assert own.leader.value == pytest.approx(score.mean - scores[own.leader.other].mean)


def test_no_gap_where_the_ceiling_is_not_clearly_above_the_floor(tmp_path: Path) -> None:
    for name, kind in (("gold-full", "reference"), ("aa", "submission")):
        write_card(tmp_path / name, kind=kind)
        for task, level in (("mqp", 0.51), ("ncbi-disease", 0.9)):
            for seed in range(5):
                write_run(tmp_path / name, Cell(task, RECIPE, 1_000, seed), level, {})
    made = standings([tmp_path], RECIPE, 1_000, "real", Profiler(Toy(), 200, cache=tmp_path / "kept"))
    row = next(each for each in made.rows if each.name == "aa")
    own = row.scores["mqp"].statistics
    assert own
    assert own.gap.value is None
    assert "twice the standard error" in own.gap.reason
    assert row.statistics
    assert row.statistics.gap_tasks == ("ncbi-disease",)
    clear = row.scores["ncbi-disease"].statistics
    assert clear
    assert row.statistics.gap == clear.gap.value
    assert sum(row.statistics.variance_shares.values()) == pytest.approx(1)


STORED = [Constant.model_validate(each) for each in json.loads(profiles.RECORDS.read_text("utf-8"))]


def test_the_record_is_whole() -> None:
    assert len({each.task for each in STORED}) == len(STORED) > 0
    for each in STORED:
        assert each.seal == each.expected_seal(), each.task
        assert TASKS[each.task].spec.access == "open"
        assert set(each.labels) <= set(TASKS[each.task].spec.labels)


@pytest.mark.parametrize("stored", STORED, ids=lambda each: each.task)
def test_the_record_is_that_of_the_data(stored: Constant) -> None:
    """Where the test set is here; ``python -m studies.floors`` makes the record anew."""
    task, store = TASKS[stored.task], DataStore(default_data_dir())
    if not (store.root / task.spec.name / f"v{task.spec.version}" / "manifest.json").is_file():
        pytest.skip(f"{task.spec.name} is not prepared in {store.root}")
    assert constant_of(runs.TestSet(task, store)) == stored


def test_the_sample_has_floors_too() -> None:
    for task in TASKS.values():
        assert 0 <= constant_of(runs.TestSet(task, SampleStore())).score < 1
