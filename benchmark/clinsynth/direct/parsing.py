"""From what a model wrote to a prediction: strict, counted, and never to the model's advantage.

0. What the prompt wrote of the answer, its opening, is put before what the model wrote, unless that begins with it.
1. Blank space around the answer, one code fence around all of it and ``Answer:`` before it are taken off. Nothing else
   is searched for: an explanation beside the answer makes it unparsable.
2. One label: its name, whatever its letter case, with spaces, hyphens and underscores alike, quoted or with a stop.
3. Several labels: a JSON list of names by rule 2; a label named twice counts once.
4. Mentions: a JSON list of strings, or of ``{"text": ..., "label": ...}`` where the task has several kinds. They are
   placed by the rules of ``clinsynth.task_types.types``. Where the opening has begun a first string, an empty one
   alone says that there is nothing, as ``[]`` does; so also for labels.
5. An answer with an unknown label, a wrong key or a wrong type is unparsable as a whole.
6. An unparsable answer is scored as wrong, whatever the metric (``wrong``). A mention without a place in the text is a
   false positive: it stands as an empty span, which no gold span equals.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from dataclasses import dataclass, field
from functools import cache
from typing import Any, Literal, cast

from clinsynth.core import Example, Prediction, Span, TaskSpec
from clinsynth.task_types import locate

Failure = Literal[
    "empty", "refusal", "withheld", "rejected", "truncated", "not-json", "not-a-list", "bad-item", "several-labels",
    "unknown-label", "too-deep",
]  # fmt: skip
"""Why an answer could not be read. withheld: the server's filter kept it back; rejected: the server took no such
request (mostly a prompt that is too long); truncated: unreadable, and cut at the limit of tokens."""

Finish = Literal["stop", "length", "filtered", "rejected", "unknown"]
"""How the generation ended, as far as the server says."""

MOST_UNPLACED = 256
"""Mentions of one answer that the text does not have, which count: a file of answers is a stranger's."""

_FENCE = re.compile(r"\A```[\w-]*\s*\n?(.*?)\n?\s*```\Z", re.DOTALL)
_LEAD = re.compile(r"\A(?:answer|label|labels)\s*:\s*", re.IGNORECASE)
_REFUSAL = re.compile(
    r"\b(?:i(?:'|’)?m sorry|i am sorry|i can(?:no|')t|i cannot|i(?:'|’)m (?:not able|unable)|i am (?:not able|unable)"
    r"|as an ai\b|cannot (?:assist|help|comply)|can't (?:assist|help))",
    re.IGNORECASE,
)


class UnparsableError(ValueError):
    """The answer is not in the form that was asked for."""

    def __init__(self, reason: Failure) -> None:
        super().__init__(reason)
        self.reason: Failure = reason


@dataclass(frozen=True, slots=True)
class Parsed:
    """One answer, read."""

    prediction: Prediction
    """The prediction that is scored; a wrong one for an unparsable answer."""
    failure: Failure | None = None
    counts: Counter[str] = field(default_factory=Counter[str])
    """Mentions by what happened to them: ``mention-not-in-text``, ``mention-occurs-often``..."""


def parse(spec: TaskSpec, example: Example, text: str, finish: Finish = "unknown", opening: str = "") -> Parsed:
    """Read an answer to ``example``; ``opening`` is what the prompt wrote of it.

    ``finish`` only tells the reasons apart: the prediction depends on the text.
    """
    counts: Counter[str] = Counter()
    try:
        if finish == "filtered" and not text.strip():
            raise UnparsableError("withheld")
        if finish == "rejected":
            raise UnparsableError("rejected")
        prediction = _read(spec, example, _bare(text), opening, counts)
    except UnparsableError as error:
        return Parsed(wrong(spec, example), _reason(error.reason, text, finish))
    return Parsed(prediction, None, counts)


def _reason(reason: Failure, text: str, finish: Finish) -> Failure:
    if reason in ("withheld", "rejected", "empty"):
        return reason
    if _REFUSAL.search(text):
        return "refusal"
    return "truncated" if finish == "length" else reason


