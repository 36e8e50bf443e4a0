"""``clinsynth leaderboard``."""

from __future__ import annotations

import argparse
from pathlib import Path

from clinsynth.cli import Command, add_home

EXAMPLES = ("clinsynth leaderboard --snapshot snapshot", "clinsynth leaderboard --snapshot snapshot --port 8000")


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument("--snapshot", type=Path, default=Path("snapshot"), metavar="DIR",
                        help="what clinsynth snapshot wrote (default: snapshot)")  # fmt: skip
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default: this machine alone)")
    parser.add_argument("--port", type=int, default=7860)
    add_home(parser)


def execute(arguments: argparse.Namespace) -> int:
    """0 when it is stopped."""
    from clinsynth.leaderboard import serve
    from clinsynth.site import home_of
    from clinsynth.snapshot import read_snapshot

    snapshot = read_snapshot(arguments.snapshot)
    print(f"snapshot {snapshot.manifest.short}: http://{arguments.host}:{arguments.port}", flush=True)
    home = home_of(arguments.url, arguments.repository, arguments.docs, arguments.contact)
    serve(snapshot, arguments.host, arguments.port, home)
    return 0


COMMANDS = {"leaderboard": Command(EXAMPLES, configure, execute)}
