"""From rows to a verdict: the order of the steps, each of which is done by another room."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from clinsynth.audit import AuditRecord, audit
from clinsynth.core import CEILING, REAL, TASKS, Task, UserError
from clinsynth.data import DataStore, ExampleStore, open_store
from clinsynth.evaluation.rows import Rows, stage
from clinsynth.evaluation.verdict import Quoted, Report, Rival, rival
from clinsynth.quality import QualityRecord, measure
from clinsynth.standings import (
    RESAMPLES,
    Collection,
    Entry,
    Profiler,
    Reading,
    Score,
    collect,
    compare,
    folders,
    headline_budget,
    headline_recipe,
    standings_of,
)
from clinsynth.standings import Request as Comparing
from clinsynth.submissions import Report as Validated
from clinsynth.submissions import is_private, read_submission, validate
from clinsynth.submissions.importing import ImportOptions, is_hub_name
from clinsynth.training import RECIPES, plan, score
from clinsynth.training import Request as Scoring

Said = Callable[[str], None]
"""Told what is done, line by line."""
_QUOTED = 10
"""Rows of a kind that are quoted."""
_LENGTH = 300
"""Characters of a row that are quoted."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Request:
    """The rows to evaluate, and what they are compared with."""

    rows: Rows
    task: str
    out: Path
    """The folder of the submission that the rows become: what was done is kept there, and a second call goes on."""
    options: ImportOptions | None = None
    form: str = ""
    """Format of the files; empty: what their names say."""
    known: tuple[Path, ...] = ()
    """Submissions to compare with, or folders that hold some; references among them are found by their cards."""
    against: tuple[str, ...] = ()
    """Only these of ``known``; empty: the references and the best known rows."""
    recipe: str = ""
    """The student; empty: that of the leaderboard, or of most runs that are known."""
    seeds: tuple[int, ...] = (0, 1, 2, 3, 4)
    data_dir: Path | None = None
    sample: bool = False
    offline: bool = False
    """Whether a data set that is missing may be fetched."""
    resamples: int = RESAMPLES
    workers: int = 0


def evaluate(request: Request, said: Said = lambda _: None, first: Callable[[Report], None] | None = None) -> Report:
    """Import, prepare, audit, measure, train, compare.

    Args:
        request: what is wanted.
        said: told what goes on.
        first: called with the verdict of one seed as soon as there is one.

    Raises:
        UserError: the rows cannot be read, or the data of the task is neither here nor to be had.
    """
    task = TASKS[request.task]
    hub = isinstance(request.rows, str | Path) and is_hub_name(Path(request.rows))
    if request.offline and hub:
        raise UserError(f"there is nothing at {request.rows}", remedy="leave out --offline, if it is on the Hub")
    store = _prepared(task, request, said)
    if not request.recipe:
        request = replace(
            request, recipe=headline_recipe([each for each in request.known if each.is_dir()], store.kind)
        )
    notes = stage(request.rows, task.spec, request.out, request.options, request.form)
    for note in notes:
        said(note)
    validated = validate(request.out, (task.spec.name,))
    if not validated.usable:
        raise UserError(f"{request.out} cannot be scored", found=str(validated))
    notes += _odd(validated, quoted=_quotable(request, task))
    number = validated.rows[task.spec.name]
    said(f"audit: {number:,} rows against the real examples")
    (audited,) = audit(request.out, [task.spec.name], store)
    said("quality: diversity, distance to real text, faults")
    (quality,) = measure(request.out, [task], store)
    collection = _collection(request, task, store)
    rows = headline_budget((each.entry(request.recipe) for each in collection.stored), RECIPES[request.recipe])

    def verdict(seeds: Sequence[int]) -> Report:
        scored = score(_scoring(request, rows, tuple(seeds)))
        if not scored.records:
            raise scored.failed[0][1]
        return _report(request, task, store, rows, notes, audited, quality)

    planned = plan(_scoring(request, rows, request.seeds))
    todo = {cell.seed for cell in (*planned.missing, *planned.stale)}
    if first is not None and len(todo) > 1 and len(todo) == len(request.seeds):
        said("training: one seed for a first answer")
        first(verdict(request.seeds[:1]))
        todo.discard(request.seeds[0])
    said(f"training: {len(todo)} seed{'s' * (len(todo) > 1)}" if todo else "training: nothing is left to do")
    return verdict(request.seeds)


def _odd(validated: Validated, *, quoted: bool) -> list[str]:
    """Warnings about the rows, by reason; a finished card is needed to submit, not here."""
    notices: dict[str, str] = {}
    for problem in validated.problems:
        if problem.severity == "warning" and problem.file and problem.reason != "few-rows":
            said = f", such as: {problem.found}" if problem.found and quoted else ""
            notices.setdefault(problem.reason, f"{problem.reason}: {validated.counts[problem.reason]:,} times{said}")
    return list(notices.values())


