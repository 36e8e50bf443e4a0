"""``clinsynth tasks``."""

from __future__ import annotations

import argparse
import json

from clinsynth.cli import add_data_dir, add_sample
from clinsynth.core import TASKS, text_table
from clinsynth.data import open_store

EXAMPLES = ("clinsynth tasks", "clinsynth tasks --sample --json")


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument("--json", action="store_true", help="everything as JSON")
    add_sample(parser)
    add_data_dir(parser)


def execute(arguments: argparse.Namespace) -> int:
    """Always 0."""
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
