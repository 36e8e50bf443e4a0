"""What strangers wrote, made fit to print: nothing in it moves a cursor, hides a line or turns the reading order."""

from __future__ import annotations

import io
import re
from collections.abc import Generator
from contextlib import contextmanager, redirect_stdout
from typing import TextIO

_UNFIT = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f"  # control characters but tab and newline: escape sequences begin with one
    "\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069"  # what turns the reading order
    "\u2028\u2029\ufeff\ufff9-\ufffb"  # further line ends, and marks that nobody sees
    "\ud800-\udfff"  # halves of a pair, which no encoding takes
    "\U000e0000-\U000e007f]"  # tags: text that is not shown
)


def clean(text: str) -> str:
    r"""Text with each unfit character written as ``\uXXXX``, which is also how JSON writes it."""
    return _UNFIT.sub(_written, text)


def _written(found: re.Match[str]) -> str:
    units = found.group().encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{units[k]:02x}{units[k + 1]:02x}" for k in range(0, len(units), 2))


class _Cleaned(io.TextIOBase):
    """A stream that writes what is fit to print to another."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    @property
    def encoding(self) -> str:  # type: ignore[override] - read only is enough here
        return self._stream.encoding

    def write(self, text: str, /) -> int:
        self._stream.write(clean(text))
        return len(text)

    def writable(self) -> bool:
        return True

    def flush(self) -> None:
        self._stream.flush()

    def isatty(self) -> bool:
        return self._stream.isatty()

    def fileno(self) -> int:
        return self._stream.fileno()


@contextmanager
def cleaned_output(stream: TextIO) -> Generator[None]:
    """Have everything that is printed to standard output, here ``stream``, go through ``clean``."""
    with redirect_stdout(_Cleaned(stream)):
        yield
