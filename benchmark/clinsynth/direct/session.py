"""A model behind lm-eval, with its cache of answers and its meter: tasks and suites are asked through it."""

from __future__ import annotations

import contextlib
import gc
import hashlib
import importlib
import importlib.util
import json
import logging
import os
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from clinsynth.core import UserError, environment
from clinsynth.direct.lm import Meta, Meter, metered, prompt_key, prompt_text, total
from clinsynth.direct.records import Usage, slug
from clinsynth.llm import Mode, Prices, default_cache, is_local
from clinsynth.results import Environment

_NO_MATTER = frozenset({"auth_token", "header", "num_concurrent", "timeout", "max_retries", "verify_certificate"})
"""Arguments of a model that do not change its answers, or that must not be written anywhere."""
_HOSTED = ("openai", "anthropic", "azure", "litellm", "watsonx", "textsynth")
"""Kinds of model that are somebody else's server whatever the arguments say."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Model:
    """The model under test, as lm-eval is told of it."""

    backend: str
    """lm-eval's name of the kind of model."""
    args: Mapping[str, Any]
    """For lm-eval; never stored, they may hold a key."""
    name: str
    mode: Mode
    snapshot: str = ""
    cache: Path | None = None
    """Where answers are kept; ``None``: ``default_cache()``."""

    @property
    def elsewhere(self) -> bool:
        """Whether asking it sends text to a server that is not one's own."""
        address = str(self.args.get("base_url", ""))
        return self.backend.startswith(_HOSTED) or (bool(address) and not is_local(address))

    def cache_path(self) -> Path:
        """Beginning of the cache's file names: the same prompt to another model, or address, is another one."""
        who = [self.backend, self.name, self.snapshot, self.mode, str(self.args.get("base_url", "")),
               sorted((k, str(v)) for k, v in self.args.items() if k not in _NO_MATTER)]  # fmt: skip
        folder = (self.cache or default_cache()) / "direct"
        if not folder.is_dir():
            folder.mkdir(parents=True)
            folder.chmod(0o700)  # answers may quote restricted text
        return folder / f"{slug(self.name)}-{hashlib.sha256(json.dumps(who).encode()).hexdigest()[:12]}"


@dataclass(frozen=True, slots=True)
class Reply:
    """One answer."""

    doc: Mapping[str, Any]
    prompt: str
    text: str
    meta: Meta
    metrics: Mapping[str, Any]
    """What the task's ``process_results`` made of it."""


