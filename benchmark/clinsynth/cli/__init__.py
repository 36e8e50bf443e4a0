"""The command line: each subcommand parses, calls one public function and prints; a module holds related commands."""

from __future__ import annotations

import argparse
import importlib
import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from clinsynth import __version__
from clinsynth.core import TASKS, TASKS_DIR_VARIABLE, UserError, clean, cleaned_output, machine_fault

COMMANDS = {
    "prepare": "fetch the published datasets (or find them in a folder), verify, convert",
    "tasks": "list the tasks: type, access, metric, and the rows that are prepared here",
    "show": "all there is to know of a task, with an example row",
    "new-task": "write a task module of your own that works, with sample rows to replace",
    "knowledge": "sources of names to write about: prepare one, count and show its names",
    "new": "write the skeleton of a submission",
    "import": "turn data made elsewhere into a submission; what cannot be carried over is counted",
    "evaluate": "from rows to a verdict in one command: import, audit, quality, runs, comparison; resumes",
    "validate": "check everything of a submission before any compute: all problems in one report",
    "audit": "whether rows repeat test or training text or show what must stay private; resumes",
    "generate": "run a baseline: its output is an ordinary submission",
    "notes": "write synthetic notes from case reports, with requests and answers: a product of its own",
    "plan": "what score would do: which runs, where, for how long, and what they need; trains nothing",
    "score": "fine-tune the student on a submission and test it on real text; resumes",
    "verify": "recompute every score and every hash of a submission from what is stored",
    "reproduce": "train stored runs again and compare: what a row needs to be ranked on a published board",
    "quality": "how diverse, how close to real text and how faulty the rows are: reported, never scored",
    "standings": "the table of results, per task and overall: intervals, tie groups and ranks, curves, cost",
    "compare": "what the differences to a submission are worth: interval, p, and a verdict in words",
    "direct": "have a language model answer the tasks itself, through lm-eval; resumes",
    "suite": "have a language model answer ClinicalGPT's sets, or questions about notes that judges grade",
    "tune-llm": "tune a language model on synthetic notes, to have it answer the tasks",
    "lm-eval-path": "print the folder that lm-eval includes, so that it knows the tasks",
    "snapshot": "everything that the leaderboard shows, in one folder of tables; everything below reads it",
    "leaderboard": "serve a snapshot as an app",
    "site": "write a snapshot as static pages that need no script",
    "export": "a view of a snapshot as CSV, JSON, Markdown, LaTeX, BibTeX and more",
    "bundle": "one file with packages, student, data and results, that installs where there is no network",
    "canary": "plant secret strings among real text, and look for them in a submission later",
}
"""Subcommands in the order in which they are used, with one line each."""


EXTRAS = {
    "gradio": "app", "plotly": "app", "kaleido": "app", "openai": "llm", "genai_prices": "llm", "lm_eval": "direct",
    "nltk": "direct", "rouge_score": "direct", "sacrebleu": "direct", "accelerate": "tune",
    "peft": "tune", "simple_icd_10_cm": "knowledge", "openpyxl": "spreadsheets", "ray": "ray",
}  # fmt: skip
"""Optional packages, and the extra that installs each."""


PLACES = {
    "show": "tasks", "prepare": "tasks", "new-task": "tasks", "new": "submissions", "import": "submissions",
    "validate": "submissions", "verify": "submissions", "canary": "audit", "quality": "audit", "plan": "runs",
    "score": "runs", "reproduce": "runs", "lm-eval-path": "direct", "suite": "direct", "tune-llm": "direct",
    "knowledge": "generate", "notes": "generate", "compare": "standings",
    "snapshot": "board", "leaderboard": "board", "site": "board", "export": "board",
}  # fmt: skip
"""Modules of commands, where the module has another name than the command."""


@dataclass(slots=True)
class Command:
    """A subcommand, as its module lists it in ``COMMANDS``."""

    examples: Sequence[str]
    """Command lines that work as they stand where the folders they name exist; tests run them."""
    configure: Callable[[argparse.ArgumentParser], None]
    """Adds the arguments."""
    execute: Callable[[argparse.Namespace], int]
    """Runs the command; returns the exit status."""


def command(name: str) -> Command:
    """A subcommand by name; loads its module."""
    module = importlib.import_module(f"clinsynth.cli.{PLACES.get(name, name.replace('-', '_'))}")
    return cast("dict[str, Command]", module.COMMANDS)[name]


