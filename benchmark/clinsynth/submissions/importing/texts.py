"""Text files, read line by line in whichever encoding they are, and the JSON records of such a file."""

from __future__ import annotations

import codecs
import io
import re
import zlib
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, cast

from clinsynth.core import Row, UserError, open_bytes
from clinsynth.submissions.faults import shown
from clinsynth.submissions.importing.session import Session
from clinsynth.submissions.rows import (
    BLANK,
    BOM,
    MAX_BYTES,
    MAX_LINE,
    MAX_ROWS,
    json_fault,
    parse_json,
    parse_json_at,
    read_lines,
)

MAX_NAMES = 10_000
"""Names of columns, all records together."""
MAX_LINES = 50 * MAX_ROWS
"""Lines of a text: a token each, they are the sentences of the largest import."""
_CHUNK = 2**16
_SPACE = re.compile(r"[\ufeff \t\r\n]*+")
_LEGACY = "cp1252"
"""What Windows programs of western countries write if not told otherwise."""


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
    head = _head(path)
    wide = _wide(head)
    if _text_of(head, wide).lstrip("\ufeff \t\r\n").startswith("["):
        session.note("the file is one JSON array: places are record numbers")
        # A line of JSON Lines may be an array too, but no row is one: that is a file of faults either way.
        yield from _elements(path, wide or "utf-8-sig", session)
    elif wide:
        session.note("the file was read as UTF-16")
        with text_lines(path, wide) as lines:
            for number, line in enumerate(lines, 1):
                try:
                    if line.strip():
                        yield number, parse_json(line)
                except ValueError as error:
                    session.drop(number, json_fault(error).reason, json_fault(error).found)
    else:
        for number, value, fault in read_lines(path, follow=True):
            if fault is None:
                yield number or 0, value
            elif number is None:
                found = {"found": fault.found, "expected": fault.expected, "remedy": fault.remedy}
                raise UserError(f"{path}: {fault.reason}", **found)
            elif fault.reason == BOM:
                session.note("a byte order mark was passed over")
            elif fault.reason != BLANK:
                session.drop(number, fault.reason, fault.found)


def _elements(path: Path, encoding: str, session: Session) -> Iterator[tuple[int, Any]]:
    """The elements of one JSON array, one at a time, with their numbers."""
    with _text_stream(path, encoding) as stream:
        window = _Window(stream)
        window.skip()
        window.take("[")
        number = 0
        while True:
            window.skip()
            if window.peek() == "]" and not number:
                return
            number += 1
            if number > MAX_ROWS:
                raise UserError(f"{path} has too many elements", expected=f"at most {MAX_ROWS:,}")
            try:
                yield number, window.value()
                window.skip()
                if window.peek() == "]":
                    return
                if window.take(",") != ",":
                    raise ValueError("no comma after an element")
            except ValueError as error:
                fault = json_fault(error)
                raise UserError(
                    f"{path}: {fault.reason} at element {number:,}",
                    found=session.quoted(shown(fault.found)), expected="one JSON array",
                ) from None  # fmt: skip


class _Window:
    """A moving part of a text, so that a large array is never held as a whole."""

    def __init__(self, stream: IO[str]) -> None:
        self._stream = stream
        self._text = ""
        self._at = 0
        self._size = 0

    def _more(self) -> bool:
        chunk = self._stream.read(_CHUNK)
        self._size += len(chunk)
        if self._size > MAX_BYTES:
            raise UserError("the file is too large", expected=f"at most {MAX_BYTES // 2**20:,} MiB unpacked")
        self._text = self._text[self._at :] + chunk
        self._at = 0
        return bool(chunk)

    def peek(self) -> str:
        """The next character; empty at the end."""
        if self._at == len(self._text):
            self._more()
        return self._text[self._at : self._at + 1]

    def take(self, expected: str) -> str:
        """The next character, passed over if it is the expected one."""
        bom = self.peek()
        self._at += bom == expected
        return bom

    def skip(self) -> None:
        """Pass over white space, and a byte order mark."""
        while True:
            if space := _SPACE.match(self._text, self._at):
                self._at = space.end()
            if self._at < len(self._text) or not self._more():
                return

    def value(self) -> Any:
        """The next JSON value. Raises ``ValueError`` as ``parse_json``."""
        while True:
            try:
                value, end = parse_json_at(self._text, self._at)
            except ValueError:
                if len(self._text) - self._at > MAX_LINE or not self._more():
                    raise
                continue
            # A number may go on in what is still to be read.
            if end < len(self._text) or not self._more():
                self._at += end - self._at
                return value


