"""The simulation as tables in docs/statistics.md and as a plot."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from clinsynth.core.files import write_text

DOCS = Path(__file__).parents[2] / "docs"
Rows = Sequence[Mapping[str, Any]]
_COLOURS = {100: "#b2182b", 1_000: "#4d4d4d", 5_000: "#2166ac"}


def render(stored: Mapping[str, Any], docs: Path) -> None:
    """Put the tables between their markers in ``docs/statistics.md`` and write ``docs/simulation/power.svg``."""
    write_text(docs / "simulation" / "power.svg", plot(_of(stored["rows"], "power")))
    page = docs / "statistics.md"
    write_text(page, filled(page.read_text("utf-8"), stored))


def filled(text: str, stored: Mapping[str, Any]) -> str:
    """The page with its tables made anew. Raises ``ValueError`` where a marker is missing."""
    return _put(text, tables(stored))


def _put(text: str, made: Mapping[str, str]) -> str:
    for name, table in made.items():
        pattern = f"(<!-- {name} -->\n).*?(<!-- /{name} -->)"
        text, count = re.subn(pattern, lambda m, t=table: f"{m[1]}\n{t}\n\n{m[2]}", text, flags=re.DOTALL)
        if count != 1:
            raise ValueError(f"no place for the table {name}")
    return text


def render_groups(stored: Mapping[str, Any], docs: Path) -> None:
    """Put the table of tie groups into ``docs/statistics.md``."""
    page = docs / "statistics.md"
    write_text(page, filled_groups(page.read_text("utf-8"), stored))


def filled_groups(text: str, stored: Mapping[str, Any]) -> str:
    """The page with the table of tie groups made anew. Raises ``ValueError`` where its marker is missing."""
    return _put(text, {"groups": _groups(stored["rows"])})


def _groups(rows: Rows) -> str:
    spreads = sorted({row["spread"] for row in rows if not row["lag"]})
    lags = sorted({row["lag"] for row in rows if row["lag"]})
    head = ["rows", "tasks", "rule", *(f"equal, SD {100 * spread:g}" for spread in spreads),
            *(f"worse by {100 * lag:g}" for lag in lags)]  # fmt: skip
    names = {"leader": "Holm against the leader", "pairs": "**all pairs**", "sure": "P(better) under 2.5 %, all pairs"}
    found = {(row["rows"], row["tasks"], row["spread"], row["lag"]): row for row in rows}

    def false(row: Mapping[str, Any] | None, rule: str) -> str:
        if row is None:
            return ""
        rate = row["divided"][rule]
        return f"**{100 * rate:.1f}**" if rate > limit(row["replicates"]) else f"{100 * rate:.1f}"

    def power(row: Mapping[str, Any], rule: str) -> str:
        return f"{100 * row['found'][rule]:.0f}" if rule in row["found"] else ""

    body = [
        [str(count), str(tasks), name, *(false(found.get((count, tasks, spread, 0.0)), rule) for spread in spreads),
         *(power(found[count, tasks, 0.01, lag], rule) for lag in lags)]
        for tasks, count in sorted({(row["tasks"], row["rows"]) for row in rows}) for rule, name in names.items()
    ]  # fmt: skip
    null = sorted({row["replicates"] for row in rows if not row["lag"]}, reverse=True)
    of = " or ".join(f"{count:,}" for count in null)
    bounds = " or ".join(f"{100 * limit(count):.1f}" for count in null)
    said = f"{of} tables of equal rows, {min(row['replicates'] for row in rows):,} of others; bold above {bounds} %."
    return f"{_table(head, body, 3)}\n\n{said}"


def tables(stored: Mapping[str, Any]) -> dict[str, str]:
    """Markdown tables by the name of their marker."""
    rows: Rows = stored["rows"]
    made = {
        "null": _null(_of(rows, "null")),
        "parts": _parts(stored["parts"]),
        "bootstrap": _bootstrap(_of(rows, "bootstrap")),
        "pairing": _pairing(_of(rows, "pairing")),
        "cluster": _cluster(_of(rows, "cluster")),
        "power": _power(_of(rows, "power")),
    }
    return {name: f"{table}\n\n{_replicates(stored, name)}" for name, table in made.items()}


def _replicates(stored: Mapping[str, Any], name: str) -> str:
    counts = sorted({row["replicates"] for row in (stored["parts"] if name == "parts" else _of(stored["rows"], name))})
    several = " or ".join(f"{count:,}" for count in counts)
    return f"{several} replicates a line; bold above {' or '.join(f'{100 * limit(n):.1f}' for n in counts)} %."


def _of(rows: Rows, part: str) -> Rows:
    return [row for row in rows if row["part"] == part]


def _table(head: Sequence[str], body: Sequence[Sequence[str]], left: int) -> str:
    rule = [":--"] * left + ["--:"] * (len(head) - left)
    return "\n".join("| " + " | ".join(cells) + " |" for cells in (head, rule, *body))


def limit(replicates: int, alpha: float = 0.05) -> float:
    """Alpha plus three standard errors of a simulated rate: what a test that holds its level stays under."""
    return alpha + 3 * (alpha * (1 - alpha) / replicates) ** 0.5


def _rate(row: Mapping[str, Any], method: str) -> str:
    rate = row["rejected"][method]
    return f"**{100 * rate:.1f}**" if rate > limit(row["replicates"]) else f"{100 * rate:.1f}"


def _where(row: Mapping[str, Any]) -> list[str]:
    return [row["metric"].replace("_", " "), f"{row['items']:,}", str(row["seeds"])]


def _null(rows: Rows) -> str:
    methods = ("items", "seeds", "satterthwaite", "ours")
    head = ["metric", "items", "seeds", "SD of seeds", "test items only", "seeds only", "Satterthwaite", "**this one**"]
    groups: dict[tuple[Any, ...], list[Mapping[str, Any]]] = {}
    for row in sorted(rows, key=lambda r: (r["metric"], r["items"], r["seeds"], r["spread"], r["together"])):
        groups.setdefault((row["metric"], row["items"], row["seeds"], row["spread"]), []).append(row)
    body = [
        [*_where(group[0]), f"{100 * group[0]['spread']:g}", *(" / ".join(_rate(r, m) for r in group) for m in methods)]
        for group in groups.values()
    ]
    worst = [f"{100 * max(row['rejected'][m] for row in rows):.1f}" for m in methods] if rows else []
    return _table(head, [*body, ["**largest**", "", "", "", *worst]], 1)


def _parts(rows: Rows) -> str:
    ratios = sorted({row["ratio"] for row in rows})
    head = ["seeds", "interaction", "test", *(f"{ratio:g}" for ratio in ratios)]
    names = {"satterthwaite": "Satterthwaite", "once": "the same, interaction once", "ours": "**this one**"}
    found = {(row["seeds"], row["residual"], row["ratio"]): row for row in rows}
    body = [
        [str(seeds), f"{residual:g}", name, *(_rate(found[seeds, residual, ratio], method) for ratio in ratios)]
        for seeds, residual in sorted({(row["seeds"], row["residual"]) for row in rows})
        for method, name in names.items()
    ]
    return _table(head, body, 3)


def _bootstrap(rows: Rows) -> str:
    methods = ("items", "multi", "inflated", "satterthwaite", "ours_bootstrap", "ours")
    head = ["metric", "items", "seeds", "test items only", "multi-bootstrap", "the same, seeds inflated",
            "Satterthwaite", "**this one**, bootstrap", "**this one**, jackknife"]  # fmt: skip
    body = [
        [*_where(row), *(_rate(row, m) for m in methods)]
        for row in sorted(rows, key=lambda r: (r["metric"], r["items"], r["seeds"]))
    ]
    return _table(head, body, 1)


def _pairing(rows: Rows) -> str:
    head = ["seeds", "correlation", "rejects a null: paired", "not paired", "finds 3 points: paired", "not paired"]
    found = {(row["seeds"], row["together"], row["lead"]): row for row in rows}
    body = [
        [str(seeds), f"{together:g}", *(_rate(found[seeds, together, 0.0], m) for m in ("ours", "unpaired")),
         *(f"{100 * found[seeds, together, 0.03]['rejected'][m]:.0f}" for m in ("ours", "unpaired"))]
        for seeds, together in sorted({(row["seeds"], row["together"]) for row in rows})
    ]  # fmt: skip
    return _table(head, body, 0)


def _cluster(rows: Rows) -> str:
    head = ["seeds", "by unit", "every item a unit"]
    return _table(head, [[str(row["seeds"]), _rate(row, "ours"), _rate(row, "no_units")] for row in rows], 0)


def _power(rows: Rows) -> str:
    leads = sorted({row["lead"] for row in rows})
    head = ["items", "seeds", *(f"{100 * lead:g}" for lead in leads), "detectable"]
    found = {(row["items"], row["seeds"], row["lead"]): row for row in rows}
    body = [
        [f"{items:,}", str(seeds),
         *(f"{100 * found[items, seeds, lead]['rejected']['ours']:.0f}" for lead in leads),
         f"{100 * found[items, seeds, leads[0]]['detectable']:.1f}"]
        for items, seeds in sorted({(row["items"], row["seeds"]) for row in rows})
    ]  # fmt: skip
    return _table(head, body, 0)


def plot(rows: Rows) -> str:
    """Power over the true difference as SVG; colour and label name the size of the test set, dashes the seeds."""
    width, height, left, bottom, top = 640, 380, 56, 48, 16
    leads = sorted({row["lead"] for row in rows})
    right = 96

    def x(lead: float) -> float:
        return left + (width - left - right) * lead / leads[-1]

    def y(power: float) -> float:
        return height - bottom - (height - bottom - top) * power

    marks = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" role="img" '
        f'font-family="sans-serif" font-size="12"><title>Power of the paired test, accuracy, seed SD 1 point</title>',
        f'<rect width="{width}" height="{height}" fill="#fff"/>',
    ]
    for share in (0.0, 0.2, 0.4, 0.6, 0.8, 1.0):
        dash = ' stroke-dasharray="2 3"' if share == 0.8 else ""
        marks.append(f'<path d="M{left} {y(share):.1f}H{width - right}" stroke="#bbb" fill="none"{dash}/>')
        marks.append(f'<text x="{left - 8}" y="{y(share) + 4:.1f}" text-anchor="end">{100 * share:.0f} %</text>')
    for points in range(0, round(100 * leads[-1]) + 1, 2):
        place = f'x="{x(points / 100):.1f}" y="{height - bottom + 18}"'
        marks.append(f'<text {place} text-anchor="middle">{points}</text>')
    middle = (left + width - right) / 2
    marks.append(f'<text x="{middle}" y="{height - 10}" text-anchor="middle">true difference in points</text>')
    turned = f"translate(12 {(height - bottom + top) / 2:.0f}) rotate(-90)"
    marks.append(f'<text transform="{turned}" text-anchor="middle">experiments that find it</text>')
    for items, seeds in sorted({(row["items"], row["seeds"]) for row in rows}):
        of_line = [row for row in rows if (row["items"], row["seeds"]) == (items, seeds)]
        line = sorted((row["lead"], row["rejected"]["ours"]) for row in of_line)
        path = "L".join(f"{x(lead):.1f} {y(power):.1f}" for lead, power in line)
        dash = ' stroke-dasharray="6 4"' if seeds == min(row["seeds"] for row in rows) else ""
        marks.append(f'<path d="M{path}" stroke="{_COLOURS[items]}" stroke-width="2" fill="none"{dash}/>')
    marks += _legend(rows, width - right + 8)
    return "\n".join([*marks, "</svg>"]) + "\n"


def _legend(rows: Rows, x: float) -> list[str]:
    seeds = sorted({row["seeds"] for row in rows})
    out: list[str] = []
    for place, items in enumerate(sorted({row["items"] for row in rows}, reverse=True)):
        out.append(f'<text x="{x}" y="{40 + 18 * place}" fill="{_COLOURS[items]}">{items:,} items</text>')
    for place, k in enumerate(reversed(seeds)):
        y = 110 + 18 * place
        dash = ' stroke-dasharray="6 4"' if k == seeds[0] else ""
        out.append(f'<path d="M{x} {y - 4}h22" stroke="#000" stroke-width="2"{dash}/>')
        out.append(f'<text x="{x + 28}" y="{y}">{k} seeds</text>')
    return out
