"""Pages and their tables as HTML: the one renderer, for the static site and the app. All text of strangers is escaped.

Pages are readable without scripts; attributes of tables let one script sort, search and filter.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from urllib.parse import parse_qsl

from clinsynth.site.svg_plots import svg
from clinsynth.site.theme import escape
from clinsynth.views import (
    VIEWS,
    Answer,
    Block,
    Cell,
    Column,
    Facet,
    Facts,
    Figure,
    Filter,
    Page,
    Prose,
    Section,
    Table,
)

Address = Callable[[str], str]
_ROOMS = ((5, "w1"), (10, "w2"), (13, "w3"), (99, "w4"))
"""Characters of the longest interval of a column, and the class that leaves it that much room."""
_STACKED = 4
"""Columns with intervals from which on these stand below their numbers: side by side they would not fit."""
_NARROW = 3
"""Columns up to which two tables stand side by side on a wide screen."""
EARLY = 25
"""Rows of a long table that are in a page which names another one for the rest."""
_SHORT = 24
"""Characters of a text that stays on one line, such as a name: longer ones beside it give way."""


def table(item: Table, address: Address, whole: str = "") -> str:
    """A table with its caption, what its columns mean, and the remarks.

    ``whole``: address of a page that has all rows; of a long table this one then has the first ``EARLY``.
    """
    if not item.rows:
        notes = "".join(f"<p>{escape(note)}</p>" for note in item.notes)
        return f'<section class="empty" id="{escape(item.key)}"><h2>{escape(item.caption)}</h2>{notes}</section>'
    item = item.without_empty()
    drawn = _drawn(item, address, whole)
    if item.folded:
        return (
            f'<section class="block" id="{escape(item.key)}"><details class="fold">'
            f"{drawn}{_notes(item)}</details></section>"
        )
    half = " half" if len(item.columns) <= _NARROW else ""
    return f'<section class="block{half}" id="{escape(item.key)}">{drawn}{_notes(item)}</section>'


def _drawn(item: Table, address: Address, whole: str) -> str:
    rooms = {k: kind for k in range(len(item.columns)) if (kind := _room(item, k))}
    # On a phone a verdict beside numbers would be out of sight: such rows become cards, as rows of words do.
    words = not any(column.number for column in item.columns) or any(column.key == "verdict" for column in item.columns)
    shaded = any(cell.shade is not None for _, row in item.rows for cell in row)
    stacked = shaded or len(rooms) >= _STACKED
    if stacked:
        rooms = dict.fromkeys(rooms, "below")
    row_head = next((k for k, column in enumerate(item.columns) if not column.number), 0)
    values = list(zip(*(facet.values for facet in item.facets), strict=True)) or [()] * len(item.rows)
    long = bool(whole) and len(item.rows) > EARLY
    parts: list[str] = []
    done = 0
    for section in item.sections:
        own = values[done : done + len(section.rows)]
        layout = _Layout(row_head, rooms, words, max(0, EARLY - done) if long else len(section.rows))
        parts.append(_section(section, item.columns, layout, own, address))
        done += len(section.rows)
    rest = f' data-rows="{len(item.rows)}" data-whole="{escape(whole)}"' if long else ""
    # A region that scrolls must be reachable by keyboard, and must say what it is.
    caption = f"{item.key}-caption"
    kind = ' class="heat"' if shaded else ' class="words"' if words else ""
    tag = "summary" if item.folded else "h2"
    title = f'<{tag} id="{escape(caption)}">{escape(item.caption)}</{tag}>'
    return (
        f'{title}<div class="scroll" tabindex="0" role="region" aria-labelledby="{escape(caption)}">'
        f'<table{kind} aria-labelledby="{escape(caption)}" data-key="{escape(item.key)}"{_facets(item.facets)}{rest}>'
        f"<thead>{_head(item.columns, rooms, address)}</thead>{''.join(parts)}</table></div>"
    )


@dataclass(frozen=True, slots=True)
class _Layout:
    head: int
    """The column that names the rows."""
    rooms: dict[int, str]
    """The class of each column with something small beside its numbers."""
    words: bool
    """Whether each row is a card on a phone, with the name of its column before each cell."""
    most: int
    """How many rows of the section are drawn."""


def _facets(facets: Sequence[Facet]) -> str:
    return f' data-facets="{escape("|".join(facet.label for facet in facets))}"' if facets else ""


def _room(item: Table, place: int) -> str:
    """The class of a column of numbers with intervals behind them, so that the numbers stay in line; or nothing."""
    if not item.columns[place].number:
        return ""
    longest = max(len(row[place].small) for _, row in item.rows)
    return next(kind for most, kind in _ROOMS if longest <= most) if longest else ""


def _head(columns: Sequence[Column], rooms: dict[int, str], address: Address) -> str:
    cells = [_head_cell(column, rooms.get(k, ""), k, address) for k, column in enumerate(columns)]
    if not any(column.group for column in columns):
        return f"<tr>{''.join(cells)}</tr>"
    above: list[str] = []
    below: list[str] = []
    for group, own in groupby(range(len(columns)), key=lambda k: columns[k].group):
        places = list(own)
        if group:
            span = f' colspan="{len(places)}"' if len(places) > 1 else ""
            above.append(f'<th scope="colgroup" class="group"{span}>{escape(group)}</th>')
            below += [cells[k] for k in places]
        else:
            above += [cells[k].replace("<th", '<th rowspan="2"', 1) for k in places]
    return f"<tr>{''.join(above)}</tr><tr>{''.join(below)}</tr>"


def _head_cell(column: Column, room: str, place: int, address: Address) -> str:
    kinds = " ".join(filter(None, ("n" if column.number else "", room, _emphasis(column))))
    kind = f' class="{kinds}"' if kinds else ""
    title = f' title="{escape(column.help)}"' if column.help else ""
    # Long names of data sets break at their hyphens.
    words = escape(column.title).replace("-", "-<wbr>")
    if column.link:
        words = f'<a href="{escape(address(column.link))}">{words}</a>'
    group = f' data-g="{escape(column.group)}"' if column.group else ""
    return f'<th scope="col" data-c="{place}" data-k="{escape(column.key)}"{group}{kind}{title}>{words}</th>'


def _emphasis(column: Column) -> str:
    return "mean" if column.key.startswith("mean_") else ""


def _section(
    section: Section, columns: Sequence[Column], layout: _Layout, values: Sequence[tuple[str, ...]], address: Address
) -> str:
    if not layout.most:
        return "<tbody></tbody>"
    title = (
        f'<tr class="section"><th scope="rowgroup" colspan="{len(columns)}">'
        f"<span>{escape(section.title)}</span></th></tr>"
        if section.title
        else ""
    )
    lines: list[str] = []
    for row, own in zip(section.rows[: layout.most], values, strict=False):
        cells = "".join(
            _cell(cell, column, layout, at, address) for at, (cell, column) in enumerate(zip(row, columns, strict=True))
        )
        mark = f' data-f="{escape("|".join(own))}"' if own else ""
        lines.append(f"<tr{mark}>{cells}</tr>")
    return f"<tbody>{title}{''.join(lines)}</tbody>"


def _cell(cell: Cell, column: Column, layout: _Layout, place: int, address: Address) -> str:
    is_head, room = place == layout.head, layout.rooms.get(place, "")
    wide = column.key in ("remarks", "verdict")
    short = not column.number and not wide and len(cell.text) <= _SHORT
    marks = {
        "n": column.number, room: bool(room), "m": cell.muted, "t": not column.number, "k": short, "r": wide,
        _emphasis(column): bool(_emphasis(column)),
        f"h{_step(cell.shade)}": cell.shade is not None, "other": cell.small.endswith("*"),
    }  # fmt: skip
    kinds = [name for name, holds in marks.items() if holds]
    title = f' title="{escape(cell.title)}"' if cell.title else ""
    words = escape(cell.text)
    if cell.link:
        words = f'<a href="{escape(address(cell.link))}">{words}</a>'
    small = f"<small>{_parts(cell.small)}</small>" if cell.small or (room and room != "below") else ""
    inner = f"<span>{words}</span>{small}" if room and room != "below" else words + (f" {small}" if small else "")
    opened = '<th scope="row"' if is_head else "<td"
    kind = f' class="{" ".join(kinds)}"' if kinds else ""
    label = f' data-t="{escape(column.title)}"' if layout.words and not is_head else ""
    return f"{opened}{kind}{label}{title}>{inner}{'</th>' if is_head else '</td>'}"


def _parts(small: str) -> str:
    """Words with points between: each stays on one line."""
    parts = small.split(" · ")
    if len(parts) == 1:
        return escape(small)
    return " · ".join(f'<span class="p">{escape(part)}</span>' if len(part) < 28 else escape(part) for part in parts)


def _step(shade: float | None) -> int:
    """A share in steps of a tenth: as many shades as an eye can tell apart."""
    return round(10 * min(1.0, max(0.0, shade or 0.0)))


def _notes(item: Table) -> str:
    notes = "".join(f"<li>{escape(note)}</li>" for note in item.notes)
    helps = "".join(
        f"<dt>{escape(column.title)}</dt><dd>{escape(column.help)}</dd>" for column in item.columns if column.help
    )
    listed = f'<ul class="notes">{notes}</ul>' if notes else ""
    return listed + (f"<details><summary>What the columns mean</summary><dl>{helps}</dl></details>" if helps else "")


@dataclass(frozen=True, slots=True)
class Links:
    """Addresses of pages, which differ between the site and the app."""

    to: Callable[[str, Mapping[str, str]], str]
    """Address of a view under some filters; the others are as on this page."""
    filtered: Callable[[Page, Filter, str], str] | None = None
    """Address of the same page with another value of a filter; ``None``: filters are drawn elsewhere."""
    whole: Callable[[Page], str] | None = None
    """Address of all rows of the page's long tables, from where a script takes them; ``None``: all are here."""

    def address(self, link: str) -> str:
        """Address of a cell's link: a web page, a view with its filters, or a submission."""
        if link.startswith(("https://", "http://", "#")):
            return link
        view, asked, query = link.partition("?")
        # What is neither is a stranger's word for an address: it leads to a submission that there is not.
        known = asked and view in VIEWS
        return self.to(view, dict(parse_qsl(query))) if known else self.to("submission", {"name": link})


