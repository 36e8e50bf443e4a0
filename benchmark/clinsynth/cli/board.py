"""``clinsynth snapshot``, and the commands that show one: ``leaderboard``, ``site`` and ``export``."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from clinsynth.cli import Command, add_data_dir, add_home, add_sample, names
from clinsynth.core import UnknownNameError, UserError, clean, cores, write_json, write_text

SNAPSHOT_EXAMPLES = (
    "clinsynth snapshot submissions --sample --out snapshot",
    "clinsynth snapshot submissions --sample --no-statistics --out snapshot",
)


def _configure_snapshot(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("places", nargs="*", type=Path, default=[Path("submissions")], metavar="DIR",
                        help="submissions, direct-track folders, or their parents (default: submissions)")  # fmt: skip
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="where to write the snapshot")
    parser.add_argument("--recipes", type=names, default=(), help="only these, with commas between (default: all)")
    parser.add_argument("--rows", type=names, default=(), help="only these budgets, with commas between (default: all)")
    parser.add_argument("--resamples", type=int, default=2_000, metavar="B",
                        help="of F1 metrics (default %(default)s; 10000 to publish; 0: jackknife)")  # fmt: skip
    parser.add_argument("--no-statistics", action="store_true", help="means alone: no intervals, no ranks; quick")
    parser.add_argument("--published", action="store_true",
                        help="for a public board: rank only what clinsynth reproduce trained again")  # fmt: skip
    add_sample(parser)
    add_data_dir(parser)


def execute_snapshot(arguments: argparse.Namespace) -> int:
    """Exit status: always 0."""
    from clinsynth.data import open_store
    from clinsynth.snapshot import Wanted, build, write_snapshot
    from clinsynth.standings import Profiler

    if not all(each.isdecimal() for each in arguments.rows):
        raise UserError("--rows cannot be read", found=",".join(arguments.rows), expected="numbers with commas between")
    wanted = Wanted(
        places=tuple(arguments.places), kind="sample" if arguments.sample else "real", recipes=arguments.recipes,
        rows=tuple(map(int, arguments.rows)), published=arguments.published,
    )  # fmt: skip
    store = open_store(arguments.data_dir, arguments.sample)
    profiler = None if arguments.no_statistics else Profiler(store, arguments.resamples, workers=cores())
    made = write_snapshot(arguments.out, build(wanted, profiler, lambda line: print(clean(line), file=sys.stderr)))
    print(f"{arguments.out}: snapshot {made.manifest.short} of {len(made.tables.submissions)} submissions")
    return 0


LEADERBOARD_EXAMPLES = (
    "clinsynth leaderboard --snapshot snapshot",
    "clinsynth leaderboard --snapshot snapshot --port 8000",
)


def _configure_leaderboard(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--snapshot", type=Path, default=Path("snapshot"), metavar="DIR",
                        help="what clinsynth snapshot wrote (default: snapshot)")  # fmt: skip
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default: this machine alone)")
    parser.add_argument("--port", type=int, default=7860)
    add_home(parser)


def execute_leaderboard(arguments: argparse.Namespace) -> int:
    """Exit status 0, once it is stopped."""
    from clinsynth.leaderboard import serve
    from clinsynth.site import home_of
    from clinsynth.snapshot import read_snapshot

    snapshot = read_snapshot(arguments.snapshot)
    print(f"snapshot {snapshot.manifest.short}: http://{arguments.host}:{arguments.port}", flush=True)
    home = home_of(arguments.url, arguments.repository, arguments.docs, arguments.contact)
    serve(snapshot, arguments.host, arguments.port, home)
    return 0


SITE_EXAMPLES = ("clinsynth site --snapshot snapshot --out site",)


def _configure_site(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--snapshot", type=Path, default=Path("snapshot"), metavar="DIR",
                        help="what clinsynth snapshot wrote (default: snapshot)")  # fmt: skip
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="where to write the pages")
    add_home(parser)


def execute_site(arguments: argparse.Namespace) -> int:
    """Exit status: always 0."""
    from clinsynth.site import build_site, home_of
    from clinsynth.snapshot import read_snapshot

    snapshot = read_snapshot(arguments.snapshot)
    home = home_of(arguments.url, arguments.repository, arguments.docs, arguments.contact)
    pages = build_site(snapshot, arguments.out, lambda line: print(clean(line), file=sys.stderr), home)
    print(f"{arguments.out}/index.html: {pages} pages of snapshot {snapshot.manifest.short}")
    return 0


EXPORT_EXAMPLES = (
    "clinsynth export --snapshot snapshot --format latex --view overall",
    "clinsynth export --snapshot snapshot --format csv --view tasks --filter task=gad",
    "clinsynth export --snapshot snapshot --format every-eval-ever --out eee",
    "clinsynth export --snapshot snapshot --format eval-results --submission demo --dataset owner/name --url https://board",
    "clinsynth export --format croissant --submission submissions/demo --out croissant.json",
    "clinsynth export --format scores --submission submissions/demo --sample --out scores",
)
EXPORT_FORMS = (
    "csv",
    "json",
    "markdown",
    "latex",
    "bibtex",
    "svg",
    "every-eval-ever",
    "eval-results",
    "croissant",
    "scores",
)
EXPORT_VIEWS = (
    "overall", "types", "tasks", "compare", "curves", "cost", "quality", "submission", "direct", "elsewhere", "method",
    "submit",
)  # fmt: skip


def _configure_export(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--snapshot", type=Path, default=Path("snapshot"), metavar="DIR",
                        help="what clinsynth snapshot wrote (default: snapshot)")  # fmt: skip
    parser.add_argument("--format", choices=EXPORT_FORMS, default="csv")
    parser.add_argument("--view", choices=EXPORT_VIEWS, default="overall")
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


def execute_export(arguments: argparse.Namespace) -> int:
    """Exit status: always 0."""
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
    from clinsynth.export import croissant

    if arguments.submission is None:
        raise UserError("croissant describes a submission's data", remedy="name it with --submission DIR")
    return json.dumps(croissant(arguments.submission), indent=1, ensure_ascii=False, default=str) + "\n"


def _eval_results(arguments: argparse.Namespace) -> str:
    from clinsynth.export import eval_results_yaml
    from clinsynth.snapshot import read_snapshot

    if arguments.submission is None:
        raise UserError("eval-results are of one submission", remedy="name it with --submission NAME")
    snapshot = read_snapshot(arguments.snapshot)
    return eval_results_yaml(snapshot, arguments.submission.name, arguments.dataset, arguments.url)


def _every_eval_ever(arguments: argparse.Namespace) -> int:
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
    from clinsynth.export import export_scores

    if arguments.submission is None or arguments.out is None:
        raise UserError("scores are written to a folder", remedy="name both: --submission DIR --out DIR")
    count = export_scores(arguments.submission, arguments.out, "sample" if arguments.sample else "real")
    print(f"{arguments.out}: {count} runs, without rows and predictions")
    return 0


COMMANDS = {
    "snapshot": Command(SNAPSHOT_EXAMPLES, _configure_snapshot, execute_snapshot),
    "leaderboard": Command(LEADERBOARD_EXAMPLES, _configure_leaderboard, execute_leaderboard),
    "site": Command(SITE_EXAMPLES, _configure_site, execute_site),
    "export": Command(EXPORT_EXAMPLES, _configure_export, execute_export),
}
