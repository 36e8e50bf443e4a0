"""Examples as Arrow files, through Hugging Face ``datasets``, and the digest that says two copies are the same."""

from __future__ import annotations

import importlib
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from clinsynth.files import sha256_lines
from clinsynth.schema import Example, Span


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
