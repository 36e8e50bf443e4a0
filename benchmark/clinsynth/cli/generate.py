"""``clinsynth generate``, ``knowledge`` and ``notes``: rows by baselines, names to write about, synthetic notes."""

from __future__ import annotations

import argparse
import os
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from clinsynth.cli import Command, add_data_dir, add_sample, names
from clinsynth.cli.model import add_model, open_model
from clinsynth.cli.submissions import say_notices
from clinsynth.core import NotPreparedError, UserError, clean, progress, select_tasks, text_table
from clinsynth.data import open_store
from clinsynth.generation import BASELINES, BASELINES_DIR_VARIABLE
from clinsynth.submissions import validate

if TYPE_CHECKING:
    from clinsynth.data import ExampleStore
    from clinsynth.generation import Asking, Baseline, Estimate, Generated, GenerationRecord, Means, Request
    from clinsynth.generation.notes import NotesRequest
    from clinsynth.llm import Mode


GENERATE_EXAMPLES = (
    "clinsynth generate template --tasks gad,ncbi-disease --rows 100 --sample --out submissions/demo",
    "clinsynth generate gold-n --tasks all --sample --out submissions/real",
    "clinsynth generate naive --tasks gad --rows 100 --sample --model gpt-4o-mini --out submissions/naive --dry-run",
    "clinsynth generate naive --tasks gad --rows 20 --sample --model local --out submissions/local --dry-run",
)
LARGEST_BUDGET = 5_000
"""The largest headline budget of any recipe (protocol)."""
MOST_ROWS = 20
"""Most rows in one answer."""


def _configure_generate(parser: argparse.ArgumentParser) -> None:
    width = max(map(len, BASELINES))
    listed = "\n".join(f"  {name:{width}}  {baseline.description}" for name, baseline in BASELINES.items())
    parser.epilog = f"baselines:\n{listed}\n\n{parser.epilog}"
    parser.add_argument("baseline", metavar="BASELINE")
    parser.add_argument(
        "--baselines-dir",
        type=Path,
        action="append",
        default=[],
        metavar="DIR",
        help=f"a folder of further baselines (also {BASELINES_DIR_VARIABLE}); may be repeated",
    )
    parser.add_argument("--tasks", type=names, default=(), help="all (default), or names with commas between")
    parser.add_argument("--rows", type=int, default=LARGEST_BUDGET, help="at most so many per task (%(default)s)")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="the submission's folder")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--real-split", choices=("train", "dev"), default="train",
                        help="where reference rows are drawn from; dev is disclosed on the card")  # fmt: skip
    parser.add_argument("--knowledge", metavar="NAME", default="auto",
                        help="source of names, for baselines that need one (default: the best here)")  # fmt: skip
    parser.add_argument("--lists", type=Path, metavar="DIR",
                        help="lists that a model makes and you may edit (default: lists/ beside the data)")  # fmt: skip
    parser.add_argument("--rows-per-request", type=int, default=1, metavar="N",
                        help="rows in one answer, where their requests are the same (1)")  # fmt: skip
    parser.add_argument("--without-mention", type=float, metavar="SHARE",
                        help="share of texts without any name in span tasks (default: by type)")  # fmt: skip
    parser.add_argument("--dry-run", action="store_true",
                        help="print the prompts of three rows per task and the cost; nothing is sent")  # fmt: skip
    parser.add_argument("--show-restricted", action="store_true",
                        help="let a dry run print prompts of tasks that are not open: they may hold text")  # fmt: skip
    parser.add_argument("--send-restricted", action="store_true",
                        help="let few-shot examples of tasks that are not open go to a server elsewhere")  # fmt: skip
    add_model(parser)
    add_sample(parser)
    add_data_dir(parser)


def execute_generate(arguments: argparse.Namespace) -> int:
    """Exit status 0 if anything was made."""
    from clinsynth.generation import Means, Request, generate

    if arguments.baselines_dir:
        known = filter(None, os.environ.get(BASELINES_DIR_VARIABLE, "").split(os.pathsep))
        added = (str(folder.resolve()) for folder in arguments.baselines_dir)
        os.environ[BASELINES_DIR_VARIABLE] = os.pathsep.join([*known, *added])
        BASELINES.forget()
    baseline, store = BASELINES[arguments.baseline], open_store(arguments.data_dir, arguments.sample)
    request = Request(
        tasks=select_tasks(list(arguments.tasks)),
        rows=arguments.rows,
        out=arguments.out,
        seed=arguments.seed,
        real_split=arguments.real_split,
    )
    with ExitStack() as stack:
        model = None
        if "llm" in baseline.needs:
            model = open_model(arguments, stack)
        source = None
        if "knowledge" in baseline.needs:
            from clinsynth.generation.knowledge import open_knowledge

            source = open_knowledge(arguments.knowledge, arguments.data_dir)
        means = Means(
            model=model, source=source, lists=arguments.lists, send_restricted=arguments.send_restricted,
            asking=_asking(arguments),
        )  # fmt: skip
        if arguments.dry_run:
            return _dry_run_generate(baseline, request, store, means, show=arguments.show_restricted)
        done = generate(baseline, request, store, means)
    _print_generate(done)
    if done.rows:
        say_notices(validate(arguments.out, done.rows))
    return 0


