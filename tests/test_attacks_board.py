"""Attacks on what publishes results, played in processes with limits: archives, hostile cards, kills, full disks."""

from __future__ import annotations

import gzip
import io
import json
import os
import re
import resource
import signal
import subprocess
import sys
import tarfile
import threading
import time
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.conftest import Submit
from tests.invented_snapshot import tables, write

from clinsynth.cli import main
from clinsynth.core import UserError, clean, replaced_folder, run_bounded
from clinsynth.core.processes import Bounds
from clinsynth.export import FORMATS
from clinsynth.export.bibtex import EntryError, read_entries
from clinsynth.leaderboard import archive, plots
from clinsynth.leaderboard.plots import Pictures
from clinsynth.site import build_site
from clinsynth.snapshot import Snapshot, Tables, read_snapshot, write_snapshot
from clinsynth.views import VIEWS, page
from clinsynth.views.model import Figure

ROOT = Path(__file__).parents[1]
GIB = 1 << 30


def played(
    code: str, *words: object, memory: int = 4 * GIB, cpu_seconds: int = 60, file_bytes: int = 0
) -> subprocess.CompletedProcess[str]:
    """Run Python code in a process that has only so much memory and time."""

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
        resource.setrlimit(resource.RLIMIT_CPU, (cpu_seconds, cpu_seconds))
        if file_bytes:
            resource.setrlimit(resource.RLIMIT_FSIZE, (file_bytes, file_bytes))

    path = os.pathsep.join([str(ROOT / "benchmark"), str(ROOT), os.environ.get("PYTHONPATH", "")])
    return subprocess.run(  # noqa: S603 - our own code
        [sys.executable, "-c", code, *map(str, words)], capture_output=True, text=True, check=False, timeout=600,
        preexec_fn=limit, env={**os.environ, "PYTHONPATH": path, "OPENBLAS_NUM_THREADS": "1"},
    )  # fmt: skip


# --- archives


def gzipped(content: bytes) -> bytes:
    return gzip.compress(content, 1)


def tar_header(name: str, kind: bytes, size: int) -> bytes:
    info = tarfile.TarInfo(name)
    info.type, info.size = kind, size
    return info.tobuf(tarfile.GNU_FORMAT)


def padded(content: bytes) -> bytes:
    return content + b"\0" * (-len(content) % 512)


def pax(content: bytes, kind: bytes = b"x") -> bytes:
    member = tar_header("toy/x", b"0", 1) + padded(b"1")
    return tar_header("pax", kind, len(content)) + padded(content) + member + b"\0" * 1024


def zipped(name: str, content: bytes, how: int = zipfile.ZIP_DEFLATED) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", how) as packed:
        packed.writestr(name, content)
    return out.getvalue()


def damaged(content: bytes) -> bytes:
    """With other bytes in the middle, where the packed content lies."""
    middle = len(content) // 3
    return content[:middle] + bytes(b ^ 0x5A for b in content[middle : middle + 40]) + content[middle + 40 :]


def of_kind(kind: bytes) -> bytes:
    return gzipped(tar_header("toy/submission.toml", kind, 0) + b"\0" * 1024)


