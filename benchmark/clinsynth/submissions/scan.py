"""What lies in a submission's folder: the card and one file for each task. No row is read here."""

from __future__ import annotations

import os
import re
import stat
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any, cast

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from clinsynth.registry import TASKS
from clinsynth.schema import TaskSpec
from clinsynth.submissions.card import CARD_FILE, FILL_IN, Card, describe
from clinsynth.submissions.report import Findings, Problem
from clinsynth.submissions.rowfile import SUFFIXES

DATA = "data"
MAX_CARD = 2**18
"""Bytes of a card: far more than a card with a long BibTeX entry needs."""
_BESIDE = frozenset(
    {
        CARD_FILE,
        DATA,
        "runs",
        "predictions",
        "audit",
        "quality",
        "generation",
        "lists",
        "sample",
        "README.md",
        "LICENSE",
        ".gitignore",
    }
)
"""What may lie in the folder; from ``runs`` to ``sample`` it is the harness that writes them."""


@dataclass(frozen=True, slots=True)
class Scan:
    """The readable parts of a folder."""

    card: Card | None
    """``None`` if there is no card or a faulty one."""
    files: Mapping[str, Path]
    """The data file of each known task, by name."""


def known_specs(specs: Mapping[str, TaskSpec] | None) -> Mapping[str, TaskSpec]:
    """The given specs, or those of every registered task."""
    return {name: TASKS[name].spec for name in TASKS} if specs is None else specs


def scan(path: Path, specs: Mapping[str, TaskSpec], findings: Findings) -> Scan:
    """Look into the folder and note every problem that can be seen without reading rows."""
    if not path.is_dir():
        findings.error("no-folder", found=str(path), expected="a folder", remedy="clinsynth new <name>")
        return Scan(None, {})
    refused = set(_refused(path, findings))
    for entry in sorted(path.iterdir()):
        if entry.name not in _BESIDE and entry not in refused:
            findings.warn(
                "stray-file", entry.name, expected=", ".join(sorted(_BESIDE)), remedy="remove it: it is never read"
            )
    card = _card(path, refused, findings)
    files = _data_files(path / DATA, refused, specs, findings)
    if not files:
        findings.error(
            "no-data",
            found=f"no data file of a known task in {DATA}/",
            expected=f"{DATA}/<task>.jsonl.gz",
            remedy="write one row a line; clinsynth import converts other formats",
        )
    return Scan(card, files)


def _refused(path: Path, findings: Findings) -> Iterator[Path]:
    """Links and special files. A link could show any file of the reader's machine; a pipe would never end."""
    for folder, folders, files in os.walk(path):
        for name in sorted(folders + files):
            entry = Path(folder, name)
            mode = entry.lstat().st_mode
            if stat.S_ISDIR(mode) or stat.S_ISREG(mode):
                continue
            yield entry
            where = str(entry.relative_to(path))
            if stat.S_ISLNK(mode):
                away = not entry.resolve().is_relative_to(path.resolve())
                found = f"a link to {entry.readlink()}" + (", outside the folder" if away else "")
                findings.error("symlink", where, found=found, expected="a file", remedy="put the file itself there")
            else:
                findings.error(
                    "not-a-file", where, found="a pipe, socket or device", expected="a file", remedy="remove it"
                )


def _card(path: Path, refused: set[Path], findings: Findings) -> Card | None:
    file = path / CARD_FILE
    if file in refused or not file.is_file():
        findings.error("no-card", CARD_FILE, found="no such file", expected="a card", remedy="clinsynth new <name>")
        return None
    with file.open("rb") as stream:
        raw = stream.read(MAX_CARD + 1)
    if len(raw) > MAX_CARD:
        findings.error("bad-toml", CARD_FILE, found=f"over {MAX_CARD:,} bytes", expected="a card", remedy="shorten it")
        return None
    try:
        table = tomllib.loads(raw.decode())
    except UnicodeDecodeError as error:
        line = raw[: error.start].count(b"\n") + 1
        findings.add(Problem("error", "bad-toml", CARD_FILE, line, "not UTF-8", "UTF-8", "save the card as UTF-8"))
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        said = str(error) or "values nested too deep"
        place = re.search(r"line (\d+)", said)
        line = int(place[1]) if place else None
        findings.add(
            Problem("error", "bad-toml", CARD_FILE, line, said, "valid TOML", "mend the line; text goes in quotes")
        )
    else:
        return read_card(table, path.name, findings)
    return None


