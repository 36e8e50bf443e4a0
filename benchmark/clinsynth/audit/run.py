"""Audit a submission: leakage, privacy and verbatim text, task by task, each stored as soon as it is known."""

from __future__ import annotations

import time
from collections.abc import Generator, Iterable, Mapping, Sequence, Set
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path

import numpy as np
import numpy.typing as npt

from clinsynth import __version__
from clinsynth.audit import gate, leakage
from clinsynth.audit import measurement as measure
from clinsynth.audit.canary import CanaryHashes
from clinsynth.audit.copied import sketch_of
from clinsynth.audit.leakage import Embed, TextSet, Vectors
from clinsynth.audit.record import AUDIT_VERSION, AuditRecord, Draw, Nearness, audit_path, write_audit
from clinsynth.audit.verdicts import read_audit
from clinsynth.core import TASKS, Example, Progress, Split, Task, UserError, now, progress
from clinsynth.data import DataStore, ExampleStore, few_shot
from clinsynth.results import SEEDS, Results, drawn
from clinsynth.submissions import Submission, read_submission
from clinsynth.submissions import fingerprint as fingerprint_of
from clinsynth.text import key

REAL_SCANNED = 2_000
"""Real examples in which PHI patterns are counted, to know what is usual for a task."""
_PRINTED: tuple[Split, ...] = ("train", "dev")
_STAGES = ("leakage", "verbatim", "privacy")
"""Stages that the progress bar counts."""
_PACKAGES = ("numpy", "tokenizers", "torch", "transformers")


def audit(
    submission_dir: Path,
    tasks: Sequence[str],
    store: ExampleStore,
    *,
    canaries: CanaryHashes | None = None,
) -> list[AuditRecord]:
    """Audit a submission's rows and store ``audit/<task>.json`` for each task, in the order of ``tasks``.

    A task is not audited again while its rows, the splits, the rules and the canaries are the same; stored runs are
    scored again in any case.

    Args:
        submission_dir: the submission's folder.
        tasks: names; all that the submission has data for, if empty.
        store: where the real examples, or the sample's, come from.
        canaries: hashes of planted strings to look for.

    Raises:
        UserError: the submission cannot be read, or a task's test split is not here; tasks before it are stored.
    """
    submission = read_submission(submission_dir)
    records: list[AuditRecord] = []
    names = list(tasks) or list(submission.tasks)
    with progress("audit", len(_STAGES) * len(names)) as report:
        for name in names:
            started = time.monotonic()
            record = audit_task(submission, TASKS[name], store, canaries, report)
            records.append(record)
            verdict = "clean" if record.clean else "FAILED"
            report.say(f"{name}: {verdict}, {record.rows:,} rows, {time.monotonic() - started:.1f} s")
    return records


def audit_task(
    submission: Submission,
    task: Task,
    store: ExampleStore,
    canaries: CanaryHashes | None = None,
    report: Progress | None = None,
) -> AuditRecord:
    """Audit the rows for one task, or return the stored record if nothing has changed. Raises as ``audit``."""
    name = task.spec.name
    splits: dict[str, str] = {split: store.fingerprint(task, split) for split in store.rows(task)}
    splits["test"] = store.fingerprint(task, "test")  # says what to do where it is missing
    examples = submission.rows(name)
    data = fingerprint_of(examples, task.spec)
    old = _stored(submission.path, name, store)
    declared = submission.card.real_data.used
    reference = submission.card.kind == "reference"
    same = old is not None and (
        (old.audit, old.data_fingerprint, old.splits, old.declared, old.reference, old.thresholds)
        == (AUDIT_VERSION, data, splits, declared, reference, gate.THRESHOLDS)
        and (canaries is None or (old.canaries is not None and old.canaries.hashes == canaries.fingerprint))
    )
    test = store.examples(task, "test")
    if old is not None and same:
        touched = {item for match in old.test.matches for item in match.tests}
        scores = measure.rescored(submission.path, task, store, test, touched)
        if report:
            report.advance(len(_STAGES))
        return old if scores == old.scores else write_audit(submission.path, old.model_copy(update={"scores": scores}))
    digests = {"data": data, **splits}
    return write_audit(submission.path, _audited(submission, task, store, (examples, test, digests), canaries, report))


