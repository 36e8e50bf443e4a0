"""Pages as HTML: the one table renderer, for the static site and for the app. Everything of a stranger is escaped."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from clinsynth.site.markup import escape
from clinsynth.site.svg_plots import svg
from clinsynth.views import Block, Cell, Column, Facts, Figure, Filter, Page, Prose, Section, Table


@dataclass(frozen=True, slots=True)
class Links:
    """Where things lie, which differs between the site and the app."""

    submission: Callable[[str], str]
    """Address of a submission's page."""
    filtered: Callable[[Page, Filter, str], str] | None = None
    """Address of the same page with another value of a filter; ``None``: filters are drawn elsewhere."""
    figures: bool = True
    """Whether figures are drawn into the page."""


def body(page: Page, links: Links) -> str:
    """A page without its frame."""
    parts = [f"<h1>{escape(page.title)}</h1>", f'<p class="lead">{escape(page.lead)}</p>']
    parts += [f'<p class="warning" role="status">{escape(each)}</p>' for each in page.warnings]
    if links.filtered is not None:
        parts += [_filter(page, each, links.filtered) for each in page.filters if len(each.choices) > 1]
    return "\n".join([*parts, blocks(page.blocks, links)])


def blocks(items: Sequence[Block], links: Links) -> str:
    """Blocks one after the other."""
    return "\n".join(_block(each, links) for each in items)


def _block(block: Block, links: Links) -> str:
    if isinstance(block, Table):
        return table(block, links)
    if isinstance(block, Figure):
        return svg(block) if links.figures else ""
    return _facts(block, links) if isinstance(block, Facts) else _prose(block)


def _filter(page: Page, each: Filter, address: Callable[[Page, Filter, str], str]) -> str:
    items = "".join(
        f'<li><a href="{escape(address(page, each, choice.value))}"'
        f"{_current(choice.value in each.value.split(','))}>{escape(choice.label)}</a></li>"
        for choice in each.choices
    )
    name = f"filter-{each.key}"
    folded = len(each.choices) > 12
    summary = f'<details class="filter"><summary><b id="{name}">{escape(each.label)}</b> {escape(each.value)}</summary>'
    opened, closed = (
        (summary, "</details>")
        if folded
        else (f'<div class="filter"><b id="{name}">{escape(each.label)}</b>', "</div>")
    )
    return f'{opened}<ul aria-labelledby="{name}">{items}</ul>{closed}'


def _current(is_it: bool) -> str:
    return ' aria-current="true"' if is_it else ""


def table(item: Table, links: Links) -> str:
    """A table with its caption, what its columns mean, and the remarks."""
    if not item.rows:
        notes = "".join(f"<p>{escape(note)}</p>" for note in item.notes)
        return f'<section class="empty" id="{escape(item.key)}"><h2>{escape(item.caption)}</h2>{notes}</section>'
    item = item.without_empty()
    used = {k: kind for k in range(len(item.columns)) if (kind := _room(item, k))}
    row_head = next((k for k, column in enumerate(item.columns) if not column.number), 0)
    head = "".join(_head(column, used.get(k, "")) for k, column in enumerate(item.columns))
    parts = "".join(_section(section, item.columns, row_head, used, links) for section in item.sections)
    # A region that scrolls must be reachable by keyboard, and must say what it is.
    caption = f"{item.key}-caption"
    return (
        f'<section class="block" id="{escape(item.key)}"><div class="scroll" tabindex="0" role="region" '
        f'aria-labelledby="{caption}"><table><caption id="{caption}"><span>{escape(item.caption)}</span></caption>'
        f"<thead><tr>{head}</tr></thead>{parts}</table></div>{_notes(item)}</section>"
    )


_ROOMS = ((5, "w1"), (10, "w2"), (13, "w3"), (99, "w4"))
"""Characters of the longest interval of a column, and the class that leaves it that much room."""


