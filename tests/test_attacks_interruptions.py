"""Kills, full disks, folders that cannot be written, workers without a parent: what is stored stays whole."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.conftest import Submit
from tests.invented_snapshot import tables, write
from tests.limits import GIB, played

from clinsynth.core import UserError, held_folder, replaced_folder
from clinsynth.snapshot import read_snapshot, write_snapshot

# --- kills, full disks, folders that cannot be written

KILLED = """
import os, signal, sys
from pathlib import Path
from tests.invented_snapshot import tables
import clinsynth.core.files as files
from clinsynth.snapshot import write_snapshot
left = int(sys.argv[2])
synced = os.fsync
def fsync(handle):
    global left
    left -= 1
    if left < 0:
        os.kill(os.getpid(), signal.SIGKILL)
    synced(handle)
files.os.fsync = fsync
write_snapshot(Path(sys.argv[1]), tables(5))
"""


@pytest.mark.parametrize("files", [0, 9, 41])
def test_a_killed_snapshot_leaves_the_old_one_and_the_next_call_works(tmp_path: Path, files: int) -> None:
    old = write(tmp_path / "s", 3)
    done = played(KILLED, tmp_path / "s", files)
    assert done.returncode == -signal.SIGKILL, done.stderr[-2000:]
    assert read_snapshot(tmp_path / "s") == old
    assert len(list(tmp_path.iterdir())) == 2, "what the killed call left is beside, not inside"
    again = write_snapshot(tmp_path / "s", tables(5))
    assert read_snapshot(tmp_path / "s") == again
    assert [path.name for path in tmp_path.iterdir()] == ["s"], "and is removed by the next call"


def test_what_an_older_writer_left_half_done_is_replaced(tmp_path: Path) -> None:
    write(tmp_path / "s", 2)
    (tmp_path / "s" / "snapshot.json").unlink()
    made = write_snapshot(tmp_path / "s", tables(2))
    assert read_snapshot(tmp_path / "s") == made


def test_a_reader_meets_the_old_or_the_new_snapshot(tmp_path: Path) -> None:
    ids = {write(tmp_path / "s", 2, conditions=1).manifest.id, write(tmp_path / "t", 3, conditions=1).manifest.id}
    stop, found = threading.Event(), set[str]()

    def change() -> None:
        for k in range(6):
            write(tmp_path / "s", 2 + k % 2, conditions=1)
        stop.set()

    writer = threading.Thread(target=change)
    writer.start()
    while not stop.is_set():
        found.add(read_snapshot(tmp_path / "s").manifest.id)
    writer.join()
    assert found <= ids


def test_two_writers_of_one_folder(tmp_path: Path) -> None:
    threads = [threading.Thread(target=write, args=(tmp_path / "s", 2 + k % 2, 1)) for k in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(read_snapshot(tmp_path / "s").tables.submissions) > 0
    assert [path.name for path in tmp_path.iterdir()] == ["s"]


def test_a_folder_that_another_call_still_fills_is_left_alone(tmp_path: Path) -> None:
    with replaced_folder(tmp_path / "x") as first:
        (first / "a").write_text("1")
        with replaced_folder(tmp_path / "x") as second:
            (second / "a").write_text("2")
        assert (tmp_path / "x" / "a").read_text() == "2"
        assert (first / "a").read_text() == "1"
    assert (tmp_path / "x" / "a").read_text() == "1"
    assert [path.name for path in tmp_path.iterdir()] == ["x"]


def test_a_folder_that_is_held_is_not_removed_under_another_call(tmp_path: Path) -> None:
    faults, times = list[BaseException](), list[str]()

    def hold(name: str) -> None:
        try:
            for _ in range(100):
                with suppress(BlockingIOError), held_folder(tmp_path / "x"):
                    (tmp_path / "x" / "mine").write_text(name)
                    assert (tmp_path / "x" / "mine").read_text() == name
                    times.append(name)
        except Exception as error:
            faults.append(error)

    threads = [threading.Thread(target=hold, args=(str(k),)) for k in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not faults
    assert times
    assert not list(tmp_path.iterdir())


def test_without_an_exchange_an_interrupted_swap_is_put_right(tmp_path: Path) -> None:
    (tmp_path / ".x.old").mkdir()
    (tmp_path / ".x.old" / "a").write_text("kept")
    with pytest.raises(KeyboardInterrupt), replaced_folder(tmp_path / "x"):
        raise KeyboardInterrupt
    assert (tmp_path / "x" / "a").read_text() == "kept"


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    write(tmp_path_factory.mktemp("small") / "s", 2, conditions=1)
    return next(tmp_path_factory.getbasetemp().glob("small*")) / "s"


@given(at=st.floats(0, 1, exclude_max=True), value=st.integers(0, 255), which=st.integers(0, 30), cut=st.booleans())
@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_the_reader_of_snapshots_gives_the_whole_or_a_reason(
    small: Path, at: float, value: int, which: int, cut: bool
) -> None:
    whole = read_snapshot(small)
    files = sorted(path for path in small.rglob("*") if path.is_file())
    path = files[which % len(files)]
    before = path.read_bytes()
    place = int(at * len(before))
    path.write_bytes(before[:place] if cut else before[:place] + bytes([value]) + before[place + 1 :])
    try:
        found = read_snapshot(small)
        # What was changed is not read (the JSON forms, the schema), or is a word of the manifest about itself.
        assert found.tables == whole.tables
    except UserError as error:
        assert "Traceback" not in str(error)
    finally:
        path.write_bytes(before)


@pytest.mark.parametrize("kind", ["pipe", "folder", "device"])
def test_a_snapshot_of_strange_files_is_refused(small: Path, tmp_path: Path, kind: str) -> None:
    folder = tmp_path / "s"
    write(folder, 2, conditions=1)
    for path in (folder / "snapshot.json", folder / "tables" / "scores.parquet"):
        path.unlink()
        if kind == "pipe":
            os.mkfifo(path)
        elif kind == "folder":
            path.mkdir()
        else:
            path.symlink_to("/dev/zero")
        with pytest.raises(UserError):
            read_snapshot(folder)


MAIN = "import sys; from clinsynth.cli import main; sys.exit(main(sys.argv[1:]))"


def commands(place: Path, snapshot: Path, submission: Path) -> dict[str, list[object]]:
    """Every command that writes and needs no network and no student."""
    return {
        "snapshot": ["snapshot", submission, "--sample", "--no-statistics", "--out", place / "snapshot"],
        "site": ["site", "--snapshot", snapshot, "--out", place / "site"],
        "export": ["export", "--snapshot", snapshot, "--format", "json", "--out", place / "overall.json"],
        "generate": ["generate", "gold-few", "--tasks", "gad,hoc", "--sample", "--out", place / "few"],
    }


@pytest.fixture
def full(submit: Submit, tmp_path: Path) -> Iterator[Path]:
    """A folder on a disk of 20 MB with nothing left, with a submission in it."""
    place = tmp_path / "disk"
    place.mkdir()
    mounted = subprocess.run(  # noqa: S603 - of our own making
        ["mount", "-t", "tmpfs", "-o", "size=20m", "tmpfs", place],  # noqa: S607
        capture_output=True,
        check=False,
    )
    if mounted.returncode:
        pytest.skip("no file system can be mounted here")
    try:
        submission = submit({"gad": 12}, "toy")
        subprocess.run(["cp", "-r", submission, place / "toy"], check=True)  # noqa: S603, S607
        free = os.statvfs(place).f_bavail * os.statvfs(place).f_frsize
        (place / "ballast").write_bytes(bytes(free))
        yield place
    finally:
        subprocess.run(["umount", "-l", place], check=True)  # noqa: S603, S607


@pytest.mark.parametrize("command", ["snapshot", "site", "export", "generate"])
def test_a_full_disk_is_said_in_one_line(full: Path, small: Path, submit: Submit, command: str) -> None:
    done = played(MAIN, *commands(full, small, submit({"gad": 12}, "other"))[command], memory=16 * GIB)
    assert (done.returncode, "Traceback" in done.stderr) == (2, False), done.stderr[-2000:]
    assert "clinsynth: " in done.stderr
    assert "the disk is full" in done.stderr
    assert {path.name for path in full.iterdir()} <= {"toy", "ballast", *(["few"] if command == "generate" else [])}


def test_a_file_limit_is_said_too(small: Path, tmp_path: Path) -> None:
    words = ["export", "--snapshot", small, "--format", "json", "--out", tmp_path / "x.json"]
    done = played(MAIN, *words, file_bytes=2000)
    assert (done.returncode, "Traceback" in done.stderr) == (2, False), done.stderr[-2000:]
    assert "x.json: a file may not become as large" in done.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("command", ["snapshot", "site", "export", "generate"])
def test_a_read_only_folder_is_said_in_one_line(small: Path, submit: Submit, tmp_path: Path, command: str) -> None:
    submission = submit({"gad": 12}, "other")
    # Whoever is root may write anywhere: a file in the place of the folder refuses root too.
    place = tmp_path / "taken"
    place.write_text("a file")
    if os.geteuid() != 0:
        place.unlink()
        place.mkdir(mode=0o500)
    done = played(MAIN, *commands(place / "in", small, submission)[command], memory=16 * GIB)
    assert (done.returncode, "Traceback" in done.stderr) == (2, False), done.stderr[-2000:]


def test_standard_output_on_a_full_disk(small: Path) -> None:
    code = f"import sys; sys.stdout = open('/dev/full', 'w'); {MAIN}"
    done = played(code, "export", "--snapshot", small, "--format", "json")
    assert (done.returncode, "the disk is full" in done.stderr) == (2, True), done.stderr[-2000:]


# --- processes

ORPHANS = """
import os, signal, sys, time
from clinsynth.core import worker_pool
if __name__ == "__main__":
    with worker_pool(2) as pool:
        print(*[pool.submit(os.getpid).result() for _ in range(6)], flush=True)
        waiting = [pool.submit(time.sleep, 600) for _ in range(2)]
        {}
