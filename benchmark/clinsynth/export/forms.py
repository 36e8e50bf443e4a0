"""Tables to take away: every view in the forms that papers, scripts and other projects read."""

from __future__ import annotations

from collections.abc import Callable

from clinsynth.export.bibtex import as_bibtex
from clinsynth.export.latex import as_latex
from clinsynth.export.plain import as_csv, as_json, as_markdown
from clinsynth.snapshot import Snapshot
from clinsynth.views import Page

__all__ = ["FORMATS", "LABELS", "SUFFIXES", "as_bibtex", "as_csv", "as_json", "as_latex", "as_markdown"]

FORMATS: dict[str, Callable[[Snapshot, Page], str]] = {
    "csv": as_csv,
    "json": as_json,
    "markdown": as_markdown,
    "latex": as_latex,
    "bibtex": as_bibtex,
}
"""What a page can be written as."""

SUFFIXES = {"csv": "csv", "json": "json", "markdown": "md", "latex": "tex", "bibtex": "bib"}
"""How the files are called."""

LABELS = {"csv": "CSV", "json": "JSON", "markdown": "Markdown", "latex": "LaTeX", "bibtex": "BibTeX"}
"""How the forms are called."""
