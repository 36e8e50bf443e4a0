"""``clinsynth evaluate``."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from clinsynth.cli import Command, add_data_dir, add_sample, names
from clinsynth.core import write_text
from clinsynth.submissions import existing_card

if TYPE_CHECKING:
    from clinsynth.evaluation import Report

EXAMPLES = (
    "clinsynth evaluate rows.csv --task gad --sample --seeds 0",
    "clinsynth evaluate rows.csv --task gad --sample --seeds 0-1 --against demo --json",
)


def _configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("rows", nargs="+", metavar="ROWS",
                        help="files in any form that clinsynth import reads, or a submission's folder")  # fmt: skip
    parser.add_argument("--task", required=True)
    parser.add_argument("--against", type=names, default=(), help="only these known submissions, with commas between")
    parser.add_argument("--known", type=Path, action="append", default=[], metavar="DIR",
                        help="submissions to compare with (default: submissions/, else what is installed)")  # fmt: skip
    parser.add_argument("--out", type=Path, metavar="DIR",
                        help="where the rows and what is found are kept (default: build/evaluate/<name>)")  # fmt: skip
    parser.add_argument("--format", default="", help="form of the files (default: what their names say)")
    parser.add_argument("--columns", default="", metavar="OURS=THEIRS,...", help="which columns are what")
    parser.add_argument("--label", action="append", default=[], metavar="THEIRS=OURS",
                        help="what a label of theirs means; may be repeated")  # fmt: skip
    parser.add_argument("--recipe", default="", help="the student (default: the one of the leaderboard)")
    parser.add_argument("--seeds", default="0-4")
    parser.add_argument("--html", type=Path, metavar="FILE", help="the report (default: in the folder)")
    parser.add_argument("--json", action="store_true", help="the outcome as JSON, for programs")
    parser.add_argument("--offline", action="store_true", help="fetch nothing: fail if the data set is not prepared")
    parser.add_argument("--private", action="store_true", help="the rows hold real text: nothing of them is quoted")
    parser.add_argument("--workers", type=int, default=0, help="runs at a time (default: one for each core)")
    add_sample(parser)
    add_data_dir(parser)


def execute(arguments: argparse.Namespace) -> int:
    """Exit status 1 if the audit failed."""
    from clinsynth.evaluation import FOLDER, Request, evaluate, folder_of, known_places
    from clinsynth.submissions.importing import ImportOptions, pairs_of
    from clinsynth.training import seeds_of

    rows: str | list[str] = arguments.rows if len(arguments.rows) > 1 else arguments.rows[0]
    out = arguments.out or folder_of(rows, arguments.task)
    options = ImportOptions(
        columns=pairs_of([part for part in arguments.columns.split(",") if part], "--columns"),
        labels=pairs_of(arguments.label, "--label"),
        private=arguments.private,
    )
    request = Request(
        rows=rows, task=arguments.task, out=out.absolute(), options=options, form=arguments.format,
        known=tuple(arguments.known) or known_places(), against=arguments.against,
        recipe=arguments.recipe, seeds=seeds_of(arguments.seeds), data_dir=arguments.data_dir,
        sample=arguments.sample, offline=arguments.offline, workers=arguments.workers,
    )  # fmt: skip

    def said(line: str) -> None:
        sys.stderr.write(f"{line}\n")

    page = arguments.html or out / FOLDER / f"{arguments.task}.html"

    def first(report: Report) -> None:
        write_text(page, report.to_html())
        said(f"\na first answer, with its report in {page} (Ctrl-C ends here, the same command goes on):\n{report}\n")

    report = evaluate(request, said, first)
    write_text(page, report.to_html())
    if arguments.json:
        print(json.dumps(report.as_dict(), indent=1))
    else:
        print(f"\n{report}\n\nreport: {page}\nnext:   {_next(report)}")
    return int(not report.audit.clean)


def _next(report: Report) -> str:
    """Suggestions for the next step."""
    if not report.audit.clean:
        what = "mend the rows that leak" if report.too_many_leaks else "mend what the audit found"
        return f"{what}, then run the same command again"
    card, place = existing_card(report.folder), report.place
    if card is None or card.unfilled:
        return f"to hand in, fill in {place / 'submission.toml'}; then clinsynth validate {place}"
    return f"clinsynth validate {place}"


COMMANDS = {"evaluate": Command(EXAMPLES, _configure, execute)}