def wrong(spec: TaskSpec, gold: Example) -> Prediction:
    """An answer that is wrong on every metric: gold is missed, and where nothing is to be found, something is.

    Nothing at all would be right, or cost nothing, where the gold answer is the negative label, no label or no span.
    """
    if spec.is_span:
        return Prediction(spans=() if gold.spans else unplaced_spans(spec, 1))
    positive = [label for label in spec.labels if label != spec.negative_label]
    has = set(gold.labels) & set(positive)
    return Prediction(labels=() if has else tuple(positive[:1]))


def _bare(text: str) -> str:
    text = text.strip()
    if found := _FENCE.match(text):
        text = found.group(1).strip()
    text = _LEAD.sub("", text, count=1)
    if not text:
        raise UnparsableError("empty")
    return text


def _opened(text: str, opening: str) -> str:
    return text if text.startswith(opening) else opening + text


def _read(spec: TaskSpec, example: Example, text: str, opening: str, counts: Counter[str]) -> Prediction:
    text = _opened(text, opening)
    if not (spec.is_span or spec.multi_label):
        return Prediction(labels=(_label(spec, text),))
    items = _list(text)
    if opening.endswith('"') and len(items) == 1 and _is_blank(items[0]):
        items = []
    if spec.is_span:
        return Prediction(spans=_spans(spec, example.texts[0], items, counts))
    return Prediction(labels=tuple(sorted({_label(spec, item) for item in items})))


def _is_blank(item: Any) -> bool:
    said = cast("dict[str, Any]", item).get("text") if isinstance(item, dict) else item
    return said == ""


def _list(text: str) -> list[Any]:
    try:
        value = json.loads(text)
    except RecursionError:
        raise UnparsableError("too-deep") from None
    except ValueError:
        raise UnparsableError("not-json") from None
    if not isinstance(value, list):
        raise UnparsableError("not-a-list")
    return cast("list[Any]", value)


def _plain(name: str) -> str:
    """A label's name as it is compared."""
    return " ".join(re.split(r"[\s_-]+", name.strip(" \t\r\n\"'`*.“”‘’").casefold())).strip()


def _label(spec: TaskSpec, given: object) -> str:
    if not isinstance(given, str):
        raise UnparsableError("bad-item")
    plain = _plain(given)
    for label in spec.labels:
        if _plain(label) == plain:
            return label
    named = [label for label in spec.labels if re.search(rf"(?<!\w){re.escape(_plain(label))}(?!\w)", plain)]
    raise UnparsableError("several-labels" if len(named) > 1 else "unknown-label")


def _spans(spec: TaskSpec, text: str, items: list[Any], counts: Counter[str]) -> tuple[Span, ...]:
    mentions = [_mention(spec, item) for item in items]
    located = locate(text, mentions)
    counts.update(located.missing)
    counts.update(located.ambiguous)
    return tuple(sorted((*located.spans, *unplaced_spans(spec, sum(located.missing.values())))))


def unplaced_spans(spec: TaskSpec, mentions: int) -> tuple[Span, ...]:
    """False positives that stand for mentions without a place: empty, and each elsewhere, as a prediction is a set.

    More than ``MOST_UNPLACED`` count as so many.
    """
    return _nowhere(spec.labels[0], min(mentions, MOST_UNPLACED))


@cache
def _nowhere(label: str, mentions: int) -> tuple[Span, ...]:
    # Shared by all answers: a stranger's file may claim them for every one.
    return tuple(Span(k, k, label) for k in range(mentions))


def _mention(spec: TaskSpec, item: Any) -> tuple[str, str]:
    if len(spec.labels) == 1:
        if not isinstance(item, str):
            raise UnparsableError("bad-item")
        return item, spec.labels[0]
    if not isinstance(item, dict):
        raise UnparsableError("bad-item")
    fields = cast("dict[str, Any]", item)
    if fields.keys() != {"text", "label"} or not isinstance(fields["text"], str):
        raise UnparsableError("bad-item")
    return fields["text"], _label(spec, fields["label"])
