"""``clinsynth site``."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from clinsynth.cli import Command, add_home

EXAMPLES = ("clinsynth site --snapshot snapshot --out site",)


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument("--snapshot", type=Path, default=Path("snapshot"), metavar="DIR",
                        help="what clinsynth snapshot wrote (default: snapshot)")  # fmt: skip
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="where to write the pages")
    add_home(parser)


def execute(arguments: argparse.Namespace) -> int:
    """Always 0."""
    from clinsynth.core import clean
    from clinsynth.site import build_site, home_of
    from clinsynth.snapshot import read_snapshot

    snapshot = read_snapshot(arguments.snapshot)
    home = home_of(arguments.url, arguments.repository, arguments.docs, arguments.contact)
    pages = build_site(snapshot, arguments.out, lambda line: print(clean(line), file=sys.stderr), home)
    print(f"{arguments.out}/index.html: {pages} pages of snapshot {snapshot.manifest.short}")
    return 0


COMMANDS = {"site": Command(EXAMPLES, configure, execute)}
