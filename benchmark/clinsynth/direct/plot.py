"""Ask, or train: a dot plot of the direct track beside its students, as SVG without any dependency."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from html import escape

from clinsynth.direct.numbers import DirectTable

_LEFT, _RIGHT, _TOP, _ROW, _WIDTH = 260, 90, 56, 26, 910


def as_svg(table: DirectTable) -> str:
    """A line for each task and submission: what the model reaches by itself, and what the student reaches.

    Without submissions of the same models, a line for each task and model.
    """
    lines = list(_lines(table))
    height = _TOP + _ROW * len(lines) + 46
    body = [_head(), *(_axis(height)), *(part for k, line in enumerate(lines) for part in _line(k, line))]
    notes = "Hollow: zero-shot. Filled: few-shot. Square: student trained on the model's rows. Last: what is better."
    star = " * a subset of the test set." if any(line.label.endswith("*") for line in lines) else ""
    body.append(f'<text x="14" y="{height - 10}" class="q">{escape(notes + star)}</text>')
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" role="img" '
        f'aria-label="Scores of models that answer by themselves, and of students">\n' + "\n".join(body) + "\n</svg>\n"
    )


@dataclass(frozen=True, slots=True)
class _Line:
    label: str
    marks: dict[str, float]
    """Score by what reached it."""
    said: str = ""
    """At the end of the line."""


def _lines(table: DirectTable) -> Iterator[_Line]:
    for pair in table.pairs:
        marks = {"zero-shot": pair.zero_shot, "few-shot": pair.few_shot, "student": pair.student}
        star = "*" if pair.preliminary else ""
        known = {name: value for name, value in marks.items() if value is not None}
        yield _Line(f"{pair.task}: {pair.submission}{star}", known, pair.better)
    if table.pairs:
        return
    names = dict.fromkeys(row.name for row in table.direct)
    for task in table.tasks:
        for name in names:
            found = [(row.row, row.scores[task]) for row in table.direct if row.name == name and task in row.scores]
            if found:
                star = "*" if any(score.preliminary for _, score in found) else ""
                yield _Line(f"{task}: {name}{star}", {row: score.score for row, score in found})


def _head() -> str:
    style = (
        "text{font:13px system-ui,sans-serif;fill:#222}.q{fill:#666;font-size:12px}line{stroke:#ddd}.s{stroke:#999}"
        ".z{fill:#fff;stroke:#0b6e99;stroke-width:2}.f{fill:#0b6e99}.t{fill:#b5530a}"
        "@media(prefers-color-scheme:dark){text{fill:#ddd}.q{fill:#999}line{stroke:#444}.z{fill:#111}}"
    )
    return f"<style>{style}</style>"


def _axis(height: int) -> Iterator[str]:
    for tick in range(0, 101, 20):
        x = _x(tick / 100)
        yield f'<line x1="{x}" y1="{_TOP - 14}" x2="{x}" y2="{height - 34}"/>'
        yield f'<text x="{x}" y="{_TOP - 22}" text-anchor="middle" class="q">{tick}</text>'
    yield f'<text x="{_LEFT}" y="16" class="q">main metric x 100</text>'


def _line(k: int, line: _Line) -> Iterator[str]:
    y = _TOP + _ROW * k + 4
    yield f'<text x="{_LEFT - 14}" y="{y + 4}" text-anchor="end">{escape(line.label)}</text>'
    places = [_x(value) for value in line.marks.values()]
    yield f'<line class="s" x1="{min(places)}" y1="{y}" x2="{max(places)}" y2="{y}"/>'
    yield f'<text x="{_WIDTH - _RIGHT + 14}" y="{y + 4}">{line.said}</text>'
    for name, value in line.marks.items():
        x, title = _x(value), f"<title>{name}: {100 * value:.1f}</title>"
        if name == "student":
            yield f'<rect class="t" x="{x - 5}" y="{y - 5}" width="10" height="10">{title}</rect>'
        else:
            yield f'<circle class="{"z" if name == "zero-shot" else "f"}" cx="{x}" cy="{y}" r="5">{title}</circle>'


def _x(value: float) -> float:
    return round(_LEFT + value * (_WIDTH - _LEFT - _RIGHT), 1)
