"""The picture that networks and messengers show of a link: the question, the answer, and the scores as a plot."""

from __future__ import annotations

import textwrap
from importlib import import_module
from io import BytesIO
from typing import Any

from clinsynth.core import clean
from clinsynth.site.theme import LIGHT
from clinsynth.snapshot import Snapshot
from clinsynth.views import Answer, Figure, Page, plain

WIDTH, HEIGHT = 1200, 630
"""What networks ask for."""
_EDGE, _MOST = 72, 6


def social_card(snapshot: Snapshot, page: Page) -> bytes | None:
    """The first view as a PNG; ``None`` where Pillow is not installed (``pip install pillow``)."""
    try:
        pil: Any = import_module("PIL.Image")
        draws: Any = import_module("PIL.ImageDraw")
        fonts: Any = import_module("PIL.ImageFont")
    except ImportError:
        return None
    image = pil.new("RGB", (WIDTH, HEIGHT), LIGHT["paper"])
    draw = draws.Draw(image)

    def write(at: tuple[float, float], words: str, size: int, colour: str, anchor: str = "la") -> None:
        # The font that comes with Pillow has no other dash and no true minus.
        plain_words = clean(words).replace("–", "-").replace("−", "-")
        draw.text(at, plain_words, fill=LIGHT[colour], font=fonts.load_default(size), anchor=anchor)

    draw.rectangle((0, 0, 12, HEIGHT), fill=LIGHT["accent"])
    write((_EDGE, 60), "clinsynth", 30, "accent")
    for k, line in enumerate(textwrap.wrap(page.title, 44)):
        write((_EDGE, 112 + 58 * k), line, 50, "ink")
    answer = next((block for block in page.blocks if isinstance(block, Answer)), None)
    at = 250.0
    for line in textwrap.wrap(" ".join(answer.items[0][1:]), 74)[:3] if answer else []:
        write((_EDGE, at), line, 27, "soft")
        at += 38
    figure = next((each for each in page.figures if each.kind == "forest"), None)
    if figure is not None:
        _plot(draw, write, figure, at + 28)
    manifest = snapshot.manifest
    write((WIDTH - _EDGE, HEIGHT - 40), f"snapshot {manifest.short} of {manifest.day}", 22, "soft", "rs")
    out = BytesIO()
    image.save(out, "PNG", optimize=True)
    return out.getvalue()


def _plot(draw: Any, write: Any, figure: Figure, top: float) -> None:
    """The best rows as marks with intervals; references as lines across."""
    points = sorted((point for series in figure.series for point in series.points), key=lambda point: point.y)[:_MOST]
    ends = [v for p in points for v in (p.x, p.low, p.high) if v is not None] + [rule.x for rule in figure.rules]
    low, high = min(ends) - 2, max(ends) + 2
    left, right = 420.0, WIDTH - _EDGE - 90.0

    def across(value: float) -> float:
        return left + (value - low) / (high - low) * (right - left)

    step = min(44.0, (HEIGHT - 70 - top) / (len(points) + 1))
    bottom = top + step * (len(points) + 0.6)
    placed = -1e9
    for rule in sorted(figure.rules, key=lambda rule: rule.x):
        x = across(rule.x)
        draw.line((x, top + 6, x, bottom), fill=LIGHT["strong"], width=2)
        if x - placed > 120:
            write((x, top), rule.label.split(" ")[0], 19, "soft", "ms")
            placed = x
    for k, point in enumerate(points):
        y = top + step * (k + 0.8)
        name = point.label if len(point.label) <= 26 else f"{point.label[:25]}..."
        write((left - 24, y), name, 24, "ink", "rm")
        write((WIDTH - _EDGE, y), plain(point.x, 1), 24, "ink", "rm")
        if point.low is not None and point.high is not None:
            draw.line((across(point.low), y, across(point.high), y), fill=LIGHT["accent"], width=3)
        x = across(point.x)
        draw.polygon(((x, y - 9), (x + 9, y), (x, y + 9), (x - 9, y)), fill=LIGHT["accent"])
