"""``clinsynth import``."""

from __future__ import annotations

import argparse
from pathlib import Path

from clinsynth.core import TASKS, UserError
from clinsynth.submissions.importing import FORMATS, ImportOptions, import_data

EXAMPLES = (
    "clinsynth import rows.csv --format csv --task gad --out submissions/mine --column text=sentence",
    "clinsynth import tagged.tsv --format conll --task ncbi-disease --out submissions/mine",
)


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument("path", type=Path, metavar="PATH")
    parser.add_argument("--format", required=True, choices=tuple(FORMATS))
    parser.add_argument("--task", required=True)
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="the submission's folder")
    parser.add_argument("--column", action="append", default=[], metavar="OURS=THEIRS", help="which column is what")
    parser.add_argument("--label", action="append", default=[], metavar="THEIRS=OURS", help="what their label means")
    parser.add_argument("--swap-labels", action="store_true", help="exchange the two labels of a two-label task")
    parser.add_argument("--private", action="store_true", help="the rows hold real text: keep them out of git")


def execute(arguments: argparse.Namespace) -> int:
    """1 if no row could be carried over."""
    options = ImportOptions(
        columns=_pairs(arguments.column, "--column"),
        labels=_pairs(arguments.label, "--label"),
        swap_labels=arguments.swap_labels,
        private=arguments.private,
    )
    report = import_data(arguments.path, arguments.format, TASKS[arguments.task].spec, arguments.out, options)
    print(report)
    return int(report.kept == 0)


def _pairs(values: list[str], option: str) -> dict[str, str]:
    pairs: dict[str, str] = {}
    for value in values:
        left, equals, right = value.partition("=")
        if not left or not equals:
            raise UserError(f"{option} {value!r}", expected="a name, an equals sign, and a name")
        pairs[left] = right
    return pairs
