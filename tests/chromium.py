"""A real headless browser for tests, or the reason why there is none."""

from __future__ import annotations

import os
import shutil
from collections.abc import Generator
from contextlib import contextmanager
from importlib import import_module
from typing import Any

import pytest

PATH = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")


@contextmanager
def browser() -> Generator[Any]:
    """Chromium, driven by Playwright; skips the test where one of the two is missing."""
    if PATH is None:
        pytest.skip("no Chromium on this machine (Debian: apt-get install chromium)")
    api: Any = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    with api.sync_playwright() as play:
        # The sandbox needs privileges that containers do not give.
        started = play.chromium.launch(executable_path=PATH, args=["--no-sandbox"])
        try:
            yield started
        finally:
            started.close()


def watched(page: Any, *own: str) -> tuple[list[str], list[str]]:
    """What a page complains of in the console, and addresses it asks that begin with nothing of ``own``."""
    said: list[str] = []
    strange: list[str] = []

    def asked(request: Any) -> None:
        if not request.url.startswith((*own, "data:", "blob:")):
            strange.append(request.url)

    def complained(message: Any) -> None:
        if message.type in ("error", "warning"):
            said.append(message.text)

    def failed(error: Any) -> None:
        said.append(str(error))

    page.on("console", complained)
    page.on("pageerror", failed)
    page.on("request", asked)
    return said, strange


def axe(page: Any) -> list[str]:
    """Serious and critical accessibility problems of the page, as axe-core sees them."""
    runner: Any = import_module("axe_playwright_python.sync_playwright")
    found = runner.Axe().run(page, options={"preload": False}).response["violations"]
    return [f"{v['id']}: {v['nodes'][0]['html'][:200]}" for v in found if v["impact"] in ("serious", "critical")]
