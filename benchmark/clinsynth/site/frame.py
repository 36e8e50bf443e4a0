"""What stands around a page: head, menu, footer, the box for citing, and the card of a link."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from clinsynth.export import as_bibtex, as_latex
from clinsynth.site.home import NAME, SENTENCE, Home
from clinsynth.site.html import verbatim
from clinsynth.site.markup import escape
from clinsynth.snapshot import Snapshot
from clinsynth.views import TITLES, Page, shown

MOST = 60
"""Rows of a table up to which its LaTeX stands in the page; beyond, it is a file to take away."""


@dataclass(frozen=True, slots=True)
class Frame:
    """Addresses that a page needs."""

    addresses: Mapping[str, str]
    """Of each view."""
    style: str
    script: str = ""
    """Address of the one script; empty: none."""
    home: Home = field(default_factory=Home)
    path: str = ""
    """Of this page below its home."""
    picture: str = ""
    """Of the card's picture below the home; empty: there is none."""


def document(snapshot: Snapshot, page: Page, main: str, frame: Frame) -> str:
    """A whole HTML document around a page's body, with links to all views that have something to show."""
    manifest = snapshot.manifest
    views = [view for view in TITLES if view in shown(snapshot) or view == page.view]
    entries = "".join(
        f'<li><a href="{escape(frame.addresses[view])}"{" aria-current=page" if view == page.view else ""}>'
        f"{TITLES[view]}</a></li>"
        for view in views
    )
    script = f'<script src="{escape(frame.script)}" defer></script>\n' if frame.script else ""
    first = escape(frame.addresses["overall"])
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{escape(page.title)} · {NAME}</title>
{social(page.title, page.lead, frame)}
<link rel="icon" href="data:,">
<link rel="stylesheet" href="{frame.style}">
{script}</head>
<body class="cs site">
<a class="skip" href="#main">To the content</a>
<div class="frame">
<header><a class="brand" href="{first}">{NAME}</a><nav aria-label="Views"><ul>{entries}</ul></nav></header>
<main id="main">
{main}
</main>
<footer><p>{footer(frame.home)}Snapshot <code>{manifest.short}</code> of {manifest.day}, made with clinsynth
{escape(manifest.clinsynth)}. {SENTENCE}</p></footer>
</div>
</body>
</html>
"""


def social(title: str, lead: str, frame: Frame) -> str:
    """Description, and the tags of Open Graph that networks make a card of."""
    tags = {"og:type": "website", "og:site_name": NAME, "og:title": title, "og:description": lead}
    if frame.home.url:
        tags["og:url"] = frame.home.at(frame.path)
    if frame.picture:
        tags |= {"og:image": frame.home.at(frame.picture), "og:image:width": "1200", "og:image:height": "630",
                 "og:image:alt": "The scores of the leaderboard as a plot"}  # fmt: skip
    card = "summary_large_image" if frame.picture else "summary"
    lines = [f'<meta name="description" content="{escape(lead)}">', f'<meta name="twitter:card" content="{card}">']
    lines += [f'<meta property="{name}" content="{escape(words)}">' for name, words in tags.items()]
    return "\n".join(lines)


def footer(home: Home) -> str:
    """Links to the repository, the documents and whom to ask, where they are known."""
    links = "".join(f'<a href="{escape(address)}">{name}</a> · ' for name, address in home.links)
    return f'<span class="links">{links}</span>' if links else ""


def cite(snapshot: Snapshot, page: Page) -> str:
    """What a paper needs: the benchmark and the snapshot with its digest as BibTeX, and the first table as LaTeX."""
    manifest = snapshot.manifest
    tables = [table for table in page.tables if table.rows]
    latex = ""
    if tables and len(tables[0].rows) <= MOST:
        words = as_latex(snapshot, Page(page.view, page.title, page.lead, blocks=(tables[0],)))
        latex = f"<h3>The table as LaTeX</h3>{verbatim(words.strip(), key=tables[0].key)}"
    return (
        '<section class="cite" id="cite"><details><summary>Cite, or copy the table</summary>'
        f"<p>Snapshot of {manifest.day}, sha256 <code>{manifest.id}</code>. Equal content has an equal digest.</p>"
        f"<h3>BibTeX</h3>{verbatim(as_bibtex(snapshot, page).strip())}{latex}</details></section>"
    )
