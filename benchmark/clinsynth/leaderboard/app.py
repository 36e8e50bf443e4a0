"""The app: a tab for each view, with the page as the static site draws it, and an endpoint for each view for programs.

Every function depends on its arguments alone; what one reader chooses is in that reader's address and nowhere else.
"""

from __future__ import annotations

import inspect
import json
from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache
from importlib import import_module
from typing import Any, cast
from urllib.parse import urlencode

from clinsynth.export import FORMATS, LABELS, SUFFIXES, as_json
from clinsynth.leaderboard.archive import SUFFIXES as ARCHIVES
from clinsynth.site import SENTENCE, Home, Links, body, cite, footer, take
from clinsynth.snapshot import Snapshot
from clinsynth.views import TITLES, VIEWS, Filter, Page, page, shown

RADIO = 20
"""Most choices of a filter that is drawn as buttons; with more it is a list to search."""
FIRST = "overall"


class Board:
    """Pages of one snapshot as the app shows them."""

    def __init__(self, snapshot: Snapshot, home: Home | None = None) -> None:
        """Pages are made when they are asked for, and the latest are kept."""
        self.snapshot, self.home = snapshot, home or Home()
        self._keys = {view: [one.key for one in page(snapshot, view, {}).filters] for view in VIEWS}
        self._made: Callable[[str, str], tuple[Page, str]] = lru_cache(maxsize=512)(self._make)

    def show(self, view: str, query: Mapping[str, str]) -> tuple[Page, str]:
        """A page and its HTML."""
        return self._made(view, json.dumps(dict(query), sort_keys=True))

    def _make(self, view: str, query: str) -> tuple[Page, str]:
        made = page(self.snapshot, view, json.loads(query))
        links = Links(to=self._to(made), whole=lambda of: f"whole/{of.view}?{urlencode(of.query)}")
        return made, f'<div class="cs">{body(made, links)}{self._take(made)}</div>'

    def whole(self, view: str, query: Mapping[str, str]) -> str:
        """The HTML of a page with all rows of its long tables, of which ``show`` has the first."""
        made = page(self.snapshot, view, query)
        return f'<div class="cs">{body(made, Links(to=self._to(made)))}{cite(self.snapshot, made)}</div>'

    def _to(self, made: Page) -> Callable[[str, Mapping[str, str]], str]:
        return lambda view, asked: self.address(view, {**made.query, **asked})

    def address(self, view: str, query: Mapping[str, str]) -> str:
        """The link to a view under those of these filters that it has."""
        return "?" + urlencode({"view": view} | {key: query[key] for key in self._keys[view] if query.get(key)})

    def _take(self, made: Page) -> str:
        if not made.tables:
            return ""
        files = [
            (LABELS[name], f"take/{made.view}.{SUFFIXES[name]}?{urlencode(made.query)}", "") for name in FORMATS
        ]  # fmt: skip
        for figure in made.figures:
            where = urlencode({**made.query, "figure": figure.key})
            files += [(kind.upper(), f"take/{made.view}.{kind}?{where}", figure.title) for kind in ("svg", "png")]
        plain = f'<a href="plain/{made.view}?{urlencode(made.query)}">This page without scripts</a>'
        return f"{cite(self.snapshot, made, later=True)}{take(files)}<p class=take>{plain}</p>"


def layout(board: Board) -> Any:
    """The app's ``gradio.Blocks``. Needs gradio."""
    gr: Any = import_module("gradio")
    manifest = board.snapshot.manifest
    with gr.Blocks(title="clinsynth leaderboard", analytics_enabled=False, fill_width=True) as blocks:
        gr.HTML(
            f'<div class="cs"><header class="app"><a class="brand" href="?">clinsynth</a> <span>Snapshot '
            f"<code>{manifest.short}</code> of {manifest.day}</span></header></div>",
            padding=False,
            apply_default_css=False,
        )
        parts: dict[str, _Part] = {}
        with gr.Tabs(selected=FIRST, elem_id="views") as tabs:
            # What has nothing to show in this snapshot has no tab.
            for view in shown(board.snapshot):
                with gr.Tab(TITLES[view], id=view) as tab:
                    parts[view] = _Part(gr, board, view, tab)
        gr.HTML(f'<div class="cs"><footer><p>{footer(board.home)}{SENTENCE}</p></footer></div>', padding=False,
                apply_default_css=False)  # fmt: skip
        for part in parts.values():
            part.connect()
        outputs = [tabs, *(one for part in parts.values() for one in part.outputs)]
        opened = blocks.load(_opener(gr, parts), None, outputs, queue=False, api_visibility="private",
                             show_progress="hidden")  # fmt: skip
        opened.then(None, None, None, js="() => { window.clinsynthOpened = true; }")
        endpoints(gr, board)
    return blocks


