"""The few-shot examples over again with other words and other names: no language model.

- names: what the knowledge source knows is replaced by another name of its kind, the same in both texts of a
  pair; in span tasks every marked mention is, by a name of its kind or a mention of the same label elsewhere;
- words: synonyms from a table written for this project (``patterns/synonyms.txt``), neighbours exchanged, words
  left out.

Markers, numbers and words that turn a meaning round (no, not, without...) are never touched; spans move with their
text.
After EDA (Wei and Zou 2019), with these deviations:

- a table of clinical synonyms instead of WordNet, which would have to be downloaded;
- no insertion of words;
- how much is changed is drawn anew for each row (``STRENGTHS``), not fixed;
- names are replaced besides.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from clinsynth.core import EntityKind, Example, Row, Span, TaskSpec, sha256_file
from clinsynth.generation import Baseline, Budget, Knowledge, TaskView, Tools
from clinsynth.task_types import task_type

SYNONYMS = Path(__file__).parent / "patterns" / "synonyms.txt"
STRENGTHS = (0.05, 0.1, 0.2, 0.3)
"""Shares of words that are exchanged or left out, one drawn a row. Synonyms are drawn with three times the share."""
KINDS: tuple[EntityKind, ...] = ("disease", "chemical", "gene", "symptom")
KIND_OF: Mapping[str, EntityKind] = {
    "Disease": "disease",
    "Chemical": "chemical",
    "Medication": "chemical",
    "Reason": "disease",
}
"""Span labels whose mentions are names of a kind."""
KEEP = re.compile(
    r"no|not|nor|non|none|never|neither|without|denie[sd]|deny|negative|absent|absence|fail(?:s|ed)?|un\w+|cannot|\w+n't|"
    r"less|more|lower|higher|increase[sd]?|decrease[sd]?|reduce[sd]?|who|what|when|where|why|how|which|.*\d.*|.*[@$].*",
    re.IGNORECASE,
)
"""Words that a label may hang on: never left out, never moved."""


@dataclass(frozen=True, slots=True)
class Piece:
    """A word with the space before it, or a whole mention."""

    text: str
    before: str
    label: str = ""


def generate(view: TaskView, tools: Tools, budget: Budget, rng: np.random.Generator) -> Iterator[Row]:
    """Rows without end, each from one example; examples and with them classes take turns."""
    spec, few = view.spec, list(view.few_shot())
    tools.tally.prompts[f"patterns/{SYNONYMS.name}"] = sha256_file(SYNONYMS)
    change = Changes(spec, few, tools.knowledge, rng)
    kind = task_type(spec)
    turns = _turns(spec, few)
    made = dict.fromkeys(turns, 0)
    for _ in range(20 * budget.rows + 1_000):
        label = min(turns, key=lambda name: (made[name], name))
        example = turns[label][made[label] % len(turns[label])]
        made[label] += 1
        changed = change(example)
        if changed.texts != example.texts and all(text.strip() for text in changed.texts):
            yield kind.encode(changed)


def _turns(spec: TaskSpec, few: Sequence[Example]) -> dict[str, list[Example]]:
    """Examples by class; those of span tasks by whether they have a mention."""
    turns: dict[str, list[Example]] = {}
    for example in few:
        label = ("mentions" if example.spans else "none") if spec.is_span else "|".join(example.labels)
        turns.setdefault(label, []).append(example)
    return turns


class Changes:
    """What can be done to an example."""

    def __init__(self, spec: TaskSpec, few: Sequence[Example], knowledge: Knowledge, rng: np.random.Generator) -> None:
        self._rng = rng
        self._markers = spec.markers
        self._names = {kind: knowledge.names(kind) for kind in KINDS}
        self._kind_of = {name.lower(): kind for kind in KINDS for name in self._names[kind]}
        longest = sorted(self._known(few), key=lambda name: (-len(name), name))
        self._found = (
            re.compile(rf"(?<![\w@])(?:{'|'.join(map(re.escape, longest))})(?![\w$])", re.I) if longest else None
        )
        self._mentions: dict[str, list[str]] = {}
        for example in few:
            for span in example.spans:
                self._mentions.setdefault(span.label, []).append(example.texts[0][span.start : span.end])
        self._synonyms = _synonyms()

    def _known(self, few: Sequence[Example]) -> set[str]:
        """Names of the source that occur in the examples: a search for all of them would take long."""
        known: set[str] = set()
        for example in few:
            words = [word.strip(".,;:()?!") for text in example.texts for word in text.lower().split()]
            for size in (1, 2, 3, 4):
                known |= {
                    name
                    for k in range(len(words) - size + 1)
                    if (name := " ".join(words[k : k + size])) in self._kind_of and len(name) > 3
                }
        return known

    def __call__(self, example: Example) -> Example:
        """Another example with the same label."""
        strength = float(self._rng.choice(STRENGTHS))
        instead: dict[str, str] = {}
        texts: list[str] = []
        spans: tuple[Span, ...] = ()
        for text in example.texts:
            changed, spans = _joined(self._words(self._pieces(text, example.spans, instead), strength))
            texts.append(changed)
        return Example(tuple(texts), labels=example.labels, spans=spans)

    def _pieces(self, text: str, spans: Sequence[Span], instead: dict[str, str]) -> list[Piece]:
        pieces: list[Piece] = []
        at = 0
        for span in [*spans, Span(len(text), len(text), "")]:
            pieces += self._plain(text[at : span.start], instead)
            if span.label:
                gap = text[: span.start][len(text[: span.start].rstrip()) :] if span.start else ""
                pieces.append(Piece(self._other_mention(text[span.start : span.end], span.label), gap, span.label))
            at = span.end
        return pieces

    def _plain(self, text: str, instead: dict[str, str]) -> list[Piece]:
        if self._found is not None:
            text = self._found.sub(lambda found: self._other_name(found[0], instead), text)
        return [Piece(found[2], found[1]) for found in re.finditer(r"(\s*)(\S+)", text)]

    def _other_name(self, name: str, instead: dict[str, str]) -> str:
        key = name.lower()
        if key not in instead:
            names = self._names[self._kind_of[key]]
            # A name stays as it is now and then, as it does in real text on one topic.
            instead[key] = self._pick(names) if self._rng.random() < 0.8 else name
        return instead[key]

    def _other_mention(self, mention: str, label: str) -> str:
        names = self._names.get(KIND_OF.get(label, "gene"), ()) if label in KIND_OF else ()
        draw = self._rng.random()
        if names and draw < 0.7:
            return self._pick(names)
        return self._pick(self._mentions[label]) if draw < 0.9 else mention

    def _pick(self, options: Sequence[str]) -> str:
        return options[int(self._rng.integers(len(options)))]

    def _words(self, pieces: list[Piece], strength: float) -> list[Piece]:
        pieces = [self._synonym(piece) if self._rng.random() < 3 * strength else piece for piece in pieces]
        for k in range(len(pieces) - 1):
            if self._rng.random() < strength / 2 and self._movable(pieces[k]) and self._movable(pieces[k + 1]):
                a, b = pieces[k], pieces[k + 1]
                pieces[k], pieces[k + 1] = Piece(b.text, a.before), Piece(a.text, b.before)
        return [piece for piece in pieces if not (self._rng.random() < strength / 2 and self._movable(piece))]

    def _movable(self, piece: Piece) -> bool:
        return not piece.label and bool(re.fullmatch(r"[A-Za-z'-]+", piece.text)) and not KEEP.fullmatch(piece.text)

    def _synonym(self, piece: Piece) -> Piece:
        word = re.fullmatch(r"(\W*)([A-Za-z-]+)(\W*)", piece.text)
        if piece.label or word is None or word[2].lower() not in self._synonyms or "@" in piece.text:
            return piece
        other = self._pick(self._synonyms[word[2].lower()])
        return Piece(f"{word[1]}{other.capitalize() if word[2][0].isupper() else other}{word[3]}", piece.before)


def _joined(pieces: Sequence[Piece]) -> tuple[str, tuple[Span, ...]]:
    text = ""
    spans: list[Span] = []
    for piece in pieces:
        text += piece.before if text else ""
        if piece.label:
            spans.append(Span(len(text), len(text) + len(piece.text), piece.label))
        text += piece.text
    return text, tuple(spans)


def _synonyms() -> dict[str, list[str]]:
    """Words of one part each; what a group says in several words may be put in, not looked for."""
    table: dict[str, list[str]] = {}
    for line in SYNONYMS.read_text(encoding="utf-8").splitlines():
        group = [word.strip() for word in line.split(",")] if not line.startswith("#") else []
        for word in group:
            if " " not in word:
                table.setdefault(word, []).extend(other for other in group if other != word)
    return table


BASELINE = Baseline(
    name="augment",
    title="Few-shot examples with other words and names",
    description="no LLM: synonyms, swaps, deletions and replaced mentions, on the few-shot examples",
    real_data="few-shot",
    generate=generate,
    needs=frozenset({"knowledge"}),
    citation="""@inproceedings{wei2019eda,
  title = {{EDA}: Easy Data Augmentation Techniques for Boosting Performance on Text Classification Tasks},
  author = {Wei, Jason and Zou, Kai},
  booktitle = {EMNLP-IJCNLP},
  year = {2019}
}""",
)
