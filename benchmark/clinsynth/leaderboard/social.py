"""The first answer of the app as a network's card and a reader's browser want it: our tags, our one script, at once."""

from __future__ import annotations

import gzip
import re
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from dataclasses import dataclass
from typing import Any

from clinsynth.site import Frame, Home, social

PICTURE = "card.png"
_THEIRS = re.compile(r"<meta\s+(?:property|name)=\"(?:og|twitter):[^>]*>\s*", re.IGNORECASE)
"""What gradio says of itself, which would stand on the card of every link."""

_KEPT = 8
"""Addresses under which the app is reached, whose page is kept."""
_ADDRESS = (b"host", b"x-forwarded-host", b"x-forwarded-proto", b"x-gradio-server")
"""Headers that gradio takes the app's own address from, which stands in the page."""

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]


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

    def __init__(
        self, app: Callable[[Scope, Receive, Send], Awaitable[None]], title: str, lead: str, home: Home
    ) -> None:
        self.app = app
        frame = Frame({}, "", home=home, picture=PICTURE)
        self._kept: OrderedDict[tuple[object, ...], _Kept] = OrderedDict()
        self.head = f'{social(title, lead, frame)}\n<script src="plain/board.js" defer></script>\n'

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Collect the page, and send it on with another head."""
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
        """The page with our tags in the place of theirs."""
        return _THEIRS.sub("", page).replace("</head>", f"{self.head}</head>", 1)
