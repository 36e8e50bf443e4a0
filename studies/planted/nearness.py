"""Which rows the audit finds nearer to test text than to other real text: honest ones, and disguised ones.

    python -m studies.planted.nearness --data-dir DIR [--tasks gad,hoc] [--submissions submissions]

Rows of each kind are compared as the audit does (``audit.run.nearness_of``): with up to 1,000 test examples and up to
eight blocks of as many of train (dev, where train is not here). Real rows that are compared are left out of the blocks.
What stored submissions reach is read from their audits. Numbers only are printed; a share in bold shuts the gate.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path

import numpy as np
from studies.planted.edits import paraphrased
from studies.planted.leakage import TASK_NAMES

from clinsynth.audit import gate, read_audit
from clinsynth.audit.leakage import Embed
from clinsynth.audit.record import audit_path
from clinsynth.audit.run import nearness_of
from clinsynth.core.nouns import Example, Split, Task
from clinsynth.core.registry import TASKS
from clinsynth.data.store import DataStore
from clinsynth.results import DataKind
from clinsynth.training.embeddings import embed

Edit = Callable[[str, np.random.Generator], str]
ROWS = 200
"""Rows of each kind that this study makes."""


def scrambled(text: str, rng: np.random.Generator) -> str:
    """The same words in a random order."""
    words = text.split()
    return " ".join(words[int(k)] for k in rng.permutation(len(words)))


def kinds(task: Task, store: DataStore) -> Iterator[tuple[str, Sequence[Example], Sequence[Example]]]:
    """Name, rows, and the real text that they are compared with beside the test split."""
    rng = np.random.default_rng(0)
    split: Split = "train" if store.rows(task).get("train") else "dev"
    real, test = store.examples(task, split), store.examples(task, "test")
    order = [int(k) for k in rng.permutation(len(real))]
    some, rest = [real[k] for k in order[:ROWS]], [real[k] for k in order[ROWS:]]
    items = [test[int(k)] for k in rng.permutation(len(test))[:ROWS]]
    yield "real rows", some, rest
    if split == "train" and store.rows(task).get("dev"):
        dev = store.examples(task, "dev")
        yield "real rows of dev", [dev[int(k)] for k in rng.permutation(len(dev))[:ROWS]], real
    yield "real rows with scrambled words", _edited(some, scrambled, rng), rest
    yield "test rows with scrambled words", _edited(items, scrambled, rng), real
    yield "test rows, lightly paraphrased", _edited(items, paraphrased, rng), real


def _edited(rows: Sequence[Example], edit: Edit, rng: np.random.Generator) -> list[Example]:
    return [Example(tuple(edit(text, rng) for text in each.texts), labels=each.labels) for each in rows]


def stored(task: str, kind: DataKind, submissions: Path) -> list[float]:
    """The shares in the audits of stored submissions that are not real text, lowest first."""
    paths = [path for folder in submissions.iterdir() if (path := audit_path(folder, task, kind)).is_file()]
    records = [record for record in map(read_audit, paths) if not record.reference and record.tier != "real"]
    return sorted(record.nearness.test for record in records if record.nearness)


def column(task: Task, store: DataStore, embedder: Embed, submissions: Path) -> dict[str, str]:
    """A cell for each kind of rows."""
    cells: dict[str, str] = {}
    test = store.examples(task, "test")
    for name, rows, real in kinds(task, store):
        if near := nearness_of(rows, test, real, "train", embedder):
            found = near[0]
            cells.setdefault("*examples x blocks*", f"{found.items:,} x {found.blocks}")
            share = f"{100 * found.test:.0f} %"
            cells[name] = f"**{share}**" if any(gate.nearness(found, ())) else share
    if shares := stored(task.spec.name, store.kind, submissions):
        cells["stored submissions"] = f"{100 * shares[0]:.0f} to {100 * shares[-1]:.0f} %"
    return cells


def main() -> None:
    """Compare and print a table: kinds of rows down, tasks across."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data-dir", type=Path, required=True)
    parser.add_argument("--tasks", default=",".join(TASK_NAMES))
    parser.add_argument("--submissions", type=Path, default=Path("submissions"))
    arguments = parser.parse_args()
    store = DataStore(arguments.data_dir)
    embedder = partial(_embedded, root=arguments.data_dir)
    names = str(arguments.tasks).split(",")
    columns = {name: column(TASKS[name], store, embedder, arguments.submissions) for name in names}
    print("| rows | " + " | ".join(f"`{name}`" for name in names) + " |")  # noqa: T201
    print("|:--|" + "--:|" * len(names))  # noqa: T201
    for kind in dict.fromkeys(kind for cells in columns.values() for kind in cells):
        print(f"| {kind} | " + " | ".join(cells.get(kind, "") for cells in columns.values()) + " |")  # noqa: T201


def _embedded(texts: Sequence[str], root: Path) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    return embed(list(texts), root)


if __name__ == "__main__":
    main()
