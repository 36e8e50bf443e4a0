"""Commands about a submission's folder: ``new``, ``import``, ``validate`` and ``verify``."""

from __future__ import annotations

import argparse
import shlex
import sys
from collections.abc import Iterable
from pathlib import Path

from clinsynth.cli import Command, add_data_dir, add_sample, names
from clinsynth.core import TASKS
from clinsynth.direct import is_direct
from clinsynth.submissions import Report, existing_card, new_submission, validate

NEW_EXAMPLES = ("clinsynth new my-method --in submissions",)


def _configure_new(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name", metavar="NAME")
    parser.add_argument("--in", dest="parent", type=Path, default=Path("submissions"), metavar="DIR",
                        help="where submissions lie (default: submissions)")  # fmt: skip


def execute_new(arguments: argparse.Namespace) -> int:
    """Exit status: always 0; an existing folder is an error."""
    path = new_submission(arguments.name, arguments.parent)
    print(f"wrote {path}\nFill in submission.toml, put rows into data/<task>.jsonl.gz (or use clinsynth import), then:")
    print(f"  clinsynth validate {path}\n  clinsynth score {path}")
    return 0


IMPORT_EXAMPLES = (
    "clinsynth import rows.csv --format csv --task gad --out submissions/mine --column text=sentence",
    "clinsynth import tagged.tsv --format conll --task ncbi-disease --out submissions/mine",
)


def _configure_import(parser: argparse.ArgumentParser) -> None:
    from clinsynth.submissions.importing import FORMATS

    parser.add_argument("path", type=Path, metavar="PATH",
                        help="a file or a folder; with --format datasets also a name on the Hub: org/name")  # fmt: skip
    parser.add_argument("--format", choices=tuple(FORMATS), help="default: what the name of the file says")
    parser.add_argument("--task", required=True)
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="the submission's folder")
    parser.add_argument("--columns", default="", metavar="OURS=THEIRS,...", help="which columns are what")
    parser.add_argument("--column", action="append", default=[], metavar="OURS=THEIRS",
                        help="the same for one column, whose name may hold a comma; may be repeated")  # fmt: skip
    parser.add_argument("--label", action="append", default=[], metavar="THEIRS=OURS",
                        help="what their label, number or type of entity means; may be repeated")  # fmt: skip
    parser.add_argument("--swap-labels", action="store_true", help="exchange the two labels of a two-label task")
    parser.add_argument("--strict-types", action="store_true",
                        help="refuse entities of other types than the task's, instead of leaving them out")  # fmt: skip
    parser.add_argument("--private", action="store_true",
                        help="the rows hold real text: keep them out of git, and quote nothing of them")  # fmt: skip


def execute_import(arguments: argparse.Namespace) -> int:
    """Exit status: always 0; where no row could be carried over, that is an error."""
    from clinsynth.submissions.importing import ImportOptions, format_of, import_data, pairs_of

    columns = [part for part in arguments.columns.split(",") if part]
    options = ImportOptions(
        columns=pairs_of(columns, "--columns") | pairs_of(arguments.column, "--column"),
        labels=pairs_of(arguments.label, "--label"),
        swap_labels=arguments.swap_labels,
        private=arguments.private,
        strict_types=arguments.strict_types,
    )
    form = arguments.format or format_of(arguments.path)
    report = import_data(arguments.path, form, TASKS[arguments.task].spec, arguments.out, options)
    print(report)
    print(f"\nnext: {report.next_command()}")
    return 0


VALIDATE_EXAMPLES = ("clinsynth validate submissions/demo", "clinsynth validate submissions/demo --json")


def _configure_validate(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("submission", type=Path, metavar="DIR")
    parser.add_argument("--tasks", type=names, default=(), help="only these, with commas between")
    parser.add_argument("--json", action="store_true", help="print the report as JSON")


def execute_validate(arguments: argparse.Namespace) -> int:
    """Exit status 0: at most warnings; 1: errors, or an unfinished card; 2: no submission."""
    if is_direct(arguments.submission):
        from clinsynth.direct import validate_direct

        report = validate_direct(arguments.submission)
        print(report.to_json() if arguments.json else report)
        return report.exit_code
    report = validate(arguments.submission, arguments.tasks or None)
    print(report.to_json() if arguments.json else report)
    if report.usable and not arguments.json:
        print(f"\nnext: clinsynth score {shlex.quote(str(arguments.submission))}")
    return report.exit_code


def say_notices(report: Report) -> None:
    """Print the warnings of ``validate`` on standard error, for commands that continue in spite of them."""
    sys.stderr.writelines(f"clinsynth: {line}\n" for line in report.notices())


def say_unfilled(folders: Iterable[Path]) -> None:
    """Name cards with placeholders on standard error, for commands that do not need a finished card."""
    for folder in folders:
        card = existing_card(folder.absolute())
        if card is not None and card.unfilled:
            fields = ", ".join(card.unfilled)
            sys.stderr.write(f"clinsynth: the card of {folder} is not filled in ({fields}): needed only to hand in\n")


VERIFY_EXAMPLES = ("clinsynth verify submissions/demo --sample",)


def _configure_verify(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("submission", type=Path, metavar="DIR")
    add_sample(parser)
    add_data_dir(parser)


def execute_verify(arguments: argparse.Namespace) -> int:
    """Exit status 1 if anything is not as recorded."""
    from clinsynth.data import open_store
    from clinsynth.results import verify

    store = open_store(arguments.data_dir, arguments.sample)
    if is_direct(arguments.submission):
        from clinsynth.direct import verify_direct

        verified = verify_direct(arguments.submission, store)
    else:
        verified = verify(arguments.submission, store)
    for finding in dict.fromkeys(map(str, verified.findings)):
        print(finding)
    failed = sum(finding.severity == "failed" for finding in verified.findings)
    unchecked = len(verified.findings) - failed
    print(
        f"{verified.runs} runs: {'as recorded' if verified.ok else f'{failed} failed checks'}; {unchecked} not checked"
    )
    return 0 if verified.ok else 1


COMMANDS = {
    "new": Command(NEW_EXAMPLES, _configure_new, execute_new),
    "import": Command(IMPORT_EXAMPLES, _configure_import, execute_import),
    "validate": Command(VALIDATE_EXAMPLES, _configure_validate, execute_validate),
    "verify": Command(VERIFY_EXAMPLES, _configure_verify, execute_verify),
}
