"""Arguments for a language model: one that generates, and one under test."""

from __future__ import annotations

import argparse
import importlib
import json
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, cast

from clinsynth.core import UserError, clean, text_table

if TYPE_CHECKING:
    from clinsynth.direct import Estimate, Model
    from clinsynth.llm import Client, Prices


OPENAI_URL = "https://api.openai.com/v1"


def add_model(parser: argparse.ArgumentParser) -> None:
    """``--model`` and what belongs to it, on commands that ask a language model."""
    group = parser.add_argument_group(
        "language model", "for baselines that ask one; the key is read from OPENAI_API_KEY"
    )
    group.add_argument("--model", metavar="NAME",
                       help="as the server knows it; local: a small one that runs here, without server")  # fmt: skip
    group.add_argument("--base-url", metavar="URL", default=OPENAI_URL,
                       help="an OpenAI-compatible server (%(default)s)")  # fmt: skip
    group.add_argument(
        "--api-version", metavar="V", default="", help="version of Azure's dated interface, such as 2024-10-21"
    )
    group.add_argument("--mode", choices=("chat", "completion"), default="chat",
                       help="completion: a base model, which goes on with a text (%(default)s)")  # fmt: skip
    group.add_argument("--concurrency", type=int, default=8, metavar="N", help="requests at a time (%(default)s)")
    group.add_argument("--batch", action="store_true", help="OpenAI's Batch API: half the price, within a day")
    group.add_argument("--max-dollars", type=float, metavar="USD", help="stop before the data costs more")
    group.add_argument("--max-tokens", type=int, metavar="N", help="stop before the data costs more, in and out")
    group.add_argument("--price-in", type=float, metavar="USD", help="your price of a million prompt tokens")
    group.add_argument("--price-out", type=float, metavar="USD", help="your price of a million generated tokens")
    group.add_argument("--temperature", type=float, metavar="T", help="temperature instead of the baseline's own")
    group.add_argument("--structured", choices=("auto", "off", "openai", "vllm", "llama"), default="auto",
                       help="how answers are held to a JSON schema (%(default)s: by what the server is)")  # fmt: skip
    group.add_argument("--timeout", type=float, metavar="S",
                       help="seconds a request may take, all of it (600; of --model local 3,600)")  # fmt: skip
    add_thought(group)
    group.add_argument("--answer-tokens", type=int, metavar="N",
                       help="room for each answer at least, such as for a model that thinks first")  # fmt: skip
    group.add_argument("--cache", type=Path, metavar="DIR",
                       help="where answers lie (also CLINSYNTH_CACHE; default ~/.cache/clinsynth/llm)")  # fmt: skip


def add_thought(group: argparse._ArgumentGroup) -> None:  # pyright: ignore[reportPrivateUsage] - it has no other name
    """Options for the requests of every command that asks a model."""
    group.add_argument("--model-file", type=Path, metavar="FILE",
                       help="GGUF weights for --model local (default: Qwen2.5-Coder-1.5B-Instruct)")  # fmt: skip
    group.add_argument("--reasoning-effort", metavar="WORD", default="",
                       help="for models that think first: low, medium, high, ...")  # fmt: skip
    group.add_argument("--extra-body", metavar="JSON", default="",
                       help="further fields of every request, as a JSON object; they are in the record")  # fmt: skip


def say(line: str) -> None:
    """Print a line for the user on standard error, apart from the command's output."""
    sys.stderr.write(clean(line) + "\n")


def extra_body(text: str) -> dict[str, Any]:
    """The fields of ``--extra-body``. Raises ``UserError`` for what is no JSON object."""
    try:
        fields: Any = json.loads(text or "{}")
    except (ValueError, RecursionError) as error:
        raise UserError("--extra-body cannot be read", found=str(error)[:200], expected='{"name": value}') from None
    if not isinstance(fields, dict):
        raise UserError("--extra-body is no object", found=text[:80], expected='{"name": value}')
    return cast("dict[str, Any]", fields)


