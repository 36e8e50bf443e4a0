"""Commands about tasks: ``tasks``, ``show``, ``prepare`` and ``new-task``."""

from __future__ import annotations

import argparse
import json
import shlex
from pathlib import Path

from clinsynth.cli import Command, add_data_dir, add_sample, names
from clinsynth.core import TASKS, progress, select_tasks, text_table
from clinsynth.data import DataStore, Outcome, SampleStore, default_data_dir, new_task, open_store, prepare_all
from clinsynth.task_types import TASK_TYPES, task_type

TASKS_EXAMPLES = ("clinsynth tasks", "clinsynth tasks --sample --json")


def _configure_tasks(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="print everything as JSON")
    add_sample(parser)
    add_data_dir(parser)


def execute_tasks(arguments: argparse.Namespace) -> int:
    """Exit status: always 0."""
    store = open_store(arguments.data_dir, arguments.sample)
    listed = [
        {
            "name": task.spec.name,
            "type": task.spec.type,
            "access": task.spec.access,
            "metric": task.spec.metric,
            "labels": list(task.spec.labels),
            "version": task.spec.version,
            "prepared": bool(rows := store.rows(task)),
            "rows": rows,
        }
        for task in TASKS.values()
    ]
    if arguments.json:
        print(json.dumps(listed, indent=1))
        return 0
    head = ["task", "type", "access", "metric", "labels", "train", "dev", "test"]
    body: list[list[str]] = []
    for task in TASKS.values():
        rows = store.rows(task)
        counts = [f"{rows[split]:,}" if split in rows else "-" for split in ("train", "dev", "test")]
        spec = task.spec
        names = [spec.name, spec.type.replace("_", " "), spec.access, spec.metric.replace("_", " ")]
        body.append([*names, str(len(spec.labels)), *counts])
    print(text_table(head, body, right=4))
    print("\nnext: clinsynth show TASK, clinsynth prepare TASK")
    return 0


SHOW_EXAMPLES = ("clinsynth show gad",)


