"""Pages as HTML: the one renderer, for the static site and for the app. Everything of a stranger is escaped."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import parse_qsl

from clinsynth.site.svg_plots import svg
from clinsynth.site.tables import table
from clinsynth.site.theme import escape
from clinsynth.views import VIEWS, Answer, Block, Facts, Figure, Filter, Page, Prose, Table


@dataclass(frozen=True, slots=True)
class Links:
    """Addresses of pages, which differ between the site and the app."""

    to: Callable[[str, Mapping[str, str]], str]
    """Address of a view under some filters; the others are as on this page."""
    filtered: Callable[[Page, Filter, str], str] | None = None
    """Address of the same page with another value of a filter; ``None``: filters are drawn elsewhere."""

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
    return "\n".join([*parts, blocks(page.blocks, links)])


def blocks(items: Sequence[Block], links: Links) -> str:
    """Blocks one after the other; an answer, and facts, have a figure that follows them beside them."""
    out: list[str] = []
    left = list(items)
    alone = sum(isinstance(block, Facts) for block in left) == 1
    while left:
        block, after = left.pop(0), left[0] if left else None
        if isinstance(block, (Answer, Facts) if alone else Answer) and isinstance(after, Figure):
            left.pop(0)
            out.append(f'<div class="first">{_block(block, links)}{svg(after)}</div>')
        else:
            out.append(_block(block, links))
    return "\n".join(out)


def _block(block: Block, links: Links) -> str:
    if isinstance(block, Table):
        return table(block, links.address)
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