def read_card(table: Mapping[str, Any], folder: str, findings: Findings) -> Card | None:
    """The card of a parsed ``submission.toml``, or ``None`` and a problem for every field that is wrong."""
    blanks = set(_blanks(table, ()))
    for place in sorted(blanks):
        name = ".".join(place)
        remedy = f"write it in {CARD_FILE}, or remove the line if it is optional and unknown"
        findings.error(
            "fill-in", CARD_FILE, found=f"{name} still holds its placeholder", expected=describe(place), remedy=remedy
        )
    name = table.get("name")
    if isinstance(name, str) and ("name",) not in blanks and name != folder:
        findings.error("name-differs", CARD_FILE, found=name, expected=folder, remedy="rename the folder or the card")
    try:
        return Card.model_validate(table)
    except ValidationError as error:
        for detail in error.errors(include_url=False):
            place = tuple(str(key) for key in detail["loc"] if isinstance(key, str))
            if place not in blanks:
                _card_problem(place, detail, findings)
    return None


def _card_problem(place: tuple[str, ...], detail: ErrorDetails, findings: Findings) -> None:
    name = ".".join(place) or "the card"
    if detail["type"] == "missing":
        findings.error(
            "card-missing", CARD_FILE, found=f"no {name}", expected=describe(place), remedy=f"add {name} = ..."
        )
    elif detail["type"] == "extra_forbidden":
        known = [*Card.model_fields, "used", "details", "snapshot", "price_source", "tokens_in", "tokens_out"]
        near = get_close_matches(place[-1].lower(), known, n=1)
        remedy = f"did you mean {near[0]}?" if near else "remove it; put remarks into disclosures"
        findings.error("card-unknown", CARD_FILE, found=name, expected="only the card's own fields", remedy=remedy)
    else:
        found = f"{name} = {detail['input']!r}" if place and not isinstance(detail["input"], dict) else name
        findings.error("card-value", CARD_FILE, found=found, expected=detail["msg"], remedy=describe(place))


def _blanks(value: Any, place: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    if isinstance(value, dict):
        for key, item in cast("dict[str, Any]", value).items():
            yield from _blanks(item, (*place, key))
    elif isinstance(value, list):
        for item in cast("list[Any]", value):
            yield from _blanks(item, place)
    elif isinstance(value, str) and value.strip().startswith(FILL_IN):
        yield place


def task_of(file: Path) -> str | None:
    """The task that a data file is named for; ``None`` if it is no data file."""
    return next((file.name.removesuffix(suffix) for suffix in SUFFIXES if file.name.endswith(suffix)), None)


def _data_files(
    data: Path, refused: set[Path], specs: Mapping[str, TaskSpec], findings: Findings
) -> Mapping[str, Path]:
    files: dict[str, Path] = {}
    if data in refused or not data.is_dir():
        return files
    for file in sorted(set(data.iterdir()) - refused):
        task = task_of(file)
        where = f"{DATA}/{file.name}"
        if file.name == ".gitignore":
            continue
        if task is None or not file.is_file():
            findings.warn("stray-file", where, expected="<task>.jsonl.gz", remedy="remove it: it is never read")
        elif task not in specs:
            near = get_close_matches(task.lower().replace("_", "-"), specs, n=3)
            remedy = f"did you mean {' or '.join(near)}?" if near else "name the file after a task"
            findings.error(
                "unknown-task", where, found=task, expected="a task: " + ", ".join(sorted(specs)), remedy=remedy
            )
        elif task in files:
            findings.error(
                "two-files", where, found=f"{files[task].name} too", expected="one file", remedy="remove one"
            )
        else:
            files[task] = file
    return files
