"""One run: a submission's rows fine-tune the student, the student reads the test set, a record is written."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import torch

from clinsynth.core import TASKS, Example, Prediction, TaskSpec, UserError, environment, now
from clinsynth.data import few_shot, open_store
from clinsynth.results import Cell, Results, RunRecord, TestData, TrainingData
from clinsynth.scoring import score_all
from clinsynth.submissions import fingerprint, read_submission
from clinsynth.task_types import task_type
from clinsynth.training.device import Device, find_device, processor_name
from clinsynth.training.draws import label_divergence, places, stream
from clinsynth.training.encoding import Encoded, RowEncoder, decode_labels, decode_spans, encode, outputs_of
from clinsynth.training.fine_tune import fine_tune, read
from clinsynth.training.jobs import Job
from clinsynth.training.recipe import RECIPES, Recipe, recipe_fingerprint
from clinsynth.training.student import load_tokenizer, new_student
from clinsynth.training.weights import find_weights, weights_fingerprint


def _state(submission: Path, task: str) -> tuple[int, int]:
    """Size and modification time of a row file: they tell it from a file that replaced it."""
    file = read_submission(submission).files.get(task)
    status = file.stat() if file else None
    return (status.st_size, status.st_mtime_ns) if status else (0, 0)


@lru_cache(maxsize=4)
def _read_rows(submission: Path, task: str, state: tuple[int, int]) -> tuple[list[Example], str]:
    rows = read_submission(submission).rows(task)
    return rows, fingerprint(rows, TASKS[task].spec)


def _training_rows(submission: Path, task: str) -> tuple[list[Example], str]:
    return _read_rows(submission, task, _state(submission, task))


def rows_fingerprint(submission: Path, task: str) -> str:
    """sha256 over the rows that a submission has for a task. Raises ``UserError`` where they cannot be read."""
    return _training_rows(submission, task)[1]


@lru_cache(maxsize=2)
def _row_encoder(submission: Path, task: str, recipe: str, state: tuple[int, int]) -> RowEncoder:
    """An encoder that encodes each row once for all seeds and budgets of a submission's task in this process."""
    spec, settings = TASKS[task].spec, RECIPES[recipe].settings[TASKS[task].spec.type]
    rows, _ = _read_rows(submission, task, state)
    tokenizer = load_tokenizer(RECIPES[recipe].weights)
    return RowEncoder(rows, spec, task_type(spec).head(spec), tokenizer, settings.max_length)


@lru_cache(maxsize=2)
def _real_rows(task: str, data_dir: Path | None, sample: bool) -> list[Example]:
    """The real training rows; none where there is no such split here."""
    store = open_store(data_dir, sample)
    return store.examples(TASKS[task], "train") if store.rows(TASKS[task]).get("train") else []


@lru_cache(maxsize=2)
def _test_rows(task: str, recipe: str, data_dir: Path | None, sample: bool) -> tuple[list[Example], str, Encoded]:
    store = open_store(data_dir, sample)
    examples = store.examples(TASKS[task], "test")
    return examples, store.fingerprint(TASKS[task], "test"), encode_for(examples, TASKS[task].spec, RECIPES[recipe])


def encode_for(examples: Sequence[Example], spec: TaskSpec, recipe: Recipe) -> Encoded:
    """Examples as the recipe's student reads them."""
    settings = recipe.settings[spec.type]
    return encode(examples, spec, task_type(spec).head(spec), load_tokenizer(recipe.weights), settings.max_length)


def _answer(example: Example) -> object:
    return [span.label for span in example.spans] if example.spans else example.labels


def constant(rows: Sequence[Example]) -> Prediction | None:
    """The answer of a student whose rows all have one answer; ``None`` where there is something to learn."""
    answers = {str(_answer(example)) for example in rows}
    return Prediction(rows[0].labels) if len(answers) == 1 and not rows[0].spans else None


