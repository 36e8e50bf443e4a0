"""Submissions that rows can be compared with: those of a checkout, else those that were installed."""

from __future__ import annotations

from pathlib import Path

import clinsynth

INSTALLED = "known"
"""The folder of the package that a wheel puts the benchmark's own records into: no rows, no text."""


def known_places() -> tuple[Path, ...]:
    """Where submissions lie: ``submissions/`` in the working folder, of the checkout, or in the installed package."""
    package = Path(clinsynth.__file__).parent
    places = (Path.cwd() / "submissions", package.parents[1] / "submissions", package / INSTALLED)
    return next(((place,) for place in places if any(place.glob("*/submission.toml"))), ())