def _asking(arguments: argparse.Namespace) -> Asking:
    from clinsynth.generation import Asking

    rows, share = arguments.rows_per_request, arguments.without_mention
    if not 1 <= rows <= MOST_ROWS:
        raise UserError(f"--rows-per-request {rows}", expected=f"1 to {MOST_ROWS}")
    if share is not None and not 0 <= share < 1:
        raise UserError(f"--without-mention {share:g}", expected="a share of rows: 0 or more, less than 1")
    return Asking(rows_per_request=rows, without_mention=share)


def _print_generate(done: Generated) -> None:
    for task, rows in done.rows.items():
        print(f"{task}: {rows:,} rows")
    for task in done.kept:
        print(f"{task}: kept, it was there already")
    for task, reason in done.skipped.items():
        print(f"{task}: skipped: {reason}")
    for task, record in done.records.items():
        _print_record(task, record)


def _print_record(task: str, record: GenerationRecord) -> None:
    if record.dropped:
        reasons = ", ".join(f"{reason} {count:,}" for reason, count in sorted(record.dropped.items()))
        print(f"{task}: dropped: {reasons}")
    if record.cost is not None:
        cost = record.cost
        tokens = (
            "tokens unknown"
            if cost.tokens_in is None
            else f"{cost.tokens_in:,} tokens in, {cost.tokens_out or 0:,} out"
        )
        dollars = "price unknown" if cost.dollars is None else f"${cost.dollars:.4f} (${cost.dollars_new or 0:.4f} now)"
        print(f"{task}: {cost.calls:,} calls ({cost.cached:,} cached, {cost.failed:,} failed), {tokens}, {dollars}")
    if record.stopped == "limit":
        limits = " and ".join(f"{limit:g} {what}" for what, limit in record.limits.items())
        _warn(f"{task}: the limit of {limits} ended it with {record.kept:,} of {record.asked:,} rows, which are kept. "
              "The same command with a larger limit goes on and pays nothing twice.")  # fmt: skip
    if record.stopped == "patience":
        _warn(f"{task}: ended with {record.kept:,} of {record.asked:,} rows: nothing new came for too long.")
    if record.low and record.rate is not None:
        _warn(f"{task}: LOW YIELD: only {100 * record.rate:.0f} % of {record.candidates:,} candidates were kept. "
              "It is in the record and on the card.")  # fmt: skip


def _warn(line: str) -> None:
    sys.stderr.write(clean(f"clinsynth: {line}\n"))


def _dry_run_generate(baseline: Baseline, request: Request, store: ExampleStore, means: Means, *, show: bool) -> int:
    from clinsynth.generation import estimate

    if "llm" not in baseline.needs:
        print(f"{baseline.name} asks no model: it costs nothing")
        return 0
    estimates: list[Estimate] = []
    for task in request.tasks:
        try:
            estimated = estimate(baseline, task, request, store, means)
        except NotPreparedError as error:
            print(f"{task.spec.name}: skipped: {error}")
            continue
        estimates.append(estimated)
        shown = show or store.kind == "sample" or task.spec.access == "open"
        if not shown:
            print(f"== {task.spec.name}: prompts are not shown, the task is not open: --show-restricted")
        for number, prompt in enumerate(estimated.prompts if shown else (), 1):
            held = ", held to a JSON schema" if prompt.schema else ""
            print(f"== {task.spec.name}, request {number}: at most {prompt.max_tokens} tokens, "
                  f"temperature {prompt.temperature:g}{held}")  # fmt: skip
            print(*(part for part in (prompt.system, prompt.text) if part), sep="\n--\n")
        print(f"== {task.spec.name}: {_expected(estimated)}\n")
    dollars = [estimated.most_dollars for estimated in estimates]
    known = [one for one in dollars if one is not None]
    total = f"at most ${sum(known):.4f}" if len(known) == len(dollars) else "price unknown: see --price-in"
    print(f"first rounds of {len(estimates)} tasks: {sum(estimated.calls for estimated in estimates):,} calls, {total}")
    print("Rows that come to nothing are asked for again, and later steps build on the first answers: expect more.")
    return 0


