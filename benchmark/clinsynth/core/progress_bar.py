"""Progress: a bar on a terminal, one line for each finished piece of work elsewhere."""

from __future__ import annotations

import sys
from collections.abc import Generator
from contextlib import contextmanager
from typing import Protocol

from clinsynth.core.terminal import clean


class Progress(Protocol):
    """What work reports to."""

    def advance(self, steps: float) -> None:
        """Some of the total is done."""
        ...

    def say(self, line: str) -> None:
        """Something is finished that is worth a line."""
        ...

    def show(self, status: str) -> None:
        """How it stands just now; only a terminal shows it."""
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
