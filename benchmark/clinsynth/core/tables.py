"""Plain text tables that can be copied, piped and diffed."""

from __future__ import annotations

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
