"""Output for a terminal: strangers' words without control characters, plain tables, progress of long work."""

from __future__ import annotations

import io
import re
import sys
from collections.abc import Generator, Sequence
from contextlib import contextmanager, redirect_stdout
from typing import Protocol, TextIO

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


def text_table(head: Sequence[str], body: Sequence[Sequence[str]], right: int | Sequence[bool] = 0) -> str:
    """Columns two spaces apart, with a rule under the head.

    Args:
        head: a title for each column.
        body: a row of cells each.
        right: how many of the last columns are aligned to the right, or for each column whether it is.
    """
    rows = [head, *body]
    to_right = [k >= len(head) - right for k in range(len(head))] if isinstance(right, int) else right
    widths = [max(len(row[k]) for row in rows) for k in range(len(head))]
    lines = [
        "  ".join(
            cell.rjust(width) if number else cell.ljust(width)
            for cell, width, number in zip(row, widths, to_right, strict=True)
        ).rstrip()
        for row in rows
    ]
    lines.insert(1, "-" * (sum(widths) + 2 * (len(widths) - 1)))
    return "\n".join(lines)


class Progress(Protocol):
    """Takes reports of long work."""

    def advance(self, steps: float) -> None:
        """Count so much of the total as done."""
        ...

    def say(self, line: str) -> None:
        """Print a line about something that is finished."""
        ...

    def show(self, status: str) -> None:
        """Show the present state; only on a terminal."""
        ...


class _Lines:
    def advance(self, steps: float) -> None:
        pass

    def show(self, status: str) -> None:
        pass

    def say(self, line: str) -> None:
        sys.stderr.write(clean(line) + "\n")
        sys.stderr.flush()


@contextmanager
def progress(title: str, total: float) -> Generator[Progress]:
    """Report on standard error, so that standard output stays clean for results."""
    if not sys.stderr.isatty():
        yield _Lines()
        return
    from rich.console import Console
    from rich.markup import escape
    from rich.progress import BarColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn
    from rich.progress import Progress as Bar

    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.percentage:>3.0f} %"))
    times = (TimeElapsedColumn(), TextColumn("left:"), TimeRemainingColumn())
    with Bar(*columns, *times, console=console, transient=True) as bar:
        work = bar.add_task(title, total=total)

        class _OnBar:
            def advance(self, steps: float) -> None:
                bar.advance(work, steps)

            def show(self, status: str) -> None:
                # What is left is worth more than what stands here, should the line be too long.
                bar.update(work, description=escape(clean(f"{title}  {status}")[: max(console.width - 60, 20)]))

            def say(self, line: str) -> None:
                console.print(clean(line), highlight=False, markup=False)

        yield _OnBar()
