"""SLURM and Ray for real, with two nodes on this machine: what is cancelled, killed or refused in the middle of runs.

    tests/slurm_on_loopback.sh start /tmp/slurm
    SLURM_CONF=/tmp/slurm/slurm.conf python -m pytest -m cluster tests/test_clusters.py

Left out where there is no scheduler, or no Ray. Runs are fine-tuned: a tiny student comes along with a folder of tasks.
"""

from __future__ import annotations

import importlib
import importlib.util
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from clinsynth.data.samples import SampleStore
from clinsynth.results import verify

Submit = Callable[..., Path]
SLURM = bool(os.environ.get("SLURM_CONF")) and shutil.which("sbatch") is not None
RAY = importlib.util.find_spec("ray") is not None
pytestmark = [pytest.mark.cluster, pytest.mark.slow]
slurm = pytest.mark.skipif(not SLURM, reason="no SLURM: tests/slurm_on_loopback.sh")
ray = pytest.mark.skipif(not RAY, reason="no Ray: pip install 'clinsynth[ray]'")
PATIENCE = 3_600.0
"""Seconds after which a call hangs."""

WARD = """
from clinsynth.core.nouns import Example, Source, TaskSpec
from clinsynth.training.recipe import RECIPES, Recipe, Settings, Weights

settings = Settings(steps=STEPS, batch_size=8, learning_rate=1e-3, max_length=64)
kinds = ("relation_extraction", "document_classification", "text_pair_classification", "similarity",
         "sentence_classification", "ner", "natural_language_inference", "fact_verification", "term_disambiguation")
recipe = Recipe(
    name="tiny.v1", weights=Weights(repo="tests/tiny-bert"), pooling="mean", budget=40,
    settings={**dict.fromkeys(kinds, settings), **dict.fromkeys(RECIPES["minilm-l6.v1"].settings, settings)},
    evidence="none",
)
RECIPES._items = {**RECIPES, "tiny.v1": recipe}

TASK = TaskSpec(
    name="ward", title="T", type="relation_extraction", description="T.", labels=("yes", "no"),
    label_descriptions={"yes": "y", "no": "n"}, metric="accuracy", unit="example",
    sources=(Source("f.txt", ("train", "test")),), rows={}, licence="", access="credentialed", homepage="",
    citation="", apply="Ask.",
)


def read(split, files):
    yield Example(("text",), labels=("yes",))
"""


class Call:
    """``clinsynth score`` in a process of its own."""

    def __init__(self, folder: Path, words: tuple[str, ...], environment: dict[str, str]) -> None:
        self.folder = folder
        line = [sys.executable, "-m", "clinsynth", "score", str(folder), "--sample", "--recipe", "tiny.v1", *words]
        self.process = subprocess.Popen(  # noqa: S603 - our own command
            line, cwd=folder.parent, env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            start_new_session=True,
        )  # fmt: skip

    def end(self) -> tuple[int, str, str]:
        """Status, output and what was said; never a traceback."""
        output, error = self.process.communicate(timeout=PATIENCE)
        assert "Traceback" not in error
        return self.process.returncode, output, error

    def wait_for(self, seen: Callable[[], object]) -> None:
        until = time.monotonic() + PATIENCE
        while not seen():
            assert self.process.poll() is None, self.process.communicate()
            assert time.monotonic() < until
            time.sleep(0.1)

    @property
    def records(self) -> list[Path]:
        return sorted((self.folder / "sample" / "runs").rglob("seed*.json"))

    @property
    def claims(self) -> list[Path]:
        return sorted(path for path in (self.folder / "sample" / "runs").rglob(".seed*.claim") if path.read_bytes())


Score = Callable[..., Call]


@pytest.fixture
def score(tmp_path: Path, students: Path) -> Iterator[Score]:
    """``score(folder, "--executor", "slurm", steps=4)``: the call, with a tiny student in a folder of tasks."""
    calls: list[Call] = []

    def start(folder: Path, *words: str, steps: int = 4, **variables: str) -> Call:
        (tmp_path / "ward").mkdir(exist_ok=True)
        (tmp_path / "ward" / "ward.py").write_text(WARD.replace("STEPS", str(steps)))
        own = {"CLINSYNTH_WEIGHTS": str(students), "CLINSYNTH_TASKS_DIR": str(tmp_path / "ward"), "HF_HUB_OFFLINE": "1"}
        calls.append(Call(folder, words, {**os.environ, **own, **variables}))
        return calls[-1]

    yield start
    for call in calls:
        if call.process.poll() is None:
            os.killpg(call.process.pid, signal.SIGKILL)


def queued(call: Call) -> list[str]:
    """Jobs of a call that SLURM has yet to do or is at."""
    line = ["squeue", "--noheader", "--states=PENDING,RUNNING", "--format=%i %Z"]
    jobs = subprocess.run(line, capture_output=True, text=True, check=True).stdout.splitlines()  # noqa: S603 - SLURM's
    return [job.split()[0] for job in jobs if job.split()[1] == str(call.folder.parent)]


