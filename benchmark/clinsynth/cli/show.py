"""``clinsynth show``."""

from __future__ import annotations

import argparse
import json

from clinsynth.cli import add_data_dir, add_sample
from clinsynth.core import TASKS
from clinsynth.data import SampleStore, open_store
from clinsynth.task_types import task_type

EXAMPLES = ("clinsynth show gad",)


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument("task", metavar="TASK")
    add_sample(parser)
    add_data_dir(parser)


def execute(arguments: argparse.Namespace) -> int:
    """Always 0."""
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
