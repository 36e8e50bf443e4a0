"""The app in a real browser: every view, filters, links, files, the check of an archive, and what programs call."""

from __future__ import annotations

import asyncio
import gzip
import os
import re
import socket
import subprocess
import sys
import tarfile
import tempfile
import time
import urllib.error
import urllib.request
import zipfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from tests.chromium import PATH as CHROMIUM
from tests.chromium import axe, browser, watched
from tests.conftest import Submit, sample_rows
from tests.invented_snapshot import write

from clinsynth.core.errors import UserError
from clinsynth.export import FORMATS, SUFFIXES
from clinsynth.leaderboard import archive
from clinsynth.leaderboard.archive import AT_A_TIME
from clinsynth.leaderboard.middleware import Social
from clinsynth.site import Home
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
def server_files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder for temporary files of the server."""
    return tmp_path_factory.mktemp("server")


@pytest.fixture(scope="module")
def address(snapshot: Path, server_files: Path) -> Iterator[str]:
    """Where ``clinsynth leaderboard`` serves the snapshot."""
    pytest.importorskip("gradio", reason="gradio is not installed")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
    command = [sys.executable, "-m", "clinsynth", "leaderboard", "--snapshot", str(snapshot), "--port", str(port)]
    process = subprocess.Popen(  # noqa: S603 - ours
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        env={**os.environ, "TMPDIR": str(server_files)},
    )  # fmt: skip
    try:
        # A machine with much else to do takes minutes for what takes a second.
        until = time.monotonic() + 900
        while True:
            assert process.poll() is None, process.communicate()[0]
            try:
                fetch(f"http://127.0.0.1:{port}/plain/submit")
                break
            except OSError:
                assert time.monotonic() < until, "the app does not answer"
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
    tab.wait_for_function("document.querySelector('#page-overall h2').textContent.includes('pubmedbert.v1 on 300')")
    tab.wait_for_function("location.search.includes('student=pubmedbert.v1')")
    # That student has no other budget: the filter follows.
    assert tab.get_by_role("radio", name="1,000").count() == 0


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("view=tasks&student=minilm-l6.v1&rows=1000&task=mqp", "Scores on mqp: minilm-l6.v1 on 1,000"),
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
        links.append(tab.evaluate("location.href"))
        context.close()
    assert shown[0] == shown[1]
    assert all(part in links[-1].replace("%2C", ",") for part in query.split("&"))


def test_axe_finds_nothing_serious(address: str, chromium: Any) -> None:
    pytest.importorskip("axe_playwright_python", reason="axe-playwright-python is not installed")
    for scheme, width, view in (("light", 1440, "overall"), ("dark", 390, "overall"), ("dark", 1440, "submission")):
        context = chromium.new_context(color_scheme=scheme, viewport={"width": width, "height": 900})
        opened = context.new_page()
        opened.goto(f"{address}?view={view}")
        opened.wait_for_selector(f"#page-{view} h1", state="visible")
        assert axe(opened) == [], (scheme, width, view)
        assert opened.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0
        context.close()


def test_the_app_sorts_and_keeps_what_is_chosen_in_its_address(address: str, tab: Any) -> None:
    tab.goto(address)
    tab.locator("#page-overall #board").get_by_role("searchbox").fill("gold")
    # Asked of the page itself: what the driver knows of the address comes a moment after a change without a load.
    tab.wait_for_function("location.hash.includes('board.find=gold')")
    tab.get_by_role("tab", name=TITLES["tasks"], exact=True).click()
    tab.wait_for_function("location.search.includes('view=tasks')")
    tab.wait_for_function("location.hash.includes('board.find=gold')")


def test_the_card_of_a_link_speaks_of_the_board(address: str) -> None:
    text = fetch(address)[0].decode()
    assert "Click to try out the app" not in text
    assert 'property="og:title" content="Which synthetic data' in text
    content, media = fetch(f"{address}card.png")
    assert media == "image/png"
    assert content.startswith(b"\x89PNG")


def test_the_first_page_is_made_once_for_each_address() -> None:
    asked: list[str] = []

    async def gradio(scope: Any, receive: Any, send: Any) -> None:
        given = dict(scope["headers"])
        asked.append(given.get(b"host", b"").decode())
        headers = [(b"content-type", b"text/html"), *([(b"set-cookie", b"a=b")] if b"cookie" in given else [])]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": f"<head></head>{asked[-1]}{len(asked)}".encode()})

    async def receive() -> dict[str, Any]:
        return {}

    app = Social(gradio, "title", "lead", Home())

    def got(query: bytes = b"", **headers: str) -> str:
        sent: list[Any] = []

        async def send(message: Any) -> None:
            sent.append(message)

        given = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
        scope = {"type": "http", "path": "/", "method": "GET", "query_string": query, "headers": given}
        # In a thread of its own: a browser of another test may have left a loop running in this one.
        with ThreadPoolExecutor(1) as pool:
            pool.submit(lambda: asyncio.run(app(scope, receive, send))).result()
        body = sent[1]["body"]
        assert dict(sent[0]["headers"])[b"content-length"] == str(len(body)).encode()
        packed = dict(sent[0]["headers"]).get(b"content-encoding") == b"gzip"
        return (gzip.decompress(body) if packed else body).decode()

    assert got(host="one", cookie="x").endswith("one1")
    first = got(host="one")
    assert first.endswith("one2")
    assert "og:title" in first
    assert got(host="one") == got(host="one", accept_encoding="br, gzip") == first
    assert got(host="two").endswith("two3")
    assert got(host="one", x_forwarded_proto="https").endswith("one4")
    assert got(b"view=tasks", host="one").endswith("one5")
    assert got(host="one") == first
    assert len(asked) == 5


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
    expected = str(validate(folder)).replace(f"{folder}/", "toy/").replace(str(folder), "toy")
    tab.goto(f"{address}?view=submit")
    tab.wait_for_selector("#page-submit h1", state="visible")
    tab.locator("input[name=archive]").set_input_files(str(packed))
    tab.get_by_role("button", name="Check it").click()
    shown = tab.frame_locator("iframe[name=report]").locator("#report")
    shown.wait_for(state="visible")
    assert shown.inner_text().strip() == expected.strip()
    assert str(tmp_path) not in expected


def test_an_archive_is_checked_without_scripts(address: str, chromium: Any, submit: Submit, tmp_path: Path) -> None:
    packed = pack_zip(tmp_path / "toy.zip", submit({"gad": 3}, "toy"))
    context = chromium.new_context(java_script_enabled=False)
    tab = context.new_page()
    tab.goto(f"{address}plain/submit")
    tab.locator("input[name=archive]").set_input_files(str(packed))
    tab.get_by_role("button", name="Check it").click()
    assert tab.locator("#report").inner_text().startswith("toy: accepted")
    context.close()


def ask(url: str, body: bytes | None = None, **headers: str) -> tuple[int, str, Any]:
    """Status, text and headers of an answer, whatever it is."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    try:
        with urllib.request.urlopen(urllib.request.Request(url, body, named), timeout=120) as answer:  # noqa: S310
            return answer.status, answer.read().decode("utf-8", "replace"), answer.headers
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode("utf-8", "replace"), error.headers


