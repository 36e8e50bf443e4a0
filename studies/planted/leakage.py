"""Plant test rows in a clean set and see what the audit finds: recall for each disguise, and false alarms.

    python -m studies.planted.leakage --data-dir DIR [--tasks gad,hoc] [--json FILE]

The clean set is half of the real train split (dev, where train is not here); a tenth of its rows is replaced by rows of
the test split, a quarter of them in each disguise of ``edits.py``. The audit sees the other half as "the" train split,
so that a clean row is as unknown to it as a generated one. Then both halves of the real split, with nothing planted,
are compared with the test split in this way. Rows that the publisher has in both splits are counted apart: the same
row, or the same sentence with another pair of mentions marked.
"""

from __future__ import annotations

import argparse
import json
import math
import tempfile
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import cache
from pathlib import Path

import numpy as np
from studies.planted.edits import EDITS

from clinsynth.audit import audit
from clinsynth.audit.leakage import METHODS, Embed, TextSet, overlap
from clinsynth.core.nouns import Example, Split, Task
from clinsynth.core.registry import TASKS
from clinsynth.data import manifest as arrow
from clinsynth.data.store import DataStore
from clinsynth.submissions import Card, RealData, write_submission
from clinsynth.task_types import task_type
from clinsynth.text.normalising import key, words
from clinsynth.training.embeddings import embed

TASK_NAMES = (
    "bc5cdr-disease", "ncbi-disease", "cdr", "gad", "chemprot", "hoc", "healthver", "pubhealth", "mqp", "mediqa-rqe",
)  # fmt: skip
ROWS = 2_000
"""Rows of the planted submission, at most; half of the split where it is smaller."""
SHARE = 0.1
_GAP = 8
"""Words that a marker may stand for."""
_COMMON = 0.7


@dataclass
class Outcome:
    """What was found on one task."""

    task: str
    split: str
    rows: int
    verdict: str
    planted: dict[str, int] = field(default_factory=dict[str, int])
    found: dict[str, int] = field(default_factory=dict[str, int])
    clean_rows: int = 0
    clean_alarms: int = 0
    real_rows: int = 0
    real_alarms: int = 0
    real_methods: dict[str, int] = field(default_factory=dict[str, int])
    known: int = 0
    """Rows that the publisher has in both splits."""


class HalfStore(DataStore):
    """The real data, with other examples in the place of the train split and no dev split."""

    def __init__(self, root: Path, train: list[Example]) -> None:
        super().__init__(root)
        self._train = train

    def rows(self, task: Task) -> dict[Split, int]:
        """Train and test alone."""
        return {"train": len(self._train), "test": super().rows(task)["test"]}

    def examples(self, task: Task, split: Split) -> list[Example]:
        """The other examples for train."""
        return self._train if split == "train" else super().examples(task, split)

    def fingerprint(self, task: Task, split: Split) -> str:
        """That of the other examples for train."""
        return arrow.fingerprint(self._train) if split == "train" else super().fingerprint(task, split)


def same_sentence(a: str, b: str, markers: Sequence[str]) -> bool:
    """Whether two texts are one sentence with different mentions marked.

    A marker stands for up to eight words; of the other words, seven in ten must be there on both sides.
    """
    if not markers:
        return key(a) == key(b)
    left, right = (_with_gaps(text, markers) for text in (a, b))

    @cache
    def common(i: int, j: int) -> float:
        """Most words in common from here on; minus infinity where the texts do not fit."""
        if i == len(left) or j == len(right):
            return 0 if all(word == "*" for word in (*left[i:], *right[j:])) else -math.inf
        best = -math.inf
        if left[i] == "*":
            best = max(common(i + 1, k) for k in range(j, min(j + _GAP, len(right)) + 1))
        if right[j] == "*":
            best = max(best, *(common(k, j + 1) for k in range(i, min(i + _GAP, len(left)) + 1)))
        return max(best, 1 + common(i + 1, j + 1)) if left[i] == right[j] != "*" else best

    literal = min(sum(word != "*" for word in side) for side in (left, right))
    return abs(len(left) - len(right)) <= 4 * _GAP and common(0, 0) >= _COMMON * literal


def _with_gaps(text: str, markers: Sequence[str]) -> tuple[str, ...]:
    out: list[str] = []
    for marker in markers:
        text = text.replace(marker, " \0 ")
    for k, part in enumerate(text.split("\0")):
        out += ["*"] * (k > 0) + words(part)
    return tuple(out)


def disguised(example: Example, kind: str, rng: np.random.Generator) -> Example:
    """The example with each of its texts edited; spans are left out, as no check reads them."""
    return Example(tuple(EDITS[kind](text, rng) for text in example.texts), labels=example.labels)


def _known(rows: Sequence[Example], test: Sequence[Example], pairs: Sequence[tuple[int, int]], task: Task) -> set[int]:
    """Rows whose match is the same row or sentence."""
    return {
        row
        for row, item in pairs
        if all(same_sentence(a, b, task.spec.markers) for a, b in zip(rows[row].texts, test[item].texts, strict=True))
    }


