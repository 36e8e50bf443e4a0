"""What a generator may ask of a language model: prompts in, answers out, in order."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from pydantic import JsonValue

from clinsynth.core import Part

Mode = Literal["chat", "completion"]
"""chat: the model follows instructions; completion: a base model that goes on with a text."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Prompt:
    """One request, complete. Its digest, with model and ``repeat``, names the answer in the cache."""

    text: str
    """The user's message; for a base model the text to go on with."""
    system: str = ""
    """The system message; chat only."""
    schema: Mapping[str, Any] | None = None
    """JSON schema to hold the answer to, where the server can."""
    max_tokens: int = 512
    stop: tuple[str, ...] = ()
    temperature: float = 1.0
    top_p: float | None = None
    """``None``: not sent, the server's own."""
    opening: str = ""
    """How a base model's answer begins: put at the end of ``text`` where nothing holds the answer to ``schema``. The
    answer then goes on from there."""
    repeat: int = 0
    """Tells apart requests that are otherwise the same, counted from 0: each is a draw of its own."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Answer:
    """An answer, or what came instead of one."""

    text: str
    """Empty where ``finish`` is failed."""
    finish: Literal["stop", "length", "filtered", "failed"]
    """length: cut at ``max_tokens``; filtered: withheld by the server; failed: given up after the retries."""
    cached: bool = False
    tokens_in: int | None = None
    tokens_out: int | None = None


class SentRequest(Part):
    """Requests as they were sent, of which only the text differs."""

    request: dict[str, JsonValue]
    """All fields but the text; the seed, which is each request's own, and schemas are only named."""
    answers: int
    """Answers to requests of this kind."""


def sent_requests(answers: Mapping[str, int]) -> tuple[SentRequest, ...]:
    """The kinds of requests, each once; ``answers`` counts answers by a request in JSON, empty if it is not known."""
    return tuple(SentRequest(request=json.loads(one), answers=n) for one, n in sorted(answers.items()) if one)


class BudgetSpentError(Exception):
    """The next request would go beyond the budget of tokens or dollars. The rows made so far are kept."""


class LLM(Protocol):
    """A model behind a server, or a script that stands for one."""

    mode: Mode
    model: str
    """The name that the server knows it by."""

    def ask(self, prompts: Sequence[Prompt]) -> Iterator[Answer]:
        """Answer each prompt, in the order of ``prompts``, whatever the order in which the server answers.

        The sequence runs at bounded concurrency, or as one batch job. It may be a list that grows while its answers are
        taken: what is appended is asked as well, without waiting for the requests that are under way.

        Raises:
            BudgetSpentError: from the iterator, once every answer that the budget allowed has been handed out.
            UserError: the server cannot be used at all (address, key, model).
        """
        ...
