"""The command line: every example that ``--help`` shows works, and every mistake is told in one message."""

import csv
import dataclasses
import json
import shlex
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.conftest import Submit

from clinsynth.cli import COMMANDS, command, main
from clinsynth.core.registry import TASKS, TASKS_DIR_VARIABLE
from clinsynth.data.samples import DATA_VARIABLE, SampleStore
from clinsynth.training.encoding import tags_from_spans, word_spans
from clinsynth.training.recipe import DEFAULT_RECIPE, MINILM, RECIPES, Recipe

RAW = Path(__file__).parents[2] / "shared" / "data" / "raw"
EXAMPLES = [(name, example) for name in COMMANDS for example in command(name).examples]
HEAVY = {"torch", "transformers", "datasets", "evaluate", "pydantic", "numpy", "pandas", "sklearn", "rich", "ray"}
Register = Callable[..., Recipe]


def clinsynth(line: str) -> int:
    return main(shlex.split(line)[1:])


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder with all that the examples name."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv(DATA_VARIABLE, str(tmp_path / "prepared"))
    monkeypatch.setenv("CLINSYNTH_CACHE", str(tmp_path / "cache"))
    with Path("rows.csv").open("w", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(["sentence", "label"])
        writer.writerows([e.texts[0], e.labels[0]] for e in SampleStore().examples(TASKS["gad"], "train"))
    with Path("tagged.tsv").open("w") as stream:
        for example in SampleStore().examples(TASKS["ncbi-disease"], "train"):
            words = word_spans(example.texts[0])
            tags, _ = tags_from_spans(words, example.spans)
            stream.writelines(f"{example.texts[0][a:b]}\t{tag}\n" for (a, b), tag in zip(words, tags, strict=True))
            stream.write("\n")
    if RAW.is_dir():
        Path("raw").symlink_to(RAW)
    Path("submissions").mkdir()
    return tmp_path


@pytest.fixture
def quick(register: Register, in_process: list[object], monkeypatch: pytest.MonkeyPatch) -> None:
    """The tiny student goes by the default recipe's name, and runs are done in this process."""
    default = RECIPES[DEFAULT_RECIPE]
    small = register()
    named = dataclasses.replace(small, name=default.name, budget=default.budget)
    monkeypatch.setattr(RECIPES, "_items", {**RECIPES, default.name: named})


def demo() -> None:
    assert clinsynth("clinsynth generate template --tasks gad,hoc --rows 100 --sample --out submissions/demo") == 0


@pytest.mark.usefixtures("folder", "quick")
def test_every_example_works(capsys: pytest.CaptureFixture[str]) -> None:
    demo()
    assert clinsynth("clinsynth generate gold-n --tasks gad --sample --out submissions/real") == 0
    for name in ("demo", "real"):
        assert clinsynth(f"clinsynth score submissions/{name} --sample --tasks gad --seeds 0-2") == 0
    capsys.readouterr()
    for name, line in EXAMPLES:
        if name == "prepare" and (not RAW.is_dir() or line == command("prepare").examples[-1]):
            continue  # reading every real file takes a minute: see the next test
        if name == "leaderboard":
            continue  # serves until it is stopped: see test_leaderboard.py
        if name in ("direct", "suite", "tune-llm"):
            continue  # need a model: see test_direct.py, test_suites.py and test_tune_llm.py
        if "--format eval-results" in line:
            continue  # needs rows that a language model wrote: see test_export.py
        status = clinsynth(line)
        output, error = capsys.readouterr()
        assert status == 0, f"{line}\n{output}\n{error}"
        assert output.strip(), f"{line} prints nothing"
        if "--json" in line or "--format json" in line:
            json.loads(output)


@pytest.mark.slow
@pytest.mark.skipif(not RAW.is_dir(), reason=f"no real files in {RAW}")
@pytest.mark.usefixtures("folder")
def test_the_examples_of_prepare() -> None:
    for line in command("prepare").examples:
        assert clinsynth(line) == 0, line


@pytest.mark.slow
@pytest.mark.usefixtures("folder")
def test_the_examples_of_score_with_the_default_student(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CLINSYNTH_WEIGHTS", raising=False)
    assert RECIPES[DEFAULT_RECIPE].weights == MINILM
    demo()
    for name in ("score", "verify", "standings"):
        for line in command(name).examples:
            assert clinsynth(line) == 0, line


def test_the_examples_are_of_their_command() -> None:
    assert {name for name, _ in EXAMPLES} == set(COMMANDS)
    for name, line in EXAMPLES:
        assert line.startswith(f"clinsynth {name}")


@pytest.mark.parametrize("name", COMMANDS)
def test_help_shows_the_examples(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        main([name, "--help"])
    assert end.value.code == 0
    shown = capsys.readouterr().out
    assert all(example in shown for example in command(name).examples)
    assert COMMANDS[name] in shown


def test_help_imports_nothing_heavy() -> None:
    code = (
        "import sys\nfrom clinsynth.cli import main\n"
        "try:\n    main(['--help'])\nexcept SystemExit as end:\n    assert not end.code\n"
        "print('IMPORTED', *{name.partition('.')[0] for name in sys.modules})"
    )
    done = subprocess.run(  # noqa: S603 - our own code
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    help_text, _, imported = done.stdout.partition("IMPORTED")
    assert all(name in help_text for name in COMMANDS)
    assert not HEAVY & set(imported.split())


ROOMS_OF_OTHERS = (
    "generation",
    "llm",
    "training",
    "scoring",
    "results",
    "standings",
    "audit",
    "quality",
    "snapshot",
    "data.store",
)


def test_validate_loads_nothing_that_it_does_not_need(submit: Submit) -> None:
    code = (
        "import contextlib, io, sys; from clinsynth.cli import main\n"
        "with contextlib.redirect_stdout(io.StringIO()): main(['validate', sys.argv[1]])\n"
        "print(*sys.modules)"
    )
    done = subprocess.run(  # noqa: S603 - our own words
        [sys.executable, "-c", code, str(submit({"gad": 2, "ncbi-disease": 2}))],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    imported = set(done.stdout.split())
    assert "clinsynth.submissions.validation" in imported
    assert not (HEAVY - {"pydantic"}) & imported
    rooms = tuple(f"clinsynth.{name}" for name in ROOMS_OF_OTHERS)
    # What a request was is in the records of both tracks: a door and one small class.
    assert not [name for name in imported - {"clinsynth.llm", "clinsynth.llm.requests"} if name.startswith(rooms)]


def test_without_words_it_prints_its_help(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        main([])
    assert end.value.code == 0
    assert "usage: clinsynth" in capsys.readouterr().out


@pytest.mark.parametrize(("module", "extra"), [("gradio", "app"), ("openai.types", "llm"), ("peft", "tune")])
def test_a_missing_extra_is_one_line_with_the_command_that_brings_it(
    module: str, extra: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def absent(*_: object) -> int:
        raise ModuleNotFoundError(f"No module named {module!r}", name=module)

    monkeypatch.setattr(command("tasks"), "execute", absent)
    assert main(["tasks"]) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert f"pip install 'clinsynth[{extra}]'" in error

    def broken(*_: object) -> int:
        raise ModuleNotFoundError("No module named 'nothing_of_ours'", name="nothing_of_ours")

    monkeypatch.setattr(command("tasks"), "execute", broken)
    with pytest.raises(ModuleNotFoundError):
        main(["tasks"])


@pytest.mark.usefixtures("folder", "quick")
def test_a_table_fits_the_terminal(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    demo()
    assert clinsynth("clinsynth score submissions/demo --sample --tasks gad --seeds 0-1") == 0
    monkeypatch.setenv("COLUMNS", "60")
    capsys.readouterr()
    line = "clinsynth standings submissions --sample --view overall"
    assert clinsynth(line) == 0
    narrow = capsys.readouterr().out.splitlines()
    at = next(k for k, each in enumerate(narrow) if each.startswith("Ranks"))
    assert max(map(len, narrow[at + 1 : narrow.index("", at)])) <= 60
    (said,) = [each for each in narrow if each.startswith("No room here for: ")]
    assert said.endswith("(--wide).")
    assert clinsynth(f"{line} --wide") == 0
    wide = capsys.readouterr().out
    assert "Variance from" in wide
    assert "No room" not in wide


def test_the_module_and_the_script_are_the_same() -> None:
    done = subprocess.run([sys.executable, "-m", "clinsynth", "--version"], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("clinsynth ")


@pytest.mark.parametrize(
    ("line", "near"),
    [
        ("show gadd", "gad"),
        ("prepare gadd", "gad"),
        ("import rows.csv --format csv --task gadd --out submissions/mine", "gad"),
        ("validate submissions/demo --tasks gadd", "gad"),
        ("generate gold-ful --sample --out submissions/other", "gold-full"),
        ("generate gold-full --tasks gadd --sample --out submissions/other", "gad"),
        ("score submissions/demo --sample --tasks gadd", "gad"),
        ("score submissions/demo --sample --recipe minilm-l6.v9", "minilm-l6.v"),
        ("score submissions/demo --sample --executor locale", "local"),
        ("standings submissions --recipe minilm-l6", "minilm-l6.v"),
    ],
)
@pytest.mark.usefixtures("folder")
def test_an_unknown_name_gets_the_nearest(line: str, near: str, capsys: pytest.CaptureFixture[str]) -> None:
    demo()
    assert main(shlex.split(line)) == 2
    error = capsys.readouterr().err
    assert f"did you mean {near}" in error
    assert "Traceback" not in error


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("score submissions/none --sample", "no-folder"),
        ("score submissions/demo --sample --seeds 4-0", "--seeds '4-0'"),
        ("score submissions/demo --sample --rows few", "--rows 'few'"),
        ("score submissions/demo --sample --workers -1", "--workers -1"),
        ("verify submissions/demo --sample", "clinsynth score"),
        ("standings nowhere --sample", "no submission under nowhere"),
        ("generate gold-n --sample --out submissions/Demo", "'Demo' cannot name a submission"),
        ("generate gold-n --sample --rows 0 --out submissions/other", "0 rows"),
        ("generate gold-full --sample --out submissions/demo", "holds another submission"),
        ("new demo --in submissions", "exists"),
        ("import nothing.csv --format csv --task gad --out submissions/mine", "nothing.csv"),
        ("import rows.csv --format csv --task gad --out submissions/mine --column text", "--column 'text'"),
    ],
)
@pytest.mark.usefixtures("folder")
def test_a_mistake_is_told_without_a_traceback(line: str, said: str, capsys: pytest.CaptureFixture[str]) -> None:
    demo()
    capsys.readouterr()
    assert main(shlex.split(line)) == 2
    error = capsys.readouterr().err
    assert said in error
    assert "Traceback" not in error


def test_a_folder_of_tasks_that_is_not_there(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    with monkeypatch.context() as context:
        context.setenv(TASKS_DIR_VARIABLE, "")  # so that it is put back
        assert main(["tasks", "--tasks-dir", str(tmp_path / "nowhere")]) == 2
    TASKS.forget()
    assert "check --tasks-dir" in capsys.readouterr().err


@pytest.mark.parametrize("words", [["nonsense"], ["show"], ["generate", "gold-n", "--rows", "many"]])
def test_what_cannot_be_parsed_exits_with_2(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        main(words)
    assert end.value.code == 2
    assert "usage: clinsynth" in capsys.readouterr().err


@pytest.mark.usefixtures("folder", "quick")
def test_a_refused_submission_is_not_scored(capsys: pytest.CaptureFixture[str]) -> None:
    demo()
    Path("submissions/demo/data/mqp.jsonl").write_text('{"text_a": "a"}\n')
    assert clinsynth("clinsynth score submissions/demo --sample --seeds 0") == 1
    assert "missing-key" in capsys.readouterr().err
    assert not Path("submissions/demo/sample").exists()
    assert clinsynth("clinsynth score submissions/demo --sample --seeds 0 --tasks gad --dry-run") == 0
    assert capsys.readouterr().out.strip().startswith(f"gad/{DEFAULT_RECIPE}/n")


def test_ctrl_c(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def stop(_: object) -> int:
        raise KeyboardInterrupt

    monkeypatch.setattr(command("tasks"), "execute", stop)
    assert main(["tasks"]) == 130
    assert "stopped" in capsys.readouterr().err
