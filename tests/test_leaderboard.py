"""The app in a real browser: every view, filters, links, files, the check of an archive, and what programs call."""

from __future__ import annotations

import io
import os
import re
import socket
import subprocess
import sys
import tarfile
import time
import urllib.error
import urllib.request
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.chromium import PATH as CHROMIUM
from tests.chromium import browser, watched
from tests.conftest import Submit, sample_rows
from tests.invented_snapshot import write

from clinsynth.core.errors import UserError
from clinsynth.export import FORMATS, SUFFIXES
from clinsynth.leaderboard import archive
from clinsynth.snapshot import read_snapshot
from clinsynth.submissions import validate
from clinsynth.views import TITLES, VIEWS, page

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def snapshot(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("leaderboard") / "s"
    write(folder, 6)
    return folder


@pytest.fixture(scope="module")
def address(snapshot: Path) -> Iterator[str]:
    """Where ``clinsynth leaderboard`` serves the snapshot."""
    pytest.importorskip("gradio", reason="gradio is not installed")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
    command = [sys.executable, "-m", "clinsynth", "leaderboard", "--snapshot", str(snapshot), "--port", str(port)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)  # noqa: S603 - ours
    try:
        for _ in range(600):
            assert process.poll() is None, process.communicate()[0]
            try:
                fetch(f"http://127.0.0.1:{port}/plain/submit")
                break
            except OSError:
                time.sleep(0.1)
        yield f"http://127.0.0.1:{port}/"
    finally:
        process.terminate()
        process.communicate()


def fetch(url: str) -> tuple[bytes, str]:
    with urllib.request.urlopen(url, timeout=30) as answer:  # noqa: S310 - our own address
        return answer.read(), answer.headers.get("Content-Type", "")


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    with browser() as started:
        yield started


@pytest.fixture
def tab(chromium: Any) -> Iterator[Any]:
    context = chromium.new_context(viewport={"width": 1440, "height": 1000})
    yield context.new_page()
    context.close()


def test_every_view_opens_and_says_nothing_in_the_console(address: str, tab: Any) -> None:
    said, strange = watched(tab, address)
    tab.goto(address)
    tab.wait_for_selector("#page-overall table")
    for view in VIEWS:
        tab.get_by_role("tab", name=TITLES[view], exact=True).click()
        tab.wait_for_selector(f"#page-{view} h1", state="visible")
        tab.wait_for_function(
            "view => location.search.includes('view=' + view)", arg=view
        ) if view != "overall" else None
    assert (said, strange) == ([], [])


def test_a_filter_changes_the_table_and_the_address(address: str, tab: Any) -> None:
    tab.goto(address)
    tab.wait_for_selector("#page-overall table")
    tab.get_by_role("radio", name="pubmedbert.v1").first.click()
    tab.wait_for_function(
        "document.querySelector('#page-overall caption').textContent.includes('pubmedbert.v1 on 300')"
    )
    tab.wait_for_function("location.search.includes('student=pubmedbert.v1')")
    # That student has no other budget: the filter follows.
    assert tab.get_by_role("radio", name="1,000").count() == 0


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("view=tasks&student=minilm-l6.v1&rows=1000&task=mqp", "Medical Question Pairs (mqp): minilm-l6.v1 on 1,000"),
        ("view=compare&base=gold-n&others=constant,gold-few", "Differences to gold-n"),
        ("view=submission&name=clingen-kg&rows=1000", "1,000 rows"),
        ("view=cost&by=tokens", "Cost and score"),
        ("student=pubmedbert.v1", "pubmedbert.v1 on 300"),
    ],
    ids=["task", "compare", "submission", "cost", "no-view"],
)
def test_a_link_shows_the_same_to_everybody(address: str, chromium: Any, query: str, expected: str) -> None:
    """A round trip: the address that the page makes of a link leads another reader to the same page."""
    shown: list[str] = []
    links = [f"{address}?{query}"]
    for _ in range(2):
        context = chromium.new_context()
        tab = context.new_page()
        tab.goto(links[-1])
        view = dict(part.split("=") for part in query.split("&")).get("view", "overall")
        tab.wait_for_function(
            "([view, text]) => (document.querySelector(`#page-${view}`)?.textContent ?? '').includes(text)",
            arg=[view, expected],
        )  # fmt: skip
        shown.append(tab.locator(f"#page-{view} .cs").inner_text())
        tab.wait_for_timeout(300)
        links.append(tab.url)
        context.close()
    assert shown[0] == shown[1]
    assert all(part in links[-1].replace("%2C", ",") for part in query.split("&"))


