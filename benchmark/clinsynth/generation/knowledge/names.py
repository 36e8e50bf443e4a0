"""Names as texts can use them: cleaned, without repeats, in a fixed order; and the table that holds them."""

from __future__ import annotations

import re
import tomllib
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Literal

from clinsynth.core import EntityKind, sha256_lines

KINDS: tuple[EntityKind, ...] = ("disease", "chemical", "gene", "symptom")
Pair = tuple[EntityKind, EntityKind]
PAIRS: tuple[Pair, ...] = (
    ("chemical", "disease"),
    ("chemical", "symptom"),
    ("gene", "disease"),
    ("chemical", "gene"),
    ("disease", "symptom"),
)
"""The relations that are kept, in this direction; they can be asked for in either."""
LISTS = Path(__file__).parent / "lists"
Relation = Literal["", "causes", "upregulates", "downregulates"]
"""How two names belong together, where the source says so and a label of a task means just this."""
Label = tuple[str, str]
"""A task and one of its labels."""

LONGEST = 40
"""Characters of a name; longer ones are classes of a catalogue rather than words that anybody writes."""
_ALLOWED = re.compile(r"[A-Za-z0-9][A-Za-z0-9 ,'()+./-]*")
_GENE = re.compile(r"[A-Z][A-Za-z0-9-]{1,11}")
_NOT_A_GENE = re.compile(r"LOC\d|LINC\d|MIR\d|SNOR[AD]|RNU\d|RNA\d|.*-(?:AS|IT|OT)\d|C\w+orf")
_INVERTED = re.compile(r"([^,]+), ([^,]+)")
_EPONYM = re.compile(r".*'s?$")


@dataclass(slots=True)
class NameTable:
    """Names by kind, and pairs of them that belong together: what every source is read into."""

    name: str
    """The source with its version, for the record."""
    digest: str
    """sha256 of what the source was read from."""
    by_kind: Mapping[EntityKind, Sequence[str]]
    by_pair: Mapping[Pair, Sequence[tuple[str, str]]] = field(default_factory=dict[Pair, Sequence[tuple[str, str]]])
    dropped: Mapping[str, int] = field(default_factory=dict[str, int])
    """Entries of the source that are no usable names, by reason."""
    by_label: Mapping[Label, Sequence[tuple[str, ...]]] = field(default_factory=dict[Label, Sequence[tuple[str, ...]]])
    """What the source has of a label: a name each, or two for the markers of a relation (``lists/labels.toml``)."""

    def names(self, kind: EntityKind) -> Sequence[str]:
        """Distinct names of a kind, in a fixed order; empty where the source has none."""
        return self.by_kind.get(kind, ())

    def pairs(self, first: EntityKind, second: EntityKind) -> Sequence[tuple[str, str]]:
        """Names that the source says are related, in a fixed order; empty where it has no such edges."""
        if (first, second) in self.by_pair:
            return self.by_pair[first, second]
        return [(b, a) for a, b in self.by_pair.get((second, first), ())]

    def of_label(self, task: str, label: str) -> Sequence[tuple[str, ...]]:
        """A name, or two for the markers of a relation, that belong to a label; empty where the source does not say."""
        return self.by_label.get((task, label), ())


@dataclass(frozen=True, slots=True)
class _Of:
    """What of a source is about a label."""

    words: re.Pattern[str] | None
    relations: tuple[str, ...]


@cache
def _labels() -> Mapping[Label, _Of]:
    def pattern(words: Sequence[str]) -> re.Pattern[str] | None:
        return re.compile(rf"(?<!\w)(?:{'|'.join(map(re.escape, words))})", re.IGNORECASE) if words else None

    return {
        (task, label): _Of(pattern(of.get("words", ())), tuple(of.get("relations", ())))
        for task, labels in tomllib.loads((LISTS / "labels.toml").read_text("utf-8")).items()
        for label, of in labels.items()
    }


