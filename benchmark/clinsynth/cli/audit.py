"""``clinsynth audit``, ``canary`` and ``quality``: leaks and private data in rows, and the quality of rows."""

from __future__ import annotations

import argparse
import json
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from clinsynth.audit import HASHES_FILE, SECRETS_FILE, AuditRecord, Copy, audit, copies, look, plant, read_hashes
from clinsynth.cli import Command, add_data_dir, add_sample, names
from clinsynth.cli.submissions import say_unfilled
from clinsynth.core import UserError, clean, select_tasks, text_table
from clinsynth.data import open_store
from clinsynth.results import DataKind
from clinsynth.submissions import read_submission

if TYPE_CHECKING:
    from clinsynth.quality import Measured, Number, QualityRecord

AUDIT_EXAMPLES = (
    "clinsynth audit submissions/demo --sample",
    "clinsynth audit submissions/demo --sample --tasks gad,hoc",
    "clinsynth audit submissions/demo --sample --against submissions",
)


def _configure_audit(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("submission", type=Path, metavar="DIR")
    parser.add_argument("--tasks", type=names, default=(), help="all there is data for (default), or names with commas")
    parser.add_argument("--canaries", type=Path, metavar="FILE", help="hashes of planted canaries to look for as well")
    parser.add_argument("--against", type=Path, action="append", default=[], metavar="DIR",
                        help="name copies of others' text: a folder that holds audited submissions")  # fmt: skip
    add_sample(parser)
    add_data_dir(parser)


def execute_audit(arguments: argparse.Namespace) -> int:
    """Exit status 0: clean; 1: leaks or privacy findings above the gate; 2: a task could not be audited."""
    say_unfilled([arguments.submission])
    store = open_store(arguments.data_dir, arguments.sample)
    hashes = read_hashes(arguments.canaries) if arguments.canaries else None
    unusable = failed = False
    for task in arguments.tasks or read_submission(arguments.submission).tasks:
        try:
            (record,) = audit(arguments.submission, [task], store, canaries=hashes)
        except UserError as error:
            sys.stderr.write(clean(f"clinsynth: {error}\n"))
            unusable = True
            continue
        failed = failed or not record.clean
        print("\n".join(_summary(record)))
    for copy in _copies(arguments.submission, arguments.against, store.kind):
        print(f"{copy.task}: FAILED: {copy.text}")
        failed = True
    return 2 if unusable else int(failed)


def _copies(submission: Path, places: Sequence[Path], kind: DataKind) -> Iterator[Copy]:
    """Copies between this submission and each of the others; the others are not compared with one another."""
    own = submission.absolute()
    others = [path.parent.absolute() for place in places for path in sorted(place.glob("*/submission.toml"))]
    for other in dict.fromkeys(each for each in others if each != own):
        yield from copies([own, other], kind)


def _summary(record: AuditRecord) -> Iterator[str]:
    yield f"{record.task}: {'clean' if record.clean else 'FAILED'} ({record.rows:,} rows)"
    yield from (f"  gate: {failure}" for failure in record.failures)
    reasons = Counter(match.reason for match in record.test.matches)
    methods = Counter(match.method for match in record.test.matches if match.reason == "leak")
    said = ", ".join(f"{method} {count:,}" for method, count in methods.items()) or "none"
    excused = "".join(f"; {reason} {reasons[reason]:,}" for reason in ("short", "public") if reasons[reason])
    yield f"  rows that repeat test examples: {said}{excused}; test examples touched: {record.test.touched:,}"
    if record.test.one_side:
        yield f"  rows that share one text of a pair with a test example: {len(record.test.one_side):,}"
    for repeats, what in ((record.few_shot, "few-shot examples"), (record.train, "real text")):
        if repeats and repeats.rows:
            counts = ", ".join(f"{method} {count:,}" for method, count in repeats.rows.items())
            yield f"  rows that repeat {what} ({repeats.split}): {counts}"
    if record.nearness:
        near = record.nearness
        yield (
            f"  rows nearer to test text than to as much {near.split} text: {near.test:.0%}"
            f" (of real rows: {near.usual:.0%}); nearer to {near.split} text: {near.real:.0%}"
        )
    if record.verbatim:
        words = record.verbatim.quantiles["words"]
        yield f"  longest stretch of real text in a row: median {words['0.5']:.0f} words, longest {words['1']:.0f}"
    if record.privacy.rows:
        kinds = ", ".join(f"{kind} {len(rows):,}" for kind, rows in record.privacy.rows.items())
        yield f"  rows with what looks like PHI: {kinds}"
    for run in record.scores if record.test.touched else ():
        without = "no example is left" if run.without is None else f"{100 * run.without:.1f}"
        yield (
            f"  {run.recipe} n {run.rows:,} seed {run.seed}: {run.metric.replace('_', ' ')} {100 * run.score:.1f},"
            f" without the touched examples {without}"
        )


CANARY_EXAMPLES = (
    "clinsynth canary plant build/canaries --count 5",
    "clinsynth canary look submissions/demo --hashes build/canaries/canary-hashes.json",
)


def _configure_canary(parser: argparse.ArgumentParser) -> None:
    steps = parser.add_subparsers(dest="step", metavar="plant|look", required=True)
    planting = steps.add_parser("plant", help="make new canaries")
    planting.add_argument("folder", type=Path, metavar="DIR", help="where to write them")
    planting.add_argument("--count", type=int, default=10, help="default: %(default)s")
    looking = steps.add_parser("look", help="look for canaries in a submission: whole ones and parts")
    looking.add_argument("submission", type=Path, metavar="DIR")
    looking.add_argument("--hashes", type=Path, required=True, metavar="FILE", help=f"{HASHES_FILE} of the planting")
    looking.add_argument("--tasks", type=names, default=(), help="all there is data for (default), or names")


def execute_canary(arguments: argparse.Namespace) -> int:
    """Exit status 0: planted, or none found; 1: some came out again."""
    if arguments.step == "plant":
        hashes = plant(arguments.folder, arguments.count)
        print(
            f"{arguments.folder / SECRETS_FILE}: {len(hashes.canaries)} lines to put among the real text, kept secret"
        )
        print(f"{arguments.folder / HASHES_FILE}: to keep; finds them later and does not give them away")
        return 0
    hashes = read_hashes(arguments.hashes)
    submission = read_submission(arguments.submission)
    canaries: set[int] = set()
    for task in arguments.tasks or submission.tasks:
        for row, example in enumerate(submission.rows(task), 1):
            for sighting in look(example.texts, hashes):
                canaries.add(sighting.canary)
                how = "whole" if sighting.exact else f"{sighting.pairs} word pairs of it"
                print(f"{task}, row {row}: canary {sighting.canary}, {how}")
    print(f"{len(canaries)} of {len(hashes.canaries)} canaries found")
    return int(bool(canaries))


QUALITY_EXAMPLES = (
    "clinsynth quality submissions/demo --sample --tasks gad",
    "clinsynth quality submissions/demo --sample --tasks gad --json",
)
BLIND = 0.1
"""Estimated label noise of real rows above which the estimate says more of the classifier than of the labels."""


def _configure_quality(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("submission", type=Path, metavar="DIR")
    parser.add_argument("--tasks", type=names, default=(), help="all there is data for (default), or names with commas")
    parser.add_argument("--rows", default="1000", help="rows of a draw, or all (default: %(default)s)")
    parser.add_argument("--json", action="store_true", help="print the records as JSON")
    add_sample(parser)
    add_data_dir(parser)


def execute_quality(arguments: argparse.Namespace) -> int:
    """Exit status: always 0, since quality is reported and not judged."""
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


COMMANDS = {
    "audit": Command(AUDIT_EXAMPLES, _configure_audit, execute_audit),
    "canary": Command(CANARY_EXAMPLES, _configure_canary, execute_canary),
    "quality": Command(QUALITY_EXAMPLES, _configure_quality, execute_quality),
}
