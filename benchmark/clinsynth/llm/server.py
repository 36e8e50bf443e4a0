"""Single requests to a server: repeated when that may help, given up when not, and learning what the server takes."""

from __future__ import annotations

import asyncio
import os
import random
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from clinsynth.core import UserError
from clinsynth.llm.cache import Reply
from clinsynth.llm.cost import OPENAI_URL, Ledger
from clinsynth.llm.payloads import ENDPOINTS, Dialect, Refusal, read_refusal, read_reply
from clinsynth.llm.requests import Prompt

if TYPE_CHECKING:
    from openai import AsyncOpenAI

    from clinsynth.llm import ClientSettings

KEY_VARIABLE = "OPENAI_API_KEY"
LONGEST_WAIT = 60.0
"""Seconds between two attempts, where the server does not ask for more."""
LONG_WAIT = 10.0
"""Seconds from which a wait is worth a line."""
NAP = 0.25
"""Seconds after which a waiting request looks whether anybody still wants it."""
LONGEST_ASKED_WAIT = 3_600.0
"""Seconds that are waited at most when the server asks for it."""


class GoneError(Exception):
    """The server answers nothing at all any more."""


class Server:
    """One OpenAI-compatible server. All of it runs in the client's thread."""

    def __init__(self, settings: ClientSettings, say: Callable[[str], None]) -> None:
        self._settings = settings
        self._say = say
        self.dialect = Dialect(settings.mode, settings.structured)
        self._slots = asyncio.Semaphore(settings.concurrency)
        self._asking = asyncio.Lock()
        self.shapes: set[bool] = set()
        """Kinds of request (with a schema, without) that have had an answer."""
        self._openai: AsyncOpenAI | None = None
        self._not_before = 0.0
        """Until then nothing is sent: the server asked to wait."""
        self._failed_since = 0
        """Requests given up since the last answer."""
        self._answered = False
        self.ended: Exception | None = None
        """Why nothing is sent any more."""
        # Only spreads repetitions over time.
        self._jitter = random.Random()  # noqa: S311 - no secret

    async def close(self) -> None:
        """Close the connections."""
        if self._openai is not None:
            await self._openai.close()
            self._openai = None

    async def openai(self) -> AsyncOpenAI:
        """The client library, on first use; asks the server what it is.

        Raises:
            UserError: there is no key for OpenAI, or nothing answers.
        """
        if self._openai is None:
            try:
                self._openai = _connect(self._settings)
                self.dialect.settle(await self._owner(self._openai))
            except UserError as error:
                self.ended = error
                raise
        return self._openai

    async def _owner(self, client: AsyncOpenAI) -> str:
        """Who the server says owns its models: this tells what kind of server it is; empty where it does not say."""
        from openai import APIConnectionError, APIError, APITimeoutError

        try:
            listed = [model async for model in client.with_options(timeout=30.0).models.list()]
        except APITimeoutError:
            return ""
        except APIConnectionError as error:
            raise UserError(
                f"nothing answers at {_place(self._settings.base_url)}",
                found=str(error.__cause__ or error),
                remedy="start the server, or mend --base-url; docs/generating.md has the commands",
            ) from None
        except (APIError, ValueError):
            return ""
        owners = {model.id: getattr(model, "owned_by", "") for model in listed}
        return str(owners.get(self._settings.model) or next(iter(owners.values()), "") or "")

    async def request(self, prompt: Prompt, key: str, ledger: Ledger, closed: Callable[[], bool]) -> Reply | None:
        """The answer, or ``None`` for a request that was given up; cancelled if ``closed`` before it is sent.

        Raises:
            UserError: no request can go well (key, model, quota).
            GoneError: the server does not answer any more.
        """
        shape = prompt.schema is not None
        async with self._slots:
            # The first of its shape goes alone: what it teaches about the server then holds for all others.
            while shape not in self.shapes:
                async with self._asking:
                    if shape in self.shapes:
                        break
                    reply = await self._attempts(prompt, key, ledger, closed)
                    if reply is not None:
                        self.shapes.add(shape)
                    return reply
            return await self._attempts(prompt, key, ledger, closed)

    async def _attempts(self, prompt: Prompt, key: str, ledger: Ledger, closed: Callable[[], bool]) -> Reply | None:
        attempt = 0
        while True:
            if closed():
                raise asyncio.CancelledError
            if self.ended is not None:
                raise self.ended
            await self._sleep(self._not_before, closed)
            client = await self.openai()
            body, how = self.dialect.body(prompt, self._settings.model, key)
            got = await self._once(client, body, how)
            if isinstance(got, Reply):
                self._failed_since, self._answered = 0, True
                return got
            now, _ = self.dialect.body(prompt, self._settings.model, key)
            if got.kind in ("refused", "retry") and (now != body or self.dialect.adapt(got, body)):
                continue
            if got.kind == "filtered":
                return Reply(text="", finish="filtered", tokens_in=None, tokens_out=None, model=self._settings.model)
            if got.kind == "fatal":
                self.ended = self._fatal(got)
                raise self.ended
            attempt += 1
            if got.kind == "refused" or attempt >= self._settings.attempts or self._unreachable(got):
                await self._give_up(got, client, ledger)
                return None
            ledger.retry(got.reason)
            await self._back_off(got, attempt, closed)

    async def _once(self, client: AsyncOpenAI, body: dict[str, Any], how: str) -> Reply | Refusal:
        from openai import APIConnectionError, APIError, APIStatusError, APITimeoutError

        began = time.perf_counter()
        try:
            content: Any = await client.post(ENDPOINTS[self._settings.mode], cast_to=object, body=body)
        except APITimeoutError:
            return Refusal("retry", "timeout", "no answer in time")
        except APIConnectionError as error:
            return Refusal("retry", "connection", str(error.__cause__ or error))
        except APIStatusError as error:
            return read_refusal(error.status_code, error.body, error.response.headers)
        except (APIError, ValueError) as error:
            return Refusal("retry", "malformed", type(error).__name__)
        reply = read_reply(content, how, seconds=time.perf_counter() - began)
        return reply or Refusal("retry", "malformed", "the response has not the form of an answer")

    def _unreachable(self, refusal: Refusal) -> bool:
        """Nothing has ever been answered: a wrong address rather than a hiccup."""
        return refusal.reason == "connection" and not self._answered

    async def _sleep(self, until: float, closed: Callable[[], bool]) -> None:
        while (wait := max(until, self._not_before) - time.monotonic()) > 0 and not closed():
            await asyncio.sleep(min(wait, NAP))

    async def _back_off(self, refusal: Refusal, attempt: int, closed: Callable[[], bool]) -> None:
        now = time.monotonic()
        if refusal.wait is not None:
            # Everybody waits: the limit is the server's, not this request's.
            wait = min(refusal.wait, LONGEST_ASKED_WAIT)
            if wait > LONG_WAIT and now + wait > self._not_before + LONG_WAIT:
                self._say(f"the server asks to wait for {wait:.0f} seconds")
            self._not_before = max(self._not_before, now + wait)
            return
        longest = min(self._settings.backoff * 2 ** (attempt - 1), LONGEST_WAIT)
        await self._sleep(now + longest * (0.5 + 0.5 * self._jitter.random()), closed)

    async def _give_up(self, refusal: Refusal, client: AsyncOpenAI, ledger: Ledger) -> None:
        ledger.give_up()
        if refusal.kind == "refused":
            return  # this request is at fault, not the server
        self._failed_since += 1
        where, failed = _place(self._settings.base_url), self._failed_since
        if refusal.reason == "connection" and not await _answers(client):
            self.ended = GoneError(f"the server at {where} is gone: {refusal.said}")
        elif failed >= max(5, self._settings.concurrency):
            self.ended = GoneError(
                f"the server at {where} fails every request: {failed} in a row, the last with {refusal.reason}"
            )
        if self.ended is not None:
            raise self.ended

    def _fatal(self, refusal: Refusal) -> UserError:
        where = _place(self._settings.base_url)
        remedy = {
            "401": f"set the key in the environment variable {KEY_VARIABLE}",
            "403": f"ask for access to the model, or use another key in {KEY_VARIABLE}",
            "404": f"mend --model ({self._settings.model}), --mode ({self._settings.mode}) or --base-url",
            "quota": "the account has no credit left; what was answered is kept",
        }[refusal.reason]
        return UserError(f"{where} refuses every request ({refusal.reason})", found=refusal.said[:300], remedy=remedy)


def _connect(settings: ClientSettings) -> AsyncOpenAI:
    try:
        from openai import AsyncOpenAI
    except ImportError:
        raise UserError("the openai library is not installed", remedy="pip install 'clinsynth[llm]'") from None
    key = os.environ.get(KEY_VARIABLE, "")
    if not key and settings.base_url.rstrip("/") == OPENAI_URL:
        raise UserError(
            f"no key for {OPENAI_URL}", remedy=f"set {KEY_VARIABLE}, or name your own server: --base-url http://HOST/v1"
        )
    # A server of one's own wants no key, the library does. Repetition is ours: it is counted and shared.
    return AsyncOpenAI(api_key=key or "none", base_url=settings.base_url, timeout=settings.timeout, max_retries=0)


async def _answers(client: AsyncOpenAI) -> bool:
    from openai import APIConnectionError, APIError

    try:
        await client.with_options(timeout=30.0).models.list()
    except APIConnectionError:
        return False
    except (APIError, ValueError):
        return True
    return True


def _place(base_url: str) -> str:
    """The address without user name and password."""
    from urllib.parse import urlsplit

    parts = urlsplit(base_url)
    return f"{parts.scheme}://{parts.hostname or ''}" + (f":{parts.port}" if parts.port else "") + parts.path
