"""The openai library's client, with a bound on what a response may be."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from clinsynth.core import UserError
from clinsynth.llm.cost import OPENAI_URL

if TYPE_CHECKING:
    from openai import AsyncOpenAI

MOST_PACKED = 256
"""A compressed response may be smaller by so much: it may unpack to a multiple."""
LARGEST = 64 * 2**20
"""Bytes of a response. The longest answers, thoughts included, are a few millions; a batch's file has its own bound."""


class OversizedError(Exception):
    """A response that is larger than any answer."""


def connected(base_url: str, timeout: float, key: str, api_version: str = "") -> AsyncOpenAI:
    """A client without repetition of its own: that is ours, it is counted and shared.

    Raises:
        UserError: the library is not installed, or there is no key for OpenAI.
    """
    try:
        import httpx2
        from openai import AsyncOpenAI, DefaultAsyncHttpxClient
    except ImportError:
        raise UserError("the openai library is not installed", remedy="pip install 'clinsynth[llm]'") from None
    if not key and base_url.rstrip("/") == OPENAI_URL:
        raise UserError(
            f"no key for {OPENAI_URL}",
            remedy="set OPENAI_API_KEY, or name your own server (--base-url http://HOST/v1), or say --model local",
        )

    class Bounded(httpx2.AsyncByteStream):
        """A body that ends with an error once it is too large."""

        def __init__(self, stream: Any, most: int) -> None:
            self._stream = stream
            self._most = most

        async def __aiter__(self) -> AsyncIterator[bytes]:
            size = 0
            async for part in self._stream:
                size += len(part)
                if size > self._most:
                    raise OversizedError(f"the response has more than {self._most // 2**10:,} KiB")
                yield part

        async def aclose(self) -> None:
            await self._stream.aclose()

    async def bound(response: httpx2.Response) -> None:
        packed = response.headers.get("content-encoding", "identity") != "identity"
        if "/files/" not in response.request.url.path:
            response.stream = Bounded(response.stream, LARGEST // MOST_PACKED if packed else LARGEST)

    # Bytes are counted as they come, so none are asked for that unpack to more.
    headers, query = {"Accept-Encoding": "identity"}, dict[str, object]()
    if api_version:
        # Azure's dated interface: the key has a header of its own, and the version is part of the address.
        headers["api-key"] = key
        query["api-version"] = api_version

    async def as_azure(request: httpx2.Request) -> None:
        if api_version:
            del request.headers["Authorization"]

    hooks: dict[str, list[Any]] = {"request": [as_azure], "response": [bound]}
    http = DefaultAsyncHttpxClient(event_hooks=hooks, timeout=timeout)
    # A server of one's own wants no key, the library does.
    return AsyncOpenAI(
        api_key=key or "none", base_url=base_url, timeout=timeout, max_retries=0, http_client=http,
        default_headers=headers, default_query=query,
    )  # fmt: skip


def place(base_url: str) -> str:
    """The address without user name and password."""
    parts = urlsplit(base_url)
    return f"{parts.scheme}://{parts.hostname or ''}" + (f":{parts.port}" if parts.port else "") + parts.path
