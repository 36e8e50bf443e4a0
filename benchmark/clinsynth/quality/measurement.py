"""Measure a submission's data quality: draws of rows, real rows to compare with, a record for each task."""

from __future__ import annotations

import hashlib
import json
import zlib
from collections import Counter
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path

import numpy as np

from clinsynth.core import TASKS, Example, NotPreparedError, Task, UserError, now, progress, unpacked_bytes, write_text
from clinsynth.data import DataStore, ExampleStore
from clinsynth.generation import read_generation
from clinsynth.quality.numbers import Draw, Embed, Result, numbers_of
from clinsynth.quality.record import (
    METHOD,
    NUMBERS,
    Losses,
    Measured,
    QualityRecord,
    read_record,
    record_path,
    write_record,
)
from clinsynth.submissions import Submission, read_submission
from clinsynth.submissions import fingerprint as fingerprint_of
from clinsynth.training import embed, embedder_fingerprint


def losses_of(submission: Submission, task: str, rows: int) -> Losses | None:
    """Lost candidates of a task; ``None`` if they are not stated anywhere.

    Args:
        submission: the submission.
        task: a task that it has data for.
        rows: rows that it has for the task.
    """
    return _recorded(submission, task) or _stated(submission, task, rows)


def _recorded(submission: Submission, task: str) -> Losses | None:
    """From ``generation/<task>.json``, if it is whole and speaks of the rows that are here."""
    try:
        record = read_generation(submission.path, task)
    except UserError:
        return None
    if record is None:
        return None
    if record.rows_sha256 != hashlib.sha256(unpacked_bytes(submission.files[task])).hexdigest():
        return None
    return Losses(source="generation record", candidates=record.candidates, lost=record.dropped)


def _stated(submission: Submission, task: str, rows: int) -> Losses | None:
    lost = submission.card.losses.get(task)
    return None if lost is None else Losses(source="card", candidates=rows + lost, lost={"not stated": lost})


ROWS = 1_000
"""Rows of a draw: the budget of the default recipe. Many numbers grow or fall with n, so all are taken at one n."""
SEEDS = (0, 1, 2, 3, 4)
"""Draws: those that the five runs of a ranked row train on."""
MIN_REAL = 30
"""Fewest real rows for a comparison of distributions."""
MOST_SUSPECTS = 50
PACKAGES = ("cleanlab", "numpy", "scikit-learn", "tokenizers", "torch", "transformers")
"""Libraries that can change a number."""
NO_LOSSES = "unknown: neither a record of the generation nor the card says how many candidates were lost"


def drawn(task: str, seed: int, available: int, rows: int) -> list[int]:
    """Indices of a seed's draw of rows: the ones that ``training.run.draw`` takes for the same task and seed."""
    rng = np.random.default_rng([seed, zlib.crc32(f"{task}/rows".encode())])
    return [int(k) for k in rng.permutation(available)[:rows]]


def measure(
    submission_dir: Path,
    tasks: Sequence[Task],
    store: ExampleStore,
    *,
    rows: int = ROWS,
    cache_dir: Path | None = None,
) -> list[QualityRecord]:
    """Measure the tasks, store a record for each, and return them in the order of ``tasks``.

    What is measured already, of the same data and the same real rows, is not measured again. Embeddings and the numbers
    of real rows are cached beside the prepared data, or under ``cache_dir``.

    Args:
        submission_dir: the submission's folder.
        tasks: for none, all that the submission has data for.
        store: where real training rows come from; what needs them and cannot have them is ``None`` with the reason.
        rows: rows of a draw; 0 for all.
        cache_dir: where these are kept; by default the folder of the prepared data, and nowhere for the sample.

    Raises:
        UnknownNameError: the submission has no data for a task.
        UserError: the submission or its rows cannot be read.
    """
    folder = submission_dir.absolute()
    submission = read_submission(folder)
    cache = cache_dir or (store.root if isinstance(store, DataStore) else None)
    records: list[QualityRecord] = []
    wanted = list(tasks) or [TASKS[name] for name in submission.tasks]
    with progress("quality", len(wanted)) as bar:
        for task in wanted:
            record, kept = _measure(submission, task, store, rows, cache)
            records.append(record)
            drew = f"{record.data.draws} x {record.data.rows:,} rows"
            bar.say(f"{task.spec.name}: {f'kept, of {drew}' if kept else f'measured on {drew}'}")
            bar.advance(1)
    return records


