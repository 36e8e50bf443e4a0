"""Take stored runs of one recipe over to another that trains them alike, without training.

    python -m studies.carry_over SUBMISSION... --data-dir DIR [--from minilm-l6.v1] [--to minilm-l6.v2] [--dry-run]

A run is taken over only where both recipes give its task and rows the same student, settings and number of steps; where
its seal and its predictions are as they were written; and where the test set here has the texts and answers that it was
tested on, in their order (of another version of the task, both versions must be prepared: units may differ). Its
predictions are copied, its scores computed from them by the metrics and the task's version of today, and the record is
sealed anew. ``carried_from`` says under whose name the student was trained; time, machine and software of the
training stay as they were. Whatever is there under the new name is left alone. ``clinsynth reproduce`` trains such a
run again like any other.
"""

from __future__ import annotations

import argparse
import dataclasses
from collections.abc import Iterator
from pathlib import Path

from clinsynth.core.errors import UserError
from clinsynth.core.nouns import TaskSpec
from clinsynth.core.registry import TASKS
from clinsynth.data.samples import open_store
from clinsynth.data.store import ExampleStore
from clinsynth.results.store import Results, RunRecord
from clinsynth.scoring.metrics import score_all
from clinsynth.training.recipe import RECIPES, Recipe, recipe_fingerprint
from clinsynth.training.weights import find_weights, weights_fingerprint


def trains_alike(old: Recipe, new: Recipe, spec: TaskSpec, rows: int) -> bool:
    """Whether two recipes do the same with so many rows: student, pooling, order and number of steps."""
    one, two = (
        dataclasses.replace(recipe.settings[spec.type], steps=recipe.settings[spec.type].steps_for(rows), epochs=0)
        for recipe in (old, new)
    )
    same_student = (old.weights, old.pooling, old.few_shot_steps) == (new.weights, new.pooling, new.few_shot_steps)
    return same_student and one == two


def same_examples(record: RunRecord, store: ExampleStore) -> bool:
    """Whether the run was tested on the texts and answers that the test set here has."""
    task = TASKS[record.task]
    if store.fingerprint(task, "test") == record.test.fingerprint:
        return True
    if task.spec.version == record.task_version:
        return False
    earlier = dataclasses.replace(task, spec=dataclasses.replace(task.spec, version=record.task_version))
    if store.fingerprint(earlier, "test") != record.test.fingerprint:
        return False
    then, now = ([(e.texts, e.labels, e.spans) for e in store.examples(version, "test")] for version in (earlier, task))
    return then == now


def refusal(record: RunRecord, old: Recipe, new: Recipe, results: Results, store: ExampleStore) -> str:
    """Why a run is not taken over; empty if it is."""
    spec = TASKS[record.task].spec
    steps = old.settings[spec.type].steps_for(record.rows) if record.fit == "fine-tuned" else 0
    faults = {
        f"{new.name} trains it otherwise": not trains_alike(old, new, spec, record.rows),
        f"it is not what {old.name} makes": record.recipe_fingerprint != recipe_fingerprint(old, spec)
        or record.steps != steps + old.few_shot_steps * (steps > 0),
        "its student had other weights": record.student_fingerprint != weights_fingerprint(find_weights(old.weights)),
        "the record was edited": record.seal != record.expected_seal(),
        "its predictions are not here": not results.predictions_path(record.cell).is_file(),
        "it was on another test set": not same_examples(record, store),
        "it is there already": results.record_path(record.cell._replace(recipe=new.name)).exists(),
    }
    return next((fault for fault, holds in faults.items() if holds), "")


def carried(record: RunRecord, old: Recipe, new: Recipe, results: Results, store: ExampleStore) -> RunRecord | str:
    """Take one run over and store it; or why not."""
    task = TASKS[record.task]
    if fault := refusal(record, old, new, results, store):
        return fault
    predictions, digest = results.read_predictions(record)
    if digest != record.predictions_sha256:
        return "its predictions were edited"
    renamed = record.cell._replace(recipe=new.name)
    again = results.write_predictions(renamed, predictions, spans=task.spec.is_span)
    return results.write_record(
        record.model_copy(
            update={
                "task_version": task.spec.version, "recipe": new.name, "carried_from": old.name,
                "recipe_fingerprint": recipe_fingerprint(new, task.spec), "metric": task.spec.metric,
                "scores": score_all(task.spec, store.examples(task, "test"), predictions),
                "predictions_sha256": again,
                "test": record.test.model_copy(update={"fingerprint": store.fingerprint(task, "test")}),
            }
        )
    )  # fmt: skip


def carry_over(folder: Path, old: Recipe, new: Recipe, store: ExampleStore, *, dry: bool) -> Iterator[str]:
    """Do a submission's runs; a line for each."""
    results = Results(folder.absolute(), store.kind)
    for record in list(results.records()):
        if record.recipe != old.name or record.task not in TASKS:
            continue
        try:
            outcome = (refusal if dry else carried)(record, old, new, results, store)
        except UserError as error:
            outcome = str(error).splitlines()[0]
        said = f"left: {outcome}" if isinstance(outcome, str) and outcome else "taken over"
        if isinstance(outcome, RunRecord):
            before = 100 * record.scores.get(outcome.metric, float("nan"))
            said += f": {outcome.metric} {100 * outcome.score:.2f}, stored {before:.2f}"
        yield f"{folder.name}/{record.cell.stem}: {said}"


def main() -> None:
    """Say what was done."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("submissions", nargs="+", type=Path)
    parser.add_argument("--data-dir", type=Path)
    parser.add_argument("--sample", action="store_true")
    parser.add_argument("--from", dest="old", default="minilm-l6.v1")
    parser.add_argument("--to", dest="new", default="minilm-l6.v2")
    parser.add_argument("--dry-run", action="store_true")
    arguments = parser.parse_args()
    store = open_store(arguments.data_dir, arguments.sample)
    for folder in arguments.submissions:
        for line in carry_over(folder, RECIPES[arguments.old], RECIPES[arguments.new], store, dry=arguments.dry_run):
            print(line)  # noqa: T201 - a script


if __name__ == "__main__":
    main()