def test_a_link_to_what_is_not_there_is_said(address: str, tab: Any) -> None:
    tab.goto(f"{address}?view=tasks&task=nothing")
    tab.wait_for_selector("#page-tasks .warning")
    assert "which this snapshot does not have" in tab.locator("#page-tasks .warning").inner_text()


@pytest.mark.parametrize("view", [view for view in VIEWS if view not in ("method", "submit")])
def test_files_are_those_of_the_export(address: str, snapshot: Path, view: str) -> None:
    made = read_snapshot(snapshot)
    for form, write_out in FORMATS.items():
        content, media = fetch(f"{address}take/{view}.{SUFFIXES[form]}")
        assert content.decode() == write_out(made, page(made, view, {}))
        assert media


def test_plots_are_files_too(address: str) -> None:
    content, media = fetch(f"{address}take/curves.svg")
    assert content.startswith(b"<svg")
    assert media == "image/svg+xml"
    if CHROMIUM is None:
        pytest.skip("no Chromium on this machine: it draws the PNG")
    content, media = fetch(f"{address}take/curves.png")
    assert media == "image/png"
    assert content.startswith(b"\x89PNG")


@pytest.mark.parametrize(
    "path", ["take/nothing.csv", "take/overall.exe", "plain/nothing", "take/types.svg", "take/../../etc/passwd"]
)
def test_other_addresses_are_refused(address: str, path: str) -> None:
    with pytest.raises(urllib.error.HTTPError, match="404"):
        fetch(address + path)


def test_a_page_without_scripts(address: str) -> None:
    text = fetch(f"{address}plain/tasks?task=gad")[0].decode()
    assert "(gad)" in text
    assert "<script" not in text


def test_programs_get_every_view(address: str, snapshot: Path) -> None:
    client: Any = pytest.importorskip("gradio_client").Client(address, verbose=False)
    made = read_snapshot(snapshot)
    for view in VIEWS:
        assert client.predict(api_name=f"/{view}")["view"] == view
    found = client.predict(student="minilm-l6.v1", rows="1000", task="gad", api_name="/tasks")
    assert found["filters"] == {"student": "minilm-l6.v1", "rows": "1000", "task": "gad"}
    text = client.predict(view="types", form="markdown", filters="{}", api_name="/export")
    assert text == FORMATS["markdown"](made, page(made, "types", {}))
    assert client.predict(api_name="/snapshot")["id"] == made.manifest.id
    client.close()


def test_an_archive_gets_the_report_of_validate(address: str, tab: Any, submit: Submit, tmp_path: Path) -> None:
    folder = submit({"gad": [*sample_rows("gad", 3), {"text": "no marker", "label": "relation"}]}, "toy")
    packed = pack_zip(tmp_path / "toy.zip", folder)
    tab.goto(f"{address}?view=submit")
    tab.wait_for_selector("#page-submit h1", state="visible")
    tab.locator("input[type=file]").set_input_files(str(packed))
    box = tab.locator("#report textarea")
    box.wait_for(state="visible")
    expected = str(validate(folder)).replace(f"{folder}/", "toy/").replace(str(folder), "toy")
    assert box.input_value() == expected
    assert str(tmp_path) not in expected


def pack_zip(target: Path, folder: Path) -> Path:
    with zipfile.ZipFile(target, "w") as out:
        for path in sorted(folder.rglob("*")):
            if path.is_file():
                out.write(path, f"{folder.name}/{path.relative_to(folder)}")
    return target


