"""``clinsynth validate``."""

from __future__ import annotations

import argparse
from pathlib import Path

from clinsynth.cli import names
from clinsynth.direct import is_direct
from clinsynth.submissions import validate

EXAMPLES = ("clinsynth validate submissions/demo", "clinsynth validate submissions/demo --json")


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument("submission", type=Path, metavar="DIR")
    parser.add_argument("--tasks", type=names, default=(), help="only these, with commas between")
    parser.add_argument("--json", action="store_true", help="the report as JSON")


def execute(arguments: argparse.Namespace) -> int:
    """0: nothing but warnings; 1: errors; 2: no submission at all."""
    if is_direct(arguments.submission):
        from clinsynth.direct import validate_direct

        report = validate_direct(arguments.submission)
    else:
        report = validate(arguments.submission, arguments.tasks or None)
    print(report.to_json() if arguments.json else report)
    return report.exit_code
