"""A model behind an OpenAI-compatible server: bounded concurrency, retries, cache, ledger and limits.

Answers are handed out in the order of the prompts, and what is asked depends on nothing but the prompts, the answers
and the limits: never on which answer came first.
"""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import Callable, Coroutine, Iterator, Mapping, Sequence
from concurrent.futures import Future, wait
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

from clinsynth.core import UserError
from clinsynth.llm.cache import Cache, Reply, request_key
from clinsynth.llm.cost import Ledger, Prices, UnknownPrices
from clinsynth.llm.payloads import Structured
from clinsynth.llm.requests import Answer, BudgetSpentError, Mode, Prompt
from clinsynth.llm.server import GoneError, Server

T = TypeVar("T")

CHARACTERS_A_TOKEN = 4.0
"""Of English text, for estimates (https://help.openai.com/en/articles/4936856)."""
_FEWEST_CHARACTERS_A_TOKEN = 2.5
"""For the most that a prompt may turn out to be; clinical English has over 3."""
_FRAME_TOKENS = 32
"""Room for what a chat template puts around a message."""
AHEAD = 16
"""Requests that are begun before the first answer of them is there, for each that is under way at a time."""
GRACE = 60.0
"""Seconds that answers in flight are waited for when nobody wants any more: they are paid. Ctrl-C again: no wait."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ClientSettings:
    """Which server and model, and how they are asked."""

    model: str
    mode: Mode = "chat"
    base_url: str
    concurrency: int = 8
    """Requests at a time."""
    structured: Structured = "auto"
    temperature: float | None = None
    """Temperature of every prompt, instead of its own."""
    answer_tokens: int | None = None
    """Room for each answer where its prompt gives less: a model that thinks first spends most of it on thought."""
    reasoning_effort: str = ""
    """Sent as such, where it is set."""
    extra_body: Mapping[str, Any] = field(default_factory=dict[str, Any])
    """Further fields of every request. They are in the record: no place for a secret."""
    api_version: str = ""
    """Version of Azure's dated interface."""
    key: str = ""
    """Key of the server, instead of the one in the environment."""
    weights: str = ""
    """Digest of the weights, where they are known."""
    max_tokens: int | None = None
    """Tokens, in and out, that all answers together may cost."""
    max_dollars: float | None = None
    batch: bool = False
    """Ask through the Batch API: half the price, within a day."""
    timeout: float = 600.0
    """Seconds until an attempt is given up, from its first byte to the last: a busy server may have a long queue."""
    attempts: int = 6
    """Attempts at a request, the first one included."""
    backoff: float = 0.5
    """Seconds before the first repetition; doubled for each further one, up to a minute."""
    poll: float = 30.0
    """Seconds between two looks at a batch."""

    def check(self) -> None:
        """Raise ``UserError`` for what cannot be."""
        if self.concurrency < 1:
            raise UserError(f"{self.concurrency} requests at a time", expected="at least 1")
        if not self.base_url.startswith(("http://", "https://")):
            raise UserError(f"{self.base_url} is no address of a server", expected="http://HOST:PORT/v1")
        if self.answer_tokens is not None and self.answer_tokens < 1:
            raise UserError(f"{self.answer_tokens} tokens for an answer", expected="at least 1")
        if clash := {"messages", "prompt", "model", "stream", "n"} & self.extra_body.keys():
            raise UserError(f"--extra-body cannot set {', '.join(sorted(clash))}")
        for what, limit in (("tokens", self.max_tokens), ("dollars", self.max_dollars)):
            if limit is not None and limit < 0:
                raise UserError(f"a limit of {limit} {what}", expected="0 or more")


