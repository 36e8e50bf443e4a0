"""Cost of answers, by a stored price table or the price that the user states. An unknown price stays unknown."""

from __future__ import annotations

import ipaddress
import threading
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import Protocol
from urllib.parse import urlsplit

from clinsynth.core import UserError
from clinsynth.llm.cache import Reply

OPENAI_URL = "https://api.openai.com/v1"
BATCH_SHARE = 0.5
"""Price of a batched request where the table has no batch rate (https://platform.openai.com/docs/guides/batch)."""


class Prices(Protocol):
    """Turns tokens into dollars."""

    @property
    def source(self) -> str:
        """Where the price comes from; empty where none is known."""
        ...

    @property
    def looked_up(self) -> date | None:
        """The day the price was looked up; ``None`` where none is known."""
        ...

    def cost(self, tokens_in: int, tokens_out: int, *, batch: bool) -> float | None:
        """US dollars of one answer; ``None`` for a price that is not known."""
        ...


@dataclass(frozen=True, slots=True)
class StatedPrices:
    """Prices stated by the user, in dollars per million tokens."""

    per_million_in: float
    per_million_out: float
    looked_up: date | None
    source: str = "stated by the user"

    def cost(self, tokens_in: int, tokens_out: int, *, batch: bool) -> float:
        """As ``Prices.cost``."""
        full = (tokens_in * self.per_million_in + tokens_out * self.per_million_out) / 1e6
        return full * BATCH_SHARE if batch else full


@dataclass(frozen=True, slots=True)
class TablePrices:
    """The table of the library genai-prices, for the provider at ``base_url``."""

    model: str
    base_url: str
    source: str
    looked_up: date | None

    def cost(self, tokens_in: int, tokens_out: int, *, batch: bool) -> float | None:
        """As ``Prices.cost``; a model's batch rate where the table has one, half the price where it has not."""
        full = _table_cost(self.model, self.base_url, tokens_in, tokens_out)
        if full is None or not batch:
            return full
        batched = _table_cost(self.model, self.base_url, tokens_in, tokens_out, batch=True)
        return batched if batched is not None and batched < full else full * BATCH_SHARE


class UnknownPrices:
    """No price is known."""

    source = ""
    looked_up: date | None = None

    def cost(self, tokens_in: int, tokens_out: int, *, batch: bool) -> None:
        """Not known."""


def find_prices(model: str, base_url: str, per_million_in: float | None, per_million_out: float | None) -> Prices:
    """The stated prices, else the table's for the model of the provider at ``base_url``, else unknown ones.

    A server of one's own is never looked up: its model may bear the name of one that is sold.

    Raises:
        UserError: only one of the two prices is stated, or one is negative.
    """
    today = datetime.now(UTC).date()
    if (per_million_in is None) != (per_million_out is None):
        raise UserError("one price is stated, the other is not", expected="both --price-in and --price-out")
    if per_million_in is not None and per_million_out is not None:
        if min(per_million_in, per_million_out) < 0:
            raise UserError("a price below 0", expected="US dollars per million tokens")
        return StatedPrices(per_million_in, per_million_out, today)
    if is_local(base_url) or _table_cost(model, base_url, 1_000, 1_000) is None:
        return UnknownPrices()
    from importlib.metadata import version

    source = f"genai-prices {version('genai-prices')}, https://github.com/pydantic/genai-prices"
    return TablePrices(model, base_url, source, today)


def _table_cost(model: str, base_url: str, tokens_in: int, tokens_out: int, *, batch: bool = False) -> float | None:
    try:
        from genai_prices import Usage, calc_price
    except ImportError:
        return None
    usage = Usage(input_tokens=tokens_in, output_tokens=tokens_out)
    context = {"processing": "batch"} if batch else None
    try:
        price = calc_price(usage, model, provider_api_url=base_url, price_context=context)
    except LookupError:
        return None
    return float(price.total_price)


def is_local(base_url: str) -> bool:
    """Whether the server is on this machine or in the local network: no text leaves the house."""
    host = urlsplit(base_url).hostname or ""
    try:
        return ipaddress.ip_address(host).is_private
    except ValueError:
        return host == "localhost" or "." not in host or host.endswith((".local", ".localhost", ".internal"))


@dataclass(slots=True)
class Ledger:
    """Running sums; safe to write from several threads."""

    prices: Prices = field(default_factory=UnknownPrices)
    new: int = 0
    """Answers that were asked for in this run."""
    cached: int = 0
    """Answers of earlier runs: part of what the data cost, but not paid again."""
    failed: int = 0
    """Requests that were given up. What a server did for them is not known."""
    filtered: int = 0
    """Answers that the server withheld."""
    batched: int = 0
    """Answers that came in a batch, at its lower price."""
    retries: Counter[str] = field(default_factory=Counter[str])
    """Attempts that were repeated, by reason."""
    tokens_in: int = 0
    tokens_out: int = 0
    unmeasured: int = 0
    """Answers whose tokens the server did not say: the sums are then not known."""
    dollars: float = 0.0
    new_dollars: float = 0.0
    unpriced: int = 0
    """Answers without a known price: the sums are then not known."""
    request_seconds: float = 0.0
    """Time from request to answer, summed over all answers."""
    models: Counter[str] = field(default_factory=Counter[str])
    """Answers by the name that the server itself gave for its model."""
    structured: Counter[str] = field(default_factory=Counter[str])
    """Answers by how they were held to their schema; ``off`` for a schema that was not enforced."""
    sent: Counter[str] = field(default_factory=Counter[str])
    """Answers by the request that they are an answer to, without its text, as JSON."""
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def add(self, reply: Reply, *, cached: bool) -> None:
        """Count an answer."""
        dollars = self.cost(reply)
        with self._lock:
            self.new += not cached
            self.cached += cached
            self.filtered += reply.finish == "filtered"
            self.batched += reply.batch
            if reply.tokens_in is None or reply.tokens_out is None:
                self.unmeasured += 1
            else:
                self.tokens_in += reply.tokens_in
                self.tokens_out += reply.tokens_out
            if dollars is None:
                self.unpriced += 1
            else:
                self.dollars += dollars
                self.new_dollars += 0.0 if cached else dollars
            self.request_seconds += reply.seconds
            self.models[reply.model] += 1
            self.sent[reply.sent] += 1
            if reply.structured:
                self.structured[reply.structured] += 1

    def cost(self, reply: Reply) -> float | None:
        """US dollars of an answer."""
        if reply.tokens_in is None or reply.tokens_out is None:
            return None
        return self.prices.cost(reply.tokens_in, reply.tokens_out, batch=reply.batch)

    def give_up(self) -> None:
        """Count a request that failed for good."""
        with self._lock:
            self.failed += 1

    def retry(self, reason: str) -> None:
        """Count an attempt that is made again."""
        with self._lock:
            self.retries[reason] += 1

    @property
    def calls(self) -> int:
        """Answers that the data is made of, whenever they were paid."""
        return self.new + self.cached

    @property
    def known_tokens(self) -> tuple[int, int] | None:
        """Tokens in and out; ``None`` if any answer's are not known."""
        return None if self.unmeasured else (self.tokens_in, self.tokens_out)

    @property
    def known_dollars(self) -> float | None:
        """US dollars of all answers; ``None`` if any answer's price is not known."""
        return None if self.unpriced else self.dollars

    @property
    def known_new_dollars(self) -> float | None:
        """US dollars of this run's answers; ``None`` as above."""
        return None if self.unpriced else self.new_dollars
