"""Grammars for llama.cpp: what they let through is what the schema allows. A faulty one would end the server."""

import json
import re
from typing import Any

import pytest

from clinsynth.llm.payloads import UnsupportedSchemaError, gbnf

TEXT: dict[str, Any] = {"type": "string", "minLength": 1}
PART = re.compile(r'\s*("(?:[^"\\]|\\.)*"|\[(?:[^\]\\]|\\.)*\]|[a-z][a-z0-9]*|[()|*+?])')


def matcher(grammar: str) -> re.Pattern[str]:
    """The grammar as a regular expression: it has no recursion, so that its rules can be put into one another."""
    rules = dict(line.split(" ::= ", 1) for line in grammar.splitlines())

    def expand(name: str) -> str:
        body, parts, place = rules[name], list[str](), 0
        while place < len(body.rstrip()):
            found = PART.match(body, place)
            assert found, f"{name}: {body[place:]}"
            place, part = found.end(), found[1]
            if part[0] == '"':
                parts.append(f"(?:{re.escape(json.loads(part))})")
            elif part[0].isalpha():
                parts.append(f"(?:{expand(part)})")
            else:
                parts.append("(?:" if part == "(" else part)
        return "".join(parts)

    return re.compile(expand("root"))


def obj(**properties: Any) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "required": list(properties)}


def array(item: Any, **limits: int) -> dict[str, Any]:
    return {"type": "array", "items": item, **limits}


CASES: list[tuple[str, dict[str, Any], list[str], list[str]]] = [
    (
        "object",
        obj(text=TEXT, label={"enum": ["yes", 'a "quoted" \\ one', "ä"]}),
        ['{"text":"a","label":"yes"}', '{ "text" : "a \\" \\u00e4" , "label" : "ä" }',
         r'{"text":"a","label":"a \"quoted\" \\ one"}'],
        ['{"text":"","label":"yes"}', '{"text":"a","label":"no"}', '{"label":"yes","text":"a"}', '{"text":"a"}',
         '{"text":"a\nb","label":"yes"}', '{"text":"a",  "label":"yes"}'],
    ),
    ("any array", array({"type": "integer"}), ["[]", "[1]", "[1,-20, 3]"], ["[1,]", "[01]", "[a]", "1"]),
    ("some", array(TEXT, minItems=1), ['["a"]', '["a","b","c"]'], ["[]"]),
    ("at least two", array({"const": 1}, minItems=2), ["[1,1]", "[1,1,1]"], ["[1]", "[]"]),
    ("at most two", array({"const": 1}, maxItems=2), ["[]", "[1]", "[1,1]"], ["[1,1,1]"]),
    ("two or three", array({"const": 1}, minItems=2, maxItems=3), ["[1,1]", "[1,1,1]"], ["[1]", "[1,1,1,1]"]),
    ("exactly three", array({"const": 1}, minItems=3, maxItems=3), ["[1,1,1]"], ["[1,1]", "[1,1,1,1]"]),
    ("none", array({"const": 1}, maxItems=0), ["[]"], ["[1]"]),
    ("nested", obj(rows=array(obj(a={"type": "string"}))), ['{"rows":[{"a":""},{"a":"x"}]}'], ['{"rows":[{}]}']),
    ("types", {"type": ["number", "null", "boolean"]}, ["1.5", "-2", "null", "true", "false"], ["1.", '"a"', "nul"]),
    ("alternatives", {"anyOf": [{"const": "a"}, {"type": "integer"}]}, ['"a"', "7"], ['"b"', "7.5"]),
]  # fmt: skip


@pytest.mark.parametrize(("schema", "good", "bad"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
def test_the_grammar_lets_through_what_the_schema_allows(
    schema: dict[str, Any], good: list[str], bad: list[str]
) -> None:
    allowed = matcher(gbnf(schema))
    for text in good:
        json.loads(text)
        assert allowed.fullmatch(text), text
    for text in bad:
        assert not allowed.fullmatch(text), text


@pytest.mark.parametrize("schema", [{}, {"$ref": "#/x"}, {"type": "object"}, {"type": "tuple"}, array({})], ids=str)
def test_what_has_no_grammar_is_told(schema: dict[str, Any]) -> None:
    with pytest.raises(UnsupportedSchemaError):
        gbnf(schema)
