"""``clinsynth new-task``."""

from __future__ import annotations

import argparse
import shlex
from pathlib import Path

from clinsynth.cli import names
from clinsynth.data import new_task
from clinsynth.task_types import TASK_TYPES

EXAMPLES = ("clinsynth new-task ward-notes --type text_classification --labels urgent,routine --out my-tasks",)


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument("name", metavar="NAME")
    parser.add_argument("--type", required=True, choices=tuple(TASK_TYPES))
    parser.add_argument("--labels", type=names, default=(), metavar="A,B", help="labels, or types of entity")
    parser.add_argument("--out", type=Path, required=True, metavar="FOLDER",
                        help="a folder of tasks: what --tasks-dir names")  # fmt: skip


def execute(arguments: argparse.Namespace) -> int:
    """Always 0; a name that is taken is an error."""
    written = new_task(arguments.name, arguments.type, arguments.out, arguments.labels)
    folder = shlex.quote(str(arguments.out))
    print(*(f"wrote {path}" for path in written), sep="\n")
    own = f"{arguments.name} --tasks-dir {folder}"
    print(
        f"\nIt works as it stands, on made-up rows:\n"
        f"  clinsynth generate gold-n --tasks {own} --rows 24 --sample --out build/gold-n\n"
        f"Then fill in {written[0].name}, bring your files, and:\n"
        f"  clinsynth prepare {own} --from <folder of your files>"
    )
    return 0
