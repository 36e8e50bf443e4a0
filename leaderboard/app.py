"""The leaderboard as a Hugging Face Space: serves the snapshot that lies beside this file, on the Space's port."""

from __future__ import annotations

import os
from pathlib import Path

from clinsynth.leaderboard import serve
from clinsynth.site import home_of
from clinsynth.snapshot import read_snapshot

if __name__ == "__main__":
    space = os.environ.get("SPACE_HOST", "")
    snapshot = read_snapshot(Path(__file__).parent / "snapshot")
    port = int(os.environ.get("PORT", "7860"))
    serve(snapshot, "0.0.0.0", port, home_of(f"https://{space}" if space else ""))  # noqa: S104 - a Space is reached from outside
