"""``clinsynth plan``."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from clinsynth.cli import Command, score
from clinsynth.cli.submissions import say_notices
from clinsynth.core import clean
from clinsynth.data import open_store
from clinsynth.submissions import CARD_FILE, validate
from clinsynth.training import describe, forecast, plan

EXAMPLES = (
    "clinsynth plan submissions/demo --sample --tasks gad",
    "clinsynth plan submissions/demo --sample --tasks gad --seeds 0-4 --rows 100,300,1000 --executor local",
)


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments: those of ``score``."""
    score.configure(parser)
    parser.add_argument(
        "--known", type=Path, action="append", default=[], metavar="DIR",
        help="a folder of submissions whose stored runs say how long one takes (default: that of the submission)",
    )  # fmt: skip


def execute(arguments: argparse.Namespace) -> int:
    """0: it can be done; 1: the submission is refused; 2: the executor refuses."""
    report = validate(arguments.submission, arguments.tasks or None)
    if not report.usable:
        sys.stderr.write(clean(f"{report}\n"))
        return report.exit_code
    say_notices(report)
    request = score.request_of(arguments)
    planned = plan(request)
    for line in describe(planned, open_store(arguments.data_dir, arguments.sample)):
        print(line)
    places = arguments.known or [arguments.submission.absolute().parent]
    known = sorted(card.parent for place in places for card in place.glob(f"*/{CARD_FILE}"))
    for line in forecast(request, planned, known):
        print(line)
    return 0


COMMANDS = {"plan": Command(EXAMPLES, configure, execute)}
