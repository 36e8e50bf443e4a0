"""Texts from hand-written patterns: a small grammar in text files, filled with names and chance.

A file has sections: ``[label NAME]`` the patterns of a label (``[label]`` for span tasks), ``[slot NAME]`` what may
stand for ``{NAME}``, ``[include FILE]`` another file's sections, ``[style tokenised]`` spaces around punctuation. One
alternative per line; ``#`` starts a comment. Within a line:

=====================  =================================================================================================
``{NAME}``             one of the lines of a slot, or a name: ``disease``, ``chemical``, ``gene``, ``symptom``
``{disease2}``         a name of at least two words, of any kind
``{NAME.1}``           the same again wherever ``{NAME.1}`` stands in the row
``{NAME@1}``           the slot, in which ``.@`` means ``.1``
``{one|other|}``       one of these, or nothing
``{3-90}, {0.5-2.4}``  a number of the range, with as many decimals
``{Label: words}``     a span of a span task; dropped where the task has no such label
``{initials NAME.1}``  its abbreviation
``|||``                what comes after it is the second text
=====================  =================================================================================================
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

import numpy as np

from clinsynth.core import EntityKind, Example, Span, TaskSpec
from clinsynth.generation.baseline import Knowledge

OPEN, MIDDLE, CLOSE = "\x01", "\x02", "\x03"
"""A span of a text that is still being written: OPEN label MIDDLE words CLOSE. No text has these characters."""


def tidy(text: str) -> str:
    """Spaces, the article before a vowel, capitals and a stop where sentences begin and end; marks of spans stay."""
    text = " ".join(text.split())
    text = re.sub(r"([(\[]) +|(?<=\d) +(?=%)", r"\1", re.sub(r" +([,.;:?!)\]])", r"\1", text))
    text = re.sub(rf"([,.])({CLOSE}?)[,.]+", r"\1\2", text)
    if text[-1:] not in ".?!":
        text += "."
    text = re.sub(rf"\b([Aa]) (?=(?:{OPEN}\w+{MIDDLE})?(?!uni|use|uti|one|eu|ur)[aeiouAEIO](?!\$))", r"\1n ", text)
    text = re.sub(r"\b([Aa]) (?=8\d?-|1[18]-)", r"\1n ", text)
    start = rf"(^|[.?!] )((?:{OPEN}\w+{MIDDLE})?)([a-z])"
    return re.sub(start, lambda found: found[1] + found[2] + found[3].upper(), text)


def separated(text: str, markers: Sequence[str]) -> str:
    """With spaces around punctuation, as some corpora are published; markers stay whole."""
    guard = {marker: f"\x04{k}\x04" for k, marker in enumerate(markers)}
    for marker, token in guard.items():
        text = text.replace(marker, token)
    text = re.sub(rf"\s*([^\w\s{OPEN}{MIDDLE}{CLOSE}\x04])\s*", r" \1 ", text)
    text = re.sub(rf"({OPEN}\w+{MIDDLE}) +", r" \1", text)
    text = re.sub(rf" +{CLOSE}", f"{CLOSE} ", text)
    for marker, token in guard.items():
        text = text.replace(token, marker)
    return " ".join(text.split())


def take_spans(text: str, labels: Sequence[str]) -> tuple[str, tuple[Span, ...]]:
    """The text without its marks, and the spans of the given labels; an inner mark goes with the outer one."""
    text = " ".join(text.split())
    plain: list[str] = []
    spans: list[Span] = []
    open_at: list[tuple[int, str]] = []
    length = 0
    for piece in re.split(rf"({OPEN}\w+{MIDDLE}|{CLOSE})", text):
        if piece.startswith(OPEN):
            open_at.append((length, piece[1:-1]))
        elif piece == CLOSE:
            start, label = open_at.pop()
            if label in labels and length > start and not any(label in labels for _, label in open_at):
                spans.append(Span(start, length, label))
        else:
            plain.append(piece)
            length += len(piece)
    return "".join(plain), tuple(spans)


KINDS: tuple[EntityKind, ...] = ("disease", "chemical", "gene", "symptom")
SECOND = "|||"
_NUMBER = re.compile(r"(\d+(?:\.\d+)?)-(\d+(?:\.\d+)?)")
_SLOT = re.compile(r"(\w+)(?:@(\w+))?(?:\.(\w+|@))?")
_MARK = re.compile(r"([A-Z]\w*): (.*)", re.DOTALL)
_SECTION = re.compile(r"\[(label|slot|include|style)(?: (.+))?\]")


@dataclass(frozen=True, slots=True)
class _Choice:
    options: tuple[Sequence[Node], ...]


@dataclass(frozen=True, slots=True)
class _Slot:
    name: str
    scope: str
    key: str


@dataclass(frozen=True, slots=True)
class _Number:
    low: int
    high: int
    decimals: int


@dataclass(frozen=True, slots=True)
class _Mark:
    label: str
    inner: Sequence[Node]


@dataclass(frozen=True, slots=True)
class _Initials:
    slot: _Slot


Node = str | _Choice | _Slot | _Number | _Mark | _Initials


@dataclass(frozen=True, slots=True)
class Patterns:
    """A file of patterns as it was read."""

    labels: Mapping[str, Sequence[Sequence[Node]]]
    """Patterns by label; "" for span tasks."""
    slots: Mapping[str, Sequence[Sequence[Node]]]
    tokenised: bool
    """Whether punctuation stands apart, as in the published form of the task."""
    files: Sequence[Path]
    """Every file that was read."""


def read_patterns(path: Path) -> Patterns:
    """Read a file of patterns with what it includes.

    Raises:
        ValueError: with the place, where a line is outside a section, a brace is open, or a slot is not defined.
    """
    labels: dict[str, list[Sequence[Node]]] = {}
    slots: dict[str, list[Sequence[Node]]] = {}
    files: list[Path] = []
    styles: set[str] = set()
    _read(path, labels, slots, styles, files)
    known = {*slots, *KINDS, *(f"{kind}2" for kind in KINDS)}
    for where, lines in [*labels.items(), *slots.items()]:
        for line in lines:
            for name in _slots_of(line):
                if name not in known:
                    raise ValueError(f"{path}: [{where}] asks for {{{name}}}, which is no slot")
    return Patterns(labels, slots, "tokenised" in styles, files)


def _read(
    path: Path,
    labels: dict[str, list[Sequence[Node]]],
    slots: dict[str, list[Sequence[Node]]],
    styles: set[str],
    files: list[Path],
) -> None:
    files.append(path)
    into: list[Sequence[Node]] | None = None
    for number, raw in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        line = raw.strip()
        if not line or line.startswith("#"):
            continue
        if section := _SECTION.fullmatch(line):
            what, name = section[1], section[2] or ""
            if what == "include":
                _read(path.parent / name, labels, slots, styles, files)
            elif what == "style":
                styles.add(name)
            else:
                into = (labels if what == "label" else slots).setdefault(name, [])
        elif into is None:
            raise ValueError(f"{path}, line {number}: no section above it")
        else:
            into.append(_parse(line, f"{path}, line {number}"))


def _parse(text: str, place: str) -> Sequence[Node]:
    nodes: list[Node] = []
    at = 0
    while at < len(text):
        start = text.find("{", at)
        if start < 0:
            nodes.append(text[at:])
            break
        if start > at:
            nodes.append(text[at:start])
        end = _closing(text, start, place)
        nodes.append(_braced(text[start + 1 : end], place))
        at = end + 1
    return nodes


def _closing(text: str, start: int, place: str) -> int:
    depth = 0
    for k in range(start, len(text)):
        depth += {"{": 1, "}": -1}.get(text[k], 0)
        if depth == 0:
            return k
    raise ValueError(f"{place}: an open brace")


def _braced(body: str, place: str) -> Node:
    if mark := _MARK.fullmatch(body):
        return _Mark(mark[1], _parse(mark[2], place))
    options = _split(body)
    if len(options) > 1:
        return _Choice(tuple(_parse(option, place) for option in options))
    if number := _NUMBER.fullmatch(body):
        decimals = len(number[2].partition(".")[2])
        low, high = (round(float(n) * 10**decimals) for n in number.groups())
        return _Number(low, high, decimals)
    initials = body.startswith("initials ")
    slot = _SLOT.fullmatch(body.removeprefix("initials "))
    if slot is None:
        return _Choice((_parse(body, place),))  # a group
    parsed = _Slot(slot[1], slot[2] or "", slot[3] or "")
    return _Initials(parsed) if initials else parsed


def _split(body: str) -> list[str]:
    """At the bars that are in no inner brace."""
    parts, depth = [""], 0
    for character in body:
        depth += {"{": 1, "}": -1}.get(character, 0)
        if character == "|" and depth == 0:
            parts.append("")
        else:
            parts[-1] += character
    return parts


def _slots_of(nodes: Sequence[Node]) -> list[str]:
    slots: list[str] = []
    for node in nodes:
        if isinstance(node, _Slot):
            slots.append(node.name)
        elif isinstance(node, _Initials):
            slots.append(node.slot.name)
        elif isinstance(node, _Choice):
            slots += [name for option in node.options for name in _slots_of(option)]
        elif isinstance(node, _Mark):
            slots += _slots_of(node.inner)
    return slots


@dataclass(slots=True)
class Writer:
    """Fills patterns with names. Everything random comes from ``rng``."""

    patterns: Patterns
    knowledge: Knowledge
    rng: np.random.Generator
    _names: dict[str, Sequence[str]] = field(default_factory=dict[str, Sequence[str]])

    def write(self, spec: TaskSpec, label: str = "") -> Example:
        """One example of a label (none for span tasks)."""
        raw = self._expand(self._pick(self.patterns.labels[label]), {}, "")
        tidied = [tidy(part) for part in raw.split(SECOND)]
        if self.patterns.tokenised:
            tidied = [separated(text, spec.markers) for text in tidied]
        taken = [take_spans(text, spec.labels) for text in tidied]
        texts = tuple(text for text, _ in taken)
        return Example(texts, spans=taken[0][1]) if spec.is_span else Example(texts, labels=(label,))

    def _pick(self, options: Sequence[Sequence[Node]]) -> Sequence[Node]:
        return options[int(self.rng.integers(len(options)))]

    def _expand(self, nodes: Sequence[Node], memory: dict[str, str], scope: str) -> str:
        return "".join(node if isinstance(node, str) else self._fill(node, memory, scope) for node in nodes)

    def _fill(self, node: Node, memory: dict[str, str], scope: str) -> str:
        match node:
            case _Choice(options):
                return self._expand(self._pick(options), memory, scope)
            case _Number(low, high, decimals):
                value = int(self.rng.integers(low, high + 1))
                return f"{value / 10**decimals:.{decimals}f}" if decimals else str(value)
            case _Mark(label, inner):
                return f"{OPEN}{label}{MIDDLE}{self._expand(inner, memory, scope)}{CLOSE}"
            case _Initials(slot):
                words = re.split(r"[\s-]+", self._fill(slot, memory, scope))
                return "".join(word[0].upper() for word in words if word[:1].isalnum())[:6]
            case _Slot():
                return self._slot(node, memory, scope)
            case _:
                return node

    def _slot(self, slot: _Slot, memory: dict[str, str], scope: str) -> str:
        key = scope if slot.key == "@" else slot.key
        place = f"{slot.name}.{key}"
        if key and place in memory:
            return memory[place]
        text = ""
        for _ in range(5):  # one thing is not named under two numbers
            if slot.name in self.patterns.slots:
                text = self._expand(self._pick(self.patterns.slots[slot.name]), memory, slot.scope or scope)
            else:
                text = self._name(slot.name)
            if text not in memory.values():
                break
        if key:
            memory[place] = text
        return text

    def _name(self, kind: str) -> str:
        if kind not in self._names:
            names = self.knowledge.names(cast("EntityKind", kind.removesuffix("2")))
            if kind.endswith("2"):
                names = [name for name in names if " " in name or "-" in name]
            self._names[kind] = names or self._fallback(kind)
        names = self._names[kind]
        return names[int(self.rng.integers(len(names)))]

    def _fallback(self, kind: str) -> Sequence[str]:
        """Names for a kind that the source lacks (ICD-10-CM has no chemicals): the built-in ones."""
        from clinsynth.generation.knowledge import open_knowledge

        return open_knowledge("builtin").names(cast("EntityKind", kind.removesuffix("2")))
