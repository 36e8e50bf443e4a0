"""Submissions that nobody made, in any number: what the leaderboard's speed is measured on.

    python -m studies.speed.invented OUT [--submissions 300] [--seeds 5] [--examples 200] [--workers 2]

Writes OUT/data, a store with invented test sets for every task, and OUT/submissions with cards, predictions, records
and audits, all by the harness's own writers. Each submission answers rightly with its own probability; no prediction
file equals another. The references gold-few, gold-n and gold-full are among them, and every tenth submission
has a reason not to be ranked. What is there already is kept, so a run that was stopped goes on.
"""

from __future__ import annotations

import argparse
import os
import time
import zlib
from concurrent.futures import ProcessPoolExecutor
from datetime import date
from pathlib import Path

import numpy as np

from clinsynth import __version__
from clinsynth.audit.record import AUDIT_VERSION, AuditRecord, Privacy, TestLeaks, write_audit
from clinsynth.core.nouns import Example, Prediction, Span, TaskSpec
from clinsynth.core.registry import TASKS
from clinsynth.data import manifest as arrow
from clinsynth.data.manifest import Manifest, SplitFacts
from clinsynth.data.manifest import write as write_manifest
from clinsynth.results.store import Cell, Environment, Results, RunRecord, TestData, TrainingData
from clinsynth.scoring.metrics import score_all
from clinsynth.submissions import Card, Cost, Llm, RealData, write_submission

RECIPE, ROWS = "minilm-l6.v1", 300
REFERENCES = {"gold-few": 0.45, "gold-n": 0.68, "gold-full": 0.8}
ENVIRONMENT = Environment(
    clinsynth=__version__,
    commit="",
    dirty=False,
    python="",
    platform="",
    packages={},
    device="cpu",
    dtype="float32",
    threads=1,
)


def examples_of(spec: TaskSpec, count: int) -> list[Example]:
    """A test set of meaningless texts; a unit holds four examples where units are not examples."""
    rng = np.random.default_rng(zlib.crc32(spec.name.encode()))
    out: list[Example] = []
    for k in range(count):
        texts = tuple(f"{spec.name} {k} {part} word word word word" for part in spec.text_names)
        unit = "" if spec.unit == "example" else f"u{k // 4}"
        if spec.is_span:
            out.append(Example(texts, labels=(), spans=(Span(0, 4, spec.labels[k % len(spec.labels)]),), unit=unit))
        else:
            out.append(Example(texts, labels=(spec.labels[int(rng.integers(len(spec.labels)))],), spans=(), unit=unit))
    return out


def write_store(root: Path, count: int) -> None:
    """A prepared test split for every task."""
    for task in TASKS.values():
        folder = root / task.spec.name / f"v{task.spec.version}"
        if (folder / "manifest.json").is_file():
            continue
        examples = examples_of(task.spec, count)
        arrow.save(folder / "test", examples)
        facts = SplitFacts(len(examples), arrow.fingerprint(examples), {})
        write_manifest(folder, Manifest(task.spec.name, task.spec.version, __version__, {"test": facts}, {}, {}, {}))


def answers(spec: TaskSpec, gold: list[Example], skill: float, rng: np.random.Generator) -> list[Prediction]:
    """Right with probability ``skill``; else another label, or a span one character off."""
    right = rng.random(len(gold)) < skill
    other = rng.integers(len(spec.labels), size=len(gold))
    made: list[Prediction] = []
    for k, example in enumerate(gold):
        if right[k]:
            made.append(Prediction(example.labels, example.spans))
        elif spec.is_span:
            made.append(Prediction((), (Span(0, 5 + int(other[k]), spec.labels[0]),)))
        else:
            made.append(Prediction((spec.labels[int(other[k])],), ()))
    return made


