"""An OpenAI-compatible server that does what a script says: answers, errors, silence, and death halfway.

A test gives a function from a request to a reaction. What was asked, and what was answered and so paid, is counted.
"""

from __future__ import annotations

import email
import email.policy
import json
import threading
import time
from collections import Counter
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, cast


@dataclass(frozen=True, kw_only=True, slots=True)
class Asked:
    """A request for an answer."""

    body: Mapping[str, Any]
    number: int
    """The how-manyth of all, from 0."""
    attempt: int
    """The how-manyth with this very body, from 0."""
    path: str
    key: str
    """What came in the Authorization header."""
    headers: Mapping[str, str] = field(default_factory=dict[str, str])

    @property
    def prompt(self) -> str:
        """The user's text."""
        return str(self.body["prompt"] if "prompt" in self.body else self.body["messages"][-1]["content"])


@dataclass(frozen=True, kw_only=True, slots=True)
class Say:
    """An answer."""

    text: str
    finish: str = "stop"
    tokens_in: int | None = 10
    tokens_out: int = 5
    model: str = "scripted-2026-01-01"
    after: float = 0.0
    """Seconds."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Fail:
    """An error."""

    status: int
    message: str = "as scripted"
    code: str | None = None
    param: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    body: Any = None
    """All of the JSON, in place of what the other fields say."""


@dataclass(frozen=True, slots=True)
class Raw:
    """Bytes with status 200, whatever they are."""

    content: bytes
    kind: str = "application/json"


@dataclass(frozen=True, slots=True)
class Drip:
    """An answer without an end: ``part`` again and again, with so many seconds between."""

    seconds: float
    part: bytes = b" "


@dataclass(frozen=True, slots=True)
class Hang:
    """No answer for so many seconds, and then none either."""

    seconds: float


@dataclass(frozen=True)
class Drop:
    """The connection is closed without an answer."""


@dataclass(frozen=True)
class Die:
    """The server is gone: this request and all later ones get nothing."""


Reaction = Say | Fail | Raw | Drip | Hang | Drop | Die
Script = Callable[[Asked], Reaction]


@dataclass(slots=True)
class Batches:
    """The Batch API: what is handed in, and how far it gets."""

    files: dict[str, bytes] = field(default_factory=dict[str, bytes])
    batches: dict[str, dict[str, Any]] = field(default_factory=dict[str, dict[str, Any]])
    looks: int = 2
    """After so many looks a batch is done."""
    ends: list[tuple[str, int | None]] = field(default_factory=list[tuple[str, "int | None"]])
    """How each batch ends: its status, and how many lines it gets done (``None``: all); later ones are completed."""
    lines: list[int] = field(default_factory=list[int])
    """Lines of each batch that was handed in."""


class ScriptedServer:
    """Runs in a thread until it is closed."""

    def __init__(self, script: Script, owner: str = "scripted", latency: float = 0.0) -> None:
        self.script = script
        self.owner = owner
        self.latency = latency
        self.asked: list[Asked] = []
        self.paid: Counter[str] = Counter()
        """Answers given, by request body."""
        self.most_at_once = 0
        self.batch = Batches()
        self._at_once = 0
        self._attempts: Counter[str] = Counter()
        self._lock = threading.Lock()
        self._dead = False
        server = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name is the base class's
                pass

            def do_GET(self) -> None:
                server.on_get(self)

            def do_POST(self) -> None:
                server.on_post(self)

        class Server(ThreadingHTTPServer):
            request_queue_size = 128
            daemon_threads = True

            def handle_error(self, request: Any, client_address: Any) -> None:
                pass  # a client that went away

        self._http = Server(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()

    @property
    def base_url(self) -> str:
        return f"http://127.0.0.1:{self._http.server_port}/v1"

    @property
    def answers(self) -> int:
        """Answers given and so paid."""
        return self.paid.total()

    def close(self) -> None:
        self._http.shutdown()
        self._http.server_close()
        self._thread.join()

    def on_get(self, http: BaseHTTPRequestHandler) -> None:
        if self._dead:
            return _drop(http)
        path = http.path.removeprefix("/v1").split("?")[0]
        if path == "/models":
            return _send(http, 200, {"object": "list", "data": [_model(self.owner)]})
        parts = path.strip("/").split("/")
        if parts[0] == "files" and parts[-1] == "content":
            return _send_bytes(http, self.batch.files[parts[1]])
        if parts == ["batches"]:
            return _send(http, 200, {"object": "list", "data": list(self.batch.batches.values()), "has_more": False})
        if parts[0] == "batches":
            return _send(http, 200, self._look(parts[1]))
        return _send(http, 404, {"error": {"message": "no such thing"}})

    def on_post(self, http: BaseHTTPRequestHandler) -> None:
        content = http.rfile.read(int(http.headers["Content-Length"]))
        if self._dead:
            return _drop(http)
        path = http.path.removeprefix("/v1")
        if path == "/files":
            name = f"file-{len(self.batch.files)}"
            self.batch.files[name] = _uploaded(http.headers["Content-Type"], content)
            return _send(http, 200, _file(name))
        if path == "/batches":
            return _send(http, 200, self._hand_in(json.loads(content)))
        with self._lock:
            self._at_once += 1
            self.most_at_once = max(self.most_at_once, self._at_once)
        try:
            return self._answer(http, path, content)
        finally:
            with self._lock:
                self._at_once -= 1

    def react(
        self, path: str, content: str, key: str = "", headers: Mapping[str, str] | None = None
    ) -> tuple[Reaction, Mapping[str, Any]]:
        body = json.loads(content)
        same = json.dumps(body, sort_keys=True)
        with self._lock:
            asked = Asked(
                body=body, number=len(self.asked), attempt=self._attempts[same], path=path, key=key,
                headers=headers or {},
            )  # fmt: skip
            self.asked.append(asked)
            self._attempts[same] += 1
        reaction = self.script(asked)
        if isinstance(reaction, Say):
            with self._lock:
                self.paid[same] += 1
        return reaction, body

    def _answer(self, http: BaseHTTPRequestHandler, path: str, content: bytes) -> None:
        reaction, _ = self.react(path, content.decode(), http.headers["Authorization"] or "", dict(http.headers))
        if self.latency:
            time.sleep(self.latency)
        match reaction:
            case Say():
                time.sleep(reaction.after)
                _send(http, 200, completion(reaction, path))
            case Fail():
                _send(http, reaction.status, error(reaction), reaction.headers)
            case Raw(content=raw, kind=kind):
                _send_bytes(http, raw, kind)
            case Drip():
                _drip(http, reaction)
            case Hang(seconds=seconds):
                time.sleep(seconds)
                _drop(http)
            case Drop():
                _drop(http)
            case Die():
                self._dead = True
                _drop(http)

    def _hand_in(self, wanted: Mapping[str, Any]) -> dict[str, Any]:
        name = f"batch-{len(self.batch.batches)}"
        made = {
            "id": name, "object": "batch", "status": "in_progress", "created_at": 0, "completion_window": "24h",
            "endpoint": wanted["endpoint"], "input_file_id": wanted["input_file_id"],
            "metadata": wanted.get("metadata"), "looks": 0,
            "request_counts": {"total": 0, "completed": 0, "failed": 0},
        }  # fmt: skip
        self.batch.lines.append(len(self.batch.files[wanted["input_file_id"]].splitlines()))
        self.batch.batches[name] = made
        return made

    def _look(self, name: str) -> dict[str, Any]:
        made = self.batch.batches[name]
        made["looks"] += 1
        if made["status"] == "in_progress" and made["looks"] >= self.batch.looks:
            status, done = self.batch.ends.pop(0) if self.batch.ends else ("completed", None)
            self._run_batch(made, done)
            made["status"] = status
            if status == "failed":
                made["errors"] = {"object": "list", "data": [{"code": "bad", "message": "as scripted"}]}
        return made

    def _run_batch(self, made: dict[str, Any], done: int | None) -> None:
        good: list[Any] = []
        bad: list[Any] = []
        for line in self.batch.files[made["input_file_id"]].splitlines()[:done]:
            request = json.loads(line)
            path = request["url"].removeprefix("/v1")
            reaction, _ = self.react(path, json.dumps(request["body"]))
            if isinstance(reaction, Say):
                response: Any = {"status_code": 200, "request_id": "r", "body": completion(reaction, path)}
                good.append({"id": "x", "custom_id": request["custom_id"], "response": response, "error": None})
            elif isinstance(reaction, Fail):
                response = {"status_code": reaction.status, "request_id": "r", "body": error(reaction)}
                bad.append({"id": "x", "custom_id": request["custom_id"], "response": response, "error": None})
        # The order of a batch's output is not that of its input.
        for field_name, lines in (("output_file_id", good[::-1]), ("error_file_id", bad[::-1])):
            if lines:
                made[field_name] = f"{made['id']}-{field_name}"
                self.batch.files[made[field_name]] = "\n".join(map(json.dumps, lines)).encode()


@contextmanager
def serve(script: Script, **options: Any) -> Generator[ScriptedServer]:
    """A server for the length of the block."""
    server = ScriptedServer(script, **options)
    try:
        yield server
    finally:
        server.close()


def completion(say: Say, path: str) -> dict[str, Any]:
    """The JSON of an answer."""
    choice: dict[str, Any] = {"index": 0, "finish_reason": say.finish, "logprobs": None}
    choice |= {"message": {"role": "assistant", "content": say.text}} if "chat" in path else {"text": say.text}
    usage = None
    if say.tokens_in is not None:
        usage = {
            "prompt_tokens": say.tokens_in, "completion_tokens": say.tokens_out,
            "total_tokens": say.tokens_in + say.tokens_out,
        }  # fmt: skip
    return {"id": "x", "object": "completion", "created": 0, "model": say.model, "choices": [choice], "usage": usage}


def error(fail: Fail) -> Any:
    """The JSON of an error."""
    if fail.body is not None:
        return fail.body
    return {"error": {"message": fail.message, "type": "scripted", "code": fail.code, "param": fail.param}}


def _model(owner: str) -> dict[str, Any]:
    return {"id": "scripted", "object": "model", "created": 0, "owned_by": owner}


def _file(name: str) -> dict[str, Any]:
    return {"id": name, "object": "file", "bytes": 0, "created_at": 0, "filename": name, "purpose": "batch",
            "status": "processed"}  # fmt: skip


def _uploaded(kind: str, content: bytes) -> bytes:
    message = email.message_from_bytes(
        b"Content-Type: " + kind.encode() + b"\r\n\r\n" + content, policy=email.policy.HTTP
    )
    for part in message.iter_parts():
        if part.get_param("name", header="content-disposition") == "file":
            return cast("bytes", part.get_payload(decode=True))
    raise AssertionError("no file in the upload")


def _send(http: BaseHTTPRequestHandler, status: int, content: Any, headers: Mapping[str, str] | None = None) -> None:
    raw = json.dumps(content).encode()
    http.send_response(status)
    for name, value in {"Content-Type": "application/json", "Content-Length": str(len(raw)), **(headers or {})}.items():
        http.send_header(name, value)
    http.end_headers()
    http.wfile.write(raw)


def _drip(http: BaseHTTPRequestHandler, reaction: Drip) -> None:
    http.send_response(200)
    http.send_header("Content-Type", "application/json")
    http.send_header("Connection", "close")
    http.end_headers()
    http.close_connection = True
    with suppress(OSError):  # until the other side has had enough
        while True:
            http.wfile.write(reaction.part)
            http.wfile.flush()
            time.sleep(reaction.seconds)


def _send_bytes(http: BaseHTTPRequestHandler, raw: bytes, kind: str = "application/json") -> None:
    http.send_response(200)
    http.send_header("Content-Type", kind)
    http.send_header("Content-Length", str(len(raw)))
    http.end_headers()
    http.wfile.write(raw)


def _drop(http: BaseHTTPRequestHandler) -> None:
    http.close_connection = True
    http.connection.shutdown(2)
