"""Tables and pages in the forms that papers, scripts and terminals read: CSV, JSON, Markdown, LaTeX and text."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable, Iterable
from itertools import groupby
from typing import Any

from clinsynth.core import clean, csv_text, text_table
from clinsynth.export.bibtex import as_bibtex
from clinsynth.snapshot import Snapshot
from clinsynth.views import Answer, Block, Cell, Column, Facts, Figure, Page, Prose, Section, Table, Value


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


def table_csv(table: Table) -> str:
    """A table as CSV with unrounded values."""
    rows = records(table)
    head = list(rows[0]) if rows else [column.key for column in table.columns]
    # Cards are strangers' words.
    return csv_text(head, ([clean(v) if isinstance(v, str) else v for v in row.values()] for row in rows))


def inline(words: str) -> str:
    """Text on one line that Markdown shows as it is."""
    cleaned = " ".join(clean(words).split())
    for character in ("\\", "|", "`", "*", "_", "<", "[", "]", "&"):
        cleaned = cleaned.replace(character, f"\\{character}")
    # What would begin a heading, a quotation, a list or a rule at the start of a line.
    return f"\\{cleaned}" if cleaned[:1] in ("#", ">", "-", "+", "=", "~") else cleaned


def table_markdown(table: Table, *, heading: bool = True) -> str:
    """A Markdown table below its caption, with the notes as a list.

    Args:
        table: what strangers wrote in it stands there as text, never as markup.
        heading: whether the caption is written, as a heading.
    """
    caption = f"### {inline(table.caption)}" if heading else ""
    notes = "\n".join(f"- {inline(note)}" for note in table.notes)
    if not table.rows:
        return "\n\n".join(filter(None, [caption, notes]))
    head = [inline(column.title) for column in table.columns]
    lines = ["| " + " | ".join(head) + " |", "|" + "".join("--:|" if c.number else ":--|" for c in table.columns)]
    for section in table.sections:
        if section.title:
            lines.append("| " + " | ".join([f"**{inline(section.title)}**", *[""] * (len(head) - 1)]) + " |")
        lines += ["| " + " | ".join(inline(cell.said) for cell in row) + " |" for row in section.rows]
    return "\n\n".join(filter(None, [caption, "\n".join(lines), notes]))


KEPT = 2
"""Columns from the left that are shown however narrow the terminal is."""


def table_text(table: Table, *, wide: bool = False) -> str:
    """One table with its caption; below it the columns left out, the meaning of columns, and the notes."""
    if not table.rows:
        return "\n".join([f"{table.caption}.", *table.notes])
    asides = table.asides()
    table = table.with_columns([k for k, column in enumerate(table.columns) if not column.wide]).without_empty()
    shown, gone = _fitted(table, wide)
    helps = [f"{column.title}: {column.help}" for column in shown.columns if column.help]
    below = [
        *([f"No room here for: {', '.join(gone)} (--wide)."] if gone else []),
        *([" ".join(helps)] if helps else []),
        *(f"{aside}." if aside[-1:] not in ".!?" else aside for aside in asides),
        *table.notes,
    ]
    return "\n".join([f"{table.caption}", *_lines(shown), "", *below]).rstrip()


def _fitted(table: Table, wide: bool) -> tuple[Table, list[str]]:
    """The table with the columns that there is room for, and the titles of the others."""
    room = shutil.get_terminal_size((120, 24)).columns
    places = range(KEPT, len(table.columns))
    order = sorted(places, key=lambda k: (not table.columns[k].spare, -k))
    for gone in range(len(order) + 1):
        left_out = set(order[:gone])
        shown = table.with_columns([k for k in range(len(table.columns)) if k not in left_out])
        if wide or max(map(len, _lines(shown))) <= room:
            break
    else:
        shown, left_out = table.with_columns(range(min(KEPT, len(table.columns)))), set(order)
    return shown, [table.columns[k].title for k in sorted(left_out)]


def _lines(table: Table) -> list[str]:
    head = [column.title for column in table.columns]
    right = [column.number for column in table.columns]
    lines = text_table(head, [[cell.said for cell in row] for _, row in table.rows], right).splitlines()
    out, at = lines[:2], 2
    for section in table.sections:
        out += [section.title] if section.title else []
        out += lines[at : at + len(section.rows)]
        at += len(section.rows)
    return out


_ESCAPES = {
    "\\": r"\textbackslash{}", "&": r"\&", "%": r"\%", "$": r"\$", "#": r"\#", "_": r"\_", "{": r"\{", "}": r"\}",
    "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "<": r"\textless{}", ">": r"\textgreater{}",
    "|": r"\textbar{}", '"': r"\textquotedbl{}", "−": "$-$", "–": "--", "—": "---", "×": r"$\times$", "±": r"$\pm$",
    "≥": r"$\geq$", "≤": r"$\leq$", "…": r"\ldots{}", "“": "``", "”": "''",
    "[": "{[}", "]": "{]}", "✓": "", "✗": "", "●": "", "◐": "", "○": "",
}  # fmt: skip
"""Brackets are braced, since one at the beginning of a row would be read as an argument of the line break before."""

PREAMBLE = "% Needs \\usepackage{booktabs,graphicx} and \\usepackage[T1]{fontenc}."


def escape(words: str) -> str:
    """Text that LaTeX prints as it is; characters that a T1 font may lack are left to the document's encoding."""
    return "".join(_ESCAPES.get(c, c) for c in clean(" ".join(words.split())))


