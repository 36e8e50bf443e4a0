"""The arguments that name a language model, and the client that they make."""

from __future__ import annotations

import argparse
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from clinsynth.core import UserError, clean

if TYPE_CHECKING:
    from clinsynth.llm import Client

OPENAI_URL = "https://api.openai.com/v1"


def add_model(parser: argparse.ArgumentParser) -> None:
    """``--model`` and what belongs to it, on commands that ask a language model."""
    group = parser.add_argument_group(
        "language model", "for baselines that ask one; the key is read from OPENAI_API_KEY"
    )
    group.add_argument("--model", metavar="NAME", help="as the server knows it")
    group.add_argument("--base-url", metavar="URL", default=OPENAI_URL,
                       help="an OpenAI-compatible server (%(default)s)")  # fmt: skip
    group.add_argument("--mode", choices=("chat", "completion"), default="chat",
                       help="completion: a base model, which goes on with a text (%(default)s)")  # fmt: skip
    group.add_argument("--concurrency", type=int, default=8, metavar="N", help="requests at a time (%(default)s)")
    group.add_argument("--batch", action="store_true", help="OpenAI's Batch API: half the price, within a day")
    group.add_argument("--max-dollars", type=float, metavar="USD", help="stop before the data costs more")
    group.add_argument("--max-tokens", type=int, metavar="N", help="stop before the data costs more, in and out")
    group.add_argument("--price-in", type=float, metavar="USD", help="your price of a million prompt tokens")
    group.add_argument("--price-out", type=float, metavar="USD", help="your price of a million generated tokens")
    group.add_argument("--temperature", type=float, metavar="T", help="instead of the baseline's own")
    group.add_argument("--structured", choices=("auto", "off", "openai", "vllm", "llama"), default="auto",
                       help="how answers are held to a JSON schema (%(default)s: by what the server is)")  # fmt: skip
    group.add_argument("--timeout", type=float, default=600.0, metavar="S", help="seconds a request may take (600)")
    group.add_argument("--cache", type=Path, metavar="DIR",
                       help="where answers lie (also CLINSYNTH_CACHE; default ~/.cache/clinsynth/llm)")  # fmt: skip


def _say(line: str) -> None:
    sys.stderr.write(clean(line) + "\n")


def open_model(arguments: argparse.Namespace, stack: ExitStack) -> Client:
    """The client; ``stack`` closes it.

    Raises:
        UserError: no model is named, or the settings cannot be.
    """
    from clinsynth.llm import Cache, Client, ClientSettings, default_cache, find_prices

    if not arguments.model:
        raise UserError(
            "a language model is needed",
            remedy="name one with --model, and its server with --base-url; docs/generating.md has the commands",
        )
    settings = ClientSettings(
        model=arguments.model, mode=arguments.mode, base_url=arguments.base_url, concurrency=arguments.concurrency,
        structured=arguments.structured, temperature=arguments.temperature, max_tokens=arguments.max_tokens,
        max_dollars=arguments.max_dollars, batch=arguments.batch, timeout=arguments.timeout,
    )  # fmt: skip
    prices = find_prices(arguments.model, arguments.base_url, arguments.price_in, arguments.price_out)
    cache = Cache(arguments.cache or default_cache())
    stack.callback(cache.close)
    return stack.enter_context(Client(settings, cache, prices, _say))