@pytest.mark.parametrize("path", ["", "plain/overall", "take/overall.csv", "take/curves.svg", "config", "nothing"])
def test_every_answer_has_the_headers(address: str, path: str) -> None:
    _, _, headers = ask(address + path)
    policy = headers["content-security-policy"]
    assert "frame-ancestors 'self'" in policy
    assert "object-src 'none'" in policy
    assert ("script-src" in policy) == (not path.startswith(("plain", "take")))
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["x-frame-options"] == "SAMEORIGIN"


@pytest.mark.parametrize(
    "path",
    ["openapi.json", "docs", "gradio_api/openapi.json", "gradio_api/upload", "gradio_api/upload_progress",
     "gradio_api/file=/etc/passwd", "gradio_api/file/etc/passwd", "gradio_api/proxy=http://127.0.0.1/",
     "gradio_api/runs", "gradio_api/run-history/records", "monitoring", "gradio_api/dev/reload", "login",
     "gradio_api/process_recording", "gradio_api/vibe-edit", "gradio_api/component_server", "gradio_api/token"],
)  # fmt: skip
@pytest.mark.parametrize("body", [None, b"{}"], ids=["get", "post"])
def test_what_the_app_does_not_need_is_closed(address: str, path: str, body: bytes | None) -> None:
    assert ask(address + path, body)[0] == 404


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b'{"data": [{"path": "http://127.0.0.1:1/x", "meta": {"_type": "gradio.FileData"}}]}', 400),
        (b'{"data": [[{"path": "/etc/passwd", "meta": {"_type": "gradio.FileData"}}]]}', 400),
        (b'{"data": {"path": "/etc/passwd"}}', 400),
        (b"[" * 60_000, 400),
        (b"x" * 70_000, 413),
        (b"not json", 400),
    ],
    ids=["fetch", "file", "object", "deep", "long", "words"],
)
def test_what_is_no_filter_is_not_handed_on(address: str, body: bytes, status: int) -> None:
    for path in ("gradio_api/queue/join", "gradio_api/call/tasks", "gradio_api/run/predict"):
        assert ask(address + path, body, Content_Type="application/json")[0] == status


