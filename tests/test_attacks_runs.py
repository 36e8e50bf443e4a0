"""Ways to a rank that no run has earned, played: chosen seeds, copied runs, made-up predictions; each is caught."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
from collections.abc import Sequence
from pathlib import Path
from statistics import stdev
from typing import Any

import numpy as np
import pytest
from tests import conftest
from tests.conftest import StoreRun, Submit
from tests.invented import Toy, write_card, write_run

from clinsynth.cli import main
from clinsynth.core import TASKS, Prediction
from clinsynth.data.samples import SampleStore
from clinsynth.results import (
    SEEDS,
    Cell,
    Results,
    RunRecord,
    record_faults,
    reproduced_runs,
    reproduction_of,
    share_of_one_run,
    verify,
    write_reproduction,
)
from clinsynth.results.reproductions import ERRORS
from clinsynth.scoring import score_all
from clinsynth.standings import Profiler, collect, standings
from clinsynth.standings.collection import choose
from clinsynth.standings.eligibility import reasons, unfit
from clinsynth.training.recipe import Recipe
from clinsynth.training.run import Job, run

STORE = SampleStore()
RECIPE = "minilm-l6.v1"
GAD = TASKS["gad"]

# Runs that were not made.


def five(folder: Path, store_run: StoreRun, seeds: Sequence[int] = SEEDS, **changes: Any) -> list[RunRecord]:
    return [store_run(folder, Cell("gad", RECIPE, 40, seed), kind="real", **changes) for seed in seeds]


def codes(folder: Path, *, published: bool = False) -> dict[str, str]:
    """Why a row has no rank on gad."""
    (chosen,) = choose(collect([folder], "real", published=published), RECIPE, 40)
    return {reason.code: reason.text for reason in unfit(chosen, "gad", "real")}


def test_one_run_that_is_copied_to_five_seeds_is_seen(submit: Submit, store_run: StoreRun, tmp_path: Path) -> None:
    folder = submit({"gad": 40})
    first, *others = five(folder, store_run)
    assert "failed-verify" not in codes(folder)
    results = Results(folder, "real")
    for record in others:
        shutil.copy(results.predictions_path(first.cell), results.predictions_path(record.cell))
        results.write_record(first.model_copy(update={"seed": record.seed, "loss": 0.1 * record.seed}))
    assert "one run, stored more than once" in codes(folder)["failed-verify"]
    assert any("one run, stored" in str(each) for each in verify(folder, _Real()).findings)


def test_one_run_with_a_few_answers_changed_is_seen(tmp_path: Path) -> None:
    folder = tmp_path / "toy"
    write_card(folder)
    write_run(folder, Cell("gad", RECIPE, 300, 0), 0.7, {})
    results = Results(folder, "real")
    (first,) = results.records()
    said, _ = results.read_predictions(first)
    gold = Toy().examples(GAD, "test")
    for seed in SEEDS:
        own = list(said)
        own[seed] = Prediction((next(label for label in GAD.spec.labels if (label,) != own[seed].labels),))
        cell = first.cell._replace(seed=seed)
        digest = results.write_predictions(cell, own, spans=False)
        changes = {"seed": seed, "predictions_sha256": digest, "scores": score_all(GAD.spec, gold, own)}
        results.write_record(first.model_copy(update=changes))
    found = [str(each) for each in verify(folder, Toy()).findings]  # pyright: ignore[reportArgumentType]
    assert any("seeds 0, 1 have 99.5 % of the answers in common" in each for each in found)
    table = standings([folder], RECIPE, 300, "real", Profiler(Toy(), 0))  # pyright: ignore[reportArgumentType]
    row = next(each for each in table.rows if each.name == "toy")
    assert "one run, stored more than once" in {each.code: each.text for each in row.reasons}["failed-verify"]


@pytest.mark.parametrize(("share", "score"), [(0.2, 0.999), (0.0, 0.7), (0.03, 0.7)])
def test_students_that_agree_by_themselves_are_not_one_run(share: float, score: float) -> None:
    """Nearly always right, nearly always the same answer: both differ in one answer of two hundred."""
    one = np.zeros(2_000, np.int64)
    one[: int(share * 2_000)] = 1
    two = one.copy()
    two[-10:] = 1
    assert share_of_one_run(one, two, score) is None
    assert share_of_one_run(np.arange(2_000) % 2, (np.arange(2_000) % 2) ^ (np.arange(2_000) < 10), 0.7) == 0.995


class _Real(SampleStore):
    """The sample, as if it were real data."""

    kind: Any = "real"


def test_students_that_say_one_thing_are_not_taken_for_copies(submit: Submit, store_run: StoreRun) -> None:
    folder = submit({"gad": 40})
    gold = STORE.examples(GAD, "test")
    said = [Prediction((GAD.spec.labels[0],)) for _ in gold]
    results = Results(folder, "real")
    for record in five(folder, store_run):
        digest = results.write_predictions(record.cell, said, spans=False)
        scores = score_all(GAD.spec, gold, said)
        results.write_record(record.model_copy(update={"predictions_sha256": digest, "scores": scores}))
    assert "failed-verify" not in codes(folder)


def test_a_balanced_draw_is_not_ranked_as_the_headline_draw(submit: Submit, store_run: StoreRun) -> None:
    folder = submit({"gad": 40})
    headline, balanced = Results(folder, "real"), Results(folder, "real", "balanced")
    for record in five(folder, store_run):
        assert not list(record_faults(record, headline))
        assert any("random draw, in the place of balanced" in fault for fault in record_faults(record, balanced))
        balanced.write_record(record)
        drawn_alike = record.training.model_copy(update={"draw": "balanced"})
        moved = headline.write_record(record.model_copy(update={"training": drawn_alike}))
        assert not list(record_faults(moved, balanced))
    assert "balanced draw, in the place of random draws" in codes(folder)["failed-verify"]
    found = {str(each) for each in verify(folder, _Real()).findings}
    assert any("a balanced draw, in the place of random" in each for each in found)
    assert any("a random draw, in the place of balanced" in each and "/balanced/runs/" in each for each in found)
    (stored,) = collect([folder], "real").stored
    assert stored.balanced == (), "a headline run says nothing about the label mix"


def test_seeds_that_were_chosen_are_not_ranked(submit: Submit, store_run: StoreRun) -> None:
    folder = submit({"gad": 40})
    five(folder, store_run, range(1_000, 1_029))
    assert "the protocol's are 0 to 4" in codes(folder)["seeds"]
    five(folder, store_run)
    # Beside the protocol's own, others count for nothing.
    assert "seeds" not in codes(folder)
    (chosen,) = choose(collect([folder], "real"), RECIPE, 40)
    assert [record.seed for record in chosen.runs["gad"]] == list(SEEDS)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"task_version": 99}, "version 99 of the task"),
        ({"rows": 41}, "used 40 rows, not the 41"),
        ({"submission": "other"}, "the record is of other"),
    ],
)
def test_records_that_cannot_be(changes: dict[str, Any], said: str, submit: Submit, store_run: StoreRun) -> None:
    folder = submit({"gad": 40})
    record = store_run(folder, Cell("gad", RECIPE, 40, 0), kind="real").model_copy(update=changes).sealed()
    assert any(said in fault for fault in record_faults(record, Results(folder, "real")))


# Predictions that no student made.


def gold_answers(folder: Path, seeds: Sequence[int], recipe: str) -> None:
    """The gold answers, a few of them changed by each seed, handed in as predictions."""
    gold = STORE.examples(GAD, "test")
    results = Results(folder, "sample")
    for seed in seeds:
        record = results.done(Cell("gad", recipe, 24, seed))
        assert record
        said = [Prediction(example.labels) for example in gold]
        said[seed] = Prediction((next(label for label in GAD.spec.labels if label != gold[seed].labels[0]),))
        digest = results.write_predictions(record.cell, said, spans=False)
        scores = score_all(GAD.spec, gold, said)
        results.write_record(record.model_copy(update={"predictions_sha256": digest, "scores": scores}))


def test_gold_answers_are_not_reproduced(
    submit: Submit,
    tiny_recipe: Recipe,
    in_process: list[Cell],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    folder = submit({"gad": 40})
    for seed in (0, 1):
        run(Job(folder, Cell("gad", tiny_recipe.name, 24, seed), None, True, threads=1))
    words = ["reproduce", str(folder), "--sample", "--seeds", "0-1"]
    before = {path: path.read_bytes() for path in (folder / "sample").rglob("*") if path.is_file()}
    assert main(words) == 0
    assert "reproduced" in capsys.readouterr().out
    assert len(in_process) == 2
    # What was handed in stays as it is, and is not trained again a second time.
    assert all(path.read_bytes() == content for path, content in before.items())
    records = list(Results(folder, "sample").records())
    assert reproduced_runs(folder, "sample").state(records) == "reproduced"
    assert main(words) == 0
    assert len(in_process) == 2
    gold_answers(folder, (0, 1), tiny_recipe.name)
    assert main(["verify", str(folder), "--sample"]) == 0
    # The records speak of the runs that were there.
    records = list(Results(folder, "sample").records())
    assert reproduced_runs(folder, "sample").state(records) == "as handed in"
    assert main(words) == 1
    assert "NOT REPRODUCED" in capsys.readouterr().out
    assert reproduced_runs(folder, "sample").state(records) == "not reproduced"


def test_an_interrupted_reproduction_goes_on_from_the_last_run(
    submit: Submit,
    tiny_recipe: Recipe,
    in_process: list[Cell],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    folder = submit({"gad": 40})
    for seed in (0, 1, 2):
        run(Job(folder, Cell("gad", tiny_recipe.name, 24, seed), None, True, threads=1))
    words = ["reproduce", str(folder), "--sample", "--seeds", "0-2"]
    train = conftest.attempt

    def until_the_third(job: Job, where: str) -> Any:
        if job.cell.seed == 2:
            raise KeyboardInterrupt
        return train(job, where)

    with monkeypatch.context() as patched:
        patched.setattr(conftest, "attempt", until_the_third)
        assert main(words) == 130
    # Whether one run is as stored is judged by how far the seeds are apart: there is no record before all are done.
    assert not reproduced_runs(folder, "sample").by_run
    assert (tmp_path / "cache" / "clinsynth" / "reproducing").stat().st_mode & 0o777 == 0o700
    in_process.clear()
    (left,) = (tmp_path / "cache" / "clinsynth" / "reproducing").iterdir()
    held = os.open(left, os.O_RDONLY)
    fcntl.flock(held, fcntl.LOCK_EX)
    assert main(words) == 2
    assert "another call trains gad/" in capsys.readouterr().err
    os.close(held)
    assert main(words) == 0
    assert [cell.seed for cell in in_process] == [2]
    assert len(reproduced_runs(folder, "sample").by_run) == 3
    assert not list((tmp_path / "cache").rglob("*.json"))


def reproduce_by_hand(folder: Path, records: Sequence[RunRecord], shift: float) -> None:
    """Reproduction records as if training again had given scores that differ by ``shift``."""
    results = Results(folder, "real")
    for record in records:
        score = record.score - shift + 0.002 * record.seed
        again = record.model_copy(update={"scores": record.scores | {record.metric: score}})
        write_reproduction(
            folder, reproduction_of(results, record, again, record.test.examples, 0.9), "real"
        )  # fmt: skip


def test_only_what_was_reproduced_is_ranked_on_a_published_board(submit: Submit, store_run: StoreRun) -> None:
    folder = submit({"gad": 40})
    records = five(folder, store_run)
    assert "as-handed-in" not in codes(folder)
    assert "as-handed-in" in codes(folder, published=True)
    reproduce_by_hand(folder, records[:4], 0.0)
    assert "as-handed-in" in codes(folder, published=True)
    reproduce_by_hand(folder, records, 0.0)
    assert not {"as-handed-in", "not-reproduced"} & codes(folder, published=True).keys()
    # Each seed is within what one seed may differ by, but all of them in the same direction: chosen among many.
    reproduce_by_hand(folder, records, 0.08)
    assert "not-reproduced" in codes(folder)
    assert "not-reproduced" in codes(folder, published=True)


def test_a_little_on_every_task_is_seen_in_the_mean(submit: Submit, store_run: StoreRun) -> None:
    """Each task is within its tolerance; over four tasks together the lead of what was handed in is no chance."""
    tasks = ("gad", "mqp", "cdr", "mediqa-rqe")
    folder = submit(dict.fromkeys(tasks, 40))
    runs = {task: [store_run(folder, Cell(task, RECIPE, 40, seed), kind="real") for seed in SEEDS] for task in tasks}
    least = {task: ERRORS * stdev(record.score for record in runs[task]) * (2 / 5) ** 0.5 for task in tasks}
    for share, lifted in ((0.0, False), (0.8, True), (-0.8, False)):
        for task, records in runs.items():
            shift = share * least[task]
            reproduce_by_hand(folder, records, shift + 0.002 * 2)
        found = reproduced_runs(folder)
        assert [found.state(records) for records in runs.values()] == ["reproduced"] * len(tasks)
        assert found.lifted(runs) is lifted
        assert not found.lifted({"gad": runs["gad"]}), "one task is judged by itself"
        (chosen,) = choose(collect([folder], "real"), RECIPE, 40)
        said = {reason.code: reason.text for reason in reasons(chosen, tasks, {}, {}, {}, "real")}
        assert ("a lower mean of the types" in said.get("not-reproduced", "")) is lifted


@pytest.mark.parametrize(
    "changes",
    [{"reproduced": True}, {"equal": 10_000}, {"tolerance": {"equal": 0.0, "score": 0.0}}],
)
def test_a_reproduction_record_whose_verdict_does_not_follow_counts_for_nothing(
    changes: dict[str, Any], submit: Submit, store_run: StoreRun
) -> None:
    folder = submit({"gad": 40})
    records = five(folder, store_run)
    reproduce_by_hand(folder, records, 0.3)
    for path in (folder / "reproduced").rglob("*.json"):
        value = json.loads(path.read_text()) | changes
        record = type(next(iter(reproduced_runs(folder).by_run.values()))).model_validate(value)
        path.write_text(json.dumps(value | {"seal": record.expected_seal()}))
        break
    found = reproduced_runs(folder)
    assert len(found.faults) == (0 if "tolerance" in changes else 1)
    assert found.state(records) == "not reproduced"
