"""What the documents say is so: commands parse, links lead somewhere, rows are good, tables are current."""

import ast
import json
import os
import re
import runpy
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from clinsynth import cli
from clinsynth.core.nouns import Task, TaskTypeName
from clinsynth.core.registry import TASKS
from clinsynth.data.samples import SampleStore
from clinsynth.data.store import DataStore
from clinsynth.generation import BASELINES, BASELINES_DIR_VARIABLE, Request, generate
from clinsynth.submissions import validate
from clinsynth.task_types import TASK_TYPES, task_type
from clinsynth.training import DEFAULT_RECIPE

ROOT = Path(__file__).parents[1]
DOCUMENTS = sorted([ROOT / "README.md", ROOT / "CHANGELOG.md", *(ROOT / "docs").rglob("*.md")])
EXAMPLE = ROOT / "docs" / "examples" / "private_task"
HARNESS = ROOT / "benchmark" / "clinsynth"
LEAVES = sorted([*(ROOT / "tasks").rglob("*.py"), *(ROOT / "baselines").rglob("*.py"), *EXAMPLE.glob("*.py")])


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def commands(text: str) -> Iterator[str]:
    """Every ``clinsynth ...`` of a document: lines of code blocks, and whole stretches of inline code."""
    blocks = re.findall(r"^```(?:sh)?\n(.*?)^```", text, re.DOTALL | re.MULTILINE)
    prose = re.sub(r"^```.*?^```", "", text, flags=re.DOTALL | re.MULTILINE)
    # An inline command may be broken over two lines.
    inline = [" ".join(code.split()) for code in re.findall(r"`([^`]+)`", prose)]
    for line in [*"".join(blocks).replace("\\\n", " ").splitlines(), *inline]:
        bare = re.sub(r"^(?:[A-Z_]+=\S+ +)+", "", line.strip())
        if bare.startswith("clinsynth "):
            yield bare


COMMANDS = [(name_of(path), line) for path in DOCUMENTS for line in commands(path.read_text("utf-8"))]


@pytest.mark.parametrize(("document", "line"), COMMANDS, ids=lambda value: str(value)[:80])
def test_commands_parse(document: str, line: str) -> None:
    try:
        cli.build_parser().parse_args(shlex.split(line, comments=True)[1:])
    except SystemExit as end:
        assert not end.code, f"{document}: {line}"


def test_there_are_commands_to_check() -> None:
    documents = {document for document, _ in COMMANDS}
    assert {"README.md", "docs/submitting.md", "docs/private-data.md"} <= documents


