"""Tasks of one's own: a module that works from the start, and faulty ones that stop nobody else."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from clinsynth.cli import main
from clinsynth.core.errors import UnknownNameError, UserError
from clinsynth.core.nouns import TaskSpec, TaskTypeName
from clinsynth.core.registry import TASKS, TASKS_DIR_VARIABLE
from clinsynth.data import SampleStore, new_task
from clinsynth.data.store import DataStore
from clinsynth.task_types import TASK_TYPES

Look = Callable[[Path], None]


@pytest.fixture
def look(monkeypatch: pytest.MonkeyPatch) -> Iterator[Look]:
    """``look(folder)``: have its tasks registered until the test ends."""
    import clinsynth.tasks as window

    found, modules = list(window.__path__), set(sys.modules)
    looked: list[Path] = []

    def at(folder: Path) -> None:
        looked.append(folder)
        monkeypatch.setenv(TASKS_DIR_VARIABLE, str(folder))
        TASKS.forget()

    yield at
    monkeypatch.undo()
    window.__path__[:] = found
    for name in set(sys.modules) - modules:
        if name.startswith("clinsynth.tasks."):
            del sys.modules[name]
            delattr(window, name.rpartition(".")[2])
    TASKS.forget()


@pytest.mark.parametrize("kind", sorted(TASK_TYPES))
@pytest.mark.parametrize("labels", [(), ("very urgent", "Can wait", "x-1")])
def test_a_new_task_works_as_it_stands(kind: TaskTypeName, labels: tuple[str, ...], tmp_path: Path, look: Look) -> None:
    folder = tmp_path / "tasks"
    name = f"own-{len(labels)}-{kind.replace('_', '-')}"
    written = new_task(name, kind, folder, labels)
    assert [path.is_file() for path in written] == [True] * 3
    look(folder)
    task = TASKS[name]
    assert task.spec.type == kind
    assert not labels or task.spec.labels == labels
    for split, most in (("train", 24), ("test", 40)):
        examples = SampleStore().examples(task, split)  # type: ignore[arg-type]
        assert len(examples) == most
        assert {x for e in examples for x in (*e.labels, *(s.label for s in e.spans))} == set(task.spec.labels)
    store = DataStore(tmp_path / "data")
    prepared = store.prepare(task, folder / "samples")
    assert (prepared.rows, prepared.unused) == ({"train": 24, "test": 40}, {})
    assert store.examples(task, "test") == SampleStore().examples(task, "test") or task.spec.unit != "example"


def test_a_new_task_overwrites_nothing_and_takes_no_name_that_is_taken(tmp_path: Path) -> None:
    new_task("mine", "text_classification", tmp_path)
    for name, message in (("mine", "exists"), ("gad", "there is a task"), ("Mine", "cannot name"), ("../x", "cannot")):
        with pytest.raises(UserError, match=message):
            new_task(name, "text_classification", tmp_path)
    for labels in (("one",), ("a", "a"), ("a", " ")):
        with pytest.raises(UserError, match="labels"):
            new_task("other", "text_classification", tmp_path, labels)


def test_the_command_says_what_comes_next(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["new-task", "mine", "--type", "fact_verification", "--labels", "yes,no", "--out", str(tmp_path)]
    assert main(words) == 0
    said = capsys.readouterr().out
    assert "clinsynth prepare mine --tasks-dir" in said
    assert (tmp_path / "mine.py").is_file()


GOOD = """
from clinsynth.core import Example, Source, TaskSpec
TASK = TaskSpec(
    name="NAME", title="T", type="text_classification", description="D.", labels=("a", "b"),
    label_descriptions={"a": "a", "b": "b"}, metric="macro_f1", sources=(Source("f.txt", ("test",)),), access="open",
)
def read(split, files):
    yield Example((files.open("f.txt").read(),), labels=("a",))
"""
FAULTY: dict[str, tuple[str, str]] = {
    "name": ("x = 1\n\ny = unknown\n", "line 3: NameError"),
    "syntax": ("def f(:\n", "line 1: SyntaxError"),
    "missing_field": ("from clinsynth.core import TaskSpec\nTASK = TaskSpec(name='x')\n", "line 2: TypeError"),
    "leaves": ("import sys\nsys.exit(3)\n", "line 2: SystemExit"),
    "imports": ("import no_such_module\n", "line 1: ModuleNotFoundError"),
    "nothing": ("x = 1\n", "no TASK"),
    "no_reader": (GOOD.partition("def read")[0], "no function read"),
    "two_labels_alike": (GOOD.replace('("a", "b")', '("a", "a")'), "twice"),
    "undescribed": (GOOD.replace('"b": "b"', '"c": "b"'), "describe every label"),
    "wrong_metric": (GOOD.replace("macro_f1", "entity_f1"), "span tasks"),
    "no_negative": (GOOD.replace("macro_f1", "f1"), "negative_label"),
    "gad": (GOOD, "give it another one"),
    "taken": (GOOD.replace("NAME", "gad"), "'gad', which there is already"),
}


@pytest.mark.parametrize("case", FAULTY)
def test_one_faulty_module_is_named_with_its_line_and_the_others_go_on(
    case: str, tmp_path: Path, look: Look, capsys: pytest.CaptureFixture[str]
) -> None:
    content, message = FAULTY[case]
    name = "gad.py" if case == "gad" else f"faulty_{case}.py"
    (tmp_path / name).write_text(content)
    (tmp_path / f"good_{case}.py").write_text(GOOD.replace("NAME", f"good-{case}"))
    (tmp_path / "_helper.py").write_text("raise ValueError")
    look(tmp_path)
    assert f"good-{case}" in TASKS
    assert len(TASKS) >= 17
    said = capsys.readouterr().err
    assert said.count("a task was left out") == 1
    assert name in said
    assert message in said
    with pytest.raises(UnknownNameError):
        _ = TASKS["x"]


def test_what_a_private_task_need_not_say(tmp_path: Path, look: Look, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "bare_task.py").write_text(GOOD.replace("NAME", "bare-task"))
    look(tmp_path)
    spec: TaskSpec = TASKS["bare-task"].spec
    assert (spec.unit, dict(spec.rows), spec.licence) == ("example", {}, "not stated")
    assert (spec.homepage, spec.citation) == ("", "")
    assert main(["show", "bare-task", "--data-dir", str(tmp_path / "data")]) == 0
    assert "next: clinsynth prepare bare-task" in capsys.readouterr().out
    assert main(["prepare", "bare-task", "--from", str(tmp_path), "--data-dir", str(tmp_path / "data")]) == 2


def test_a_folder_given_twice_or_the_projects_own_is_no_fault(
    look: Look, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    (tmp_path / "twice_given.py").write_text(GOOD.replace("NAME", "twice-given"))
    look(Path(f"{tmp_path}:{tmp_path}:{Path(__file__).parents[1] / 'tasks'}"))
    assert "twice-given" in TASKS
    assert capsys.readouterr().err == ""