def is_here(arguments: argparse.Namespace) -> bool:
    """Whether the arguments name the model that runs on this machine, and not a server's model of that name."""
    from clinsynth.llm import LOCAL

    here = arguments.model == LOCAL and getattr(arguments, "base_url", OPENAI_URL) == OPENAI_URL
    if arguments.model_file is not None and not here:
        raise UserError("--model-file goes with --model local", found=f"--model {arguments.model}")
    return here


def open_model(arguments: argparse.Namespace, stack: ExitStack) -> Client:
    """The client; ``stack`` closes it, and ends a model that runs here.

    Raises:
        UserError: no model is named, the settings cannot be, or the model that runs here cannot be started.
    """
    from clinsynth.llm import LOCAL_NAME, Cache, Client, ClientSettings, default_cache, find_prices, serve_local

    if not arguments.model:
        raise UserError(
            "a language model is needed",
            remedy="name one with --model, and its server with --base-url, or say --model local; docs/generating.md "
            "has the commands",
        )
    name, base_url, key, weights = arguments.model, arguments.base_url, "", ""
    timeout = 600.0
    if is_here(arguments):
        if arguments.batch:
            raise UserError("--batch is for OpenAI", found="--model local")
        # A dry run sends nothing: no model need be here for it.
        name, base_url, timeout = LOCAL_NAME, "http://127.0.0.1:1/v1", 3_600.0
        if not arguments.dry_run:
            served = stack.enter_context(serve_local(arguments.model_file, say))
            name, base_url, key, weights = served.name, f"{served.address}/v1", served.key, served.weights
    settings = ClientSettings(
        model=name, mode=arguments.mode, base_url=base_url, concurrency=arguments.concurrency,
        structured=arguments.structured, temperature=arguments.temperature, max_tokens=arguments.max_tokens,
        max_dollars=arguments.max_dollars, batch=arguments.batch, timeout=arguments.timeout or timeout,
        answer_tokens=arguments.answer_tokens, reasoning_effort=arguments.reasoning_effort,
        extra_body=extra_body(arguments.extra_body), api_version=arguments.api_version, key=key, weights=weights,
    )  # fmt: skip
    prices = find_prices(name, base_url, arguments.price_in, arguments.price_out)
    cache = Cache(arguments.cache or default_cache())
    stack.callback(cache.close)
    return stack.enter_context(Client(settings, cache, prices, say))


_PROVIDERS = {"openai": "https://api.openai.com/v1", "anthropic": "https://api.anthropic.com/v1"}
"""Providers of lm-eval's kinds of model that need no ``base_url``, by the beginning of their names."""


def add_model_under_test(parser: argparse.ArgumentParser) -> None:
    """``--model``, ``--model-args`` and what goes with them."""
    group = parser.add_argument_group("the model under test")
    group.add_argument("--model", metavar="KIND",
                       help="lm-eval's name: local-completions, hf, ...; local: a small one, run here")  # fmt: skip
    group.add_argument(
        "--model-args", default="", metavar="K=V,...", help="for lm-eval; keys come from the environment"
    )
    group.add_argument("--mode", choices=("auto", "chat", "completion"), default="auto",
                       help="auto: chat for the kinds that end in chat-completions, else completion")  # fmt: skip
    group.add_argument("--name", help="the model's name in the tables (default: the one in --model-args)")
    group.add_argument("--snapshot", default="", help="dated version or revision of the weights")
    group.add_argument("--price-in", type=float, metavar="USD", help="per million tokens; default: a kept price table")
    group.add_argument("--price-out", type=float, metavar="USD")
    add_thought(group)
    group.add_argument("--cache", type=Path, metavar="DIR", help="where answers are kept (also CLINSYNTH_CACHE)")
    group.add_argument("--dry-run", action="store_true",
                       help="print a prompt of each task or set and the expected cost; send nothing")  # fmt: skip


