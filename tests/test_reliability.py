"""Kills at random moments, two calls on one folder, a disk of 20 MB: ``make reliability``; figures in
docs/reliability.md.

Left out of the ordinary run, since each trial starts two processes and the moments are drawn anew with each seed.
"""

from __future__ import annotations

import gzip
import json
import os
import random
import shutil
import signal
import statistics
import subprocess
import sys
import time
import tomllib
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from hashlib import sha256
from pathlib import Path

import pytest
from tests.conftest import DRIVER, Clinsynth, Submit
from tests.invented_snapshot import write
from tests.zygote import Zygote

from clinsynth.core import UserError, write_json
from clinsynth.data.samples import SampleStore
from clinsynth.results import verify
from clinsynth.snapshot import read_snapshot
from clinsynth.submissions import validate

TRIALS = int(os.environ.get("CLINSYNTH_KILLS", "0"))
pytestmark = [
    pytest.mark.reliability,
    pytest.mark.skipif(TRIALS == 0, reason="kills at random for minutes: make reliability"),
]
SEED = int(os.environ.get("CLINSYNTH_KILLS_SEED", "0"))
ROOT = Path(__file__).parents[1]
SECONDS = 900.0
"""The most that one call may take."""

TASK = """
from clinsynth.core.nouns import Example, Source, TaskSpec

TASK = TaskSpec(
    name="NAME", title="T", type="relation_extraction", description="T.", labels=("yes", "no"),
    label_descriptions={"yes": "y", "no": "n"}, metric="accuracy", unit="example",
    sources=(Source("f.txt", ("train", "test")),), rows={}, licence="", access="credentialed", homepage="",
    citation="", apply="Ask.",
)


def read(split, files):
    for number, line in enumerate(files.open("f.txt").read().split(chr(10))):
        if (number % 2 == 0) == (split == "train"):
            yield Example((f"{line} {number}",), labels=("yes" if number % 3 else "no",))
"""


SERVED = """\
if __name__ == "__main__" and sys.argv[1:2] == ["--serve"]:
    from pathlib import Path
    from tests.zygote import serve
    sys.exit(main(serve(Path(sys.argv[2]))))
"""


@dataclass(frozen=True)
class Step:
    """A command that is killed: what it is called with, and what has to hold of its folder."""

    words: tuple[object, ...]
    place: Path
    before: Callable[[], None]
    """Puts the folder into the state in which the command is called."""
    killed: Callable[[], None]
    """Fails if what stands there after a kill is not whole."""
    done: Callable[[], object]
    """What stands there when the command has ended well; the same after any kill."""


def whole(folder: Path) -> None:
    """Every file under its own name can be read to its end."""
    for path in folder.rglob("*"):
        if path.is_file() and not any(part.startswith(".") for part in path.relative_to(folder).parts):
            if path.suffix == ".gz":
                gzip.decompress(path.read_bytes())
            elif path.suffix == ".json":
                json.loads(path.read_text("utf-8"))
            elif path.suffix == ".toml":
                tomllib.loads(path.read_text("utf-8"))


def digests(folder: Path, pattern: str) -> dict[str, str]:
    """Of every file that has its own name; what a killed call left has a name that begins with a dot."""
    names = {path.relative_to(folder).as_posix(): path for path in folder.rglob(pattern)}
    return {
        name: sha256(path.read_bytes()).hexdigest()
        for name, path in names.items()
        if not any(part.startswith(".") for part in name.split("/"))
    }


