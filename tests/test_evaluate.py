"""``clinsynth evaluate``: from anybody's file to five lines and a page, on the sample with the tiny student."""

import csv
import dataclasses
import json
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from clinsynth.audit import gate
from clinsynth.audit.record import Nearness, RowMatch
from clinsynth.cli import main
from clinsynth.core.errors import UserError
from clinsynth.core.registry import TASKS
from clinsynth.data.samples import DATA_VARIABLE, SampleStore
from clinsynth.evaluation import verdict
from clinsynth.evaluation.evaluation import Request, evaluate
from clinsynth.evaluation.rows import folder_of, stage
from clinsynth.evaluation.verdict import Report, Rival
from clinsynth.quality import bands_of
from clinsynth.quality.record import Measured
from clinsynth.standings.comparison import Comparison
from clinsynth.standings.runs import Entry, headline_budget
from clinsynth.standings.verdicts import Judgement
from clinsynth.submissions import read_submission
from clinsynth.submissions.importing import ImportOptions
from clinsynth.training.recipe import DEFAULT_RECIPE, RECIPES, Recipe

Register = Callable[..., Recipe]
SPEC = TASKS["mqp"].spec


@pytest.fixture
def quick(register: Register, in_process: list[Any], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[Any]:
    """The tiny student goes by the default recipe's name; gives the runs that are done."""
    small = register()
    named = dataclasses.replace(small, name=DEFAULT_RECIPE)
    monkeypatch.setattr(RECIPES, "_items", {**RECIPES, DEFAULT_RECIPE: named})
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv(DATA_VARIABLE, str(tmp_path / "prepared"))
    return in_process


def pairs(split: Any = "train", times: int = 1) -> list[dict[str, str]]:
    return [
        {"text_a": f"{example.texts[0]} {k}".strip("0 "), "text_b": example.texts[1], "label": example.labels[0]}
        for k in range(times)
        for example in SampleStore().examples(TASKS["mqp"], split)
    ]


def write_csv(path: Path, rows: Sequence[dict[str, str]]) -> Path:
    """As a spreadsheet of another country writes it: a BOM, semicolons, names of its own."""
    with path.open("w", encoding="utf-8-sig", newline="") as stream:
        writer = csv.writer(stream, delimiter=";")
        writer.writerow(["q1", "q2", "label"])
        writer.writerows([row["text_a"], row["text_b"], row["label"]] for row in rows)
    return path


COLUMNS = ["--columns", "text_a=q1,text_b=q2"]


def test_from_a_file_to_a_verdict(quick: list[Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("gold-n", "gold-full", "template"):
        assert main(f"generate {name} --tasks mqp --rows 40 --sample --out submissions/{name}".split()) == 0
        assert main(f"score submissions/{name} --sample --seeds 0-1".split()) == 0
    write_csv(tmp_path / "My rows.csv", pairs(times=2))
    capsys.readouterr()
    line = ["evaluate", "My rows.csv", "--task", "mqp", "--sample", "--seeds", "0-1", *COLUMNS]
    assert main(line) == 0
    said = capsys.readouterr()
    assert "a first answer" in said.err
    assert "columns are separated by semicolons" in said.err
    answer = said.out.strip().splitlines()
    assert answer[0].startswith("SAMPLE")
    assert answer[1].startswith("On mqp, 40 of your rows give accuracy ")
    assert "template" in answer[2]
    assert "all real data (gold-full)" in answer[2]
    assert "real pairs" in answer[3] or "constant answer" in answer[3]
    assert answer[4].startswith("No row repeats a test item.")
    out = Path("build/evaluate/my-rows-mqp")
    page = (out / "evaluation" / "mqp.html").read_text("utf-8")
    assert not re.findall(r"(?:src|href)=\"(?!data:|#)", page)
    assert "<script" not in page
    assert "@import" not in page
    assert "your rows" in page
    # Nothing is done twice, and a program gets the same as JSON.
    done = len(quick)
    assert main([*line, "--json"]) == 0
    assert len(quick) == done
    value = json.loads(capsys.readouterr().out)
    assert value["lines"] == answer[:6]
    assert value["rows"] == 40
    assert {each["name"] for each in value["against"]} == {"gold-n", "gold-full", "template"}
    # What lies in the folder is what a submission may hold.
    assert main(["validate", str(out)]) == 1
    assert "stray-file" not in capsys.readouterr().out
    assert main([*line, "--against", "nobody"]) == 2
    assert "nothing known is called nobody" in capsys.readouterr().err


def test_rows_that_repeat_test_items_are_named(
    quick: list[Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    leaky = [*pairs(), *pairs("test")[:4]]
    write_csv(tmp_path / "rows.csv", leaky)
    assert main(["evaluate", "rows.csv", "--task", "mqp", "--sample", "--seeds", "0", *COLUMNS]) == 1
    said = capsys.readouterr().out
    first = len(leaky) - 3
    assert f"4 rows repeat test items (rows {first}, {first + 1}, {first + 2}, …): not ranked until" in said
    assert "mend the rows that leak" in said
    page = Path("build/evaluate/rows-mqp/evaluation/mqp.html").read_text("utf-8")
    assert "Rows that repeat test items" in page
    # Mended rows take the place of the old ones, and their runs are done again.
    done = len(quick)
    write_csv(tmp_path / "rows.csv", pairs())
    assert main(["evaluate", "rows.csv", "--task", "mqp", "--sample", "--seeds", "0", *COLUMNS]) == 0
    assert len(quick) == done + 1


def test_private_rows_are_not_quoted(quick: list[Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    leaky = [*pairs(), *pairs("test")[:4]]
    write_csv(tmp_path / "rows.csv", leaky)
    main(["evaluate", "rows.csv", "--task", "mqp", "--sample", "--seeds", "0", "--private", *COLUMNS])
    out = Path("build/evaluate/rows-mqp")
    shown = (out / "evaluation" / "mqp.html").read_text("utf-8") + "".join(capsys.readouterr())
    assert not any(row["text_b"] in shown for row in leaky)
    assert (out / "data" / ".gitignore").read_text() == "*\n"


def test_rows_come_in_any_form(quick: list[Any], tmp_path: Path) -> None:
    rows = pairs()
    frame = pd.DataFrame(rows)
    datasets: Any = pytest.importorskip("datasets")
    path = write_csv(tmp_path / "rows.csv", rows)
    options = ImportOptions(columns={"text_a": "q1", "text_b": "q2"})
    forms: dict[str, tuple[Any, ImportOptions]] = {
        "file": (path, options),
        "files": ([path], options),
        "mappings": (iter(rows), ImportOptions()),
        "frame": (frame, ImportOptions()),
        "dataset": (datasets.Dataset.from_list(rows), ImportOptions()),
    }
    found: dict[str, Any] = {}
    for name, (given, how) in forms.items():
        stage(given, SPEC, tmp_path / f"sub-{name}", how)
        found[name] = read_submission(tmp_path / f"sub-{name}").rows("mqp")
    assert all(each == found["file"] for each in found.values())
    stage([tmp_path / "sub-file", tmp_path / "sub-frame"], SPEC, tmp_path / "both")
    assert len(read_submission(tmp_path / "both").rows("mqp")) == 2 * len(rows)
    with pytest.raises(UserError, match="one mapping"):
        stage(rows[0], SPEC, tmp_path / "one")


def test_a_submission_is_evaluated_in_its_own_folder(quick: list[Any], submit: Callable[..., Path]) -> None:
    folder = submit({"mqp": 20})
    assert folder_of(folder, "mqp") == folder
    report = evaluate(Request(rows=folder, task="mqp", out=folder, seeds=(0,), sample=True))
    assert report.name == "toy"
    assert "No other rows are known" in str(report)
    _leaks_and_failures_are_told_apart(report)
    other = submit({"mqp": 20}, name="other")
    with pytest.raises(UserError, match="holds a submission"):
        stage(folder, SPEC, other)


def _leaks_and_failures_are_told_apart(report: Report) -> None:
    """One leak in 300 rows is let through; a file that is like the test split is not, whatever words say so."""

    def line(rows: int, near: float) -> str:
        matches = tuple(RowMatch(row=k, tests=(k,), method="13-gram", reason="leak") for k in range(1, rows + 1))
        nearness = Nearness(split="train", items=100, blocks=8, test=near, real=1 - near, usual=0.4, spread=0.03)
        leaks = report.audit.test.model_copy(update={"matches": matches})
        numbers = {"rows": 300, "test": leaks, "nearness": nearness, "draws": (), "train": None}
        audited = report.audit.model_copy(update=numbers)
        failures = tuple(each.text for each in gate.failures(audited, SPEC, 0))
        told = dataclasses.replace(report, audit=audited.model_copy(update={"failures": failures}))
        assert told.too_many_leaks == (rows > 3)
        return told.lines()[-2]

    nearer = "The audit failed: 95% of the rows are nearer to test text"
    assert line(1, 0.5) == "1 row repeats test items (row 1): few enough to be ranked."
    assert line(1, 0.95).startswith(f"1 row repeats test items (row 1): few enough by themselves. {nearer}")
    assert line(4, 0.5).endswith("(rows 1, 2, 3, …): not ranked until they are gone.")
    assert f"not ranked until they are gone. {nearer}" in line(4, 0.95)
    assert line(0, 0.95).startswith(f"No row repeats a test item. {nearer}")


def test_what_is_missing_is_said_with_its_command(
    quick: list[Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_csv(tmp_path / "rows.csv", pairs())
    assert main(["evaluate", "rows.csv", "--task", "mqp", "--offline", *COLUMNS]) == 2
    assert "clinsynth prepare mqp" in capsys.readouterr().err
    assert main(["evaluate", "org/rows", "--task", "mqp", "--offline", "--sample"]) == 2
    assert "there is nothing at org/rows" in capsys.readouterr().err


def _rival(name: str, verdict_of: Any, difference: float | None, *ends: float, reason: str = "") -> Rival:
    low, high = ends or (None, None)
    return Rival(
        name, Comparison("mqp", "mine", ("mqp",), difference=difference, low=low, high=high,
                         judgement=Judgement(verdict_of, reason)),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("rivals", "words"),
    [
        ([_rival("template", "better", 0.041, 0.020, 0.062)], "better than template by 4.1 (2.0 to 6.2)"),
        (
            [_rival("gold-n", "worse", -0.1, -0.12, -0.08)],
            "worse than as much real data (gold-n) by 10.0 (8.0 to 12.0)",
        ),
        ([_rival("aa", "tie", 0.01, -0.01, 0.03)], "a tie with aa (+1.0, -1.0 to +3.0)"),
        (
            [_rival("aa", "undecided", 0.01, reason="why"), _rival("bb", "undecided", 0.02, reason="why")],
            "undecided against aa (+1.0) and bb (+2.0), as why",
        ),
        ([_rival("aa", "not comparable", None, reason="aa has no run")], "not comparable with aa, as aa has no run"),
    ],
)
def test_verdicts_in_words(rivals: list[Rival], words: str) -> None:
    assert verdict.joined(rivals) == words


@pytest.mark.parametrize(
    ("worth", "words"),
    [
        ("140 (90 to 210)", "about 140 real pairs (90 to 210)"),
        ("> 300 (250 to > 300)", "more than 300 real pairs (250 to > 300)"),
        ("< 50 (< 50 to 80)", "fewer than 50 real pairs (< 50 to 80)"),
    ],
)
def test_worth_in_words(worth: str, words: str) -> None:
    assert verdict.worth_words(worth, "pairs") == words


def test_bands() -> None:
    def measured(**numbers: float) -> Measured:
        nothing = Measured.nothing()
        reasons = {name: why for name, why in nothing.reasons.items() if name not in numbers}
        return nothing.model_copy(update={"numbers": {**nothing.numbers, **numbers}, "reasons": reasons})

    real = measured(words_mean=40.0, vocabulary=1_000.0, near_duplicates=0.0, aps=0.1)
    own = measured(words_mean=10.0, vocabulary=950.0, near_duplicates=0.005, aps=0.16)
    found = {band.title: band for band in bands_of(own, real)}
    assert found["words per row"].level == "far"
    assert found["words per row"].advice == "ask for texts as long as real ones"
    assert found["number of different words"].level == "like real"
    assert found["rows that nearly repeat others"].level == "like real"
    assert found["variety of the rows"].level == "off"
    assert found["labels that look wrong"].level == "unknown"
    assert {band.level for band in bands_of(own, None)} == {"unknown"}


def test_the_headline_budget_is_one_that_records_have(
    submit: Callable[..., Path], store_run: Callable[..., Any]
) -> None:
    recipe = dataclasses.replace(RECIPES[DEFAULT_RECIPE], budget=1_000)

    def entry(name: str, *rows: int, reference: bool = False) -> Entry:
        runs = [store_run(folder, verdict_cell(budget)) for folder in [submit({"mqp": 40}, name)] for budget in rows]
        return Entry(name, reference, None, {"mqp": runs})  # type: ignore[arg-type]

    def verdict_cell(rows: int) -> Any:
        from clinsynth.results.store import Cell

        return Cell("mqp", recipe.name, rows, 0)

    aa, bb = entry("aa", 10, 30), entry("bb", 20, 30)
    real = entry("gold-n", 10, reference=True)
    assert headline_budget([], recipe) == 1_000
    assert headline_budget([aa, bb, real], recipe) == 30
    assert headline_budget([real], recipe) == 10
    assert headline_budget([aa, bb], dataclasses.replace(recipe, budget=20)) == 20
