"""Colours, fonts, style sheets and script of the site and the app, and how text is written into HTML and SVG."""

from __future__ import annotations

import html
from pathlib import Path

from clinsynth.core import clean

SANS = 'ui-sans-serif, system-ui, -apple-system, "Segoe UI", "Helvetica Neue", "Noto Sans", Arial, sans-serif'
MONO = 'ui-monospace, "SF Mono", "Cascadia Mono", Menlo, Consolas, "DejaVu Sans Mono", monospace'

LIGHT = {
    "ink": "#1d2125", "soft": "#59636c", "paper": "#ffffff", "rule": "#e3e6e8", "strong": "#9aa3ab",
    "hover": "#f4f6f7", "accent": "#0b5d8a",
}  # fmt: skip
DARK = {
    "ink": "#e3e6e8", "soft": "#a0a9b1", "paper": "#14181b", "rule": "#2a3035", "strong": "#5f6a73",
    "hover": "#1c2226", "accent": "#79bfe8",
}  # fmt: skip


def _variables(colours: dict[str, str]) -> str:
    return "".join(f"--{name}:{value};" for name, value in colours.items())


def site_css() -> str:
    """The style sheet of the static site: light or dark as the reader's system says."""
    fonts = f"--sans:{SANS};--mono:{MONO};"
    return (
        f":root{{color-scheme:light dark;{fonts}{_variables(LIGHT)}}}"
        f"@media (prefers-color-scheme:dark){{:root{{{_variables(DARK)}}}}}html{{background:var(--paper)}}\n{_rules()}"
    )


def app_css() -> str:
    """The style sheet of the app, which switches to dark by a class."""
    fonts = f"--sans:{SANS};--mono:{MONO};"
    return f".cs{{{fonts}{_variables(LIGHT)}}}.dark .cs{{{_variables(DARK)}}}\n{_rules()}"


def _rules() -> str:
    return (Path(__file__).parent / "style.css").read_text(encoding="utf-8")


def script() -> str:
    """The one script of the site and the app."""
    return (Path(__file__).parent / "board.js").read_text(encoding="utf-8")


def escape(words: str) -> str:
    """Text that a browser shows as it is: no markup, and no control or reordering character, which XML forbids too."""
    return html.escape(clean(words))