def _prepared(task: Task, request: Request, said: Said) -> ExampleStore:
    store = open_store(request.data_dir, request.sample)
    if isinstance(store, DataStore) and "test" not in store.rows(task):
        if request.offline:
            raise UserError(
                f"{task.spec.name} is not prepared on this machine",
                remedy=f"clinsynth prepare {task.spec.name}, or leave out --offline",
            )
        said(f"prepare: {task.spec.name}")
        store.prepare(task, None)
    return store


def _scoring(request: Request, rows: int, seeds: tuple[int, ...]) -> Scoring:
    return Scoring(
        submission=request.out, tasks=(request.task,), recipe=request.recipe, budgets=(rows,), seeds=seeds,
        data_dir=request.data_dir, sample=request.sample, workers=request.workers,
    )  # fmt: skip


def _collection(request: Request, task: Task, store: ExampleStore) -> Collection:
    """The known submissions that have runs of the task, and these rows; records of other tasks are left out."""
    known = [folder for place in request.known if place.is_dir() for folder in folders([place], some=False)]
    collected = collect([*(each for each in known if each.name != request.out.name), request.out], store.kind)
    kept = tuple(
        replace(each, records=tuple(record for record in each.records if record.task == task.spec.name))
        for each in collected.stored
    )
    return replace(collected, stored=tuple(each for each in kept if each.records))


def _report(
    request: Request,
    task: Task,
    store: ExampleStore,
    rows: int,
    notes: Sequence[str],
    audited: AuditRecord,
    quality: QualityRecord,
) -> Report:
    name = task.spec.name
    collection = _collection(request, task, store)
    profiler = Profiler(store, request.resamples)
    table = standings_of(collection, request.recipe, rows, profiler)
    scores = {row.name: row.scores[name] for row in table.rows if name in row.scores}
    kinds = {row.name: row.kind for row in table.rows}
    real = next((row.curves for row in table.rows if row.name == REAL), ())
    own = request.out.name
    if own not in scores:
        raise UserError(f"{own} has no run on {name} that can be shown", found="; ".join(map(str, table.left_out)))
    return Report(
        task=task.spec,
        name=own,
        folder=request.out,
        recipe=request.recipe,
        budget=rows,
        score=scores[own],
        scores=scores,
        kinds=kinds,
        rivals=_rivals(request, collection, store, scores, rows),
        audit=audited,
        quality=quality,
        quoted=_quoted(request, task, audited, quality),
        curve=next((curve for curve in real if curve.task == name and len(curve.points) > 1), None),
        cost=next(row.cost for row in table.rows if row.name == own),
        notes=tuple(notes),
        sample=store.kind == "sample",
    )


def _quoted(request: Request, task: Task, audited: AuditRecord, quality: QualityRecord) -> dict[int, Quoted]:
    """Rows with doubtful labels and rows that leak, unless the user or a data use agreement forbids to show them."""
    if not _quotable(request, task):
        return {}
    rows = read_submission(request.out).rows(task.spec.name)
    leaking = [match.row for match in audited.test.matches if match.reason == "leak"]
    quoted: dict[int, Quoted] = {}
    for number in (*quality.suspects[:_QUOTED], *leaking[:_QUOTED]):
        row = rows[number - 1]
        text = " / ".join(row.texts)
        answer = ", ".join(row.labels) or "; ".join(f"{row.texts[0][s.start : s.end]}: {s.label}" for s in row.spans)
        quoted[number] = Quoted(answer or "none", text if len(text) <= _LENGTH else f"{text[:_LENGTH]}…")
    return quoted


def _quotable(request: Request, task: Task) -> bool:
    return not is_private(request.out / "data", task.spec)


def _rivals(
    request: Request, collection: Collection, store: ExampleStore, scores: dict[str, Score], rows: int
) -> tuple[Rival, ...]:
    """These rows against each of the others, best first; paired by test unit and seed."""
    wanted = [name for name in request.against or tuple(scores) if name != request.out.name]
    entries = _entries(collection, request.recipe, store)
    reading = Reading()
    out: list[Rival] = []
    for name in sorted(wanted, key=lambda each: -scores[each].mean if each in scores else 0.0):
        if name not in entries:
            if name in request.against:
                raise UserError(f"nothing known is called {name}", expected=" | ".join(sorted(entries)))
            continue
        comparing = Comparing(
            entries=(entries[name], entries[request.out.name]),
            tasks=(request.task,),
            recipe=request.recipe,
            rows=rows,
            ceiling=entries.get(CEILING),
            resamples=request.resamples,
        )
        out.append(rival(name, compare(comparing, store, reading)))
    return tuple(out)


def _entries(collection: Collection, recipe: str, store: ExampleStore) -> dict[str, Entry]:
    return {each.card.name: each.checked(recipe) for each in collection.stored}
