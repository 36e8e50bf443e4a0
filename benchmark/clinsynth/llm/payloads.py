"""How a prompt is written for a server and how its answer is read; schemas that some servers hold an answer to."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, cast

from clinsynth.core import canonical_json
from clinsynth.llm.cache import Reply
from clinsynth.llm.refusals import SYSTEM, Refusal, conform, left_out_because, objection
from clinsynth.llm.requests import Mode, Prompt

MOST_ITEMS = 50
"""A grammar spells repetitions out: longer arrays are left without an upper limit."""
_CHAR = r'[^"\\\x7F\x00-\x1F] | "\\" (["\\/bfnrt] | "u" [0-9a-fA-F] [0-9a-fA-F] [0-9a-fA-F] [0-9a-fA-F])'
_BASE = {
    "ws": '" "?',
    "char": _CHAR,
    "string": r'"\"" char* "\""',
    "filled": r'"\"" char+ "\""',
    "integer": '"-"? ("0" | [1-9] [0-9]*)',
    "number": '"-"? ("0" | [1-9] [0-9]*) ("." [0-9]+)?',
    "boolean": '"true" | "false"',
    "null": '"null"',
}


class UnsupportedSchemaError(ValueError):
    """A part of the schema has no grammar here; the prompt then goes without one."""


def gbnf(schema: Mapping[str, Any]) -> str:
    """A grammar for the JSON documents of a schema: objects, arrays, strings, numbers, enums and alternatives.

    Lengths of strings (but for "not empty"), patterns and ranges are not enforced.

    Raises:
        UnsupportedSchemaError: references, or properties without names.
    """
    rules: dict[str, str] = {}
    root = _rule(schema, rules)
    lines = {"root": root, **rules, **_BASE}
    return "".join(f"{name} ::= {body}\n" for name, body in lines.items())


def _rule(schema: Mapping[str, Any], rules: dict[str, str]) -> str:
    if "const" in schema or "enum" in schema:
        values: Sequence[Any] = schema["enum"] if "enum" in schema else [schema["const"]]
        return _either(map(_literal, values))
    parts: Sequence[Mapping[str, Any]] | None = schema.get("anyOf") or schema.get("oneOf")
    kind: object = schema.get("type")
    if parts is None and kind is not None and not isinstance(kind, str):
        parts = [{**schema, "type": one} for one in cast("Sequence[str]", kind)]
    if parts is not None:
        return _either(_rule(part, rules) for part in parts)
    return _typed(schema, str(kind), rules)


def _typed(schema: Mapping[str, Any], kind: str, rules: dict[str, str]) -> str:
    match kind:
        case "object":
            return _object(schema, rules)
        case "array":
            return _array(schema, rules)
        case "string":
            return "filled" if schema.get("minLength", 0) else "string"
        case "integer" | "number" | "boolean" | "null":
            return kind
        case _:
            raise UnsupportedSchemaError(f"no grammar for {sorted(schema)}")


def _either(parts: Iterable[str]) -> str:
    return "(" + " | ".join(parts) + ")"


def _named(body: str, rules: dict[str, str]) -> str:
    name = f"r{len(rules)}"
    rules[name] = body
    return name


def _object(schema: Mapping[str, Any], rules: dict[str, str]) -> str:
    properties = cast("Mapping[str, Mapping[str, Any]]", schema.get("properties") or {})
    if not properties:
        raise UnsupportedSchemaError("an object without named properties")
    parts = [f"{_literal(key)} ws {_text(':')} ws {_rule(value, rules)}" for key, value in properties.items()]
    return _named(f"{_text('{')} ws " + f" ws {_text(',')} ws ".join(parts) + f" ws {_text('}')}", rules)


def _array(schema: Mapping[str, Any], rules: dict[str, str]) -> str:
    item = _named(_rule(cast("Mapping[str, Any]", schema.get("items") or {}), rules), rules)
    least, most = int(schema.get("minItems", 0)), schema.get("maxItems")
    more = f"{_text(',')} ws {item} ws"
    if most is None or most > MOST_ITEMS:
        tail = " ".join([f"({more})"] * max(least - 1, 0)) + f" ({more})*"
    else:
        # Nested, not {m,n}: old servers do not know that form.
        tail = " ".join([f"({more})"] * max(least - 1, 0)) + " " + _nested(more, int(most) - max(least, 1))
    if most == 0:
        return _text("[]")
    filled = f"{item} ws {tail}".strip()
    inner = filled if least else f"({filled})?"
    return _named(f"{_text('[')} ws {inner} {_text(']')}", rules)


def _nested(more: str, times: int) -> str:
    body = ""
    for _ in range(times):
        body = f"({more} {body})?" if body else f"({more})?"
    return body


def _literal(value: Any) -> str:
    return _text(json.dumps(value, ensure_ascii=False))


def _text(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n").replace("\r", "\\r")
    return f'"{escaped}"'


Structured = Literal["auto", "off", "openai", "vllm", "llama"]
"""How answers are held to a schema. openai: ``response_format`` (chat alone); vllm: ``structured_outputs``; llama: a
grammar or ``response_format`` as llama.cpp servers take them; auto: by what the server says that it is."""
ENDPOINTS: dict[Mode, str] = {"chat": "/chat/completions", "completion": "/completions"}
MOST_TOKENS = 10_000_000
"""No answer has more: a larger count is a fault of the server, and would use up every limit."""
_OWNERS: dict[str, Structured] = {
    "vllm": "vllm",
    "me": "llama",  # llama-cpp-python
    "llamacpp": "llama",  # llama-server
}
_TEXTS = ("messages", "prompt", "model")
"""Fields of a request that a record leaves out: text, and fields recorded elsewhere."""
_THOUGHTS = re.compile(r"\A\s*<think(?:ing)?>(.*?)(?:</think(?:ing)?>\s*|\Z)", re.DOTALL)
"""Remains of a reasoning text that some servers leave before the answer."""


@dataclass(slots=True)
class Dialect:
    """Parameters that this server accepts; learnt from its first answers, and kept in the record."""

    mode: Mode
    structured: Structured
    effort: str = ""
    """``reasoning_effort``, where it is set."""
    extra: Mapping[str, Any] = field(default_factory=dict[str, Any])
    """Further fields of every request, as the user gives them."""
    left_out: dict[str, str] = field(default_factory=dict[str, str])
    """Parameters that the server refused, each with what was done instead."""
    server: str = ""
    """The server's description of itself."""

    def settle(self, owner: str) -> None:
        """Choose the form of structured output, knowing who owns the models of the server."""
        self.server = owner
        if self.structured == "auto":
            known = _OWNERS.get(owner)
            self.structured = known or ("openai" if self.mode == "chat" else "off")

    def learn(self, left_out: Mapping[str, str]) -> None:
        """Begin with what the server refused before. What the user asks for is tried anew."""
        known = {name: done for name, done in left_out.items() if name != "schema" or self.structured == "auto"}
        self.left_out.update({name: done for name, done in known.items() if name not in self.extra})
        if "schema" in self.left_out:
            self.structured = "off"

    def body(self, prompt: Prompt, model: str, key: str) -> tuple[dict[str, Any], str]:
        """The request, and how it is held to its schema (empty for a prompt without one)."""
        body: dict[str, Any] = {"model": model}
        if self.mode == "chat":
            system = [{"role": SYSTEM, "content": prompt.system}] if prompt.system else []
            body["messages"] = [*system, {"role": "user", "content": prompt.text}]
        else:
            body["prompt"] = prompt.text
        body |= {
            "max_tokens": prompt.max_tokens,
            "temperature": prompt.temperature,
            # Each request has a seed of its own, so that a server that honours it gives the same answer again.
            "seed": int(key[:8], 16) % 2**31,
        }
        if prompt.top_p is not None:
            body["top_p"] = prompt.top_p
        if prompt.stop:
            body["stop"] = list(prompt.stop)
        held: dict[str, Any] = {} if prompt.schema is None else self._hold(prompt.schema)
        if prompt.schema is not None and not held and self.mode == "completion":
            body["prompt"] += prompt.opening
        return self.dressed(body | held), "" if prompt.schema is None else self.structured if held else "off"

    def dressed(self, body: dict[str, Any]) -> dict[str, Any]:
        """A request without what the server has refused, and with what the user adds."""
        effort = {"reasoning_effort": self.effort} if self.effort else {}
        return conform(body, self.left_out) | effort | dict(self.extra)

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

    def adapt(self, refusal: Refusal, body: Mapping[str, Any]) -> str:
        """Leave out what the server has just refused; gives its name, empty if there was nothing of that kind."""
        name = objection(refusal, body, tuple(self.extra))
        if name == "schema":
            self.left_out[name] = f"{self.structured} refused: answers are not held to a schema"
            self.structured = "off"
        elif name and name not in self.left_out:
            self.left_out[name] = left_out_because(name)
        else:
            return ""
        return name