def _room(item: Table, place: int) -> str:
    """The class of a column of numbers with intervals behind them, so that the numbers stay in line; or nothing."""
    if not item.columns[place].number:
        return ""
    longest = max(len(row[place].small) for _, row in item.rows)
    return next(kind for most, kind in _ROOMS if longest <= most) if longest else ""


def _head(column: Column, room: str) -> str:
    kind = f' class="n {room}"' if room else ' class="n"' if column.number else ""
    title = f' title="{escape(column.help)}"' if column.help else ""
    return f'<th scope="col"{kind}{title}>{escape(column.title)}</th>'


def _section(section: Section, columns: Sequence[Column], row_head: int, used: dict[int, str], links: Links) -> str:
    title = (
        f'<tr class="section"><th scope="rowgroup" colspan="{len(columns)}">'
        f"<span>{escape(section.title)}</span></th></tr>"
        if section.title
        else ""
    )
    lines: list[str] = []
    for row in section.rows:
        cells = "".join(
            _cell(cell, column, k == row_head, used.get(k, ""), links)
            for k, (cell, column) in enumerate(zip(row, columns, strict=True))
        )
        lines.append(f"<tr>{cells}</tr>")
    return f"<tbody>{title}{''.join(lines)}</tbody>"


_SHORT = 24
"""Characters of a text that stays on one line, such as a name: longer ones beside it give way."""


def _cell(cell: Cell, column: Column, is_head: bool, room: str, links: Links) -> str:
    short = not column.number and not column.wide and len(cell.text) <= _SHORT
    marks = {
        "n": column.number,
        room: bool(room),
        "m": cell.muted,
        "t": not column.number,
        "k": short,
        "r": column.wide,
    }
    kinds = [name for name, holds in marks.items() if holds]
    title = f' title="{escape(cell.title)}"' if cell.title else ""
    words = escape(cell.text)
    if cell.link:
        address = cell.link if cell.link.startswith(("https://", "http://")) else links.submission(cell.link)
        words = f'<a href="{escape(address)}">{words}</a>'
    small = f"<small>{escape(cell.small)}</small>" if cell.small or room else ""
    inner = f"<span>{words}</span>{small}" if room else words + (f" {small}" if small else "")
    opened = '<th scope="row"' if is_head else "<td"
    kind = f' class="{" ".join(kinds)}"' if kinds else ""
    return f"{opened}{kind}{title}>{inner}{'</th>' if is_head else '</td>'}"


def _notes(item: Table) -> str:
    notes = "".join(f"<li>{escape(note)}</li>" for note in item.notes)
    helps = "".join(
        f"<dt>{escape(column.title)}</dt><dd>{escape(column.help)}</dd>" for column in item.columns if column.help
    )
    listed = f'<ul class="notes">{notes}</ul>' if notes else ""
    return listed + (f"<details><summary>What the columns mean</summary><dl>{helps}</dl></details>" if helps else "")


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
            parts.append(f'<pre tabindex="0"><code>{chr(10).join(commands)}</code></pre>')
            commands = []
        if paragraph:
            parts.append(f"<p>{escape(paragraph)}</p>")
    verbatim = f'<pre tabindex="0"><code>{escape(item.verbatim)}</code></pre>' if item.verbatim else ""
    return f'<section class="prose"><h2>{escape(item.title)}</h2>{"".join(parts)}{verbatim}</section>'


def take(files: Sequence[tuple[str, str, str]]) -> str:
    """Links to what can be taken away: label, address, and of which figure it is (empty for the page)."""
    groups: dict[str, list[str]] = {}
    for label, address, figure in files:
        link = f'<a href="{escape(address)}" download>{escape(label)}</a>'
        groups.setdefault(figure, []).append(link)
    parts = [
        f"{escape(f'Plot “{name}”') if name else 'Take it with you'}: {', '.join(own)}" for name, own in groups.items()
    ]
    return f'<p class="take">{"; ".join(parts)}</p>'
