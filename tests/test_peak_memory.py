"""What a stranger's submission can make a command take: its peak memory, measured on the worst one that is known.

``python -m pytest -rP tests/test_peak_memory.py`` prints the figures of docs/reliability.md.
"""

from __future__ import annotations

import gzip
import os
import subprocess
import sys
from pathlib import Path

import pytest
from tests.conftest import StoreRun, Submit

from clinsynth.results import Cell, Results

if sys.platform != "linux":
    pytest.skip("peak memory is counted as Linux counts it", allow_module_level=True)

MIB = 2**20
LIMITS = {"validate": 96, "verify": 128, "standings": 256, "snapshot": 400}
"""MiB: about twice what was measured, and a tenth of what one of the files would take."""


def repeated(path: Path, content: bytes, times: int) -> None:
    """A packed file that unpacks to ``content`` so many times: its parts are the same bytes."""
    path.write_bytes(gzip.compress(content, 9, mtime=0) * times)


@pytest.fixture
def worst(submit: Submit, store_run: StoreRun) -> Path:
    """Rows and predictions of one line of 2 GiB, predictions of 20 million lines, a record of 200 MB."""
    folder = submit({"gad": 40})
    results = Results(folder, "sample")
    cells = [Cell("gad", "minilm-l6.v2", 40, seed) for seed in range(4)]
    for cell in cells:
        store_run(folder, cell)
    repeated(next((folder / "data").glob("gad.jsonl*")), b"a" * (32 * MIB), 64)
    repeated(results.predictions_path(cells[0]), b"a" * (32 * MIB), 64)
    repeated(results.predictions_path(cells[1]), b'["yes"]\n' * 1_000_000, 20)
    results.record_path(cells[2]).write_bytes(b" " * 200_000_000)
    return folder


MIDDLE = """\
import os, sys
child = os.posix_spawn(sys.executable, [sys.executable, "-m", "clinsynth", *sys.argv[1:]], os.environ)
_, status, used = os.wait4(child, 0)
print("MEASURED", os.waitstatus_to_exitcode(status), used.ru_maxrss, used.ru_utime + used.ru_stime)
"""
"""A small process between: what is measured of a child begins with the peak of the process that started it."""


def measured(*words: object) -> tuple[int, float, float, str]:
    """Status, peak in MiB, seconds of computing, and what a command said."""
    paths = os.pathsep.join(entry for entry in sys.path if entry)
    done = subprocess.run(  # noqa: S603 - our own words
        [sys.executable, "-c", MIDDLE, *map(str, words)], text=True, capture_output=True, check=True,
        env={**os.environ, "PYTHONPATH": paths, "OPENBLAS_NUM_THREADS": "1"},
    )  # fmt: skip
    said, _, figures = (done.stderr + done.stdout).rpartition("MEASURED")
    status, peak, seconds = figures.split()
    return int(status), int(peak) / 1024, float(seconds), said


def test_no_command_takes_more_than_its_share(worst: Path, tmp_path: Path) -> None:
    commands: dict[str, tuple[object, ...]] = {
        "validate": (worst,),
        "verify": (worst, "--sample"),
        "standings": (worst, "--sample", "--no-statistics"),
        "snapshot": (worst, "--sample", "--no-statistics", "--out", tmp_path / "snapshot"),
    }
    peaks: dict[str, float] = {}
    for name, words in commands.items():
        status, peaks[name], seconds, said = measured(name, *words)
        print(f"{name}: {peaks[name]:.0f} MiB, {seconds:.1f} s of computing, status {status}")  # noqa: T201
        assert "Traceback" not in said, said[-2000:]
        assert status == (1 if name in ("validate", "verify") else 0), said[-2000:]
        # A snapshot has what was left out in its tables.
        assert name == "snapshot" or "too" in said or "at most" in said, said[-2000:]
    assert not {name: peak for name, peak in peaks.items() if peak > LIMITS[name]}, peaks
