"""``clinsynth new``."""

from __future__ import annotations

import argparse
from pathlib import Path

from clinsynth.submissions import new_submission

EXAMPLES = ("clinsynth new my-method --in submissions",)


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument("name", metavar="NAME")
    parser.add_argument("--in", dest="parent", type=Path, default=Path("submissions"), metavar="DIR",
                        help="where submissions lie (default: submissions)")  # fmt: skip


def execute(arguments: argparse.Namespace) -> int:
    """Always 0; an existing folder is an error."""
    path = new_submission(arguments.name, arguments.parent)
    print(f"wrote {path}\nFill in submission.toml, put rows into data/<task>.jsonl.gz (or use clinsynth import), then:")
    print(f"  clinsynth validate {path}\n  clinsynth score {path}")
    return 0
