"""Label faults of spans that rows show by themselves: mentions that were missed, and what is no mention."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from clinsynth.core import Example

SHORTEST = 3
"""Characters of a mention that is looked for elsewhere: shorter ones are words of the language too."""
_PIECE = re.compile(r"\w+|[^\w\s]")
_PLACEHOLDER = re.compile(
    r"@\w+\$?|\$\w+\$|#+|_{2,}|\[[A-Z_ ]{2,}\]|<[A-Za-z_/ ]{2,}>|\{\w*\}|\bX{3,}\b"
    r"|\b(?:DISEASE|CHEMICAL|DRUG|GENE)_?\d*\b"
)
"""Marks that a template, a prompt or another task leaves: ``@DISEASE$``, ``#@``, ``[DRUG]``, ``<disease>``, ``XXX``."""


@dataclass(frozen=True, slots=True)
class SpanFaults:
    """Shares of one draw of rows; ``None`` where there is nothing to count."""

    untagged: float | None
    """Of the distinct strings that are tagged anywhere, those that stand untagged in some row as well."""
    empty: float | None
    """Of the rows, those without a mention."""
    placeholders: float | None
    """Of the mentions, those that hold a marker or a placeholder."""


def span_faults(rows: Sequence[Example]) -> SpanFaults:
    """Count the faults of the rows of a span task.

    A string is looked for as whole words and signs, in its own letter case; a place inside a longer mention is tagged.
    """
    mentions = [row.texts[0][span.start : span.end] for row in rows for span in row.spans]
    tagged = {pieces for mention in mentions if len(mention) >= SHORTEST and (pieces := _pieces(mention))}
    return SpanFaults(
        untagged=len(_untagged(rows, tagged)) / len(tagged) if tagged else None,
        empty=sum(not row.spans for row in rows) / len(rows) if rows else None,
        placeholders=sum(bool(_PLACEHOLDER.search(mention)) for mention in mentions) / len(mentions)
        if mentions
        else None,
    )


Pieces = tuple[str, ...]


def _pieces(text: str) -> Pieces:
    return tuple(_PIECE.findall(text))


def _untagged(rows: Sequence[Example], tagged: set[Pieces]) -> set[Pieces]:
    """Tagged strings that stand somewhere outside every mention."""
    by_first: dict[str, set[Pieces]] = defaultdict(set)
    for pieces in tagged:
        by_first[pieces[0]].add(pieces)
    found: set[Pieces] = set()
    for row in rows:
        places = [(match.group(), match.start(), match.end()) for match in _PIECE.finditer(row.texts[0])]
        words = tuple(word for word, _, _ in places)
        for k, (word, start, _) in enumerate(places):
            for pieces in by_first.get(word, ()):
                if words[k : k + len(pieces)] != pieces:
                    continue
                end = places[k + len(pieces) - 1][2]
                # A place that overlaps a mention is that mention's, whole or in part.
                if all(end <= span.start or start >= span.end for span in row.spans):
                    found.add(pieces)
    return found
