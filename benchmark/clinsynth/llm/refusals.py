"""Interpretation of a server's refusal: its kind, and the part of the request to leave out.

Servers say the same in many forms. Seen in their documentation and in public reports: OpenAI and Azure name the
parameter in a field; Claude's gateways write it in backticks inside a sentence; Gemini answers with a list; vLLM has
the error at the top level; checks of pydantic list places under ``detail``; LiteLLM quotes another server's JSON.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, cast

SYSTEM = "system"
"""The name under which a refused system message is kept."""
RENAMED = {"max_tokens": "max_completion_tokens"}
"""Parameters that newer models know by another name (https://platform.openai.com/docs/api-reference/chat)."""
_NAMES: Mapping[str, str] = {
    "top_p": r"\btop_?p\b",
    "seed": r"\bseed\b",
    # An English word as well: only where it is quoted, or stands where a field stands.
    "stop": r"['\"`\\]stop['\"`\\]|\bstop_?sequences?\b|\bstop(?=:)|\bbody\.stop\b",
    "temperature": r"\btemperature\b",
    "max_tokens": r"\bmax_tokens\b",
}
"""How servers write what may be left out or renamed; where several are named, the first is the one to go."""
_REFUSING = re.compile(
    r"not (?:be )?(?:support|permit|allow|enabl|accept|available)|n[o']t (?:support|accept|allow)|unsupport|unknown|"
    r"unrecogni[sz]ed|unexpected|deprecated|invalid|cannot|can not|can't|extra (?:inputs?|fields?)|only|must |mutually|"
    r"incompatible|no longer|removed|should be|forbidden|non-whitespace",
    re.IGNORECASE,
)
"""A name alone is no refusal: it may stand in a text that is quoted."""
_TOO_LONG = re.compile(r"context|too (?:large|long|many)|at (?:least|most)|exceed", re.IGNORECASE)
_NO_SYSTEM = re.compile(
    r"(?:system|developer)['\"`]? (?:role|message|prompt|instruction)s?|role['\"`]?:? ['\"`]?system|"
    r"['\"`]system['\"`]|roles must alternate|valid role: user|only user,? (?:and )?(?:assistant|model)",
    re.IGNORECASE,
)
_SCHEMA_WORDS = ("response_format", "json_schema", "schema", "structured", "guided", "grammar", "json mode")
_HOLDS = frozenset({"response_format", "structured_outputs", "grammar"})
"""Parameters that hold an answer to a schema."""


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

    @property
    def sameness(self) -> tuple[str, str]:
        """Equal for refusals that say the same, whatever numbers they name."""
        return self.reason, re.sub(r"\d+", "0", self.said)[:300]


def objection(refusal: Refusal, body: Mapping[str, Any], own: Sequence[str] = ()) -> str:
    """What of a request the server objects to: a parameter, ``schema``, ``system``, or nothing that can be left out.

    ``own`` are parameters that the user insists on: they stay.
    """
    said = _without_prompt(refusal.said, body)
    here = [name for name in _NAMES if name in body and name not in own]
    given = refusal.parameter.removeprefix("body.").split(".")[-1]
    given = next((name for name in here if re.fullmatch(_NAMES[name], given)), given)
    if given in here and _goes(given, said, named=True):
        return given
    if _HOLDS & body.keys() and any(word in f"{refusal.parameter} {said}".lower() for word in _SCHEMA_WORDS):
        return "schema"
    if refusal.kind != "refused" or not _REFUSING.search(said):
        return ""
    if _has_system(body) and (_NO_SYSTEM.search(said) or refusal.parameter.endswith(".role")):
        return SYSTEM
    return next((name for name in here if re.search(_NAMES[name], said, re.IGNORECASE) and _goes(name, said)), "")


def _goes(name: str, said: str, *, named: bool = False) -> bool:
    """Whether leaving out the parameter answers the refusal: room that is too large for a model is another matter."""
    if name not in RENAMED:
        return True
    return not _TOO_LONG.search(said) and (named or RENAMED[name] in said or "nsupport" in said)


def _has_system(body: Mapping[str, Any]) -> bool:
    messages = cast("Sequence[Mapping[str, Any]]", body.get("messages") or ())
    return any(message.get("role") == SYSTEM for message in messages)


def _without_prompt(said: str, body: Mapping[str, Any]) -> str:
    """A server's words without the prompt, where it quotes it whole."""
    messages = cast("Sequence[Mapping[str, Any]]", body.get("messages") or ())
    texts = [str(message.get("content") or "") for message in messages] + [str(body.get("prompt") or "")]
    for text in sorted(filter(None, texts), key=len, reverse=True):
        said = said.replace(text, " ")
    return said


def conform(body: dict[str, Any], left_out: Mapping[str, str]) -> dict[str, Any]:
    """A request without what the server has refused."""
    for name in left_out:
        if name == SYSTEM:
            body["messages"] = folded(body.get("messages") or [])
        elif name in body:
            value = body.pop(name)
            if name in RENAMED:
                body[RENAMED[name]] = value
    return body


def folded(messages: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """A conversation whose system message opens the user's first one."""
    system = "\n\n".join(str(each["content"]) for each in messages if each.get("role") == SYSTEM)
    rest = [dict(each) for each in messages if each.get("role") != SYSTEM]
    if system and rest:
        rest[0]["content"] = f"{system}\n\n{rest[0]['content']}"
    return rest


def left_out_because(name: str) -> str:
    """The substitute for a refused parameter, in words for the record."""
    if name == SYSTEM:
        return "put before the user's text"
    return f"sent as {RENAMED[name]}" if name in RENAMED else "not sent: the server refuses it"


def read_refusal(status: int, body: Any, headers: Mapping[str, str]) -> Refusal:
    """Interpret a response with an error status."""
    faults = list(_faults(body))
    said = "; ".join(dict.fromkeys(text for text, _, _ in faults if text))
    code = next((code for _, code, _ in faults if code), "")
    parameter = next((name for _, _, name in faults if name), "")
    if status == 429 and code == "insufficient_quota":
        return Refusal("fatal", "quota", said)
    if code in ("content_filter", "content_policy_violation"):
        return Refusal("filtered", "filtered", said)
    if status == 429:
        return Refusal("retry", "429", said, wait=_wait(headers, body))
    if status in (408, 409) or status >= 500:
        return Refusal("retry", f"{status}" if status < 500 else "5xx", said, wait=_wait(headers, body))
    if status in (401, 403, 404):
        return Refusal("fatal", str(status), said)
    return Refusal("refused", code if code and not code.isdigit() else str(status), said, parameter)


def _faults(body: Any) -> Iterator[tuple[str, str, str]]:
    """Words, code and parameter of each error in a response's JSON, or of its text."""
    if isinstance(body, list):
        for item in cast("list[Any]", body)[:20]:
            yield from _faults(item)
        return
    if not isinstance(body, dict):
        yield ("" if body is None else str(body), "", "")
        return
    fields = cast("dict[str, Any]", body)
    inner: Any = fields.get("error") or fields.get("detail")
    if isinstance(inner, (dict, list)):
        yield from _faults(inner)
    elif "loc" in fields:  # a check of pydantic's: the place, and what is wrong there
        place = ".".join(map(str, cast("Sequence[Any]", fields["loc"])))
        yield f"{place}: {fields.get('msg')}", "", place
    else:
        said = fields.get("message") or inner or ""
        yield str(cast("object", said)), str(fields.get("code") or ""), str(fields.get("param") or "")


def _wait(headers: Mapping[str, str], body: Any) -> float | None:
    """Seconds of ``Retry-After``, of its finer kin, or of Google's ``retryDelay`` in the body.

    Source: https://www.rfc-editor.org/rfc/rfc9110#field.retry-after.
    """
    delay = re.search(r"retryDelay['\"]: ['\"](\d+(?:\.\d+)?)s", str(body)[:20_000])
    for said, unit in (
        (headers.get("retry-after-ms", ""), 1e-3), (headers.get("retry-after", ""), 1.0),
        (delay.group(1) if delay else "", 1.0),
    ):  # fmt: skip
        try:
            seconds = float(said) * unit
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
