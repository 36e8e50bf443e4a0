"""``clinsynth audit``."""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

from clinsynth.audit import AuditRecord, Copy, audit, copies, read_hashes
from clinsynth.cli import add_data_dir, add_sample, names
from clinsynth.cli.validate import say_unfilled
from clinsynth.core import UserError, clean
from clinsynth.data import open_store
from clinsynth.results import DataKind
from clinsynth.submissions import read_submission

EXAMPLES = ("clinsynth audit submissions/demo --sample", "clinsynth audit submissions/demo --sample --tasks gad,hoc",
            "clinsynth audit submissions/demo --sample --against submissions")  # fmt: skip


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument("submission", type=Path, metavar="DIR")
    parser.add_argument("--tasks", type=names, default=(), help="all there is data for (default), or names with commas")
    parser.add_argument("--canaries", type=Path, metavar="FILE", help="hashes of planted canaries to look for as well")
    parser.add_argument("--against", type=Path, action="append", default=[], metavar="DIR",
                        help="name copies of others' text: a folder that holds audited submissions")  # fmt: skip
    add_sample(parser)
    add_data_dir(parser)


def execute(arguments: argparse.Namespace) -> int:
    """0: clean; 1: leaks or privacy findings above the gate; 2: a task could not be audited."""
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
    """Copies of others' text: of this submission alone, what the others are to one another is not asked."""
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