def array_of(call: Call) -> str:
    call.wait_for(lambda: queued(call))
    return queued(call)[0].split("_")[0]


@slurm
def test_slurm_does_what_is_missing(submit: Submit, score: Score) -> None:
    folder = submit({"gad": 40, "mqp": 40})
    status, output, _ = score(folder, "--executor", "slurm", "--seeds", "0-1").end()
    assert status == 0
    assert output.count("2 seeds") == 2
    assert verify(folder, SampleStore()).ok
    assert not list((folder.parent / "slurm-logs").iterdir())


@slurm
def test_slurm_where_the_nodes_do_not_see_the_submission(submit: Submit, score: Score) -> None:
    # Memory is another file system than the disk: then rows and predictions travel through the common folder.
    folder, common = submit({"gad": 40}), Path("/dev/shm/clinsynth-slurm-test")  # noqa: S108 - a file system of its own
    call = score(folder, "--executor", "slurm", "--seeds", "0-1", CLINSYNTH_SLURM_DIR=str(common))
    call.wait_for(lambda: list(common.glob("*/rows/gad/toy/data/*")))
    assert call.end()[0] == 0
    assert len(call.records) == 2
    assert verify(folder, SampleStore()).ok
    assert not list(common.iterdir())


@slurm
def test_slurm_a_job_cancelled_while_it_runs_costs_its_runs_alone(submit: Submit, score: Score) -> None:
    folder = submit({"gad": 40, "mqp": 40})
    call = score(folder, "--executor", "slurm", "--seeds", "0-1", "--workers", "1", steps=300)
    array = array_of(call)
    call.wait_for(lambda: call.claims)
    subprocess.run(["scancel", f"{array}_0"], check=True)  # noqa: S603, S607
    status, output, error = call.end()
    assert status == 1
    assert f"SLURM job {array}_0 was cancelled" in error
    assert "mqp" in output
    assert "gad/tiny.v1" in error
    until = time.monotonic() + PATIENCE
    while queued(call) and time.monotonic() < until:
        time.sleep(0.5)  # its last record is seen before it ends
    assert not queued(call)
    assert score(folder, "--executor", "slurm", "--seeds", "0-1").end()[0] == 0


@slurm
def test_slurm_a_job_cancelled_while_it_waits_ends_the_call(submit: Submit, score: Score) -> None:
    call = score(submit({"gad": 40}), "--executor", "slurm", "--seeds", "0", CLINSYNTH_SLURM="begin=now+3600")
    subprocess.run(["scancel", array_of(call)], check=True)  # noqa: S603, S607
    status, _, error = call.end()
    assert status == 1
    assert "was cancelled" in error


@slurm
def test_slurm_a_killed_job_is_taken_again(submit: Submit, score: Score) -> None:
    folder = submit({"gad": 40})
    call = score(folder, "--executor", "slurm", "--seeds", "0-1", steps=300)
    array = array_of(call)
    call.wait_for(lambda: call.claims)
    assert array
    # Both nodes are this machine: as the kernel does for want of memory.
    os.kill(int(json.loads(call.claims[0].read_text())["process"]), signal.SIGKILL)
    status, output, error = call.end()
    assert status == 0, error
    assert "taken again" in error
    assert "2 seeds" in output
    assert not call.claims


@slurm
def test_slurm_a_node_killed_in_the_middle_of_its_runs_loses_none(submit: Submit, score: Score) -> None:
    folder = submit({"gad": 40, "mqp": 40})
    # Each job has a node to itself; SLURM gives the second one's work to the first when the node does not answer.
    words = ("--executor", "slurm", "--seeds", "0-1")
    call = score(folder, *words, steps=300, CLINSYNTH_SLURM="cpus-per-task=2")
    call.wait_for(lambda: len(call.claims) == 2)
    assert kill_node("n2") > 2
    try:
        status, output, error = call.end()
    finally:
        script = Path(__file__).parent / "slurm_on_loopback.sh"
        base = Path(os.environ["SLURM_CONF"]).parent
        subprocess.run([script, "node", base, "n2"], check=True)  # noqa: S603 - our own script
    assert status == 0, error
    assert output.count("2 seeds") == 2
    assert not call.claims
    assert verify(folder, SampleStore()).ok


def kill_node(name: str) -> int:
    """End a node's daemon, its jobs and what looks after them, as when its power fails; gives how many processes."""
    processes: dict[int, tuple[int, str, str]] = {}
    for path in Path("/proc").glob("[0-9]*"):
        try:
            parent = int((path / "stat").read_text("ascii").rpartition(")")[2].split()[1])
            words = (path / "cmdline").read_bytes().replace(b"\0", b" ").decode("utf-8", "replace")
            environment = (path / "environ").read_bytes().decode("utf-8", "replace")
        except OSError:
            continue
        processes[int(path.name)] = (parent, words, environment)
    jobs = {pid for pid, (_, _, own) in processes.items() if f"\0SLURMD_NODENAME={name}\0" in f"\0{own}"}
    stewards = {processes[pid][0] for pid in jobs if "slurmstepd" in processes.get(processes[pid][0], (0, "", ""))[1]}
    daemons = {pid for pid, (_, words, _) in processes.items() if words.startswith(f"slurmd -N {name} ")}
    for pid in [*daemons, *stewards, *jobs]:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    return len(daemons | stewards | jobs)