ARCHIVES: dict[str, tuple[str, Callable[[], bytes]]] = {
    "pax of digits": ("x.tar.gz", lambda: gzipped(pax(b"9" * 300_000))),
    "pax of digits, small": ("x.tar.gz", lambda: gzipped(pax(b"60011 comment=" + b"9" * 59_996 + b"\n"))),
    "pax for all members": ("x.tar.gz", lambda: gzipped(pax(b"9" * 60_000, b"g"))),
    "pax with a size": ("x.tar.gz", lambda: gzipped(pax(b"14 size=99999\n"))),
    "long name": ("x.tar.gz", lambda: gzipped(pax(b"a" * 6_000_000, b"L"))),
    "long link": ("x.tgz", lambda: gzipped(pax(b"a" * 6_000_000, b"K"))),
    "size that is no size": ("x.tar.gz", lambda: gzipped(tar_header("toy/x", b"0", 1 << 40) + b"\0" * 1024)),
    "pipe": ("x.tar.gz", lambda: of_kind(tarfile.FIFOTYPE)),
    "device": ("x.tar.gz", lambda: of_kind(tarfile.CHRTYPE)),
    "hard link": ("x.tar.gz", lambda: of_kind(tarfile.LNKTYPE)),
    "gzip bomb": ("x.tar.gz", lambda: gzipped(tar_header("toy/x", b"0", 600 << 20) + bytes(600 << 20))),
    "zip bomb": ("x.zip", lambda: zipped("toy/x", bytes(600 << 20))),
    "only an extension": ("..zip", lambda: zipped("submission.toml", b"name = 3")),
    "name of dots": ("...tar.gz", lambda: b"\x1f\x8b junk"),
    "damaged deflate": ("x.zip", lambda: damaged(zipped("toy/submission.toml", os.urandom(5000)))),
    "damaged lzma": ("x.zip", lambda: damaged(zipped("toy/submission.toml", b"a b c" * 999, zipfile.ZIP_LZMA))),
    "bzip2": ("x.zip", lambda: zipped("toy/x", b"a" * 99, zipfile.ZIP_BZIP2)),
    "half a zip": ("x.zip", lambda: zipped("toy/x", os.urandom(5000))[:3000]),
    "half a gzip": ("x.tar.gz", lambda: gzipped(pax(b"11 path=abc\n"))[:60]),
    "not packed": ("x.tar.gz", lambda: b"name = 3"),
    "nothing": ("x.zip", lambda: b""),
    "many members": ("x.tar.gz", lambda: gzipped(tar_header("toy/x", b"0", 0) * 30_000 + b"\0" * 1024)),
}

REPORTS = """
import json, sys, time
from pathlib import Path
from clinsynth.core import UserError
from clinsynth.leaderboard.archive import report
if __name__ == "__main__":
    for path in sorted(Path(sys.argv[1]).iterdir()):
        (file,) = path.iterdir()
        try:
            said = report(file)[0]
        except UserError as error:
            said = str(error)
        print(json.dumps([path.name, said]), flush=True)
"""


def test_no_archive_takes_the_time_or_the_memory_of_others(tmp_path: Path) -> None:
    places = tmp_path / "archives"
    for name, (file, made) in ARCHIVES.items():
        (places / name).mkdir(parents=True)
        (places / name / file).write_bytes(made())
    done = played(REPORTS, places, cpu_seconds=300)
    assert done.returncode == 0, done.stderr[-2000:]
    said = dict(json.loads(line) for line in done.stdout.splitlines())
    assert said.keys() == ARCHIVES.keys()
    for name, words in said.items():
        assert "Traceback" not in words, name
        assert str(tmp_path) not in words, name
        assert "/tmp" not in words, name  # noqa: S108 - where it is unpacked
    assert "too long" in said["long name"]
    assert "too large" in said["gzip bomb"]
    assert "too large" in said["zip bomb"]
    assert all("no attribute" in said[name] or "too long" in said[name] for name in said if name.startswith("pax"))


def spin(_: int) -> None:
    re.search(rb"(a|aa)+b", b"a" * 60)


def hoard(_: int) -> int:
    return len(bytes(3 << 30))


def nap(_: int) -> None:
    threading.Event().wait(60)


@pytest.mark.parametrize(
    ("work", "bounds", "said"),
    [
        (spin, Bounds(1 << 30, 1, 60, 1 << 20), "computing"),
        (hoard, Bounds(1 << 30, 30, 60, 1 << 20), "memory"),
        (nap, Bounds(1 << 30, 30, 1, 1 << 20), "too long"),
    ],
    ids=["cpu", "memory", "wall"],
)
def test_bounds_end_what_exceeds_them(work: Callable[[int], Any], bounds: Bounds, said: str) -> None:
    with pytest.raises(UserError, match=said):
        run_bounded(bounds, work, 1)


