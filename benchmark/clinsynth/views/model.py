"""The parts of a page, before it is drawn: tables of cells, figures, prose.

The site, the app, the exports and the command line draw the same views; none of them computes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

Query = Mapping[str, str]
"""Filters of a link, by key. Unknown keys are ignored; an unknown value gives a warning on the page."""

Value = str | int | float | bool | None


@dataclass(frozen=True, slots=True)
class Cell:
    """One cell: what is shown, and what an export takes."""

    text: str
    """The text that is shown."""
    value: Value = None
    """The unrounded value in its own unit; ``None`` is unknown or not applicable."""
    small: str = ""
    """Shown smaller behind it: an interval, a note."""
    low: float | None = None
    high: float | None = None
    """The interval, where there is one."""
    link: str = ""
    """A submission's name, a view with its filters (``tasks?task=gad``), or an address."""
    muted: bool = False
    """Whether it is shown in grey, since it says less than its neighbours."""
    title: str = ""
    """Text shown under a pointer; never the only place of a fact."""
    shade: float | None = None
    """Strength of the cell's colour, from 0 to 1: a second way to read the number that the cell shows."""

    @property
    def said(self) -> str:
        """The text, followed by the small text in parentheses."""
        return f"{self.text} ({self.small})" if self.small else self.text


DASH = "–"


NAMES = ("task", "scope", "set", "submission", "other", "model")
"""Keys of the columns that name the subject of a row."""


@dataclass(frozen=True, slots=True)
class Column:
    """One column."""

    key: str
    """Name in exports."""
    title: str
    number: bool = False
    """Whether it is aligned to the right."""
    interval: bool = False
    """Whether exports get ``<key>_low`` and ``<key>_high`` too."""
    help: str = ""
    """One sentence, shown under the table."""
    group: str = ""
    """Heading over neighbouring columns of one kind; readers can choose columns by it."""
    link: str = ""
    """Where the title leads, as in a cell."""
    spare: bool = False
    """Whether a narrow terminal leaves it out before other columns."""

    @property
    def wide(self) -> bool:
        """Whether its cells are sentences: where there is little room, they stand below the table."""
        return self.key in ("remarks", "verdict")


@dataclass(frozen=True, slots=True)
class Section:
    """Rows that belong together, such as those below the line."""

    title: str
    """Empty for the first and only one."""
    rows: tuple[tuple[Cell, ...], ...]


@dataclass(frozen=True, slots=True)
class Facet:
    """A property of the rows of a table, for a reader who wants to see only some of them."""

    key: str
    label: str
    values: tuple[str, ...]
    """A value for each row of the table, in order; empty: the row is always shown."""


@dataclass(frozen=True, slots=True)
class Table:
    """A table."""

    key: str
    caption: str
    columns: tuple[Column, ...]
    sections: tuple[Section, ...]
    notes: tuple[str, ...] = ()
    """Sentences below it."""
    facets: tuple[Facet, ...] = ()
    folded: bool = False
    """Whether it stays closed until it is asked for: details that few need."""

    @property
    def rows(self) -> list[tuple[str, tuple[Cell, ...]]]:
        """Section title and cells of every row."""
        return [(section.title, row) for section in self.sections for row in section.rows]

    def with_columns(self, kept: Sequence[int]) -> Table:
        """The table with these of its columns."""
        sections = tuple(Section(s.title, tuple(tuple(row[k] for k in kept) for row in s.rows)) for s in self.sections)
        return replace(self, columns=tuple(self.columns[k] for k in kept), sections=sections)

    def without_empty(self) -> Table:
        """The table without columns that hold no number, or no word, in any row; a note gives the reasons, if any."""
        gone: list[str] = []
        kept: list[int] = []
        for k, column in enumerate(self.columns):
            cells = [row[k] for _, row in self.rows]
            if any(cell.value is not None if column.number else cell.text.strip(DASH) for cell in cells):
                kept.append(k)
                continue
            # A cell may have several reasons, which others have one of.
            if reasons := sorted({reason for cell in cells for reason in cell.title.split("; ") if reason}):
                gone.append(f"{column.title} ({'; '.join(reasons)})")
        if not kept or len(kept) == len(self.columns):
            return self
        notes = (*self.notes, f"No number yet: {', '.join(gone)}.") if gone else self.notes
        return replace(self.with_columns(kept), notes=notes)

    def asides(self) -> list[str]:
        """Texts of wide columns to print below the table, each once behind its rows: ``one (gad, hoc): tie``."""
        wide = [k for k, column in enumerate(self.columns) if column.wide]
        names = [k for k, column in enumerate(self.columns) if column.key in NAMES]
        said: dict[str, list[tuple[str, ...]]] = {}
        for _, row in self.rows:
            who = tuple(row[k].text for k in names)
            for k in wide:
                # A cell of remarks may hold several, which other rows have one of; a verdict is one sentence.
                for words in row[k].said.split("; ") if self.columns[k].key == "remarks" else [row[k].said]:
                    if words:
                        said.setdefault(words, []).append(who)
        every = len(self.rows) if len(self.rows) > 1 else 0
        if not names:
            return list(said)
        return [f"{'all' if len(who) == every else _listed(who)}: {words}" for words, who in said.items()]


def _listed(who: Sequence[tuple[str, ...]]) -> str:
    """Rows by their last name, with what stands before it in brackets."""
    places: dict[str, list[str]] = {}
    for *before, name in who:
        places.setdefault(name, []).extend(before)
    return "; ".join(f"{name} ({', '.join(dict.fromkeys(of))})" if of else name for name, of in places.items())


