"""What a page can be written as: every view in the forms that papers, scripts and other projects read."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable
from typing import Any

from clinsynth.core import clean
from clinsynth.export.bibtex import as_bibtex
from clinsynth.export.tables import as_latex, inline, records, table_csv, table_markdown, table_text
from clinsynth.snapshot import Snapshot
from clinsynth.views import Answer, Block, Facts, Figure, Page, Prose, Table


def as_csv(snapshot: Snapshot, page: Page, table: str = "") -> str:
    """One table as CSV with unrounded values: the page's first one, or the one named.

    Empty cells are unknown or do not apply. Raises ``KeyError`` for a table that the page does not have.
    """
    tables = {each.key: each for each in page.tables}
    chosen = tables[table] if table else next((each for each in page.tables if each.rows), None)
    return "" if chosen is None else table_csv(chosen)


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
    parts = [f"## {inline(page.title)}", inline(page.lead), markdown_blocks(page.blocks)]
    return "\n\n".join([*parts, f"*{snapshot.manifest.source}*"]) + "\n"


def markdown_blocks(blocks: Iterable[Block]) -> str:
    """Blocks one after the other; a figure is left out, since what it shows is also in a table of the page."""
    return "\n\n".join(_markdown(block) for block in blocks if not isinstance(block, Figure))


def _markdown(block: Table | Facts | Prose | Answer) -> str:
    if isinstance(block, Answer):
        return "\n".join(f"- {inline(f'{asked} {short} {more}')}" for asked, short, more in block.items)
    if isinstance(block, Table):
        return table_markdown(block)
    if isinstance(block, Facts):
        pairs = "\n".join(f"- {inline(name)}: {inline(cell.said)}" for name, cell in block.pairs)
        return f"### {inline(block.title)}\n\n{pairs}"
    return _markdown_prose(block)


def _markdown_prose(block: Prose) -> str:
    parts = [f"### {inline(block.title)}"]
    parts += [_fenced(p[2:], "sh") if p.startswith("$ ") else inline(p) for p in block.paragraphs]
    return "\n\n".join([*parts, *([_fenced(block.verbatim)] if block.verbatim else [])])


def _fenced(words: str, language: str = "") -> str:
    """A code block whose fence is longer than any run of backticks in it, so that nothing in it ends the block."""
    runs = re.findall("`+", words)
    fence = "`" * max(3, 1 + max(map(len, runs), default=0))
    return f"{fence}{language}\n{clean(words)}\n{fence}"


def text_blocks(blocks: Iterable[Block], *, wide: bool = False) -> str:
    """Blocks for a terminal, without figures.

    Args:
        blocks: of a page.
        wide: leave out no column, however narrow the terminal is.
    """
    return clean("\n\n".join(_text(block, wide) for block in blocks if not isinstance(block, Figure))) + "\n"


def _text(block: Table | Facts | Prose | Answer, wide: bool) -> str:
    if isinstance(block, Answer):
        return "\n".join(f"{asked} {short} {more}".rstrip() for asked, short, more in block.items)
    if isinstance(block, Table):
        return table_text(block, wide=wide)
    if isinstance(block, Facts):
        return "\n".join([f"{block.title}:", *(f"  {name}: {cell.said}" for name, cell in block.pairs)])
    return "\n".join([f"{block.title}:", *block.paragraphs, *filter(None, [block.verbatim])])


FORMATS: dict[str, Callable[[Snapshot, Page], str]] = {
    "csv": as_csv,
    "json": as_json,
    "markdown": as_markdown,
    "latex": as_latex,
    "bibtex": as_bibtex,
}
"""What a page can be written as."""

SUFFIXES = {"csv": "csv", "json": "json", "markdown": "md", "latex": "tex", "bibtex": "bib"}
"""Suffixes of the files."""

LABELS = {"csv": "CSV", "json": "JSON", "markdown": "Markdown", "latex": "LaTeX", "bibtex": "BibTeX"}
"""Names of the forms for people."""