def run(job: Job, on_step: Callable[[], Any] = lambda: None) -> RunRecord:
    """Do one run and store its predictions, then its record.

    Raises ``UserError`` where data, weights or rows are missing or bad. The same job on the same machine gives the same
    predictions, byte for byte.
    """
    cell = job.cell
    task, recipe = TASKS[cell.task], RECIPES[cell.recipe]
    spec = task.spec
    device = find_device(job.threads)
    rows, made_of_rows = _training_rows(job.submission, cell.task)
    test, test_fingerprint, encoded_test = _test_rows(cell.task, cell.recipe, job.data_dir, job.sample)
    chosen = places(rows, cell, job.draw)
    drawn = [rows[place] for place in chosen]
    first = few_shot(open_store(job.data_dir, job.sample), task).examples if recipe.few_shot_steps else ()
    same = None if first else constant(drawn)
    if same:
        outcome = Outcome([same] * len(test), {}, None, 0, {"train": 0.0, "read": 0.0})
    else:
        state = _state(job.submission, cell.task)
        encoded = _row_encoder(job.submission, cell.task, cell.recipe, state).take(chosen)
        training = (encode_for(first, spec, recipe), encoded)
        outcome = fit_and_read(cell, recipe, spec, training, (test, encoded_test), device, on_step)
    if outcome.loss is not None and not math.isfinite(outcome.loss):
        raise UserError(
            f"the student diverged on {cell.task}: its training loss is {outcome.loss}",
            remedy="look for odd rows with clinsynth validate; the recipe is the same for everybody",
        )
    results = Results(job.submission, "sample" if job.sample else "real", job.draw)
    real = _real_rows(cell.task, job.data_dir, job.sample)
    digest = results.write_predictions(cell, outcome.predictions, spans=spec.is_span)
    return results.write_record(
        RunRecord(
            submission=job.submission.name,
            task=cell.task,
            task_version=spec.version,
            recipe=cell.recipe,
            recipe_fingerprint=recipe_fingerprint(recipe, spec),
            student_fingerprint=weights_fingerprint(find_weights(recipe.weights)),
            rows=cell.rows,
            seed=cell.seed,
            training=TrainingData(
                fingerprint=made_of_rows,
                available=len(rows),
                used=len(drawn),
                few_shot=len(first),
                draw=job.draw,
                label_divergence=label_divergence(drawn, real) if real else None,
            ),
            test=TestData(kind=results.kind, fingerprint=test_fingerprint, examples=len(test)),
            fit="constant" if same else "fine-tuned",
            steps=outcome.steps,
            loss=outcome.loss,
            counts=outcome.counts,
            metric=spec.metric,
            scores=score_all(spec, test, outcome.predictions),
            predictions_sha256=digest,
            seconds=outcome.seconds,
            environment=environment(device.kind, device.dtype, device.threads, processor_name(device.kind)),
            created=now(),
        )
    )


def _be_deterministic() -> None:
    # cuBLAS reads this when it starts; without it, sums on a GPU may come out in another order.
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    torch.use_deterministic_algorithms(True, warn_only=True)
    # Would write NaN into every fresh tensor, to show reads of unset memory: a debugging aid that costs a tenth.
    torch.utils.deterministic.fill_uninitialized_memory = False  # pyright: ignore[reportAttributeAccessIssue] - no stub


@dataclass(frozen=True, slots=True)
class Outcome:
    """The outcome of fine-tuning a student and reading the test set."""

    predictions: list[Prediction]
    """One for each test example, in order."""
    counts: dict[str, int]
    """Examples that did not fit as they were, by ``train.`` or ``test.`` and the reason."""
    loss: float | None
    steps: int
    seconds: dict[str, float]
    """Wall-clock time of ``train`` and ``read``."""


def fit_and_read(
    cell: Cell,
    recipe: Recipe,
    spec: TaskSpec,
    training: tuple[Encoded, Encoded],
    testing: tuple[Sequence[Example], Encoded],
    device: Device,
    on_step: Callable[[], Any] = lambda: None,
) -> Outcome:
    """Fine-tune on the encoded (few-shot, drawn) examples and read the test examples, given with their encoding."""
    head, settings = task_type(spec).head(spec), recipe.settings[spec.type]
    test, encoded_test = testing
    few, drawn = training
    steps = settings.steps_for(drawn.examples)
    stages = [(part.items, count) for part, count in ((few, recipe.few_shot_steps), (drawn, steps)) if count]
    torch.set_num_threads(device.threads)
    _be_deterministic()
    started = time.perf_counter()
    # The one place with a global seed: head and dropout draw from torch's generator, for the length of this run.
    with torch.random.fork_rng():  # pyright: ignore[reportUnknownMemberType] - untyped in torch
        torch.manual_seed(cell.seed)  # pyright: ignore[reportUnknownMemberType] - untyped in torch
        student = new_student(recipe, head, outputs_of(spec, head), settings, device)
        loss = fine_tune(student, stages, settings, device, stream(cell, "order"), on_step)
    trained = time.perf_counter()
    output = read(student, encoded_test, device)
    if head == "token":
        predictions = decode_spans(output, encoded_test, test, spec)
    else:
        predictions = decode_labels(output, spec, head)
    counts = {f"train.{k}": n for k, n in (few.counts + drawn.counts).items()}
    counts |= {f"test.{k}": n for k, n in encoded_test.counts.items()}
    seconds = {"train": round(trained - started, 2), "read": round(time.perf_counter() - trained, 2)}
    return Outcome(predictions, counts, loss, sum(count for _, count in stages), seconds)