def told(body: Mapping[str, Any]) -> str:
    """A request as a record holds it, as JSON: everything but text, and what differs from request to request."""
    shown: dict[str, Any] = {name: value for name, value in body.items() if name not in _TEXTS}
    if messages := cast("Sequence[Mapping[str, Any]]", body.get("messages") or ()):
        shown["roles"] = list(dict.fromkeys(str(message.get("role")) for message in messages))
    if "seed" in shown:
        shown["seed"] = "of each request"
    for name in ("response_format", "structured_outputs", "grammar"):
        if name in shown:
            value = shown[name]
            shown[name] = cast("dict[str, Any]", value).get("type", "schema") if isinstance(value, dict) else "schema"
    return canonical_json(shown)


def _without_lengths(schema: Any) -> Any:
    """A schema without limits of strings, which OpenAI's strict form refuses; parsing checks them anyway.

    Source: https://platform.openai.com/docs/guides/structured-outputs, supported schemas.
    """
    if isinstance(schema, dict):
        fields = cast("dict[str, Any]", schema)
        return {key: _without_lengths(value) for key, value in fields.items() if key not in ("minLength", "maxLength")}
    return [_without_lengths(item) for item in cast("list[Any]", schema)] if isinstance(schema, list) else schema


def read_json(content: bytes) -> Any:
    """A response's JSON, whatever the server calls its type; ``None`` for what is none or too deep."""
    try:
        return json.loads(content.decode("utf-8-sig", "replace"), parse_int=_integer)
    except (ValueError, RecursionError):
        return None


