"""The forms of a table: CSV, JSON values, Markdown, LaTeX, and text for a terminal."""

from __future__ import annotations

import shutil
from itertools import groupby

from clinsynth.core import clean, csv_text, text_table
from clinsynth.snapshot import Snapshot
from clinsynth.views import Cell, Column, Page, Section, Table, Value


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
"""Columns from the left that the narrowest terminal shows all the same."""


def table_text(table: Table, *, wide: bool = False) -> str:
    """One table with its caption, and below it what it does not show, what its columns mean, and its notes."""
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