class Collector:
    """Takes the entries of a source, in its order, and counts what it refuses."""

    def __init__(self) -> None:
        self._names: dict[EntityKind, dict[str, str]] = {kind: {} for kind in KINDS}
        self._pairs: dict[Pair, dict[tuple[str, str], None]] = {pair: {} for pair in PAIRS}
        self._labelled: defaultdict[Label, dict[tuple[str, ...], None]] = defaultdict(dict)
        self.dropped: Counter[str] = Counter()

    def add(self, kind: EntityKind, raw: str) -> str:
        """The cleaned name, as it first came; empty where it is refused."""
        name, reason = clean(raw, kind)
        if reason:
            self.dropped[f"{kind}: {reason}"] += 1
            return ""
        return self.keep(kind, name)

    def keep(self, kind: EntityKind, name: str) -> str:
        """Take a name as it is; gives it as it first came."""
        return self._names[kind].setdefault(name.lower(), name)

    def relate(self, pair: Pair, first: str, second: str, relation: Relation = "") -> None:
        """Two cleaned names belong together."""
        if first and second:
            self._pairs[pair][first, second] = None
            for label, of in _labels().items():
                if f"{pair[0]} {relation} {pair[1]}" in of.relations:
                    self._labelled[label][first, second] = None

    def process(self, raw: str) -> None:
        """A biological process or pathway: no kind of name that texts are asked to hold, but a topic of some labels."""
        labels = [label for label, of in _labels().items() if of.words and of.words.search(raw)]
        if labels:
            name, reason = clean(raw, "disease")
            if reason:
                self.dropped[f"process: {reason}"] += 1
            for label in labels if name else ():
                self._labelled[label][(name,)] = None

    def table(self, name: str, digest: str = "") -> NameTable:
        """Everything taken. Without a ``digest`` it is that of the names themselves."""
        by_kind: dict[EntityKind, Sequence[str]] = {
            kind: tuple(names.values()) for kind, names in self._names.items() if names
        }
        by_pair = {pair: tuple(found) for pair, found in self._pairs.items() if found}
        own = sha256_lines([*by_kind.items(), *([*pair, *found] for pair, found in by_pair.items())])
        digest = digest or own
        return NameTable(
            f"{name} (sha256 {digest[:12]})", digest, by_kind, by_pair, dict(sorted(self.dropped.items())),
            {label: tuple(found) for label, found in self._labelled.items()},
        )  # fmt: skip


def clean(raw: str, kind: EntityKind) -> tuple[str, str]:
    """``(name, "")``, or ``("", reason)`` where it is not fit for a sentence."""
    name = " ".join(raw.split())
    if kind == "gene":
        fit = _GENE.fullmatch(name) and not _NOT_A_GENE.match(name)
        return (name, "") if fit else ("", "no protein-coding symbol")
    if inverted := _INVERTED.fullmatch(name):
        # Catalogues file "Neuralgia, Postherpetic" under N.
        name = f"{inverted[2]} {inverted[1]}"
    if not 3 <= len(name) <= LONGEST:
        return "", f"not 3-{LONGEST} characters"
    if not _ALLOWED.fullmatch(name) or "," in name or name.count("(") != name.count(")"):
        return "", "characters that names seldom have"
    return in_sentence(name), ""


def in_sentence(name: str) -> str:
    """The name as it is written within a sentence: headline capitals lowered, acronyms and possessives left.

    What cannot be told from its letters, such as an eponym without ``'s``, is lowered only where every word of
    the name has a capital, as in a catalogue of headings.
    """
    words = name.split(" ")
    headline = all(word[:1].isupper() or not word[:1].isalpha() for word in words)
    if not headline and (not _plain_capital(words[0]) or any(_plain_capital(word) for word in words[1:])):
        return name
    if headline:
        return " ".join(_lowered(word) for word in words)
    return " ".join([_lowered(words[0]), *words[1:]])


def _plain_capital(word: str) -> bool:
    return word[:1].isupper() and word[1:].islower() and not _EPONYM.match(word)


def _lowered(word: str) -> str:
    parts = word.split("-")
    if _EPONYM.match(word) or parts[0] in EPONYMS or word in EPONYMS or len(parts[0]) < 2:
        return word
    return "-".join(part.lower() if part[1:].islower() else part for part in parts)


EPONYMS = frozenset(
    """Addison Alport Alzheimer Angelman Arnold Barrett Bartter Becker Behcet Bell Bowen Brugada Budd Burkitt Charcot
    Chediak Chiari Churg Clostridioides Clostridium Creutzfeldt Crigler Crohn Cushing Down Dubin Duchenne Dupuytren
    Ehlers Epstein Ewing Fabry Fanconi Felty Fournier Friedreich Gaucher Gilbert Gilles Goodpasture Graves Guillain
    Hashimoto Henoch Hirschsprung Hodgkin Horner Huntington Kaposi Kawasaki Klinefelter Korsakoff Kleine Lafora Lambert
    Leber Legionella Lennox Lesch Lewy Li Lyme Lynch Mallory Marfan Meniere Merkel Niemann Noonan Paget Parkinson
    Peutz Peyronie Pompe Prader Raynaud Reiter Rett Reye Rubinstein Schonlein Sezary Sheehan Sjogren Staphylococcus
    Stevens Streptococcus Sturge Susac Sydenham Takayasu Tay Tourette Turner Usher Waardenburg Wegener Wernicke
    Whipple Williams Wilms Wilson Wolff Zollinger Adie Brown Angiotensin-II""".split()  # noqa: SIM905 - a page of words
)
"""People and genera whose names keep their capital."""