def _measure(
    submission: Submission, task: Task, store: ExampleStore, asked: int, cache: Path | None
) -> tuple[QualityRecord, bool]:
    """The record, and whether it was there already."""
    name = task.spec.name
    examples = submission.rows(name)
    real, fingerprint, why_no_real = _real(task, store)
    record = QualityRecord(
        method=METHOD,
        submission=submission.path.name,
        task=name,
        task_version=task.spec.version,
        kind=store.kind,
        data_fingerprint=fingerprint_of(examples, task.spec),
        reference_fingerprint=fingerprint,
        reference_rows=len(real),
        embedder=embedder_fingerprint(),
        available=len(examples),
        asked=asked,
        data=Measured.nothing(),
        real=None,
        losses=losses_of(submission, name, len(examples)),
        suspects=[],
        packages={package: version(package) for package in PACKAGES},
        created=now(),
    )
    path = record_path(submission.path, store.kind, name)
    if path.is_file() and (found := _readable(path)) and found.same_question(record):
        return found, True

    rows = min(asked or len(examples), len(examples))
    draws = [drawn(name, seed, len(examples), rows) for seed in SEEDS[: 1 if rows == len(examples) else len(SEEDS)]]
    usable = len(real) >= MIN_REAL
    lookup = _embedder([*(examples[k] for k in sorted({k for draw in draws for k in draw})), *real], cache)
    reference = Draw(task.spec, real, lookup) if usable else None
    results: list[Result] = []
    parts: list[Draw] = []
    flagged: Counter[int] = Counter()
    for seed, draw in zip(SEEDS, draws, strict=False):
        parts.append(Draw(task.spec, [examples[k] for k in draw], lookup))
        result = numbers_of(parts[-1], reference, why_no_real, np.random.default_rng(seed))
        result.put("parse_losses", record.losses.share if record.losses else None, NO_LOSSES)
        results.append(result)
        flagged.update({draw[k]: len(draw) - place for place, k in enumerate(result.suspects)})
    record = record.model_copy(
        update={
            "data": _summary(parts, results),
            "real": _kept_real(record, task, real, min(rows, len(real) // 2), lookup, cache) if usable else None,
            "suspects": [k + 1 for k, _ in flagged.most_common(MOST_SUSPECTS)],
        }
    )
    return write_record(submission.path, record), False


def _readable(path: Path) -> QualityRecord | None:
    try:
        return read_record(path)
    except UserError:
        return None  # of another version, or damaged: measured again


def _real(task: Task, store: ExampleStore) -> tuple[list[Example], str, str]:
    """The real training rows, their fingerprint, and the reason if they cannot be used."""
    try:
        rows = store.examples(task, "train")
        fingerprint = store.fingerprint(task, "train")
    except NotPreparedError as error:
        return [], "", str(error).splitlines()[0]
    few = f"the real training split has only {len(rows)} rows" if len(rows) < MIN_REAL else ""
    return rows, fingerprint, few


def _kept_real(
    record: QualityRecord, task: Task, real: Sequence[Example], rows: int, lookup: Embed, cache: Path | None
) -> Measured:
    """Numbers of the real rows: the same for every submission, so they are measured once and kept in the cache."""
    if cache is None:
        return _real_numbers(task, real, rows, lookup)
    # Every library that can change a number is part of the question.
    asked = [METHOD, task.spec.version, record.reference_fingerprint, rows, record.embedder, record.packages]
    digest = hashlib.sha256(json.dumps(asked, sort_keys=True).encode()).hexdigest()
    path = cache / "quality" / f"{task.spec.name}-{digest[:16]}.json"
    try:
        return Measured.model_validate_json(path.read_bytes())
    except (OSError, ValueError):
        pass  # not measured yet, or damaged
    measured = _real_numbers(task, real, rows, lookup)
    write_text(path, measured.model_dump_json(indent=1) + "\n")
    return measured


def _real_numbers(task: Task, real: Sequence[Example], rows: int, lookup: Embed) -> Measured:
    """Numbers of ``rows`` real rows against the other real rows: what a perfect generator could reach."""
    parts: list[Draw] = []
    results: list[Result] = []
    for seed in SEEDS:
        order = np.random.default_rng([seed, zlib.crc32(f"{task.spec.name}/real".encode())]).permutation(len(real))
        parts.append(Draw(task.spec, [real[int(k)] for k in order[:rows]], lookup))
        rest = Draw(task.spec, [real[int(k)] for k in order[rows:]], lookup)
        results.append(numbers_of(parts[-1], rest, "", np.random.default_rng(seed)))
        results[-1].put("parse_losses", None, "real rows are no candidates")
    return _summary(parts, results)


def _summary(parts: Sequence[Draw], results: Sequence[Result]) -> Measured:
    """Means and standard deviations over draws; a number is missing if any draw lacks it."""
    numbers: dict[str, float | None] = {}
    spread: dict[str, float] = {}
    reasons: dict[str, str] = {}
    for name in NUMBERS:
        values = [value for result in results if (value := result.numbers[name]) is not None]
        if len(values) == len(results):
            numbers[name] = float(np.mean(values))
            if len(values) > 1:
                spread[name] = float(np.std(values, ddof=1))
        else:
            numbers[name] = None
            reason = next(result.reasons[name] for result in results if name in result.reasons)
            reasons[name] = f"in {len(results) - len(values)} of {len(results)} draws: {reason}" if values else reason
    shares = [part.label_shares for part in parts]
    names = dict.fromkeys(name for share in shares for name in share)
    labels = {name: float(np.mean([share.get(name, 0.0) for share in shares])) for name in names}
    return Measured(
        rows=len(parts[0].rows), draws=len(parts), numbers=numbers, spread=spread, reasons=reasons, labels=labels
    )


def _embedder(examples: Sequence[Example], cache: Path | None) -> Embed:
    """Embed every text once; the function that is returned looks vectors up."""
    texts = list(dict.fromkeys(text for example in examples for text in example.texts))
    vectors = embed(texts, cache)
    place = {text: k for k, text in enumerate(texts)}
    return lambda wanted: vectors[[place[text] for text in wanted]]
