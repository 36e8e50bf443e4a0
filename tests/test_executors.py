"""Runs that are lost, that fail, that another call is at: each is done once, and nothing is left behind."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from clinsynth.core.errors import UserError
from clinsynth.results.store import Cell, Results, read_record
from clinsynth.training import claims
from clinsynth.training.claims import ClaimedError, claim_path, claimed, holder
from clinsynth.training.executors import EXECUTORS, dispatch
from clinsynth.training.forecasts import forecast
from clinsynth.training.jobs import Busy, Finished, Job, Lost, Outcome
from clinsynth.training.recipe import Recipe
from clinsynth.training.scoring import Request, jobs_of, plan, score
from clinsynth.training.slurm_jobs import SlurmJobs, options_of
from clinsynth.training.worker import Parcel, adopt, attempt, attempt_far

Submit = Callable[..., Path]
Clinsynth = Callable[..., "subprocess.Popen[str]"]
OTHER = {"owner": "o", "mark": "m", "host": "another machine", "process": 1, "born": "1"}


def ask(folder: Path, **more: object) -> Request:
    return Request(**({"submission": folder, "recipe": "tiny.v1", "seeds": (0, 1), "sample": True} | more))  # pyright: ignore[reportArgumentType]


def jobs(folder: Path) -> list[Job]:
    return jobs_of(ask(folder), plan(ask(folder)))


class Scripted:
    """Gives the outcomes that it is told, in order, and does a run where it is told none."""

    def __init__(self, *script: Outcome | type[KeyboardInterrupt]) -> None:
        self.script = list(script)
        self.waiting: list[Job] = []
        self.begun: list[int] = []
        self.closed = 0

    def where(self, jobs: Sequence[Job]) -> list[str]:
        return ["nowhere"]

    def submit(self, jobs: Sequence[Job]) -> None:
        self.waiting += jobs

    def outcomes(self) -> list[tuple[Job, Outcome]]:
        if not self.waiting:
            time.sleep(0.05)
            return []
        job = self.waiting.pop(0)
        self.begun.append(job.cell.seed)
        outcome = self.script.pop(0) if self.script else attempt(job, "script")
        if isinstance(outcome, type):
            raise outcome
        return [(job, outcome)]

    def close(self) -> None:
        self.closed += 1


@pytest.mark.usefixtures("tiny_recipe")
def test_a_lost_run_is_taken_again_and_given_up_in_the_end(submit: Submit) -> None:
    said: list[str] = []
    executor = Scripted(Lost("a node died"), Lost("a node died"), Lost("again"), Lost("and again"), Lost("and again"))
    outcomes = {job.cell.seed: outcome for job, outcome in dispatch(jobs(submit({"gad": 40})), executor, said.append)}
    assert executor.begun == [0, 1, 0, 1, 0, 1]
    assert isinstance(outcomes[0], UserError)
    assert "given up after 3 attempts: and again" in str(outcomes[0])
    assert not isinstance(outcomes[1], UserError)
    assert sum("lost: " in line for line in said) == 4
    assert executor.closed == 1


@pytest.mark.usefixtures("tiny_recipe")
def test_whatever_happens_nothing_is_left_behind(submit: Submit) -> None:
    executor = Scripted(KeyboardInterrupt)
    with pytest.raises(KeyboardInterrupt):
        list(dispatch(jobs(submit({"gad": 40})), executor, print))
    assert executor.closed == 1
    executor = Scripted()
    outcomes = dispatch(jobs(submit({"mqp": 40}, name="other")), executor, print)
    next(outcomes)
    outcomes.close()
    assert executor.closed == 1


@pytest.mark.usefixtures("tiny_recipe")
def test_a_run_that_fails_does_not_stop_the_others(submit: Submit, monkeypatch: pytest.MonkeyPatch) -> None:
    class Fails(Scripted):
        def __init__(self, workers: int, on_steps: object) -> None:
            super().__init__(UserError("no such luck"))

    monkeypatch.setattr(EXECUTORS, "_items", {"fails": Fails})
    scored = score(ask(submit({"gad": 40}), executor="fails"))
    assert [(cell.seed, str(error)) for cell, error in scored.failed] == [(0, "no such luck")]
    assert [record.seed for record in scored.records] == [1]


@pytest.mark.usefixtures("tiny_recipe")
def test_what_another_call_is_at_is_waited_for(submit: Submit, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("clinsynth.training.executors.LOOK_SECONDS", 0.1)
    first, second = jobs(submit({"gad": 40}))
    said: list[str] = []
    executor = Scripted()
    with claimed(Results(first.submission, "sample").record_path(first.cell), "the other call"):
        outcomes = dispatch([first, second], executor, said.append)
        job, _ = next(outcomes)
        assert job == second
        assert len(said) == 1
        assert f"process {os.getpid()}" in said[0]
    # The other call leaves without a record: it is this one's again.
    assert [job for job, _ in outcomes] == [first]
    assert executor.begun == [0, 1, 0]


@pytest.mark.usefixtures("tiny_recipe")
def test_a_run_is_done_once(submit: Submit) -> None:
    job, _ = jobs(submit({"gad": 40}))
    path = Results(job.submission, "sample").record_path(job.cell)
    with claimed(path, "other"):
        busy = attempt(job, "this")
        assert isinstance(busy, Busy)
        assert str(os.getpid()) in busy.who
    done = attempt(job, "this")
    assert isinstance(done, Finished)
    stamp = path.stat().st_mtime_ns
    assert attempt(job, "that") == done
    assert path.stat().st_mtime_ns == stamp
    assert not list(path.parent.glob(".*"))


def test_a_claim_is_one_holders_until_that_one_is_gone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    record = tmp_path / "n40" / "seed0.json"
    path = claim_path(record)
    with claimed(record, "one"):
        assert holder(path).startswith(f"process {os.getpid()} on ")
        with pytest.raises(ClaimedError, match=f"process {os.getpid()}"), claimed(record, "two"):
            pass
        assert path.exists()
    assert not path.exists()
    # A process of this machine that is no more.
    dead = subprocess.Popen(["true"])  # noqa: S607
    dead.wait()
    mine = {"owner": "o", "mark": "m", "host": claims.host(), "process": dead.pid, "born": "1"}
    path.write_text(json.dumps(mine))
    assert not holder(path)
    with claimed(record, "two"):
        assert "two" in path.read_text()
    # Another machine: its age says it, unless the same job of a scheduler begins again.
    path.write_text(json.dumps(OTHER))
    assert holder(path) == "process 1 on another"
    with claimed(record, "o"):
        pass
    path.write_text(json.dumps(OTHER))
    long_ago = time.time() - 2 * claims.STALE_SECONDS
    os.utime(path, (long_ago, long_ago))
    assert not holder(path)
    with claimed(record, "two"):
        pass
    # Half written just now, or long ago.
    path.write_text("{")
    assert holder(path)
    os.utime(path, (long_ago, long_ago))
    with claimed(record, "two"):
        pass
    assert not list(tmp_path.rglob(".*"))


@pytest.mark.usefixtures("tiny_recipe")
def test_a_machine_that_does_not_see_the_folder_sends_the_predictions_back(submit: Submit) -> None:
    folder = submit({"gad": 40})
    job, other = jobs(folder)
    parcel = Parcel.of(folder, "gad")
    (elsewhere := folder.with_name("elsewhere")).mkdir()
    moved = folder.rename(elsewhere / folder.name)
    far = attempt_far(job, "far", {}, parcel)
    assert isinstance(far, Finished)
    assert far.predictions
    assert not folder.exists()
    # A folder of the same name that holds something else is not the one that is meant.
    submit({"gad": 20})
    assert isinstance(again := attempt_far(other, "far", {}, parcel), Finished)
    assert again.predictions
    assert not (folder / "sample").exists()

    executor = Scripted(far)
    here = replace(job, submission=moved)
    ((_, record),) = dispatch([here], executor, print)
    assert not isinstance(record, UserError)
    results = Results(moved, "sample")
    assert results.done(job.cell) == record
    assert results.read_predictions(record)[1] == record.predictions_sha256
    near = attempt_far(replace(other, submission=moved), "near", {}, parcel)
    assert isinstance(near, Finished)
    assert near.predictions is None


@pytest.mark.usefixtures("tiny_recipe")
def test_a_machine_with_other_data_says_so(submit: Submit, tmp_path: Path) -> None:
    job, _ = jobs(submit({"gad": 40}))
    assert job.made_of
    other = replace(job, made_of=job.made_of._replace(test="0" * 64))
    error = attempt_far(other, "far", {}, Parcel.of(job.submission, "gad"))
    assert isinstance(error, UserError)
    assert "another test set for gad" in str(error)
    error = attempt_far(replace(job, sample=False, data_dir=tmp_path), "far", {}, Parcel.of(job.submission, "gad"))
    assert isinstance(error, UserError)
    assert "gad is not prepared" in str(error)


def test_the_callers_folders_hold_where_they_are(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLINSYNTH_DATA", str(tmp_path))
    adopt({"CLINSYNTH_DATA": str(tmp_path / "not here")})
    assert os.environ["CLINSYNTH_DATA"] == str(tmp_path)
    (tmp_path / "here").mkdir()
    adopt({"CLINSYNTH_DATA": str(tmp_path / "here")})
    assert os.environ["CLINSYNTH_DATA"] == str(tmp_path / "here")


def records(folder: Path) -> dict[int, float]:
    paths = (folder / "sample" / "runs").rglob("seed*.json")
    return {read_record(path).seed: path.stat().st_mtime for path in paths}


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="looks at processes through /proc")
def test_a_killed_worker_loses_one_run_which_is_done_all_the_same(submit: Submit, clinsynth: Clinsynth) -> None:
    folder = submit({"gad": 40})
    words = ("score", folder, "--sample", "--recipe", "tiny.v1", "--seeds", "0-3", "--workers", "2")
    process = clinsynth(*words, steps=200)
    until = time.monotonic() + 300
    while not (found := [p for p in folder.rglob(".seed*.claim") if p.read_bytes()]) and process.poll() is None:
        assert time.monotonic() < until
        time.sleep(0.05)
    os.kill(int(json.loads(found[0].read_text())["process"]), signal.SIGKILL)
    output, error = process.communicate()
    assert process.returncode == 0, error
    assert "lost: its process was ended by SIGKILL" in error
    assert "1 at a time from now on" in error
    assert "4 seeds" in output
    assert set(records(folder)) == {0, 1, 2, 3}
    assert not list(folder.rglob(".seed*"))


@pytest.mark.slow
def test_two_calls_on_one_folder_share_the_runs(submit: Submit, clinsynth: Clinsynth) -> None:
    folder = submit({"gad": 40})
    words = ("score", folder, "--sample", "--recipe", "tiny.v1", "--seeds", "0-3", "--workers", "1")
    calls = [clinsynth(*words, steps=100) for _ in range(2)]
    ended = [call.communicate() for call in calls]
    assert [call.returncode for call in calls] == [0, 0], ended
    assert all("4 seeds" in output for output, _ in ended)
    trained = [error.count("accuracy") + error.count("f1") for _, error in ended]
    assert set(records(folder)) == {0, 1, 2, 3}
    assert all(trained)


def test_slurm_options_are_read_or_refused() -> None:
    assert options_of("partition=gpu gres=gpu:1") == {"partition": "gpu", "gres": "gpu:1"}
    assert options_of("--partition=gpu cpus_per_task=2") == {"partition": "gpu", "cpus-per-task": "2"}
    assert options_of("") == {}
    for text in ("gpu", "partition=", "=gpu"):
        with pytest.raises(UserError, match=r"CLINSYNTH_SLURM(.|\n)*name=value"):
            options_of(text)


def test_without_slurm_runs_are_done_here(
    submit: Submit, tiny_recipe: Recipe, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PATH", "")
    executor = SlurmJobs(3, print)
    assert "no SLURM here" in capsys.readouterr().err
    many = [replace(job, cell=Cell("gad", "tiny.v1", 40, k)) for job in jobs(submit({"gad": 40}))[:1] for k in range(9)]
    assert "3 at a time" in executor.where(many)[0]
    executor.close()


@pytest.mark.usefixtures("tiny_recipe", "in_process")
def test_a_plan_says_what_would_run_where_and_for_how_long(submit: Submit, store_run: Callable[..., object]) -> None:
    folder = submit({"gad": 40, "mqp": 40})
    known = submit({"gad": 40}, name="known")
    request = ask(folder, seeds=(0, 1, 2))
    lines = forecast(request, plan(request), [known])
    assert lines[0] == "runs      6: tasks gad (3), mqp (3); rows 40; seeds 0, 1, 2"
    assert "where     in this process" in lines
    assert any("no stored run of tiny.v1" in line for line in lines)
    store_run(known, Cell("gad", "tiny.v1", 40, 0), kind="real", steps=10, seconds={"train": 100.0, "read": 20.0})
    lines = forecast(request, plan(request), [known])
    # Four steps at ten seconds and twenty to read, for each of the six.
    assert "time      6 minutes of computing, by 1 stored runs of the recipe, wherever they were done" in lines
    assert any("the median task's pace for mqp" in line for line in lines)
    with claimed(Results(folder, "sample").record_path(Cell("gad", "tiny.v1", 40, 1)), "other"):
        assert any(f"seed1: process {os.getpid()}" in line for line in forecast(request, plan(request), [known]))
    score(request)
    assert forecast(request, plan(request), [known]) == ["nothing is to be done"]
