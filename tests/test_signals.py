"""Rank correlations of quality numbers with scores, on invented records whose truth is known."""

from pathlib import Path

import pytest
from studies.signals import ALL, LEAST_SUBMISSIONS, Value, markdown, report, signals
from tests.invented import RECIPE, write_card, write_run

from clinsynth.core import UserError
from clinsynth.quality.record import METHOD, NUMBERS, Measured, QualityRecord, record_path, write_record
from clinsynth.results.store import Cell

TASKS_OF = ("gad", "cdr", "mqp", "healthver")


def measured(numbers: dict[str, float]) -> Measured:
    every: dict[str, float | None] = {**dict.fromkeys(NUMBERS), **numbers}
    reasons = {name: "not measured" for name, value in every.items() if value is None}
    return Measured(rows=300, draws=1, numbers=every, spread={}, reasons=reasons, labels={})


def quality_of(folder: Path, task: str, numbers: dict[str, float], fingerprint: str = "") -> None:
    write_record(
        folder,
        QualityRecord(
            method=METHOD, submission=folder.name, task=task, task_version=1, kind="real",
            data_fingerprint=fingerprint or f"rows of {folder.name}", reference_fingerprint="", reference_rows=0,
            embedder="", available=300, asked=300, data=measured(numbers), real=None, losses=None, suspects=[],
            packages={}, created="2026-01-01T00:00:00+00:00",
        ),
    )  # fmt: skip


def invented(tmp_path: Path, submissions: int, tasks: tuple[str, ...] = TASKS_OF) -> None:
    for k in range(submissions):
        folder = tmp_path / f"method-{k}"
        write_card(folder, generator=f"way {k}")
        for task in tasks:
            for seed in range(2):
                write_run(folder, Cell(task, RECIPE, 300, seed), 0.4 + 0.05 * k, {})
            quality_of(folder, task, {"distinct_2": 0.3 + 0.01 * k, "cmd": 2.0 - 0.1 * k, "vocabulary": 100.0})


def test_what_goes_with_the_score_is_found_and_its_direction_said(tmp_path: Path) -> None:
    invented(tmp_path, 6)
    made = report([tmp_path], RECIPE, 300)
    found = {each.number: each for each in made.signals if each.scope == ALL}
    assert found["distinct_2"].conclusion == "higher"
    assert found["cmd"].conclusion == "lower"
    assert found["distinct_2"].spearman == pytest.approx(1)
    assert found["cmd"].kendall == pytest.approx(-1)
    assert found["distinct_2"].submissions == 6
    assert found["distinct_2"].tasks.keys() == set(TASKS_OF)
    # What is the same for all says nothing.
    assert "vocabulary" not in found
    page = markdown(made)
    assert "**All tasks**" in page
    assert "+1.00 (+1.00 to +1.00)" in page


def test_a_submission_can_be_left_out(tmp_path: Path) -> None:
    invented(tmp_path, 6)
    assert "method-5" not in report([tmp_path], RECIPE, 300, without=["method-5"]).submissions
    with pytest.raises(UserError, match="no submission augment"):
        report([tmp_path], RECIPE, 300, without=["augment"])


def test_of_two_runs_of_one_generator_that_with_more_tasks_counts(tmp_path: Path) -> None:
    invented(tmp_path, 6)
    again = tmp_path / "a-second-run"
    write_card(again, generator="way 2")
    for seed in range(2):
        write_run(again, Cell("gad", RECIPE, 300, seed), 0.9, {})
    quality_of(again, "gad", {"distinct_2": 0.9})
    made = report([tmp_path], RECIPE, 300)
    assert made.submissions == tuple(f"method-{k}" for k in range(6))
    assert "a-second-run: another run of the generator of method-2" in made.left_out


def test_a_type_with_one_task_has_no_conclusion(tmp_path: Path) -> None:
    invented(tmp_path, 5)
    made = report([tmp_path], RECIPE, 300)
    one = next(each for each in made.signals if each.scope == "sentence_similarity")
    assert one.spearman_interval is None
    assert one.conclusion == "none: 1 of 3 tasks"


def test_fewer_than_four_submissions_say_nothing(tmp_path: Path) -> None:
    invented(tmp_path, LEAST_SUBMISSIONS - 1)
    made = report([tmp_path], RECIPE, 300)
    assert not made.signals
    assert any("mqp: no conclusion from fewer than 4 submissions, here 3" in each for each in made.left_out)
    assert "No conclusion" in markdown(made)


def test_numbers_of_other_rows_are_left_out(tmp_path: Path) -> None:
    invented(tmp_path, 5)
    quality_of(tmp_path / "method-4", "mqp", {"distinct_2": 0.9}, fingerprint="older rows")
    record_path(tmp_path / "method-3", "real", "mqp").unlink()
    made = report([tmp_path], RECIPE, 300)
    assert "method-4 on mqp: the quality record is of other rows than the runs" in made.left_out
    assert "method-3 on mqp: no quality record" in made.left_out
    assert "mqp: no conclusion from fewer than 4 submissions, here 3" in made.left_out
    assert "mqp" not in next(each for each in made.signals if each.number == "cmd").tasks


def test_chance_is_not_concluded_from() -> None:
    """Numbers without any relation to the score: hardly ever anything is said."""
    import numpy as np

    said = 0
    for seed in range(10):
        rng = np.random.default_rng(seed)
        found = [
            Value(task, f"s{k}", number, float(rng.standard_normal()), score)
            for task in TASKS_OF
            for k in range(6)
            for score in [float(rng.standard_normal())]
            for number in list(NUMBERS)[:12]
        ]
        said += sum(each.conclusion in ("higher", "lower") for each in signals(found, seed)[0])
    assert said <= 2


def test_what_belongs_to_a_generator_on_every_task_is_one_observation() -> None:
    """Six generators have one score and one number each, unrelated; seven tasks that repeat them say no more."""
    import numpy as np

    tasks = [*TASKS_OF, "hoc", "mediqa-rqe", "chemprot"]
    said = 0
    for seed in range(40):
        rng = np.random.default_rng(seed)
        scores, numbers = rng.standard_normal((2, 6))
        found = [
            Value(task, f"s{k}", "distinct_2", float(numbers[k] + 0.1 * a), float(scores[k] + 0.1 * b))
            for task in tasks
            for k, (a, b) in enumerate(zip(*rng.standard_normal((2, 6)), strict=True))
        ]
        said += any(each.p < 0.05 for each in signals(found, seed)[0] if each.scope == ALL)
    # 2 of 40 are expected. With a permutation for each task it was 18.
    assert said <= 6
