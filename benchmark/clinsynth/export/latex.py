"""LaTeX tables for papers: booktabs, intervals, tie marks, and a caption that names the snapshot."""

from __future__ import annotations

from itertools import groupby

from clinsynth.core import clean
from clinsynth.export.plain import source
from clinsynth.snapshot import Snapshot
from clinsynth.views import Cell, Column, Page, Section, Table

_ESCAPES = {
    "\\": r"\textbackslash{}", "&": r"\&", "%": r"\%", "$": r"\$", "#": r"\#", "_": r"\_", "{": r"\{", "}": r"\}",
    "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "<": r"\textless{}", ">": r"\textgreater{}",
    "|": r"\textbar{}", '"': r"\textquotedbl{}", "−": "$-$", "–": "--", "—": "---", "×": r"$\times$", "±": r"$\pm$",
    "≥": r"$\geq$", "≤": r"$\leq$", "…": r"\ldots{}", "“": "``", "”": "''",
    "[": "{[}", "]": "{]}", "✓": "", "✗": "", "●": "", "◐": "", "○": "",
}  # fmt: skip
"""Brackets are braced, since one at the beginning of a row would be read as an argument of the line break before."""

_LEFT_OUT = ("remarks",)
"""Columns too wide for a page; what they say stands below the table instead."""

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
    kept = [k for k, column in enumerate(table.columns) if column.key not in _LEFT_OUT]
    columns = [table.columns[k] for k in kept]
    alignment = "".join("r" if column.number else "l" for column in columns)
    head = _groups(columns) + " & ".join(escape(column.title) for column in columns)
    body = "\n\\midrule\n".join(_section(section, columns, kept) for section in table.sections if section.rows)
    notes = " ".join(escape(note if note.endswith(".") else f"{note}.") for note in (*table.notes, *_remarks(table)))
    caption = f"{escape(table.caption)}. {escape(source(snapshot))}."
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


def _remarks(table: Table) -> list[str]:
    places = [k for k, column in enumerate(table.columns) if column.key in _LEFT_OUT]
    names = [k for k, column in enumerate(table.columns) if column.key == "submission"]
    out: list[str] = []
    for _, row in table.rows:
        said = [row[k].text for k in places if row[k].text]
        if said and names:
            out.append(f"{row[names[0]].text}: {'; '.join(said)}")
    return out
