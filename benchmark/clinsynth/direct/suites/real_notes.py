"""What ``asclepius-notes`` is asked on: rows of ``clinsynth notes``, or real notes that anybody may have.

Asclepius was judged on real notes under agreements as well. ACI-Bench and MTS-Dialog are real notes without one: each
gets a request of one of the eight kinds, written for this project and drawn by its place, so that everybody is asked
the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from clinsynth.direct.suites.sets import SETS, SuiteFiles
from clinsynth.generation.notes import KINDS, NoteRow, read_table

OWN = "asclepius-notes"
REAL = ("aci-bench", "mts-dialog")
"""Sets whose reference texts are real notes."""
REQUESTS = Path(__file__).parent / "real_notes.txt"
SHORTEST = 30
"""Words of a note; on a shorter one there is nothing to ask. Many sections of MTS-Dialog are."""
SEED = 0


@dataclass(frozen=True, slots=True)
class Notes:
    """Notes with requests."""

    rows: Sequence[NoteRow]
    suite: str = OWN
    """The name under which answers and grades are stored."""


def open_notes(place: Path, source_dir: Path | None, raw_dir: Path) -> Notes:
    """The rows of ``clinsynth notes`` in ``place``, or the real notes of the set of that name.

    Args:
        place: a folder or table, or ``aci-bench`` or ``mts-dialog`` where nothing lies under that name.
        source_dir: where published files lie, as ``<set>/<file>``; ``None`` to download them.
        raw_dir: where downloads are kept.

    Raises:
        NotPreparedError: the set's file is not here and cannot be had.
        UserError: the rows cannot be read, or the file is not the published one.
    """
    name = str(place)
    if name not in REAL or place.exists():
        return Notes(read_table(place))
    files = SuiteFiles(name, SETS[name].sources, source_dir, raw_dir)
    found = dict.fromkeys(item.references[0] for item in SETS[name].read(files))
    return Notes(asked_on(name, [note for note in found if len(note.split()) >= SHORTEST]), f"asclepius-{name}")


def asked_on(name: str, notes: Sequence[str]) -> list[NoteRow]:
    """A request for each note: the kinds take turns through the notes in a drawn order, and so do their requests."""
    requests = _requests()
    order = np.random.default_rng(SEED).permutation(len(notes))
    turn = {int(place): k for k, place in enumerate(order)}
    rows: list[NoteRow] = []
    for place, note in enumerate(notes):
        kind = KINDS[turn[place] % len(KINDS)]
        own = requests[kind]
        rows.append(NoteRow(f"{name}-{place}", note, own[turn[place] // len(KINDS) % len(own)], "", kind))
    return rows


def _requests() -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    kind = ""
    for line in REQUESTS.read_text("utf-8").splitlines():
        if line.startswith("["):
            kind = line.strip("[]")
        elif line and not line.startswith("#"):
            found.setdefault(kind, []).append(line)
    return found
