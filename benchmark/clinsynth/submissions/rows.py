"""What lies in a submission's folder: the card and one file for each task. No row is read here."""

from __future__ import annotations

import gzip
import json
import math
import os
import re
import stat
import tomllib
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import IO, Any, NamedTuple, cast

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from clinsynth.core import TASKS, TaskSpec
from clinsynth.submissions.card import CARD_FILE, FILL_IN, Card, describe
from clinsynth.submissions.faults import Findings, Problem
from clinsynth.task_types import Fault

MAX_ROWS = 200_000
MAX_BYTES = 512 * 2**20
"""Unpacked size of one file."""
MAX_LINE = 2**20
"""Bytes of one line: two texts of the greatest length, every character escaped, need under half of it."""
SUFFIXES = (".jsonl.gz", ".jsonl")
BLANK = "blank-line"
BOM = "byte-order-mark"


class Line(NamedTuple):
    """One line, either read or refused."""

    number: int | None
    """From 1; ``None`` for a fault of the whole file."""
    value: object = None
    """The JSON value of a line without a fault."""
    fault: Fault | None = None


class _RefusedError(ValueError):
    def __init__(self, fault: Fault) -> None:
        super().__init__(fault.reason)
        self.fault = fault


def open_bytes(path: Path) -> IO[bytes]:
    """The unpacked bytes of a file as a stream; ``.gz`` is unpacked while it is read."""
    return cast("IO[bytes]", gzip.open(path, "rb")) if path.suffix == ".gz" else path.open("rb")


def read_lines(path: Path) -> Iterator[Line]:
    """Every line of a file, and what is wrong with it. Reading stops at the first fault that has no line number."""
    try:
        with open_bytes(path) as stream:
            yield from _bounded(stream)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        yield Line(None, fault=Fault("bad-gzip", str(error), "a whole gzip file", "pack the file again with gzip"))
    except OSError as error:
        yield Line(None, fault=Fault("unreadable", error.strerror or str(error), "a readable file", "check its rights"))


def _bounded(stream: IO[bytes]) -> Iterator[Line]:
    number = size = 0
    while raw := stream.readline(MAX_LINE + 1):
        number += 1
        size += len(raw)
        if number > MAX_ROWS:
            yield Line(None, fault=_too("too-many-rows", f"more than {MAX_ROWS:,} lines", f"{MAX_ROWS:,} rows"))
            return
        fits = len(raw) <= MAX_LINE
        while not fits and raw and not raw.endswith(b"\n") and size <= MAX_BYTES:
            raw = stream.readline(MAX_LINE)
            size += len(raw)
        if size > MAX_BYTES:
            limit = f"{MAX_BYTES // 2**20:,} MiB"
            yield Line(None, fault=_too("file-too-large", f"more than {limit} unpacked", f"{limit} unpacked"))
            return
        if fits:
            yield from _parsed(number, raw)
        else:
            yield Line(number, fault=_too("line-too-long", f"more than {MAX_LINE:,} bytes", f"{MAX_LINE:,} bytes"))


def _too(reason: str, found: str, most: str) -> Fault:
    return Fault(
        reason, found, f"at most {most}", "leave rows out" if "line-" not in reason else "split or drop the row"
    )


def _parsed(number: int, raw: bytes) -> Iterator[Line]:
    if number == 1 and raw.startswith(b"\xef\xbb\xbf"):
        raw = raw[3:]
        yield Line(1, fault=Fault(BOM, "a byte order mark", "plain UTF-8", "save the file as UTF-8 without BOM"))
    try:
        text = raw.decode()
    except UnicodeDecodeError as error:
        found = f"byte 0x{raw[error.start]:02x} at position {error.start + 1}"
        yield Line(number, fault=Fault("not-utf-8", found, "UTF-8", "convert the file to UTF-8"))
        return
    if not text.strip():
        yield Line(number, fault=Fault(BLANK, "an empty line", "one row a line", "remove the line"))
        return
    try:
        yield Line(number, parse_json(text))
    except _RefusedError as error:
        yield Line(number, fault=error.fault)


def parse_json(text: str) -> Any:
    """The value of one JSON text.

    Raises:
        ValueError: with the attribute ``fault``, for bad JSON, repeated keys, NaN or Infinity, or absurd nesting.
    """
    try:
        return _DECODER.decode(text)
    except _RefusedError:
        raise
    except RecursionError:
        raise _RefusedError(too_deep()) from None
    except ValueError as error:
        raise _RefusedError(Fault("bad-json", str(error), "one JSON value", "write rows with a JSON library")) from None


def json_fault(error: ValueError) -> Fault:
    """The fault that ``parse_json`` raised."""
    return error.fault if isinstance(error, _RefusedError) else Fault("bad-json", str(error), "JSON", "")


def too_deep() -> Fault:
    """The fault of a value that is nested beyond what any row needs."""
    return Fault("too-deep", "a value nested hundreds of levels deep", "a flat row", "write the row's own keys only")


def _pairs(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) != len(pairs):
        keys = [key for key, _ in pairs]
        again = ", ".join(sorted({key for key in keys if keys.count(key) > 1}))
        raise _RefusedError(Fault("duplicate-key", again, "each key once", "remove one of the two values"))
    return value


def _float(text: str) -> float:
    # 1e999 is valid JSON and reads as infinity.
    if not math.isfinite(value := float(text)):
        _constant(text)
    return value


def _constant(text: str) -> float:
    raise _RefusedError(Fault("not-a-number", text[:40], "a finite number or null", "use null for a missing number"))


_DECODER = json.JSONDecoder(object_pairs_hook=_pairs, parse_float=_float, parse_constant=_constant)


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
        "reproduced",
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