@dataclass(frozen=True, slots=True)
class Point:
    """A point of a figure."""

    x: float
    y: float
    low: float | None = None
    high: float | None = None
    """Interval along the value's axis."""
    label: str = ""


@dataclass(frozen=True, slots=True)
class Series:
    """Points of one name.

    In a forest plot ``y`` counts the lines from the top. Points of several series may share a line: that of the first
    series is then the one that is named and written out.
    """

    name: str
    points: tuple[Point, ...]
    line: bool = False
    emphasis: bool = False
    """Drawn in the accent colour and with another shape: a front, or a decided difference."""


@dataclass(frozen=True, slots=True)
class Rule:
    """A line across a forest plot, such as the score of a reference."""

    x: float
    label: str


@dataclass(frozen=True, slots=True)
class Figure:
    """A plot. What it shows is also in a table of the same page."""

    key: str
    title: str
    kind: Literal["forest", "lines", "points"]
    series: tuple[Series, ...]
    x_title: str
    y_title: str = ""
    log_x: bool = False
    zero: float | None = None
    """Where a reference line stands on the x axis."""
    description: str = ""
    """The same in words, for readers who cannot see the plot."""
    rules: tuple[Rule, ...] = ()


@dataclass(frozen=True, slots=True)
class Facts:
    """Pairs of a name and a value."""

    title: str
    pairs: tuple[tuple[str, Cell], ...]


@dataclass(frozen=True, slots=True)
class Prose:
    """Paragraphs; a line that begins with ``$ `` is a command."""

    title: str
    paragraphs: tuple[str, ...]
    verbatim: str = ""
    """Text in a fixed font, such as BibTeX."""


@dataclass(frozen=True, slots=True)
class Answer:
    """The first answers on a page: each question with a short answer and a longer explanation."""

    items: tuple[tuple[str, str, str], ...]


Block = Table | Figure | Facts | Prose | Answer


@dataclass(frozen=True, slots=True)
class Choice:
    """One value of a filter."""

    value: str
    label: str


@dataclass(frozen=True, slots=True)
class Filter:
    """A filter of a view, with the value it has on this page."""

    key: str
    label: str
    choices: tuple[Choice, ...]
    value: str
    """Names with commas between where many may be chosen."""
    many: bool = False


@dataclass(frozen=True, slots=True)
class Page:
    """One view under one query."""

    view: str
    title: str
    lead: str
    """One sentence on what the page shows."""
    filters: tuple[Filter, ...] = ()
    blocks: tuple[Block, ...] = ()
    warnings: tuple[str, ...] = ()
    """Parts of the query that could not be met."""
    submissions: tuple[str, ...] = ()
    """Names of the submissions shown, whose BibTeX entries belong to the page."""

    @property
    def tables(self) -> list[Table]:
        """The page's tables."""
        return [block for block in self.blocks if isinstance(block, Table)]

    @property
    def figures(self) -> list[Figure]:
        """The page's figures."""
        return [block for block in self.blocks if isinstance(block, Figure)]

    @property
    def query(self) -> dict[str, str]:
        """The filters as a link holds them."""
        return {each.key: each.value for each in self.filters}


def number(
    value: float | None, low: float | None = None, high: float | None = None, *, scale: float = 100, sign: str = "",
    title: str = "", digits: int = 1,
) -> Cell:  # fmt: skip
    """A score with its interval, ``digits`` decimals of ``scale`` times the value.

    A dash for ``None``, with the reason as ``title``.
    """
    if value is None:
        return Cell(DASH, title=title, muted=True)
    small = interval(low, high, scale=scale, sign=sign, digits=digits)
    return Cell(plain(value, scale, sign, digits), value, small, low, high)


def plain(value: float, scale: float = 100, sign: str = "", digits: int = 1) -> str:
    """A number as shown: a true minus, and never a minus before zero."""
    text = f"{scale * value:{sign}.{digits}f}"
    if not any(c in "123456789" for c in text):
        text = text.lstrip("+-")
    return text.replace("-", "−")


def interval(low: float | None, high: float | None, *, scale: float = 100, sign: str = "", digits: int = 1) -> str:
    """``72.9 to 75.6`` with a dash; an open end is left out; empty without both."""
    if low is None and high is None:
        return ""
    ends = ["" if end is None else plain(end, scale, sign, digits) for end in (low, high)]
    joint = " to " if any("−" in end or "+" in end for end in ends) else DASH
    return joint.join(ends) if all(ends) else f"≥ {ends[0]}" if ends[0] else f"≤ {ends[1]}"


def count(value: float | None, *, reason: str = "unknown") -> Cell:
    """A whole number with separators; ``unknown`` for ``None``."""
    return Cell(reason, muted=True) if value is None else Cell(f"{value:,.0f}", value)


def text(value: str, *, link: str = "", small: str = "", muted: bool = False, title: str = "") -> Cell:
    """A cell of text."""
    return Cell(value, value, small, link=link, muted=muted, title=title)


def pick(
    query: Query, key: str, label: str, choices: Sequence[Choice], warnings: list[str], default: str = ""
) -> Filter:
    """The filter with the value of the query; if that is not among the choices, with the default and a warning."""
    known = [choice.value for choice in choices]
    asked, fallback = query.get(key, ""), default if default in known else next(iter(known), "")
    if asked and asked not in known:
        warnings.append(f"The link asks for {label.lower()} “{asked[:80]}”, which this snapshot does not have here.")
    return Filter(key, label, tuple(choices), asked if asked in known else fallback)