def test_archives_with_and_without_a_folder(submit: Submit, tmp_path: Path) -> None:
    folder = submit({"gad": 3}, "toy")
    with tarfile.open(tmp_path / "toy.tar.gz", "w:gz") as out:
        for path in folder.iterdir():
            out.add(path, path.name)
    expected = validate(folder).exit_code
    for packed in (pack_zip(tmp_path / "x.zip", folder), tmp_path / "toy.tar.gz"):
        words, status = archive.report(packed)
        assert status == expected == 0
        assert words.startswith("toy: accepted")


def zip_of(target: Path, *members: tuple[str, bytes, int]) -> Path:
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as out:
        for name, content, mode in members:
            info = zipfile.ZipInfo(name)
            info.external_attr = mode << 16
            out.writestr(info, content, zipfile.ZIP_DEFLATED)
    return target


@pytest.mark.parametrize(
    ("members", "said"),
    [
        ([("../evil", b"x", 0)], "unsafe path"),
        ([("/etc/evil", b"x", 0)], "unsafe path"),
        ([("a/../../evil", b"x", 0)], "unsafe path"),
        ([("C:\\evil", b"x", 0)], "unsafe path"),
        ([("toy/link", b"/etc/passwd", 0o120777)], "a link"),
        ([("toy/big", b"0" * 5000, 0)], "too large"),
        ([(f"toy/{k}", b"", 0) for k in range(6)], "too many files"),
        ([("readme.txt", b"x", 0)], "no submission"),
        ([], "empty"),
        ([("toy/x", b"1", 0), ("toy/x", b"2", 0)], "cannot be read"),
    ],
    ids=["up", "absolute", "around", "drive", "link", "large", "many", "none", "empty", "twice"],
)
@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_what_no_archive_may_hold(
    tmp_path: Path, members: list[tuple[str, bytes, int]], said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(archive, "MOST_BYTES", 4000)
    monkeypatch.setattr(archive, "MOST_FILES", 5)
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)
    with pytest.raises(UserError, match=said):
        archive.report(zip_of(tmp_path / "x.zip", *members))
    assert [path.name for path in tmp_path.iterdir()] == ["x.zip"], "something was left behind"


def test_tar_links_and_other_files_are_refused(tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "x.tar.gz", "w:gz") as out:
        info = tarfile.TarInfo("toy/submission.toml")
        info.type, info.linkname = tarfile.SYMTYPE, "/etc/passwd"
        out.addfile(info)
    with pytest.raises(UserError, match="a link or a device"):
        archive.report(tmp_path / "x.tar.gz")
    (tmp_path / "x.gz").write_bytes(io.BytesIO(b"text").getvalue())
    with pytest.raises(UserError, match="no archive"):
        archive.report(tmp_path / "x.gz")


def test_the_space_is_pinned() -> None:
    text = (ROOT / "leaderboard" / "README.md").read_text("utf-8")
    head = dict(line.split(": ", 1) for line in text.split("---")[1].strip().splitlines())
    pinned = re.search(r"^gradio==(\S+)$", (ROOT / "constraints.txt").read_text("utf-8"), re.MULTILINE)
    assert pinned
    assert head["sdk_version"] == pinned.group(1)
    assert (ROOT / "leaderboard" / head["app_file"]).is_file()


def test_a_port_that_is_taken_is_said(snapshot: Path) -> None:
    pytest.importorskip("gradio", reason="gradio is not installed")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        command = [sys.executable, "-m", "clinsynth", "leaderboard", "--snapshot", str(snapshot)]
        done = subprocess.run(  # noqa: S603 - ours
            [*command, "--port", str(taken.getsockname()[1])], capture_output=True, text=True, env=dict(os.environ),
            timeout=120, check=False,
        )  # fmt: skip
    assert done.returncode == 2
    assert "choose another --port" in done.stderr
    assert "Traceback" not in done.stderr
