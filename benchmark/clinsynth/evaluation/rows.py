"""Somebody's rows, whatever they come in, as a submission of one task that the harness can work on."""

from __future__ import annotations

import hashlib
import json
import shutil
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from clinsynth.core import Row, TaskSpec, UserError, atomic_path, sha256_file, write_json
from clinsynth.submissions import CARD_FILE, read_submission
from clinsynth.submissions.importing import ImportOptions, format_of, import_data

Rows = str | Path | Sequence[str | Path] | Iterable[Mapping[str, Any]] | Any
"""What may be evaluated: a file, several files, a submission's folder, a name on the Hugging Face Hub, an iterable of
mappings, a pandas ``DataFrame`` or a ``datasets.Dataset``."""
_STATE = "evaluation.json"


def stage(rows: Rows, spec: TaskSpec, folder: Path, options: ImportOptions | None = None, form: str = "") -> list[str]:
    """Bring rows into ``folder`` as a submission, unless the very same are there already.

    Args:
        rows: as ``Rows`` says.
        spec: the task that they are for.
        folder: the submission's folder; what was scored of other rows is done again by whoever scores.
        options: columns and labels, as for ``clinsynth import``.
        form: the format of files; empty: what their names say.

    Returns:
        What was decided and what was left out on the way, for people.

    Raises:
        UserError: nothing can be read, or no row can be carried over.
    """
    with tempfile.TemporaryDirectory(prefix="clinsynth-") as temporary:
        files = _files(rows, Path(temporary))
        digest = _digest(files, spec, options)
        state = folder / _STATE
        if state.is_file() and (folder / CARD_FILE).is_file():
            known = json.loads(state.read_text("utf-8"))
            if known.get("digest") == digest:
                return list(known["notes"])
        taken, notes = _carried(files, spec, Path(temporary) / "parts", options, form)
        _place(taken, spec, folder)
    write_json(state, {"digest": digest, "notes": notes})
    return notes


def _files(rows: Rows, temporary: Path) -> list[Path]:
    if isinstance(rows, str | Path):
        return [Path(rows)]
    if isinstance(rows, Sequence) and rows and all(isinstance(each, str | Path) for each in rows):
        return [Path(each) for each in rows]
    path = temporary / "rows.jsonl"
    with atomic_path(path) as writing, writing.open("w", encoding="utf-8") as stream:
        for row in _mappings(rows):
            stream.write(json.dumps(dict(row), ensure_ascii=False, default=_plain) + "\n")
    return [path]


def _mappings(rows: Any) -> Iterable[Mapping[str, Any]]:
    if hasattr(rows, "to_dict") and hasattr(rows, "columns"):  # a pandas DataFrame
        return rows.to_dict(orient="records")
    if hasattr(rows, "to_list") and hasattr(rows, "features"):  # a datasets.Dataset
        return rows.to_list()
    if isinstance(rows, Mapping):
        raise UserError("these rows are one mapping", expected="an iterable of mappings, one for each row")
    return rows


def _plain(value: object) -> object:
    """Numbers of numpy and pandas as Python's own."""
    item = getattr(value, "item", None)
    return item() if callable(item) else str(value)


def _digest(files: Sequence[Path], spec: TaskSpec, options: ImportOptions | None) -> str:
    parts = [spec.name, str(spec.version), repr(options)]
    for file in files:
        if not file.exists():
            raise UserError(f"there is nothing at {file}")
        inner = sorted(path for path in file.rglob("*") if path.is_file()) if file.is_dir() else [file]
        parts += [sha256_file(path) for path in inner]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def _carried(
    files: Sequence[Path], spec: TaskSpec, parts: Path, options: ImportOptions | None, form: str
) -> tuple[list[Row], list[str]]:
    rows: list[Row] = []
    notes: list[str] = []
    for number, file in enumerate(files):
        if (file / CARD_FILE).is_file():
            rows += read_submission(file).rows(spec.name)
            continue
        part = parts / f"part-{number}"
        report = import_data(file, form or format_of(file), spec, part, options)
        rows += read_submission(part).rows(spec.name)
        dropped = ", ".join(f"{count} {reason}" for reason, count in sorted(report.dropped.items()))
        kept = f"{file.name}: {report.kept:,} of {report.read:,} rows carried over"
        notes += [kept + (f"; left out: {dropped}" if dropped else ""), *report.notes, *report.warnings]
    if not rows:
        raise UserError(f"no rows for {spec.name}", found=", ".join(map(str, files)))
    return rows, notes


def _place(rows: Sequence[Row], spec: TaskSpec, folder: Path) -> None:
    """The rows into the folder's data file: as one import, with a card to fill in where there is none."""
    with tempfile.TemporaryDirectory(prefix="clinsynth-") as temporary:
        whole = Path(temporary) / "rows.jsonl"
        whole.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), "utf-8")
        # The rows are canonical by now: what numbers or other words of theirs mean was settled before.
        fresh = Path(temporary) / folder.name
        import_data(whole, "jsonl", spec, fresh)
        data = folder / "data"
        data.mkdir(parents=True, exist_ok=True)
        for old in data.glob(f"{spec.name}.jsonl*"):
            old.unlink()
        for new in (fresh / "data").iterdir():
            shutil.copyfile(new, data / new.name)
        if not (folder / CARD_FILE).is_file():
            shutil.copyfile(fresh / CARD_FILE, folder / CARD_FILE)
