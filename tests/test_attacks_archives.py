"""Hostile archives, and work that is done for readers: bounds of time and memory, and pictures made one at a time."""

from __future__ import annotations

import gzip
import io
import json
import os
import re
import tarfile
import threading
import time
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.limits import played

from clinsynth.core import UserError, run_bounded
from clinsynth.core.processes import Bounds
from clinsynth.leaderboard import archive, plots
from clinsynth.leaderboard.plots import Pictures
from clinsynth.views.model import Figure


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
