"""Scoring: what is missing is done, what is done stays, and a process that dies loses at most the run it was at."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from clinsynth.cli import main
from clinsynth.core.errors import UnknownNameError, UserError
from clinsynth.core.registry import TASKS
from clinsynth.data.samples import SampleStore
from clinsynth.results.store import Cell, Results, RunRecord, read_record
from clinsynth.results.verification import verify
from clinsynth.submissions import read_submission, write_submission
from clinsynth.task_types import task_type
from clinsynth.training.recipe import Recipe
from clinsynth.training.scoring import Plan, Request, budgets_of, describe, plan, score, seeds_of

Submit = Callable[..., Path]
Register = Callable[..., Recipe]
Clinsynth = Callable[..., "subprocess.Popen[str]"]
SAMPLE = SampleStore()
GRACE = 5
"""Seconds in which the workers of a killed process must be gone."""


def ask(folder: Path, **more: object) -> Request:
    return Request(**({"submission": folder, "recipe": "tiny.v1", "seeds": (0, 1), "sample": True} | more))  # pyright: ignore[reportArgumentType]


def counts(planned: Plan) -> tuple[int, int, int]:
    return len(planned.missing), len(planned.done), len(planned.stale)


@pytest.mark.usefixtures("tiny_recipe")
def test_a_second_call_does_no_work(submit: Submit, in_process: list[Cell]) -> None:
    folder = submit({"gad": 40, "mqp": 40})
    request = ask(folder)
    assert counts(plan(request)) == (4, 0, 0)
    first = score(request)
    assert [record.cell for record in first.records] == [
        Cell(task, "tiny.v1", 40, seed) for task in ("gad", "mqp") for seed in (0, 1)
    ]
    assert first.failed == []
    assert len(in_process) == 4
    assert counts(plan(request)) == (0, 4, 0)
    again = score(request)
    assert again.records == first.records
    assert len(in_process) == 4
    more = score(ask(folder, seeds=(0, 1, 2), tasks=("gad",)))
    assert len(more.records) == 3
    assert in_process[4:] == [Cell("gad", "tiny.v1", 40, 2)]


@pytest.mark.usefixtures("in_process")
def test_a_run_of_other_data_or_settings_is_stale(submit: Submit, register: Register) -> None:
    register()
    folder = submit({"gad": 40})
    score(ask(folder))
    old = read_submission(folder)
    kind = task_type(TASKS["gad"].spec)
    rows = [kind.encode(example) for example in old.rows("gad")]
    # Another way to write the same rows is the same data.
    write_submission(folder, old.card, {"gad": [dict(reversed(row.items())) for row in rows]})
    assert counts(plan(ask(folder))) == (0, 2, 0)
    write_submission(folder, old.card, {"gad": [*rows[1:], rows[0]]})
    assert counts(plan(ask(folder))) == (0, 0, 2)
    assert "2 runs were made of other data" in "\n".join(describe(plan(ask(folder)), SAMPLE))
    write_submission(folder, old.card, {"gad": rows})
    assert counts(plan(ask(folder))) == (0, 2, 0)
    register(learning_rate=1e-4)
    assert counts(plan(ask(folder))) == (0, 0, 2)
    renewed = score(ask(folder))
    assert counts(plan(ask(folder))) == (0, 2, 0)
    assert len(list(Results(folder, "sample").records())) == len(renewed.records) == 2


@pytest.mark.usefixtures("tiny_recipe", "in_process")
def test_a_record_without_predictions_is_not_done(submit: Submit) -> None:
    folder = submit({"gad": 40})
    (first, _) = score(ask(folder)).records
    Results(folder, "sample").predictions_path(first.cell).unlink()
    assert plan(ask(folder)).missing == [first.cell]


@pytest.mark.usefixtures("tiny_recipe")
def test_budgets(submit: Submit) -> None:
    folder = submit({"gad": 150, "mqp": 30})

    def rows(**more: object) -> dict[str, list[int]]:
        planned = plan(ask(folder, seeds=(0,), **more))
        return {task: [cell.rows for cell in planned.missing if cell.task == task] for task in ("gad", "mqp")}

    assert rows() == {"gad": [40], "mqp": [30]}
    assert rows(budgets=budgets_of("20,100,300")) == {"gad": [20, 100, 150], "mqp": [20, 30]}
    assert rows(budgets=budgets_of("all")) == {"gad": [150], "mqp": [30]}
    assert rows(budgets=budgets_of("150,all")) == {"gad": [150], "mqp": [30]}


@pytest.mark.usefixtures("tiny_recipe")
def test_a_short_submission_is_said_to_be_short(submit: Submit) -> None:
    planned = plan(ask(submit({"gad": 150, "mqp": 30})))
    assert planned.short == {"mqp": 30}
    assert "mqp: only 30 rows, all of them are used" in describe(planned, SAMPLE)
    whole = plan(ask(submit({"mqp": 30}, name="whole"), budgets=(0,)))
    assert (whole.short, whole.same) == ({}, [])


@pytest.mark.usefixtures("tiny_recipe")
def test_rows_that_every_seed_draws_are_named(submit: Submit) -> None:
    folder = submit({"gad": 40, "mqp": 30})
    planned = plan(ask(folder, budgets=(30,), seeds=(0, 1)))
    assert planned.same == ["mqp"]
    assert any(line.startswith("mqp: just as many rows as are drawn") for line in describe(planned, SAMPLE))
    assert plan(ask(folder, budgets=(30,), seeds=(0,))).same == []


@pytest.mark.usefixtures("tiny_recipe")
def test_tasks_that_are_not_prepared(submit: Submit, tmp_path: Path) -> None:
    folder = submit({"gad": 40, "mqp": 40})
    planned = plan(ask(folder, sample=False, data_dir=tmp_path / "data"))
    assert counts(planned) == (0, 0, 0)
    assert planned.skipped.keys() == {"gad", "mqp"}
    assert all("not prepared" in reason for reason in planned.skipped.values())
    with pytest.raises(UserError, match="gad is not prepared"):
        plan(ask(folder, sample=False, data_dir=tmp_path / "data", tasks=("gad",)))
    with pytest.raises(UserError, match=r"no data for hoc(.|\n)*data/hoc\.jsonl\.gz"):
        plan(ask(folder, tasks=("hoc",)))


@pytest.mark.parametrize("command", ["plan", "score"])
def test_nothing_of_what_was_asked_for_can_be_done(
    command: str, submit: Submit, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([command, str(submit({"gad": 40, "mqp": 40})), "--data-dir", str(tmp_path / "data")]) == 2
    out, said = capsys.readouterr()
    assert not out
    assert "no test set of these tasks is here" in said
    assert "clinsynth prepare gad mqp" in said


@pytest.mark.usefixtures("tiny_recipe")
def test_unknown_names(submit: Submit) -> None:
    folder = submit({"gad": 40})
    for more in ({"tasks": ("gadd",)}, {"recipe": "tiny"}):
        with pytest.raises(UnknownNameError, match="did you mean"):
            plan(ask(folder, **more))
    with pytest.raises(UnknownNameError, match="unknown executor"):
        score(ask(folder, executor="locale"))
    with pytest.raises(UserError, match="--workers -1"):
        score(ask(folder, workers=-1))


@pytest.mark.parametrize(
    ("text", "seeds"),
    [("0-4", (0, 1, 2, 3, 4)), ("3-3", (3,)), ("0", (0,)), ("0,2,5", (0, 2, 5)), ("0-2,1-3", (0, 1, 2, 3))],
)
def test_seeds(text: str, seeds: tuple[int, ...]) -> None:
    assert seeds_of(text) == seeds


@pytest.mark.parametrize("text", ["", "a", "-1", "1-", "4-0", "0;1", "1.5", "0,,1", "²", "0--3"])
def test_bad_seeds(text: str) -> None:
    with pytest.raises(UserError, match=r"--seeds(.|\n)*expected: numbers from 0"):
        seeds_of(text)


@pytest.mark.parametrize(("text", "several"), [("1", "0 for one seed"), ("5", "0-4 for 5 seeds")])
def test_a_number_of_seeds_is_not_taken_for_a_seed(text: str, several: str) -> None:
    with pytest.raises(UserError, match=rf"may mean two things(.|\n)*{several}, or {text}-{text}"):
        seeds_of(text)


@pytest.mark.parametrize("text", ["", "many", "-5", "100,", "1e3", "all,-1"])
def test_bad_budgets(text: str) -> None:
    with pytest.raises(UserError, match=r"--rows(.|\n)*expected: numbers and commas"):
        budgets_of(text)


def written(folder: Path) -> dict[Path, RunRecord]:
    return {path: read_record(path) for path in sorted((folder / "sample" / "runs").rglob("seed*.json"))}


def children(parent: int) -> list[int]:
    found: list[int] = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[1]) == parent and fields[0] != "Z":
            found.append(int(stat.parent.name))
    return found


def alive(process: int) -> bool:
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def wait_for(done: Callable[[], object], seconds: float, what: str) -> None:
    until = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < until, what
        time.sleep(0.05)


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="looks at processes through /proc")
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT])
def test_a_killed_process_loses_only_the_run_it_was_at(
    how: signal.Signals, submit: Submit, clinsynth: Clinsynth
) -> None:
    folder = submit({"gad": 40})
    words = ("score", folder, "--sample", "--recipe", "tiny.v1", "--seeds", "0-5", "--workers", "2")
    process = clinsynth(*words, steps=300)
    wait_for(lambda: written(folder) or process.poll() is not None, 120, "no record was written")
    assert process.poll() is None, process.communicate()
    workers = children(process.pid)
    assert len(workers) >= 2
    # The process alone, as the kernel does for want of memory; or the whole group, as a terminal does.
    (os.kill if how == signal.SIGKILL else os.killpg)(process.pid, how)
    _, error = process.communicate()
    assert process.returncode == (-signal.SIGKILL if how == signal.SIGKILL else 130)
    if how == signal.SIGINT:
        assert "clinsynth: stopped" in error
    wait_for(lambda: not any(map(alive, workers)), GRACE, "workers live on")
    before = written(folder)
    assert 0 < len(before) < 6
    assert not verify(folder, SAMPLE).findings or all(f.severity == "unchecked" or "no record" in f.what
                                                     for f in verify(folder, SAMPLE).findings)  # fmt: skip
    stamps = {path: path.stat().st_mtime_ns for path in before}
    output, error = clinsynth(*words, steps=300).communicate()
    assert "6 seeds" in output, error
    assert f"{len(before)} runs are done, {6 - len(before)} to do" in error
    assert len(written(folder)) == 6
    assert {path: path.stat().st_mtime_ns for path in before} == stamps
    assert verify(folder, SAMPLE).ok


def test_the_local_executor_gives_what_one_process_gives(
    submit: Submit, clinsynth: Clinsynth, tiny_recipe: Recipe, in_process: list[Cell]
) -> None:
    here, there = submit({"gad": 40}), submit({"gad": 40}, name="there")
    score(ask(here))
    words = ("score", there, "--sample", "--recipe", "tiny.v1", "--seeds", "0,1", "--workers", "1")
    output, error = clinsynth(*words).communicate()
    assert "2 seeds" in output, error
    one, two = (
        [(record.predictions_sha256, record.loss) for record in written(folder).values()] for folder in (here, there)
    )
    assert one == two


@pytest.mark.slow
def test_the_command_line_with_the_default_student(submit: Submit) -> None:
    folder = submit({"gad": 40})
    words = ["score", str(folder), "--sample", "--seeds", "0,1", "--tasks", "gad"]
    environment = {key: value for key, value in os.environ.items() if key != "CLINSYNTH_WEIGHTS"}
    for to_do in (2, 0):
        done = subprocess.run(  # noqa: S603 - our own command
            [sys.executable, "-m", "clinsynth", *words], capture_output=True, text=True, check=False,
            env=environment | {"HF_HUB_OFFLINE": "1"},
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        assert f"{to_do} to do (sample)" in done.stderr
        assert "gad" in done.stdout
    assert verify(folder, SAMPLE).findings == ()
