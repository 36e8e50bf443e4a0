"""What a baseline would ask, and what that would cost, without a single request."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import cast

from clinsynth.core import Row, Task
from clinsynth.data import ExampleStore
from clinsynth.generation.baseline import Baseline, Budget, Tally, Tools, class_of
from clinsynth.generation.loop import rng_of, task_view
from clinsynth.generation.run import Means, Request
from clinsynth.llm import Answer, Client, Mode, Prompt, likely_tokens

SHOWN_ROWS = 3


@dataclass(frozen=True, kw_only=True, slots=True)
class Estimate:
    """What is known of a task's requests before any is sent."""

    prompts: tuple[Prompt, ...]
    """The first requests for three rows, or fewer."""
    calls: int
    """Requests of the first round that is not in the cache yet, at the full number of rows."""
    cached: int
    """Requests before it that are in the cache."""
    tokens_in: int
    """Of these calls, at four characters a token."""
    most_tokens_out: int
    """Of these calls, should every answer be as long as it may."""
    most_dollars: float | None
    """Price of these tokens; ``None`` where it is not known."""


class _Enough(Exception):  # noqa: N818 - no error: the prompts are known
    """The next request is not in the cache."""


@dataclass(slots=True)
class _Recorder:
    """A model that answers from the cache alone."""

    client: Client
    mode: Mode
    model: str
    cached: int = 0
    prompts: list[Prompt] = field(default_factory=list[Prompt])

    def ask(self, prompts: Sequence[Prompt]) -> Iterator[Answer]:
        """As ``LLM.ask``, up to the first request that is not there; ends with ``_Enough``."""
        taken = 0
        while taken < len(prompts):
            asked = [self.client.as_asked(prompt) for prompt in prompts[taken:]]
            taken += len(asked)
            replies = [self.client.cache.get(self.client.key(prompt)) for prompt in asked]
            self.prompts = [prompt for prompt, reply in zip(asked, replies, strict=True) if reply is None]
            if self.prompts:
                raise _Enough
            for reply in replies:
                self.cached += 1
                if reply is not None:
                    yield reply.answer(cached=True)


def estimate(baseline: Baseline, task: Task, request: Request, store: ExampleStore, means: Means) -> Estimate:
    """The first requests of a task.

    Raises:
        NotPreparedError: real examples are needed and not here.
        UserError: a tool is missing.
    """
    client = cast("Client", means.model)
    few = _record(baseline, task, request, store, means, min(SHOWN_ROWS, request.rows))
    full = _record(baseline, task, request, store, means, request.rows)
    tokens_in = sum(map(likely_tokens, full.prompts))
    tokens_out = sum(prompt.max_tokens for prompt in full.prompts)
    return Estimate(
        prompts=tuple(few.prompts[:SHOWN_ROWS]),
        calls=len(full.prompts),
        cached=full.cached,
        tokens_in=tokens_in,
        most_tokens_out=tokens_out,
        most_dollars=client.prices.cost(tokens_in, tokens_out, batch=client.settings.batch),
    )


def _record(
    baseline: Baseline, task: Task, request: Request, store: ExampleStore, means: Means, rows: int
) -> _Recorder:
    client = cast("Client", means.model)
    recorder = _Recorder(client, client.mode, client.model)
    view, _ = task_view(task, store, request.real_split)
    tally = Tally()
    tools = Tools(tally=tally, model=recorder, source=means.source, lists=means.lists, asking=means.asking)
    made = baseline.generate(view, tools, Budget(rows), rng_of(request.seed, task.spec))
    with suppress(_Enough):
        _take(made, tally, rows)
    return recorder


def _take(made: Iterator[Row], tally: Tally, rows: int) -> None:
    for row in made:
        tally.kept[class_of(row)] += 1
        if tally.kept.total() >= rows:
            return
