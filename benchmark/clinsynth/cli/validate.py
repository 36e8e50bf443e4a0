"""``clinsynth validate``."""

from __future__ import annotations

import argparse
import shlex
import sys
from collections.abc import Iterable
from pathlib import Path

from clinsynth.cli import names
from clinsynth.direct import is_direct
from clinsynth.submissions import Report, existing_card, validate

EXAMPLES = ("clinsynth validate submissions/demo", "clinsynth validate submissions/demo --json")


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument("submission", type=Path, metavar="DIR")
    parser.add_argument("--tasks", type=names, default=(), help="only these, with commas between")
    parser.add_argument("--json", action="store_true", help="the report as JSON")


def execute(arguments: argparse.Namespace) -> int:
    """0: nothing but warnings; 1: errors, or a card to fill in; 2: no submission at all."""
    if is_direct(arguments.submission):
        from clinsynth.direct import validate_direct

        report = validate_direct(arguments.submission)
        print(report.to_json() if arguments.json else report)
        return report.exit_code
    report = validate(arguments.submission, arguments.tasks or None)
    print(report.to_json() if arguments.json else report)
    if report.usable and not arguments.json:
        print(f"\nnext: clinsynth score {shlex.quote(str(arguments.submission))}")
    return report.exit_code


def say_notices(report: Report) -> None:
    """Tell on standard error what ``validate`` finds odd, for commands that go on all the same."""
    sys.stderr.writelines(f"clinsynth: {line}\n" for line in report.notices())


def say_unfilled(folders: Iterable[Path]) -> None:
    """Tell on standard error which cards are still to be filled in, for commands that do not need that."""
    for folder in folders:
        card = existing_card(folder.absolute())
        if card is not None and card.unfilled:
            fields = ", ".join(card.unfilled)
            sys.stderr.write(f"clinsynth: the card of {folder} is not filled in ({fields}): needed only to hand in\n")