class Client:
    """``LLM`` over a server. Use as a context, or ``close`` it: it has a thread and an open file."""

    def __init__(
        self,
        settings: ClientSettings,
        cache: Cache,
        prices: Prices | None = None,
        say: Callable[[str], None] = lambda _line: None,
    ) -> None:
        """``say`` gets a line for whatever a user should see during the work.

        Raises:
            UserError: the settings cannot be, or dollars are limited though the price is not known.
        """
        settings.check()
        self.settings = settings
        self.mode: Mode = settings.mode
        self.model = settings.model
        self.prices = prices or UnknownPrices()
        self.cache = cache
        self.ledger = Ledger(self.prices)
        self.say = say
        self.spent_tokens = 0
        """Of all ledgers of this client and of what it was charged with."""
        self.spent_dollars = 0.0
        if settings.max_dollars is not None and self.prices.cost(1_000, 1_000, batch=settings.batch) is None:
            raise UserError(
                f"the price of {settings.model} is not known, so dollars cannot be limited",
                remedy="state it with --price-in and --price-out, or limit tokens with --max-tokens",
            )
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._server: Server | None = None

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def new_ledger(self) -> Ledger:
        """Begin a new ledger for the next task; what was spent still counts for the limits."""
        self.ledger = Ledger(self.prices)
        return self.ledger

    def charge(self, tokens: int | None, dollars: float | None) -> None:
        """Count what was spent before, on tasks that are done."""
        self.spent_tokens += tokens or 0
        self.spent_dollars += dollars or 0.0

    @property
    def server(self) -> Server:
        """The server, made on first use."""
        if self._server is None:
            self._server = Server(self.settings, self.say, self.cache)
        return self._server

    def close(self) -> None:
        """End the thread and close all connections. The cache stays open."""
        if self._loop is None or self._thread is None:
            return
        self.do(self._end()).result(GRACE)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(GRACE)
        self._loop.close()
        self._loop = self._thread = self._server = None

    async def _end(self) -> None:
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)
        if self._server is not None:
            await self._server.close()

    def do(self, work: Coroutine[Any, Any, T]) -> Future[T]:
        """Run a coroutine in the client's thread."""
        if self._loop is None:
            self._loop = asyncio.new_event_loop()
            self._thread = threading.Thread(target=self._loop.run_forever, name="llm-client", daemon=True)
            self._thread.start()
        return asyncio.run_coroutine_threadsafe(work, self._loop)

    def as_asked(self, prompt: Prompt) -> Prompt:
        """The prompt with the settings' own temperature and room, if they have any."""
        own, room = self.settings.temperature, self.settings.answer_tokens
        if own is not None:
            prompt = replace(prompt, temperature=own)
        return prompt if room is None or room <= prompt.max_tokens else replace(prompt, max_tokens=room)

    def key(self, prompt: Prompt) -> str:
        """The name of the prompt's answer in the cache."""
        settings = self.settings
        effort = {"reasoning_effort": settings.reasoning_effort} if settings.reasoning_effort else {}
        return request_key(
            prompt, self.mode, self.model, with_schema=settings.structured != "off",
            extra={**effort, **settings.extra_body},
        )  # fmt: skip

    def ask(self, prompts: Sequence[Prompt]) -> Iterator[Answer]:
        """As ``LLM.ask``. What is in flight when the iterator is closed is waited for and kept."""
        damaged = self.cache.damaged
        try:
            if self.settings.batch:
                from clinsynth.llm.batch import ask_in_batches

                yield from ask_in_batches(self, prompts)
            else:
                yield from self._ask(prompts)
        finally:
            if found := self.cache.damaged - damaged:
                self.say(f"{found} answers in the cache were damaged, and were asked for again")

    def _ask(self, prompts: Sequence[Prompt]) -> Iterator[Answer]:
        turn = Turn(self)
        begun = 0
        flying: deque[tuple[Prompt, Future[tuple[Reply | None, bool]]]] = deque()
        # Answers are handed out in order: while a slow one is waited for, those after it must not stop coming.
        ahead = AHEAD * self.settings.concurrency
        try:
            # ``prompts`` may have grown since the last look.
            while begun < len(prompts) or flying:
                while begun < len(prompts) and len(flying) < ahead:
                    prompt = self.as_asked(prompts[begun])
                    if not self.fits([*(p for p, _ in flying), prompt]):
                        break
                    begun += 1
                    flying.append((prompt, self.do(turn.fetch(prompt))))
                if not flying:
                    raise BudgetSpentError(self.limit_said())
                prompt, future = flying[0]
                reply, cached = future.result()
                flying.popleft()
                self.settle(prompt, reply)
                yield reply.answer(cached=cached) if reply else Answer(text="", finish="failed")
        except GoneError as error:
            raise UserError(
                str(error), remedy="what was answered is kept; the same command goes on from there"
            ) from None
        finally:
            turn.closed = True
            self._land([future for _, future in flying])

    def _land(self, futures: list[Future[Any]]) -> None:
        """Wait for what is in flight. Its answers go into the cache; its errors have been told already."""
        try:
            left = wait(futures, 1.0).not_done
            if left:
                self.say(f"waiting for {len(left)} answers under way, which the cache keeps; Ctrl-C leaves them")
                wait(futures, GRACE)
        finally:
            for future in futures:
                future.cancel()

    def fits(self, prompts: Sequence[Prompt]) -> bool:
        """Whether the limits allow these prompts, should each cost the most that it can."""
        limits = self.settings
        if limits.max_tokens is None and limits.max_dollars is None:
            return True
        sizes = [most_tokens(prompt) for prompt in prompts]
        if limits.max_tokens is not None and self.spent_tokens + sum(map(sum, sizes)) > limits.max_tokens:
            return False
        if limits.max_dollars is None:
            return True
        worst = sum(self.prices.cost(*size, batch=limits.batch) or 0.0 for size in sizes)
        return self.spent_dollars + worst <= limits.max_dollars

    def limit_said(self) -> str:
        """The limits, in words."""
        limits = self.settings
        parts = [] if limits.max_dollars is None else [f"{limits.max_dollars:g} dollars"]
        parts += [] if limits.max_tokens is None else [f"{limits.max_tokens:,} tokens"]
        return f"the limit of {' and '.join(parts)} is reached"

    def settle(self, prompt: Prompt, reply: Reply | None) -> None:
        """Count a request's cost for the limits; the most that it can have been where the server does not say."""
        if reply is None:
            return
        size = most_tokens(prompt)
        if reply.tokens_in is not None and reply.tokens_out is not None:
            size = reply.tokens_in, reply.tokens_out
        self.spent_tokens += sum(size)
        self.spent_dollars += self.prices.cost(*size, batch=reply.batch) or 0.0


