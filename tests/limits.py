"""Code that is played in a process with limits."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
from pathlib import Path

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
