"""LaTeX tables for papers: booktabs, intervals, tie marks, and a caption that names the snapshot."""

from __future__ import annotations

from clinsynth.core import clean
from clinsynth.snapshot import Snapshot
from clinsynth.views import Cell, Column, Page, Section, Table

_ESCAPES = {
    "\\": r"\textbackslash{}", "&": r"\&", "%": r"\%", "$": r"\$", "#": r"\#", "_": r"\_", "{": r"\{", "}": r"\}",
    "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "<": r"\textless{}", ">": r"\textgreater{}",
    "|": r"\textbar{}", '"': r"\textquotedbl{}", "−": "$-$", "–": "--", "—": "---", "×": r"$\times$", "±": r"$\pm$",
    "≥": r"$\geq$", "≤": r"$\leq$", "…": r"\ldots{}", "“": "``", "”": "''",
    "[": "{[}", "]": "{]}",
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
    head = " & ".join(escape(column.title) for column in columns)
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


def _section(section: Section, columns: list[Column], kept: list[int]) -> str:
    title = (
        [f"\\multicolumn{{{len(columns)}}}{{@{{}}l}}{{\\emph{{{escape(section.title)}}}}} \\\\"]
        if section.title
        else []
    )
    rows = [" & ".join(_cell(row[k]) for k in kept) + " \\\\" for row in section.rows]
    return "\n".join([*title, *rows])


def _cell(cell: Cell) -> str:
    words = escape(cell.text)
    if cell.text.endswith("=") and cell.value is not None:
        # The mark of a tie stands above the line, as tables in papers have it.
        words = f"{escape(cell.text[:-1])}$^{{=}}$"
    return f"{words} {{\\scriptsize {escape(cell.small)}}}" if cell.small else words