def as_latex(snapshot: Snapshot, page: Page) -> str:
    """Every table of the page that has rows."""
    made = [latex_table(snapshot, table) for table in page.tables if table.rows]
    return "\n\n".join([PREAMBLE, *made]) + "\n"


def latex_table(snapshot: Snapshot, table: Table) -> str:
    """One ``table`` environment."""
    kept = [k for k, column in enumerate(table.columns) if not column.wide]
    columns = [table.columns[k] for k in kept]
    alignment = "".join("r" if column.number else "l" for column in columns)
    head = _groups(columns) + " & ".join(escape(column.title) for column in columns)
    body = "\n\\midrule\n".join(_section(section, columns, kept) for section in table.sections if section.rows)
    notes = " ".join(escape(note if note.endswith(".") else f"{note}.") for note in (*table.notes, *table.asides()))
    caption = f"{escape(table.caption)}. {escape(snapshot.manifest.source)}."
    lines = [
        "\\begin{table}[t]",
        "\\centering",
        f"\\caption{{{caption}}}",
        f"\\label{{tab:clinsynth-{table.key.replace('_', '-')}-{snapshot.manifest.short}}}",
        "\\resizebox{\\ifdim\\width>\\linewidth\\linewidth\\else\\width\\fi}{!}{%",
        f"\\begin{{tabular}}{{@{{}}{alignment}@{{}}}}",
        "\\toprule",
        f"{head} \\\\",
        "\\midrule",
        body,
        "\\bottomrule",
        "\\end{tabular}}",
        *([f"\\par\\medskip{{\\footnotesize {notes}}}"] if notes else []),
        "\\end{table}",
    ]
    return "\n".join(lines)


def _groups(columns: list[Column]) -> str:
    """The line above the titles, where neighbouring columns have something in common."""
    if not any(column.group for column in columns):
        return ""
    cells: list[str] = []
    rules: list[str] = []
    at = 1
    for group, own in groupby(columns, key=lambda column: column.group):
        width = len(list(own))
        if group:
            cells.append(f"\\multicolumn{{{width}}}{{c}}{{{escape(group)}}}")
            rules.append(f"\\cmidrule(lr){{{at}-{at + width - 1}}}")
        else:
            cells += [""] * width
        at += width
    return f"{' & '.join(cells)} \\\\\n{''.join(rules)}\n"


def _section(section: Section, columns: list[Column], kept: list[int]) -> str:
    title = (
        [f"\\multicolumn{{{len(columns)}}}{{@{{}}l}}{{\\emph{{{escape(section.title)}}}}} \\\\"]
        if section.title
        else []
    )
    rows = [" & ".join(_cell(row[k], column) for k, column in zip(kept, columns, strict=True)) + " \\\\"
            for row in section.rows]  # fmt: skip
    return "\n".join([*title, *rows])


def _cell(cell: Cell, column: Column) -> str:
    words = escape(cell.text).strip()
    if cell.text.endswith("=") and cell.value is not None:
        # The mark of a tie stands above the line, as tables in papers have it.
        words = f"{escape(cell.text[:-1])}$^{{=}}$"
    # What stands below a name on a page is in the way in a paper.
    small = "" if column.key == "submission" else escape(cell.small)
    return f"{words} {{\\scriptsize {small}}}" if small else words


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
"""Functions that write a page, by the name of the form."""

SUFFIXES = {"csv": "csv", "json": "json", "markdown": "md", "latex": "tex", "bibtex": "bib"}
"""File suffixes, by form."""

LABELS = {"csv": "CSV", "json": "JSON", "markdown": "Markdown", "latex": "LaTeX", "bibtex": "BibTeX"}
"""Names of the forms for people."""
