"""``clinsynth quality``."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING

from clinsynth.cli import Command, add_data_dir, add_sample, names
from clinsynth.cli.submissions import say_unfilled
from clinsynth.core import select_tasks, text_table
from clinsynth.data import open_store

if TYPE_CHECKING:
    from clinsynth.quality import Measured, Number, QualityRecord

EXAMPLES = (
    "clinsynth quality submissions/demo --sample --tasks gad",
    "clinsynth quality submissions/demo --sample --tasks gad --json",
)
BLIND = 0.1
"""Estimated label noise of real rows above which the estimate says more of the classifier than of the labels."""


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument("submission", type=Path, metavar="DIR")
    parser.add_argument("--tasks", type=names, default=(), help="all there is data for (default), or names with commas")
    parser.add_argument("--rows", default="1000", help="rows of a draw, or all (default: %(default)s)")
    parser.add_argument("--json", action="store_true", help="print the records as JSON")
    add_sample(parser)
    add_data_dir(parser)


def execute(arguments: argparse.Namespace) -> int:
    """Always 0: quality is reported, not judged."""
    from clinsynth.core import UserError
    from clinsynth.quality import measure

    if arguments.rows != "all" and not (arguments.rows.isdecimal() and int(arguments.rows)):
        raise UserError("--rows cannot be read", found=arguments.rows, expected="a number above 0, or all")
    say_unfilled([arguments.submission])
    rows = 0 if arguments.rows == "all" else int(arguments.rows)
    tasks = select_tasks(list(arguments.tasks)) if arguments.tasks else []
    records = measure(arguments.submission, tasks, open_store(arguments.data_dir, arguments.sample), rows=rows)
    if arguments.json:
        print(json.dumps([record.model_dump(mode="json") for record in records], indent=1, ensure_ascii=False))
    else:
        print("\n\n".join(map(_table, records)))
    return 0


def _table(record: QualityRecord) -> str:
    from clinsynth.quality import DOES_NOT_APPLY, NUMBERS

    data, real = record.data, record.real
    shown = [number for number in NUMBERS.values() if data.reasons.get(number.name) not in DOES_NOT_APPLY]
    body: list[list[str]] = []
    for group in dict.fromkeys(number.group for number in shown):
        body.append([group.upper(), "", "", "", ""])
        for number in shown:
            if number.group == group:
                beside = _cells(number, real) if real else ["-", ""]
                own = ["unknown", ""] if number.name == "parse_losses" and not record.losses else _cells(number, data)
                body.append([f"  {number.title}", *own, *beside])
    drawn = f"{data.draws} draws of {data.rows:,}" if data.draws > 1 else f"all {data.rows:,}"
    lines = [f"{record.task}: {drawn} rows ({record.available:,} available)"]
    if real:
        against = f"against the rest of {record.reference_rows:,}"
        lines.append(f"real: {real.draws} draws of {real.rows:,} training rows, {against}")
    lines.append(text_table(["", "data", "± sd", "real", "± sd"], body, right=4))
    if real and real.rows != data.rows:
        lines.append("The draws differ in size: do not compare diversity, Frechet distance, coverage or duplicates.")
    missing: dict[str, list[str]] = {}
    for number in shown:
        if reason := data.reasons.get(number.name):
            missing.setdefault(reason, []).append(number.title.strip())
    lines += [f"not measured: {', '.join(which)}: {reason}" for reason, which in missing.items()]
    if record.losses:
        reasons = ", ".join(f"{reason} {count:,}" for reason, count in record.losses.lost.items()) or "none"
        lines.append(f"lost of {record.losses.candidates:,} candidates, by the {record.losses.source}: {reasons}")
    if real and data.numbers["label_noise"] is not None:
        blind = real.numbers["label_noise"]
        if blind is None:
            lines.append(f"label noise of real rows: not measured: {real.reasons['label_noise']}")
        elif blind > BLIND:
            lines.append(
                f"label noise: of real rows, {100 * blind:.0f} % are taken for noise: the classifier is weak here"
            )
    if record.suspects:
        some = ", ".join(map(str, record.suspects[:10]))
        lines.append(f"labels to look at first, by row of the file: {some}{', …' if len(record.suspects) > 10 else ''}")
    return "\n".join(lines)


def _cells(number: Number, measured: Measured) -> list[str]:
    value, spread = measured.value(number.name), measured.spread.get(number.name)
    return ["-" if value is None else _shown(number, value), "" if spread is None else _shown(number, spread)]


def _shown(number: Number, value: float) -> str:
    if number.show == "share":
        return f"{100 * value:.1f} %"
    return f"{value:,.1f}" if number.show == "count" else f"{value:.3f}"


COMMANDS = {"quality": Command(EXAMPLES, configure, execute)}
