"""The form in which a language model writes a row, and how an answer becomes a row or a counted loss.

One JSON object per answer, at every step and in both modes; its keys are the task's own names for its texts and, for
span tasks, one list of mentions per label. The label of a row is asked for, and read back at the step ``label`` alone.
Tolerated are code fences, prose before the object and anything after it; of several objects the first counts.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, cast

from clinsynth.core import Example, Row, Span, TaskSpec
from clinsynth.generation.baseline import Tally
from clinsynth.llm import Answer, Prompt
from clinsynth.task_types import locate, task_type
from clinsynth.text import find_phi

Step = Literal["row", "first", "second", "label"]
"""row: everything at once; first, second: the texts of a pair, one after the other; label: what given texts are."""

SHORTEST = 3
"""Words of the shortest text that is taken for a sentence."""
COPIED = 0.5
"""Share of a text's word trigrams that stand in one demonstration, from which it counts as a copy of it. Of 300 rows of
a base model with 270 M parameters, 16 shared half of their trigrams with an entry that showed it the form."""
ALIKE = 0.6
"""Share of the word trigrams of two texts that both have, from which a pair is one text twice. In real pairs of
``OWN_WORDS``, some four thousand, there is none; in inference, where a premise may well be shortened, a fifth."""
OWN_WORDS = ("sentence_similarity", "fact_verification")
REPEATED = 8
"""Words in a row that a text may not have from its prompt: a model that has nothing to say repeats the request."""
LONGEST = 4_000
"""Characters. Longer than nearly every text of the sixteen tasks; a model that goes on and on makes such."""
WITHOUT = "text-without-mention"
WITHOUT_LOST = "text-without-mention-lost"
"""Counted among the altered: texts without any name, as they were asked for, and answers that should have held one."""
_REFUSAL = re.compile(
    r"\bas an? (ai|artificial intelligence|language model)\b|\b(ai|large) language model\b"
    r"|\bi(['\u2019]m| am) sorry,? but\b"
    r"|\bi (can ?not|can['\u2019]t|am unable to|am not able to) (assist|comply|fulfill?|generate|create|provide) ",
    re.IGNORECASE,
)


_DEBRIS = re.compile(r"[\w@#$]\x00|\x00[\w@#$]|[@#]\s?[A-Za-z]|[A-Za-z_]\s?\$")
"""Broken markers, and what stands against whole ones, which are \\x00 here."""


class UnusableError(Exception):
    """An answer that gives no row; its text is the reason, a short stable name."""


@dataclass(frozen=True, slots=True)
class Form:
    """The keys of the object that a model writes at one step."""

    names: tuple[str, ...] = ()
    """Keys of names that the model writes down before a text with them: the kinds that the markers stand for."""
    texts: tuple[str, ...] = ()
    """Keys of texts."""
    lists: tuple[str, ...] = ()
    """Labels whose mentions are listed, each the key of its list."""
    labels: tuple[str, ...] = ()
    """Labels to choose from under the key ``label``, or ``labels`` where any number is right."""
    many: bool = False

    def schema(self) -> dict[str, Any]:
        """JSON schema of the object."""
        some = {"type": "string", "minLength": 1}
        choice = {"type": "string", "enum": list(self.labels)}
        properties: dict[str, Any] = dict.fromkeys((*self.names, *self.texts), some)
        properties |= {key: {"type": "array", "items": some} for key in self.lists}
        if self.labels:
            properties |= {"labels": {"type": "array", "items": choice}} if self.many else {"label": choice}
        return {"type": "object", "properties": properties, "required": list(properties), "additionalProperties": False}

    def opening(self) -> str:
        """How every such object begins, up to where its first value does."""
        first, kind = next(iter(self.schema()["properties"].items()))
        return f'{{"{first}": ' + ('["' if kind["type"] == "array" else '"')

    def said(self) -> str:
        """The form in words, for a prompt."""
        parts = [f'"{key}" (its name)' for key in self.names]
        parts += [f'"{key}" (a string)' for key in self.texts]
        parts += [f'"{key}" (a list of strings, each exactly as the text has it)' for key in self.lists]
        if self.labels:
            choice = ", ".join(f'"{label}"' for label in self.labels)
            parts += [f'"labels" (a list of any of {choice})' if self.many else f'"label" (one of {choice})']
        return f"Answer with one JSON object and nothing else. Its keys: {', '.join(parts)}."

    def show(self, example: Example, spec: TaskSpec) -> str:
        """The object that a model would have written for an example: one line of JSON."""
        texts = dict(zip(_text_names(spec), example.texts, strict=True))
        value: dict[str, Any] = {key: texts[key] for key in self.texts}
        for label in self.lists:
            mentions = (example.texts[0][span.start : span.end] for span in example.spans if span.label == label)
            value[label] = list(dict.fromkeys(mentions))
        if self.labels:
            value |= {"labels": list(example.labels)} if self.many else {"label": example.labels[0]}
        return json.dumps(value, ensure_ascii=False)


def form_of(spec: TaskSpec, step: Step = "row", *, named: bool = False) -> Form:
    """The object that a model writes for a task at a step.

    With ``named``, the names that the sentence of a relation is to hold stand before it, and markers are put in their
    place in the sentence: a small model breaks signs, or writes of "a gene" and "a disease".
    """
    names = _text_names(spec)
    lists = spec.labels if spec.is_span else ()
    if step == "label":
        return Form(lists=lists, labels=() if spec.is_span else spec.labels, many=spec.multi_label)
    signs = spec.markers if named else ()
    return Form(
        names=tuple(marker.strip("@$").lower() for marker in signs),
        texts={"row": names, "first": names[:1], "second": names[1:]}[step], lists=lists,
    )  # fmt: skip


def _text_names(spec: TaskSpec) -> tuple[str, ...]:
    """Wire keys of the texts: what they are in this task, which tells a model more than ``text_a``."""
    keys = task_type(spec).text_keys
    names = spec.text_names if len(spec.text_names) == len(keys) else keys
    return tuple(name.replace(" ", "_") for name in names)


@dataclass(frozen=True, kw_only=True, slots=True)
class Demo:
    """Something to show in a prompt."""

    example: Example
    slots: Mapping[str, str]
    """The conditions that the example stands for: its label, its topic..."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Wanted:
    """One row that a model is asked for."""

    labels: tuple[str, ...] = ()
    """The labels that it is to have; empty for span tasks, and where the model is to choose them."""
    slots: Mapping[str, str] = field(default_factory=dict[str, str])
    """Values for the prompt's template: topic, style..."""
    demos: tuple[Demo, ...] = ()
    names: tuple[str, ...] = ()
    """Names that the text is to hold: for relations one for each marker, for spans one of the first label."""
    given: tuple[str, ...] = ()
    """Texts that are there already: the first of a pair at the step ``second``, all of them at the step ``label``."""
    bare: bool = False
    """For span tasks: a text without any name is wanted."""


