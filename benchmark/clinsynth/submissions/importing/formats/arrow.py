"""Hugging Face datasets: a folder of ``save_to_disk``, or Parquet and Arrow files."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, cast

from clinsynth.core import Row, UserError, read_regular
from clinsynth.submissions.importing.decoding import decoded
from clinsynth.submissions.importing.session import Format, Session
from clinsynth.submissions.importing.tables import find_layout, rows_of
from clinsynth.submissions.rows import parse_json

_SUFFIXES = (".parquet", ".arrow")
_STATE, _SPLITS = "state.json", "dataset_dict.json"
_NAME = re.compile(r"[A-Za-z0-9_][\w.-]{0,200}")
"""What a file or a split may be called: nothing that leads out of its folder."""
_MAX_STATE = 2**20
_MAX_FILES = 10_000


def _read(path: Path, session: Session) -> Iterator[tuple[int, Row]]:
    files = _files(path, session)
    with decoded("arrow", files, path, session) as table:
        layout = find_layout(table.columns, session)
        features: Any = table.told.get("features")
        records = table.records(layout.used)
        yield from rows_of(_named_records(records, features, session), layout, session)


def _named_records(
    records: Iterator[tuple[int, dict[str, Any]]], features: object, session: Session
) -> Iterator[tuple[int, dict[str, Any]]]:
    known = cast("Mapping[str, Any]", features) if isinstance(features, dict) else dict[str, Any]()
    for place, record in records:
        try:
            named = {name: _named(value, known.get(name)) for name, value in record.items()}
        except RecursionError:
            session.drop(place, "too-deep")
        else:
            yield place, named


def _named(value: Any, feature: Any) -> Any:
    """A value with the names of its class labels in place of their numbers.

    ``feature`` is what datasets wrote beside the column: an object with its ``_type``, or, for a structure, an object
    or list of the features of its parts.
    """
    if isinstance(feature, list) and len(parts := cast("list[Any]", feature)) == 1:
        feature = {"_type": "List", "feature": parts[0]}
    if not isinstance(feature, dict):
        return value
    told = cast("dict[str, Any]", feature)
    names, inner = told.get("names"), told.get("feature")
    if told.get("_type") == "ClassLabel" and isinstance(names, list) and type(value) is int:
        # -1 is how datasets says that a label is withheld.
        return str(cast("list[Any]", names)[value]) if 0 <= value < len(cast("list[Any]", names)) else None
    if inner is not None and isinstance(value, list):
        return [_named(item, inner) for item in cast("list[Any]", value)]
    if isinstance(value, dict):
        # A sequence of structures is stored as one structure of lists.
        each = cast("dict[str, Any]", inner) if isinstance(inner, dict) else told
        fields = {key: {"_type": "List", "feature": part} for key, part in each.items()} if inner is not None else each
        return {key: _named(item, fields.get(key)) for key, item in cast("dict[str, Any]", value).items()}
    return value


def _files(path: Path, session: Session) -> list[Path]:
    if path.is_file():
        files = [path]
    elif (path / _SPLITS).is_file():
        names = _names(_object(path / _SPLITS).get("splits"), path / _SPLITS)
        return _saved(path / _split(names, path, session))
    elif (path / _STATE).is_file():
        return _saved(path)
    else:
        files = _found(path)
    if not files or files[0].suffix not in _SUFFIXES:
        expected = "a folder of save_to_disk, or .parquet or .arrow files"
        raise UserError(f"{path} is no dataset", expected=expected)
    names = {file: (re.match(r"train|validation|valid|dev|test", file.name) or [""])[0] for file in files}
    if len(set(names.values())) > 1:
        wanted = _split(sorted(set(names.values())), path, session)
        files = [file for file in files if names[file] == wanted]
    return files


def _found(path: Path) -> list[Path]:
    """The table files under a folder. Links are not followed: one may lead anywhere."""
    files: list[Path] = []
    for folder, _, names in os.walk(path):
        files += (Path(folder, name) for name in names if Path(name).suffix in _SUFFIXES)
        if len(files) > _MAX_FILES:
            raise UserError(f"{path} has too many files", expected=f"at most {_MAX_FILES:,}")
    return sorted(file for file in files if file.is_file() and not file.is_symlink())


def _saved(folder: Path) -> list[Path]:
    """The files of a folder of ``save_to_disk``, in order."""
    if folder.is_symlink():
        raise UserError(f"{folder} is a link", remedy="put the folder itself there")
    state = _object(folder / _STATE)
    listed: Any = state.get("_data_files")
    items = cast("list[Any]", listed) if isinstance(listed, list) else []
    names = [cast("dict[str, Any]", item).get("filename") for item in items if isinstance(item, dict)]
    files = [folder / name for name in _names(names, folder / _STATE)]
    for file in files:
        if file.is_symlink() or not file.is_file():
            raise UserError(f"{file} is no file", remedy=f"write the dataset again: {_STATE} names it")
    return files


def _object(file: Path) -> dict[str, Any]:
    try:
        value: Any = parse_json(read_regular(file, _MAX_STATE).decode())
    except (OSError, ValueError):
        value = None
    if not isinstance(value, dict):
        raise UserError(f"{file} cannot be read", expected="a small JSON object, as save_to_disk writes it")
    return cast("dict[str, Any]", value)


def _names(value: object, file: Path) -> list[str]:
    names = cast("list[object]", value) if isinstance(value, list) else []
    good = [name for name in names if isinstance(name, str) and _NAME.fullmatch(name)]
    if not good or len(good) != len(names):
        raise UserError(f"{file} names what is not in its folder", expected="plain names", remedy="do not trust it")
    return good


def _split(names: list[str], path: Path, session: Session) -> str:
    """The training split: rows of the others were not made to train on."""
    if len(names) > 1 and "train" not in names:
        raise UserError(f"{path} has several splits and none is named train", found=", ".join(names))
    chosen = names[0] if len(names) == 1 else "train"
    session.note(f"the split {chosen!r} of {', '.join(names)} was read")
    return chosen


FORMAT = Format("datasets", "a Hugging Face dataset: a folder of save_to_disk, Parquet or Arrow files", _read)
