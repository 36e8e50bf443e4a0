"""The environment of a run: versions, commit, machine."""

from __future__ import annotations

import os
import platform
import subprocess
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from clinsynth import __version__
from clinsynth.core.records import Extended

PACKAGES = ("datasets", "numpy", "tokenizers", "torch", "transformers")
"""Libraries that can change a number."""

_DECISIVE = ("benchmark/clinsynth", "tasks", "baselines", "constraints.txt")
"""Paths whose content decides a number: changes elsewhere do not make a run dirty."""


class Environment(Extended):
    """The environment of a run."""

    added = ("processor",)

    clinsynth: str
    commit: str
    """Commit of the checkout; empty outside one."""
    dirty: bool
    """Whether the checkout had changes that are not in the commit."""
    python: str
    platform: str
    packages: dict[str, str]
    device: str
    dtype: str
    threads: int
    processor: str = ""
    """Name of the processor, or of the GPU, that computed: two kinds do not give the same predictions."""


def cores() -> int:
    """Processor cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _git(*arguments: str) -> str:
    try:
        done = subprocess.run(  # noqa: S603 - fixed arguments
            ["git", "-C", str(Path(__file__).parent), *arguments],  # noqa: S607 - whatever git the user has
            capture_output=True, text=True, timeout=10, check=True,
        )  # fmt: skip
    except (OSError, subprocess.SubprocessError):
        return ""
    return done.stdout.strip()


@cache
def _commit() -> tuple[str, bool]:
    # A checkout counts only if this very file belongs to it: an installed copy may lie in somebody else's repository.
    if not _git("ls-files", "--", __file__):
        return "", False
    changed = _git("status", "--porcelain", "--", *(f":/{place}" for place in _DECISIVE))
    return _git("rev-parse", "HEAD"), bool(changed)


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return ""


def environment(device: str, dtype: str, threads: int, processor: str = "") -> Environment:
    """The environment of a run that is done on ``device``."""
    commit, dirty = _commit()
    return Environment(
        clinsynth=__version__,
        commit=commit,
        dirty=dirty,
        python=platform.python_version(),
        platform=f"{platform.system()} {platform.machine()}",
        packages={package: _version(package) for package in PACKAGES},
        device=device,
        dtype=dtype,
        threads=threads,
        processor=processor,
    )
