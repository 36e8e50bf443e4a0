"""CSV, JSON and Markdown of a page."""

from __future__ import annotations

import csv
import io
import json
import re
from typing import Any

from clinsynth.core import clean
from clinsynth.snapshot import Snapshot
from clinsynth.views import Answer, Cell, Facts, Page, Prose, Table, Value


def source(snapshot: Snapshot) -> str:
    """What a table has to say of where it is from."""
    manifest = snapshot.manifest
    return f"clinsynth snapshot {manifest.short} of {manifest.day}"


def records(table: Table) -> list[dict[str, Value]]:
    """A table's rows with unrounded values; an interval is ``<column>_low`` and ``<column>_high``."""
    out: list[dict[str, Value]] = []
    sectioned = any(section.title for section in table.sections)
    for section, row in table.rows:
        record: dict[str, Value] = {"section": section} if sectioned else {}
        for column, cell in zip(table.columns, row, strict=True):
            record[column.key] = cell.value
            if column.interval:
                record |= {f"{column.key}_low": cell.low, f"{column.key}_high": cell.high}
        out.append(record)
    return out


def as_csv(snapshot: Snapshot, page: Page, table: str = "") -> str:
    """One table as CSV with unrounded values: the page's first one, or the one named.

    Empty cells are unknown or do not apply. Raises ``KeyError`` for a table that the page does not have.
    """
    tables = {each.key: each for each in page.tables}
    chosen = tables[table] if table else next((each for each in page.tables if each.rows), None)
    return "" if chosen is None else table_csv(chosen)


def table_csv(table: Table) -> str:
    """A table as CSV."""
    rows = records(table)
    out = io.StringIO()
    writer = csv.DictWriter(out, list(rows[0]) if rows else [c.key for c in table.columns], lineterminator="\n")
    writer.writeheader()
    writer.writerows({key: spreadsheet(value) for key, value in row.items()} for row in rows)
    return out.getvalue()


def spreadsheet(value: Value) -> Value:
    """Text that a spreadsheet would run as a formula is made text: cards are strangers' words."""
    if not isinstance(value, str):
        return value
    return clean(f"'{value}" if value[:1] in ("=", "+", "-", "@", "\t", "\r") else value)


def as_json(snapshot: Snapshot, page: Page) -> str:
    """All tables of a page, with the view, the filters and the snapshot that they are of."""
    value: dict[str, Any] = {
        "snapshot": snapshot.manifest.id,
        "created": snapshot.manifest.created,
        "view": page.view,
        "title": page.title,
        "filters": page.query,
        "warnings": list(page.warnings),
        "tables": [
            {
                "key": table.key,
                "caption": table.caption,
                "columns": {column.key: column.title for column in table.columns},
                "rows": records(table),
                "notes": list(table.notes),
            }
            for table in page.tables
        ],
        "answers": {
            question: f"{short} {more}".strip()
            for block in page.blocks
            if isinstance(block, Answer)
            for question, short, more in block.items
        },
        "facts": {
            block.title: [[name, cell.text] for name, cell in block.pairs]
            for block in page.blocks
            if isinstance(block, Facts)
        },
    }
    # Cleaned characters are written as JSON writes them: whoever reads it gets the text as it was.
    return clean(json.dumps(value, indent=1, ensure_ascii=False, allow_nan=False)) + "\n"


def as_markdown(snapshot: Snapshot, page: Page) -> str:
    """A page as Markdown; what strangers wrote stands there as text, never as markup."""
    parts = [f"## {_inline(page.title)}", _inline(page.lead)]
    for block in page.blocks:
        if isinstance(block, Table):
            parts.append(_markdown_table(block))
        elif isinstance(block, Facts):
            pairs = "\n".join(f"- {_inline(name)}: {_inline(_said(cell))}" for name, cell in block.pairs)
            parts.append(f"### {_inline(block.title)}\n\n{pairs}")
        elif isinstance(block, Prose):
            parts.append(_markdown_prose(block))
        elif isinstance(block, Answer):
            parts.append(
                "\n".join(f"- {_inline(f'{question} {short} {more}')}" for question, short, more in block.items)
            )
        # What a figure shows is in a table of the page.
    return "\n\n".join([*parts, f"*{source(snapshot)}*"]) + "\n"


def _said(cell: Cell) -> str:
    return f"{cell.text} ({cell.small})" if cell.small else cell.text


def _inline(words: str) -> str:
    cleaned = " ".join(clean(words).split())
    for character in ("\\", "|", "`", "*", "_", "<", "[", "]", "&"):
        cleaned = cleaned.replace(character, f"\\{character}")
    # What would begin a heading, a quotation, a list or a rule at the start of a line.
    return f"\\{cleaned}" if cleaned[:1] in ("#", ">", "-", "+", "=", "~") else cleaned


def _markdown_table(table: Table) -> str:
    if not table.rows:
        return "\n\n".join([f"### {_inline(table.caption)}", *map(_inline, table.notes)])
    head = [_inline(column.title) for column in table.columns]
    lines = ["| " + " | ".join(head) + " |", "|" + "".join("--:|" if c.number else ":--|" for c in table.columns)]
    for section in table.sections:
        if section.title:
            lines.append("| " + " | ".join([f"**{_inline(section.title)}**", *[""] * (len(head) - 1)]) + " |")
        lines += ["| " + " | ".join(_inline(_said(cell)) for cell in row) + " |" for row in section.rows]
    notes = "\n".join(f"- {_inline(note)}" for note in table.notes)
    return "\n\n".join(filter(None, [f"### {_inline(table.caption)}", "\n".join(lines), notes]))


def _markdown_prose(block: Prose) -> str:
    parts = [f"### {_inline(block.title)}"]
    parts += [_fenced(p[2:], "sh") if p.startswith("$ ") else _inline(p) for p in block.paragraphs]
    return "\n\n".join([*parts, *([_fenced(block.verbatim)] if block.verbatim else [])])


def _fenced(words: str, language: str = "") -> str:
    """A code block whose fence is longer than any run of backticks in it, so that nothing in it ends the block."""
    runs = re.findall("`+", words)
    fence = "`" * max(3, 1 + max(map(len, runs), default=0))
    return f"{fence}{language}\n{clean(words)}\n{fence}"
