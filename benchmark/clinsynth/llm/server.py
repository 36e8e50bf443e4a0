"""Single requests to a server: repeated when that may help, given up when not, and learning what the server takes."""

from __future__ import annotations

import asyncio
import os
import random
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Protocol

from clinsynth.core import UserError
from clinsynth.llm.cache import Reply
from clinsynth.llm.connection import OversizedError, connected, place
from clinsynth.llm.cost import Ledger
from clinsynth.llm.payloads import ENDPOINTS, Dialect, read_json, read_reply, told
from clinsynth.llm.refusals import Refusal, read_refusal
from clinsynth.llm.requests import Mode, Prompt

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
FIRST_ALONE = 10.0
"""Seconds for which the first request of its shape is waited for, at most."""
ENOUGH = 5
"""Equal refusals in a row, or answers in a row that are all thought and no text, after which a run ends: the next ones
would be the same, and cost."""
SHOWN = 300
"""Characters of a server's words."""


class GoneError(Exception):
    """The server answers nothing at all any more."""


class Memory(Protocol):
    """Memory of servers' refusals from run to run; a ``Cache`` is one."""

    def recall(self, server: str, model: str, mode: Mode) -> Mapping[str, str]:
        """Parameters that a server refused before."""
        ...

    def remember(self, server: str, model: str, mode: Mode, left_out: Mapping[str, str]) -> None:
        """Keep what a server refuses."""
        ...


