"""A snapshot: everything the leaderboard, the static site and the exports show, in one folder of tables."""

from clinsynth.snapshot.schema import Manifest, Snapshot, Tables
from clinsynth.snapshot.store import read_snapshot, write_snapshot

__all__ = ["Manifest", "Snapshot", "Tables", "read_snapshot", "write_snapshot"]
