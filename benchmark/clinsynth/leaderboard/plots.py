"""Figures as plotly plots, for PNG downloads: greys and one accent on a transparent background."""

from __future__ import annotations

import threading
from collections import OrderedDict
from importlib import import_module
from typing import Any

from clinsynth.core import UserError
from clinsynth.site import LIGHT, SANS
from clinsynth.views import Figure, Series

_MIDDLE = "#7a848c"
"""Readable on white and on black."""
_ACCENT = "#2b86bd"
_DASHES = ("solid", "dash", "dot", "dashdot")
_FOREST_LINE = 22


def plot(figure: Figure, *, ground: str = "rgba(0,0,0,0)") -> Any:
    """A plotly figure. Raises ``UserError`` where plotly is not installed."""
    try:
        go: Any = import_module("plotly.graph_objects")
    except ImportError as error:
        raise UserError("plotly is not installed", remedy="pip install 'clinsynth[app]'") from error
    forest = figure.kind == "forest"
    made = go.Figure([_trace(go, series, k, forest) for k, series in enumerate(figure.series)])
    lines = [point for series in figure.series for point in series.points]
    common = {"gridcolor": "rgba(127,137,146,0.25)", "zeroline": False, "automargin": True}
    made.update_layout(
        # An empty template: the default one brings colours that fit neither light nor dark.
        template=go.layout.Template(),
        paper_bgcolor=ground,
        plot_bgcolor=ground,
        font={"family": SANS, "size": 13, "color": _MIDDLE},
        margin={"l": 10, "r": 20, "t": 40, "b": 100 if len(figure.series) > 1 else 20},
        title={"text": figure.title, "font": {"size": 14}, "x": 0, "xref": "paper"},
        hovermode="closest",
        showlegend=len(figure.series) > 1,
        legend={"orientation": "h", "yref": "container", "y": 0, "yanchor": "bottom"},
        autosize=True,
        height=200 + _FOREST_LINE * len(lines) if forest else 460,
        xaxis={**common, "title": {"text": figure.x_title}, "type": "log" if figure.log_x else "linear"},
        yaxis={**common, "title": {"text": figure.y_title}},
    )
    if forest:
        ordered = sorted(lines, key=lambda point: point.y)
        made.update_yaxes(
            autorange="reversed",
            tickvals=[point.y for point in ordered],
            ticktext=[point.label for point in ordered],
            showgrid=False,
        )
    for rule in figure.rules:
        line = {"color": _MIDDLE, "width": 1, "dash": "dot"}
        made.add_vline(x=rule.x, line=line, annotation_text=rule.label, annotation_position="top")
    if figure.zero is not None:
        made.add_vline(x=figure.zero, line={"color": _MIDDLE, "width": 1})
    return made


def _trace(go: Any, series: Series, place: int, forest: bool) -> Any:
    colour = _ACCENT if series.emphasis else _MIDDLE
    values = [point.x if forest else point.y for point in series.points]
    known = all(point.low is not None and point.high is not None for point in series.points)
    error = {
        "type": "data", "symmetric": False, "color": colour, "thickness": 1.3, "width": 0, "visible": known,
        "array": [(p.high or 0) - v for p, v in zip(series.points, values, strict=True)] if known else [],
        "arrayminus": [v - (p.low or 0) for p, v in zip(series.points, values, strict=True)] if known else [],
    }  # fmt: skip
    return go.Scatter(
        x=[point.x for point in series.points], y=[point.y for point in series.points], name=series.name,
        text=[point.label for point in series.points], mode="lines+markers" if series.line else "markers",
        hovertemplate="%{text}: %{x:.1f}<extra></extra>" if forest else "%{text}: %{y:.1f} at %{x:,}<extra></extra>",
        marker={"symbol": "diamond" if series.emphasis else "circle-open", "color": colour, "size": 9},
        line={"color": colour, "dash": _DASHES[place % len(_DASHES)], "width": 1.5},
        **{"error_x" if forest else "error_y": error},
    )  # fmt: skip


def png(figure: Figure, *, width: int = 900, scale: float = 2) -> bytes:
    """The plot as a PNG on white, through kaleido and a Chromium of this machine.

    Raises:
        UserError: plotly, kaleido or a Chromium is not here.
    """
    made = plot(figure, ground="#ffffff").update_layout(font={"color": LIGHT["ink"]})
    try:
        return made.to_image(format="png", width=width, height=made.layout.height, scale=scale)
    except Exception as error:  # kaleido raises what its browser raises
        raise UserError(
            "no picture can be made here",
            found=str(error).splitlines()[0][:200],
            remedy="install kaleido and Chromium, or take the SVG, which needs neither",
        ) from error


class Pictures:
    """PNGs, made one at a time and kept: each starts a browser, of which a machine bears few."""

    def __init__(self) -> None:
        self._made: OrderedDict[Figure, bytes] = OrderedDict()
        self._one = threading.Lock()
        self._waiting = threading.BoundedSemaphore(WAITING)

    def png(self, figure: Figure) -> bytes:
        """The picture, from those kept if it is there. Raises ``UserError`` where it cannot be made now."""
        if (known := self._made.get(figure)) is not None:
            return known
        if not self._waiting.acquire(blocking=False):
            raise UserError("other pictures are being made", remedy="come again in a minute, or take the SVG")
        try:
            with self._one:
                if (known := self._made.get(figure)) is None:
                    known = self._made[figure] = png(figure)
                    if len(self._made) > KEPT:
                        self._made.popitem(last=False)
                return known
        finally:
            self._waiting.release()


WAITING = 4
"""Requests that may wait for a picture; each holds one of the threads that answer all others too."""
KEPT = 64
"""Pictures, of some 100 kB each."""
