"""Somebody's rows, whatever they come in, as a submission of one task that the harness can work on."""

from __future__ import annotations

import hashlib
import json
import re
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, cast

import clinsynth
from clinsynth.core import CEILING, FEW_REAL, REAL, Row, TaskSpec, UserError, atomic_path, sha256_file, write_json
from clinsynth.submissions import CARD_FILE, Card, check_name, read_submission, write_rows, write_submission
from clinsynth.submissions.importing import ImportOptions, format_of, import_data
from clinsynth.task_types import task_type

Rows = str | Path | Sequence[str | Path] | Iterable[Mapping[str, Any]] | Any
"""What may be evaluated: a file, several files, a submission's folder, a name on the Hugging Face Hub, an iterable of
mappings, a pandas ``DataFrame`` or a ``datasets.Dataset``."""
FOLDER = "evaluation"
"""Where a submission's folder has the state and the report of an evaluation."""
_STATE = "rows.json"


def folder_of(rows: Rows, task: str) -> Path:
    """Where rows are worked on if nobody says: a submission in its own folder, others under ``build/evaluate``."""
    first = next(iter(_named(rows)), "")
    if first and (Path(first) / CARD_FILE).is_file():
        return Path(first).absolute()
    plain = re.sub(r"[^a-z0-9]+", "-", Path(first).name.partition(".")[0].lower()).strip("-")
    return (Path("build") / "evaluate" / "-".join(filter(None, (plain or "rows", task)))[:64]).absolute()


def stage(rows: Rows, spec: TaskSpec, folder: Path, options: ImportOptions | None = None, form: str = "") -> list[str]:
    """Bring rows into ``folder`` as a submission, unless the very same are there already.

    Args:
        rows: as ``Rows`` says.
        spec: the task that they are for.
        folder: the submission's folder. One that was not made here is left as it is, unless it is ``rows`` itself.
        options: columns and labels, as for ``clinsynth import``.
        form: the format of files; empty: what their names say.

    Returns:
        What was decided and what was left out on the way, for people.

    Raises:
        UserError: nothing can be read, no row can be carried over, or the folder holds somebody's rows.
    """
    if isinstance(rows, str | Path) and (Path(rows) / CARD_FILE).is_file() and Path(rows).samefile(_made(folder)):
        return []
    options = options or ImportOptions()
    with tempfile.TemporaryDirectory(prefix="clinsynth-") as temporary:
        files = _files(rows, Path(temporary))
        digest = _digest(files, spec, options, form)
        state = folder / FOLDER / _STATE
        known: dict[str, Any] = json.loads(state.read_text("utf-8")) if state.is_file() else {}
        if known.get("digest") == digest and (folder / CARD_FILE).is_file():
            return list(known["notes"])
        if not known and (folder / CARD_FILE).is_file():
            raise UserError(f"{folder} holds a submission", remedy="choose another --out; nothing was changed")
        taken, card, notes = _carried(files, spec, Path(temporary) / "parts", options, form)
        check_name(folder.name)
        written = {spec.name: taken}
        if (folder / CARD_FILE).is_file():
            write_rows(folder, written, private=options.private)
        else:
            write_submission(folder, card.model_copy(update={"name": folder.name}), written, private=options.private)
    write_json(state, {"digest": digest, "notes": notes})
    return notes


def _made(folder: Path) -> Path:
    """The folder, made if need be: it can be compared with another only where it exists."""
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _named(rows: Rows) -> list[Path]:
    """The files or folders that rows are said to be in; empty where they are the rows themselves."""
    if isinstance(rows, str | Path):
        return [Path(rows)]
    if not isinstance(rows, Sequence):
        return []
    several = cast("Sequence[Any]", rows)
    return [Path(each) for each in several] if all(isinstance(each, str | Path) for each in several) else []


def _files(rows: Rows, temporary: Path) -> list[Path]:
    if named := _named(rows):
        return named
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


def _digest(files: Sequence[Path], spec: TaskSpec, options: ImportOptions, form: str) -> str:
    parts = [spec.name, str(spec.version), repr(options), form]
    for file in files:
        inner = sorted(path for path in file.rglob("*") if path.is_file()) if file.is_dir() else [file]
        parts += [sha256_file(path) for path in inner if path.is_file()]
    return hashlib.sha256("\n".join([*parts, *(file.name for file in files)]).encode()).hexdigest()


def _carried(
    files: Sequence[Path], spec: TaskSpec, parts: Path, options: ImportOptions, form: str
) -> tuple[list[Row], Card, list[str]]:
    """All rows, the card of the first part, and what is to be said."""
    rows: list[Row] = []
    cards: list[Card] = []
    notes: list[str] = []
    for number, file in enumerate(files):
        part = file
        if not (file / CARD_FILE).is_file():
            part = parts / f"part-{number}"
            report = import_data(file, form or format_of(file), spec, part, options)
            notes.append(f"{file.name}: {report.kept:,} of {report.read:,} records became rows of {spec.name}")
            notes += [f"left out, {reason}: {tally}" for reason, tally in report.dropped.items()]
            notes += [f"kept, but {reason}: {tally}" for reason, tally in report.altered.items()]
            notes += [*report.warnings, *report.notes]
        submission = read_submission(part)
        rows += map(task_type(spec).encode, submission.rows(spec.name))
        cards.append(submission.card)
    told = tuple(dict.fromkeys(line for card in cards for line in card.disclosures))
    return rows, cards[0].model_copy(update={"disclosures": told}), notes


INSTALLED = "known"
"""The folder of the package that a wheel puts the benchmark's own records into: no rows, no text."""


def known_places() -> tuple[Path, ...]:
    """Where submissions lie: ``submissions/`` in the working folder, of the checkout, or in the installed package."""
    package = Path(clinsynth.__file__).parent
    places = (Path.cwd() / "submissions", package.parents[1] / "submissions", package / INSTALLED)
    return next(((place,) for place in places if any(place.glob("*/submission.toml"))), ())


ITEMS = {
    "sentence_similarity": "pairs",
    "natural_language_inference": "pairs",
    "fact_verification": "pairs of claim and evidence",
}
"""Word for an example of a type; for other types it is text."""
METRIC_NAMES = {
    "accuracy": "accuracy", "macro_f1": "macro F1", "micro_f1": "micro F1", "f1": "F1", "entity_f1": "entity F1",
}  # fmt: skip
IN_WORDS = {
    CEILING: "all real data (gold-full)",
    REAL: "as much real data (gold-n)",
    FEW_REAL: "a few real rows (gold-few)",
}
"""References, by name."""
