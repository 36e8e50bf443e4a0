"""lm-eval's API models, with requests that say what the record says.

lm-eval keeps its tasks, its cache, its order of requests and its kinds of model with their addresses and keys. What
goes over the wire is looked at here: the temperature is the one that was asked for (lm-eval sends 1 to any model whose
name has a 5 in it), what a server refuses is left out and remembered, an attempt has one deadline and a largest size,
and an answer that was paid is not asked for again because of odd counts or an odd type.
"""

from __future__ import annotations

import asyncio
import contextvars
import copy
import importlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, cast

from clinsynth.direct.parsing import Finish
from clinsynth.llm import Dialect, OversizedError, Refusal, read_json, read_refusal, read_reply, told

REJECTED = frozenset({400, 413, 422})
"""HTTP states that say of one request that it cannot be answered: too long, or withheld by a filter in front."""
LARGEST = 64 * 2**20
"""Bytes of a response."""
HOLLOW = 5
"""So many answers in a row that were cut before their text began end a run: the next ones would be no other."""
CUT = 20
"""The same of answers that were cut anywhere, where the task's answers are short."""
_current: contextvars.ContextVar[tuple[str, str]] = contextvars.ContextVar("clinsynth_request", default=("", ""))


class ThoughtlessError(RuntimeError):
    """Answers come to nothing, and are paid."""


class Metering(Protocol):
    """Where answers are counted."""

    def count(self, key: str, finish: Finish, output: Mapping[str, Any], sent: str) -> None:
        """Keep what is known of one answer beside its text."""
        ...


@dataclass(slots=True)
class Wire:
    """State that all requests to a model share."""

    dialect: Dialect
    say: Callable[[str], None] = lambda _line: None
    keep: Callable[[Mapping[str, str]], None] = lambda _left_out: None
    """Gets what the server refuses, once an answer has come without it."""
    most_cut: int | None = None
    """So many answers in a row that are cut end it; ``None``: whatever their number."""
    ended: str = ""
    """Why nothing is sent any more."""
    _kept: dict[str, str] = field(init=False)
    _shown: set[tuple[str, str]] = field(default_factory=set[tuple[str, str]])
    _hollow: int = 0
    _cut: int = 0

    def __post_init__(self) -> None:
        self._kept = dict(self.dialect.left_out)

    def payload(self, made: dict[str, Any], asked: Mapping[str, Any]) -> dict[str, Any]:
        """A payload of lm-eval's as it is sent; ``asked`` are the settings that it was made from."""
        if "temperature" in made and "temperature" in asked:
            made["temperature"] = asked["temperature"]
        made = {name: value for name, value in made.items() if value is not None}
        return self.dialect.dressed(made)

    def adapted(self, refusal: Refusal, body: Mapping[str, Any]) -> bool:
        """Leave out what was refused; whether there was anything of that kind."""
        name = self.dialect.adapt(refusal, body)
        if name:
            self.say(f"the server refuses {name}: {self.dialect.left_out[name]} ({refusal.said[:300]})")
        return bool(name)

    def rejected(self, refusal: Refusal) -> None:
        """Show a refusal of one request in the server's words, once for all that say the same."""
        if refusal.sameness not in self._shown:
            self._shown.add(refusal.sameness)
            self.say(f"the server takes no such request ({refusal.reason}): {refusal.said[:300]}")

    def answered(self, finish: Finish, text: str) -> None:
        """Look at an answer: whether it teaches something, or the last of too many that come to nothing."""
        if self.dialect.left_out != self._kept:
            self._kept = dict(self.dialect.left_out)
            self.keep(self._kept)
        self._cut = self._cut + 1 if finish == "length" else 0
        self._hollow = self._hollow + 1 if finish == "length" and not text.strip() else 0
        if self._hollow >= HOLLOW:
            self.ended = (
                f"{self._hollow} answers in a row were cut before their text began: the model thinks first. More room: "
                "--answer-tokens 4000; or less thought: --reasoning-effort low"
            )
        elif self.most_cut is not None and self._cut >= self.most_cut:
            self.ended = f"{self._cut} answers in a row were cut. More room: --answer-tokens 2000"