def read_row(spec: TaskSpec, wanted: Wanted, prompt: Prompt, answer: Answer, tally: Tally, step: Step = "row") -> Row:
    """The canonical row that an answer gives.

    Mentions that are not in their text are left out and, like ambiguous ones, counted in ``tally.altered``.

    Raises:
        UnusableError: with the reason, for the caller to count; no row comes of this answer.
    """
    # A document of a base model has no keys for names, as its opening tells. Names that were given are known: what the
    # model wrote down for them is not read.
    form = form_of(spec, step, named=not (wanted.names or prompt.opening))
    fields = read_object(answer, form, prompt.opening)
    if any(_plain(fields[key]) == _plain(text) != "" for key in form.texts for text in wanted.given):
        raise UnusableError("same-texts")
    _without_phi(wanted.given)
    written = read_texts(fields, form, prompt, wanted.given)
    if any(_copies(text, shown) for text in written for demo in wanted.demos for shown in demo.example.texts):
        raise UnusableError("near-echo")
    texts = [*wanted.given, *written]
    if len(texts) == 2 and (_plain(texts[0]) == _plain(texts[1]) or (spec.type in OWN_WORDS and _alike(*texts))):
        raise UnusableError("same-texts")
    labels = tuple(fields.get("labels", [fields["label"]] if "label" in fields else wanted.labels))
    spans: tuple[Span, ...] = ()
    if spec.markers and step != "label":
        # "A gene" names none.
        chosen = (str(fields.get(key, "")) for key in form.names)
        own = tuple("" if _plain(name) == key else name for key, name in zip(form.names, chosen, strict=True))
        names = wanted.names or own
        texts = [_marked(texts[0], spec, names, tally), *texts[1:]]
    if form.lists:
        spans = _spans(texts[0], fields, form, wanted, tally)
    kind = task_type(spec)
    row = kind.encode(Example(tuple(texts), labels=labels, spans=spans))
    for fault in kind.faults(row, spec):
        raise UnusableError(fault.reason)
    return row