def _audited(
    submission: Submission,
    task: Task,
    store: ExampleStore,
    given: tuple[list[Example], list[Example], dict[str, str]],
    hashes: CanaryHashes | None,
    report: Progress | None,
) -> AuditRecord:
    """Audit anew; ``given`` are the rows, the test examples, and the digests of the rows (``data``) and the splits."""
    name = task.spec.name
    examples, test, digests = given
    declared = submission.card.real_data.used
    reference = submission.card.kind == "reference"
    seconds: dict[str, float] = {}
    rows = TextSet(examples, task.spec.markers)
    public_split: Split | None = next((split for split in _PRINTED if store.rows(task).get(split)), None)
    printed = {split: store.examples(task, split) for split in _PRINTED if store.rows(task).get(split)}
    real = printed[public_split] if public_split else []
    known = TextSet(real, task.spec.markers)
    others = [example for split in printed.values() for example in split]
    public = known if len(printed) < 2 else TextSet(others, task.spec.markers)
    items = TextSet(test, task.spec.markers)
    few = few_shot(store, task) if public_split else None
    shown = TextSet(few.examples if few else (), task.spec.markers)
    embedder = _Embedder(store, [rows, items, shown])
    train = shots = spans = near = None
    undeclared: set[int] = set()
    with _timed(seconds, report, "leakage"):
        leaks = measure.test_leaks(rows, items, public, len(test), embedder)
        if few and public_split:
            train, repeated = measure.repeats(rows, known, public_split, len(real))
            shots, excused = measure.repeats(rows, shown, few.split, len(few.examples), embedder)
            if declared in ("none", "few-shot"):
                undeclared = repeated - (excused if declared == "few-shot" else set())
            near = nearness_of(examples, test, real, public_split, embedder)
    seconds["embedding"] = embedder.seconds
    seconds["leakage"] -= embedder.seconds
    with _timed(seconds, report, "verbatim"):
        if public_split:
            spans = measure.verbatim_text(rows, known, public_split)
    with _timed(seconds, report, "privacy"):
        private = measure.privacy(examples, real[:REAL_SCANNED])
    sightings = measure.canaries(examples, hashes) if hashes else None
    count = len(examples)
    leaked = {match.row - 1: match.method for match in leaks.matches if match.reason == "leak"}
    budgets = {record.rows for record in Results(submission.path, store.kind).records() if record.task == name}
    drawn = draws_of(name, count, budgets, leaked, real=undeclared, nearer=near[1] if near else None)
    record = AuditRecord(
        audit=AUDIT_VERSION, submission=submission.path.name, task=name, task_version=task.spec.version,
        kind=store.kind, declared=declared, reference=reference, rows=count,
        data_fingerprint=digests["data"], splits={key: digest for key, digest in digests.items() if key != "data"},
        thresholds=gate.THRESHOLDS, embedder=embedder.fingerprint,
        packages={"clinsynth": __version__, **{package: version(package) for package in _PACKAGES}},
        test=leaks, train=train, few_shot=shots, verbatim=spans, privacy=private, canaries=sightings,
        nearness=near[0] if near else None, draws=drawn, sketch=sketch_of(rows),
        scores=measure.rescored(submission.path, task, store, test, {t for m in leaks.matches for t in m.tests}),
        failures=(), seconds={step: round(value, 2) for step, value in seconds.items()},
        created=now(),
    )  # fmt: skip
    found = gate.failures(record, task.spec, len(undeclared))
    return record.model_copy(update={"failures": tuple(failure.text for failure in found)})


class _Embedder:
    """Embeds texts; records the time taken and the embedder used."""

    def __init__(self, store: ExampleStore, sets: Sequence[TextSet]) -> None:
        """All ``sets`` are embedded at the first call, in one go; other texts when they are asked for."""
        from clinsynth.training import embedder_fingerprint

        self.seconds = 0.0
        self.fingerprint = embedder_fingerprint()
        self._cache = store.root if isinstance(store, DataStore) else None
        self._texts = list(dict.fromkeys(text for own in sets for text in own.texts))
        self._known: dict[str, leakage.Vectors] = {}

    def __call__(self, texts: Sequence[str]) -> leakage.Vectors:
        from clinsynth.training import embed

        wanted = dict.fromkeys([*self._texts, *texts])
        if fresh := [text for text in wanted if text not in self._known]:
            started = time.monotonic()
            self._known |= dict(zip(fresh, embed(fresh, self._cache), strict=True))
            self.seconds += time.monotonic() - started
        return np.stack([self._known[text] for text in texts])


@contextmanager
def _timed(seconds: dict[str, float], report: Progress | None, stage: str) -> Generator[None]:
    started = time.monotonic()
    yield
    seconds[stage] = time.monotonic() - started
    if report:
        report.advance(1)


