"""A snapshot's files: ``snapshot.json``, ``schema.json``, and each table as Parquet and as JSON.

The two forms of a table hold the same. Parquet is what the app reads; JSON is for readers without Parquet.
"""

from __future__ import annotations

import hashlib
import types
from collections.abc import Iterable, Mapping
from dataclasses import fields
from importlib import import_module
from pathlib import Path
from types import GenericAlias
from typing import Any, Literal, Union, cast, get_args, get_origin, get_type_hints

from pydantic import TypeAdapter, ValidationError

from clinsynth import __version__
from clinsynth.core import (
    UserError,
    atomic_path,
    canonical_json,
    environment,
    now,
    read_regular,
    replaced_folder,
    sha256_file,
    write_json,
    write_text,
)
from clinsynth.snapshot.schema import FORMAT, MODELS, Manifest, Row, Snapshot, TableFile, Tables

MANIFEST, SCHEMA, FOLDER = "snapshot.json", "schema.json", "tables"
REMEDY = "make it anew with clinsynth snapshot"


def content_id(tables: Tables) -> str:
    """sha256 over every row of every table, and the format."""
    digest = hashlib.sha256(f"clinsynth snapshot {FORMAT}\n".encode())
    for name, rows in _each(tables):
        digest.update(f"{name} {len(rows)}\n".encode())
        for row in rows:
            digest.update(canonical_json(row.model_dump(mode="json")).encode() + b"\n")
    return digest.hexdigest()


def _each(tables: Tables) -> Iterable[tuple[str, tuple[Row, ...]]]:
    return ((each.name, cast("tuple[Row, ...]", getattr(tables, each.name))) for each in fields(tables))


def json_schema() -> dict[str, Any]:
    """The JSON Schema of the manifest and of each table's JSON file, by name."""
    tables = {name: _rows_of(model).json_schema() for name, model in MODELS.items()}
    return {"snapshot": Manifest.model_json_schema(), "tables": tables}


def _rows_of(model: type[Row]) -> TypeAdapter[tuple[Row, ...]]:
    return TypeAdapter(cast("Any", GenericAlias(tuple, (model, ...))))


def write_snapshot(folder: Path, tables: Tables) -> Snapshot:
    """Write a snapshot; an older one in its place stays whole and readable until the new one is, and is then replaced.

    Raises:
        UserError: the folder holds something that is no snapshot.
    """
    if folder.exists() and not _is_snapshot(folder):
        raise UserError(f"{folder} is not empty and no snapshot", remedy="choose another folder for --out")
    with replaced_folder(folder) as fresh:
        manifest = _fill(fresh, tables)
    return Snapshot(manifest, tables)


def _is_snapshot(folder: Path) -> bool:
    """Whether nothing but a snapshot is there: a whole one, nothing, or what an interrupted writer left of one."""
    return folder.is_dir() and (
        (folder / MANIFEST).is_file() or {each.name for each in folder.iterdir()} <= {SCHEMA, FOLDER}
    )


def _fill(folder: Path, tables: Tables) -> Manifest:
    files: dict[str, TableFile] = {}
    for name, rows in _each(tables):
        values = [row.model_dump(mode="json") for row in rows]
        parquet, plain = folder / FOLDER / f"{name}.parquet", folder / FOLDER / f"{name}.json"
        _write_parquet(parquet, MODELS[name], values)
        lines = ",\n".join(canonical_json(value) for value in values)
        write_text(plain, f"[\n{lines}\n]\n" if values else "[]\n")
        files[name] = TableFile(
            rows=len(rows), parquet_sha256=sha256_file(parquet), json_sha256=sha256_file(plain)
        )  # fmt: skip
    write_json(folder / SCHEMA, json_schema())
    manifest = _manifest(tables, files)
    write_json(folder / MANIFEST, manifest.model_dump(mode="json"))
    return manifest


def _manifest(tables: Tables, files: Mapping[str, TableFile]) -> Manifest:
    return Manifest(
        id=content_id(tables), created=now(), clinsynth=__version__,
        commit=environment("", "", 0).commit, tables=dict(files),
    )  # fmt: skip


def snapshot_of(tables: Tables) -> Snapshot:
    """A snapshot that is shown at once and never written."""
    return Snapshot(_manifest(tables, {}), tables)


