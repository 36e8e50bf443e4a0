"""A snapshot as a folder of static pages: no script, no font, nothing from elsewhere; works from a file system."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Set
from dataclasses import dataclass, field
from pathlib import Path

from clinsynth.core import UserError, replaced_folder
from clinsynth.export import FORMATS, LABELS, SUFFIXES
from clinsynth.site.html import Links, body, take
from clinsynth.site.markup import escape
from clinsynth.site.svg_plots import svg
from clinsynth.site.theme import site_css
from clinsynth.snapshot import Snapshot
from clinsynth.views import TITLES, VIEWS, Filter, Page, page

MARK = ".clinsynth-site"
"""Says that a folder is a site, and may be replaced by a newer one."""
PLAIN = ("method", "submit")
"""Views without a table to take away."""

Said = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class _Site:
    snapshot: Snapshot
    folder: Path
    first: dict[str, str]
    """Address of each view's first page."""
    submission: Page
    """The first page of a submission: its filters are those of all."""
    led: dict[str, str] = field(default_factory=dict[str, str])
    """Where an address leads that is no page's own, such as a budget that another student does not have."""


def build_site(snapshot: Snapshot, folder: Path, said: Said = lambda _: None) -> int:
    """Write the site and give its number of pages.

    Raises:
        UserError: ``folder`` holds something that is no site.
    """
    if folder.exists() and any(folder.iterdir()) and not (folder / MARK).is_file():
        raise UserError(f"{folder} is not empty and no site", remedy="choose another folder for --out")
    with replaced_folder(folder) as fresh:
        return _fill(snapshot, fresh, said)


def _put(path: Path, text: str) -> None:
    path.parent.mkdir(exist_ok=True)
    path.write_text(text, encoding="utf-8")


def _fill(snapshot: Snapshot, folder: Path, said: Said) -> int:
    _put(folder / MARK, snapshot.manifest.id + "\n")
    _put(folder / "style.css", site_css())
    site = _Site(snapshot, folder, {view: address_of(page(snapshot, view, {})) for view in VIEWS},
                 page(snapshot, "submission", {}))  # fmt: skip
    pages = 0
    for view in VIEWS:
        made = list(_pages(snapshot, view))
        known = {address_of(each) for each in made}
        for each in made:
            _write(site, each, known)
        pages += len(made)
        said(f"{TITLES[view]}: {len(made)} page{'s' * (len(made) > 1)}")
    _put(folder / "index.html", _index(site))
    return pages


def _pages(snapshot: Snapshot, view: str) -> Iterator[Page]:
    """Every page of a view: one for each combination of its filters, but those that take many values."""
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
            todo += [_other(each, one, choice.value) for one in each.filters if not one.many for choice in one.choices]


def _other(each: Page, changed: Filter, value: str) -> dict[str, str]:
    """The query of the page with another value of one filter."""
    return {one.key: value if one.key == changed.key else one.value for one in each.filters if not one.many}


def address_of(each: Page) -> str:
    """Where a page lies: its view, and a name made of its filters."""
    return _address(each.view, [one.value for one in each.filters if not one.many])


def _address(view: str, values: list[str]) -> str:
    return f"{view}/{re.sub(r'[^A-Za-z0-9._-]+', '-', '_'.join(values)) or 'index'}.html"


def _write(site: _Site, each: Page, known: Set[str]) -> None:
    address = address_of(each)
    links = Links(
        submission=lambda name: _submission(site, each, name),
        filtered=lambda of, changed, value: _filtered(site, of, changed, value, known).rpartition("/")[2],
    )
    shown = Page(each.view, each.title, each.lead, tuple(one for one in each.filters if not one.many), each.blocks,
                 each.warnings, each.submissions)  # fmt: skip
    files = "" if each.view in PLAIN else _take(site, each, Path(address))
    _put(site.folder / address, _frame(site, each, f"{body(shown, links)}\n{files}"))


def _filtered(site: _Site, each: Page, changed: Filter, value: str, known: Set[str]) -> str:
    """Where the page with another value lies; a value can rule out what other filters have, such as a budget."""
    query = _other(each, changed, value)
    address = _address(each.view, list(query.values()))
    if address not in known and address not in site.led:
        site.led[address] = address_of(page(site.snapshot, each.view, query))
    return address if address in known else site.led[address]


def _submission(site: _Site, each: Page, name: str) -> str:
    """Where a submission's page lies, under the same condition as this page."""
    filters = {one.key: each.query.get(one.key, one.value) for one in site.submission.filters}
    return f"../{_address('submission', list((filters | {'name': name}).values()))}"


def _take(site: _Site, each: Page, address: Path) -> str:
    """Write the page's files to take away beside it, and give the links to them."""
    place, stem = site.folder / address.parent, address.stem
    files: list[tuple[str, str, str]] = []
    for name, made in FORMATS.items():
        files.append((LABELS[name], f"{stem}.{SUFFIXES[name]}", ""))
        _put(place / files[-1][1], made(site.snapshot, each))
    for figure in each.figures:
        files.append(("SVG", f"{stem}.{figure.key}.svg", figure.title))
        _put(place / files[-1][1], svg(figure, standalone=True) + "\n")
    return take(files)


def _frame(site: _Site, each: Page, main: str) -> str:
    addresses = {view: f"../{address}" for view, address in site.first.items()}
    return document(site.snapshot, each, main, addresses, "../style.css")


def document(snapshot: Snapshot, each: Page, main: str, addresses: Mapping[str, str], style: str) -> str:
    """A whole HTML document around a page's body, with links to all views."""
    manifest = snapshot.manifest
    entries = "".join(
        f'<li><a href="{escape(addresses[view])}"{" aria-current=page" if view == each.view else ""}>'
        f"{TITLES[view]}</a></li>"
        for view in VIEWS
    )
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{escape(each.title)} · clinsynth</title>
<meta name="description" content="{escape(each.lead)}">
<link rel="icon" href="data:,">
<link rel="stylesheet" href="{style}">
</head>
<body class="cs site">
<a class="skip" href="#main">To the content</a>
<div class="frame">
<header><span class="brand">clinsynth</span><nav aria-label="Views"><ul>{entries}</ul></nav></header>
<main id="main">
{main}
</main>
<footer><p>Snapshot <code>{manifest.short}</code> of {manifest.day}, clinsynth {escape(manifest.clinsynth)}.
Scores of synthetic training data by fine-tuning one frozen student and testing it on real text.</p></footer>
</div>
</body>
</html>
"""


def _index(site: _Site) -> str:
    """The first page again, one folder higher, so that the address of the site itself shows a table at once."""
    first = (site.folder / site.first["overall"]).read_text(encoding="utf-8")
    folder = Path(site.first["overall"]).parent.name
    for old, new in (('href="../', 'href="'),):
        first = first.replace(old, new)
    # What lay beside the page now lies in its folder.
    stem = Path(site.first["overall"]).stem
    for other in sorted({path.name for path in (site.folder / folder).iterdir()}, key=len, reverse=True):
        first = first.replace(f'href="{escape(other)}"', f'href="{folder}/{escape(other)}"')
    return first.replace(f'href="{escape(stem)}.html"', f'href="{folder}/{escape(stem)}.html"')
