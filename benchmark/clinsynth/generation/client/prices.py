"""What an answer costs: a kept price table, or the price that the user states. An unknown price stays unknown."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Protocol
from urllib.parse import urlsplit

from clinsynth.errors import UserError

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
    """What the user says: dollars per million tokens."""

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
