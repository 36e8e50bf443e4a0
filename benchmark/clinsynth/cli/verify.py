"""``clinsynth verify``."""

from __future__ import annotations

import argparse
from pathlib import Path

from clinsynth.cli import add_data_dir, add_sample
from clinsynth.data import open_store
from clinsynth.direct import is_direct
from clinsynth.results import verify

EXAMPLES = ("clinsynth verify submissions/demo --sample",)


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument("submission", type=Path, metavar="DIR")
    add_sample(parser)
    add_data_dir(parser)


def execute(arguments: argparse.Namespace) -> int:
    """1 if anything is not as recorded."""
    store = open_store(arguments.data_dir, arguments.sample)
    if is_direct(arguments.submission):
        from clinsynth.direct import verify_direct

        verified = verify_direct(arguments.submission, store)
    else:
        verified = verify(arguments.submission, store)
    for finding in dict.fromkeys(map(str, verified.findings)):
        print(finding)
    failed = sum(finding.severity == "failed" for finding in verified.findings)
    unchecked = len(verified.findings) - failed
    print(
        f"{verified.runs} runs: {'as recorded' if verified.ok else f'{failed} failed checks'}; {unchecked} not checked"
    )
    return 0 if verified.ok else 1
