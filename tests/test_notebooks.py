"""The notebooks under examples/ run as they are, and were stored with what they show."""

import json
import os
import sys
from pathlib import Path
from typing import Any

import pytest

from clinsynth.data.samples import DATA_VARIABLE

EXAMPLES = Path(__file__).parents[1] / "examples"
NAMES = sorted(path.stem for path in EXAMPLES.glob("*.ipynb"))


def cells(name: str) -> list[dict[str, Any]]:
    return json.loads((EXAMPLES / f"{name}.ipynb").read_text("utf-8"))["cells"]


@pytest.mark.parametrize("name", NAMES)
def test_it_was_stored_as_it_ran(name: str) -> None:
    code = [cell for cell in cells(name) if cell["cell_type"] == "code"]
    assert [cell["execution_count"] for cell in code] == list(range(1, len(code) + 1))
    assert sum(bool(cell["outputs"]) for cell in code) > len(code) / 2
    shown = json.dumps([cell["outputs"] for cell in code])
    # Neither faults nor places on the machine it ran on.
    assert not [word for word in ("Traceback", "Warning", "/home/", "/tmp/", "/work/", "/root/") if word in shown]  # noqa: S108


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_it_runs(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    nbclient: Any = pytest.importorskip("nbclient")
    nbformat: Any = pytest.importorskip("nbformat")
    monkeypatch.setenv(DATA_VARIABLE, str(tmp_path / "prepared"))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    # Commands in a cell are those of the environment that the tests run in, whether it is activated or not.
    monkeypatch.setenv("PATH", os.pathsep.join((str(Path(sys.executable).parent), os.environ["PATH"])))
    book = nbformat.read(EXAMPLES / f"{name}.ipynb", as_version=4)
    resources = {"metadata": {"path": str(tmp_path)}}
    nbclient.NotebookClient(book, timeout=1800, kernel_name="python3", resources=resources).execute()


def test_there_are_notebooks() -> None:
    assert len(NAMES) == 3
