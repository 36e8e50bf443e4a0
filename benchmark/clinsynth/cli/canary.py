"""``clinsynth canary``."""

from __future__ import annotations

import argparse
from pathlib import Path

from clinsynth.audit import HASHES_FILE, SECRETS_FILE, look, plant, read_hashes
from clinsynth.cli import names
from clinsynth.submissions import read_submission

EXAMPLES = (
    "clinsynth canary plant build/canaries --count 5",
    "clinsynth canary look submissions/demo --hashes build/canaries/canary-hashes.json",
)


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    steps = parser.add_subparsers(dest="step", metavar="plant|look", required=True)
    planting = steps.add_parser("plant", help="make new canaries")
    planting.add_argument("folder", type=Path, metavar="DIR", help="where to write them")
    planting.add_argument("--count", type=int, default=10, help="default: %(default)s")
    looking = steps.add_parser("look", help="look for canaries in a submission: whole ones and parts")
    looking.add_argument("submission", type=Path, metavar="DIR")
    looking.add_argument("--hashes", type=Path, required=True, metavar="FILE", help=f"{HASHES_FILE} of the planting")
    looking.add_argument("--tasks", type=names, default=(), help="all there is data for (default), or names")


def execute(arguments: argparse.Namespace) -> int:
    """0: planted, or none found; 1: some came out again."""
    if arguments.step == "plant":
        hashes = plant(arguments.folder, arguments.count)
        print(
            f"{arguments.folder / SECRETS_FILE}: {len(hashes.canaries)} lines to put among the real text, kept secret"
        )
        print(f"{arguments.folder / HASHES_FILE}: to keep; finds them later and does not give them away")
        return 0
    hashes = read_hashes(arguments.hashes)
    submission = read_submission(arguments.submission)
    found: set[int] = set()
    for task in arguments.tasks or submission.tasks:
        for row, example in enumerate(submission.rows(task), 1):
            for sighting in look(example.texts, hashes):
                found.add(sighting.canary)
                how = "whole" if sighting.exact else f"{sighting.pairs} word pairs of it"
                print(f"{task}, row {row}: canary {sighting.canary}, {how}")
    print(f"{len(found)} of {len(hashes.canaries)} canaries found")
    return int(bool(found))
