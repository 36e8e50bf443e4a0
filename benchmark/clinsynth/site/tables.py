"""Tables as HTML. They are whole without any script; marks in them let one script sort, search and choose."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import groupby

from clinsynth.site.markup import escape
from clinsynth.views import Cell, Column, Facet, Section, Table

Address = Callable[[str], str]
_ROOMS = ((5, "w1"), (10, "w2"), (13, "w3"), (99, "w4"))
"""Characters of the longest interval of a column, and the class that leaves it that much room."""
_STACKED = 4
"""Columns with intervals from which on these stand below their numbers: side by side they would not fit."""
_NARROW = 3
"""Columns up to which two tables stand side by side on a wide screen."""
_EARLY = 60
"""Rows of a table that the app shows before anything else; those after them follow when these are seen."""
_SHORT = 24
"""Characters of a text that stays on one line, such as a name: longer ones beside it give way."""


def table(item: Table, address: Address) -> str:
    """A table with its caption, what its columns mean, and the remarks."""
    if not item.rows:
        notes = "".join(f"<p>{escape(note)}</p>" for note in item.notes)
        return f'<section class="empty" id="{escape(item.key)}"><h2>{escape(item.caption)}</h2>{notes}</section>'
    item = item.without_empty()
    drawn = _drawn(item, address)
    if item.folded:
        return (
            f'<section class="block" id="{escape(item.key)}"><details class="fold">'
            f"{drawn}{_notes(item)}</details></section>"
        )
    half = " half" if len(item.columns) <= _NARROW else ""
    return f'<section class="block{half}" id="{escape(item.key)}">{drawn}{_notes(item)}</section>'


def _drawn(item: Table, address: Address) -> str:
    rooms = {k: kind for k in range(len(item.columns)) if (kind := _room(item, k))}
    # On a phone a verdict beside numbers would be out of sight: such rows become cards, as rows of words do.
    words = not any(column.number for column in item.columns) or any(column.key == "verdict" for column in item.columns)
    shaded = any(cell.shade is not None for _, row in item.rows for cell in row)
    stacked = shaded or len(rooms) >= _STACKED
    if stacked:
        rooms = dict.fromkeys(rooms, "below")
    row_head = next((k for k, column in enumerate(item.columns) if not column.number), 0)
    values = list(zip(*(facet.values for facet in item.facets), strict=True)) or [()] * len(item.rows)
    parts: list[str] = []
    done = 0
    for section in item.sections:
        own = values[done : done + len(section.rows)]
        layout = _Layout(row_head, rooms, words, _EARLY - done)
        parts.append(_section(section, item.columns, layout, own, address))
        done += len(section.rows)
    # A region that scrolls must be reachable by keyboard, and must say what it is.
    caption = f"{item.key}-caption"
    kind = ' class="heat"' if shaded else ' class="words"' if words else ""
    tag = "summary" if item.folded else "h2"
    title = f'<{tag} id="{escape(caption)}">{escape(item.caption)}</{tag}>'
    return (
        f'{title}<div class="scroll" tabindex="0" role="region" aria-labelledby="{escape(caption)}">'
        f'<table{kind} aria-labelledby="{escape(caption)}" data-key="{escape(item.key)}"{_facets(item.facets)}>'
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
    early: int
    """How many more rows need not wait, at this place of the table."""


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
    title = (
        f'<tr class="section"><th scope="rowgroup" colspan="{len(columns)}">'
        f"<span>{escape(section.title)}</span></th></tr>"
        if section.title
        else ""
    )
    lines: list[str] = []
    for k, (row, own) in enumerate(zip(section.rows, values, strict=True)):
        cells = "".join(
            _cell(cell, column, layout, at, address) for at, (cell, column) in enumerate(zip(row, columns, strict=True))
        )
        mark = f' data-f="{escape("|".join(own))}"' if own else ""
        late = " class=late" if k >= layout.early else ""
        lines.append(f"<tr{late}{mark}>{cells}</tr>")
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
    """A tenth of the way: as many colours as an eye tells apart."""
    return round(10 * min(1.0, max(0.0, shade or 0.0)))


def _notes(item: Table) -> str:
    notes = "".join(f"<li>{escape(note)}</li>" for note in item.notes)
    helps = "".join(
        f"<dt>{escape(column.title)}</dt><dd>{escape(column.help)}</dd>" for column in item.columns if column.help
    )
    listed = f'<ul class="notes">{notes}</ul>' if notes else ""
    return listed + (f"<details><summary>What the columns mean</summary><dl>{helps}</dl></details>" if helps else "")
