"""``clinsynth audit`` and ``clinsynth canary``: what the rows give away."""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

from clinsynth.audit import HASHES_FILE, SECRETS_FILE, AuditRecord, Copy, audit, copies, look, plant, read_hashes
from clinsynth.cli import Command, add_data_dir, add_sample, names
from clinsynth.cli.submissions import say_unfilled
from clinsynth.core import UserError, clean
from clinsynth.data import open_store
from clinsynth.results import DataKind
from clinsynth.submissions import read_submission

AUDIT_EXAMPLES = (
    "clinsynth audit submissions/demo --sample",
    "clinsynth audit submissions/demo --sample --tasks gad,hoc",
    "clinsynth audit submissions/demo --sample --against submissions",
)


def configure_audit(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument("submission", type=Path, metavar="DIR")
    parser.add_argument("--tasks", type=names, default=(), help="all there is data for (default), or names with commas")
    parser.add_argument("--canaries", type=Path, metavar="FILE", help="hashes of planted canaries to look for as well")
    parser.add_argument("--against", type=Path, action="append", default=[], metavar="DIR",
                        help="name copies of others' text: a folder that holds audited submissions")  # fmt: skip
    add_sample(parser)
    add_data_dir(parser)


def execute_audit(arguments: argparse.Namespace) -> int:
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


CANARY_EXAMPLES = (
    "clinsynth canary plant build/canaries --count 5",
    "clinsynth canary look submissions/demo --hashes build/canaries/canary-hashes.json",
)


def configure_canary(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    steps = parser.add_subparsers(dest="step", metavar="plant|look", required=True)
    planting = steps.add_parser("plant", help="make new canaries")
    planting.add_argument("folder", type=Path, metavar="DIR", help="where to write them")
    planting.add_argument("--count", type=int, default=10, help="default: %(default)s")
    looking = steps.add_parser("look", help="look for canaries in a submission: whole ones and parts")
    looking.add_argument("submission", type=Path, metavar="DIR")
    looking.add_argument("--hashes", type=Path, required=True, metavar="FILE", help=f"{HASHES_FILE} of the planting")
    looking.add_argument("--tasks", type=names, default=(), help="all there is data for (default), or names")


def execute_canary(arguments: argparse.Namespace) -> int:
    """0: planted, or none found; 1: some came out again."""
    if arguments.step == "plant":
        hashes = plant(arguments.folder, arguments.count)
        print(
            f"{arguments.folder / SECRETS_FILE}: {len(hashes.canaries)} lines to put among the real text, kept secret"
        )
        print(f"{arguments.folder / HASHES_FILE}: to keep; finds them later and does not give them away")
        return 0
    hashes = read_hashes(arguments.hashes)
    submission = read_submission(arguments.submission)
    found: set[int] = set()
    for task in arguments.tasks or submission.tasks:
        for row, example in enumerate(submission.rows(task), 1):
            for sighting in look(example.texts, hashes):
                found.add(sighting.canary)
                how = "whole" if sighting.exact else f"{sighting.pairs} word pairs of it"
                print(f"{task}, row {row}: canary {sighting.canary}, {how}")
    print(f"{len(found)} of {len(hashes.canaries)} canaries found")
    return int(bool(found))


COMMANDS = {
    "audit": Command(AUDIT_EXAMPLES, configure_audit, execute_audit),
    "canary": Command(CANARY_EXAMPLES, configure_canary, execute_canary),
}
