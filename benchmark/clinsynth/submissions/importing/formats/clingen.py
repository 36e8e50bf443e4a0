"""The row forms of the released ClinGen data (arXiv 2311.00287), as its generator scripts write them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

from clinsynth.core import Row
from clinsynth.submissions.importing.labels import one_hot, plain
from clinsynth.submissions.importing.session import Format, LostRowError, Session
from clinsynth.submissions.importing.spans import from_mentions, label_of
from clinsynth.submissions.importing.texts import json_records
from clinsynth.task_types import occurrences

_PAIRS = (("sent_a", "sent_b"), ("text_a", "text_b"))
_SENTENCE = ("sentence", "text", "note")
_MQP = (
    "the released generator swaps the definitions of MQP's two labels (nli/clingen_step2.py): "
    "check a few pairs by hand. Labels are {what}"
)


def _read(path: Path, session: Session) -> Iterator[tuple[int, Row]]:
    if session.spec.name == "mqp":
        swapped = session.options.swap_labels
        session.warnings.append(
            _MQP.format(what="swapped, as asked" if swapped else "as given; swap_labels exchanges them")
        )
    if not session.spec.is_span and not session.spec.clingen_labels:
        session.note(f"{session.spec.name} has no order of released labels: numbers cannot be read, names can")
    if len(session.spec.markers) == 2:
        session.note(f"in texts without markers, E0 became {session.spec.markers[0]} and E1 {session.spec.markers[1]}")
    for place, record in json_records(path, session):
        try:
            yield place, _row(record, session)
        except LostRowError as lost:
            session.drop(place, lost.reason, lost.found)
        except RecursionError:
            # A value just shallow enough to be read can still be too deep to be shown.
            session.drop(place, "too-deep")


def _row(record: Row, session: Session) -> Row:
    kind = session.kind
    if session.spec.is_span:
        return _entities(record, session)
    if kind.target_key == "labels":
        return {"text": _text(record, _SENTENCE), "labels": _labels(record, session)}
    labels = _labels(record, session)
    if len(labels) != 1:
        raise LostRowError("label-count", labels)
    if len(kind.text_keys) == 1:
        return {"text": _marked(record, session), "label": labels[0]}
    for pair in _PAIRS:
        if all(key in record for key in pair):
            return {**dict(zip(kind.text_keys, (record[key] for key in pair), strict=True)), "label": labels[0]}
    raise LostRowError("missing-key", ", ".join(record))


def _text(record: Row, names: tuple[str, ...]) -> str:
    for key, value in record.items():
        if key.lower() in names and isinstance(value, str):
            return value
    raise LostRowError("missing-text", ", ".join(record))


def _labels(record: Row, session: Session) -> list[str]:
    """The labels by ``_id``; by name where there is no number, or where there is no order to read it by."""
    given: object = record.get("_id")
    names = [record[key] for key in ("label_name", "label") if key in record]
    known = [name for name in names if session.labels.knows(name)]
    hot = one_hot(given, len(session.labels.order))
    if hot is not None:
        labels = [label_of(position, session) for position in hot]
    elif isinstance(given, list) and session.spec.multi_label:
        labels = [label_of(item, session) for item in cast("list[object]", given)]
    elif given is not None and (session.labels.knows(cast("object", given)) or not known):
        labels = [label_of(cast("object", given), session)]
    elif known:
        return [label_of(known[0], session)]
    else:
        raise LostRowError("missing-label", ", ".join(record))
    if known and label_of(known[0], session) not in labels:
        raise LostRowError("label-disagreement", f"_id {given!r}, name {known[0]!r}")
    return labels


def _marked(record: Row, session: Session) -> str:
    """The text with the task's markers, put in place of the mentions E0 and E1 where they are missing."""
    text, markers = _text(record, _SENTENCE), session.spec.markers
    if all(marker in text for marker in markers):
        return text
    mentions: list[Any] = [record.get("E0"), record.get("E1")]
    if len(markers) != 2 or any(marker in text for marker in markers) or not all(isinstance(m, str) for m in mentions):
        raise LostRowError("missing-marker", text)
    cuts: list[tuple[int, int, str]] = []
    # The longer mention first: the other one may be a part of it.
    for mention, marker in sorted(zip(mentions, markers, strict=True), key=lambda pair: -len(pair[0].strip())):
        places = occurrences(text, mention)
        free = [(a, b) for a, b in places if all(b <= start or a >= end for start, end, _ in cuts)]
        if not free:
            raise LostRowError("mention-not-in-text", mention)
        if len(free) > 1:
            session.alter("mention-occurs-often", mention)
        cuts.append((*free[0], marker))
    for start, end, marker in sorted(cuts, reverse=True):
        text = text[:start] + marker + text[end:]
    session.alter("markers-rebuilt")
    return text


def _entities(record: Row, session: Session) -> Row:
    by_name = {plain(label): label for label in session.spec.labels}
    mentions: dict[str, list[object]] = {}
    for key, value in record.items():
        label = session.labels.explicit(key) or by_name.get(plain(key))
        if label is None:
            if isinstance(value, list):
                session.other_type(key, "list-not-read")
        elif isinstance(value, list):
            mentions.setdefault(label, []).extend(cast("list[object]", value))
        else:
            raise LostRowError("entities-not-a-list", f"{key}: {value!r}")
    if not mentions:
        raise LostRowError("missing-entities", ", ".join(record))
    return from_mentions(_text(record, _SENTENCE), mentions, session)


FORMAT = Format("clingen", "the released row forms of ClinGen, JSON Lines or one JSON array", _read)