def model_of(arguments: argparse.Namespace, stack: ExitStack) -> Model:
    """The model that was named; ``stack`` ends one that runs here.

    Raises:
        UserError: none was named, or the one that runs here cannot be started.
    """
    from clinsynth.direct import Model

    if not arguments.model:
        raise UserError("which model?", expected="--model KIND and --model-args K=V,..., or --model local")
    if is_here(arguments):
        return _here(arguments, stack)
    model_args = _arguments(arguments.model_args)
    name = str(arguments.name or model_args.get("model") or model_args.get("pretrained") or "")
    if not name:
        raise UserError("the model has no name", expected="model=... in --model-args, or --name")
    mode: Literal["chat", "completion"] = arguments.mode
    if arguments.mode == "auto":
        mode = "chat" if arguments.model.endswith("chat-completions") else "completion"
    return Model(
        backend=arguments.model, args=model_args, name=name, mode=mode, snapshot=arguments.snapshot,
        cache=arguments.cache, reasoning_effort=arguments.reasoning_effort,
        extra_body=extra_body(arguments.extra_body),
    )  # fmt: skip


def _here(arguments: argparse.Namespace, stack: ExitStack) -> Model:
    """The small model that runs on this machine; in a dry run it is only named."""
    from clinsynth.direct import Model
    from clinsynth.llm import LOCAL, LOCAL_NAME, LocalModel, serve_local

    served = LocalModel(LOCAL_NAME, "http://127.0.0.1:1", "", "")
    if not arguments.dry_run:
        served = stack.enter_context(serve_local(arguments.model_file, say))
    chat = arguments.mode != "completion"
    backend = "local-chat-completions" if chat else "local-completions"
    given = {
        "num_concurrent": 4, "timeout": 3_600, **_arguments(arguments.model_args), "model": served.name,
        "base_url": f"{served.address}/v1/{'chat/' if chat else ''}completions",
        "header": {"Authorization": f"Bearer {served.key}"},
    }  # fmt: skip
    return Model(
        backend=backend, args=given, name=str(arguments.name or served.name), mode="chat" if chat else "completion",
        snapshot=arguments.snapshot, cache=arguments.cache, reasoning_effort=arguments.reasoning_effort,
        extra_body=extra_body(arguments.extra_body), weights=served.weights, place=LOCAL,
    )  # fmt: skip


def prices_of(arguments: argparse.Namespace, model: Model) -> Prices:
    """The stated prices, or the table's. Raises ``UserError`` where only one is stated."""
    from clinsynth.llm import find_prices

    provider = next((at for kind, at in _PROVIDERS.items() if model.backend.startswith(kind)), "")
    address = str(model.args.get("base_url", provider))
    base = address.removesuffix("/chat/completions").removesuffix("/completions")
    return find_prices(model.name, base, arguments.price_in, arguments.price_out)


def print_estimates(found: Sequence[Estimate]) -> int:
    """Print what would be asked and what it would cost; returns the exit status."""
    for each in found:
        if each.prompt:
            print(f"== {each.task}: the first of {each.calls:,} requests\n{each.prompt}\n")
    body = [
        [each.task, each.skipped, f"{each.calls:,}", f"{each.tokens_in:,}", f"{each.most_tokens_out:,}",
         _dollars(each.most_dollars)]
        for each in found
    ]  # fmt: skip
    known = [each.most_dollars for each in found if each.most_dollars is not None]
    sums = [sum(column) for column in zip(*((e.calls, e.tokens_in, e.most_tokens_out) for e in found), strict=True)]
    body.append(["all", "", *(f"{n:,}" for n in sums), _dollars(sum(known) if len(known) == len(found) else None)])
    head = ["task", "not asked because", "requests", "tokens in", "tokens out, at most", "dollars, at most"]
    print(text_table(head, body, right=4))
    print("\nTokens in at four characters per token; answers that are in the cache cost nothing. Nothing was sent.")
    return 0


def _dollars(value: float | None) -> str:
    return "unknown" if value is None else f"{value:.2f}"


def positive(option: str, value: int | None) -> int | None:
    """The number, or ``UserError`` for one under 1."""
    if value is not None and value < 1:
        raise UserError(f"{option} {value}", expected="1 at least")
    return value


def _arguments(text: str) -> dict[str, Any]:
    """``k=v,k=v``, values as lm-eval reads them."""
    if not text:
        return {}
    if bad := [part for part in text.split(",") if "=" not in part]:
        raise UserError("--model-args cannot be read", found=bad[0], expected="key=value pairs with commas between")
    from clinsynth.direct import lm_eval

    lm_eval()
    utils: Any = importlib.import_module("lm_eval.utils")
    return dict(utils.simple_parse_args_string(text))