class _Part:
    """One tab: filters and page."""

    def __init__(self, gr: Any, board: Board, view: str, tab: Any) -> None:
        self.gr, self.board, self.view, self.tab = gr, board, view, tab
        first, html = board.show(view, {})
        self.keys = [one.key for one in first.filters]
        self.filters: list[Any] = []
        with gr.Row(elem_classes="cs-filters", visible=any(len(one.choices) > 1 for one in first.filters)):
            for one in first.filters:
                self.filters.append(_control(gr, one))
        if view == "submit":
            _submit(gr)
        # Only the tab that is seen first is filled: the others come when they are opened.
        self.html = gr.HTML(html if view == FIRST else "", padding=False, apply_default_css=False,
                            elem_id=f"page-{view}")  # fmt: skip
        self.drawn = gr.State(view == FIRST)
        self.outputs = [*self.filters, self.html, self.drawn]

    def connect(self) -> None:
        """Redraw on a change of a filter, draw when the tab is first opened; keep the address in step."""
        address = _ADDRESS % (json.dumps(self.view), json.dumps(self.keys))
        quick = {"queue": False, "show_progress": "hidden", "api_visibility": "private"}
        for one in self.filters:
            one.input(self.draw, self.filters, self.outputs, **quick).then(None, self.filters, None, js=address)
        inputs = [self.drawn, *self.filters]
        self.tab.select(self.first, inputs, self.outputs, **quick).then(None, self.filters, None, js=address)

    def first(self, drawn: bool, *values: Any) -> list[Any]:
        """Content of a tab that is opened: as it was, or the page of its filters if it is opened for the first time."""
        return [self.gr.skip()] * len(self.outputs) if drawn else self.draw(*values)

    def draw(self, *values: Any) -> list[Any]:
        """New values for the tab's components."""
        query = {key: _text(value) for key, value in zip(self.keys, values, strict=True)}
        made, html = self.board.show(self.view, query)
        return self.redrawn(made, html, query)

    def redrawn(self, made: Page, html: str, old: Mapping[str, str]) -> list[Any]:
        """The page, and those filters that it does not have as they were."""
        filters = [_updated(self.gr, one, old.get(one.key)) for one in made.filters]
        return [*filters, html, True]


_ADDRESS = """(...v) => {
  if (!window.clinsynthOpened) return;
  const q = new URLSearchParams({ view: %s });
  %s.forEach((k, i) => { const x = Array.isArray(v[i]) ? v[i].join(',') : v[i]; if (x) q.set(k, x); });
  history.replaceState(history.state, '', '?' + q.toString() + location.hash);
}"""


def _text(value: Any) -> str:
    return ",".join(map(str, cast("list[Any]", value))) if isinstance(value, list) else str(value or "")


def _pairs(one: Filter) -> list[tuple[str, str]]:
    return [(choice.label, choice.value) for choice in one.choices]


def _value(one: Filter) -> Any:
    return one.value.split(",") if one.many and one.value else [] if one.many else one.value or None


def _control(gr: Any, one: Filter) -> Any:
    common: dict[str, Any] = {
        "choices": _pairs(one), "value": _value(one), "label": one.label, "elem_id": None,
        "visible": len(one.choices) > 1,
    }  # fmt: skip
    if one.many:
        return gr.Dropdown(**common, multiselect=True, filterable=True, min_width=260)
    if len(one.choices) <= RADIO:
        return gr.Radio(**common, min_width=120)
    return gr.Dropdown(**common, filterable=True, min_width=200)


def _updated(gr: Any, one: Filter, old: str | None) -> Any:
    some = len(one.choices) > 1
    if old is not None and old == one.value:
        return gr.update(choices=_pairs(one), visible=some)
    return gr.update(choices=_pairs(one), value=_value(one), visible=some)