@dataclass(slots=True)
class Session:
    """Asks on demand; the model is made at the first question."""

    model: Model
    meter: Meter = field(init=False)
    _lm: Any = field(init=False, default=None)

    def __post_init__(self) -> None:
        """Raises ``UserError`` where lm-eval is not installed."""
        lm_eval()
        self.meter = Meter.load(Path(f"{self.model.cache_path()}.meta.jsonl"))

    def ask(
        self, name: str, task: Any, positions: Sequence[int] | None, on_answer: Callable[[], None] | None = None
    ) -> list[Reply]:
        """Have ``task``, an lm-eval task, answered at these positions (all for ``None``); in order of the documents.

        Answers go to lm-eval's cache one by one: whatever stops it, the same call goes on from there.

        Raises:
            UserError: the model cannot be made, stopped answering, or took not one request.
        """
        chat = self.model.mode == "chat"
        with quiet():
            lm = self._made()
            self.meter.on_answer = on_answer
            given: Any = None
            failure = ""
            try:
                # Not simple_evaluate: it is this with seeds, which greedy answers do not need, and a machine survey.
                given = lm_eval().evaluate(
                    lm, {"tasks": {name: task}, "groups": {}}, log_samples=True, bootstrap_iters=0,
                    samples=None if positions is None else {name: list(positions)},
                    apply_chat_template=chat, fewshot_as_multiturn=chat,
                )  # fmt: skip
            except _failures() as error:
                failure = f"{type(error).__name__}: {str(error)[:300]}"
            if failure:
                # Outside the handler, so that nothing holds the requests that failed beside the first: they would be
                # reported one by one, with their tracebacks, whenever they are collected.
                gc.collect()
                raise UserError(
                    f"{name}: the model stopped answering", found=failure,
                    remedy="the answers so far are kept: the same command goes on from there",
                )  # fmt: skip
        samples: list[Any] = sorted(given["samples"][name], key=lambda sample: sample["doc"]["id"])
        replies = [self._reply(sample) for sample in samples]
        self._forget([s for s, reply in zip(samples, replies, strict=True) if reply.meta.finish == "rejected"])
        if all(reply.meta.finish == "rejected" for reply in replies):
            raise UserError(
                f"{name}: the server took not one request",
                remedy="check the model's name and its context length; nothing was stored",
            )
        return replies

    def _made(self) -> Any:
        if self._lm is None:
            api: Any = importlib.import_module("lm_eval.api.model")
            made = metered(self.model.backend, self.model.args, self.meter)
            self._lm = api.CachingLM(made, f"{self.model.cache_path()}.db")
        return self._lm

    def _forget(self, samples: Sequence[Any]) -> None:
        """Requests that were not taken are no answers: another run asks them again."""
        api: Any = importlib.import_module("lm_eval.api.model")
        for sample in samples:
            self._lm.dbdict.pop(api.hash_args("generate_until", sample["arguments"][0]), None)

    def _reply(self, sample: Any) -> Reply:
        context = sample["arguments"][0][0]
        key = prompt_key(context)
        meta = self.meter.known.get(key, Meta(key, "unknown"))
        metrics = {metric: sample[metric] for metric in sample["metrics"]}
        return Reply(sample["doc"], prompt_text(context), str(sample["resps"][0][0]), meta, metrics)


def usage(metas: Sequence[Meta], prices: Prices) -> Usage:
    """What these answers cost together, whenever they were given; one unknown part makes the sum unknown.

    A request that was not taken has no tokens: it is left out of the sums and of the number of answers.
    """
    counted = [meta for meta in metas if meta.finish != "rejected"]
    known = [(m.tokens_in, m.tokens_out) for m in counted if m.tokens_in is not None and m.tokens_out is not None]
    costs = [prices.cost(tokens_in, tokens_out, batch=False) for tokens_in, tokens_out in known]
    priced = [cost for cost in costs if cost is not None]
    whole = bool(counted) and len(known) == len(counted)
    return Usage(
        answers=len(counted), unmeasured=len(counted) - len(known),
        tokens_in=total(meta.tokens_in for meta in counted) if whole else None,
        tokens_out=total(meta.tokens_out for meta in counted) if whole else None,
        dollars=float(sum(priced)) if whole and len(priced) == len(known) else None,
        price_source=prices.source, price_date=prices.looked_up,
    )  # fmt: skip


def server_environment(backend: str) -> Environment:
    """Versions on this side; what the server runs on is not known."""
    from importlib.metadata import version

    found = environment(f"lm-eval {backend}", "", 1)
    return found.model_copy(update={"packages": {**found.packages, "lm_eval": version("lm_eval")}})


def lm_eval(module: str = "lm_eval") -> Any:
    """The library, or a module of it. Raises ``UserError`` where it is not installed."""
    os.environ.setdefault("TQDM_DISABLE", "1")  # its bars would run through ours
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        raise UserError("this needs lm-eval", found=str(error), remedy='pip install "clinsynth[llm]"') from error


def _failures() -> tuple[type[Exception], ...]:
    """What a model may raise that has no answer: errors of the network, or of a reply that is none."""
    own = (OSError, ValueError, LookupError, TypeError, AttributeError, AssertionError, RuntimeError)
    if importlib.util.find_spec("aiohttp") is None:
        return own
    aiohttp: Any = importlib.import_module("aiohttp")
    return (*own, aiohttp.ClientError)


@contextlib.contextmanager
def quiet() -> Generator[None]:
    """lm-eval says much, and prints what failed requests held: text that must not get into logs."""
    before = logging.root.manager.disable
    logging.disable(logging.ERROR)
    try:
        yield
    finally:
        logging.disable(before)
