"""The leaderboard as a Hugging Face Space: serves the snapshot that lies beside this file, on the Space's port."""

from __future__ import annotations

import os
from pathlib import Path

from clinsynth.leaderboard import serve
from clinsynth.snapshot import read_snapshot

if __name__ == "__main__":
    serve(read_snapshot(Path(__file__).parent / "snapshot"), "0.0.0.0", int(os.environ.get("PORT", "7860")))  # noqa: S104 - a Space is reached from outside
