"""What a prepared task says of itself: ``manifest.json`` beside its splits."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, cast

from clinsynth.errors import UserError
from clinsynth.files import write_json
from clinsynth.schema import Split

FILE = "manifest.json"


@dataclass(frozen=True, slots=True)
class SplitFacts:
    """One prepared split."""

    rows: int
    fingerprint: str
    """sha256 over the canonical JSON of every example, in order."""
    counted: Mapping[str, int]
    """Rows that the reader left out or mended, by reason."""


@dataclass(frozen=True, slots=True)
class Manifest:
    """A prepared task."""

    task: str
    version: int
    """Of the task."""
    clinsynth: str
    """Version of the harness that wrote it."""
    splits: Mapping[Split, SplitFacts]
    missing: Mapping[Split, str]
    """Splits that exist but could not be prepared, with the reason."""
    sources: Mapping[str, str]
    """sha256 of the unpacked content of every source file that was read."""
    pins: Mapping[str, str]
    """Digest that the task demanded of every source; if the task changes one, the store is out of date."""

    @property
    def rows(self) -> dict[Split, int]:
        """Rows of every prepared split."""
        return {split: facts.rows for split, facts in self.splits.items()}


def write(folder: Path, manifest: Manifest) -> None:
    """Write ``manifest.json`` into a folder."""
    write_json(folder / FILE, asdict(manifest))


def read(folder: Path) -> Manifest | None:
    """The manifest in a folder; ``None`` where there is none. Raises ``UserError`` on a damaged one."""
    # Imported here: slow, and only needed where there is a store.
    pydantic: Any = importlib.import_module("pydantic")
    try:
        text = (folder / FILE).read_text(encoding="utf-8")
    except FileNotFoundError:
        return None
    try:
        return cast("Manifest", pydantic.TypeAdapter(Manifest).validate_json(text))
    except pydantic.ValidationError as error:
        raise UserError(
            f"{folder / FILE} is damaged",
            found=f"{error.error_count()} faults, the first at {'.'.join(map(str, error.errors()[0]['loc']))}",
            remedy=f"delete the folder {folder} and prepare the task again",
        ) from None
