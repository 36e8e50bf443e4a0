"""Which folders are of the direct track: apart from their cards and records, so that asking loads neither."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

CARD_FILE = "direct.toml"


def is_direct(folder: Path) -> bool:
    """Whether a folder belongs to the direct track."""
    return (folder / CARD_FILE).is_file()


def direct_folders(places: Iterable[Path]) -> list[Path]:
    """Folders of the direct track among ``places``: each is one, or holds some, or none."""
    found: list[Path] = []
    for place in places:
        inside = sorted(path for path in place.glob("*") if is_direct(path)) if place.is_dir() else []
        found += [place] if is_direct(place) else inside
    return [folder.absolute() for folder in dict.fromkeys(found)]