def _expected(found: Estimate) -> str:
    dollars = "price unknown" if found.most_dollars is None else f"at most ${found.most_dollars:.4f}"
    cached = f" after {found.cached:,} that are in the cache" if found.cached else ""
    return (
        f"{found.calls:,} calls in the first round{cached}; about {found.tokens_in:,} tokens in "
        f"(4 characters per token), at most {found.most_tokens_out:,} out; {dollars}"
    )


KNOWLEDGE_EXAMPLES = (
    "clinsynth knowledge",
    "clinsynth knowledge builtin --show 5",
)


def _configure_knowledge(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("source", nargs="?", metavar="SOURCE",
                        help="read this one and keep it; without a name, list the sources")  # fmt: skip
    parser.add_argument("--from", dest="folder", type=Path, metavar="DIR",
                        help="take the published files from DIR and download nothing")  # fmt: skip
    parser.add_argument("--show", type=int, default=3, metavar="N", help="names of each kind to show (%(default)s)")
    add_data_dir(parser)


def execute_knowledge(arguments: argparse.Namespace) -> int:
    """Exit status: 0; user errors are raised."""
    if arguments.source is None:
        _list_knowledge(arguments.data_dir)
        return 0
    from clinsynth.data import MissingSourceError
    from clinsynth.generation.knowledge import KINDS, prepare_knowledge

    try:
        table = prepare_knowledge(arguments.source, arguments.folder, arguments.data_dir)
    except MissingSourceError as error:
        raise UserError(str(error), remedy="take the file from elsewhere and say --from DIR") from None
    print(f"{table.name}\nsha256 {table.digest}\n")
    for kind in KINDS:
        listed = table.names(kind)
        step = max(1, len(listed) // max(1, arguments.show))
        shown = "; ".join(listed[::step][: arguments.show])
        print(f"{kind}: {len(listed):,}{f' ({shown})' if shown else ''}")
    for (first, second), pairs in table.by_pair.items():
        print(f"{first} - {second}: {len(pairs):,} pairs")
    for reason, count in table.dropped.items():
        print(f"left out: {count:,} {reason}")
    return 0


def _list_knowledge(data_dir: Path | None) -> None:
    from clinsynth.generation.knowledge import KINDS, SOURCES, open_knowledge

    body: list[tuple[str, ...]] = []
    for name, source in SOURCES.items():
        try:
            table = open_knowledge(name, data_dir)
            counts = [f"{len(table.names(kind)):,}" for kind in KINDS]
        except NotPreparedError:
            counts = ["not prepared", "", "", ""]
        except UserError:
            counts = ["not installed", "", "", ""]
        body.append((name, source.about, *counts))
    print(text_table(("source", "is", *KINDS), body, right=len(KINDS)))


NOTES_EXAMPLES = ("clinsynth notes --dry-run --rows 3 --out build/notes",)


def _configure_notes(parser: argparse.ArgumentParser) -> None:
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


def execute_notes(arguments: argparse.Namespace) -> int:
    """Exit status 0 if rows were written, now or before."""
    from clinsynth.generation.notes import NotesRequest, make_notes, read_reports

    reports = read_reports(arguments.reports)
    request = NotesRequest(
        reports=reports, rows=arguments.rows, out=arguments.out, seed=arguments.seed, context=arguments.context
    )
    if arguments.dry_run:
        return _dry_run_notes(request, arguments.mode)
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


def _dry_run_notes(request: NotesRequest, mode: Mode) -> int:
    from clinsynth.generation.notes import note_prompts
    from clinsynth.llm import likely_tokens

    prompts = note_prompts(request, mode, min(request.rows, 3))
    for number, prompt in enumerate(prompts, 1):
        print(f"== note {number}: about {likely_tokens(prompt):,} tokens, at most {prompt.max_tokens:,} in the answer")
        print(*(part for part in (prompt.system, prompt.text) if part), sep="\n--\n")
    print(f"== {3 * request.rows:,} calls at least: a note, a request and an answer per row")
    return 0


COMMANDS = {
    "generate": Command(GENERATE_EXAMPLES, _configure_generate, execute_generate),
    "knowledge": Command(KNOWLEDGE_EXAMPLES, _configure_knowledge, execute_knowledge),
    "notes": Command(NOTES_EXAMPLES, _configure_notes, execute_notes),
}
