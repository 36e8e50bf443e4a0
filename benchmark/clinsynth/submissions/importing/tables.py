"""Records with named columns to canonical rows: which column is what, and what each cell means."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any, cast

from clinsynth.core import Row, UserError
from clinsynth.submissions.faults import shown
from clinsynth.submissions.importing.labels import one_hot, plain
from clinsynth.submissions.importing.session import LostRowError, Session
from clinsynth.submissions.importing.spans import from_offsets, from_tags, label_of
from clinsynth.submissions.importing.texts import MAX_NAMES
from clinsynth.submissions.rows import parse_json

TOKENS, TAGS = "tokens", "tags"

_TEXT = ("text", "sentence", "abstract", "document", "content", "passage", "note")
_PAIRS = (
    ("premise", "hypothesis"),
    ("claim", "evidence"),
    ("text_a", "text_b"),
    ("sentence1", "sentence2"),
    ("sentence_a", "sentence_b"),
    ("sent_a", "sent_b"),
    ("question1", "question2"),
    ("question_a", "question_b"),
    ("text1", "text2"),
)
_LABEL = ("label", "labels", "gold_label", "answer", "class", "category", "target", "relation")
_ENTITIES = ("entities", "spans", "ner", "annotations", "label", "labels")
_TOKENS = ("tokens", "words")
_TAGS = ("ner_tags", "tags", "ner_labels", "labels", "bio_tags", "iob_tags")
_TRUE = {"1", "1.0", "true", "yes"}
_FALSE = {"0", "0.0", "false", "no", ""}


@dataclass(frozen=True, slots=True)
class Layout:
    """Which of their columns is what."""

    columns: Mapping[str, str]
    """Their column for each of our keys."""
    one_hot: Mapping[str, str]
    """Their column for each label, where labels are columns."""

    @property
    def used(self) -> list[str]:
        """Every column that is read."""
        return list(dict.fromkeys([*self.columns.values(), *self.one_hot.values()]))


def rows_of(
    records: Iterable[tuple[int, Mapping[str, Any]]], layout: Layout, session: Session
) -> Iterator[tuple[int, Row]]:
    """Canonical rows with their places; a record that cannot be carried over is dropped and counted."""
    for place, record in records:
        try:
            yield place, _convert(record, layout, session)
        except LostRowError as lost:
            session.drop(place, lost.reason, lost.found)
        except RecursionError:
            # A value just shallow enough to be read can still be too deep to be shown.
            session.drop(place, "too-deep")


def find_layout(names: Sequence[str], session: Session) -> Layout:
    """Decide which column is what, by the user's word or by its name, and note it.

    Raises:
        UserError: a needed column cannot be found, or the user names one that does not exist.
    """
    layout = _layout(names, session)
    for ours, theirs in {**layout.columns, **layout.one_hot}.items():
        session.note(f"column {theirs!r} became {ours!r}")
    used = set(layout.used)
    unused = [name for name in names if name not in used]
    if unused:
        # Without a header, what stands in its place is a row.
        session.note("columns that were not used: " + (session.quoted(", ".join(unused)) or f"{len(unused):,}"))
    return layout


def header_of(path: Path, cells: Sequence[str], session: Session) -> list[str]:
    """The names of columns in the first row of a table; a cell without one is named by its place.

    Raises:
        UserError: a name stands twice, or there are too many.
    """
    header = [cell.strip() or f"column {n}" for n, cell in enumerate(cells, 1)]
    if len(header) > MAX_NAMES:
        raise UserError(f"{path} has too many columns", expected=f"at most {MAX_NAMES:,}")
    if len(set(header)) != len(header):
        found = session.quoted(shown(", ".join(header)))
        raise UserError(f"{path} names a column twice", found=found, remedy="the first line must be a header")
    return header


def _layout(names: Sequence[str], session: Session) -> Layout:
    kind, spec, said = session.kind, session.spec, session.options.columns
    allowed = {*kind.text_keys, kind.target_key, *((TOKENS, TAGS) if spec.is_span else spec.labels)}
    for ours, theirs in said.items():
        if ours not in allowed:
            raise UserError(f"{ours!r} is nothing a column can become", expected=", ".join(sorted(allowed)))
        if theirs not in names:
            raise UserError(f"there is no column {theirs!r} for {ours!r}", found=_listed_names(names, session))
    columns = {ours: theirs for ours, theirs in said.items() if ours not in spec.labels}
    hot = {label: said[label] for label in spec.labels if label in said}
    texts = _texts(names, kind.text_keys, columns)
    if spec.is_span and not (texts and kind.target_key in columns):
        target = columns.get(kind.target_key) or _first(names, _ENTITIES)
        tokens = columns.get(TOKENS) or _first(names, _TOKENS)
        tags = columns.get(TAGS) or _first(names, _TAGS)
        tagged = tokens and tags and (TOKENS in columns or TAGS in columns or not (texts and target))
        if tokens and tags and tagged:
            return Layout({TOKENS: tokens, TAGS: tags}, {})
        return Layout(_complete(texts, target, names, session), {})
    if hot or kind.target_key in columns:
        target = columns.get(kind.target_key)
    else:
        target = _first(names, (kind.target_key, *_LABEL))
    if target is None and not hot:
        by_name = {plain(name): name for name in names}
        hot = {label: by_name[plain(label)] for label in spec.labels if plain(label) in by_name}
    if hot and target is None:
        if missing := [label for label in spec.labels if label not in hot]:
            raise UserError(f"no column for the label {', '.join(missing)}", found=_listed_names(names, session))
        return Layout(_complete(texts, "", names, session), hot)
    return Layout(_complete(texts, target, names, session), {})


def _first(names: Sequence[str], wanted: Iterable[str]) -> str | None:
    by_name = {plain(name): name for name in reversed(names)}
    return next((by_name[plain(name)] for name in wanted if plain(name) in by_name), None)


def _texts(names: Sequence[str], keys: tuple[str, ...], columns: Mapping[str, str]) -> dict[str, str] | None:
    if all(key in columns for key in keys):
        return {key: columns[key] for key in keys}
    if any(key in columns for key in keys):
        # One of a pair is given: the other must bear our own name, anything else would be a guess.
        chosen = {key: columns.get(key) or _first(names, (key,)) for key in keys}
    elif len(keys) == 1:
        chosen = {keys[0]: _first(names, _TEXT)}
    else:
        pairs = [keys, *_PAIRS]
        candidates = ({key: _first(names, (name,)) for key, name in zip(keys, pair, strict=True)} for pair in pairs)
        chosen = next((each for each in candidates if all(each.values())), dict[str, str | None]())
    complete = {key: name for key, name in chosen.items() if name is not None}
    return complete if len(complete) == len(keys) else None


def _complete(
    texts: dict[str, str] | None, target: str | None, names: Sequence[str], session: Session
) -> dict[str, str]:
    """Columns of the texts and, unless it is the empty string, of the answer.

    Raises:
        UserError: with every one that is missing, and a guess to agree to or not.
    """
    kind, said = session.kind, session.options.columns
    missing = [key for key in kind.text_keys if texts is None and key not in said]
    missing += [kind.target_key] * (target is None)
    if missing:
        guess = _guess(missing, [name for name in names if name not in said.values()])
        raise UserError(
            f"no column is recognised as {' and '.join(missing)}",
            found=_listed_names(names, session) or "no column",
            expected=", ".join((*kind.text_keys, kind.target_key)),
            remedy=f"say which is which: --columns {session.quoted(guess) or 'OURS=THEIRS,OURS=THEIRS'}"
            + (", if that is right" if session.quoted(guess) else ""),
        )
    return {**(texts or {}), **({kind.target_key: target} if target else {})}


def _listed_names(names: Sequence[str], session: Session) -> str:
    return session.quoted(shown(", ".join(names), 300))


def _guess(missing: Sequence[str], names: Sequence[str]) -> str:
    """What the missing columns may be, for a suggestion: the nearest name, else the next that is left.

    Answers mostly stand last and texts first; nobody's rows are read by this without their word.
    """
    left = [name for name in names if name and len(name) <= 60 and not set(name) & set(",=")][:200]
    if len(left) < len(missing):
        return ""
    columns: dict[str, str] = {}
    for key in missing:
        near = get_close_matches(plain(key), [plain(name) for name in left], n=1, cutoff=0.75)
        if near:
            columns[key] = next(name for name in left if plain(name) == near[0])
            left.remove(columns[key])
    for key in missing:
        if key not in columns:
            columns[key] = left.pop(-1 if key in ("label", "labels", "entities") else 0)
    return shown(",".join(f"{ours}={_in_shell(columns[ours])}" for ours in missing))


def _in_shell(name: str) -> str:
    return name if name.replace("_", "").isalnum() else f"'{name}'"


def _convert(record: Mapping[str, Any], layout: Layout, session: Session) -> Row:
    values: dict[str, Any] = {}
    for ours, theirs in layout.columns.items():
        values[ours] = record.get(theirs)
        if values[ours] is None:
            raise LostRowError("missing-value", f"no {theirs}")
    if TOKENS in values:
        tokens, tags = _listed(values[TOKENS]), _listed(values[TAGS])
        if not all(isinstance(token, str) for token in tokens):
            raise LostRowError("bad-tokens", tokens)
        return from_tags(cast("list[str]", tokens), tags, session)
    target = session.kind.target_key
    if session.spec.is_span:
        return from_offsets(values["text"], values[target], session)
    if layout.one_hot:
        labels = [label_of(label, session) for label, column in layout.one_hot.items() if _is_hot(record.get(column))]
    else:
        labels = _labels(values[target], session)
    texts = {key: values[key] for key in session.kind.text_keys}
    if target == "labels":
        return {**texts, target: labels}
    if len(labels) != 1:
        raise LostRowError("label-count", labels)
    return {**texts, target: labels[0]}


def _listed(value: Any) -> list[object]:
    if isinstance(value, str):
        # A cell of a table: JSON, or words between spaces.
        try:
            value = parse_json(value)
        except ValueError:
            return list(value.split())
    if not isinstance(value, list):
        raise LostRowError("not-a-list", value)
    return cast("list[object]", value)


def _is_hot(value: object) -> bool:
    cell = "" if value is None else str(value).strip().lower()
    if cell not in _TRUE | _FALSE:
        raise LostRowError("bad-one-hot", value)
    return cell in _TRUE


def _labels(value: object, session: Session) -> list[str]:
    if isinstance(value, str) and not session.labels.knows(value):
        value = _split(value, session)
    if not isinstance(value, list):
        return [label_of(value, session)]
    hot = one_hot(cast("object", value), len(session.spec.labels))
    if hot is not None and session.spec.multi_label:
        if len(session.spec.labels) < 3:
            # [0, 1] could be two positions or a vector.
            raise LostRowError("ambiguous-label", cast("object", value))
        return [label_of(position, session) for position in hot]
    return [label_of(item, session) for item in cast("list[object]", value)]


def _split(text: str, session: Session) -> list[object] | str:
    if text.lstrip().startswith("["):
        try:
            return parse_json(text)
        except ValueError:
            return text
    if not session.spec.multi_label:
        return text
    parts = text.replace("|", ";").split(";")
    return [part.strip() for part in parts if part.strip()]