def exchanging(base: Any, meter: Metering, wire: Wire, digest: Callable[[Any], str]) -> Any:
    """A subclass of one of lm-eval's API models whose requests go through ``wire`` and are counted by ``meter``."""
    aiohttp: Any = importlib.import_module("aiohttp")

    class Exchanging(base):
        """The base, with its wire watched."""

        def _create_payload(self, messages: Any, *args: Any, gen_kwargs: Any = None, **kwargs: Any) -> Any:
            parent: Any = super()
            asked = dict(gen_kwargs or {})
            made: dict[str, Any] = parent._create_payload(messages, *args, gen_kwargs=gen_kwargs, **kwargs)
            if kwargs.get("generate"):
                made = wire.payload(made, asked)
                # Each request is a context of its own (a task of asyncio, or one call after the other): what the
                # answer finds there is its own prompt.
                _current.set((digest(messages), told(made)))
            return made

        def parse_generations(self, outputs: Any, **kwargs: Any) -> list[str]:
            answers = cast("list[Any]", outputs) if isinstance(outputs, list) else [outputs]
            parent: Any = super()
            texts: list[str | None] = parent.parse_generations(outputs, **kwargs)
            key, sent = _current.get()
            for output, text in zip(answers, texts, strict=True):
                finish = _finish(output)
                meter.count(key, finish, output, sent)
                wire.answered(finish, text or "")
            # lm-eval asks again, or stumbles, over None; a withheld answer is an empty one.
            return ["" if text is None else text for text in texts]

        def model_call(self, messages: Any, *, generate: bool = True, gen_kwargs: Any = None, **kwargs: Any) -> Any:
            parent: Any = super()
            if not generate:
                return parent.model_call(messages, generate=generate, gen_kwargs=gen_kwargs, **kwargs)

            async def alone() -> tuple[Any, tuple[str, str]]:
                timeout = aiohttp.ClientTimeout(total=self.timeout)
                connector = aiohttp.TCPConnector(ssl=self.verify_certificate)
                async with aiohttp.ClientSession(connector=connector, timeout=timeout) as session:
                    output = await self._exchange(session, messages, gen_kwargs, eos=self.eos_string, **kwargs)
                    return output, _current.get()

            output, request = asyncio.run(alone())
            _current.set(request)
            return output

        async def amodel_call(
            self, session: Any, sem: Any, messages: Any, *, generate: bool = True, cache_keys: Any = None,
            ctxlens: Any = None, gen_kwargs: Any = None, **kwargs: Any,
        ) -> Any:  # fmt: skip
            parent: Any = super()
            if not generate:
                return await parent.amodel_call(
                    session, sem, messages, generate=generate, cache_keys=cache_keys, ctxlens=ctxlens,
                    gen_kwargs=gen_kwargs, **kwargs,
                )  # fmt: skip
            async with sem:
                output = await self._exchange(session, messages, gen_kwargs, **kwargs)
                answers = self.parse_generations(output)
            for answer, key in zip(answers, cache_keys or (), strict=False):
                self.cache_hook.add_partial("generate_until", key, answer)
            return answers

        async def _exchange(self, session: Any, messages: Any, gen_kwargs: Any, **kwargs: Any) -> Any:
            def written() -> dict[str, Any]:
                # A copy: the settings are shared by all requests, and lm-eval takes them apart.
                return self._create_payload(
                    self.create_message(messages), generate=True, gen_kwargs=copy.deepcopy(gen_kwargs),
                    seed=self._seed, **kwargs,
                )  # fmt: skip

            while True:
                if wire.ended:
                    raise ThoughtlessError(wire.ended)
                payload = written()
                async with session.post(self.base_url, json=payload, headers=self.header) as response:
                    content = await _read(response)
                    if response.ok:
                        return _output(content)
                    body = read_json(content)
                    said = content[:2_000].decode("utf-8", "replace") if body is None else body
                    refusal = read_refusal(response.status, said, response.headers)
                    # Another request may have learnt it meanwhile.
                    if refusal.kind == "refused" and (written() != payload or wire.adapted(refusal, payload)):
                        continue
                    if response.status in REJECTED:
                        wire.rejected(refusal)
                        return _nothing()
                    response.raise_for_status()

    return Exchanging


async def _read(response: Any) -> bytes:
    parts: list[bytes] = []
    size = 0
    async for part in response.content.iter_any():
        size += len(part)
        if size > LARGEST:
            raise OversizedError(f"the response has more than {LARGEST // 2**20} MiB")
        parts.append(part)
    return b"".join(parts)


def _output(content: bytes) -> Any:
    """A response as lm-eval reads it. Raises ``ValueError`` for what is no answer: it is then asked for again."""
    value = read_json(content)
    reply = read_reply(value, "")
    if reply is None:
        fields = cast("dict[str, Any]", value) if isinstance(value, dict) else {}
        if isinstance(fields.get("content"), list):  # Anthropic's own form, whose text may come in parts
            parts: list[Any] = fields["content"]
            texts = [cast("dict[str, Any]", part).get("text") for part in parts if isinstance(part, dict)]
            return {**fields, "content": [{"text": "".join(text for text in texts if isinstance(text, str))}]}
        raise ValueError("the response has not the form of an answer")
    fields = cast("dict[str, Any]", value)
    counts = {"prompt_tokens": reply.tokens_in, "completion_tokens": reply.tokens_out}
    finish = {"filtered": "content_filter"}.get(reply.finish, reply.finish)
    first: Mapping[str, Any] = fields["choices"][0]
    # What the server did not say stays unsaid.
    finish = finish if first.get("finish_reason") in ("stop", "length", "content_filter", "max_tokens") else None
    message: Mapping[str, Any] = first.get("message") or {}
    withheld = bool(message.get("refusal")) and not message.get("content")
    text = "" if withheld else reply.text
    choice = {"index": 0, "text": text, "message": {"content": text}, "finish_reason": finish}
    return {"choices": [{**choice, "withheld": withheld}], "usage": counts, "model": reply.model}


def _nothing() -> dict[str, Any]:
    """An answer of the server's form to a request that it did not take."""
    choice = {"index": 0, "text": "", "message": {"content": ""}, "finish_reason": "rejected"}
    return {"choices": [choice], "content": [{"text": ""}]}


_FINISH: Mapping[str, Finish] = {
    "stop": "stop", "length": "length", "content_filter": "filtered", "rejected": "rejected",
    # Of Anthropic's own form.
    "end_turn": "stop", "stop_sequence": "stop", "max_tokens": "length", "refusal": "filtered",
}  # fmt: skip


def _finish(output: Mapping[str, Any]) -> Finish:
    choices: Sequence[Mapping[str, Any]] = output.get("choices") or ({},)
    if choices[0].get("withheld"):
        return "filtered"
    return _FINISH.get(str(choices[0].get("finish_reason") or output.get("stop_reason")), "unknown")