def take_row(
    spec: TaskSpec, wanted: Wanted, prompt: Prompt, answer: Answer, tally: Tally, step: Step = "row"
) -> Row | None:
    """``read_row``, with what is unusable counted in ``tally``."""
    try:
        return read_row(spec, wanted, prompt, answer, tally, step)
    except UnusableError as error:
        tally.drop(str(error))
        if wanted.bare:
            tally.alter(WITHOUT_LOST)
        return None


def read_texts(fields: Mapping[str, Any], form: Form, prompt: Prompt, given: tuple[str, ...] = ()) -> list[str]:
    """The texts of an answer with their spaces made plain. They may take words from ``given``, the text they answer to.

    Raises:
        UnusableError: one of them is empty, too short or too long, a refusal, a copy of something in the prompt, or
            shows what looks like PHI.
    """
    texts = [" ".join(fields[key].split()) for key in form.texts]
    asked = _plain(f"{prompt.system}\n{prompt.text}")
    request = asked
    for text in given:
        request = request.replace(_plain(text), " | ")
    for text in texts:
        plain = _plain(text)
        if not plain:
            raise UnusableError("empty")
        if refuses(text):
            raise UnusableError("refusal")
        if len(text.split()) < SHORTEST:
            raise UnusableError("too-short")
        if len(text) > LONGEST:
            raise UnusableError("too-long")
        if plain in asked:
            raise UnusableError("echo")
        if _grams(request, REPEATED) & _grams(plain, REPEATED):
            raise UnusableError("repeats-prompt")
    _without_phi(texts)
    return texts


def _without_phi(texts: Iterable[str]) -> None:
    """A name that is invented looks like a real one, to an audit and to a reader; a sentence of a note may have one."""
    if any(hit.strength == "strong" for text in texts for hit in find_phi(text)):
        raise UnusableError("looks-like-phi")


