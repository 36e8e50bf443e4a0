"""Examples as Arrow files, through Hugging Face ``datasets``, and the digest that says two copies are the same."""

from __future__ import annotations

import importlib
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, cast

from clinsynth.core import Example, Span, Split, UserError, sha256_lines, write_json

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


def fingerprint(examples: Sequence[Example]) -> str:
    """sha256 over the canonical JSON of every example in order: texts, labels, spans, unit."""
    return sha256_lines(_record(example) for example in examples)


def save(folder: Path, examples: Sequence[Example]) -> None:
    """Write examples under ``folder``.

    Built in memory, never with ``Dataset.from_generator``: that leaves a copy in the user's Hugging Face cache,
    which is no place for text under a data use agreement.
    """
    with _quiet_datasets() as datasets:
        text = datasets.Value("string")
        span = {"start": datasets.Value("int32"), "end": datasets.Value("int32"), "label": text}
        features = datasets.Features(
            {"texts": datasets.List(text), "labels": datasets.List(text), "spans": datasets.List(span), "unit": text}
        )
        datasets.Dataset.from_list([_record(example) for example in examples], features=features).save_to_disk(
            str(folder)
        )


def load(folder: Path) -> list[Example]:
    """The examples under ``folder``, in the order in which they were written."""
    with _quiet_datasets() as datasets:
        records = datasets.Dataset.load_from_disk(str(folder)).to_list()
    return [
        Example(
            tuple(record["texts"]),
            tuple(record["labels"]),
            tuple(Span(span["start"], span["end"], span["label"]) for span in record["spans"]),
            record["unit"],
        )
        for record in records
    ]


def _record(example: Example) -> dict[str, Any]:
    return {
        "texts": list(example.texts),
        "labels": list(example.labels),
        "spans": [span._asdict() for span in example.spans],
        "unit": example.unit,
    }


@contextmanager
def _quiet_datasets() -> Generator[Any]:
    # Imported here because it takes a second and most commands do not need it.
    datasets: Any = importlib.import_module("datasets")
    showed = datasets.is_progress_bar_enabled()
    datasets.disable_progress_bar()
    try:
        yield datasets
    finally:
        if showed:
            datasets.enable_progress_bar()
