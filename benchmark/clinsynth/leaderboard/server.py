"""The app on a port: gradio for the views, plain routes for files and for pages without scripts."""

from __future__ import annotations

import inspect
import os
from collections.abc import Mapping
from functools import lru_cache
from importlib import import_module
from typing import Any
from urllib.parse import urlencode

from clinsynth.core import UserError
from clinsynth.export import FORMATS, SUFFIXES
from clinsynth.leaderboard.app import FIRST, Board, layout, submit_form
from clinsynth.leaderboard.archive import RefusedError, Uploads
from clinsynth.leaderboard.middleware import CHECK, PICTURE, Guard, Social
from clinsynth.leaderboard.plots import Pictures
from clinsynth.site import (
    Frame,
    Home,
    Links,
    app_css,
    body,
    cite,
    document,
    escape,
    script,
    site_css,
    social_card,
    svg,
)
from clinsynth.snapshot import Snapshot
from clinsynth.views import VIEWS, page

MEDIA = {
    "csv": "text/csv", "json": "application/json", "markdown": "text/markdown", "latex": "application/x-tex",
    "bibtex": "application/x-bibtex",
}  # fmt: skip


def create(snapshot: Snapshot, home: Home | None = None) -> Any:
    """The whole app as an ASGI application.

    Args:
        snapshot: what is shown.
        home: where the app will be reached, and whom to ask.

    Raises:
        UserError: gradio is not installed.
    """
    # Nothing of the reader leaves the machine: no analytics, no version check, no fonts from elsewhere.
    os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    try:
        gr: Any = import_module("gradio")
        fastapi: Any = import_module("fastapi")
    except ImportError as error:
        raise UserError("gradio is not installed", remedy="pip install 'clinsynth[app]'") from error
    gzip: Any = import_module("starlette.middleware.gzip")
    board = Board(snapshot, home or Home())
    first, _ = board.show(FIRST, {})
    app = fastapi.FastAPI(title="clinsynth leaderboard", docs_url=None, redoc_url=None, openapi_url=None)
    # The last that is added is the outermost: what is rewritten is not packed yet.
    app.add_middleware(Social, title=first.title, lead=first.lead, home=board.home)
    app.add_middleware(gzip.GZipMiddleware, minimum_size=2000, compresslevel=4)
    # The first route that fits answers: files before views.
    _own_files(fastapi, app, board)
    _routes(fastapi, app, board)
    blocks = layout(board)
    # Nothing is uploaded through gradio, and nobody is shown what the machine says of its errors.
    mounted = gr.mount_gradio_app(
        app, blocks, path="/", theme=_theme(gr), css=app_css() + _APP_CSS, footer_links=["api"], max_file_size=1,
        ssr_mode=False, show_error=False,
    )  # fmt: skip
    return Guard(mounted)


def serve(snapshot: Snapshot, host: str, port: int, home: Home | None = None) -> None:
    """Serve until stopped. Raises ``UserError`` if the port is taken."""
    uvicorn: Any = import_module("uvicorn")
    app = create(snapshot, home)
    try:
        uvicorn.run(app, host=host, port=port, log_level="warning")
    except SystemExit as error:  # what uvicorn does where it cannot have the port
        raise UserError(f"cannot listen on {host}:{port}", remedy="choose another --port") from error


def _theme(gr: Any) -> Any:
    """Gradio's plainest theme in our greys and accent, with the reader's own fonts."""
    from clinsynth.site import DARK, LIGHT, MONO, SANS

    fonts = [name.strip().strip('"') for name in SANS.split(",")]
    mono = [name.strip().strip('"') for name in MONO.split(",")]
    theme = gr.themes.Base(font=fonts, font_mono=mono, radius_size=gr.themes.sizes.radius_sm,
                           spacing_size=gr.themes.sizes.spacing_sm, text_size=gr.themes.sizes.text_md)  # fmt: skip
    known = inspect.signature(theme.set).parameters
    values = {name: LIGHT[colour] for name, colour in _COLOURS.items()}
    values |= {f"{name}_dark": DARK[colour] for name, colour in _COLOURS.items() if f"{name}_dark" in known}
    return theme.set(**values)


_COLOURS = {
    "body_background_fill": "paper", "background_fill_primary": "paper", "background_fill_secondary": "paper",
    "block_background_fill": "paper", "body_text_color": "ink", "body_text_color_subdued": "soft",
    "block_label_text_color": "soft", "block_title_text_color": "soft", "block_info_text_color": "soft",
    "border_color_primary": "rule", "block_border_color": "rule", "border_color_accent": "accent",
    "color_accent": "accent", "link_text_color": "accent", "link_text_color_hover": "accent",
    "input_background_fill": "paper", "input_border_color": "rule", "input_border_color_focus": "accent",
    "checkbox_label_background_fill": "paper", "checkbox_label_background_fill_hover": "hover",
    "checkbox_label_background_fill_selected": "hover", "checkbox_label_text_color": "soft",
    "checkbox_label_text_color_selected": "accent", "checkbox_background_color": "paper",
    "checkbox_background_color_selected": "accent", "checkbox_border_color": "strong",
    "checkbox_border_color_selected": "accent", "checkbox_label_border_color": "rule",
    "button_secondary_background_fill": "hover", "button_secondary_text_color": "ink",
}  # fmt: skip