def read_object(answer: Answer, form: Form, opening: str = "") -> dict[str, Any]:
    """The object of an answer, with the form's keys and their kinds of value; keys beyond the form are left unread.

    ``opening`` is put before an answer that is not held to a schema and so goes on from it.

    Raises:
        UnusableError: failed, filtered, refusal, truncated, not-json, missing-key, wrong-type, unknown-label.
    """
    if answer.finish in ("failed", "filtered"):
        raise UnusableError(answer.finish)
    text = answer.text if answer.text.lstrip().startswith("{") else opening + answer.text
    try:
        found, _ = json.JSONDecoder(parse_constant=_refuse).raw_decode(text, max(text.find("{"), 0))
    except (ValueError, RecursionError):
        if refuses(text):
            raise UnusableError("refusal") from None
        raise UnusableError("truncated" if answer.finish == "length" else "not-json") from None
    if not isinstance(found, dict):
        raise UnusableError("not-json")
    fields = cast("dict[str, Any]", found)
    wanted = {*form.texts, *(("labels" if form.many else "label",) if form.labels else ())}
    # A model leaves out what it has no mention of; at least one list must be there. A text may have markers for names.
    if wanted - fields.keys() or (form.lists and not fields.keys() & set(form.lists)):
        raise UnusableError("missing-key")
    if not all(isinstance(fields.get(key, ""), str) for key in (*form.names, *form.texts)):
        raise UnusableError("wrong-type")
    if not all(_is_list_of_strings(fields.get(key) or []) for key in form.lists):
        raise UnusableError("wrong-type")
    if form.labels:
        given = fields["labels"] if form.many else [fields["label"]]
        if not _is_list_of_strings(given):
            raise UnusableError("wrong-type")
        if not set(given) <= set(form.labels):
            raise UnusableError("unknown-label")
    return fields


def refuses(text: str) -> bool:
    """Whether a model speaks of itself instead of doing what it was asked for."""
    return _REFUSAL.search(text) is not None


def _is_list_of_strings(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(item, str) for item in cast("list[Any]", value))


def _refuse(constant: str) -> None:
    raise ValueError(constant)


def _copies(text: str, shown: str) -> bool:
    own, other = _grams(_plain(text), 3), _grams(_plain(shown), 3)
    return len(own & other) >= COPIED * len(own) > 0


def _alike(first: str, second: str) -> bool:
    """Whether two texts are the same but for a word or two."""
    own, other = _grams(_plain(first), 3), _grams(_plain(second), 3)
    return len(own & other) >= ALIKE * len(own | other) > 0


def _grams(plain: str, size: int) -> set[tuple[str, ...]]:
    words = plain.split()
    return {tuple(words[k : k + size]) for k in range(len(words) - size + 1)}


def _plain(text: str) -> str:
    """Letters and digits, to compare texts by."""
    return " ".join(re.findall(r"\w+", text.lower()))


def _marked(text: str, spec: TaskSpec, names: tuple[str, ...], tally: Tally) -> str:
    """The text with the given names replaced by those markers that it lacks."""
    lacking = [(name, marker) for name, marker in zip(names, spec.markers, strict=False) if marker not in text]
    for span in reversed(locate(text, lacking).spans):
        text = text[: span.start] + span.label + text[span.end :]
        tally.alter("name-replaced-by-marker")
    if any(marker not in text for marker in spec.markers):
        raise UnusableError("missing-marker")
    bare = text
    for marker in spec.markers:
        bare = bare.replace(marker, "\0")
    if _DEBRIS.search(bare):
        raise UnusableError("marker-debris")
    return text


def _spans(text: str, fields: Mapping[str, Any], form: Form, wanted: Wanted, tally: Tally) -> tuple[Span, ...]:
    """Spans of the listed mentions. The name that the text was asked to be about is one, listed or not."""
    may_be_empty = not form.texts  # a given text may well have none; one that was written to have some must
    names = wanted.names
    listed = [(mention, label) for label in form.lists for mention in cast("list[str]", fields.get(label) or [])]
    if wanted.bare:
        if locate(text, listed).spans:
            raise UnusableError("unwanted-mention")
        tally.alter(WITHOUT)
        return ()
    known = {_plain(mention) for mention, _ in listed}
    added = [(name, form.lists[0]) for name in names if _plain(name) not in known]
    located = locate(text, [*listed, *added])
    if not located.spans and (listed or not may_be_empty):
        raise UnusableError("mention-not-in-text" if listed else "no-mention")
    if lost := locate(text, listed).missing.total():
        tally.alter("mention-left-out", lost)
    for reason, count in located.ambiguous.items():
        tally.alter(reason, count)
    return located.spans
