"""The best constant answers of the open tasks, written where the standings look for them.

    python -m studies.floors [--data-dir DIR]

Reads the prepared test sets and writes benchmark/clinsynth/standings/constants.json: labels, counts and scores, no
text. To be run again whenever a task's test set or main metric changes; ``tests/test_floor.py`` says so.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from clinsynth.core import TASKS, NotPreparedError
from clinsynth.data import open_store
from clinsynth.standings.profiles import RECORDS, Constant, constant_of, record
from clinsynth.standings.runs import TestSet


def main() -> None:
    """Parse, compute and write."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("--data-dir", type=Path, default=None)
    store = open_store(parser.parse_args().data_dir, sample=False)
    found: list[Constant] = []
    for name, task in TASKS.items():
        if task.spec.access != "open":
            continue
        try:
            found.append(constant_of(TestSet(task, store)))
        except NotPreparedError as error:
            print(f"{name}: {str(error).splitlines()[0]}")  # noqa: T201 - a script
            continue
        print(f"{name}: {100 * found[-1].score:.1f} {found[-1].metric}, {found[-1].words}")  # noqa: T201
    record(found)
    print(f"{RECORDS}: {len(found)} tasks")  # noqa: T201


if __name__ == "__main__":
    main()
