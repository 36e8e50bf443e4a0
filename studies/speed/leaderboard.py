"""How quickly the leaderboard starts, shows its first table, and answers a filter, in a real headless browser.

    python -m studies.speed.leaderboard build/invented/snapshot [--times 20] [--site]

Prints seconds: from the end of the imports until the app answers; from navigation until the first table is visible; and
from the event of a click on a filter until a frame has the new table, by the page's own clock, without the driver's
part. The browser is Debian's Chromium (or CHROMIUM), by Playwright. Each navigation has a fresh page; the first one of
all, with an empty cache, is told apart. ``--site`` also writes the static site and times its first table from disk.
"""

from __future__ import annotations

import argparse
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

SERVER = """
import sys, time
import gradio, fastapi, uvicorn
from pathlib import Path
from clinsynth.leaderboard import create
from clinsynth.snapshot import read_snapshot
start = time.perf_counter()
app = create(read_snapshot(Path(sys.argv[1])))
print(time.perf_counter() - start, flush=True)
uvicorn.run(app, port=int(sys.argv[2]), log_level="warning")
"""


def free_port() -> int:
    """A port that nobody has."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


def start(snapshot: Path, port: int) -> tuple[subprocess.Popen[str], float]:
    """The app, and the seconds that it took to be made and to answer."""
    process = subprocess.Popen(  # noqa: S603 - our own code
        [sys.executable, "-c", SERVER, str(snapshot), str(port)], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None  # noqa: S101 - asked for above
    made = float(process.stdout.readline())
    begin = time.perf_counter()
    while True:
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=5).read()
            return process, made + time.perf_counter() - begin
        except OSError:
            time.sleep(0.02)


def percentile(values: list[float], share: float) -> float:
    """The value that ``share`` of the values do not exceed."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def said(name: str, values: list[float]) -> None:
    """One line."""
    median, p95 = percentile(values, 0.5), percentile(values, 0.95)
    print(f"{name:44}  median {median:.3f} s  p95 {p95:.3f} s  of {len(values)}")  # noqa: T201 - a script


def timed(act: Callable[[], Any]) -> float:
    """Seconds of an action."""
    begin = time.perf_counter()
    act()
    return time.perf_counter() - begin


def first_table(context: Any, address: str, times: int) -> list[float]:
    """Seconds from navigation to the first visible table, each in a fresh page."""
    out: list[float] = []
    for _ in range(times):
        page = context.new_page()

        def go(page: Any = page) -> None:
            page.goto(address, wait_until="commit")
            page.wait_for_selector("table tbody td", state="visible")

        out.append(timed(go))
        page.wait_for_timeout(300)
        page.close()
    return out


def filters(context: Any, address: str, times: int) -> list[float]:
    """Seconds from a choice of another task to its table, measured in the page itself."""
    page = context.new_page()
    page.goto(f"{address}?view=tasks")
    page.wait_for_selector("#page-tasks h1", state="visible")
    page.wait_for_timeout(500)
    out: list[float] = []
    for k in range(times):
        name = ("gad", "hoc", "mqp", "cdr")[k % 4]
        page.evaluate(_WATCH, f"({name})")
        page.get_by_role("radio", name=name, exact=True).first.click()
        page.wait_for_function("window.seen !== null", timeout=10_000)
        out.append(page.evaluate("window.seen") / 1000)
        page.wait_for_timeout(200)
    return out


_WATCH = """wanted => {
  window.seen = null;
  document.addEventListener('input', () => {
    const start = performance.now();
    const look = () => {
      const caption = document.querySelector('#page-tasks h1');
      if (caption && caption.textContent.includes(wanted)) window.seen = performance.now() - start;
      else requestAnimationFrame(look);
    };
    look();
  }, { once: true, capture: true });
}"""


def main() -> None:
    """Parse and measure."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("snapshot", type=Path)
    parser.add_argument("--times", type=int, default=20)
    parser.add_argument("--site", action="store_true")
    arguments = parser.parse_args()
    browser_path = os.environ.get("CHROMIUM") or shutil.which("chromium")
    api: Any = import_module("playwright.sync_api")
    port = free_port()
    process, seconds = start(arguments.snapshot, port)
    print(f"{'app start after imports':44}  {seconds:.2f} s")  # noqa: T201 - a script
    try:
        with api.sync_playwright() as play:
            browser = play.chromium.launch(executable_path=browser_path, args=["--no-sandbox"])
            context = browser.new_context(viewport={"width": 1440, "height": 1000})
            address = f"http://127.0.0.1:{port}/"
            said("first table, empty cache", first_table(context, address, 1))
            said("first table", first_table(context, address, arguments.times))
            said("another task", filters(context, address, arguments.times))
            if arguments.site:
                with tempfile.TemporaryDirectory() as folder:
                    _site(context, arguments.snapshot, Path(folder) / "site", arguments.times)
            browser.close()
    finally:
        process.terminate()
    print(f"machine: {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}")  # noqa: T201


def _site(context: Any, snapshot: Path, folder: Path, times: int) -> None:
    from clinsynth.site import build_site
    from clinsynth.snapshot import read_snapshot

    made = read_snapshot(snapshot)
    print(f"{'static site':44}  {timed(lambda: build_site(made, folder)):.1f} s")  # noqa: T201 - a script
    said("first table of the static site, from disk", first_table(context, f"file://{folder}/index.html", times))


if __name__ == "__main__":
    main()
