"""The Space as it is deployed: its folder with a snapshot, and clinsynth from a wheel, far from any checkout."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest
from tests.invented_snapshot import write

ROOT = Path(__file__).parents[1]


@pytest.mark.slow
def test_the_space_starts_from_a_wheel(tmp_path: Path) -> None:
    pytest.importorskip("gradio", reason="gradio is not installed")
    pytest.importorskip("hatchling", reason="hatchling is not installed")
    pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"]
    alone = ["--no-deps", "--no-index"]
    build = [*pip, "wheel", *alone, "--no-build-isolation", "-w", str(tmp_path / "dist"), str(ROOT)]
    subprocess.run(build, check=True)  # noqa: S603 - ours
    (wheel,) = (tmp_path / "dist").glob("clinsynth-*.whl")
    installed = tmp_path / "installed"
    subprocess.run([*pip, "install", *alone, "--target", str(installed), str(wheel)], check=True)  # noqa: S603 - ours
    space = tmp_path / "space"
    shutil.copytree(ROOT / "leaderboard", space, ignore=shutil.ignore_patterns("__pycache__", "snapshot"))
    write(space / "snapshot", 3, conditions=1)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
    environment = {**os.environ, "PYTHONPATH": str(installed), "PORT": str(port), "SPACE_HOST": "x-y.hf.space"}
    process = subprocess.Popen(
        [sys.executable, "app.py"],
        cwd=space,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        page = _page(process, f"http://127.0.0.1:{port}/")
        assert 'content="https://x-y.hf.space/card.png"' in page
        assert "Click to try out the app" not in page
        where = subprocess.run(
            [sys.executable, "-c", "import clinsynth; print(clinsynth.__file__)"], cwd=space, env=environment,
            capture_output=True, text=True, check=True,
        ).stdout  # fmt: skip
        assert where.startswith(str(installed))
    finally:
        process.terminate()
        process.communicate()


def _page(process: subprocess.Popen[str], address: str) -> str:
    for _ in range(1200):
        assert process.poll() is None, process.communicate()[0]
        try:
            with urllib.request.urlopen(address, timeout=60) as answer:  # noqa: S310 - our own address
                return answer.read().decode()
        except OSError:
            time.sleep(0.25)
    raise AssertionError("it never answered")
