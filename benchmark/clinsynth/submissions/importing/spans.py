"""Spans from tags, from offsets, and from mentions that are only named."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, cast

from clinsynth.core import Row, Span
from clinsynth.submissions.importing.labels import OUTSIDE, UnknownLabelError, plain
from clinsynth.submissions.importing.session import LostRowError, Session
from clinsynth.submissions.rows import parse_json
from clinsynth.task_types import locate

_STARTS = ("start", "startoffset", "startchar", "begin", "from")
_ENDS = ("end", "endoffset", "endchar", "stop", "to")
_LABELS = ("label", "type", "entitytype", "entitygroup", "entity", "tag", "class")
_MENTIONS = ("text", "mention", "word", "name", "value")


def from_tags(tokens: list[str], tags: list[object], session: Session) -> Row:
    """The row of a tagged sentence: tokens joined by spaces, tags in IOB1, IOB2, IOBES or BILOU.

    One rule reads all four: an entity begins where its tag says so (B, S, U), or where it cannot go on, because the tag
    before is outside, closed or of another type. That is how ``conlleval`` reads IOB1.

    Raises:
        LostRowError: a tag or its type is unknown, or the two lists differ in length.
    """
    if len(tokens) != len(tags):
        raise LostRowError("tokens-and-tags-differ", f"{len(tokens)} tokens, {len(tags)} tags")
    spans: list[Span] = []
    going_on: str | None = None
    position = 0
    for token, given in zip(tokens, tags, strict=True):
        prefix, label, name = _tag(given, session)
        end = position + len(token)
        if prefix in "BSU" or (prefix != OUTSIDE and label != going_on):
            if not label:
                _leave_out(name, session)
            elif prefix not in "BSU":
                # IOB1 begins an entity with I; in the other schemes this is a slip.
                session.alter("entity-begins-without-B", str(given))
            spans.append(Span(position, end, label))
        elif prefix != OUTSIDE:
            spans[-1] = Span(spans[-1].start, end, label)
        going_on = label if prefix in "BI" else None
        position = end + 1
    return {"text": " ".join(tokens), "entities": [span._asdict() for span in spans if span.label]}


def _tag(given: object, session: Session) -> tuple[str, str, str]:
    """The prefix of a tag, our label for its type, which is empty for entities that are left out, and their name."""
    said = session.labels.explicit(given)
    tag = str(given) if said is None or (said in session.spec.labels or not said) else said
    if tag == OUTSIDE:
        return OUTSIDE, "", ""
    prefix, _, name = tag.partition("-")
    if prefix not in ("B", "I", "E", "S", "L", "U"):
        raise LostRowError("unknown-tag", tag)
    if not name:
        if len(session.spec.labels) != 1:
            raise LostRowError("tag-without-type", tag)
        return prefix, session.spec.labels[0], name
    return prefix, _type_of(name, session), name


def _type_of(name: object, session: Session) -> str:
    """Our label for their type of entity; empty for one that is left out or is not the task's."""
    try:
        return session.labels(name)
    except UnknownLabelError:
        return ""


def _leave_out(name: str, session: Session) -> None:
    if session.labels.explicit(name) is None:
        session.other_type(name)
    else:
        session.alter("entity-left-out", name)


def label_of(value: object, session: Session) -> str:
    """Our label for theirs.

    Raises:
        LostRowError: nothing matches.
    """
    try:
        return session.labels(value)
    except UnknownLabelError as error:
        raise LostRowError("unknown-label", str(error)) from None


def from_offsets(text: Any, value: Any, session: Session) -> Row:
    """The row of a text with entities: triples ``[start, end, label]``, objects, or one object of three lists.

    Raises:
        LostRowError: the form of an entity is unknown, or its offsets do not give the mention that stands beside them.
    """
    if isinstance(value, str):
        try:
            value = parse_json(value)
        except ValueError:
            raise LostRowError("entities-not-json", value) from None
    if isinstance(value, dict):
        value = _transposed(cast("Row", value))
    if not isinstance(value, list):
        raise LostRowError("entities-not-a-list", value)
    entities: list[Row] = []
    for item in cast("list[Any]", value):
        start, end, label, mention = _parts(item)
        ours = _type_of(label, session)
        if not ours:
            _leave_out(str(label), session)
            continue
        told = isinstance(text, str) and isinstance(mention, str) and type(start) is int and type(end) is int
        if told and text[start:end] != mention:
            raise LostRowError("offsets-miss-mention", f"{text[start:end]!r} for {mention!r}")
        entities.append({"start": start, "end": end, "label": ours})
    return {"text": text, "entities": entities}


def _transposed(lists: Row) -> list[Row]:
    """Entities out of one object of lists, the columnar form of Hugging Face datasets."""
    if not all(isinstance(item, list) for item in lists.values()) or len({len(v) for v in lists.values()}) > 1:
        raise LostRowError("bad-entity", lists)
    return [dict(zip(lists, items, strict=True)) for items in zip(*lists.values(), strict=True)]


def _parts(item: Any) -> tuple[Any, Any, Any, Any]:
    if isinstance(item, (list, tuple)) and len(triple := cast("list[Any]", item)) == 3:
        return triple[0], triple[1], triple[2], None
    if not isinstance(item, dict):
        raise LostRowError("bad-entity", cast("object", item))
    fields = {plain(key): value for key, value in cast("Row", item).items()}
    start, end, label, mention = (
        next((fields[key] for key in keys if key in fields), None) for keys in (_STARTS, _ENDS, _LABELS, _MENTIONS)
    )
    if start is None or end is None:
        raise LostRowError("entity-without-offsets", fields)
    if label is None:
        raise LostRowError("entity-without-label", fields)
    return start, end, label, mention


def from_mentions(text: str, mentions: Mapping[str, Iterable[object]], session: Session) -> Row:
    """The row of a text whose entities are only named, placed by the rules of ``task_types.locate``.

    What cannot be placed is counted, and so is what could have been meant otherwise.
    """
    given = [(mention, label) for label, each in mentions.items() for mention in each]
    located = locate(text, [(mention if isinstance(mention, str) else "", label) for mention, label in given])
    for reason, mention in located.remarks:
        session.alter(reason, mention)
    return {"text": text, "entities": [span._asdict() for span in located.spans]}