def _stored(folder: Path, task: str, store: ExampleStore) -> AuditRecord | None:
    path = audit_path(folder, task, store.kind)
    try:
        record = read_audit(path) if path.is_file() else None
    except UserError:
        return None  # made anew
    return record if record and (record.submission, record.task) == (folder.name, task) else None


Shares = npt.NDArray[np.float64]

ITEMS = 1_000
"""Examples of each split that rows are compared with, at most."""
BLOCKS = 8
"""Blocks of real text, each with as many examples as are taken of the test split, at most."""
FEWEST = 50
"""Fewest examples of either split for a comparison of nearness."""
BUDGETS = (100, 300, 1_000, 5_000)
"""Budgets that are always looked at: those of the recipes and of the learning curves."""
_BLOCK = 1_024


def draws_of(
    task: str, rows: int, budgets: Iterable[int], leaked: Mapping[int, str], *, real: Set[int], nearer: Shares | None
) -> tuple[Draw, ...]:
    """Each seed's draw at each budget below ``rows``.

    Args:
        task: decides the draw, with seed and number of rows.
        rows: of the file.
        budgets: of the runs that are stored; the usual ones come on top.
        leaked: rows (from 0) that repeat a test example, and how.
        real: rows that repeat real text which the card does not declare.
        nearer: for each row the share of blocks of real text that it is not as near to as to test text.
    """
    out: list[Draw] = []
    for budget in sorted({*BUDGETS, *budgets}):
        if not 0 < budget < rows:
            continue
        for seed in SEEDS:
            own = drawn(task, seed, rows, budget)
            methods = [leaked[row] for row in own if row in leaked]
            out.append(
                Draw(
                    budget=budget, seed=seed, exact=methods.count("exact"), leaks=len(methods),
                    real=sum(row in real for row in own),
                    nearer_test=None if nearer is None else round(float(nearer[own].mean()), 4),
                )
            )  # fmt: skip
    return tuple(out)


def nearness_of(
    rows: Sequence[Example], test: Sequence[Example], real: Sequence[Example], split: str, embed: Embed
) -> tuple[Nearness, Shares] | None:
    """Nearness of the rows to test text, and for each row its share; ``None`` for too few examples.

    Examples that both splits have, and repeats, are left out. As many of the test split as fit twice into the other are
    taken, and the other is cut into blocks of that size: which single block rows are compared with decides much. The
    cosine of examples with two texts is the mean over both.
    """
    theirs, ours = ({_form(example): example for example in each} for each in (test, real))
    both = theirs.keys() & ours.keys()
    tests = [example for form, example in theirs.items() if form not in both]
    others = [example for form, example in ours.items() if form not in both]
    number = min(ITEMS, len(tests), len(others) // 2)
    if number < FEWEST:
        return None
    rng = np.random.default_rng(0)
    tests = [tests[int(k)] for k in rng.permutation(len(tests))[:number]]
    order = [others[int(k)] for k in rng.permutation(len(others))]
    count = min(BLOCKS, len(order) // number)
    own = _vectors(tests, embed)
    blocks = [_vectors(order[k * number : (k + 1) * number], embed) for k in range(count)]
    vectors = _vectors(rows, embed)
    to_test, to_blocks = _nearest(vectors, own), np.stack([_nearest(vectors, block) for block in blocks])
    between = [(to_blocks[k] > np.delete(to_blocks, k, axis=0)).mean() for k in range(count)]
    usual = _nearest(blocks[0], own) > np.stack([_nearest(blocks[0], block) for block in blocks[1:]])
    shares: Shares = (to_test > to_blocks).mean(axis=0)
    nearness = Nearness(
        split=split, items=number, blocks=count,
        test=round(float(shares.mean()), 4), real=round(float((to_test < to_blocks).mean()), 4),
        usual=round(float(usual.mean()), 4), spread=round(float(np.std(between, ddof=1)), 4),
    )  # fmt: skip
    return nearness, shares


def _form(example: Example) -> tuple[str, ...]:
    return tuple(map(key, example.texts))


def _vectors(examples: Sequence[Example], embed: Embed) -> Vectors:
    texts = [text for example in examples for text in example.texts]
    return embed(texts).reshape(len(examples), -1)


def _nearest(rows: Vectors, items: Vectors) -> npt.NDArray[np.float32]:
    """For each row the cosine to the nearest of the items."""
    return np.concatenate([(rows[k : k + _BLOCK] @ items.T).max(axis=1) for k in range(0, len(rows), _BLOCK)])