def form(name: str, content: bytes) -> tuple[bytes, str]:
    head = f'--x\r\nContent-Disposition: form-data; name="archive"; filename="{name}"\r\n\r\n'
    return head.encode() + content + b"\r\n--x--\r\n", "multipart/form-data; boundary=x"


def test_uploads_are_bounded_and_gone(address: str, server_files: Path) -> None:
    body, kind = form("x.exe", b"MZ")
    assert ask(f"{address}check", body, Content_Type=kind)[0] == 415
    assert ask(f"{address}check", b"x", Content_Type="text/plain")[0] == 415
    assert ask(f"{address}check", b"--x\r\n" * 9, Content_Type="multipart/form-data; boundary=x")[0] in (400, 415)
    body, kind = form("x.zip", b"PK junk <script>alert(1)</script>")
    status, text, headers = ask(f"{address}check", body, Content_Type=kind)
    assert status == 200
    assert "cannot be read" in text
    assert "<script" not in text
    assert headers["cache-control"] == "no-store"
    with socket.create_connection(("127.0.0.1", int(address.rpartition(":")[2].strip("/"))), 30) as line:
        line.sendall(b"POST /check HTTP/1.1\r\nHost: x\r\nContent-Length: 999999999\r\n\r\n")
        assert b" 413 " in line.recv(100)
    assert [path.name for path in server_files.rglob("*") if path.is_file() and "clinsynth" in path.name] == []


def test_only_so_many_uploads_come_in_at_a_time(address: str) -> None:
    port = int(address.rpartition(":")[2].strip("/"))
    head = (
        b"POST /check HTTP/1.1\r\nHost: x\r\nContent-Type: multipart/form-data; boundary=x\r\n"
        b"Content-Length: 1000\r\n\r\n"
    )
    lines = [socket.create_connection(("127.0.0.1", port), 30) for _ in range(AT_A_TIME)]
    try:
        for line in lines:
            line.sendall(head + b"--x\r\n")
        body, kind = form("x.zip", b"PK")
        assert comes_to(503, f"{address}check", body, kind)
    finally:
        for line in lines:
            line.close()
    assert comes_to(200, f"{address}check", body, kind), "those that went away do not hold their places"


def comes_to(status: int, url: str, body: bytes, kind: str) -> bool:
    for _ in range(100):
        if ask(url, body, Content_Type=kind)[0] == status:
            return True
        time.sleep(0.1)
    return False


def test_programs_are_told_their_mistakes_and_no_paths(address: str) -> None:
    client: Any = pytest.importorskip("gradio_client").Client(address, verbose=False)
    with pytest.raises(Exception, match="formats: csv"):
        client.predict(view="overall", form="exe", filters="{}", api_name="/export")
    with pytest.raises(Exception, match="JSON object"):
        client.predict(view="overall", form="csv", filters="[", api_name="/export")
    client.close()


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


def judge(packed: Path, tmp_path: Path) -> tuple[str, int]:
    with tempfile.TemporaryDirectory(dir=tmp_path) as place:
        return archive.judge(packed, packed.name, Path(place))


def outcome(packed: Path) -> str:
    try:
        return archive.report(packed)[0]
    except UserError as error:
        return str(error)


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
        judge(zip_of(tmp_path / "x.zip", *members), tmp_path)
    # In a process of its own the bounds are those of the module: what they allow gets a report.
    words = outcome(tmp_path / "x.zip")
    assert str(tmp_path) not in words
    assert [path.name for path in tmp_path.iterdir()] == ["x.zip"], "something was left behind"


def test_tar_links_and_other_files_are_refused(tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "x.tar.gz", "w:gz") as out:
        info = tarfile.TarInfo("toy/submission.toml")
        info.type, info.linkname = tarfile.SYMTYPE, "/etc/passwd"
        out.addfile(info)
    with pytest.raises(UserError, match="a link or a device"):
        judge(tmp_path / "x.tar.gz", tmp_path)
    (tmp_path / "x.gz").write_bytes(b"text")
    with pytest.raises(UserError, match="no archive"):
        judge(tmp_path / "x.gz", tmp_path)


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