def values_of(snapshot: Snapshot) -> dict[str, Any]:
    """Every table that has rows, by name, as its JSON file holds it."""
    return {name: [row.model_dump(mode="json") for row in rows] for name, rows in _each(snapshot.tables) if rows}


def read_snapshot(folder: Path) -> Snapshot:
    """Read a snapshot and check every table against its digest.

    Raises:
        UserError: there is none, it is of another format, or a file was changed.
    """
    for _ in range(_TRIES):
        first = _manifest_bytes(folder)
        try:
            return _read(folder, first)
        except UserError:
            # A newer snapshot can have taken its place while this one was read.
            if _manifest_bytes(folder) == first:
                raise
    raise UserError(f"{folder} is replaced again and again while it is read", remedy="call again when that is over")


_TRIES = 5
_MOST_MANIFEST = 1 << 20
_MOST_TABLE = 1 << 29
"""Bytes of a table's file."""


def _manifest_bytes(folder: Path) -> bytes:
    path = folder / MANIFEST
    try:
        return read_regular(path, _MOST_MANIFEST)
    except OSError as error:
        raise UserError(f"no snapshot in {folder}", expected=MANIFEST, remedy="clinsynth snapshot --out DIR") from error


def _read(folder: Path, stored: bytes) -> Snapshot:
    path = folder / MANIFEST
    try:
        manifest = Manifest.model_validate_json(stored)
    except ValidationError as error:
        first = error.errors()[0]
        fault = f"{'.'.join(map(str, first['loc']))}: {first['msg']}"
        raise UserError(f"{path} is no manifest of format {FORMAT}", found=fault, remedy=REMEDY) from error
    if manifest.tables.keys() != MODELS.keys():
        raise UserError(f"{path} names other tables", found=", ".join(manifest.tables), remedy=REMEDY)
    tables = {name: _read_table(folder, name, entry) for name, entry in manifest.tables.items()}
    return Snapshot(manifest, Tables(**cast("Mapping[str, Any]", tables)))


def _read_table(folder: Path, name: str, entry: TableFile) -> tuple[Row, ...]:
    path = folder / FOLDER / f"{name}.parquet"
    try:
        stored = read_regular(path, _MOST_TABLE)
    except OSError:
        stored = b""
    if hashlib.sha256(stored).hexdigest() != entry.parquet_sha256:
        raise UserError(f"{path} is not the file of this snapshot", remedy=REMEDY)
    pa: Any = import_module("pyarrow")
    try:
        # What was hashed is what is read, whatever becomes of the file meanwhile.
        file: Any = import_module("pyarrow.parquet").ParquetFile(pa.BufferReader(stored))
        if file.metadata.num_rows != entry.rows:
            raise UserError(f"{path} has other rows than its manifest says", remedy=REMEDY)
        return _rows_of(MODELS[name]).validate_python(file.read().to_pylist())
    except (ValidationError, pa.ArrowException, OSError) as error:
        # A manifest that somebody made fits a file that is no table of a snapshot.
        raise UserError(f"{path} is no table of a snapshot", found=type(error).__name__, remedy=REMEDY) from error


def _write_parquet(path: Path, model: type[Row], values: list[dict[str, Any]]) -> None:
    pa: Any = import_module("pyarrow")
    hints = get_type_hints(model)
    columns: list[Any] = [
        pa.field(name, _arrow(hints[name]), metadata={"description": field.description or name})
        for name, field in model.model_fields.items()
    ]
    table: Any = pa.Table.from_pylist(values, schema=pa.schema(columns))
    with atomic_path(path) as temporary:
        import_module("pyarrow.parquet").write_table(table, temporary, compression="zstd")


def _arrow(hint: Any) -> Any:
    """The Arrow type of a column's annotation."""
    pa: Any = import_module("pyarrow")
    origin, arguments = get_origin(hint), get_args(hint)
    if origin in (Union, types.UnionType):
        (hint,) = (each for each in arguments if each is not type(None))
        return _arrow(hint)
    if origin is tuple:
        return pa.list_(_arrow(arguments[0]))
    if origin is Literal:
        return pa.string()
    plain: dict[Any, Any] = {str: pa.string(), int: pa.int64(), float: pa.float64(), bool: pa.bool_()}
    return plain[hint]
