"""``clinsynth generate``."""

from __future__ import annotations

import argparse
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from clinsynth.cli import add_data_dir, add_sample, names
from clinsynth.cli.model import add_model, open_model
from clinsynth.cli.validate import say_notices
from clinsynth.core import NotPreparedError, UserError, clean, select_tasks
from clinsynth.data import open_store
from clinsynth.generation import BASELINES
from clinsynth.submissions import validate

if TYPE_CHECKING:
    from clinsynth.data import ExampleStore
    from clinsynth.generation import Asking, Baseline, Estimate, Generated, GenerationRecord, Means, Request

EXAMPLES = (
    "clinsynth generate gold-few --tasks gad,ncbi-disease --sample --out submissions/demo",
    "clinsynth generate gold-n --tasks all --sample --out submissions/real",
    "clinsynth generate naive --tasks gad --rows 100 --sample --model gpt-4o-mini --out submissions/naive --dry-run",
    "clinsynth generate naive --tasks gad --rows 20 --sample --model local --out submissions/local --dry-run",
)
LARGEST_BUDGET = 5_000
"""The largest headline budget of any recipe (protocol)."""
MOST_ROWS = 20
"""In one answer."""


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    width = max(map(len, BASELINES))
    listed = "\n".join(f"  {name:{width}}  {baseline.description}" for name, baseline in BASELINES.items())
    parser.epilog = f"baselines:\n{listed}\n\n{parser.epilog}"
    parser.add_argument("baseline", metavar="BASELINE")
    parser.add_argument("--tasks", type=names, default=(), help="all (default), or names with commas between")
    parser.add_argument("--rows", type=int, default=LARGEST_BUDGET, help="at most so many a task (%(default)s)")
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
                        help="print the prompts of three rows a task and the expected cost; send nothing")  # fmt: skip
    parser.add_argument("--show-restricted", action="store_true",
                        help="let a dry run print prompts of tasks that are not open: they may hold text")  # fmt: skip
    parser.add_argument("--send-restricted", action="store_true",
                        help="let few-shot examples of tasks that are not open go to a server elsewhere")  # fmt: skip
    add_model(parser)
    add_sample(parser)
    add_data_dir(parser)


def execute(arguments: argparse.Namespace) -> int:
    """0 if anything was made."""
    from clinsynth.generation import Means, Request, generate

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
            return _dry_run(baseline, request, store, means, show=arguments.show_restricted)
        done = generate(baseline, request, store, means)
    _print(done)
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


def _print(done: Generated) -> None:
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


def _dry_run(baseline: Baseline, request: Request, store: ExampleStore, means: Means, *, show: bool) -> int:
    from clinsynth.generation import estimate

    if "llm" not in baseline.needs:
        print(f"{baseline.name} asks no model: it costs nothing")
        return 0
    estimates: list[Estimate] = []
    for task in request.tasks:
        try:
            found = estimate(baseline, task, request, store, means)
        except NotPreparedError as error:
            print(f"{task.spec.name}: skipped: {error}")
            continue
        estimates.append(found)
        shown = show or store.kind == "sample" or task.spec.access == "open"
        if not shown:
            print(f"== {task.spec.name}: prompts are not shown, the task is not open: --show-restricted")
        for number, prompt in enumerate(found.prompts if shown else (), 1):
            held = ", held to a JSON schema" if prompt.schema else ""
            print(f"== {task.spec.name}, request {number}: at most {prompt.max_tokens} tokens, "
                  f"temperature {prompt.temperature:g}{held}")  # fmt: skip
            print(*(part for part in (prompt.system, prompt.text) if part), sep="\n--\n")
        print(f"== {task.spec.name}: {_expected(found)}\n")
    dollars = [found.most_dollars for found in estimates]
    known = [one for one in dollars if one is not None]
    total = f"at most ${sum(known):.4f}" if len(known) == len(dollars) else "price unknown: see --price-in"
    print(f"first rounds of {len(estimates)} tasks: {sum(found.calls for found in estimates):,} calls, {total}")
    print("Rows that come to nothing are asked for again, and later steps build on the first answers: expect more.")
    return 0


def _expected(found: Estimate) -> str:
    dollars = "price unknown" if found.most_dollars is None else f"at most ${found.most_dollars:.4f}"
    cached = f" after {found.cached:,} that are in the cache" if found.cached else ""
    return (
        f"{found.calls:,} calls in the first round{cached}; about {found.tokens_in:,} tokens in "
        f"(4 characters a token), at most {found.most_tokens_out:,} out; {dollars}"
    )
