"""A snapshot as a folder of static pages: whole without scripts, with nothing from elsewhere, also from a disk.

One script of the site's own sorts, searches and chooses; no page needs it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from clinsynth.core import UserError, replaced_folder
from clinsynth.export import FORMATS, LABELS, SUFFIXES
from clinsynth.site.frame import Frame, Home, cite, document, home_of, social_card
from clinsynth.site.html import Links, body, take
from clinsynth.site.svg_plots import svg
from clinsynth.site.theme import script, site_css
from clinsynth.snapshot import Snapshot
from clinsynth.views import TITLES, VIEWS, Filter, Page, page

MARK = ".clinsynth-site"
"""A file that marks a folder as a site, which may be replaced by a newer one."""
PICTURE = "card.png"
PLAIN = ("method", "submit")
"""Views without a table to download."""

Said = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class _Site:
    snapshot: Snapshot
    folder: Path
    home: Home
    picture: str
    """Name of the card's picture; empty without one."""
    first: dict[str, Page]
    """The first page of each view: its filters are those of all."""
    pages: dict[str, Page] = field(default_factory=dict[str, Page])
    """Every page by its address below the site's folder."""
    led: dict[tuple[str, tuple[tuple[str, str], ...]], str] = field(
        default_factory=dict[tuple[str, tuple[tuple[str, str], ...]], str]
    )
    """Addresses for queries that match no page exactly, such as a budget that another student does not have."""

    def address(self, view: str, query: Mapping[str, str]) -> str:
        """Address of a view's page for a query; filters that it leaves open are as on the view's first page."""
        values = {one.key: query.get(one.key, one.value) for one in self.first[view].filters}
        address = _address(view, list(values.values()))
        if address in self.pages:
            return address
        key = view, tuple(values.items())
        if key not in self.led:
            self.led[key] = address_of(page(self.snapshot, view, values))
        return self.led[key]


def build_site(snapshot: Snapshot, folder: Path, said: Said = lambda _: None, home: Home | None = None) -> int:
    """Write the site and give its number of pages.

    Args:
        snapshot: what is shown.
        folder: where to; an older site there is replaced.
        said: told what is done.
        home: where the site will lie, and whom to ask.

    Raises:
        UserError: ``folder`` holds something that is no site.
    """
    if folder.exists() and any(folder.iterdir()) and not (folder / MARK).is_file():
        raise UserError(f"{folder} is not empty and no site", remedy="choose another folder for --out")
    with replaced_folder(folder) as fresh:
        return _fill(snapshot, fresh, said, home or home_of())


def _put(path: Path, text: str) -> None:
    path.parent.mkdir(exist_ok=True)
    path.write_text(text, encoding="utf-8")


def _fill(snapshot: Snapshot, folder: Path, said: Said, home: Home) -> int:
    _put(folder / MARK, snapshot.manifest.id + "\n")
    _put(folder / "style.css", site_css())
    _put(folder / "board.js", script())
    first = {view: page(snapshot, view, {}) for view in VIEWS}
    picture = social_card(snapshot, first["overall"])
    if picture is not None:
        (folder / PICTURE).write_bytes(picture)
    site = _Site(snapshot, folder, home, PICTURE if picture else "", first)
    for view in VIEWS:
        made = {address_of(each): each for each in _pages(snapshot, view)}
        site.pages.update(made)
        said(f"{TITLES[view]}: {len(made)} page{'s' * (len(made) > 1)}")
    for address, each in site.pages.items():
        _put(folder / address, _drawn(site, each, address, "../"))
    # The first page again, one folder higher, so that the address of the site itself shows a table at once.
    _put(folder / "index.html", _drawn(site, first["overall"], address_of(first["overall"]), ""))
    return len(site.pages)


def _pages(snapshot: Snapshot, view: str) -> Iterator[Page]:
    """Every page of a view: one for each combination of its filters, of which each has one value."""
    seen: set[str] = set()
    # Every page leads to all others of its view: a query is made into a page once, not once for each that leads to it.
    made: set[tuple[tuple[str, str], ...]] = set()
    todo: list[dict[str, str]] = [{}]
    while todo:
        query = todo.pop()
        if (key := tuple(query.items())) in made:
            continue
        made.add(key)
        each = page(snapshot, view, query)
        if (address := address_of(each)) not in seen:
            seen.add(address)
            yield each
            todo += [_other(each, one, choice.value) for one in each.filters for choice in one.choices]


def _other(each: Page, changed: Filter, value: str) -> dict[str, str]:
    """The query of the page with another value of one filter."""
    return each.query | {changed.key: value}


def address_of(each: Page) -> str:
    """Address of a page below the site's folder, made of its view and its filters."""
    return _address(each.view, [one.value for one in each.filters])


def _address(view: str, values: list[str]) -> str:
    return f"{view}/{re.sub(r'[^A-Za-z0-9._-]+', '-', '_'.join(values)) or 'index'}.html"


def _drawn(site: _Site, each: Page, address: str, up: str) -> str:
    """A page as an HTML document; ``up`` is the relative path to the site's folder."""
    links = Links(
        to=lambda view, query: up + site.address(view, {**each.query, **query}),
        filtered=lambda of, changed, value: up + site.address(of.view, _other(of, changed, value)),
    )
    main = body(each, links)
    if each.view not in PLAIN:
        main += "\n" + cite(site.snapshot, each) + _take(site, each, address, up)
    addresses = {view: up + address_of(first) for view, first in site.first.items()}
    frame = Frame(
        addresses, f"{up}style.css", f"{up}board.js", site.home, "index.html" if not up else address, site.picture
    )
    return document(site.snapshot, each, main, frame)


def _take(site: _Site, each: Page, address: str, up: str) -> str:
    """Write the downloads of a page beside it; returns the links to them."""
    stem = address.removesuffix(".html")
    files: list[tuple[str, str, str]] = []
    for name, made in FORMATS.items():
        files.append((LABELS[name], f"{stem}.{SUFFIXES[name]}", ""))
        if up:
            _put(site.folder / files[-1][1], made(site.snapshot, each))
    for figure in each.figures:
        files.append(("SVG", f"{stem}.{figure.key}.svg", figure.title))
        if up:
            _put(site.folder / files[-1][1], svg(figure, standalone=True) + "\n")
    return take([(label, up + path, figure) for label, path, figure in files])
