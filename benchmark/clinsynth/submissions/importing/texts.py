"""JSON records of a file: JSON Lines, or one JSON array; plain or gzipped."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

from clinsynth.core import Row, UserError
from clinsynth.submissions.faults import shown
from clinsynth.submissions.importing.session import Session
from clinsynth.submissions.rows import BLANK, BOM, MAX_BYTES, json_fault, open_bytes, parse_json, read_lines


def json_records(path: Path, session: Session) -> Iterator[tuple[int, Row]]:
    """Objects with their places; whatever else the file holds is dropped and counted.

    Raises:
        UserError: the file cannot be read to its end, or is one faulty array.
    """
    for place, value in _values(path, session):
        if isinstance(value, dict):
            yield place, cast("Row", value)
        else:
            session.drop(place, "not-an-object", type(value).__name__)


def _values(path: Path, session: Session) -> Iterator[tuple[int, Any]]:
    if _is_array(path):
        try:
            values: Any = parse_json(read_text(path))
        except ValueError as error:
            fault = json_fault(error)
            raise UserError(f"{path}: {fault.reason}", found=shown(fault.found), expected="one JSON array") from None
        session.note("the file is one JSON array: places are record numbers")
        yield from enumerate(values, 1)
        return
    for number, value, fault in read_lines(path):
        if fault is None:
            yield number or 0, value
        elif number is None:
            raise UserError(f"{path}: {fault.reason}", found=fault.found, expected=fault.expected, remedy=fault.remedy)
        elif fault.reason not in (BLANK, BOM):
            session.drop(number, fault.reason, fault.found)
        elif fault.reason == BOM:
            session.note("a byte order mark was passed over")


def _is_array(path: Path) -> bool:
    try:
        with open_bytes(path) as stream:
            head = stream.read(4096)
    except (OSError, EOFError):
        return False  # read_lines says what is wrong with the file
    head = head.removeprefix(b"\xef\xbb\xbf").lstrip()
    # A line of JSON Lines may be an array too, but no row is one: that is a file of faults either way.
    return head.startswith(b"[")


def read_text(path: Path) -> str:
    """The whole of a text file, a byte order mark left out.

    Raises:
        UserError: it is not UTF-8, too large or a damaged gzip file.
    """
    try:
        with open_bytes(path) as stream:
            raw = stream.read(MAX_BYTES + 1)
    except (OSError, EOFError) as error:
        raise UserError(
            f"{path} cannot be read", found=str(error), expected="a whole text file, plain or gzip"
        ) from None
    if len(raw) > MAX_BYTES:
        raise UserError(f"{path} is too large", expected=f"at most {MAX_BYTES // 2**20:,} MiB unpacked")
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw[: error.start].count(b"\n") + 1
        found = f"byte 0x{raw[error.start]:02x} on line {line}"
        raise UserError(f"{path} is not UTF-8", found=found, remedy="convert it to UTF-8") from None
