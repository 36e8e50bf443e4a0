"""How long a snapshot of many submissions takes to build, with and without kept statistics.

    python -m studies.speed.invented build/invented --submissions 300
    python -m studies.speed.snapshot build/invented [--times 3]

Runs ``clinsynth snapshot`` in a process of its own: first with no statistics kept from before, then again with them, as
on a machine where standings were printed or a submission was added. Prints wall-clock and processor seconds; the
snapshot is left in build/invented/snapshot for studies/speed/leaderboard.py.
"""

from __future__ import annotations

import argparse
import os
import resource
import shutil
import statistics
import subprocess
import sys
import time
from pathlib import Path


def build(root: Path) -> tuple[float, float]:
    """Wall-clock and processor seconds of one build."""
    command = [
        sys.executable,
        "-m",
        "clinsynth",
        "snapshot",
        str(root / "submissions"),
        "--out",
        str(root / "snapshot"),
    ]
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    subprocess.run(  # noqa: S603 - our own command
        command, check=True, env={**os.environ, "CLINSYNTH_DATA": str(root / "data")}, capture_output=True
    )
    wall, after = time.perf_counter() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
    return wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main() -> None:
    """Parse and measure."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("root", type=Path, help="what invented.py wrote")
    parser.add_argument("--times", type=int, default=3, help="builds with kept statistics")
    arguments = parser.parse_args()
    shutil.rmtree(arguments.root / "data" / "statistics", ignore_errors=True)
    rows = [("nothing kept", *build(arguments.root))]
    warm = [build(arguments.root) for _ in range(arguments.times)]
    wall_clock, used = (statistics.median(each[k] for each in warm) for k in (0, 1))
    rows.append(("kept (median)", wall_clock, used))
    for name, wall, used in rows:
        print(f"{name:14}  {wall:6.1f} s wall clock  {used:6.1f} s of processors")  # noqa: T201 - a script
    print(f"machine: {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}")  # noqa: T201


if __name__ == "__main__":
    main()