def anchors(path: Path) -> set[str]:
    """The anchors that GitHub gives the headings of a document."""
    headings = re.findall(r"^#+ (.+)$", path.read_text("utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("document", DOCUMENTS, ids=name_of)
def test_relative_links_lead_somewhere(document: Path) -> None:
    for link in re.findall(r"\]\(([^)\s]+)\)", document.read_text("utf-8")):
        if link.startswith(("https://", "http://")):
            continue
        place, _, anchor = link.partition("#")
        target = (document.parent / place).resolve() if place else document
        assert target.exists(), link
        assert target.is_relative_to(ROOT), link
        assert not anchor or anchor in anchors(target), link


def row_examples() -> Iterator[tuple[str, str, Any]]:
    text = (ROOT / "docs" / "submitting.md").read_text("utf-8")
    for kind, task, row in re.findall(r"^\*\*(\w+)\*\*, such as `([\w-]+)`[^\n]*\n\n```json\n(.+?)\n```", text, re.M):
        yield kind, task, json.loads(row)


@pytest.mark.parametrize(("kind", "task", "row"), list(row_examples()), ids=str)
def test_row_examples_are_good(kind: TaskTypeName, task: str, row: Any) -> None:
    spec = TASKS[task].spec
    assert spec.type == kind
    assert not list(task_type(spec).faults(row, spec))


def test_every_task_type_has_a_row_example() -> None:
    assert {kind for kind, _, _ in row_examples()} == TASK_TYPES.keys()


def test_tables_are_current() -> None:
    done = subprocess.run(  # noqa: S603 - fixed arguments
        [sys.executable, str(ROOT / "docs" / "tables.py"), "--check"],
        env={**os.environ, "PYTHONPATH": str(ROOT / "benchmark")},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_readme_is_short_and_leads_to_every_page() -> None:
    text = (ROOT / "README.md").read_text("utf-8")
    assert len(text.splitlines()) < 120
    assert not [path.name for path in (ROOT / "docs").glob("*.md") if f"(docs/{path.name}" not in text]


@pytest.fixture
def other_baselines(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder for baselines of one's own, forgotten afterwards."""
    import clinsynth.baselines as window

    found = list(window.__path__)
    monkeypatch.setenv(BASELINES_DIR_VARIABLE, "")
    (tmp_path / "own").mkdir()
    yield tmp_path / "own"
    monkeypatch.undo()
    window.__path__[:] = found
    sys.modules.pop("clinsynth.baselines.repeat_few", None)
    BASELINES.forget()


def test_the_baseline_of_the_document_works_from_any_folder(
    other_baselines: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = (ROOT / "docs" / "adding-a-baseline.md").read_text("utf-8")
    (other_baselines / "repeat_few.py").write_text(re.findall(r"^```python\n(.*?)^```", text, re.S | re.M)[0], "utf-8")
    line = ["generate", "repeat-few", "--baselines-dir", str(other_baselines), "--tasks", "gad", "--rows", "12"]
    assert cli.main([*line, "--sample", "--out", str(tmp_path / "repeat-few")]) == 0
    assert validate(tmp_path / "repeat-few").usable
    line[3] = str(tmp_path / "nothing")
    assert cli.main([*line, "--sample", "--out", str(tmp_path / "other")]) == 2
    assert "check --baselines-dir" in capsys.readouterr().err


def test_the_baseline_of_the_document_works(tmp_path: Path) -> None:
    text = (ROOT / "docs" / "adding-a-baseline.md").read_text("utf-8")
    blocks = re.findall(r"^```python\n(.*?)^```", text, re.DOTALL | re.MULTILINE)
    (tmp_path / "repeat_few.py").write_text(blocks[0], "utf-8")
    baseline = runpy.run_path(str(tmp_path / "repeat_few.py"))["BASELINE"]
    request = Request(tasks=[TASKS["gad"], TASKS["casi"]], rows=30, out=tmp_path / "repeat-few")
    assert generate(baseline, request, SampleStore()).rows == {"gad": 30, "casi": 30}
    assert validate(tmp_path / "repeat-few").usable


def imports(path: Path) -> Iterator[str]:
    """Every module that a file imports, anywhere in it; a relative import begins with dots."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = "." * node.level + (node.module or "")
            yield base
            # "from clinsynth import tasks" names a module as well.
            yield from (f"{base.rstrip('.')}.{alias.name}" for alias in node.names if not node.level)
        elif isinstance(node, ast.Call) and ast.unparse(node.func).endswith(("import_module", "__import__")):
            first = node.args[0] if node.args else None
            if isinstance(first, ast.Constant) and isinstance(first.value, str):
                yield first.value


def within(module: str, package: str) -> bool:
    return module == package or module.startswith(f"{package}.")


@pytest.mark.parametrize("leaf", LEAVES, ids=name_of)
def test_leaves_never_import_one_another(leaf: Path) -> None:
    rooms = {path.stem for folder in ("tasks", "baselines") for path in (ROOT / folder).glob("*")}
    for module in imports(leaf):
        assert not any(within(module, f"clinsynth.{name}") for name in ("tasks", "baselines")), module
        assert not any(within(module, name) for name in ("tasks", "baselines", "submissions", "tests")), module
        # A leaf that is a folder may import its own parts, one that is a file has none.
        assert not module.startswith(".."), module
        assert not module.startswith(".") or leaf.parent.name not in ("tasks", "baselines", EXAMPLE.name), module
        assert module.split(".")[0] not in rooms, module


@pytest.mark.parametrize("path", sorted(HARNESS.rglob("*.py")), ids=name_of)
def test_the_harness_never_imports_leaves(path: Path) -> None:
    leaves = {leaf.stem for leaf in LEAVES}
    for module in imports(path):
        assert not any(within(module, name) for name in ("tasks", "baselines", "submissions", "docs", "tests")), module
        first, *rest = module.split(".")
        assert not (first == "clinsynth" and rest[:1] in (["tasks"], ["baselines"]) and rest[1:]), module
        assert module.removeprefix(".").split(".")[0] not in leaves, module


@pytest.fixture
def ward_triage(monkeypatch: pytest.MonkeyPatch) -> Iterator[Task]:
    import clinsynth.tasks as window

    found = list(window.__path__)
    monkeypatch.setenv("CLINSYNTH_TASKS_DIR", str(EXAMPLE))
    TASKS.forget()
    yield TASKS["ward-triage"]
    monkeypatch.undo()
    window.__path__[:] = found
    sys.modules.pop("clinsynth.tasks.ward_triage", None)
    TASKS.forget()


def test_the_private_task_can_be_prepared_from_its_folder(ward_triage: Task, tmp_path: Path) -> None:
    store = DataStore(tmp_path)
    prepared = store.prepare(ward_triage, EXAMPLE)
    assert prepared.rows == {"train": 12, "test": 12}
    assert not prepared.missing
    assert prepared.folder.stat().st_mode & 0o077 == 0
    for split in ("train", "test"):
        labels = [label for example in store.examples(ward_triage, split) for label in example.labels]
        assert set(labels) == set(ward_triage.spec.labels)


@pytest.mark.skipif(shutil.which("make") is None, reason="make is not installed")
@pytest.mark.parametrize(
    ("status", "said"), [(0, "agrees with"), (1, "does NOT agree with"), (2, "there was no stored run")]
)
def test_make_reproduce_says_whether_a_row_agrees(status: int, said: str, tmp_path: Path) -> None:
    """With a command in place of clinsynth that writes down what it was asked and ends as it is told."""
    command = tmp_path / "clinsynth"
    command.write_text(
        f'#!/bin/sh\necho "$@" >> {tmp_path}/asked\ncase $1 in reproduce) exit {status};; esac\n', "utf-8"
    )
    command.chmod(0o755)
    words = ["make", "-o", "install", "reproduce", f"BIN={tmp_path}", "TASK=gad", "METHOD=template"]
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=False)  # noqa: S603 - our own words
    assert (done.returncode == 0) is (status == 0)
    assert f"template on gad: {said}" in done.stdout
    first, second = (tmp_path / "asked").read_text("utf-8").splitlines()
    assert first == "prepare gad"
    # The Makefile names the recipe that is the default.
    assert (
        second == f"reproduce submissions/template --tasks gad --rows 300 --seeds 0 --recipe {DEFAULT_RECIPE} --again"
    )
    argument_parser: Any = cli.build_parser()
    assert argument_parser.parse_args(second.split()).again


@pytest.mark.skipif(shutil.which("make") is None, reason="make is not installed")
def test_make_reproduce_without_a_row_installs_nothing() -> None:
    # A make above this one (`make test`) would have this one name the folders that it enters.
    command = ["make", "--no-print-directory", "reproduce"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)  # noqa: S603
    assert done.returncode
    assert done.stdout == ""
    assert "usage: make reproduce TASK=gad METHOD=template" in done.stderr