_APP_CSS = """
.dark { --color-accent: #79bfe8; }
.gradio-container { width: 100% !important; margin: 0 auto !important; }
.gradio-container > main, .gradio-container .main { width: 100%; max-width: none; padding: 0.6rem 1.2rem 2rem; }
.gradio-container { max-width: 116rem !important; }
.cs header.app { margin: 0; border: 0; padding: 0.4rem 0 0; color: var(--soft); font-size: 0.875rem; }
.cs header.app .brand { font-size: 1.05rem; color: var(--ink); }
.cs-filters { gap: 0.2rem 2.2rem !important; padding-top: 0.4rem; }
.cs-filters > * { border: 0 !important; box-shadow: none !important; flex: 0 0 auto !important; padding: 0 !important;
  overflow: visible !important; max-width: 100%; }
.cs-filters fieldset { width: auto; }
.cs-filters fieldset .wrap { gap: 0 0.2rem; }
.cs-filters fieldset label { padding: 0.15rem 0.6rem 0.15rem 0.3rem !important; border: 0 !important;
  box-shadow: none !important; background: none !important; white-space: nowrap; }
.cs form.submit { margin: 0.4rem 0 0.8rem; font-size: 0.9rem; }
.cs iframe.report { width: min(100%, 60rem); height: 16rem; border: 1px solid var(--rule); }
@media (max-width: 48rem) { .gradio-container > main, .gradio-container .main { padding: 0.3rem 0.6rem 2rem; } }
"""


def _routes(fastapi: Any, app: Any, board: Board) -> None:
    known = {suffix: name for name, suffix in SUFFIXES.items()}
    response: Any = fastapi.Response
    pictures = Pictures()
    uploads = Uploads()

    def take(name: str, request: Any) -> Any:
        view, _, suffix = name.partition(".")
        if view not in VIEWS or (suffix not in known and suffix not in ("svg", "png")):
            raise fastapi.HTTPException(404)
        query = _query(request.query_params)
        made = page(board.snapshot, view, query)
        if suffix in known:
            content: str | bytes = FORMATS[known[suffix]](board.snapshot, made)
            media = MEDIA[known[suffix]]
        else:
            figure = next((each for each in made.figures if each.key == query.get("figure", each.key)), None)
            if figure is None:
                raise fastapi.HTTPException(404)
            try:
                content = svg(figure, standalone=True) if suffix == "svg" else pictures.png(figure)
            except UserError as error:
                # The first line alone: what a browser says of its failure names paths of this machine.
                raise fastapi.HTTPException(503, f"{str(error).splitlines()[0]}: take the SVG") from error
            media = "image/svg+xml" if suffix == "svg" else "image/png"
        headers = {"Content-Disposition": f'attachment; filename="clinsynth-{board.snapshot.manifest.short}-{name}"'}
        return response(content, media_type=media, headers=headers)

    def plain(view: str, request: Any) -> Any:
        if view not in VIEWS:
            raise fastapi.HTTPException(404)
        made = page(board.snapshot, view, _query(request.query_params))
        links = Links(
            to=lambda other, asked: f"{other}?" + urlencode({**made.query, **asked}),
            filtered=lambda of, one, value: f"{of.view}?" + urlencode({**of.query, one.key: value}),
        )
        beside = submit_form("../check") if view == "submit" else cite(board.snapshot, made) if made.tables else ""
        frame = Frame({each: each for each in VIEWS}, "style.css", home=board.home, path=f"plain/{view}")
        content = document(board.snapshot, made, body(made, links) + beside, frame)
        return response(content, media_type="text/html")

    def whole(view: str, request: Any) -> Any:
        if view not in VIEWS:
            raise fastapi.HTTPException(404)
        return response(board.whole(view, _query(request.query_params)), media_type="text/html")

    async def check(request: Any) -> Any:
        try:
            words, status = await uploads.check(request), 200
        except RefusedError as error:
            words, status = str(error), error.status
        content = (
            '<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Report</title><link rel="stylesheet" '
            f'href="plain/style.css"></head><body class="cs"><pre id="report">{escape(words)}</pre></body></html>'
        )
        return response(content, status_code=status, media_type="text/html", headers={"Cache-Control": "no-store"})

    for function in (take, plain, whole, check):
        function.__annotations__ = {"name": str, "view": str, "request": fastapi.Request}
    app.get("/take/{name}")(take)
    app.get("/plain/{view}")(plain)
    app.get("/whole/{view}")(whole)
    app.post(CHECK)(check)


def _own_files(fastapi: Any, app: Any, board: Board) -> None:
    """Routes of the style sheet, the script and the card's picture."""
    response: Any = fastapi.Response
    card = lru_cache(maxsize=1)(lambda: social_card(board.snapshot, board.show(FIRST, {})[0]))

    def picture() -> Any:
        drawn = card()
        if drawn is None:
            raise fastapi.HTTPException(404)
        return response(drawn, media_type="image/png")

    def own_script() -> Any:
        return response(script(), media_type="text/javascript")

    def style() -> Any:
        return response(site_css(), media_type="text/css")

    app.get("/plain/style.css")(style)
    app.get("/plain/board.js")(own_script)
    app.get(f"/{PICTURE}")(picture)


def _query(parameters: Mapping[str, str]) -> dict[str, str]:
    return {str(key): str(value)[:2000] for key, value in dict(parameters).items()}