@slurm
def test_slurm_ctrl_c_cancels_what_was_submitted(submit: Submit, score: Score) -> None:
    call = score(submit({"gad": 40}), "--executor", "slurm", "--seeds", "0-1", CLINSYNTH_SLURM="begin=now+3600")
    array = array_of(call)
    call.process.send_signal(signal.SIGINT)
    status, _, error = call.end()
    assert status == 130
    assert f"cancelled SLURM jobs {array}" in error
    assert not queued(call)


@slurm
def test_slurm_an_unknown_partition_is_one_message(submit: Submit, score: Score) -> None:
    status, _, error = score(submit({"gad": 40}), "--executor", "slurm", CLINSYNTH_SLURM="partition=nowhere").end()
    assert status == 2
    assert "invalid partition" in error
    assert "CLINSYNTH_SLURM" in error


def node_of_one_core() -> dict[str, Any]:
    """With ports that are free: else the node waits 15 seconds, no more, for its helpers to say theirs."""
    names = ("metrics_agent_port", "dashboard_agent_listen_port", "runtime_env_agent_port")
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in names]
    ports = {name: each.getsockname()[1] for name, each in zip(names, sockets, strict=True)}
    for each in sockets:
        each.close()
    return {"num_cpus": 1, "wait": False, **ports}


@pytest.fixture(scope="module")
def cluster() -> Iterator[Any]:
    """A Ray head and a second node, one core each, without ``RAY_ADDRESS``."""
    with pytest.MonkeyPatch.context() as patch:
        # On a busy machine processes take long to start: Ray is to wait for its own, and not to put them behind others.
        patch.setenv("RAY_worker_niceness", "0")
        # It ends workers where others fill the machine's memory.
        patch.setenv("RAY_memory_monitor_refresh_ms", "0")
        patch.setenv("RAY_agent_register_timeout_ms", str(int(PATIENCE * 1000)))
        patch.setenv("RAY_worker_register_timeout_seconds", str(int(PATIENCE)))
        utils: Any = importlib.import_module("ray.cluster_utils")
        made = utils.Cluster(initialize_head=True, head_node_args={"include_dashboard": False, **node_of_one_core()})
        made.second = made.add_node(**node_of_one_core())
        made.wait_for_nodes(timeout=PATIENCE)
        yield made
        made.shutdown()


@ray
def test_ray_a_running_head_is_found(submit: Submit, score: Score, cluster: Any) -> None:
    folder = submit({"gad": 40, "mqp": 40})
    status, output, _ = score(folder, "--executor", "ray", "--seeds", "0-1", RAY_ADDRESS="").end()
    assert status == 0
    assert output.count("2 seeds") == 2
    assert verify(folder, SampleStore()).ok


@ray
def test_ray_an_error_of_a_worker_is_one_message(submit: Submit, score: Score, cluster: Any, tmp_path: Path) -> None:
    folder = submit({"gad": 40})
    (tmp_path / "none").mkdir()
    status, _, error = score(
        folder, "--executor", "ray", "--seeds", "0", CLINSYNTH_WEIGHTS=str(tmp_path / "none")
    ).end()
    assert status == 1
    assert "the student tests/tiny-bert is not on this machine" in error
    assert "1 of 1 runs failed" in error


@ray
def test_ray_an_address_that_does_not_answer_is_one_message(submit: Submit, score: Score) -> None:
    status, _, error = score(submit({"gad": 40}), "--executor", "ray", RAY_ADDRESS="127.0.0.1:1").end()
    assert status == 2
    assert "no Ray cluster answers at RAY_ADDRESS=127.0.0.1:1" in error


@ray
def test_ray_a_node_killed_in_the_middle_of_its_runs_loses_none(submit: Submit, score: Score, cluster: Any) -> None:
    folder = submit({"gad": 40})
    call = score(folder, "--executor", "ray", "--seeds", "0-3", steps=400)
    call.wait_for(lambda: len(call.claims) == 2)
    cluster.remove_node(cluster.second, allow_graceful=False)
    status, output, error = call.end()
    assert status == 0
    assert "taken again" in error
    assert "4 seeds" in output
    assert verify(folder, SampleStore()).ok


@ray
def test_ray_ctrl_c_ends_what_was_submitted(submit: Submit, score: Score, cluster: Any) -> None:
    call = score(submit({"gad": 40}), "--executor", "ray", "--seeds", "0-3", steps=2000)
    call.wait_for(lambda: call.claims)
    call.process.send_signal(signal.SIGINT)
    assert call.end()[0] == 130
    ended = len(call.records)
    time.sleep(5)
    assert len(call.records) == ended