def run(task: Task, root: Path, embedder: Embed) -> Outcome:
    """Plant, audit and count, for one task."""
    store = DataStore(root)
    rng = np.random.default_rng(0)
    test = store.examples(task, "test")
    split: Split = "train" if store.rows(task).get("train") else "dev"
    real = store.examples(task, split)
    order = [int(k) for k in rng.permutation(len(real))]
    half = min(ROWS, len(real) // 2)
    rows, rest = [real[k] for k in order[:half]], [real[k] for k in order[half:]]
    leaked = [int(k) for k in rng.permutation(len(test))[: int(SHARE * half)]]
    kinds = {place: list(EDITS)[place % len(EDITS)] for place in range(len(leaked))}
    for place, item in enumerate(leaked):
        rows[place] = disguised(test[item], kinds[place], rng)

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "planted"
        card = Card(
            name="planted", title="Planted", authors=("nobody",), generator="plants test rows", licence="none",
            real_data=RealData(used="train", details="half of the real split, and a tenth of test rows"),
        )  # fmt: skip
        kind = task_type(task.spec)
        write_submission(path, card, {task.spec.name: [kind.encode(row) for row in rows]}, private=True)
        (record,) = audit(path, [task.spec.name], HalfStore(root, rest))
    outcome = Outcome(task.spec.name, split, len(rows), "clean" if record.clean else "failed")
    caught = {match.row - 1 for match in record.test.matches}
    outcome.planted = dict(Counter(kinds.values()))
    outcome.found = dict(Counter(kinds[place] for place in kinds if place in caught))
    pairs = [(match.row - 1, item) for match in record.test.matches for item in match.tests]
    known = _known(rows, test, pairs, task) - kinds.keys()
    outcome.clean_rows = len(rows) - len(kinds) - len(known)
    outcome.clean_alarms = len(caught - kinds.keys() - known)

    surest: dict[int, int] = {}
    known.clear()
    for part, other in ((order[:half], order[half:]), (order[half:], order[:half])):
        texts = TextSet([real[k] for k in part], task.spec.markers)
        seen = TextSet([real[k] for k in other], task.spec.markers)
        found = overlap(texts, TextSet(test, task.spec.markers), public=seen, embed=embedder)
        matches = [match._replace(row=part[match.row]) for match in found.matches]
        known |= _known(real, test, [(match.row, match.item) for match in matches], task)
        for match in matches:
            surest[match.row] = min(METHODS.index(match.method), surest.get(match.row, len(METHODS)))
    alarms = surest.keys() - known
    outcome.known, outcome.real_rows, outcome.real_alarms = len(known), len(real) - len(known), len(alarms)
    outcome.real_methods = dict(Counter(METHODS[surest[row]] for row in alarms))
    return outcome


def table(outcomes: Sequence[Outcome]) -> str:
    """Markdown, with the sums below."""
    head = ["task", "clean rows from", "verdict", *(f"{kind}" for kind in EDITS), "false alarms, clean rest",
            "false alarms, whole split", "known in both"]  # fmt: skip
    lines = ["| " + " | ".join(head) + " |", "|:--|:--|:--|" + "--:|" * (len(head) - 3)]
    for o in outcomes:
        recall = [f"{o.found.get(kind, 0)}/{o.planted.get(kind, 0)}" for kind in EDITS]
        lines.append("| " + " | ".join([
            f"`{o.task}`", f"{o.split} ({o.real_rows + o.known:,})", o.verdict, *recall,
            _rate(o.clean_alarms, o.clean_rows), _rate(o.real_alarms, o.real_rows), f"{o.known}",
        ]) + " |")  # fmt: skip
    totals = {
        kind: (_sum([o.found for o in outcomes], kind), _sum([o.planted for o in outcomes], kind)) for kind in EDITS
    }
    lines.append("| " + " | ".join([
        "**all**", "", f"{sum(o.verdict == 'failed' for o in outcomes)} of {len(outcomes)} caught",
        *(f"**{100 * found / max(planted, 1):.1f} %**" for found, planted in totals.values()),
        _rate(sum(o.clean_alarms for o in outcomes), sum(o.clean_rows for o in outcomes)),
        _rate(sum(o.real_alarms for o in outcomes), sum(o.real_rows for o in outcomes)),
        f"{sum(o.known for o in outcomes)}",
    ]) + " |")  # fmt: skip
    return "\n".join(lines)


def _sum(counts: Sequence[Mapping[str, int]], kind: str) -> int:
    return sum(own.get(kind, 0) for own in counts)


def _rate(alarms: int, rows: int) -> str:
    return f"{alarms}/{rows:,} ({100 * alarms / max(rows, 1):.2f} %)"


def main() -> None:
    """Run and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data-dir", type=Path, required=True)
    parser.add_argument("--tasks", default=",".join(TASK_NAMES))
    parser.add_argument("--json", type=Path, help="store the counts there")
    arguments = parser.parse_args()
    root: Path = arguments.data_dir
    outcomes = [
        run(TASKS[name], root, lambda texts: embed(list(texts), root)) for name in str(arguments.tasks).split(",")
    ]
    print(table(outcomes))  # noqa: T201
    if arguments.json:
        lines = "".join(json.dumps(asdict(outcome)) + "\n" for outcome in outcomes)
        Path(arguments.json).write_text(lines, encoding="utf-8")


if __name__ == "__main__":
    main()
