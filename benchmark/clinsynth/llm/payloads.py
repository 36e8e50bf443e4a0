"""How a prompt is written for a server, how its answer is read, and what its refusals mean."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, cast

from clinsynth.llm.cache import Reply
from clinsynth.llm.grammar import UnsupportedSchemaError, gbnf
from clinsynth.llm.requests import Mode, Prompt

Structured = Literal["auto", "off", "openai", "vllm", "llama"]
"""How answers are held to a schema. openai: ``response_format`` (chat alone); vllm: ``structured_outputs``; llama: a
grammar or ``response_format`` as llama.cpp servers take them; auto: by what the server says that it is."""
ENDPOINTS: dict[Mode, str] = {"chat": "/chat/completions", "completion": "/completions"}
_OWNERS: dict[str, Structured] = {
    "vllm": "vllm",
    "me": "llama",  # llama-cpp-python
    "llamacpp": "llama",  # llama-server
}
_SCHEMA_WORDS = ("response_format", "json_schema", "schema", "structured", "guided", "grammar")
_RENAMED = {"max_tokens": "max_completion_tokens"}
"""Parameters that newer models know by another name (https://platform.openai.com/docs/api-reference/chat)."""
_OPTIONAL = ("temperature", "top_p", "seed", "stop")
"""What may be left out if a model has it fixed; this is then in the record."""


@dataclass(slots=True)
class Dialect:
    """What the server at hand takes; learnt from its first answers, and said in the record."""

    mode: Mode
    structured: Structured
    left_out: dict[str, str] = field(default_factory=dict[str, str])
    """Parameters that the server refused, each with what was done instead."""
    server: str = ""
    """What the server says that it is."""

    def settle(self, owner: str) -> None:
        """Choose the form of structured output, knowing who owns the models of the server."""
        self.server = owner
        if self.structured == "auto":
            known = _OWNERS.get(owner)
            self.structured = known or ("openai" if self.mode == "chat" else "off")

    def body(self, prompt: Prompt, model: str, key: str) -> tuple[dict[str, Any], str]:
        """The request, and how it is held to its schema (empty for a prompt without one)."""
        body: dict[str, Any] = {"model": model}
        if self.mode == "chat":
            system = [{"role": "system", "content": prompt.system}] if prompt.system else []
            body["messages"] = [*system, {"role": "user", "content": prompt.text}]
        else:
            body["prompt"] = prompt.text
        body |= {
            "max_tokens": prompt.max_tokens,
            "temperature": prompt.temperature,
            "top_p": prompt.top_p,
            # Each request has a seed of its own, so that a server that honours it gives the same answer again.
            "seed": int(key[:8], 16) % 2**31,
        }
        if prompt.stop:
            body["stop"] = list(prompt.stop)
        for name in self.left_out:
            if name in body:
                value = body.pop(name)
                if name in _RENAMED:
                    body[_RENAMED[name]] = value
        if prompt.schema is None:
            return body, ""
        extra = self._hold(prompt.schema)
        if not extra and self.mode == "completion":
            body["prompt"] += prompt.opening
        return body | extra, self.structured if extra else "off"

    def _hold(self, schema: Mapping[str, Any]) -> dict[str, Any]:
        plain = dict(schema)
        match self.structured, self.mode:
            case (("openai" | "vllm"), "chat"):
                kept = _without_lengths(plain) if self.structured == "openai" else plain
                named = {"name": "row", "schema": kept, "strict": True}
                return {"response_format": {"type": "json_schema", "json_schema": named}}
            case "vllm", "completion":
                return {"structured_outputs": {"json": plain}}
            case "llama", "chat":
                return {"response_format": {"type": "json_object", "schema": plain}}
            case "llama", "completion":
                try:
                    return {"grammar": gbnf(schema)}
                except UnsupportedSchemaError:
                    return {}
            case _:
                return {}

    def adapt(self, refusal: Refusal, body: Mapping[str, Any]) -> bool:
        """Leave out what the server has just refused; whether there was anything of that kind."""
        held = {"response_format", "structured_outputs", "grammar"} & body.keys()
        if held and any(word in refusal.said.lower() for word in _SCHEMA_WORDS):
            self.left_out["schema"] = f"{self.structured} refused: answers are not held to a schema"
            self.structured = "off"
            return True
        named = refusal.parameter or next((f for f in (*_RENAMED, *_OPTIONAL) if f"'{f}'" in refusal.said), "")
        if named in body and named not in self.left_out and (named in _RENAMED or named in _OPTIONAL):
            renamed = _RENAMED.get(named)
            self.left_out[named] = f"sent as {renamed}" if renamed else "not sent: the server has it fixed"
            return True
        return False


def _without_lengths(schema: Any) -> Any:
    """A schema without limits of strings, which OpenAI's strict form refuses; parsing checks them anyway.

    Source: https://platform.openai.com/docs/guides/structured-outputs, supported schemas.
    """
    if isinstance(schema, dict):
        fields = cast("dict[str, Any]", schema)
        return {key: _without_lengths(value) for key, value in fields.items() if key not in ("minLength", "maxLength")}
    return [_without_lengths(item) for item in cast("list[Any]", schema)] if isinstance(schema, list) else schema


@dataclass(frozen=True, slots=True)
class Refusal:
    """A failed attempt."""

    kind: Literal["retry", "fatal", "filtered", "refused"]
    """retry: may go well later; fatal: no request will go well; filtered: withheld; refused: this one never will."""
    reason: str
    """Stable short name: 429, 5xx, timeout, connection..."""
    said: str
    """The server's words, for the user; they may quote the prompt and are never stored."""
    parameter: str = ""
    """The parameter that the server objects to, if it names one."""
    wait: float | None = None
    """Seconds that the server asks to wait."""


def read_refusal(status: int, body: Any, headers: Mapping[str, str]) -> Refusal:
    """What a response with an error status means."""
    whole: Any = body
    error: Any = cast("dict[str, Any]", whole).get("error", whole) if isinstance(whole, dict) else whole
    fields: dict[str, Any] = cast("dict[str, Any]", error) if isinstance(error, dict) else {}
    said, code = str(fields.get("message") or cast("object", error) or ""), str(fields.get("code") or "")
    parameter = str(fields.get("param") or "")
    if status == 429 and code == "insufficient_quota":
        return Refusal("fatal", "quota", said)
    if code in ("content_filter", "content_policy_violation"):
        return Refusal("filtered", "filtered", said)
    if status == 429:
        return Refusal("retry", "429", said, wait=_wait(headers))
    if status in (408, 409) or status >= 500:
        return Refusal("retry", f"{status}" if status < 500 else "5xx", said, wait=_wait(headers))
    if status in (401, 403, 404):
        return Refusal("fatal", str(status), said)
    return Refusal("refused", code or str(status), said, parameter)


def _wait(headers: Mapping[str, str]) -> float | None:
    """Seconds of ``Retry-After`` (https://www.rfc-editor.org/rfc/rfc9110#field.retry-after) or its finer kin."""
    for name, unit in (("retry-after-ms", 1e-3), ("retry-after", 1.0)):
        try:
            seconds = float(headers.get(name, "")) * unit
        except ValueError:
            continue
        if 0 <= seconds < float("inf"):
            return seconds
    if date := headers.get("retry-after"):
        from datetime import UTC, datetime
        from email.utils import parsedate_to_datetime

        try:
            return max(0.0, (parsedate_to_datetime(date) - datetime.now(UTC)).total_seconds())
        except (ValueError, TypeError):
            return None
    return None


def read_reply(content: Any, structured: str, *, batch: bool = False, seconds: float = 0.0) -> Reply | None:
    """The answer in a response's JSON; ``None`` if it is not one."""
    try:
        choice: dict[str, Any] = content["choices"][0]
        message: dict[str, Any] | None = choice.get("message")
        text: Any = message.get("content") if message is not None else choice["text"]
        refusal = message.get("refusal") if message is not None else None
        usage: dict[str, Any] = content.get("usage") or {}
        tokens = [usage.get("prompt_tokens"), usage.get("completion_tokens")]
        counts = [n if isinstance(n, int) and n >= 0 else None for n in tokens]
        model, reason = str(content.get("model") or ""), choice.get("finish_reason")
    except (KeyError, IndexError, TypeError, AttributeError):
        return None
    if text is not None and not isinstance(text, str):
        return None
    finish: Literal["stop", "length", "filtered"] = (
        "filtered" if reason == "content_filter" else "length" if reason == "length" else "stop"
    )
    # A refusal of the model in its own field is text like any other: parsing counts it.
    said = text or (str(refusal) if refusal else "")
    return Reply(
        text=said, finish=finish, tokens_in=counts[0], tokens_out=counts[1], model=model, structured=structured,
        batch=batch, seconds=seconds,
    )  # fmt: skip