"""


def gone(pid: int) -> bool:
    for _ in range(600):
        try:
            os.kill(pid, 0)
            state = Path(f"/proc/{pid}/stat").read_text("ascii").rpartition(")")[2].split()[0]
        except (ProcessLookupError, FileNotFoundError):
            return True
        if state == "Z":
            return True
        time.sleep(0.1)
    return False


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="looks at processes through /proc")
@pytest.mark.parametrize(
    "end",
    ["os.kill(os.getpid(), signal.SIGKILL)", "raise KeyboardInterrupt", "sys.exit(3)"],
    ids=["kill", "ctrl-c", "exit"],
)
def test_workers_end_with_their_parent(end: str) -> None:
    done = played(ORPHANS.format(end))
    workers = {int(word) for word in done.stdout.split()}
    assert workers, done.stderr[-2000:]
    assert all(map(gone, workers))


OTHERS = """
import subprocess, sys
import multiprocessing, time
from clinsynth.core import worker_pool
if __name__ == "__main__":
    mine = multiprocessing.get_context("spawn").Process(target=time.sleep, args=(600,), daemon=True)
    mine.start()
    try:
        with worker_pool(1) as pool:
            pool.submit(int).result()
            raise KeyboardInterrupt
    except KeyboardInterrupt:
        pass
    print(mine.is_alive())
    mine.kill()
"""


def test_a_pool_ends_no_process_but_its_own() -> None:
    done = played(OTHERS)
    assert done.stdout.strip() == "True", done.stderr[-2000:]
