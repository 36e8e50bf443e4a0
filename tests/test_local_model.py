"""``--model local``: found, checked, started, stopped; with a server that stands for the real one."""

import hashlib
import os
import signal
import subprocess
import sys
import textwrap
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from clinsynth.cli import main
from clinsynth.core.errors import UserError
from clinsynth.direct.records import DirectResults
from clinsynth.generation.record import read_generation
from clinsynth.llm import local

FAKE = """
import json, os, sys, threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

order = json.loads(sys.stdin.buffer.readline())

class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    number = 0
    def log_message(self, *_): pass
    def send(self, status, content):
        raw = json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(raw)))
        self.end_headers()
        self.wfile.write(raw)
    def do_GET(self):
        if self.headers["Authorization"] != "Bearer " + order["key"]:
            return self.send(401, {"error": {"message": "Invalid API Key"}})
        self.send(200, {"object": "list", "data": [{"id": order["name"], "object": "model", "owned_by": "llamacpp"}]})
    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if self.headers["Authorization"] != "Bearer " + order["key"]:
            return self.send(401, {"error": {"message": "Invalid API Key"}})
        Handler.number += 1
        words = " ".join("w%d" % (Handler.number * 7919 % (k + 11) * 31 + k) for k in range(12))
        text = json.dumps({"text": words + " @GENE$ and @DISEASE$ %d." % Handler.number})
        if "response_format" not in body:
            text = "relation"
        self.send(200, {"model": order["name"], "choices": [{"index": 0, "finish_reason": "stop",
                  "message": {"role": "assistant", "content": text}}],
                  "usage": {"prompt_tokens": 9, "completion_tokens": 9}})

server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
threading.Thread(target=server.serve_forever, daemon=True).start()
print(json.dumps({"address": "http://127.0.0.1:%d" % server.server_port}), flush=True)
while sys.stdin.buffer.read(4096): pass
os._exit(0)
"""


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    path = tmp_path / "Tiny.gguf"
    path.write_bytes(b"GGUF and no more")
    return path


@pytest.fixture
def fake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """``fake(script)``: what runs in place of the server."""

    def put(script: str) -> None:
        path = tmp_path / "fake.py"
        path.write_text(script)
        monkeypatch.setattr(local, "COMMAND", (sys.executable, str(path)))

    put(FAKE)
    return put


def get(address: str, key: str) -> int:
    request = urllib.request.Request(f"{address}/v1/models", headers={"Authorization": f"Bearer {key}"})  # noqa: S310
    try:
        with urllib.request.urlopen(request, timeout=60) as response:  # noqa: S310 - loopback
            return response.status
    except urllib.error.HTTPError as error:
        return error.code


def is_gone(address: str, key: str) -> bool:
    for _ in range(600):
        try:
            get(address, key)
        except OSError:
            return True
        time.sleep(0.1)
    return False


@pytest.mark.usefixtures("fake")
def test_it_serves_for_the_block_alone_and_to_whoever_has_the_key(weights: Path) -> None:
    lines: list[str] = []
    digest = hashlib.sha256(weights.read_bytes()).hexdigest()
    with local.serve_local(weights, lines.append) as model:
        assert model.address.startswith("http://127.0.0.1:")
        assert (model.name, model.weights) == (f"tiny-{digest[:8]}", f"sha256:{digest}")
        assert get(model.address, model.key) == 200
        assert get(model.address, "another") == 401
    assert is_gone(model.address, model.key)
    assert lines == [f"starting {model.name} on this machine"]


@pytest.mark.usefixtures("fake")
def test_an_error_in_the_block_ends_it_too(weights: Path) -> None:
    address = key = ""
    with pytest.raises(ZeroDivisionError), local.serve_local(weights, print) as model:
        address, key = model.address, model.key
        raise ZeroDivisionError
    assert is_gone(address, key)


@pytest.mark.usefixtures("fake")
def test_it_ends_when_whoever_started_it_is_killed(tmp_path: Path, weights: Path) -> None:
    parent = textwrap.dedent(f"""
        import time
        from pathlib import Path
        from clinsynth.llm import local
        local.COMMAND = {local.COMMAND!r}
        with local.serve_local(Path({str(weights)!r}), lambda line: None) as model:
            print(model.address, model.key, flush=True)
            time.sleep(3600)
    """)
    process = subprocess.Popen([sys.executable, "-c", parent], stdout=subprocess.PIPE, text=True)  # noqa: S603
    assert process.stdout is not None
    address, key = process.stdout.readline().split()
    assert get(address, key) == 200
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    process.stdout.close()
    assert is_gone(address, key)


@pytest.mark.parametrize(
    ("script", "said"),
    [
        ("import sys; sys.exit('not enough memory')", "not enough memory"),
        ("print('hello')", "ended with status 0"),
        ("print('[1]')", "ended with status 0"),
        ("import os, signal; os.kill(os.getpid(), signal.SIGKILL)", "ended with status -9"),
    ],
    ids=["error", "words", "list", "killed"],
)
def test_a_server_that_does_not_start_is_told(
    script: str, said: str, fake: Callable[[str], None], weights: Path
) -> None:
    fake(script)
    with pytest.raises(UserError, match=said), local.serve_local(weights, print):
        pass