class Server:
    """One OpenAI-compatible server. All of it runs in the client's thread."""

    def __init__(self, settings: ClientSettings, say: Callable[[str], None], memory: Memory | None = None) -> None:
        self._settings = settings
        self._say = say
        self._memory = memory
        self._who = (place(settings.base_url), settings.model, settings.mode)
        self.dialect = Dialect(settings.mode, settings.structured, settings.reasoning_effort, settings.extra_body)
        self._slots = asyncio.Semaphore(settings.concurrency)
        self._asking = asyncio.Lock()
        self.shapes: set[bool] = set()
        """Kinds of request (with a schema, without) that have had an answer."""
        self._late = False
        self._openai: AsyncOpenAI | None = None
        self._not_before = 0.0
        """Until then nothing is sent: the server asked to wait."""
        self._failed_since = 0
        """Requests given up since the last answer."""
        self._refused_since: tuple[tuple[str, str], int] = (("", ""), 0)
        """The last refusal, and how often it came since the last answer or another one."""
        self._shown: set[tuple[str, str]] = set()
        """Refusals that the user has seen."""
        self._hollow_since = 0
        self._answered = False
        self.ended: Exception | None = None
        """Why nothing is sent any more."""
        # Only spreads repetitions over time.
        self._jitter = random.Random()  # noqa: S311 - no secret
        if memory is not None:
            self.dialect.learn(memory.recall(*self._who))
        self._remembered = dict(self.dialect.left_out)

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
            settings = self._settings
            try:
                self._openai = connected(
                    settings.base_url, settings.timeout, settings.key or os.environ.get(KEY_VARIABLE, ""),
                    settings.api_version,
                )  # fmt: skip
                self.dialect.settle(await self._owner(self._openai))
            except UserError as error:
                self.ended = error
                raise
        return self._openai

    async def _owner(self, client: AsyncOpenAI) -> str:
        """Who the server says owns its models: this tells what kind of server it is; empty where it does not say."""
        from openai import APIConnectionError, APIError, APITimeoutError

        try:
            async with asyncio.timeout(30.0):
                listed = [model async for model in client.with_options(timeout=30.0).models.list()]
        except (APITimeoutError, TimeoutError):
            return ""
        except APIConnectionError as error:
            raise UserError(
                f"nothing answers at {place(self._settings.base_url)}",
                found=str(error.__cause__ or error),
                remedy="start the server, or mend --base-url; docs/generating.md has the commands",
            ) from None
        except (APIError, OversizedError, ValueError, TypeError, AttributeError, RecursionError):
            return ""
        owners = {str(getattr(model, "id", "")): getattr(model, "owned_by", "") for model in listed}
        return str(owners.get(self._settings.model) or next(iter(owners.values()), "") or "")

    async def request(self, prompt: Prompt, key: str, ledger: Ledger, closed: Callable[[], bool]) -> Reply | None:
        """The answer, or ``None`` for a request that was given up; cancelled if ``closed`` before it is sent.

        Raises:
            UserError: no request can go well (key, model, quota), or all are refused or answered with nothing.
            GoneError: the server does not answer any more.
        """
        shape = prompt.schema is not None
        async with self._slots:
            # The first of its shape goes alone: what it teaches about the server then holds for all others.
            if shape not in self.shapes and await self._alone(shape):
                try:
                    reply = await self._attempts(prompt, key, ledger, closed)
                    if reply is not None and not hollow(reply):
                        self.shapes.add(shape)
                    return reply
                finally:
                    self._asking.release()
            return await self._attempts(prompt, key, ledger, closed)

    async def _alone(self, shape: bool) -> bool:
        """Whether to go first and release the lock: not where another went well, or is at work for long."""
        try:
            # Refusals come soon. A long answer by a slow server must not hold all others.
            async with asyncio.timeout(FIRST_ALONE):
                await self._asking.acquire()
        except TimeoutError:
            return False
        if shape in self.shapes:
            self._asking.release()
        return shape not in self.shapes

    def note(self, reply: Reply) -> None:
        """Look at an answer, of this run or an earlier one: a model that only thinks is not asked on and on."""
        if not hollow(reply):
            self._hollow_since = 0
            return
        self._hollow_since += 1
        said = f"an answer was cut at {reply.tokens_out or 'its'} tokens before its text began"
        remedy = "more room (--answer-tokens 4000), or less thought (--reasoning-effort low)"
        if self._hollow_since == 1:
            self._say(f"{said}: a model that thinks first wants {remedy}")
        if self._hollow_since >= ENOUGH and self.ended is None:
            self.ended = UserError(
                f"{self._settings.model} gives no text: {self._hollow_since} answers in a row",
                found=said, remedy=remedy,
            )  # fmt: skip

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
                self._failed_since, self._answered, self._refused_since = 0, True, (("", ""), 0)
                self._keep()
                return got
            now, _ = self.dialect.body(prompt, self._settings.model, key)
            if got.kind in ("refused", "retry") and (now != body or self._adapted(got, body)):
                continue
            if got.kind == "filtered":
                return Reply(
                    text="", finish="filtered", tokens_in=None, tokens_out=None, model=self._settings.model,
                    sent=told(body),
                )  # fmt: skip
            if got.kind == "fatal":
                self.ended = self._fatal(got)
                raise self.ended
            attempt += 1
            if got.kind == "refused" or attempt >= self._settings.attempts or self._unreachable(got):
                await self._give_up(got, client, ledger)
                return None
            if got.reason == "timeout" and not self._late:
                self._late = True
                self._say(
                    f"no answer within {self._settings.timeout:,.0f} seconds; it is asked for again. If the server is "
                    "only slow, give it longer (--timeout)"
                )
            ledger.retry(got.reason)
            await self._back_off(got, attempt, closed)

    async def _once(self, client: AsyncOpenAI, body: dict[str, Any], how: str) -> Reply | Refusal:
        import httpx2
        from openai import APIConnectionError, APIError, APIStatusError, APITimeoutError

        began = time.perf_counter()
        try:
            # For the whole of it: a server that sends a byte now and then is never silent for long.
            async with asyncio.timeout(self._settings.timeout):
                response = await client.post(ENDPOINTS[self._settings.mode], cast_to=httpx2.Response, body=body)
        except (APITimeoutError, TimeoutError):
            return Refusal("retry", "timeout", "no answer in time")
        except APIConnectionError as error:
            return Refusal("retry", "connection", str(error.__cause__ or error))
        except OversizedError as error:
            return Refusal("refused", "oversized", str(error))
        except APIStatusError as error:
            answer = read_json(error.response.content)
            return read_refusal(error.status_code, error.body if answer is None else answer, error.response.headers)
        except (APIError, ValueError) as error:
            return Refusal("retry", "malformed", type(error).__name__)
        seconds = time.perf_counter() - began
        reply = read_reply(read_json(response.content), how, seconds=seconds, sent=told(body))
        return reply or Refusal("retry", "malformed", "the response has not the form of an answer")

    def _adapted(self, refusal: Refusal, body: Mapping[str, Any]) -> bool:
        name = self.dialect.adapt(refusal, body)
        if name:
            self._say(f"the server refuses {name}: {self.dialect.left_out[name]} ({refusal.said[:SHOWN]})")
        return bool(name)

    def _keep(self) -> None:
        """Remember what was left out of a request that was answered."""
        if self._memory is not None and self.dialect.left_out != self._remembered:
            self._remembered = dict(self.dialect.left_out)
            self._memory.remember(*self._who, self._remembered)

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
        where = place(self._settings.base_url)
        if refusal.kind == "refused":
            self._count_refusal(refusal, where)
        else:
            self._failed_since += 1
            failed = self._failed_since
            if refusal.reason == "connection" and not await _answers(client):
                self.ended = GoneError(f"the server at {where} is gone: {refusal.said}")
            elif failed >= max(5, self._settings.concurrency):
                self.ended = GoneError(
                    f"the server at {where} fails every request: {failed} in a row, the last with {refusal.reason}"
                )
        if self.ended is not None:
            raise self.ended

    def _count_refusal(self, refusal: Refusal, where: str) -> None:
        """Mostly one request is at fault, not the server; but not where one after the other is refused alike."""
        same, (last, times) = refusal.sameness, self._refused_since
        times = times + 1 if same == last else 1
        self._refused_since = same, times
        if same not in self._shown:
            self._shown.add(same)
            self._say(f"the server refuses a request ({refusal.reason}): {refusal.said[:SHOWN]}")
        if times >= ENOUGH and self.ended is None:
            self.ended = UserError(
                f"{where} refuses every request in the same words ({refusal.reason}), {times} in a row",
                found=refusal.said[:SHOWN],
                remedy="mend the settings: docs/generating.md says what may be set; what was answered is kept",
            )

    def _fatal(self, refusal: Refusal) -> UserError:
        where = place(self._settings.base_url)
        remedy = {
            "401": f"set the key in the environment variable {KEY_VARIABLE}",
            "403": f"ask for access to the model, or use another key in {KEY_VARIABLE}",
            "404": f"mend --model ({self._settings.model}), --mode ({self._settings.mode}) or --base-url; an Azure "
            "deployment's own address also wants --api-version",
            "quota": "the account has no credit left; what was answered is kept",
        }[refusal.reason]
        return UserError(f"{where} refuses every request ({refusal.reason})", found=refusal.said[:SHOWN], remedy=remedy)


def hollow(reply: Reply) -> bool:
    """Whether an answer was cut before its text began: all its tokens were thought, and are paid."""
    return reply.finish == "length" and not reply.text.strip()


async def _answers(client: AsyncOpenAI) -> bool:
    from openai import APIConnectionError, APIError

    try:
        async with asyncio.timeout(30.0):
            await client.with_options(timeout=30.0).models.list()
    except APIConnectionError:
        return False
    except (APIError, OversizedError, ValueError, TimeoutError):
        return True
    return True
