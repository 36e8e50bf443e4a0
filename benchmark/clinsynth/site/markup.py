"""Text inside HTML and SVG."""

from __future__ import annotations

import html

from clinsynth.core import clean


def escape(words: str) -> str:
    """Text that a browser shows as it is: no markup, and no control or reordering character, which XML forbids too."""
    return html.escape(clean(words))