def write_one(root: Path, place: int, name: str, seeds: int, count: int) -> str:
    """One submission, whole."""
    folder = root / "submissions" / name
    rng = np.random.default_rng(zlib.crc32(name.encode()))
    reference = name in REFERENCES
    if not (folder / "submission.toml").is_file():
        paid = float(np.round(rng.lognormal(1.0, 1.2), 2)) if rng.random() < 0.8 and not reference else None
        card = Card(
            name=name,
            title=f"Invented method {place}",
            authors=("Nobody",),
            generator="draws answers from a distribution",
            licence="CC0-1.0",
            kind="reference" if reference else "submission",
            real_data=RealData(used="none"),
            llm=None if reference else Llm(name="model-x"),
            cost=Cost()
            if paid is None
            else Cost(
                tokens_in=int(paid * 1e6),
                tokens_out=int(paid * 2e5),
                dollars=paid,
                price_source="stated",
                price_date=date(2026, 1, 1),
            ),
        )
        write_submission(folder, card, {})
    base = REFERENCES.get(name, 0.4 + 0.35 * float(rng.random()))
    for task in TASKS.values():
        if place % 10 == 9 and place % 30 == 9 and task.spec.name == "casi":
            continue  # incomplete
        some = range(3) if place % 30 == 19 else range(seeds)  # preliminary
        gold = examples_of(task.spec, count)
        _runs(folder, name, task.spec, gold, some, base)
        if place % 30 != 29 and not reference:  # the others: unaudited
            _audit(folder, name, task.spec, len(gold), arrow.fingerprint(gold))
    return name


def _runs(folder: Path, name: str, spec: TaskSpec, gold: list[Example], seeds: range, base: float) -> None:
    results = Results(folder, "real")
    test = arrow.fingerprint(gold)
    # How good a method is differs from task to task, and a little from seed to seed.
    here = base + 0.08 * float(np.random.default_rng(zlib.crc32(f"{name} {spec.name}".encode())).standard_normal())
    for seed in seeds:
        cell = Cell(spec.name, RECIPE, ROWS, seed)
        if results.record_path(cell).is_file():
            continue
        rng = np.random.default_rng([zlib.crc32(f"{name} {spec.name}".encode()), seed])
        predictions = answers(spec, gold, min(0.97, max(0.05, here + 0.01 * float(rng.standard_normal()))), rng)
        digest = results.write_predictions(cell, predictions, spans=spec.is_span)
        results.write_record(RunRecord(
            submission=name, task=spec.name, task_version=spec.version, recipe=RECIPE, recipe_fingerprint="r",
            student_fingerprint="s", rows=ROWS, seed=seed,
            training=TrainingData(fingerprint=f"rows of {name}", available=10 * ROWS, used=ROWS),
            test=TestData(kind="real", fingerprint=test, examples=len(gold)), fit="fine-tuned", steps=1, loss=0.5,
            counts={}, metric=spec.metric, scores=score_all(spec, gold, predictions), predictions_sha256=digest,
            seconds={}, environment=ENVIRONMENT, created="2026-01-01T00:00:00+00:00",
        ))  # fmt: skip


def _audit(folder: Path, name: str, spec: TaskSpec, count: int, test: str) -> None:
    write_audit(
        folder,
        AuditRecord(
            audit=AUDIT_VERSION,
            submission=name,
            task=spec.name,
            task_version=spec.version,
            kind="real",
            declared="none",
            reference=False,
            rows=ROWS,
            data_fingerprint=f"rows of {name}",
            splits={"test": test},
            thresholds={},
            packages={},
            embedder="",
            test=TestLeaks(examples=count, matches=(), one_side=(), nearest={}, touched=0),
            train=None,
            few_shot=None,
            verbatim=None,
            privacy=Privacy(rows={}, weak={}, share=0.0, real_share=None),
            canaries=None,
            scores=(),
            failures=(),
            seconds={},
            created="2026-01-01T00:00:00+00:00",
        ),
    )


def make(root: Path, submissions: int, seeds: int, count: int, workers: int) -> float:
    """Write everything that is missing, and give the seconds that it took."""
    start = time.perf_counter()
    write_store(root / "data", count)
    names = [*REFERENCES, *(f"method-{k:03d}" for k in range(submissions - len(REFERENCES)))]
    os.environ["OMP_NUM_THREADS"] = "1"
    with ProcessPoolExecutor(workers) as pool:
        jobs = [pool.submit(write_one, root, place, name, seeds, count) for place, name in enumerate(names)]
        for done, job in enumerate(jobs, 1):
            name = job.result()
            if done % 25 == 0:
                print(f"{done} of {len(names)}: {name}", flush=True)  # noqa: T201 - a script
    return time.perf_counter() - start


def main() -> None:
    """Parse and make."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("out", type=Path)
    parser.add_argument("--submissions", type=int, default=300)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--examples", type=int, default=200, help="of each test set")
    parser.add_argument("--workers", type=int, default=2)
    arguments = parser.parse_args()
    seconds = make(arguments.out, arguments.submissions, arguments.seeds, arguments.examples, arguments.workers)
    print(f"{arguments.out}: made in {seconds:.0f} s")  # noqa: T201 - a script


if __name__ == "__main__":
    main()