class Turn:
    """The prompts of one call of ``ask``, as the client's thread sees them."""

    def __init__(self, client: Client) -> None:
        self.closed = False
        """The caller has stopped waiting: what has not been sent is not sent."""
        self._client = client
        self._ledger = client.ledger
        self._same: dict[str, asyncio.Future[Reply | None]] = {}

    async def fetch(self, prompt: Prompt) -> tuple[Reply | None, bool]:
        """The answer and whether it was there already; ``None`` for a request that was given up."""
        client = self._client
        key = client.key(prompt)
        if (first := self._same.get(key)) is not None:
            # The same request twice in one call: asked once, for it would be the same draw.
            reply = await asyncio.shield(first)
            return reply, True
        mine = self._same[key] = asyncio.get_running_loop().create_future()
        try:
            reply, cached = client.cache.get(key), True
            if reply is None:
                cached = False
                reply = await client.server.request(prompt, key, self._ledger, lambda: self.closed)
                if reply is not None:
                    client.cache.put(key, reply)
            if reply is not None:
                self._ledger.add(reply, cached=cached)
                client.server.note(reply)
            mine.set_result(reply)
        except BaseException:
            mine.cancel()
            raise
        return reply, cached


def most_tokens(prompt: Prompt) -> tuple[int, int]:
    """The most tokens that a prompt and its answer can be."""
    characters = len(prompt.text) + len(prompt.system)
    return int(characters / _FEWEST_CHARACTERS_A_TOKEN) + _FRAME_TOKENS, prompt.max_tokens


def likely_tokens(prompt: Prompt) -> int:
    """The tokens that a prompt probably is: four characters per token."""
    return round((len(prompt.text) + len(prompt.system)) / CHARACTERS_A_TOKEN)