def steps(root: Path, submit: Submit) -> dict[str, Step]:
    (root / "tasks").mkdir()
    for name in ("kill_one", "kill_two", "kill_three"):
        (root / "tasks" / f"{name}.py").write_text(TASK.replace("NAME", name))
        (root / "raw" / name).mkdir(parents=True)
        (root / "raw" / name / "f.txt").write_text("\n".join(f"invented line {k} of {name}" for k in range(600)))
    rows = [{"text": f"@GENE$ {k} does not cause @DISEASE$ {k}", "label": "relation"} for k in range(400)]
    (root / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    toy = submit({"gad": 40, "hoc": 40}, "toy")
    write(root / "old", 2)
    write(root / "new", 2, conditions=1)
    (root / "site-old").mkdir()
    (root / "site-old" / ".clinsynth-site").write_text("old\n")
    (root / "site-old" / "index.html").write_text("<html>old</html>\n")

    def clear(place: Path) -> Callable[[], None]:
        return lambda: shutil.rmtree(place, ignore_errors=True)

    def older(place: Path) -> None:
        shutil.rmtree(place, ignore_errors=True)
        shutil.copytree(root / "old", place)

    def without_runs() -> None:
        shutil.rmtree(toy / "sample", ignore_errors=True)

    def read_site() -> None:
        assert (root / "site" / "index.html").read_text("utf-8").rstrip().endswith("</html>")

    def site_before() -> None:
        if not (root / "site").exists():
            shutil.copytree(root / "site-old", root / "site")

    def scored() -> object:
        assert verify(toy, SampleStore()).ok
        return sorted(path.name for path in (toy / "sample").rglob("seed*.json"))

    def snapshot_whole() -> None:
        assert read_snapshot(root / "snapshot").manifest.id is not None

    def snapshot_done() -> object:
        # Not its id: runs that were done again took other seconds.
        return sorted(row.submission for row in read_snapshot(root / "snapshot").tables.submissions)

    generated, imported, prepared = root / "generated", root / "imported", root / "prepared"
    return {
        "prepare": Step(
            ("prepare", "kill_one", "kill_two", "kill_three", "--tasks-dir", root / "tasks", "--from", root / "raw",
             "--data-dir", prepared, "--workers", "2"),
            prepared, clear(prepared), lambda: whole(prepared), lambda: digests(prepared, "*.arrow"),
        ),
        "generate": Step(
            ("generate", "template", "--tasks", "gad,hoc,mqp,cdr", "--rows", "40", "--sample", "--out", generated),
            generated, clear(generated), lambda: whole(generated), lambda: digests(generated, "*.jsonl.gz"),
        ),
        "import": Step(
            ("import", root / "rows.jsonl", "--format", "jsonl", "--task", "gad", "--out", imported),
            imported, clear(imported), lambda: whole(imported),
            lambda: (digests(imported, "*.jsonl.gz"), validate(imported).exit_code),
        ),
        "score": Step(
            ("score", toy, "--sample", "--recipe", "tiny.v1", "--seeds", "0,1", "--workers", "2"),
            toy, without_runs, lambda: whole(toy), scored,
        ),
        "snapshot": Step(
            ("snapshot", toy, "--sample", "--no-statistics", "--out", root / "snapshot"),
            root / "snapshot", lambda: older(root / "snapshot"), snapshot_whole, snapshot_done,
        ),
        "site": Step(
            ("site", "--snapshot", root / "new", "--out", root / "site"),
            root / "site", site_before, read_site, lambda: len(list((root / "site").rglob("*.html"))),
        ),
    }  # fmt: skip


@dataclass(frozen=True)
class Trial:
    """One call that was killed, and what came of it."""

    trial: int
    command: str
    share: float
    """Of the time that an undisturbed call takes, when the kill came."""
    killed: bool
    """Whether it was still at work at that moment."""
    workers: int
    """Its processes at that moment, itself left out."""
    seconds: float
    """Of the killed call, and of the one that ended the work."""
    failure: str


@pytest.fixture(scope="module")
def zygote(students: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Zygote]:
    """Forks calls that have the tiny recipe of 8 steps."""
    driver = tmp_path_factory.mktemp("zygote") / "driver.py"
    driver.write_text(DRIVER.partition("if __name__")[0] + SERVED)
    path = os.pathsep.join([*filter(None, sys.path), str(ROOT)])
    own = {"CLINSYNTH_WEIGHTS": str(students), "STEPS": "8", "HF_HUB_OFFLINE": "1", "PYTHONPATH": path}
    made = Zygote(driver, {**os.environ, **own})
    yield made
    made.close()


def test_kills_at_random_moments(zygote: Zygote, submit: Submit, tmp_path: Path) -> None:
    """Nothing half done under its own name, no process left, and the same command ends as if nothing had happened.

    Goes on after the trials in the report, so that many can be done in several calls; a failure is one more line there.
    """
    root = tmp_path / "reliability"
    root.mkdir()
    every = steps(root, submit)
    expected: dict[str, object] = {}
    durations: dict[str, list[float]] = {}

    def ends_well(name: str) -> str:
        status, said = zygote.start(*every[name].words).end()
        if name == "import" and status == 2 and " exists\n" in said:
            return ""  # it was done before the kill; import writes over nothing, and what stands there is compared
        return "" if status == 0 else f"status {status}: {said[-4000:]}"

    def undisturbed(name: str) -> None:
        for _ in range(2):
            every[name].before()
            began = time.monotonic()
            assert not (fault := ends_well(name)), (name, fault)
            durations.setdefault(name, []).append(time.monotonic() - began)
        expected[name] = every[name].done()
        assert expected[name], name

    def killed(name: str, share: float) -> tuple[bool, int, str]:
        step = every[name]
        began = time.monotonic()
        # The machine may be less busy than before: what the last five took that ended by themselves.
        moment = began + statistics.median(durations[name][-5:]) * share
        call = zygote.start(*step.words)
        time.sleep(max(moment - time.monotonic(), 0.0))
        workers = call.processes()
        call.kill()
        status, _ = call.end()
        if status == 0:
            durations[name].append(time.monotonic() - began)
        faults = [] if call.alone() else ["processes live on"]
        try:
            if step.place.exists():
                step.killed()
            faults += filter(None, [ends_well(name)])
            if not faults and step.done() != expected[name]:
                faults.append("another outcome than without a kill")
        except (AssertionError, OSError, ValueError, UserError) as error:
            faults.append(f"{type(error).__name__}: {error}")
        if beside := [path.name for path in step.place.parent.iterdir() if ".new-" in path.name]:
            faults.append(f"left beside it: {beside}")
        return status == -signal.SIGKILL, len(workers), "; ".join(faults)

    trials = read_report()
    for number in range(len(trials), TRIALS):
        name = list(every)[number % len(every)]
        if name not in expected:
            undisturbed(name)
        if name != "site":
            every[name].before()
        began, share = time.monotonic(), random.Random(f"{SEED} {number}").uniform(0.0, 1.0)
        outcome = killed(name, share)
        seconds = round(time.monotonic() - began, 1)
        trials.append(Trial(number, name, round(share, 3), outcome[0], outcome[1], seconds, outcome[2]))
        write_report(trials)
    assert not [trial for trial in trials if trial.failure]


def report_path() -> Path:
    return Path(os.environ.get("CLINSYNTH_KILLS_REPORT", "build/reliability/kills.json"))


def read_report() -> list[Trial]:
    """The trials of earlier calls with the same seed."""
    if not report_path().exists():
        return []
    stored = json.loads(report_path().read_text("utf-8"))
    return [Trial(**each) for each in stored["trials"]] if stored["seed"] == SEED else []


def write_report(trials: list[Trial]) -> None:
    counts = {
        name: {
            "trials": len(own), "killed": sum(each.killed for each in own),
            "with workers": sum(each.workers > 0 for each in own), "failures": sum(bool(each.failure) for each in own),
            "seconds": round(sum(each.seconds for each in own) / len(own), 1),
        }
        for name in dict.fromkeys(each.command for each in trials)
        if (own := [each for each in trials if each.command == name])
    }  # fmt: skip
    report_path().parent.mkdir(parents=True, exist_ok=True)
    stored = {"seed": SEED, "asked": TRIALS, "counts": counts, "trials": [asdict(each) for each in trials]}
    write_json(report_path(), stored)


def test_two_calls_on_one_folder(clinsynth: Clinsynth, submit: Submit, tmp_path: Path) -> None:
    """Both end well, or the second says why not; what stands there is whole either way."""
    root = tmp_path / "reliability"
    root.mkdir()
    every = steps(root, submit)
    for name in ("generate", "score", "snapshot", "site"):
        step = every[name]
        if name != "site":
            step.before()
        pair = [clinsynth(*step.words, steps=20) for _ in range(2)]
        said = [process.communicate(timeout=SECONDS)[1] for process in pair]
        assert all(process.returncode in (0, 2) for process in pair), (name, said)
        assert any(process.returncode == 0 for process in pair), (name, said)
        assert not any("Traceback" in error for error in said), (name, said)
        step.killed()
        assert step.done(), name


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 20 MB."""
    place = tmp_path / "disk"
    place.mkdir()
    mounted = mount("-t", "tmpfs", "-o", "size=20m", "tmpfs", place)
    if mounted.returncode:
        pytest.skip(f"no file system can be mounted here: {mounted.stderr.strip()}")
    yield place
    subprocess.run(["umount", "-l", place], check=True)  # noqa: S603, S607


def mount(*words: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["mount", *map(str, words)], capture_output=True, text=True, check=False)  # noqa: S603, S607


@pytest.mark.parametrize("left", [0, 20_000, 300_000])
def test_a_disk_of_20_mb(zygote: Zygote, submit: Submit, disk: Path, left: int) -> None:
    """Every step on a disk that fills up meanwhile: one line or success, and success once there is room."""
    every = steps(disk, submit)
    shutil.copytree(submit({"gad": 40, "hoc": 40}, "toy"), disk / "toy")
    for name, step in every.items():
        words = [disk / "toy" if word == step.place and name == "score" else word for word in step.words]
        state = os.statvfs(disk)
        (disk / "ballast").write_bytes(bytes(max(state.f_bavail * state.f_frsize - left, 0)))
        status, said = zygote.start(*words).end()
        assert status in (0, 1, 2), (name, said[-2000:])
        assert "Traceback" not in said, (name, said[-2000:])
        (disk / "ballast").unlink()
        status, said = zygote.start(*words).end()
        if name == "import" and status == 2 and " exists\n" in said:
            continue  # there was room enough, and it writes over nothing
        assert status == 0, (name, said[-2000:])


@pytest.mark.parametrize("begun", [False, True], ids=["nothing there", "something there"])
def test_a_read_only_file_system(zygote: Zygote, submit: Submit, disk: Path, begun: bool) -> None:
    """Every step on a file system that became read-only: one line with the place, and nothing changed."""
    every = steps(disk, submit)
    shutil.copytree(submit({"gad": 40, "hoc": 40}, "toy"), disk / "toy")
    if begun:
        for name in ("snapshot", "site"):
            every[name].before()
    assert mount("-o", "remount,ro", disk).returncode == 0
    before = sorted(disk.rglob("*"))
    for name, step in every.items():
        words = [disk / "toy" if word == step.place and name == "score" else word for word in step.words]
        status, said = zygote.start(*words).end()
        # prepare goes on with the other tasks and says it of each; here none of them can be prepared.
        assert status == 2, (name, said[-2000:])
        assert "Traceback" not in said, (name, said[-2000:])
        assert "read-only file system\n" in said, (name, said[-2000:])
        assert str(disk) in said, (name, said[-2000:])
        assert "remedy: name a folder that can be written to" in said, (name, said[-2000:])
    assert sorted(disk.rglob("*")) == before
    # What only reads goes on.
    status, said = zygote.start("validate", disk / "toy").end()
    assert status == 0, said[-2000:]
