"""Plain text tables that can be copied, piped and diffed."""

from __future__ import annotations

import shutil
from collections.abc import Sequence

Grid = tuple[list[str], list[list[str]]]
"""Head and body of a table of text."""


def text_table(head: Sequence[str], body: Sequence[Sequence[str]], right: int = 0) -> str:
    """Columns two spaces apart, a rule under the head; the last ``right`` columns are aligned to the right."""
    rows = [head, *body]
    widths = [max(len(row[k]) for row in rows) for k in range(len(head))]
    lines = [
        "  ".join(
            cell.rjust(width) if k >= len(head) - right else cell.ljust(width)
            for k, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]
    lines.insert(1, "-" * (sum(widths) + 2 * (len(widths) - 1)))
    return "\n".join(lines)


def fitted_table(grid: Grid, left: int, spare: Sequence[str], *, wide: bool = False) -> str:
    """The table as ``text_table``, without the columns that the terminal has no room for, and a line that names them.

    Args:
        grid: head and body.
        left: columns that are text from the left.
        spare: columns that may be left out, the first one first.
        wide: leave out none.
    """
    head, body = grid
    width, gone = shutil.get_terminal_size((120, 24)).columns, set[str]()
    while True:
        kept = [k for k, name in enumerate(head) if name not in gone]
        shown = text_table(
            [head[k] for k in kept], [[row[k] for k in kept] for row in body], right=sum(k >= left for k in kept)
        )
        nxt = next((name for name in spare if name in head and name not in gone), None)
        if wide or nxt is None or max(map(len, shown.splitlines())) <= width:
            break
        gone.add(nxt)
    if not gone:
        return shown
    names = ", ".join(name for name in head if name in gone)
    return f"{shown}\nNo room here for: {names} (--wide)."
