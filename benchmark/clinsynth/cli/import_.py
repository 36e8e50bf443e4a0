"""``clinsynth import``."""

from __future__ import annotations

import argparse
from pathlib import Path

from clinsynth.core import TASKS, UserError
from clinsynth.submissions.importing import FORMATS, ImportOptions, format_of, import_data

EXAMPLES = (
    "clinsynth import rows.csv --format csv --task gad --out submissions/mine --column text=sentence",
    "clinsynth import tagged.tsv --format conll --task ncbi-disease --out submissions/mine",
)


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument("path", type=Path, metavar="PATH")
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


def execute(arguments: argparse.Namespace) -> int:
    """Always 0; where no row could be carried over, that is an error."""
    columns = [part for part in arguments.columns.split(",") if part]
    options = ImportOptions(
        columns=_pairs(columns, "--columns") | _pairs(arguments.column, "--column"),
        labels=_pairs(arguments.label, "--label"),
        swap_labels=arguments.swap_labels,
        private=arguments.private,
        strict_types=arguments.strict_types,
    )
    form = arguments.format or format_of(arguments.path)
    report = import_data(arguments.path, form, TASKS[arguments.task].spec, arguments.out, options)
    print(report)
    print(f"\nnext: {report.next_command()}")
    return 0


def _pairs(values: list[str], option: str) -> dict[str, str]:
    pairs: dict[str, str] = {}
    for value in values:
        left, equals, right = value.partition("=")
        if not left or not equals:
            raise UserError(f"{option} {value!r}", expected="a name, an equals sign, and a name")
        pairs[left] = right
    return pairs
