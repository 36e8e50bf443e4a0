"""Copies between submissions, found by samples of their runs of words in their audit records alone."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from hashlib import blake2b
from itertools import combinations
from pathlib import Path
from typing import NamedTuple

from clinsynth.audit.leakage import TextSet
from clinsynth.audit.record import AuditRecord, Sketch, audit_path
from clinsynth.audit.verdicts import read_audit
from clinsynth.core import UserError, stored_paths
from clinsynth.results import DataKind

RUN = 6
"""Words in a run: shorter ones are common to much text of a field."""
KEPT = 512
"""Hashes of a sketch: a share is right to about 0.02 x 2 with 95 %."""
COPIED = 0.5
"""Share of one submission's runs of words that another one has, from which it is called a copy of its text."""


class Copy(NamedTuple):
    """Two submissions with much the same text."""

    task: str
    first: str
    """The one that has fewer runs of words, of which ``share`` are the other's too."""
    second: str
    share: float

    @property
    def text(self) -> str:
        """The finding in words."""
        return f"{self.first} shares {self.share:.0%} of its text on {self.task} with {self.second}."


def sketch_of(rows: TextSet) -> Sketch:
    """A sample of the runs of ``RUN`` words in the rows. The order of the rows and repeats change nothing."""
    hashes: set[int] = set()
    for words in rows.words:
        for k in range(max(1, len(words) - RUN + 1)):
            digest = blake2b(" ".join(words[k : k + RUN]).encode(), digest_size=8).digest()
            hashes.add(int.from_bytes(digest, "big") >> 11)  # 53 bits: numbers that every reader of JSON keeps
    return Sketch(runs=len(hashes), smallest=tuple(sorted(hashes)[:KEPT]))


def shared(one: Sketch, other: Sketch) -> float:
    """Share of the runs of the smaller of two that the larger has too, estimated."""
    if not one.smallest or not other.smallest:
        return 0.0
    # The smallest of the union are a sample of it.
    union = sorted({*one.smallest, *other.smallest})[: min(KEPT, max(len(one.smallest), len(other.smallest)))]
    both = len({*union} & {*one.smallest} & {*other.smallest}) / len(union)
    # |A and B| = J (|A| + |B|) / (1 + J)
    return min(1.0, both * (one.runs + other.runs) / (1 + both) / min(one.runs, other.runs))


def copies(folders: Sequence[Path], kind: DataKind = "real") -> Iterator[Copy]:
    """Pairs of submissions that hold much the same text on a task, as their audits say; references left out.

    A submission without an audit, or with one of an earlier version, is compared with nobody.
    """
    by_task: dict[str, list[AuditRecord]] = {}
    for folder in folders:
        for path in stored_paths(audit_path(folder, "x", kind).parent, "*.json"):
            try:
                record = read_audit(path)
            except UserError:
                continue  # named where audits are read for themselves
            if record.sketch and not record.reference and record.submission == folder.name:
                by_task.setdefault(record.task, []).append(record)
    for task, records in sorted(by_task.items()):
        for one, other in combinations(records, 2):
            if one.submission == other.submission or one.sketch is None or other.sketch is None:
                continue
            share = shared(one.sketch, other.sketch)
            if share >= COPIED:
                first, second = sorted((one, other), key=lambda record: record.sketch.runs if record.sketch else 0)
                yield Copy(task, first.submission, second.submission, round(share, 3))
