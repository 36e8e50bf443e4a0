"""ASGI middleware around the app: what is let through with which headers, and the head of the first page.

The head gets the project's own tags for the cards that networks show of a link, and the board's one script.
"""

from __future__ import annotations

import gzip
import json
import os
import re
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from dataclasses import dataclass
from typing import Any, cast

from clinsynth.site import Frame, Home, social

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

BODY = 64 * 1024
"""Bytes of a request that only chooses filters."""
_QUERY = 8 * 1024
_ALLOWED = re.compile(
    r"/|/(take|plain|whole|assets|static|svelte)/[^?]*|/(config|theme\.css|favicon\.ico|robots\.txt|manifest\.json|pwa_icon|card\.png)/?"
    r"|/gradio_api/(info|config|startup-events|theme\.css|app_id|queue/(join|data)|heartbeat/\w+|(?:call|run)/[\w/-]+|cancel|reset)/?"
)
"""Paths that the app needs. Left out are uploaded files, the proxy, the schema, run histories and monitoring."""
CHECK = "/check"
"""Path to which archives are posted; it has limits of its own."""

_COMMON = "object-src 'none'; base-uri 'self'; form-action 'self'; "
_APP = (
    # gradio puts its configuration and its styles into the page and makes functions of the app's own small scripts.
    "default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data: blob:; font-src 'self' data:; connect-src 'self'; worker-src 'self' blob:; frame-src 'self'; "
)
_PLAIN = "default-src 'none'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "


def _headers(path: str) -> list[tuple[bytes, bytes]]:
    # A Hugging Face Space is shown in a frame of that site; anywhere else only our own pages may frame ours.
    own = "'self' https://huggingface.co" if os.environ.get("SPACE_ID") else "'self'"
    plain = path.startswith(("/plain/", "/whole/", "/take/", CHECK))
    policy = f"{_PLAIN if plain else _APP}{_COMMON}frame-ancestors {own}"
    values = {
        "content-security-policy": policy,
        "x-content-type-options": "nosniff",
        "referrer-policy": "no-referrer",
        "permissions-policy": "camera=(), microphone=(), geolocation=(), payment=()",
        "cross-origin-opener-policy": "same-origin",
        "cross-origin-resource-policy": "same-origin",
    }
    if not os.environ.get("SPACE_ID"):
        values["x-frame-options"] = "SAMEORIGIN"
    return [(name.encode(), value.encode()) for name, value in values.items()]


class Guard:
    """ASGI middleware around the whole app."""

    def __init__(self, app: App) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Refuse what the app does not need; hand on the rest, and put the headers on what comes back."""
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
            return
        if scope["type"] != "http":
            await send({"type": "websocket.close", "code": 1008})
            return
        path = str(scope["path"])
        guarded = _with_headers(send, _headers(path))
        if path != CHECK and not _ALLOWED.fullmatch(path):
            await _refuse(guarded, 404, "there is nothing here")
        elif len(cast("bytes", scope.get("query_string", b""))) > _QUERY:
            await _refuse(guarded, 414, "the address is too long")
        elif scope["method"] in ("GET", "HEAD") or path == CHECK:
            await self.app(scope, receive, guarded)
        elif (body := await _short_body(receive)) is None:
            await _refuse(guarded, 413, "the request is too long")
        elif not _only_values(body):
            await _refuse(guarded, 400, "filters are text or lists of text")
        else:
            await self.app(scope, _again(body, receive), guarded)


def _with_headers(send: Send, headers: list[tuple[bytes, bytes]]) -> Send:
    names = {name for name, _ in headers}

    async def sent(message: Message) -> None:
        if message["type"] == "http.response.start":
            kept = [pair for pair in message.get("headers", []) if pair[0].lower() not in names]
            message = {**message, "headers": [*kept, *headers]}
        await send(message)

    return sent


async def _refuse(send: Send, status: int, said: str) -> None:
    headers = [(b"content-type", b"text/plain; charset=utf-8"), (b"connection", b"close")]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": said.encode()})


async def _short_body(receive: Receive) -> bytes | None:
    body, more = b"", True
    while more:
        message = await receive()
        if message["type"] != "http.request":
            return None
        body += cast("bytes", message.get("body", b""))
        more = bool(message.get("more_body", False))
        if len(body) > BODY:
            return None
    return body


def _only_values(body: bytes) -> bool:
    """Whether values for filters hold no object: gradio would take one for a file, and fetch it."""
    try:
        value: Any = json.loads(body or b"{}")
    except (ValueError, RecursionError):
        return False
    data: Any = cast("dict[str, Any]", value).get("data", []) if isinstance(value, dict) else value
    flat: list[Any] = []
    for each in cast("list[Any]", data) if isinstance(data, list) else [data]:
        flat += cast("list[Any]", each) if isinstance(each, list) else [each]
    return not any(isinstance(each, dict | list) for each in flat)


def _again(body: bytes, receive: Receive) -> Receive:
    """A receive function that first repeats a body that was read, then passes on what follows."""
    given = False

    async def received() -> Message:
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return received


PICTURE = "card.png"
_THEIRS = re.compile(r"<meta\s+(?:property|name)=\"(?:og|twitter):[^>]*>\s*", re.IGNORECASE)
"""Gradio's own tags, which would otherwise be shown on the card of every link."""


