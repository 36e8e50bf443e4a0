"""The files of a submission's folder: the card and one file for each task. No row is read here."""

from __future__ import annotations

import gzip
import json
import math
import os
import stat
import zlib
from collections import Counter
from collections.abc import Generator, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import IO, Any, NamedTuple

from clinsynth.core import TASKS, TaskSpec, UnfitFileError, open_bytes
from clinsynth.submissions.card import CARD_FILE, Card
from clinsynth.submissions.card_file import find_card
from clinsynth.submissions.faults import Findings
from clinsynth.task_types import Fault

MAX_ROWS = 200_000
MAX_BYTES = 512 * 2**20
"""Unpacked size of one file."""
MAX_LINE = 2**20
"""Bytes of one line: two texts of the greatest length, every character escaped, need under half of it."""
SUFFIXES = (".jsonl.gz", ".jsonl")
BLANK = "blank-line"
BOM = "byte-order-mark"
HARMLESS = frozenset({BLANK, BOM})
"""What is said of a line and does not keep its row from being read."""


class Line(NamedTuple):
    """One line, either read or refused."""

    number: int | None
    """Line number from 1; ``None`` for a fault of the whole file."""
    value: object = None
    """The JSON value of a line without a fault."""
    fault: Fault | None = None


class _RefusedError(ValueError):
    def __init__(self, fault: Fault) -> None:
        super().__init__(fault.reason)
        self.fault = fault


def read_lines(path: Path, *, follow: bool = False) -> Iterator[Line]:
    """Every line of a file, and what is wrong with it. Reading stops at the first fault that has no line number.

    ``follow`` says whether the file may be a link: one that the user named may, one of a submission may not.
    """
    try:
        with open_bytes(path, follow=follow) as stream:
            yield from _bounded(stream)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        yield Line(None, fault=Fault("bad-gzip", str(error), "a whole gzip file", "pack the file again with gzip"))
    except UnfitFileError as error:
        yield Line(None, fault=Fault("not-a-file", str(error), "a file", "put the file itself there"))
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
        yield Line(1, fault=Fault(BOM, "a byte order mark, passed over", "plain UTF-8", "save it without BOM"))
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
    with _refusals():
        return _DECODER.decode(text)


def parse_json_at(text: str, at: int) -> tuple[Any, int]:
    """The value of the JSON text that begins at a place, and where it ends. Raises as ``parse_json``."""
    with _refusals():
        return _DECODER.raw_decode(text, at)


@contextmanager
def _refusals() -> Generator[None]:
    try:
        yield
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
        counts = Counter(key for key, _ in pairs)
        again = ", ".join(sorted(key for key, count in counts.items() if count > 1)[:10])
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
_BESIDE = frozenset(
    {
        CARD_FILE,
        DATA,
        "runs",
        "predictions",
        "audit",
        "evaluation",
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


def is_private(data: Path, spec: TaskSpec) -> bool:
    """Whether rows must not be quoted: the task is not open, or the folder of its file is kept out of git."""
    return spec.access != "open" or (data / ".gitignore").is_file()


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
    card = None
    if path / CARD_FILE not in refused:  # what was refused is in the findings already, once
        card = find_card(path, findings)
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
        if task in specs and not file.is_file():
            findings.error("not-a-file", where, found="a folder", expected="a file", remedy="put the file itself there")
        elif task is None or not file.is_file():
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
