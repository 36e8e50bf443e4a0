"""What the answers of one task cost: every one counted once, whether it was paid now or in an earlier run."""

from __future__ import annotations

import threading
from collections import Counter
from dataclasses import dataclass, field

from clinsynth.generation.client.cache import Reply
from clinsynth.generation.client.prices import Prices, UnknownPrices


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
