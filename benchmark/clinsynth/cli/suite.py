"""``clinsynth suite``."""

from __future__ import annotations

import argparse
from contextlib import ExitStack
from pathlib import Path

from clinsynth.cli import Command, add_data_dir, names
from clinsynth.cli.model import add_model_under_test, model_of, positive, prices_of, print_estimates, say

_LOCAL = "--model local-completions --model-args base_url=http://127.0.0.1:8080/v1/completions,model=gemma-3-270m"
EXAMPLES = (
    f"clinsynth suite clinicalgpt {_LOCAL} --sets medqa,mts-dialog --limit 50",
    f"clinsynth suite asclepius-notes {_LOCAL} --notes build/notes --judge judge=http://127.0.0.1:8000/v1",
    f"clinsynth suite asclepius-notes {_LOCAL} --notes aci-bench --judge judge=http://127.0.0.1:8000/v1",
    "clinsynth suite humans --from raw",
    "clinsynth suite clinicalgpt --report direct",
)


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument("suite", choices=("clinicalgpt", "asclepius-notes", "humans"),
                        help="humans: how far metrics and judges agree with people")  # fmt: skip
    parser.add_argument("--limit", type=int, metavar="N", help="ask a seeded subset; the result is preliminary")
    parser.add_argument("--out", type=Path, metavar="DIR", help="the folder (default: direct/<model>)")
    parser.add_argument("--answer-tokens", type=int, metavar="N",
                        help="room for each answer at least, of the model and of judges that think first")  # fmt: skip
    add_model_under_test(parser)
    sets = parser.add_argument_group("clinicalgpt, real notes, humans")
    sets.add_argument("--sets", type=names, default=(), help="all (default), or names with commas between")
    sets.add_argument("--from", dest="source", type=Path, metavar="DIR",
                      help="a folder with the published files as <set>/<file>; default: download them")  # fmt: skip
    notes = parser.add_argument_group("asclepius-notes, humans")
    notes.add_argument(
        "--notes",
        type=Path,
        metavar="NOTES",
        help="folder or table of `clinsynth notes`; or the real notes of aci-bench, mts-dialog",
    )
    notes.add_argument("--judge", action="append", default=[], metavar="MODEL=URL[,completion]",
                       help="a model that grades the answers; may be repeated")  # fmt: skip
    notes.add_argument("--against", type=Path, action="append", default=[], metavar="DIR",
                       help="a folder whose answers to the same notes are set beside, in both orders")  # fmt: skip
    report = parser.add_argument_group("the table")
    report.add_argument("--report", type=Path, nargs="+", metavar="DIR",
                        help="print the stored results of all models in these folders; nothing is asked")  # fmt: skip
    add_data_dir(parser)


def execute(arguments: argparse.Namespace) -> int:
    """0 if anything was asked."""
    positive("--limit", arguments.limit)
    positive("--answer-tokens", arguments.answer_tokens)
    if arguments.report is not None:
        return _report(arguments)
    if arguments.suite == "humans":
        return _humans(arguments)
    with ExitStack() as stack:
        return {"clinicalgpt": _clinicalgpt, "asclepius-notes": _notes}[arguments.suite](arguments, stack)


def _report(arguments: argparse.Namespace) -> int:
    from clinsynth.core import UserError
    from clinsynth.direct import direct_folders
    from clinsynth.export import text_blocks
    from clinsynth.snapshot import snapshot_of, suites_of
    from clinsynth.views import left_out, suite_tables

    inside = "clinicalgpt" if arguments.suite == "clinicalgpt" else "asclepius-*"
    folders = [each for each in direct_folders(arguments.report) if any((each / "suites").glob(inside))]
    if not folders:
        raise UserError(f"no results of {arguments.suite} under {', '.join(map(str, arguments.report))}",
                        expected="a folder that clinsynth suite wrote")  # fmt: skip
    snapshot = snapshot_of(suites_of(folders, arguments.suite))
    print(text_blocks((*suite_tables(snapshot), *left_out(snapshot))), end="")
    return 0


def _raw(arguments: argparse.Namespace) -> Path:
    from clinsynth.data import default_data_dir

    return (arguments.data_dir or default_data_dir()) / "raw"


def _clinicalgpt(arguments: argparse.Namespace, stack: ExitStack) -> int:
    from clinsynth.core import text_table
    from clinsynth.direct import slug
    from clinsynth.direct.suites import SETS, SuiteRequest, run_clinicalgpt

    model = model_of(arguments, stack)
    out = arguments.out or Path("direct") / slug(model.name)
    request = SuiteRequest(model=model, out=out, limit=arguments.limit, prices=prices_of(arguments, model),
                           answer_tokens=arguments.answer_tokens, say=say)  # fmt: skip
    if arguments.dry_run:
        from clinsynth.direct.suites import estimate_sets

        return print_estimates(list(estimate_sets(request, arguments.sets, arguments.source, _raw(arguments))))
    outcome = run_clinicalgpt(request, arguments.sets, arguments.source, _raw(arguments))
    body: list[list[str]] = []
    for name, record in outcome.records.items():
        scores = ", ".join(f"{metric} {100 * value:.1f}" for metric, value in record.scores.items())
        of = f"{record.asked:,} of {record.examples:,}{'*' if record.limit else ''}"
        body.append([SETS[name].area, name, of, f"{record.asked - record.answers.get('read', 0):,}", scores])
    print(text_table(["area", "set", "asked", "unreadable", "scores x 100"], body))
    print("\n* preliminary: a seeded subset. Diagnosis: MD-EHR is not public; open case files stand in for it.")
    for name, reason in outcome.skipped.items():
        print(f"{name}: skipped: {reason}")
    return 0


def _notes(arguments: argparse.Namespace, stack: ExitStack) -> int:
    from clinsynth.core import UserError
    from clinsynth.direct import slug
    from clinsynth.direct.suites import SuiteRequest, notes_text, open_judges, open_notes, run_notes

    if arguments.notes is None:
        raise UserError(
            "which notes?", expected="--notes FOLDER, as `clinsynth notes` writes it, aci-bench or mts-dialog"
        )
    model = model_of(arguments, stack)
    out = arguments.out or Path("direct") / slug(model.name)
    request = SuiteRequest(model=model, out=out, limit=arguments.limit, prices=prices_of(arguments, model),
                           answer_tokens=arguments.answer_tokens, say=say)  # fmt: skip
    notes = open_notes(arguments.notes, arguments.source, _raw(arguments))
    if arguments.dry_run:
        from clinsynth.direct.suites import estimate_notes

        return print_estimates(list(estimate_notes(request, notes, arguments.judge, arguments.against)))
    judges = open_judges(arguments.judge, arguments.cache, arguments.answer_tokens)
    print(notes_text(run_notes(request, notes, judges, arguments.against)))
    return 0


def _humans(arguments: argparse.Namespace) -> int:
    from clinsynth.direct.suites import agreement_text, agreement_with_humans, open_judges

    judges = open_judges(arguments.judge, arguments.cache, arguments.answer_tokens)
    print(agreement_text(agreement_with_humans(arguments.source, _raw(arguments), judges, arguments.limit)))
    return 0


COMMANDS = {"suite": Command(EXAMPLES, configure, execute)}