_KEPT = 8
"""Addresses under which the app is reached, whose page is kept."""
_ADDRESS = (b"host", b"x-forwarded-host", b"x-forwarded-proto", b"x-gradio-server")
"""Headers that gradio takes the app's own address from, which stands in the page."""


@dataclass(frozen=True, slots=True)
class _Kept:
    """The page as it was sent: gradio makes it anew from all components each time, though nothing of it has changed."""

    headers: tuple[tuple[bytes, bytes], ...]
    plain: bytes
    packed: bytes

    async def send(self, send: Send, accepts: bytes) -> None:
        """Answer a request whose header of accepted encodings this is."""
        packed = b"gzip" in accepts
        body = self.packed if packed else self.plain
        own = [(b"content-length", str(len(body)).encode()), *([(b"content-encoding", b"gzip")] if packed else [])]
        headers = [*self.headers, *own, (b"vary", b"Accept-Encoding")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body})


class Social:
    """ASGI middleware: rewrites the head of the app's page, keeps it, and leaves everything else alone."""

    def __init__(self, app: App, title: str, lead: str, home: Home) -> None:
        self.app = app
        frame = Frame({}, "", home=home, picture=PICTURE)
        self._kept: OrderedDict[tuple[object, ...], _Kept] = OrderedDict()
        self.head = f'{social(title, lead, frame)}\n<script src="plain/board.js" defer></script>\n'

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Collect the page and send it with the new head."""
        if scope["type"] != "http" or scope["path"] != "/" or scope["method"] not in ("GET", "HEAD"):
            await self.app(scope, receive, send)
            return
        given = {name.lower(): value for name, value in scope["headers"]}
        key = (scope.get("scheme"), scope.get("root_path"), *(given.get(name) for name in _ADDRESS))
        accepts = given.get(b"accept-encoding", b"")
        if scope["method"] == "GET" and not scope.get("query_string") and key in self._kept:
            self._kept.move_to_end(key)
            await self._kept[key].send(send, accepts)
            return
        start: Message = {}
        parts: list[bytes] = []

        async def collect(message: Message) -> None:
            nonlocal start
            if message["type"] == "http.response.start":
                start = message
                return
            parts.append(message.get("body", b""))
            if not message.get("more_body", False):
                page = self.rewritten(b"".join(parts).decode("utf-8")).encode()
                headers: Iterable[tuple[bytes, bytes]] = start["headers"]
                kept = tuple(pair for pair in headers if pair[0].lower() not in (b"content-length", b"vary"))
                # What a query asks for, and what is set for one reader alone, is not for others.
                alone = scope.get("query_string") or any(name.lower() == b"set-cookie" for name, _ in kept)
                if start["status"] == 200 and scope["method"] == "GET" and not alone:
                    self._kept[key] = _Kept(kept, page, gzip.compress(page, 6))
                    if len(self._kept) > _KEPT:
                        self._kept.popitem(last=False)
                await send({**start, "headers": [*kept, (b"content-length", str(len(page)).encode())]})
                await send({"type": "http.response.body", "body": page})

        await self.app(scope, receive, collect)

    def rewritten(self, page: str) -> str:
        """The page with the board's tags in place of gradio's."""
        return _THEIRS.sub("", page).replace("</head>", f"{self.head}</head>", 1)