def body(page: Page, links: Links) -> str:
    """A page without its frame."""
    parts = [f"<h1>{escape(page.title)}</h1>", f'<p class="lead">{escape(page.lead)}</p>']
    parts += [f'<p class="warning" role="status">{escape(each)}</p>' for each in page.warnings]
    if links.filtered is not None:
        parts += [_filter(page, each, links.filtered) for each in page.filters if len(each.choices) > 1]
    return "\n".join([*parts, blocks(page.blocks, links, links.whole(page) if links.whole else "")])


def blocks(items: Sequence[Block], links: Links, whole: str = "") -> str:
    """Blocks one after the other; an answer, and facts, have a figure that follows them beside them."""
    out: list[str] = []
    left = list(items)
    alone = sum(isinstance(block, Facts) for block in left) == 1
    while left:
        block, after = left.pop(0), left[0] if left else None
        if isinstance(block, (Answer, Facts) if alone else Answer) and isinstance(after, Figure):
            left.pop(0)
            out.append(f'<div class="first">{_block(block, links, whole)}{svg(after)}</div>')
        else:
            out.append(_block(block, links, whole))
    return "\n".join(out)


def _block(block: Block, links: Links, whole: str) -> str:
    if isinstance(block, Table):
        return table(block, links.address, whole)
    if isinstance(block, Figure):
        return svg(block)
    if isinstance(block, Answer):
        return _answer(block)
    return _facts(block, links) if isinstance(block, Facts) else _prose(block)


