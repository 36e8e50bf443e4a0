"""The first answer of the app as a network's card and a reader's browser want it: our tags, and our one script."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from clinsynth.site import Frame, Home, social

PICTURE = "card.png"
_THEIRS = re.compile(r"<meta\s+(?:property|name)=\"(?:og|twitter):[^>]*>\s*", re.IGNORECASE)
"""What gradio says of itself, which would stand on the card of every link."""

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]


class Social:
    """ASGI middleware: rewrites the head of the app's page and leaves everything else alone."""

    def __init__(
        self, app: Callable[[Scope, Receive, Send], Awaitable[None]], title: str, lead: str, home: Home
    ) -> None:
        self.app = app
        frame = Frame({}, "", home=home, picture=PICTURE)
        self.head = f'{social(title, lead, frame)}\n<script src="plain/board.js" defer></script>\n'

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Collect the page, and send it on with another head."""
        if scope["type"] != "http" or scope["path"] != "/" or scope["method"] not in ("GET", "HEAD"):
            await self.app(scope, receive, send)
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
                kept = [pair for pair in start["headers"] if pair[0].lower() != b"content-length"]
                await send({**start, "headers": [*kept, (b"content-length", str(len(page)).encode())]})
                await send({"type": "http.response.body", "body": page})

        await self.app(scope, receive, collect)

    def rewritten(self, page: str) -> str:
        """The page with our tags in the place of theirs."""
        return _THEIRS.sub("", page).replace("</head>", f"{self.head}</head>", 1)
