"""Plain text tables that can be copied, piped and diffed."""

from __future__ import annotations

from collections.abc import Sequence


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
