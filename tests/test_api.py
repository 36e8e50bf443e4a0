"""``import clinsynth``: the Python API on the sample with the tiny student, and what it does not load."""

import dataclasses
import inspect
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import clinsynth as cs
from clinsynth.core.registry import TASKS
from clinsynth.data.samples import DATA_VARIABLE
from clinsynth.evaluation.page import report_body
from clinsynth.submissions import read_submission
from clinsynth.submissions.importing import ImportOptions, format_of, import_data, importer
from clinsynth.training.recipe import DEFAULT_RECIPE, RECIPES, Recipe

HEAVY = {"torch", "transformers", "datasets", "pydantic", "numpy", "pandas", "sklearn", "rich"}
FUNCTIONS = ("get_tasks", "load", "evaluate", "generate", "score", "compare", "get_standings")
Register = Callable[..., Recipe]


@pytest.fixture(autouse=True)
def place(register: Register, in_process: list[Any], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A working folder of one's own, and the tiny student by the default recipe's name."""
    named = dataclasses.replace(register(), name=DEFAULT_RECIPE)
    monkeypatch.setattr(RECIPES, "_items", {**RECIPES, DEFAULT_RECIPE: named})
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv(DATA_VARIABLE, str(tmp_path / "prepared"))


def test_importing_it_loads_nothing_heavy() -> None:
    code = "import sys, clinsynth, clinsynth.api\nprint(*{name.partition('.')[0] for name in sys.modules})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)  # noqa: S603 - ours
    assert not HEAVY & set(done.stdout.split())


def test_it_offers_what_it_documents() -> None:
    for name in FUNCTIONS:
        function = getattr(cs, name)
        signature = inspect.signature(function)
        assert inspect.getdoc(function)
        assert signature.return_annotation is not inspect.Signature.empty
        # Each option by name in the docstring.
        assert all(f"{each}:" in function.__doc__ for each in signature.parameters)
    assert set(FUNCTIONS) | {"Report", "UserError"} <= set(dir(cs))


def test_tasks_and_their_examples() -> None:
    tasks = cs.get_tasks()
    assert set(tasks.index) == set(TASKS)
    assert not tasks["prepared"].any()
    assert tasks.loc["mqp", "labels"] == TASKS["mqp"].spec.labels
    rows = cs.load("mqp", sample=True)
    assert set(rows.column_names) == {"text_a", "text_b", "label"}
    with pytest.raises(cs.UserError, match="no split"):
        cs.load("mqp", "all", sample=True)
    with pytest.raises(cs.UserError, match="clinsynth prepare mqp"):
        cs.load("mqp")


def test_from_rows_to_frames(tmp_path: Path) -> None:
    made = cs.generate("template", ["mqp"], 30, "submissions/template", sample=True)
    real = cs.generate("gold-n", ["mqp"], 30, "submissions/gold-n", sample=True)
    for folder in (made, real):
        runs = cs.score(folder, seeds=(0, 1), sample=True)
        assert list(runs["seed"]) == [0, 1]
        assert runs["score"].between(0, 1).all()
    standings = cs.get_standings(sample=True)
    assert set(standings["submission"]) == {"template", "gold-n", "constant"}
    assert {"low", "high", "gap", "worth", "overall", "group"} <= set(standings.columns)
    assert cs.get_standings("submissions", statistics=False, sample=True)["low"].isna().all()
    (difference, *_) = cs.compare(real, made, sample=True).to_dict("records")
    assert difference["scope"] == "mqp"
    assert difference["verdict"] in ("better", "worse", "tie", "undecided")
    report = cs.evaluate(cs.load("mqp", sample=True), "mqp", seeds=(0,), sample=True, quiet=True)
    assert isinstance(report, cs.Report)
    assert report.folder == tmp_path / "build" / "evaluate" / "rows-mqp"
    assert str(report).splitlines()[1].startswith("On mqp, ")
    shown = report_body(report)
    assert "<svg" in shown
    assert "<html" not in shown


def test_a_data_set_of_the_hub_by_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    datasets: Any = pytest.importorskip("datasets")
    monkeypatch.setenv("HF_DATASETS_CACHE", str(tmp_path / "cache"))
    (tmp_path / "local").mkdir()
    for split in ("train", "test"):
        rows: Any = cs.load("mqp", split, sample=True)
        rows.to_json(tmp_path / "local" / f"{split}.jsonl")

    def stand_in(name: str) -> Any:
        assert name == "org/name"
        return datasets.load_dataset(str(tmp_path / "local"), cache_dir=str(tmp_path / "cache"))

    monkeypatch.setattr(importer, "from_hub", stand_in)
    assert format_of(Path("org/name")) == "datasets"
    report = import_data(Path("org/name"), "datasets", TASKS["mqp"].spec, tmp_path / "mine", ImportOptions())
    assert "the split 'train' of" in str(report)
    assert len(read_submission(tmp_path / "mine").rows("mqp")) == len(cs.load("mqp", sample=True))
    evaluated = cs.evaluate("org/name", "mqp", seeds=(0,), sample=True, quiet=True)
    assert evaluated.name == "name-mqp"


def test_a_name_that_the_hub_does_not_have(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def absent(name: str) -> Any:
        raise FileNotFoundError(f"Dataset '{name}' doesn't exist on the Hub")

    monkeypatch.setattr(importer, "from_hub", absent)
    with pytest.raises(cs.UserError, match="org/name cannot be loaded"):
        import_data(Path("org/name"), "datasets", TASKS["mqp"].spec, tmp_path / "mine")
    with pytest.raises(cs.UserError, match="there is nothing at org/name"):
        import_data(Path("org/name.csv"), "csv", TASKS["mqp"].spec, tmp_path / "mine")


def test_the_reference_page_is_current() -> None:
    script = Path(__file__).parents[1] / "docs" / "reference.py"
    done = subprocess.run([sys.executable, str(script), "--check"], capture_output=True, text=True, check=False)  # noqa: S603
    assert done.returncode == 0, done.stdout + done.stderr
