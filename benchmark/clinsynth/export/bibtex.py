"""BibTeX of what a page shows: the benchmark, the methods, and the data sets."""

from __future__ import annotations

import re

from clinsynth.snapshot import Snapshot
from clinsynth.views import Page


def as_bibtex(snapshot: Snapshot, page: Page) -> str:
    """The snapshot, every method on the page that names an entry, and the data sets that it was scored on.

    Keys that clash get a letter; what has no entry is named in a comment.
    """
    cards = {row.submission: row for row in snapshot.tables.submissions}
    shown = [cards[name] for name in page.submissions if name in cards]
    entries = [_benchmark(snapshot), *(card.bibtex.strip() for card in shown if card.bibtex.strip())]
    names = {row.task for row in snapshot.tables.scores if row.submission in page.submissions}
    entries += [row.citation.strip() for row in snapshot.tables.tasks if row.task in names and row.citation.strip()]
    without = [card.submission for card in shown if not card.bibtex.strip()]
    note = [f"% No entry in the card of: {', '.join(without)}"] if without else []
    return "\n\n".join([*note, *_distinct(entries)]) + "\n"


def _benchmark(snapshot: Snapshot) -> str:
    manifest = snapshot.manifest
    return (
        f"@misc{{clinsynth-{manifest.short},\n"
        "  title = {clinsynth: a benchmark for synthetic clinical training data},\n"
        "  author = {{The clinsynth authors}},\n"
        f"  year = {{{manifest.created[:4]}}},\n"
        f"  note = {{Snapshot {manifest.short} of {manifest.day}, clinsynth {manifest.clinsynth}}}\n"
        "}"
    )


def _distinct(entries: list[str]) -> list[str]:
    out: list[str] = []
    seen: dict[str, str] = {}
    for entry in entries:
        found = re.match(r"@\w+\s*\{\s*([^,\s]+)", entry)
        key = found.group(1) if found else ""
        if entry in seen.values():
            continue
        fresh, letter = key, "a"
        while fresh in seen:
            letter = chr(ord(letter) + 1)
            fresh = f"{key}{letter}"
        seen[fresh] = entry
        out.append(entry.replace(key, fresh, 1) if fresh != key else entry)
    return out
