"""What does a student get wrong? Counts of a submission's stored predictions against the test set.

    python -m studies.errors submissions/NAME [--tasks A,B] [--recipe NAME] [--rows N] [--seed 0] [--examples N]

One table per task: for labels, how often each gold label was given each label; for several labels at a time and for
spans, how many there are, how many were given and how many of these are right. Needs the prepared test sets. Prints no
text, unless ``--examples`` asks for wrong answers to read, which for restricted tasks takes ``--show-restricted`` too.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from clinsynth.core import TASKS, Example, Prediction, Span, TaskSpec, UserError
from clinsynth.data import open_store
from clinsynth.results import Results, RunRecord
from clinsynth.standings import headline_recipe
from clinsynth.training import RECIPES


def table(spec: TaskSpec, gold: Sequence[Example], said: Sequence[Prediction]) -> list[str]:
    """Lines of a Markdown table of what was said of the test examples."""
    if spec.is_span:
        return _spans(spec, gold, said)
    return _label_sets(spec, gold, said) if spec.multi_label else _confusion(spec, gold, said)


def wrong(gold: Sequence[Example], said: Sequence[Prediction]) -> list[int]:
    """Positions of the examples of which something else was said than the gold says."""
    return [
        k
        for k, (example, prediction) in enumerate(zip(gold, said, strict=True))
        if set(example.labels) != set(prediction.labels) or set(example.spans) != set(prediction.spans)
    ]


def _rows(head: Sequence[str], body: Sequence[Sequence[object]]) -> list[str]:
    align = [":--", *["--:"] * (len(head) - 1)]
    cells = [head, align, *([str(c) if isinstance(c, str) else f"{c:,}" for c in row] for row in body)]
    return ["| " + " | ".join(row) + " |" for row in cells]


def _confusion(spec: TaskSpec, gold: Sequence[Example], said: Sequence[Prediction]) -> list[str]:
    pairs = Counter((e.labels[0], p.labels[0] if p.labels else "") for e, p in zip(gold, said, strict=True))
    given = [*spec.labels, *([""] if any(not p.labels for p in said) else [])]
    body = [[label, *(pairs[label, each] for each in given)] for label in spec.labels]
    total = ["*all*", *(sum(pairs[label, each] for label in spec.labels) for each in given)]
    return _rows(["gold \\ said", *(each or "none" for each in given)], [*body, total])


def _label_sets(spec: TaskSpec, gold: Sequence[Example], said: Sequence[Prediction]) -> list[str]:
    body: list[list[object]] = []
    for label in spec.labels:
        both = [(label in e.labels, label in p.labels) for e, p in zip(gold, said, strict=True)]
        body.append([label, sum(g for g, _ in both), sum(s for _, s in both), sum(g and s for g, s in both)])
    bare = [(not e.labels, not p.labels) for e, p in zip(gold, said, strict=True)]
    body.append(["*no label*", sum(g for g, _ in bare), sum(s for _, s in bare), sum(g and s for g, s in bare)])
    return _rows(["label", "gold", "said", "right"], body)


def _spans(spec: TaskSpec, gold: Sequence[Example], said: Sequence[Prediction]) -> list[str]:
    body: list[list[object]] = []
    for label in spec.labels:
        counts = [0] * 5
        for example, prediction in zip(gold, said, strict=True):
            there = [span for span in example.spans if span.label == label]
            marked = [span for span in prediction.spans if span.label == label]
            off = [span for span in marked if span not in there]
            counts[0] += len(there)
            counts[1] += len(marked)
            counts[2] += len(marked) - len(off)
            counts[3] += sum(any(_meet(span, other) for other in there) for span in off)
            counts[4] += len(marked) if not there else 0
        body.append([label, *counts])
    return _rows(["mentions", "gold", "marked", "right", "overlap", "in texts without"], body)


def _meet(one: Span, other: Span) -> bool:
    return one.start < other.end and other.start < one.end


def chosen(results: Results, recipe: str, rows: int | None, seed: int, tasks: Sequence[str]) -> list[RunRecord]:
    """The runs of a seed, one per task: at ``rows`` training rows, else at the most there are. Raises ``UserError``."""
    found: dict[str, RunRecord] = {}
    for record in results.records():
        if (record.recipe, record.seed) != (recipe, seed) or (tasks and record.task not in tasks):
            continue
        if rows in (None, record.rows) and (record.task not in found or record.rows > found[record.task].rows):
            found[record.task] = record
    missing = [task for task in tasks if task not in found]
    if missing or not found:
        raise UserError(
            f"no run of {results.folder} to count",
            found=f"none of {', '.join(missing) or 'any task'}",
            expected=f"recipe {recipe}, seed {seed}" + (f", {rows:,} rows" if rows else ""),
            remedy="score it, or name another --recipe, --rows or --seed",
        )
    return [found[task] for task in sorted(found)]


def _examples(spec: TaskSpec, gold: Sequence[Example], said: Sequence[Prediction], count: int) -> Iterator[str]:
    places = wrong(gold, said)
    order = np.random.default_rng(0).permutation(len(places))
    for k in sorted(places[int(place)] for place in order[:count]):
        example, prediction = gold[k], said[k]
        yield f"- example {k}: " + " / ".join(example.texts)
        if spec.is_span:
            text = example.texts[0]
            for name, spans in (("gold", example.spans), ("said", prediction.spans)):
                yield f"  {name}: " + ("; ".join(f"{text[s.start : s.end]} ({s.label})" for s in spans) or "none")
        else:
            yield f"  gold: {', '.join(example.labels) or 'none'}; said: {', '.join(prediction.labels) or 'none'}"


def main(argv: Sequence[str] | None = None) -> int:
    """Print the tables."""
    parser = argparse.ArgumentParser(prog="python -m studies.errors", description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("folder", type=Path, help="a submission")
    parser.add_argument("--tasks", default="", help="names with commas between (default: all that have a run)")
    parser.add_argument("--recipe", choices=sorted(RECIPES), help="default: the one that most records have")
    parser.add_argument("--rows", type=int, help="training rows (default: the most there are)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--examples", type=int, default=0, metavar="N", help="wrong answers to print, with their texts")
    parser.add_argument("--show-restricted", action="store_true", help="texts of tasks that are not open, too")
    parser.add_argument("--data-dir", type=Path)
    args = parser.parse_args(argv)
    try:
        results, store = Results(args.folder, "real"), open_store(args.data_dir)
        recipe = args.recipe or headline_recipe([args.folder], "real")
        for record in chosen(results, recipe, args.rows, args.seed, [t for t in args.tasks.split(",") if t]):
            task = TASKS[record.task]
            if store.fingerprint(task, "test") != record.test.fingerprint:
                raise UserError(
                    f"the predictions on {record.task} are of another test set",
                    found=f"{record.test.fingerprint[:12]} in the record",
                    expected=f"{store.fingerprint(task, 'test')[:12]}, which is prepared here",
                    remedy=f"run `clinsynth prepare {record.task}`, or score again",
                )
            gold, (said, _) = store.examples(task, "test"), results.read_predictions(record)
            lines = [
                f"{record.task}: {args.folder.name}, {record.recipe}, {record.rows:,} rows, seed {record.seed}; "
                f"{len(wrong(gold, said)):,} of {len(gold):,} test examples wrong",
                "",
                *table(task.spec, gold, said),
                "",
            ]
            if args.examples and task.spec.access != "open" and not args.show_restricted:
                lines += [f"Texts of {record.task} are {task.spec.access}: --show-restricted prints them.", ""]
            elif args.examples:
                lines += [*_examples(task.spec, gold, said, args.examples), ""]
            sys.stdout.write("\n".join(lines) + "\n")
    except UserError as error:
        sys.stderr.write(f"error: {error}\n")
        return 2
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