def test_a_server_that_says_nothing_is_given_up(
    fake: Callable[[str], None], weights: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake("import sys; sys.stdin.read()")
    monkeypatch.setattr(local, "PATIENCE", 0.2)
    with pytest.raises(UserError, match="nothing for"), local.serve_local(weights, print):
        pass


@pytest.mark.usefixtures("fake")
@pytest.mark.parametrize(("content", "said"), [(None, "cannot be read"), (b"PK\x03\x04", "is no model")])
def test_a_file_that_is_no_model(content: bytes | None, said: str, tmp_path: Path) -> None:
    if content is not None:
        (tmp_path / "x.gguf").write_bytes(content)
    with pytest.raises(UserError, match=said), local.serve_local(tmp_path / "x.gguf", print):
        pass


def test_the_wheel_is_named_where_it_is_missing(weights: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    find: Callable[..., Any] = local.importlib.util.find_spec

    def without(name: str, package: str | None = None) -> Any:
        return None if name == "xllamacpp" else find(name, package)

    monkeypatch.setattr(local.importlib.util, "find_spec", without)
    with pytest.raises(UserError, match=r"pip install 'clinsynth\[local\]'"), local.serve_local(weights, print):
        pass


class Hub:
    """A hub that has the file, or not."""

    def __init__(self, cached: str | None, fetched: Path | Exception) -> None:
        self.cached = cached
        self.fetched = fetched
        self.asked: list[tuple[str, str]] = []

    def try_to_load_from_cache(self, repository: str, file: str) -> str | None:
        return self.cached

    def hf_hub_download(self, repository: str, file: str) -> str:
        self.asked.append((repository, file))
        if isinstance(self.fetched, Exception):
            raise self.fetched
        return str(self.fetched)


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Callable[[Hub], Hub]:
    real: Callable[[str], Any] = local.importlib.import_module

    def put(made: Hub) -> Hub:
        def load(name: str) -> Any:
            return made if name == "huggingface_hub" else real(name)

        monkeypatch.setattr(local.importlib, "import_module", load)
        return made

    return put


def test_the_default_is_downloaded_once_and_checked(
    hub: Callable[[Hub], Hub], weights: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("huggingface_hub", reason="huggingface_hub is not installed")
    lines: list[str] = []
    made = hub(Hub(None, weights))
    with pytest.raises(UserError, match=r"is not the published file(.|\n)*cc324af070c2"):
        local.find_weights(None, lines.append)
    assert made.asked == [(local.REPOSITORY, local.FILE)]
    assert "downloading" in lines[0]
    monkeypatch.setattr(local, "SHA256", hashlib.sha256(weights.read_bytes()).hexdigest())
    hub(Hub(str(weights), OSError("no network")))
    lines.clear()
    assert local.find_weights(None, lines.append).name == "qwen2.5-coder-1.5b-instruct-q4_k_m"
    assert lines == []
    assert local.find_weights(weights, lines.append).name == "qwen2.5-coder-1.5b-instruct-q4_k_m"


def test_without_a_network_a_file_can_be_named(hub: Callable[[Hub], Hub]) -> None:
    pytest.importorskip("huggingface_hub", reason="huggingface_hub is not installed")
    hub(Hub(None, OSError("no network")))
    with pytest.raises(UserError, match=r"cannot be downloaded(.|\n)*no network(.|\n)*--model-file"):
        local.find_weights(None, print)


@pytest.mark.usefixtures("fake")
def test_generate_and_direct_in_one_command(
    weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-of-somebody")
    monkeypatch.chdir(tmp_path)
    here = ["--sample", "--tasks", "gad", "--model", "local", "--model-file", str(weights), "--cache", "cache"]
    assert main(["generate", "naive", "--rows", "6", "--out", "made", *here]) == 0
    record = read_generation(tmp_path / "made", "gad")
    assert record is not None
    assert record.model is not None
    assert record.kept == 6
    digest = hashlib.sha256(weights.read_bytes()).hexdigest()
    assert (record.model.weights, record.model.server) == (f"sha256:{digest}", "llamacpp")
    assert record.seal == record.expected_seal()
    assert all(sent.request["max_tokens"] for sent in record.model.sent)
    if any(local.importlib.util.find_spec(name) is None for name in ("lm_eval", "aiohttp", "tenacity")):
        return
    words = ["direct", "--limit", "4", "--out", "answers", *here]
    assert main(words) == 0
    (stored,) = DirectResults(tmp_path / "answers", "sample").records()
    assert (stored.backend, stored.mode, stored.weights) == ("local-chat-completions", "chat", f"sha256:{digest}")
    assert stored.answers == {"read": 4}
    # The port is another one each time; the answers are found again all the same.
    DirectResults(tmp_path / "answers", "sample").record_path(stored.cell).unlink()
    assert main(words) == 0
    assert len(next((tmp_path / "cache" / "direct").glob("*.meta.jsonl")).read_text().splitlines()) == 4


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--model", "local", "--batch"], "--batch is for OpenAI"),
        (["--model", "other", "--model-file", "x.gguf"], "goes with --model local"),
        (["--model", "local", "--base-url", "http://127.0.0.1:1/v1", "--model-file", "x"], "goes with --model local"),
        (["--model", "x", "--extra-body", "[1]"], "is no object"),
        (["--model", "x", "--extra-body", "{"], "cannot be read"),
    ],
    ids=["batch", "file", "server", "list", "json"],
)
def test_words_that_do_not_go_together(
    words: list[str], said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["generate", "naive", "--tasks", "gad", "--sample", "--out", str(tmp_path / "made"), *words]) == 2
    assert said in capsys.readouterr().err
