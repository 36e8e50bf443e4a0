"""The documentation as a site: every page is in the menu, links hold where they will lie, and it builds."""

from __future__ import annotations

import importlib.util
import shutil
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"


@pytest.fixture(scope="module")
def tool() -> ModuleType:
    spec = importlib.util.spec_from_file_location("docs_site", DOCS / "site.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize(
    ("text", "folder", "repository", "expected"),
    [
        ("see [audits](docs/audits.md#leaks)", ROOT, "", "see [audits](audits.md#leaks)"),
        ("![the board](docs/board.png)", ROOT, "", "![the board](board.png)"),
        ("see [audits](audits.md)", DOCS, "", "see [audits](audits.md)"),
        ("the [baselines](../baselines)", DOCS, "", "the baselines"),
        ("the [baselines](../baselines)", DOCS, "https://x.org/y", "the [baselines](https://x.org/y/tree/main/baselines)"),
        ("[`run`](../.ci/run)", DOCS, "https://x.org/y", "[`run`](https://x.org/y/blob/main/.ci/run)"),
        ("`a[0](docs/audits.md)`", ROOT, "", "`a[0](docs/audits.md)`"),
        ("```sh\n[x](../y)\n```", DOCS, "", "```sh\n[x](../y)\n```"),
        ("[up](#top) [out](https://example.org)", DOCS, "", "[up](#top) [out](https://example.org)"),
    ],
    ids=["from-readme", "picture", "beside", "plain", "folder", "code-words", "code", "fence", "kept"],
)  # fmt: skip
def test_links(tool: ModuleType, text: str, folder: Path, repository: str, expected: str) -> None:
    assert tool.relinked(text, folder, repository) == expected


def test_every_page_is_in_the_menu(tool: ModuleType, tmp_path: Path) -> None:
    tool.prepare(tmp_path / "work", "")
    pages = {path.name for path in (tmp_path / "work" / "docs").glob("*.md")}
    assert pages == {path.name for path in DOCS.glob("*.md")} | {"index.md"}
    assert all(f'"{name}"' in tool.config("") for name in pages)


def test_it_builds_without_a_warning(tmp_path: Path) -> None:
    found = Path(sys.executable).with_name("zensical")
    if not found.exists() and shutil.which("zensical") is None:
        pytest.skip("zensical is not installed here: make docs has an environment of its own")
    command = [sys.executable, str(DOCS / "site.py"), "--out", str(tmp_path / "site")]
    subprocess.run(command, check=True, timeout=600)  # noqa: S603 - ours
    assert (tmp_path / "site" / "index.html").is_file()
