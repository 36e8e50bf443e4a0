"""Read JSON Lines that a stranger wrote: bounded in every direction, strict, and never stopping at the first fault."""

from __future__ import annotations

import gzip
import json
import math
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any, NamedTuple, cast

from clinsynth.task_types.base import Fault

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