SEEDS = (
    zipped("toy/submission.toml", b'name = "toy"\n' * 20),
    gzipped(tar_header("toy/submission.toml", b"0", 9) + padded(b"name = 3\n") + b"\0" * 1024),
    tar_header("toy/submission.toml", b"0", 9) + padded(b"name = 3\n") + b"\0" * 1024,
    pax(b"18 path=toy/other\n"),
)
EDITS = st.lists(st.tuples(st.integers(0, 4000), st.integers(0, 255)), max_size=12)


@given(seed=st.sampled_from(SEEDS), edits=EDITS, cut=st.integers(0, 4000), name=st.text(max_size=20))
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_the_reader_of_archives_gives_a_report_or_a_reason(
    tmp_path_factory: pytest.TempPathFactory, seed: bytes, edits: list[tuple[int, int]], cut: int, name: str
) -> None:
    """Whatever the bytes: a report or a ``UserError``, and nothing outside of the folder that it may use."""
    content = bytearray(seed)
    for at, value in edits:
        content[at % len(content)] = value
    outside = tmp_path_factory.mktemp("outside")
    (outside / "packed").write_bytes(bytes(content[: max(len(content) - cut, 0)] if cut % 3 == 0 else content))
    (outside / "place").mkdir()
    try:
        words, status = archive.judge(outside / "packed", f"{name}.zip", outside / "place")
        assert words
        assert status in (0, 1, 2)
    except UserError as error:
        assert str(outside) not in str(error)
    assert sorted(path.name for path in outside.iterdir()) == ["packed", "place"]


def test_pictures_are_made_one_at_a_time_and_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    now, most, made = 0, 0, 0
    lock = threading.Lock()

    def slow(_: Figure) -> bytes:
        nonlocal now, most, made
        with lock:
            now, made = now + 1, made + 1
            most = max(most, now)
        time.sleep(0.02)
        with lock:
            now -= 1
        return b"png"

    monkeypatch.setattr(plots, "png", slow)
    pictures, answers = Pictures(), list[str]()

    def ask(k: int) -> None:
        try:
            pictures.png(Figure(str(k % 3), "", "lines", (), ""))
            answers.append("made")
        except UserError as error:
            answers.append(str(error))

    threads = [threading.Thread(target=ask, args=(k,)) for k in range(40)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (most, len(answers)) == (1, 40)
    assert made <= 3
    assert all(each == "made" or "come again" in each for each in answers)


# --- hostile cards

HOSTILE = (
    "<script>alert(1)</script>", "</pre><img src=x onerror=alert(1)>", r"\input{/etc/passwd}", r"\write18{id}",
    "\x1b[2J\x1b]0;owned\x07", "\x9b31m", "\u202egnp.exe\u2066", "```\n<script>x</script>\n```",
    "[x](javascript:alert(1))",
    "| a | b |", "# heading", "=cmd()", "^^5cinput", "\U000e0041", "a\r\nb",
)  # fmt: skip
RAW = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\U000e0000-\U000e007f]")
ENTRIES = (
    r'@preamble{"\write18{id}"}', r"@misc{a, title = {\input{/etc/passwd}}}", "@misc{a, title = {^^5cinput x}}",
    "@misc{a, title = {x}}\n@preamble{\"x\"}", r"@misc{a, title = {x\}, note = {\write18{id}}}",
    "@misc{a, title = {\x1b[2J}}", "@misc{a, title = {x}} <script>alert(1)</script>", "@string{x = {y}}",
    "@misc{a, title = x # y}", "@misc{a\n%, title = {x}", "@misc{<script>, title = {x}}",
    "@misc{a, title = {" + "{" * 3000 + "}" * 3000 + "}}" * 9,
)  # fmt: skip


def hostile_tables() -> Tables:
    made = tables(2, conditions=1)
    words = " ".join(HOSTILE)
    cards = tuple(
        row.model_copy(
            update={
                "title": words, "authors": HOSTILE, "generator": words, "disclosures": HOSTILE, "licence": words,
                "real_details": words, "llm": words, "paper": "javascript:alert(1)",
                "bibtex": ENTRIES[k % len(ENTRIES)],
            }
        )
        for k, row in enumerate(made.submissions)
    )  # fmt: skip
    object.__setattr__(made, "submissions", cards)
    left = tuple(row.model_copy(update={"submission": words, "reason": words}) for row in made.left_out)
    object.__setattr__(made, "left_out", left)
    return made


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Snapshot:
    return write_snapshot(tmp_path_factory.mktemp("hostile") / "s", hostile_tables())


