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
from collections import Counter
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from clinsynth.core import UserError, environment
from clinsynth.direct.exchange import CUT, Wire
from clinsynth.direct.lm import Meta, Meter, metered, prompt_key, prompt_text, total
from clinsynth.direct.records import Usage, slug
from clinsynth.llm import (
    Cache,
    Dialect,
    Mode,
    OversizedError,
    Prices,
    SentRequest,
    default_cache,
    is_local,
    sent_requests,
)
from clinsynth.results import Environment

_NO_MATTER = frozenset({"auth_token", "header", "num_concurrent", "timeout", "max_retries", "verify_certificate"})
"""Arguments of a model that do not change its answers, or that must not be written anywhere."""
_HOSTED = ("openai", "anthropic", "azure", "litellm", "watsonx", "textsynth")
"""Kinds of model that are somebody else's server whatever the arguments say."""
MOST_CUT = 0.2
"""Share of answers that may be cut for want of room; with more of them a score would be that of the room."""


class CutShortError(UserError):
    """Too many answers were cut: no score is stored."""


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
    reasoning_effort: str = ""
    """Sent as such, where it is set."""
    extra_body: Mapping[str, Any] = field(default_factory=dict[str, Any])
    """Further fields of every request; they are in the record."""
    weights: str = ""
    """Digest of the weights, where they are known."""
    place: str = ""
    """Where the model is, in the name of its cache; empty: its address. One that runs here has a new port each time."""

    @property
    def elsewhere(self) -> bool:
        """Whether asking it sends text to a server that is not one's own."""
        address = str(self.args.get("base_url", ""))
        return self.backend.startswith(_HOSTED) or (bool(address) and not is_local(address))

    def cache_path(self) -> Path:
        """Beginning of the cache's file names: the same prompt to another model, or address, is another one."""
        own = {k: str(v) for k, v in self.args.items() if k not in _NO_MATTER}
        if self.place:
            own["base_url"] = self.place
        who: list[Any] = [self.backend, self.name, self.snapshot, self.mode, own.get("base_url", ""),
                          sorted(own.items())]  # fmt: skip
        effort = {"reasoning_effort": self.reasoning_effort} if self.reasoning_effort else {}
        if more := {**effort, **self.extra_body}:
            who.append(more)
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
    """Result of the task's ``process_results``."""


@dataclass(slots=True)
class Session:
    """Asks on demand; the model is made at the first question."""

    model: Model
    say: Callable[[str], None] = lambda _line: None
    """Gets a line for whatever a user should see during the work."""
    meter: Meter = field(init=False)
    wire: Wire = field(init=False)
    _lm: Any = field(init=False, default=None)
    _told: set[str] = field(init=False, default_factory=set[str])

    def __post_init__(self) -> None:
        """Raises ``UserError`` where lm-eval is not installed."""
        lm_eval()
        self.meter = Meter.load(Path(f"{self.model.cache_path()}.meta.jsonl"))
        model = self.model
        dialect = Dialect(model.mode, "off", model.reasoning_effort, model.extra_body)
        where = (model.cache_path().name, model.name, model.mode)

        def keep(left_out: Mapping[str, str]) -> None:
            with contextlib.closing(Cache(model.cache or default_cache())) as memory:
                memory.remember(*where, left_out)

        with contextlib.closing(Cache(model.cache or default_cache())) as memory:
            dialect.learn(memory.recall(*where))
        self.wire = Wire(dialect, self._tell, keep)

    def _tell(self, line: str) -> None:
        """Each line once: a server says the same of many requests."""
        if line not in self._told:
            self._told.add(line)
            self.say(line)

    def ask(
        self, name: str, task: Any, positions: Sequence[int] | None, on_answer: Callable[[], None] | None = None,
        *, short: bool = False,
    ) -> list[Reply]:  # fmt: skip
        """Have ``task``, an lm-eval task, answered at these positions (all for ``None``); in order of the documents.

        Answers go to lm-eval's cache one by one: whatever stops it, the same call goes on from there. ``short`` says
        that an answer that is cut is worth nothing, so that many of them in a row end it.

        Raises:
            UserError: the model cannot be made, stopped answering, or took not one request.
        """
        chat = self.model.mode == "chat"
        with quiet():
            lm = self._made()
            self.meter.on_answer = on_answer
            self.wire.most_cut = CUT if short else None
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
            made = metered(self.model.backend, self.model.args, self.meter, self.wire)
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


def refuse_cut(replies: Sequence[Reply], room: int) -> None:
    """Raise ``CutShortError`` where too many answers were cut at ``room`` tokens."""
    cut = sum(reply.meta.finish == "length" for reply in replies)
    if cut > MOST_CUT * len(replies):
        raise CutShortError(
            f"no score is stored: {cut:,} of {len(replies):,} answers were cut at {room:,} tokens",
            remedy="give more room with --answer-tokens",
        )


def sent_by(replies: Sequence[Reply]) -> tuple[SentRequest, ...]:
    """The requests behind these answers, each form once; empty where lm-eval's own model was asked."""
    return sent_requests(Counter(reply.meta.sent for reply in replies))


def usage(metas: Sequence[Meta], prices: Prices) -> Usage:
    """Total cost of these answers, whichever run they were given in; one unknown part makes the sum unknown.

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

    here = environment(f"lm-eval {backend}", "", 1)
    return here.model_copy(update={"packages": {**here.packages, "lm_eval": version("lm_eval")}})


def lm_eval(module: str = "lm_eval") -> Any:
    """The library, or a module of it. Raises ``UserError`` where it is not installed."""
    os.environ.setdefault("TQDM_DISABLE", "1")  # its bars would run through ours
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        raise UserError("this needs lm-eval", found=str(error), remedy="pip install 'clinsynth[direct]'") from error


def _failures() -> tuple[type[Exception], ...]:
    """Exceptions of a model that gives no answer: errors of the network, or of a malformed reply."""
    own = (OSError, ValueError, LookupError, TypeError, AttributeError, AssertionError, RuntimeError, OversizedError)
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
