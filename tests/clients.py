"""What is asked of a client in tests, and what a server says that does as it is told."""

from collections.abc import Callable, Sequence
from typing import Any

from tests.scripted_server import Asked, Reaction, Say, Script

from clinsynth.llm import Client
from clinsynth.llm.cost import StatedPrices
from clinsynth.llm.requests import Answer, Prompt

PRICES = StatedPrices(1.0, 2.0, None)
"""An answer of 10 tokens in and 5 out is 20 millionths of a dollar."""
SCHEMA = {"type": "object", "properties": {"text": {"type": "string"}}, "required": ["text"]}

Open = Callable[..., Client]


def prompts(number: int, **fields: Any) -> list[Prompt]:
    return [Prompt(text=f"prompt {k}", **fields) for k in range(number)]


def echo(asked: Asked) -> Reaction:
    return Say(text=f"answer to {asked.prompt}")


def texts(answers: Sequence[Answer]) -> list[str]:
    return [answer.text for answer in answers]


EXPECTED = [f"answer to prompt {k}" for k in range(20)]


def first_time(reaction: Reaction) -> Script:
    """Every request fails once."""
    return lambda asked: echo(asked) if asked.attempt else reaction
