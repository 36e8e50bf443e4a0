"""Data sets of the Hugging Face Hub, by name: fetched through ``datasets`` and written for the importer to read."""

from __future__ import annotations

import importlib
import re
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from clinsynth.core import UserError

FILES = frozenset(
    {
        ".csv",
        ".tsv",
        ".tab",
        ".jsonl",
        ".ndjson",
        ".json",
        ".gz",
        ".parquet",
        ".arrow",
        ".xlsx",
        ".conll",
        ".iob",
        ".bio",
    }
)
"""Endings of what is a file, if it is anything."""
_NAME = re.compile(r"[A-Za-z0-9][\w.-]{0,95}/[A-Za-z0-9][\w.-]{0,95}")


def is_hub_name(path: Path) -> bool:
    """Whether this is no file or folder here, but has the form ``org/name``, without the ending of a file."""
    return bool(_NAME.fullmatch(str(path))) and path.suffix not in FILES and not path.exists()


def load(name: str) -> Any:
    """The data set of that name, or in that folder: every split."""
    datasets: Any = importlib.import_module("datasets")
    return datasets.load_dataset(name)


@contextmanager
def fetched(name: str) -> Generator[Path]:
    """A folder of ``save_to_disk`` with the data set, as long as the block lasts.

    Raises:
        UserError: there is none of that name, it cannot be had, or it has several configurations.
    """
    with TemporaryDirectory(prefix="clinsynth-") as temporary:
        try:
            load(name).save_to_disk(temporary)
        except (
            OSError,
            ValueError,
            RuntimeError,
        ) as error:  # absent, forbidden, no network, several forms
            raise UserError(
                f"{name} cannot be loaded from the Hugging Face Hub",
                found=(str(error).strip() or type(error).__name__).splitlines()[0],
                remedy="check the name and the network; one of several configurations: load it with "
                "datasets.load_dataset and hand the data set to clinsynth.evaluate",
            ) from error
        yield Path(temporary)
