"""``clinsynth direct``, ``suite``, ``lm-eval-path`` and ``tune-llm``: a language model that answers by itself."""

from __future__ import annotations

import argparse
from contextlib import ExitStack
from pathlib import Path

from clinsynth.cli import Command, add_data_dir, add_format, add_sample, names
from clinsynth.cli.model import add_model_under_test, model_of, positive, prices_of, print_estimates, say
from clinsynth.core import UserError, select_tasks, text_table, write_text
from clinsynth.training import DEFAULT_RECIPE

DIRECT_EXAMPLES = (
    "clinsynth direct --model local-chat-completions --model-args "
    "base_url=http://127.0.0.1:8000/v1/chat/completions,model=my-model --tasks hoc,ncbi-disease --shots 0",
    "clinsynth direct --model local-completions --model-args "
    "base_url=http://127.0.0.1:8080/v1/completions,model=gemma-3-270m --tasks gad --shots 5 --limit 100",
    "clinsynth direct --model local --sample --tasks gad --limit 10 --dry-run",
    "clinsynth direct --report direct submissions",
)


def _configure_direct(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--tasks", type=names, default=(), help="all (default), or names with commas between")
    parser.add_argument("--shots", type=int, default=0,
                        help="demonstrations per label, the benchmark's own draw (default %(default)s)")  # fmt: skip
    parser.add_argument("--limit", type=int, metavar="N",
                        help="ask a seeded subset of N test examples; the result is preliminary")  # fmt: skip
    parser.add_argument(
        "--answer-tokens",
        "--max-tokens",
        dest="answer_tokens",
        type=int,
        metavar="N",
        help="room for each answer, such as for a model that thinks first",
    )
    parser.add_argument("--send-restricted", action="store_true",
                        help="also send credentialed text to servers elsewhere, if your agreement allows")  # fmt: skip
    parser.add_argument("--out", type=Path, metavar="DIR", help="the folder (default: direct/<model>)")
    add_model_under_test(parser)
    report = parser.add_argument_group("the table")
    report.add_argument("--report", type=Path, nargs="+", metavar="DIR",
                        help="print stored answers in these folders beside their students; asks nothing")  # fmt: skip
    report.add_argument("--recipe", default=DEFAULT_RECIPE, help="recipe of the students")
    report.add_argument("--rows", type=int, default=0, help="their budget (default: the recipe's own)")
    report.add_argument("--plot", type=Path, metavar="FILE", help="also draw a plot, as SVG")
    add_format(report)
    add_sample(parser)
    add_data_dir(parser)


def execute_direct(arguments: argparse.Namespace) -> int:
    """Exit status 0 if anything was asked or printed."""
    if arguments.report:
        return _report_direct(arguments)
    with ExitStack() as stack:
        return _run_direct(arguments, stack)


def _run_direct(arguments: argparse.Namespace, stack: ExitStack) -> int:
    from clinsynth.data import open_store
    from clinsynth.direct import Request, run, slug

    if arguments.shots < 0:
        raise UserError(f"--shots {arguments.shots}", expected="0 or more")
    limit, room = positive("--limit", arguments.limit), positive("--answer-tokens", arguments.answer_tokens)
    model = model_of(arguments, stack)
    request = Request(
        tasks=select_tasks(list(arguments.tasks)), model=model, out=arguments.out or Path("direct") / slug(model.name),
        shots=arguments.shots, limit=limit, max_tokens=room, prices=prices_of(arguments, model),
        restricted=arguments.send_restricted, say=say,
    )  # fmt: skip
    store = open_store(arguments.data_dir, arguments.sample)
    if arguments.dry_run:
        from clinsynth.direct import estimate

        return print_estimates(list(estimate(request, store)))
    outcome = run(request, store)
    for name, record in outcome.records.items():
        asked = record.asked
        marks = [
            *([f"preliminary, {asked:,} of {record.test.examples:,}"] if record.limit else []),
            *(["stored before"] if name in outcome.kept else []),
            *([f"unparsable {record.unparsable:,} of {asked:,}"] if record.unparsable else []),
        ]
        print(f"{name}: {record.metric.replace('_', ' ')} {100 * record.score:.1f}  [{'; '.join(marks) or 'complete'}]")
    for name, reason in outcome.skipped.items():
        print(f"{name}: skipped: {reason}")
    return 0


def _report_direct(arguments: argparse.Namespace) -> int:
    from clinsynth.cli.printing import answers_page, print_snapshot
    from clinsynth.data import open_store
    from clinsynth.site import svg
    from clinsynth.snapshot import answers_of
    from clinsynth.training import RECIPES
    from clinsynth.views import Figure

    store = open_store(arguments.data_dir, arguments.sample)
    rows = arguments.rows or RECIPES[arguments.recipe].budget
    shown = answers_page(answers_of(arguments.report, store.kind, (arguments.recipe, rows), store))
    if arguments.plot:
        figures = [block for block in shown.blocks if isinstance(block, Figure)]
        if not figures:
            raise UserError("there is nothing to plot", found="no answer that can be shown")
        # The last one sets students beside the models, where there is any.
        write_text(arguments.plot, svg(figures[-1], standalone=True) + "\n")
    print_snapshot(shown, arguments)
    return 0


LM_EVAL_PATH_EXAMPLES = ("clinsynth lm-eval-path", "clinsynth lm-eval-path --sample")


def _configure_lm_eval_path(parser: argparse.ArgumentParser) -> None:
    add_sample(parser)
    add_data_dir(parser)


def execute_lm_eval_path(arguments: argparse.Namespace) -> int:
    """Print the folder, and nothing else: it stands inside another command."""
    from clinsynth.direct import write_folder

    print(write_folder(arguments.data_dir, arguments.sample))
    return 0


TUNE_LLM_EXAMPLES = ("clinsynth tune-llm build/notes --base google/gemma-3-270m --out tuned",)


def _configure_tune_llm(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("notes", type=Path, metavar="NOTES", help="folder or table of `clinsynth notes`")
    parser.add_argument("--base", required=True, metavar="MODEL", help="a folder, or a name on the Hugging Face hub")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="where the tuned model is written")
    parser.add_argument("--epochs", type=float, default=3.0, help="times each row is seen (%(default)s)")
    parser.add_argument("--note-epochs", type=float, default=1.0,
                        help="times each note is read before the rows; 0 for none (%(default)s)")  # fmt: skip
    parser.add_argument(
        "--learning-rate", type=float, default=2e-4, metavar="R", help="peak learning rate (%(default)s)"
    )
    parser.add_argument("--batch-size", type=int, default=8, metavar="N", help="rows per step (%(default)s)")
    parser.add_argument(
        "--micro-batch", type=int, default=1, metavar="N", help="rows at a time in memory (%(default)s)"
    )
    parser.add_argument("--rank", type=int, default=16, metavar="N", help="rank of the adapters (%(default)s)")
    parser.add_argument("--alpha", type=int, default=32, metavar="N", help="their scale, times the rank (%(default)s)")
    parser.add_argument("--max-length", type=int, default=2048, metavar="N",
                        help="tokens of request and answer; longer rows are left out (%(default)s)")  # fmt: skip
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--device", default="auto", help="cpu, cuda, ... (%(default)s)")


def execute_tune_llm(arguments: argparse.Namespace) -> int:
    """Exit status 0 if the model was written."""
    from clinsynth.direct import TuneSettings, tune_llm

    settings = TuneSettings(
        model=arguments.base, epochs=arguments.epochs, note_epochs=arguments.note_epochs,
        learning_rate=arguments.learning_rate,
        batch_size=arguments.batch_size, micro_batch=arguments.micro_batch, rank=arguments.rank, alpha=arguments.alpha,
        max_length=arguments.max_length, seed=arguments.seed, device=arguments.device,
    )  # fmt: skip
    done = tune_llm(arguments.notes, arguments.out, settings)
    print(f"{done.rows:,} rows, {done.steps:,} steps on {done.device} in {done.dtype}: "
          f"loss {done.first_loss:.3f} to {done.last_loss:.3f}")  # fmt: skip
    print(f"{done.trainable:,} of {done.parameters:,} parameters were tuned")
    for reason, count in done.left_out.items():
        print(f"left out, {reason}: {count:,}")
    print(f"answer the tasks with it: clinsynth direct --model hf --model-args pretrained={arguments.out}")
    return 0


_LOCAL = "--model local-completions --model-args base_url=http://127.0.0.1:8080/v1/completions,model=gemma-3-270m"
SUITE_EXAMPLES = (
    f"clinsynth suite clinicalgpt {_LOCAL} --sets medqa,mts-dialog --limit 50",
    f"clinsynth suite asclepius-notes {_LOCAL} --notes build/notes --judge judge=http://127.0.0.1:8000/v1",
    f"clinsynth suite asclepius-notes {_LOCAL} --notes aci-bench --judge judge=http://127.0.0.1:8000/v1",
    "clinsynth suite humans --from raw",
    "clinsynth suite clinicalgpt --report direct",
)


def _configure_suite(parser: argparse.ArgumentParser) -> None:
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


def execute_suite(arguments: argparse.Namespace) -> int:
    """Exit status 0 if anything was asked."""
    positive("--limit", arguments.limit)
    positive("--answer-tokens", arguments.answer_tokens)
    if arguments.report is not None:
        return _report(arguments)
    if arguments.suite == "humans":
        return _humans(arguments)
    with ExitStack() as stack:
        return {"clinicalgpt": _clinicalgpt, "asclepius-notes": _notes}[arguments.suite](arguments, stack)


def _report(arguments: argparse.Namespace) -> int:
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


COMMANDS = {
    "direct": Command(DIRECT_EXAMPLES, _configure_direct, execute_direct),
    "lm-eval-path": Command(LM_EVAL_PATH_EXAMPLES, _configure_lm_eval_path, execute_lm_eval_path),
    "tune-llm": Command(TUNE_LLM_EXAMPLES, _configure_tune_llm, execute_tune_llm),
    "suite": Command(SUITE_EXAMPLES, _configure_suite, execute_suite),
}