def build_parser(wanted: str | None = None) -> argparse.ArgumentParser:
    """The parser of the whole command line; with ``wanted``, only that command's arguments are loaded.

    Loading them all takes several times as long as ``clinsynth --help`` may.
    """
    common = argparse.ArgumentParser(add_help=False)
    group = common.add_argument_group("on every command")
    group.add_argument(
        "--tasks-dir",
        type=Path,
        action="append",
        default=[],
        metavar="DIR",
        help=f"a folder of further task modules (also {TASKS_DIR_VARIABLE}); may be repeated",
    )
    parser = argparse.ArgumentParser(
        prog="clinsynth",
        description="How good is this synthetic clinical training data?",
        epilog="clinsynth COMMAND --help has worked examples.",
    )
    parser.add_argument("--version", action="version", version=f"clinsynth {__version__}")
    subparsers = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    for name, summary in COMMANDS.items():
        subparser = subparsers.add_parser(
            name,
            parents=[common],
            help=summary,
            description=summary,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        if wanted in (None, name):
            own = command(name)
            subparser.epilog = "examples:\n" + "\n".join(f"  {example}" for example in own.examples)
            own.configure(subparser)
            subparser.set_defaults(execute=own.execute)
    return parser


def add_data_dir(parser: argparse.ArgumentParser) -> None:
    """``--data-dir``, on commands that read prepared data."""
    parser.add_argument("--data-dir", type=Path, metavar="DIR",
                        help="where prepared data lies (also CLINSYNTH_DATA; default ~/.cache/clinsynth)")  # fmt: skip


def add_format(parser: argparse._ActionsContainer) -> None:  # pyright: ignore[reportPrivateUsage] - argparse's base
    """Add ``--format`` and ``--wide``."""
    parser.add_argument("--format", choices=("table", "markdown", "json", "csv"), default="table",
                        help="json: everything, as the tables of a snapshot (default %(default)s)")  # fmt: skip
    parser.add_argument("--wide", action="store_true", help="all columns, however narrow the terminal is")


def add_runs(parser: argparse.ArgumentParser, *, recipe: str, helps: tuple[str, str, str]) -> None:
    """Add the arguments that choose runs of a submission and the executor.

    Args:
        parser: of the command.
        recipe: the one that is meant where none is named.
        helps: what is said of ``--tasks``, ``--recipe`` and ``--rows``.
    """
    parser.add_argument("submission", type=Path, metavar="DIR")
    parser.add_argument("--tasks", type=names, default=(), help=helps[0])
    parser.add_argument("--recipe", default=recipe, help=helps[1])
    parser.add_argument("--rows", default="", help=helps[2])
    parser.add_argument("--seeds", default="0-4", help="default: %(default)s, what a ranked row needs")
    parser.add_argument("--workers", type=int, default=0, help="runs at a time (default: as many as go well)")
    parser.add_argument("--executor", default="local", help="local (default), slurm or ray")
    parser.add_argument("--dry-run", action="store_true", help="print what would be done, and do nothing")
    add_sample(parser)
    add_data_dir(parser)


def add_sample(parser: argparse.ArgumentParser) -> None:
    """``--sample``, on commands that can work on the bundled sample."""
    parser.add_argument(
        "--sample",
        action="store_true",
        help="use the bundled hand-written sample: works offline, means nothing, is never ranked",
    )


def add_home(parser: argparse.ArgumentParser) -> None:
    """Addresses in footers and cards, on commands that publish a board."""
    home = parser.add_argument_group("links in footers and cards (default: as the package's metadata says)")
    home.add_argument(
        "--url", default="", metavar="URL", help="where the board will lie: for the cards that networks show"
    )
    home.add_argument("--repository", default="", metavar="URL", help="of the source and the submissions")
    home.add_argument("--docs", default="", metavar="URL", help="of the documentation")
    home.add_argument("--contact", default="", metavar="URL|MAIL", help="whom to ask")


def names(text: str) -> tuple[str, ...]:
    """Names separated by commas; empty for ``all``."""
    return () if text == "all" else tuple(filter(None, text.split(",")))


def _use_tasks_dirs(folders: Sequence[Path]) -> None:
    if folders:
        from clinsynth.generation import BASELINES

        # Through the environment, so that worker processes see the same tasks.
        known = filter(None, os.environ.get(TASKS_DIR_VARIABLE, "").split(os.pathsep))
        os.environ[TASKS_DIR_VARIABLE] = os.pathsep.join([*known, *(str(folder.resolve()) for folder in folders)])
        TASKS.forget()
        BASELINES.forget()


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command. 0: fine; 1: a check failed; 2: the user must act; 130: stopped by Ctrl-C."""
    # pydantic looks for plug-ins in the metadata of every installed package: a twentieth of what a short command takes.
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")
    words = list(sys.argv[1:] if argv is None else argv) or ["--help"]
    arguments = build_parser(next((word for word in words if word in COMMANDS), "")).parse_args(words)
    try:
        with cleaned_output(sys.stdout):
            _use_tasks_dirs(arguments.tasks_dir)
            status = cast("int", arguments.execute(arguments))
            # What is still to be written is written here, where a full disk can be said.
            sys.stdout.flush()
        return status
    except UserError as error:
        sys.stderr.write(f"clinsynth: {clean(str(error))}\n")
        return 2
    except ModuleNotFoundError as error:
        if (name := error.name or "").partition(".")[0] not in EXTRAS:
            raise
        extra = EXTRAS[name.partition(".")[0]]
        sys.stderr.write(f"clinsynth: this needs {name}, which is not installed: pip install 'clinsynth[{extra}]'\n")
        return 2
    except KeyboardInterrupt:
        sys.stderr.write("\nclinsynth: stopped. What was finished is kept; the same command goes on from there.\n")
        return 130
    except BrokenPipeError:
        # The reader (head, less) has seen enough; devnull keeps the interpreter from complaining at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except OSError as error:
        fault = machine_fault(error)
        if fault is None:
            raise
        sys.stderr.write(f"clinsynth: {clean(str(fault))}\n")
        return 2
