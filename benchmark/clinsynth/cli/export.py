"""``clinsynth export``."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from clinsynth.cli import Command, add_sample

EXAMPLES = (
    "clinsynth export --snapshot snapshot --format latex --view overall",
    "clinsynth export --snapshot snapshot --format csv --view tasks --filter task=gad",
    "clinsynth export --snapshot snapshot --format every-eval-ever --out eee",
    "clinsynth export --snapshot snapshot --format eval-results --submission demo --dataset owner/name --url https://board",
    "clinsynth export --format croissant --submission submissions/demo --out croissant.json",
    "clinsynth export --format scores --submission submissions/demo --sample --out scores",
)
FORMS = ("csv", "json", "markdown", "latex", "bibtex", "svg", "every-eval-ever", "eval-results", "croissant", "scores")
VIEWS = ("overall", "types", "tasks", "compare", "curves", "cost", "quality", "submission", "direct", "elsewhere",
         "method", "submit")  # fmt: skip


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument("--snapshot", type=Path, default=Path("snapshot"), metavar="DIR",
                        help="what clinsynth snapshot wrote (default: snapshot)")  # fmt: skip
    parser.add_argument("--format", choices=FORMS, default="csv")
    parser.add_argument("--view", choices=VIEWS, default="overall")
    parser.add_argument(
        "--filter",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="as in the address of the page, such as student=minilm-l6.v1; may be repeated",
    )
    parser.add_argument("--table", default="", metavar="KEY", help="csv: another table of the view than its first")
    parser.add_argument(
        "--submission", type=Path, metavar="DIR", help="croissant, scores, eval-results: the submission it is about"
    )
    parser.add_argument("--dataset", default="", metavar="OWNER/NAME", help="eval-results: the benchmark on the Hub")
    parser.add_argument("--url", default="", help="eval-results: where the scores can be seen")
    parser.add_argument("--out", type=Path, metavar="PATH",
                        help="a file (default: standard output); a folder for every-eval-ever and scores")  # fmt: skip
    add_sample(parser)


def execute(arguments: argparse.Namespace) -> int:
    """Always 0."""
    from clinsynth.core import write_text

    if arguments.format == "every-eval-ever":
        return _every_eval_ever(arguments)
    if arguments.format == "scores":
        return _scores(arguments)
    made = {"croissant": _croissant, "eval-results": _eval_results}
    text = made.get(arguments.format, _view)(arguments)
    if arguments.out:
        write_text(arguments.out, text)
        print(arguments.out)
    else:
        sys.stdout.write(text)
    return 0


def _view(arguments: argparse.Namespace) -> str:
    from clinsynth.core import UnknownNameError, UserError
    from clinsynth.export import FORMATS, as_csv
    from clinsynth.site import svg
    from clinsynth.snapshot import read_snapshot
    from clinsynth.views import page

    pairs = [each.partition("=") for each in arguments.filter]
    if odd := [key for key, equals, _ in pairs if not equals]:
        raise UserError("--filter cannot be read", found=", ".join(odd), expected="KEY=VALUE")
    snapshot = read_snapshot(arguments.snapshot)
    query = {key: value for key, _, value in pairs}
    made = page(snapshot, arguments.view, query)
    for key in query:
        if key not in made.query:
            raise UnknownNameError(f"filter of {arguments.view}", key, made.query)
    if made.warnings:
        # A page says so and shows something else; a script must not take that for what it asked for.
        raise UserError(made.warnings[0], expected="a value that the snapshot has")
    if arguments.format == "svg":
        if not made.figures:
            raise UserError(f"the view {arguments.view} has no plot under these filters")
        return svg(made.figures[0], standalone=True) + "\n"
    if arguments.table:
        if arguments.table not in {table.key for table in made.tables}:
            raise UnknownNameError("table", arguments.table, (table.key for table in made.tables))
        return as_csv(snapshot, made, arguments.table)
    return FORMATS[arguments.format](snapshot, made)


def _croissant(arguments: argparse.Namespace) -> str:
    from clinsynth.core import UserError
    from clinsynth.export import croissant

    if arguments.submission is None:
        raise UserError("croissant describes a submission's data", remedy="name it with --submission DIR")
    return json.dumps(croissant(arguments.submission), indent=1, ensure_ascii=False, default=str) + "\n"


def _eval_results(arguments: argparse.Namespace) -> str:
    from clinsynth.core import UserError
    from clinsynth.export import eval_results_yaml
    from clinsynth.snapshot import read_snapshot

    if arguments.submission is None:
        raise UserError("eval-results are of one submission", remedy="name it with --submission NAME")
    snapshot = read_snapshot(arguments.snapshot)
    return eval_results_yaml(snapshot, arguments.submission.name, arguments.dataset, arguments.url)


def _every_eval_ever(arguments: argparse.Namespace) -> int:
    from clinsynth.core import UserError, write_json
    from clinsynth.export import records
    from clinsynth.snapshot import read_snapshot

    if arguments.out is None:
        raise UserError("every-eval-ever writes a file for each submission", remedy="name a folder with --out DIR")
    count = 0
    for path, record in records(read_snapshot(arguments.snapshot)):
        write_json(arguments.out / path, record)
        count += 1
    print(f"{arguments.out}: {count} records")
    return 0


def _scores(arguments: argparse.Namespace) -> int:
    from clinsynth.core import UserError
    from clinsynth.export import export_scores

    if arguments.submission is None or arguments.out is None:
        raise UserError("scores are written to a folder", remedy="name both: --submission DIR --out DIR")
    count = export_scores(arguments.submission, arguments.out, "sample" if arguments.sample else "real")
    print(f"{arguments.out}: {count} runs, without rows and predictions")
    return 0


COMMANDS = {"export": Command(EXAMPLES, configure, execute)}