def _configure_show(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("task", metavar="TASK")
    add_sample(parser)
    add_data_dir(parser)


def execute_show(arguments: argparse.Namespace) -> int:
    """Exit status: always 0."""
    task = TASKS[arguments.task]
    spec = task.spec
    rows = open_store(arguments.data_dir, arguments.sample).rows(task)
    print(f"{spec.title} ({spec.name}, version {spec.version}): {spec.type.replace('_', ' ')}\n{spec.description}\n")
    facts = {
        "metric": ", also ".join([spec.metric, ", ".join(spec.also)]) if spec.also else spec.metric,
        "left out of F1": spec.negative_label or "",
        "resampled by": spec.unit,
        "published rows": ", ".join(f"{split} {n:,}" for split, n in spec.rows.items()),
        "prepared here": ", ".join(f"{split} {n:,}" for split, n in rows.items()) or "no",
        "access": spec.access,
        "licence": spec.licence,
        "home": spec.homepage,
        "to get it": spec.apply,
    }
    for name, value in facts.items():
        if value:
            print(f"{name:15} {value}")
    print("\nlabels")
    for label in spec.labels:
        print(f"  {label}: {spec.label_descriptions[label]}")
    # From the hand-written sample, whatever the store: real text stays out of terminals and logs.
    sample = SampleStore()
    if sample.path(task, "train").is_file():
        row = task_type(spec).encode(sample.examples(task, "train")[0])
        print(f"\nan example row, written for this project\n  {json.dumps(row, ensure_ascii=False)}")
    if spec.notes:
        print("\nnotes")
        for note in spec.notes:
            print(f"  - {note}")
    if spec.citation:
        print(f"\n{spec.citation}")
    split = next((split for split in ("train", "test") if rows.get(split)), None)
    following = f"generate gold-n --tasks {spec.name} --out submissions/gold-n" if split else f"prepare {spec.name}"
    bring = " --from <folder>" if spec.apply and not split else " --sample" if arguments.sample and split else ""
    print(f"\nnext: clinsynth {following}{bring}")
    return 0


PREPARE_EXAMPLES = (
    "clinsynth prepare mqp gad --from raw --data-dir data",
    "clinsynth prepare --from raw --data-dir data",
)


def _configure_prepare(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("tasks", nargs="*", metavar="TASK", help="default: all")
    parser.add_argument("--from", dest="source", type=Path, metavar="DIR",
                        help="take the files from DIR/<task>/ and download nothing")  # fmt: skip
    parser.add_argument("--workers", type=int, default=None, help="tasks at a time (default: one for each core)")
    add_data_dir(parser)


def execute_prepare(arguments: argparse.Namespace) -> int:
    """Exit status 1 if a task failed; 2 if nothing was prepared."""
    tasks = select_tasks(arguments.tasks)
    store = DataStore(arguments.data_dir or default_data_dir())
    with progress("prepare", len(tasks)) as bar:

        def show(outcome: Outcome) -> None:
            bar.advance(1)
            bar.say(f"{outcome.task}: {outcome.status.replace('_', ' ')}")

        outcomes = prepare_all(tasks, store, arguments.source, show, arguments.workers)
    for outcome in outcomes:
        print(_describe(outcome))
    ready = sum(outcome.report is not None for outcome in outcomes)
    print(f"\n{ready} of {len(outcomes)} tasks are prepared under {store.root}")
    if ready:
        one = next(outcome.task for outcome in outcomes if outcome.report)
        print(f"next: clinsynth show {one}, or clinsynth score <submission>")
    if not ready:
        return 2
    return int(any(outcome.status == "failed" for outcome in outcomes))


def _describe(outcome: Outcome) -> str:
    if outcome.report is None:
        return f"{outcome.task}: {outcome.status.replace('_', ' ')}\n  {outcome.error.replace(chr(10), chr(10) + '  ')}"
    rows = ", ".join(f"{split} {n:,}" for split, n in outcome.report.rows.items())
    lines = [f"{outcome.task}: {rows}"]
    for split, counts in outcome.report.counted.items():
        lines += [f"  {split}: {n:,} {reason}" for reason, n in counts.items()]
    for split, labels in outcome.report.unused.items():
        lines.append(f"  {split}: no example has {', '.join(labels)}: look at the reader if there should be some")
    lines += [f"  no {split}: {reason}" for split, reason in outcome.report.missing.items()]
    return "\n".join(lines)


NEW_TASK_EXAMPLES = ("clinsynth new-task ward-notes --type text_classification --labels urgent,routine --out my-tasks",)


def _configure_new_task(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name", metavar="NAME")
    parser.add_argument("--type", required=True, choices=tuple(TASK_TYPES))
    parser.add_argument("--labels", type=names, default=(), metavar="A,B", help="labels, or types of entity")
    parser.add_argument("--out", type=Path, required=True, metavar="FOLDER",
                        help="a folder of tasks: what --tasks-dir names")  # fmt: skip


def execute_new_task(arguments: argparse.Namespace) -> int:
    """Exit status: always 0; a name that is taken is an error."""
    written = new_task(arguments.name, arguments.type, arguments.out, arguments.labels)
    folder = shlex.quote(str(arguments.out))
    print(*(f"wrote {path}" for path in written), sep="\n")
    own = f"{arguments.name} --tasks-dir {folder}"
    print(
        f"\nIt works as it stands, on made-up rows:\n"
        f"  clinsynth generate gold-n --tasks {own} --rows 24 --sample --out build/gold-n\n"
        f"Then fill in {written[0].name}, bring your files, and:\n"
        f"  clinsynth prepare {own} --from <folder of your files>"
    )
    return 0


COMMANDS = {
    "tasks": Command(TASKS_EXAMPLES, _configure_tasks, execute_tasks),
    "show": Command(SHOW_EXAMPLES, _configure_show, execute_show),
    "prepare": Command(PREPARE_EXAMPLES, _configure_prepare, execute_prepare),
    "new-task": Command(NEW_TASK_EXAMPLES, _configure_new_task, execute_new_task),
}