@pytest.mark.parametrize("form", FORMATS)
def test_a_hostile_card_is_text_in_every_export(hostile: Snapshot, form: str) -> None:
    names = [row.submission for row in hostile.tables.submissions]
    pages = [page(hostile, view, {}) for view in VIEWS]
    pages += [page(hostile, "submission", {"name": name}) for name in names]
    for made in pages:
        text = FORMATS[form](hostile, made)
        assert not RAW.search(text), made.view
        if form == "json":
            json.loads(text)
        if form == "markdown":
            outside = re.sub(r"(?ms)^(`{3,})\w*\n.*?\n\1$", "", text)
            assert not re.search(r"(?<!\\)(?:\\\\)*<(?:script|img)", outside), made.view
            assert not re.search(r"(?<!\\)(?:\\\\)*\[x\]", outside), made.view
        if form == "latex":
            assert not re.search(r"\\(?:input|write)|\^\^", text), made.view
        if form == "bibtex":
            assert not re.search(r"(?m)^[^%\n]*(?:\\input|\\write18|@preamble|<script|\^\^)", text), made.view


@pytest.mark.parametrize("entry", ENTRIES)
def test_entries_that_tex_would_run_are_refused(entry: str) -> None:
    with pytest.raises(EntryError):
        read_entries(entry)


@given(st.text(alphabet='@{}"\\,= abcmisctle%<^\n1', max_size=80))
@settings(max_examples=300, deadline=None)
def test_what_is_taken_for_an_entry_reads_back(text: str) -> None:
    """Any text is refused or gives entries that say the same when they are read again."""
    try:
        entries = read_entries(text)
    except EntryError:
        return
    written = "\n".join(entry.text(entry.key) for entry in entries)
    assert read_entries(written) == entries
    assert "<" not in written


def test_a_hostile_card_is_text_on_every_page(hostile: Snapshot, tmp_path: Path) -> None:
    build_site(hostile, tmp_path / "site")
    for path in [*(tmp_path / "site").rglob("*.html"), *(tmp_path / "site").rglob("*.svg")]:
        text = path.read_text("utf-8")
        assert not RAW.search(text), path
        text = re.sub(r'<script src="(?:\.\./)?board\.js" defer></script>', "", text, count=1)
        assert not re.search(r"<(?:script|img)|href=\"javascript", text), path


@given(st.text())
def test_clean_text_has_nothing_that_a_terminal_obeys(text: str) -> None:
    shown = clean(text)
    assert not RAW.search(shown)
    shown.encode()
    assert clean(shown) == shown
    if not RAW.search(text) and shown == text:
        return
    # What is replaced is written as JSON writes it: nothing is lost.
    assert json.loads(clean(json.dumps(text, ensure_ascii=False))) == text


def test_the_command_line_prints_no_escape_sequences(
    submit: Submit, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = submit({"gad": 12})
    card = folder / "submission.toml"
    text = card.read_text("utf-8")
    card.write_text(text.replace('title = "Toy"', r'title = "\u001b[2J\u202egnp\u009b31m"'), "utf-8")
    strange = tmp_path / "\x1b[31mred"
    statuses = [
        main(["standings", str(tmp_path), "--sample", "--no-statistics"]),
        main(["validate", str(folder)]),
        main(["snapshot", str(tmp_path), "--sample", "--no-statistics", "--out", str(tmp_path / "s")]),
        main(["site", "--snapshot", str(strange), "--out", str(tmp_path / "site")]),
        main(["export", "--snapshot", str(tmp_path / "s"), "--format", "json", "--view", "submission"]),
    ]
    said = capsys.readouterr()
    assert statuses[3] == 2
    assert "\\u001b[31mred" in said.err
    assert not RAW.search(said.out + said.err)


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
