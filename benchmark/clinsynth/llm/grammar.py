"""JSON schemas as GBNF grammars, for llama.cpp servers whose completions endpoint takes a grammar alone.

Form of a grammar: https://github.com/ggml-org/llama.cpp/blob/master/grammars/README.md. Properties come in the schema's
order, all of them; between tokens stands at most one space, for small models tend to go on with spaces for ever.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, cast

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
