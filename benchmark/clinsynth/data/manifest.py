"""Examples as Arrow files, through Hugging Face ``datasets``, and the digest that says two copies are the same."""

from __future__ import annotations

import importlib
import json
import stat
import time
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, cast

from clinsynth.core import Example, Span, Split, UserError, sha256_file, sha256_lines, write_json

FILE = "manifest.json"
_checked: dict[Path, tuple[int, int, str]] = {}
"""Size, time of change and digest of files that were read through in this process: nothing is digested twice."""
_SETTLED = 2 * 10**9
"""Nanoseconds after which another change must show in a file's time: clocks of file systems are coarse."""


@dataclass(frozen=True, slots=True)
class SplitFacts:
    """One prepared split."""

    rows: int
    fingerprint: str
    """sha256 over the canonical JSON of every example, in order."""
    counted: Mapping[str, int]
    """Rows that the reader left out or mended, by reason."""
    files: Mapping[str, str] = field(default_factory=dict[str, str])
    """sha256 of every file of the split, by name; empty in a store that an earlier version wrote."""
    unused: tuple[str, ...] = ()
    """Labels of the task that no example of the split has."""


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


def digests(folder: Path) -> dict[str, str]:
    """sha256 of every file in the folder of a split, by name. Raises ``OSError``."""
    by_path: dict[str, str] = {}
    for path in sorted(folder.iterdir()):
        told = path.lstat()
        if not stat.S_ISREG(told.st_mode):
            raise OSError(f"{path.name} is no file")
        known = _checked.get(path)
        if known is None or known[:2] != (told.st_size, told.st_mtime_ns):
            known = (told.st_size, told.st_mtime_ns, sha256_file(path))
            if time.time_ns() - told.st_mtime_ns > _SETTLED:
                _checked[path] = known
        by_path[path.name] = known[2]
    return by_path


def fault_of(folder: Path, facts: SplitFacts) -> str:
    """Fault of a split's files by their digests; empty for none, or if no digests are known."""
    if not facts.files:
        return ""
    try:
        found = digests(folder)
    except OSError as error:
        return error.strerror or str(error)
    names = sorted(facts.files.keys() ^ found.keys()) or [n for n, digest in found.items() if facts.files[n] != digest]
    return f"{', '.join(names[:5])} changed since it was prepared" if names else ""


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
    # What datasets writes is Arrow: loading datasets takes a second, and every command reads examples.
    arrow: Any = importlib.import_module("pyarrow")
    records: list[dict[str, Any]] = []
    for part in json.loads((folder / "state.json").read_text("utf-8"))["_data_files"]:
        with arrow.memory_map(str(folder / part["filename"])) as source:
            records += arrow.ipc.open_stream(source).read_all().to_pylist()
    return [
        Example(
            tuple(record["texts"]),
            labels=tuple(record["labels"]),
            spans=tuple(Span(span["start"], span["end"], span["label"]) for span in record["spans"]),
            unit=record["unit"],
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