def _integer(digits: str) -> int:
    # Python itself refuses thousands of digits, and the cache more than eighteen.
    return int(digits) if len(digits) < 18 else (-1 if digits.startswith("-") else 1) * 10**17


def read_reply(
    content: Any, structured: str, *, batch: bool = False, seconds: float = 0.0, sent: str = ""
) -> Reply | None:
    """The answer in a response's JSON; ``None`` if it is not one. Odd counts of tokens are no reason to lose it."""
    try:
        choice: dict[str, Any] = content["choices"][0]
        message: dict[str, Any] | None = choice.get("message")
        said: Any = message.get("content") if message is not None else choice["text"]
        refusal = message.get("refusal") if message is not None else None
        usage: Any = content.get("usage")
        model, reason = str(content.get("model") or ""), choice.get("finish_reason")
    except (KeyError, IndexError, TypeError, AttributeError):
        return None
    if isinstance(said, list):  # in parts
        parts = cast("list[Any]", said)
        texts = [cast("dict[str, Any]", part).get("text") for part in parts if isinstance(part, dict)]
        said = "".join(text for text in texts if isinstance(text, str))
    if said is not None and not isinstance(said, str):
        return None
    finish: Literal["stop", "length", "filtered"] = (
        "filtered" if reason == "content_filter"
        else "length" if str(reason).lower() in ("length", "max_tokens") else "stop"
    )  # fmt: skip
    counts: Mapping[str, Any] = cast("dict[str, Any]", usage) if isinstance(usage, dict) else {}
    # A refusal of the model in its own field is text like any other: parsing counts it.
    text = said or (str(refusal) if refusal else "")
    return Reply(
        text=_THOUGHTS.sub("", text, count=1) if message is not None else text, finish=finish,
        tokens_in=_count(counts.get("prompt_tokens")), tokens_out=_count(counts.get("completion_tokens")),
        model=model[:200], structured=structured, batch=batch, seconds=seconds, sent=sent,
    )  # fmt: skip


def _count(value: Any) -> int | None:
    """A count of tokens; ``None`` for what is none."""
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value < float("inf"):
        return None
    return min(int(value), MOST_TOKENS)
