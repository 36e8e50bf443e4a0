"""Sources of names to write about, behind one interface: diseases, chemicals, genes, symptoms, and their relations."""

from __future__ import annotations

import gzip
import json
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from clinsynth.core import EntityKind, NotPreparedError, UnknownNameError, UserError, write_jsonl_gz
from clinsynth.data import default_data_dir
from clinsynth.generation.knowledge import sources
from clinsynth.generation.knowledge.names import NameTable, Pair


@dataclass(frozen=True, slots=True)
class _Installed:
    """A source that comes with the installation."""

    read: Callable[[], NameTable]
    about: str


@dataclass(frozen=True, slots=True)
class _Prepared:
    """A source that is read once from files and kept in the data folder."""

    read: Callable[[Path | None, Path], NameTable]
    about: str


SOURCES: Mapping[str, _Installed | _Prepared] = {
    "builtin": _Installed(sources.builtin, "common names, written for this project; always there"),
    "icd10cm": _Installed(sources.icd10cm, "diseases and symptoms of ICD-10-CM, from simple-icd-10-cm"),
    "hetionet": _Prepared(sources.hetionet, "Hetionet v1.0, downloaded at a pinned commit or taken from a folder"),
    "ibkh": _Prepared(sources.ibkh, "iBKH's tables, which you download yourself"),
}
"""Every source by name. ``auto`` is hetionet where it is prepared, else builtin."""


def prepared_path(name: str, data_dir: Path | None = None) -> Path:
    """Where a prepared source is kept."""
    return (data_dir or default_data_dir()) / "knowledge" / f"{name}.jsonl.gz"


def open_knowledge(name: str = "auto", data_dir: Path | None = None) -> NameTable:
    """The names of a source.

    Raises:
        UnknownNameError: no such source.
        NotPreparedError: its files are not here yet.
        UserError: what it needs is not installed, or the prepared file is faulty.
    """
    if name == "auto":
        name = "hetionet" if prepared_path("hetionet", data_dir).is_file() else "builtin"
    if name not in SOURCES:
        raise UnknownNameError("knowledge source", name, ["auto", *SOURCES])
    source = SOURCES[name]
    if isinstance(source, _Installed):
        return source.read()
    path = prepared_path(name, data_dir)
    if not path.is_file():
        raise NotPreparedError(
            f"the names of {name} are not prepared here",
            found=f"no {path}",
            remedy=f"clinsynth knowledge {name}{' --from DIR' if name == 'ibkh' else ''}",
        )
    return _load(path)


def prepare_knowledge(name: str, folder: Path | None = None, data_dir: Path | None = None) -> NameTable:
    """Read a source from its published files and keep it; an installed one is only opened.

    Raises:
        UnknownNameError: no such source.
        UserError: its files are not in ``folder``, or are not the published ones.
        clinsynth.data.fetch.MissingSourceError: a download failed.
    """
    if name not in SOURCES:
        raise UnknownNameError("knowledge source", name, SOURCES)
    source = SOURCES[name]
    if isinstance(source, _Installed):
        return source.read()
    with tempfile.TemporaryDirectory() as work:
        table = source.read(folder, Path(work))
    _save(table, prepared_path(name, data_dir))
    return table


def _save(table: NameTable, path: Path) -> None:
    head = {"name": table.name, "digest": table.digest, "dropped": table.dropped}
    names = ({"kind": kind, "names": list(found)} for kind, found in table.by_kind.items())
    pairs = ({"pair": list(pair), "names": [list(two) for two in found]} for pair, found in table.by_pair.items())
    labels = (
        {"task": task, "label": label, "names": [list(one) for one in found]}
        for (task, label), found in table.by_label.items()
    )
    write_jsonl_gz(path, [head, *names, *pairs, *labels])


def _load(path: Path) -> NameTable:
    try:
        with gzip.open(path, "rt", encoding="utf-8") as stream:
            head, *parts = (json.loads(line) for line in stream)
        by_kind: dict[EntityKind, tuple[str, ...]] = {}
        by_pair: dict[Pair, tuple[tuple[str, str], ...]] = {}
        by_label: dict[tuple[str, str], tuple[tuple[str, ...], ...]] = {}
        for part in cast("list[dict[str, Any]]", parts):
            if "label" in part:
                by_label[part["task"], part["label"]] = tuple(tuple(one) for one in part["names"])
            elif "kind" in part:
                by_kind[part["kind"]] = tuple(part["names"])
            else:
                first, second = part["pair"]
                by_pair[first, second] = tuple((a, b) for a, b in part["names"])
        return NameTable(head["name"], head["digest"], by_kind, by_pair, head["dropped"], by_label)
    except (OSError, EOFError, ValueError, KeyError, TypeError) as error:
        raise UserError(f"{path} cannot be read", found=str(error), remedy="delete it and prepare it again") from None