def _opener(gr: Any, parts: Mapping[str, _Part]) -> Callable[..., list[Any]]:
    """A function that draws the view and filters of a link when the page is opened."""

    def open_link(request: Any) -> list[Any]:
        query = {str(key): str(value)[:2000] for key, value in dict(request.query_params).items()}
        view = query.get("view", FIRST)
        out: list[Any] = [gr.skip() if view == FIRST or view not in parts else gr.Tabs(selected=view)]
        for name, part in parts.items():
            if name == view and len(query) > (name == FIRST and "view" in query):
                made, html = part.board.show(name, query)
                out += part.redrawn(made, html, {})
            else:
                out += [gr.skip()] * len(part.outputs)
        return out

    # ``from __future__ import annotations`` makes annotations text, which gradio cannot resolve inside a function.
    open_link.__annotations__ = {"request": gr.Request}
    return open_link


def submit_form(action: str, *, frame: bool = False) -> str:
    """The form for uploading an archive: plain HTML, so that it works without scripts and no component keeps the file.

    ``frame``: the report is shown below the form, not in the place of the page.
    """
    target = ' target="report"' if frame else ""
    below = '<iframe name="report" class="report" title="Report"></iframe>' if frame else ""
    return (
        f'<form class="submit" action="{action}" method="post" enctype="multipart/form-data"{target}>'
        f'<label for="archive">A submission as {" or ".join(ARCHIVES)}, up to 100 MB: it is checked and then deleted'
        f'</label> <input id="archive" type="file" name="archive" required accept="{",".join((*ARCHIVES, ".gz"))}"> '
        f'<button type="submit">Check it</button></form>{below}'
    )


def _submit(gr: Any) -> None:
    gr.HTML(f'<div class="cs">{submit_form("check", frame=True)}</div>', padding=False, apply_default_css=False)


def endpoints(gr: Any, board: Board) -> None:
    """Add an endpoint for the data of each view, for every form of export, and for the snapshot (``gradio_client``)."""
    for name, function, said in made_for(board.snapshot, gr.Error):
        gr.api(function, api_name=name, api_description=said, queue=False)


def made_for(snapshot: Snapshot, refusal: type[Exception]) -> Iterator[tuple[str, Callable[..., Any], str]]:
    """Name, function and description of every endpoint; ``refusal`` is an error whose words the caller gets."""
    for view in VIEWS:
        keys = [one.key for one in page(snapshot, view, {}).filters]
        known = f"Filters, each optional: {', '.join(keys)}." if keys else "It has no filters."
        yield view, _of_view(snapshot, view, keys), f"The view “{TITLES[view]}” as JSON. {known}"
    yield (
        "export",
        _export(snapshot, refusal),
        f"A view as text. Formats: {', '.join(FORMATS)}. Filters as a JSON object.",
    )
    yield "snapshot", _manifest(snapshot), "What the snapshot is."


def _of_view(snapshot: Snapshot, view: str, keys: list[str]) -> Callable[..., dict[str, Any]]:
    def data(*values: str) -> dict[str, Any]:
        query = {key: str(value)[:2000] for key, value in zip(keys, values, strict=False) if value}
        return json.loads(as_json(snapshot, page(snapshot, view, query)))

    # Gradio reads parameters from the signature: each filter is one, and may be left out.
    text = inspect.Parameter.POSITIONAL_OR_KEYWORD
    data.__signature__ = inspect.Signature(  # type: ignore[attr-defined]
        [inspect.Parameter(key, text, default="", annotation=str) for key in keys], return_annotation=dict
    )
    data.__annotations__ = dict.fromkeys(keys, str) | {"return": dict}
    data.__name__ = view
    return data


def _export(snapshot: Snapshot, refusal: type[Exception]) -> Callable[..., str]:
    def export(view: str = "overall", form: str = "csv", filters: str = "{}") -> str:
        if view not in VIEWS or form not in FORMATS:
            raise refusal(f"views: {', '.join(VIEWS)}; formats: {', '.join(FORMATS)}")
        try:
            given: Any = json.loads(filters)
        except (ValueError, RecursionError):
            given = None
        if not isinstance(given, dict):
            raise refusal('filters: a JSON object, such as {"task": "gad"}')
        query = {str(key): str(value)[:2000] for key, value in cast("dict[Any, Any]", given).items()}
        return FORMATS[form](snapshot, page(snapshot, view, query))

    export.__annotations__ = {"view": str, "form": str, "filters": str, "return": str}
    return export


def _manifest(snapshot: Snapshot) -> Callable[..., dict[str, Any]]:
    def manifest() -> dict[str, Any]:
        return snapshot.manifest.model_dump(mode="json")

    manifest.__annotations__ = {"return": dict}
    return manifest