@contextmanager
def text_lines(path: Path, encoding: str) -> Generator[Iterator[str]]:
    """The lines of a text file with their ends, none longer than ``MAX_LINE``.

    Raises:
        UserError: it cannot be read in that encoding, is too large, damaged, or has a line that is too long.
    """
    with _text_stream(path, encoding) as stream:
        yield _bounded(path, stream)


def _bounded(path: Path, stream: IO[str]) -> Iterator[str]:
    size = number = 0
    while line := stream.readline(MAX_LINE + 1):
        number += 1
        size += len(line)
        if len(line) > MAX_LINE:
            raise UserError(f"{path}, line {number:,} is too long", expected=f"at most {MAX_LINE:,} characters")
        if size > MAX_BYTES:
            raise UserError(f"{path} is too large", expected=f"at most {MAX_BYTES // 2**20:,} MiB unpacked")
        if number > MAX_LINES:
            raise UserError(f"{path} has too many lines", expected=f"at most {MAX_LINES:,}")
        yield line


@contextmanager
def _text_stream(path: Path, encoding: str) -> Generator[IO[str]]:
    try:
        with open_bytes(path, follow=True) as stored:
            yield io.TextIOWrapper(io.BufferedReader(cast("Any", stored)), encoding=encoding, newline="")
    except (OSError, EOFError, zlib.error) as error:
        raise UserError(
            f"{path} cannot be read", found=str(error), expected="a whole text file, plain or gzip"
        ) from None
    except UnicodeDecodeError as error:
        found = f"byte 0x{error.object[error.start]:02x}"
        raise UserError(f"{path} is not {encoding}", found=found, remedy="save it as UTF-8") from None


def encoding_of(path: Path, session: Session) -> str:
    """The encoding of a text file: UTF-8, UTF-16, or the one of old Windows programs, which is noted.

    Raises:
        UserError: it is none of these, or a UTF-8 file with damaged places.
    """
    head = _head(path)
    if wide := _wide(head):
        session.note("the file was read as UTF-16")
        return wide
    if head.startswith(codecs.BOM_UTF8):
        session.note("a byte order mark was passed over")
    bad = good = size = 0
    first = 0
    try:
        with open_bytes(path, follow=True) as stream:
            decoder = codecs.getincrementaldecoder("utf-8")("surrogateescape")
            line = 1
            while chunk := stream.read(2**20):
                size += len(chunk)
                if size > MAX_BYTES:
                    raise UserError(f"{path} is too large", expected=f"at most {MAX_BYTES // 2**20:,} MiB unpacked")
                text = decoder.decode(chunk)
                foreign = len(text) - len(text.encode("ascii", "ignore"))
                strange = len(text) - len(text.encode("utf-8", "ignore").decode())
                if strange and not bad:
                    at = next(n for n, character in enumerate(text) if "\udc80" <= character <= "\udcff")
                    first = line + text.count("\n", 0, at)
                bad, good, line = bad + strange, good + foreign - strange, line + text.count("\n")
    except (OSError, EOFError, zlib.error) as error:
        raise UserError(
            f"{path} cannot be read", found=str(error), expected="a whole text file, plain or gzip"
        ) from None
    if not bad:
        return "utf-8-sig"
    if good >= bad:
        found = f"{bad:,} bytes that are not, the first on line {first:,}, beside {good:,} characters that are"
        raise UserError(f"{path} is not UTF-8", found=found, remedy="save it as UTF-8")
    session.note(f"the file is not UTF-8 (line {first:,}): it was read as Windows-1252; look at a few accents")
    return _LEGACY


def _head(path: Path) -> bytes:
    try:
        with open_bytes(path, follow=True) as stream:
            return stream.read(4096)
    except (OSError, EOFError, zlib.error):
        return b""  # the reader of the file says what is wrong with it


def _wide(head: bytes) -> str:
    """``utf-16`` in the order of bytes that the beginning of a file shows; empty for other encodings."""
    if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16"
    half = max(len(head) // 2, 1)
    # Without a mark: every second byte of western text is zero, and no other text file holds any.
    for first, name in ((1, "utf-16-le"), (0, "utf-16-be")):
        if head[first::2].count(0) > half * 2 // 3 and not head[1 - first :: 2].count(0):
            return name
    return ""


def _text_of(head: bytes, wide: str) -> str:
    return head.decode(wide or "utf-8", "ignore")
