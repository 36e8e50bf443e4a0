"""The counts of a student's errors, on examples whose answers are known."""

from pathlib import Path

import pytest
from studies.errors import main, table, wrong

from clinsynth.core import TASKS, Example, Prediction, Span


def test_one_label_each_gives_a_confusion_table() -> None:
    spec = TASKS["mqp"].spec
    same, other = spec.labels
    gold = [Example(("a", "b"), labels=(label,)) for label in (same, same, other)]
    said = [Prediction((same,)), Prediction((other,)), Prediction(())]
    assert wrong(gold, said) == [1, 2]
    assert table(spec, gold, said)[2:] == [
        f"| {same} | 1 | 1 | 0 |", f"| {other} | 0 | 0 | 1 |", "| *all* | 1 | 1 | 1 |",
    ]  # fmt: skip


def test_several_labels_are_counted_one_by_one() -> None:
    spec = TASKS["hoc"].spec
    first, second = spec.labels[:2]
    gold = [Example(("a",), labels=(first, second)), Example(("b",), labels=(first,))]
    said = [Prediction((first,)), Prediction(())]
    rows = table(spec, gold, said)
    assert rows[2] == f"| {first} | 2 | 1 | 1 |"
    assert rows[3] == f"| {second} | 1 | 0 | 0 |"
    assert rows[-1] == "| *no label* | 0 | 1 | 0 |"
    assert wrong(gold, said) == [0, 1]


def test_spans_are_right_overlapping_or_in_a_text_without_any() -> None:
    spec = TASKS["ncbi-disease"].spec
    (label,) = spec.labels
    gold = [Example(("x" * 30,), spans=(Span(0, 5, label), Span(10, 20, label))), Example(("x" * 30,))]
    said = [Prediction(spans=(Span(0, 5, label), Span(12, 20, label))), Prediction(spans=(Span(1, 2, label),))]
    assert table(spec, gold, said)[2] == f"| {label} | 2 | 3 | 1 | 1 | 1 |"
    assert wrong(gold, said) == [0, 1]


def test_a_folder_without_runs_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(tmp_path), "--tasks", "hoc", "--recipe", "minilm-l6.v2"]) == 2
    assert "none of hoc" in capsys.readouterr().err
