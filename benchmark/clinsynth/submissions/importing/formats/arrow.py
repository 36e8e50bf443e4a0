"""Hugging Face datasets: a folder of ``save_to_disk``, or Parquet and Arrow files."""

from __future__ import annotations

import importlib
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

from clinsynth.core import Row, UserError
from clinsynth.submissions.importing.session import Format, Session
from clinsynth.submissions.importing.tables import find_layout, rows_of
from clinsynth.submissions.rows import MAX_ROWS

_SUFFIXES = (".parquet", ".arrow")


def _read(path: Path, session: Session) -> Iterator[tuple[int, Row]]:
    dataset = _load(path, session)
    if len(dataset) > MAX_ROWS:
        raise UserError(f"{path} is too large", found=f"{len(dataset):,} rows", expected=f"at most {MAX_ROWS:,}")
    layout = find_layout(list(dataset.column_names), session)
    features = dict(dataset.features)
    # Only what is needed: other columns may hold images, or what this machine cannot decode.
    records = enumerate(dataset.select_columns(layout.used), 1)
    decoded = ((n, {name: _named(value, features[name]) for name, value in row.items()}) for n, row in records)
    yield from rows_of(decoded, layout, session)


def _load(path: Path, session: Session) -> Any:
    # Untyped on purpose: the stubs of datasets and pyarrow are too loose for strict checking.
    datasets: Any = importlib.import_module("datasets")
    pyarrow: Any = importlib.import_module("pyarrow")
    try:
        if (path / "dataset_dict.json").is_file():
            splits = cast("dict[str, Any]", datasets.load_from_disk(str(path)))
            return splits[_split(list(splits), path, session)]
        if (path / "state.json").is_file():
            return datasets.load_from_disk(str(path))
        table = pyarrow.concat_tables([_table(file) for file in _files(path, session)])
        return datasets.Dataset(datasets.table.InMemoryTable(table))
    except (OSError, ValueError, KeyError) as error:
        raise UserError(f"{path} cannot be read as a dataset", found=f"{type(error).__name__}: {error}") from None


def _files(path: Path, session: Session) -> list[Path]:
    if path.is_file():
        files = [path]
    else:
        files = sorted(file for file in path.rglob("*") if file.suffix in _SUFFIXES and file.is_file())
    if not files or files[0].suffix not in _SUFFIXES:
        expected = "a folder of save_to_disk, or .parquet or .arrow files"
        raise UserError(f"{path} is no dataset", expected=expected)
    names = {file: (re.match(r"train|validation|valid|dev|test", file.name) or [""])[0] for file in files}
    if len(set(names.values())) > 1:
        wanted = _split(sorted(set(names.values())), path, session)
        files = [file for file in files if names[file] == wanted]
    return files


def _split(names: list[str], path: Path, session: Session) -> str:
    """The training split: rows of the others were not made to train on."""
    if len(names) > 1 and "train" not in names:
        raise UserError(f"{path} has several splits and none is named train", found=", ".join(names))
    chosen = names[0] if len(names) == 1 else "train"
    session.note(f"the split {chosen!r} of {', '.join(names)} was read")
    return chosen


def _table(file: Path) -> Any:
    if file.suffix == ".parquet":
        return importlib.import_module("pyarrow.parquet").read_table(str(file))
    ipc: Any = importlib.import_module("pyarrow.ipc")
    with file.open("rb") as stream:
        magic = stream.read(6)
        stream.seek(0)
        return (ipc.open_file if magic == b"ARROW1" else ipc.open_stream)(stream).read_all()


def _named(value: Any, feature: Any) -> Any:
    """A value with the names of its class labels in place of their numbers."""
    if hasattr(feature, "int2str"):
        # -1 is how datasets says that a label is withheld.
        return None if value is None or value < 0 else feature.int2str(value)
    if isinstance(feature, dict) and isinstance(value, dict):
        fields = cast("dict[str, Any]", feature)
        return {key: _named(item, fields.get(key)) for key, item in cast("dict[str, Any]", value).items()}
    inner: Any = getattr(cast("Any", feature), "feature", None)
    if inner is not None and isinstance(value, list):
        return [_named(item, inner) for item in cast("list[Any]", value)]
    return value


FORMAT = Format("datasets", "a Hugging Face dataset: a folder of save_to_disk, Parquet or Arrow files", _read)
