"""``clinsynth notes``."""

from __future__ import annotations

import argparse
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from clinsynth.cli.model import add_model, open_model
from clinsynth.core import clean, progress

if TYPE_CHECKING:
    from clinsynth.generation.notes import NotesRequest
    from clinsynth.llm import Mode

EXAMPLES = ("clinsynth notes --dry-run --rows 3 --out build/notes",)


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument(
        "--reports",
        metavar="builtin|FILE",
        help="case reports: a dozen that come along (default; also CLINSYNTH_REPORTS), or a CSV, Parquet, JSON or JSON "
        "Lines file with a column patient, such as PMC-Patients.csv",
    )
    parser.add_argument("--rows", type=int, default=100, help="rows to write (%(default)s)")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder of notes.csv and notes.json")
    parser.add_argument("--seed", type=int, default=42, help="order of the reports and draw of the tasks (%(default)s)")
    parser.add_argument("--context", type=int, default=4_096, metavar="N",
                        help="tokens of prompt and answer together (%(default)s); longer reports are cut")  # fmt: skip
    parser.add_argument("--dry-run", action="store_true", help="print the prompts of three notes; nothing is sent")
    add_model(parser)


def execute(arguments: argparse.Namespace) -> int:
    """0 if rows were written or were there."""
    from clinsynth.generation.notes import NotesRequest, make_notes, read_reports

    reports = read_reports(arguments.reports)
    request = NotesRequest(
        reports=reports, rows=arguments.rows, out=arguments.out, seed=arguments.seed, context=arguments.context
    )
    if arguments.dry_run:
        return _dry_run(request, arguments.mode)
    with ExitStack() as stack, progress("notes", arguments.rows) as bar:
        record, kept = make_notes(request, open_model(arguments, stack), bar.advance)
    print(f"{arguments.out / 'notes.csv'}: {'kept, it was there already: ' if kept else ''}{record.kept:,} rows "
          f"from {record.reports_used:,} case reports of {record.reports}")  # fmt: skip
    for task, count in record.kept_by_task.items():
        print(f"  {count:,} {task}")
    for word, counts in (("dropped", record.dropped), ("put right", record.altered)):
        if counts:
            print(f"{word}: " + ", ".join(f"{reason} {count:,}" for reason, count in counts.items()))
    if record.cost is not None:
        cost = record.cost
        dollars = "price unknown" if cost.dollars is None else f"${cost.dollars:.4f} (${cost.dollars_new or 0:.4f} now)"
        seen = "unknown" if cost.tokens_in is None else f"{cost.tokens_in:,} in, {cost.tokens_out or 0:,} out"
        print(f"{cost.calls:,} calls ({cost.cached:,} cached, {cost.failed:,} failed), tokens {seen}, {dollars}")
    if record.stopped != "rows":
        why = "the limit was reached" if record.stopped == "limit" else "nothing new came for too long"
        sys.stderr.write(clean(f"clinsynth: only {record.kept:,} of {record.asked:,} rows: {why}\n"))
    return 0


def _dry_run(request: NotesRequest, mode: Mode) -> int:
    from clinsynth.generation.notes import note_prompts
    from clinsynth.llm import likely_tokens

    prompts = note_prompts(request, mode, min(request.rows, 3))
    for number, prompt in enumerate(prompts, 1):
        print(f"== note {number}: about {likely_tokens(prompt):,} tokens, at most {prompt.max_tokens:,} in the answer")
        print(*(part for part in (prompt.system, prompt.text) if part), sep="\n--\n")
    print(f"== {3 * request.rows:,} calls at least: a note, a request and an answer a row")
    return 0
