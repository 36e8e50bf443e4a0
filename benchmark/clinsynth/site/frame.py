"""The frame of a page: head, menu, footer, the box for citing, the card of a link, and the addresses in them."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import import_module
from importlib.metadata import PackageNotFoundError, metadata
from io import BytesIO
from typing import Any
from urllib.parse import urljoin

from clinsynth.core import clean
from clinsynth.export import as_bibtex, as_latex
from clinsynth.site.html import EARLY, verbatim
from clinsynth.site.theme import LIGHT, escape
from clinsynth.snapshot import Snapshot
from clinsynth.views import TITLES, Answer, Figure, Page, plain, shown

NAME = "clinsynth"
SENTENCE = (
    "Which synthetic data trains the better clinical model? One frozen student, real test sets, honest statistics."
)
"""The benchmark in one line."""


@dataclass(frozen=True, slots=True)
class Home:
    """Addresses; those that are empty are not shown."""

    url: str = ""
    """Where the pages will be published: a link's card needs absolute addresses."""
    repository: str = ""
    docs: str = ""
    contact: str = ""
    """Address of a page, or a mail address."""

    @property
    def links(self) -> tuple[tuple[str, str], ...]:
        """Links of a footer, each as text and address."""
        contact = f"mailto:{self.contact}" if "@" in self.contact and "/" not in self.contact else self.contact
        pairs = (("Repository", self.repository), ("Documentation", self.docs), ("Contact", contact))
        return tuple((name, address) for name, address in pairs if address)

    def at(self, path: str) -> str:
        """The whole address of a path below the home; the path itself where no home is known."""
        return urljoin(self.url.rstrip("/") + "/", path) if self.url else path


_LABELS = {
    "repository": ("repository", "source", "source code"), "docs": ("documentation", "docs"),
    "contact": ("contact", "issues", "bug tracker"),
}  # fmt: skip


def home_of(url: str = "", repository: str = "", docs: str = "", contact: str = "") -> Home:
    """The addresses given; those not given are taken from the package's metadata."""
    given = {"repository": repository, "docs": docs, "contact": contact}
    try:
        lines = metadata(NAME).get_all("Project-URL") or []
    except PackageNotFoundError:
        lines = []
    known: dict[str, str] = {}
    for line in lines:
        label, _, address = line.partition(",")
        known[label.strip().lower()] = address.strip()
    for key, labels in _LABELS.items():
        given[key] = given[key] or next((known[label] for label in labels if label in known), "")
    return Home(url=url, **given)


MOST = 60
"""Most rows of a table whose LaTeX is shown on the page; that of a longer one is a download."""


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
    """Path of the card's picture below the home; empty: there is none."""


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
    """Tags of the head for the card of a link: description and Open Graph."""
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


def cite(snapshot: Snapshot, page: Page, *, later: bool = False) -> str:
    """The box for citing: benchmark and snapshot with its digest as BibTeX, and the first table as LaTeX.

    ``later``: the script brings the LaTeX of a long table when it brings the rows that are not on this page.
    """
    manifest = snapshot.manifest
    tables = [table for table in page.tables if table.rows]
    latex = ""
    if tables and len(tables[0].rows) <= MOST:
        waits = later and len(tables[0].rows) > EARLY
        words = "" if waits else as_latex(snapshot, Page(page.view, page.title, page.lead, blocks=(tables[0],)))
        latex = f"<h3>The table as LaTeX</h3>{verbatim(words.strip(), key=tables[0].key)}"
    return (
        '<section class="cite" id="cite"><details><summary>Cite, or copy the table</summary>'
        f"<p>Snapshot of {manifest.day}, sha256 <code>{manifest.id}</code>. Equal content has an equal digest.</p>"
        f"<h3>BibTeX</h3>{verbatim(as_bibtex(snapshot, page).strip())}{latex}</details></section>"
    )


WIDTH, HEIGHT = 1200, 630
"""Pixels of the picture, as networks expect them."""
_EDGE, _MOST = 72, 6


def social_card(snapshot: Snapshot, page: Page) -> bytes | None:
    """The first view as a PNG; ``None`` where Pillow is not installed (``pip install pillow``)."""
    try:
        pil: Any = import_module("PIL.Image")
        draws: Any = import_module("PIL.ImageDraw")
        fonts: Any = import_module("PIL.ImageFont")
    except ImportError:
        return None
    image = pil.new("RGB", (WIDTH, HEIGHT), LIGHT["paper"])
    draw = draws.Draw(image)

    def write(at: tuple[float, float], words: str, size: int, colour: str, anchor: str = "la") -> None:
        # The font that comes with Pillow has no other dash and no true minus.
        plain_words = clean(words).replace("–", "-").replace("−", "-")
        draw.text(at, plain_words, fill=LIGHT[colour], font=fonts.load_default(size), anchor=anchor)

    draw.rectangle((0, 0, 12, HEIGHT), fill=LIGHT["accent"])
    write((_EDGE, 60), "clinsynth", 30, "accent")
    for k, line in enumerate(textwrap.wrap(page.title, 44)):
        write((_EDGE, 112 + 58 * k), line, 50, "ink")
    answer = next((block for block in page.blocks if isinstance(block, Answer)), None)
    at = 250.0
    for line in textwrap.wrap(" ".join(answer.items[0][1:]), 74)[:3] if answer else []:
        write((_EDGE, at), line, 27, "soft")
        at += 38
    figure = next((each for each in page.figures if each.kind == "forest"), None)
    if figure is not None:
        _plot(draw, write, figure, at + 28)
    manifest = snapshot.manifest
    write((WIDTH - _EDGE, HEIGHT - 40), f"snapshot {manifest.short} of {manifest.day}", 22, "soft", "rs")
    out = BytesIO()
    image.save(out, "PNG", optimize=True)
    return out.getvalue()


def _plot(draw: Any, write: Any, figure: Figure, top: float) -> None:
    """The best rows as marks with intervals; references as lines across."""
    points = sorted((point for series in figure.series for point in series.points), key=lambda point: point.y)[:_MOST]
    ends = [v for p in points for v in (p.x, p.low, p.high) if v is not None] + [rule.x for rule in figure.rules]
    low, high = min(ends) - 2, max(ends) + 2
    left, right = 420.0, WIDTH - _EDGE - 90.0

    def across(value: float) -> float:
        return left + (value - low) / (high - low) * (right - left)

    step = min(44.0, (HEIGHT - 70 - top) / (len(points) + 1))
    bottom = top + step * (len(points) + 0.6)
    placed = -1e9
    for rule in sorted(figure.rules, key=lambda rule: rule.x):
        x = across(rule.x)
        draw.line((x, top + 6, x, bottom), fill=LIGHT["strong"], width=2)
        if x - placed > 120:
            write((x, top), rule.label.split(" ")[0], 19, "soft", "ms")
            placed = x
    for k, point in enumerate(points):
        y = top + step * (k + 0.8)
        name = point.label if len(point.label) <= 26 else f"{point.label[:25]}..."
        write((left - 24, y), name, 24, "ink", "rm")
        write((WIDTH - _EDGE, y), plain(point.x, 1), 24, "ink", "rm")
        if point.low is not None and point.high is not None:
            draw.line((across(point.low), y, across(point.high), y), fill=LIGHT["accent"], width=3)
        x = across(point.x)
        draw.polygon(((x, y - 9), (x + 9, y), (x, y + 9), (x - 9, y)), fill=LIGHT["accent"])
