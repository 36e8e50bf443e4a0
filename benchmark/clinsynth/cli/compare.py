"""``clinsynth compare``."""

from __future__ import annotations

import argparse
import csv
import io
import json
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

from clinsynth.cli import add_data_dir, add_sample, names
from clinsynth.cli.validate import say_unfilled
from clinsynth.core import fitted_table
from clinsynth.data import open_store
from clinsynth.direct import entry_at
from clinsynth.standings import (
    RESAMPLES,
    Compared,
    Comparison,
    Request,
    compare,
    headline_budget,
    headline_recipe,
    read_entry,
)
from clinsynth.training import RECIPES

EXAMPLES = (
    "clinsynth compare submissions/real submissions/demo --sample",
    "clinsynth compare submissions/real submissions/demo --sample --tasks gad --format json",
)


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument("base", type=Path, metavar="A", help="the submission that the others are compared with")
    parser.add_argument("others", type=Path, nargs="+", metavar="B", help="one submission or more")
    parser.add_argument("--tasks", type=names, default=(), help="only these, with commas between")
    parser.add_argument("--recipe", default="", help="default: the leaderboard's, or what most runs have")
    parser.add_argument("--rows", type=_budget, default=0,
                        help="the budget, or all: each on all the rows it has (default: the recipe's own, or what "
                        "most of them were run at)")  # fmt: skip
    parser.add_argument("--ceiling", type=Path, metavar="DIR",
                        help="a student of all real rows: an interval wider than what it has above a constant answer "
                        "decides nothing (default: gold-full beside A, if it is there)")  # fmt: skip
    parser.add_argument("--format", choices=tuple(_FORMATS), default="table")
    parser.add_argument("--resamples", type=int, default=RESAMPLES, metavar="B",
                        help=f"of F1 metrics (default {RESAMPLES:,}; 10,000 to publish; 0: jackknife)")  # fmt: skip
    parser.add_argument("--wide", action="store_true", help="all columns, however wide the terminal is")
    add_sample(parser)
    add_data_dir(parser)


def execute(arguments: argparse.Namespace) -> int:
    """Always 0: that two methods tie is no fault."""
    say_unfilled([arguments.base, *arguments.others])
    store = open_store(arguments.data_dir, arguments.sample)
    recipe = arguments.recipe or headline_recipe([arguments.base, *arguments.others], store.kind)
    beside = arguments.base.absolute().parent / "gold-full"
    ceiling = arguments.ceiling or (beside if (beside / "submission.toml").is_file() else None)
    entries = tuple(entry_at(place, recipe, store.kind) for place in (arguments.base, *arguments.others))
    request = Request(
        entries=entries,
        tasks=arguments.tasks,
        recipe=recipe,
        rows=headline_budget(entries, RECIPES[recipe]) if arguments.rows == 0 else arguments.rows,
        ceiling=read_entry(ceiling, recipe, store.kind) if ceiling else None,
        resamples=arguments.resamples,
    )
    compared = compare(request, store)
    shown = (
        _as_text(compared, wide=arguments.wide) if arguments.format == "table" else _FORMATS[arguments.format](compared)
    )
    print(shown.rstrip("\n"))
    return 0


def _budget(text: str) -> int | None:
    """A number of rows; ``None`` for all."""
    if text == "all":
        return None
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is neither a number of rows nor all")
    return int(text)


def _points(value: float | None, sign: str = "") -> str:
    return "-" if value is None else f"{100 * value:{sign}.1f}"


def _p(value: float | None) -> str:
    return "-" if value is None else "<0.0001" if value < 0.0001 else f"{value:.4f}" if value < 0.1 else f"{value:.2f}"


def _cells(base: str, row: Comparison) -> list[str]:
    interval = f"{_points(row.low, '+')} to {_points(row.high, '+')}" if row.low is not None else "-"
    return [
        row.scope, row.other, row.words, row.note, _points(row.base_score), _points(row.other_score),
        _points(row.difference, "+"), interval, _p(row.p), _p(row.p_holm), _points(row.detectable),
    ]  # fmt: skip


def _grid(compared: Compared) -> tuple[list[str], list[list[str]]]:
    head = ["task", "other", "verdict", "note", compared.base, "other", "difference", "95 % interval", "p", "p (Holm)",
            "resolves"]  # fmt: skip
    return head, [_cells(compared.base, row) for row in compared.comparisons]


def _as_text(compared: Compared, *, wide: bool = False) -> str:
    head, body = _grid(compared)
    if wide:
        return "\n".join([fitted_table((head, body), 4, (), wide=True), "", *compared.remarks])
    # Notes, and why there is no verdict, fill lines of their own: said once below the table, not in columns.
    place = head.index("note")
    rows = zip(body, compared.comparisons, strict=True)
    body = [[*cells[:2], _short(row), *cells[place + 1 :]] for cells, row in rows]
    spare = ("p (Holm)", "resolves", "p", head[place + 2], head[place + 1])
    table = fitted_table(([*head[:place], *head[place + 1 :]], body), place, spare)
    return "\n".join([table, "", *_said_of(compared), *compared.remarks])


def _said_of(compared: Compared) -> list[str]:
    """Reasons and notes, each once, with the lines that it belongs to."""
    said: dict[str, list[str]] = {}
    for row in compared.comparisons:
        for text in (row.words if _short(row) != row.words else "", row.note):
            if text:
                said.setdefault(text, []).append(f"{row.scope}, {row.other}")
    return [f"{'; '.join(dict.fromkeys(places))}: {text}" for text, places in said.items()]


def _short(row: Comparison) -> str:
    return row.words if row.judgement.verdict in ("better", "worse", "tie") else row.judgement.verdict


def _as_markdown(compared: Compared) -> str:
    head, body = _grid(compared)
    lines = ["| " + " | ".join(cells) + " |" for cells in (head, [":--"] * 4 + ["--:"] * 7, *body)]
    return "\n".join([*lines, "", *compared.remarks])


def _as_json(compared: Compared) -> str:
    return json.dumps(asdict(compared), indent=1)


def _as_csv(compared: Compared) -> str:
    out = io.StringIO()
    judged = ("verdict", "reason", "remedy")
    fields = [name for name in Comparison.__dataclass_fields__ if name != "judgement"]
    writer = csv.DictWriter(out, ["base", *fields, *judged], lineterminator="\n")
    rows = [
        {"base": compared.base, **{name: getattr(row, name) for name in fields}, "tasks": " ".join(row.tasks),
         **{name: getattr(row.judgement, name) for name in judged}}
        for row in compared.comparisons
    ]  # fmt: skip
    writer.writeheader()
    writer.writerows(rows)
    return out.getvalue()


_FORMATS: dict[str, Callable[[Compared], str]] = {
    "table": _as_text,
    "markdown": _as_markdown,
    "json": _as_json,
    "csv": _as_csv,
}