def _answer(block: Answer) -> str:
    items = "".join(
        f"<dt>{escape(question)}</dt><dd><strong>{escape(short)}</strong> {escape(more)}</dd>"
        for question, short, more in block.items
    )
    return f'<dl class="answer">{items}</dl>'


def _filter(page: Page, each: Filter, address: Callable[[Page, Filter, str], str]) -> str:
    chosen = each.value.split(",")
    items = "".join(
        f'<li><a href="{escape(address(page, each, choice.value))}"{_current(choice.value in chosen)}>'
        f"{escape(choice.label)}</a></li>"
        for choice in each.choices
    )
    name = f"filter-{each.key}"
    labels = ", ".join(choice.label for choice in each.choices if choice.value in chosen)
    folded = len(each.choices) > 9
    summary = f'<details class="filter"><summary><b id="{name}">{escape(each.label)}</b> {escape(labels)}</summary>'
    opened, closed = (
        (summary, "</details>")
        if folded
        else (f'<div class="filter"><b id="{name}">{escape(each.label)}</b>', "</div>")
    )
    return f'{opened}<ul aria-labelledby="{name}">{items}</ul>{closed}'


def _current(is_it: bool) -> str:
    return ' aria-current="true"' if is_it else ""


def _facts(item: Facts, links: Links) -> str:
    pairs: list[str] = []
    for name, cell in item.pairs:
        words = escape(cell.text)
        if cell.link.startswith(("https://", "http://")):
            words = f'<a href="{escape(cell.link)}">{words}</a>'
        small = f" <small>{escape(cell.small)}</small>" if cell.small else ""
        pairs.append(f"<dt>{escape(name)}</dt><dd{' class=m' if cell.muted else ''}>{words}{small}</dd>")
    return (
        f'<section class="block beside"><h2>{escape(item.title)}</h2><dl class="facts">{"".join(pairs)}</dl></section>'
    )


def _prose(item: Prose) -> str:
    parts: list[str] = []
    commands: list[str] = []
    for paragraph in (*item.paragraphs, ""):
        if paragraph.startswith("$ "):
            commands.append(escape(paragraph[2:]))
            continue
        if commands:
            parts.append(verbatim("\n".join(commands), escaped=True))
            commands = []
        if paragraph:
            parts.append(f"<p>{escape(paragraph)}</p>")
    last = verbatim(item.verbatim) if item.verbatim else ""
    return f'<section class="prose"><h2>{escape(item.title)}</h2>{"".join(parts)}{last}</section>'


def verbatim(words: str, *, escaped: bool = False, key: str = "") -> str:
    """Text in a fixed font, to be copied."""
    of = f' data-latex="{escape(key)}"' if key else ""
    return f'<div class="code"><pre tabindex="0"{of}><code>{words if escaped else escape(words)}</code></pre></div>'


def take(files: Sequence[tuple[str, str, str]]) -> str:
    """The list of downloads, each with label, address, and the title of its figure (empty for the page)."""
    groups: dict[str, list[str]] = {}
    for label, address, figure in files:
        link = f'<a href="{escape(address)}" download>{escape(label)}</a>'
        groups.setdefault(figure, []).append(link)
    parts = [
        f"{escape(f'Plot “{name}”') if name else 'Take it with you'}: {', '.join(own)}" for name, own in groups.items()
    ]
    return f'<p class="take">{"; ".join(parts)}</p>'
