"""What a run would ask, and what that would cost, without a single request and without lm-eval."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from clinsynth.core import Example, NotPreparedError
from clinsynth.data import ExampleStore
from clinsynth.direct import prompts
from clinsynth.direct.prompts import Shots
from clinsynth.direct.records import DirectRecord, DirectResults
from clinsynth.direct.runner import Request, prepare
from clinsynth.llm import CHARACTERS_A_TOKEN, Prices


@dataclass(frozen=True, kw_only=True, slots=True)
class Estimate:
    """What is known of a task's requests before any is sent."""

    task: str
    """The task, set or judge."""
    calls: int
    """Requests at most: answers in the cache are not looked for. 0 where the record is there."""
    tokens_in: int
    """At four characters per token."""
    most_tokens_out: int
    """Tokens out if every answer is as long as it may be."""
    most_dollars: float | None
    """Price of these tokens; ``None`` where it is not known."""
    prompt: str
    """The first request, of a conversation each message under its role; empty where its text is not open to all."""
    skipped: str = ""
    """Why it would not be asked."""


def estimate(request: Request, store: ExampleStore) -> Iterator[Estimate]:
    """The estimate of each task. Raises ``UserError`` where a record cannot be read."""
    results = DirectResults(request.out.absolute(), store.kind)
    for task in request.tasks:
        name = task.spec.name
        try:
            work = prepare(request, task, store, results)
            if isinstance(work, DirectRecord):
                yield nothing(name, "stored before")
                continue
            shots = Shots(store, task)
            asked = [_prompt(request, shots, work.gold[k]) for k in work.positions]
        except NotPreparedError as error:
            yield nothing(name, str(error).splitlines()[0])
            continue
        found = estimated(name, asked, request.max_tokens or prompts.max_tokens(task.spec), request.prices)
        is_open = store.kind == "sample" or task.spec.access == "open"
        yield found if is_open else replace(found, prompt="")


def estimated(what: str, asked: Sequence[str], max_tokens: int, prices: Prices) -> Estimate:
    """The estimate of these prompts, each with room for so many tokens."""
    tokens_in = round(sum(map(len, asked)) / CHARACTERS_A_TOKEN)
    tokens_out = len(asked) * max_tokens
    return Estimate(
        task=what, calls=len(asked), tokens_in=tokens_in, most_tokens_out=tokens_out,
        most_dollars=prices.cost(tokens_in, tokens_out, batch=False), prompt=asked[0] if asked else "",
    )  # fmt: skip


def nothing(task: str, why: str) -> Estimate:
    """An estimate that says why nothing is asked."""
    return Estimate(task=task, calls=0, tokens_in=0, most_tokens_out=0, most_dollars=0.0, prompt="", skipped=why)


def _prompt(request: Request, shots: Shots, example: Example) -> str:
    spec, shown = shots.task.spec, shots.shown(example, request.shots)
    if request.model.mode == "completion":
        return prompts.completion(spec, shown, example)
    messages = prompts.conversation(spec, shown, example)
    return "\n".join(f"[{message['role']}] {message['content']}" for message in messages)
