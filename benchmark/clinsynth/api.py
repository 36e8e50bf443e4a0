"""The harness from Python: data as ``datasets`` and ``pandas``, one call for each command that matters most.

    import clinsynth as cs

    cs.evaluate("rows.csv", task="mqp")  # rows to a verdict
    cs.get_tasks()                       # what there is
    cs.load("mqp", "train")              # a datasets.Dataset
    cs.get_standings("submissions")      # the table, as a frame

Scores are in [0, 1]. Whatever is wrong with the input is a ``clinsynth.UserError`` that says place, found and remedy.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import redirect_stderr
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

from clinsynth.core import SPLITS, TASKS, UserError

if TYPE_CHECKING:
    import datasets  # pyright: ignore[reportMissingTypeStubs]
    import pandas as pd

    from clinsynth.evaluation import Report, Rows

_SEEDS = (0, 1, 2, 3, 4)


def get_tasks(data_dir: str | Path | None = None) -> pd.DataFrame:
    """Every task: one row each, by name.

    Args:
        data_dir: where prepared data lies; by default as on the command line.

    Returns:
        Columns ``title``, ``type``, ``labels`` (tuple of names), ``metric``, ``unit``, ``access``, ``licence``,
        ``train``, ``dev``, ``test`` (published examples, missing where unknown) and ``prepared`` (whether the test
        split can be read on this machine).
    """
    import pandas as pd

    from clinsynth.data import open_store

    store = open_store(_path(data_dir), sample=False)
    rows = {
        name: {
            "title": task.spec.title, "type": task.spec.type, "labels": task.spec.labels, "metric": task.spec.metric,
            "unit": task.spec.unit, "access": task.spec.access, "licence": task.spec.licence,
            **{split: task.spec.rows.get(split) for split in SPLITS}, "prepared": "test" in store.rows(task),
        }
        for name, task in TASKS.items()
    }  # fmt: skip
    frame = pd.DataFrame.from_dict(rows, orient="index")
    frame.index.name = "task"
    return frame.astype(dict.fromkeys(SPLITS, "Int64"))


def load(
    task: str, split: str = "train", *, sample: bool = False, data_dir: str | Path | None = None
) -> datasets.Dataset:
    """The examples of a split, in the row form of the task's type (docs/submitting.md).

    Args:
        task: its name.
        split: train, dev or test.
        sample: those of the bundled sample.
        data_dir: where prepared data lies.

    Raises:
        UnknownNameError: there is no such task.
        NotPreparedError: the split is not on this machine; its message has the command that brings it.
        UserError: there is no such split.
    """
    import importlib

    from clinsynth.data import open_store
    from clinsynth.task_types import task_type

    if split not in SPLITS:
        raise UserError(f"no split {split!r}", expected=" | ".join(SPLITS))
    known = TASKS[task]
    store = open_store(_path(data_dir), sample)
    kind = task_type(known.spec)
    module: Any = importlib.import_module("datasets")
    return module.Dataset.from_list([kind.encode(example) for example in store.examples(known, split)])


def evaluate(
    rows: Rows,
    task: str,
    *,
    out: str | Path | None = None,
    against: Sequence[str] = (),
    seeds: Sequence[int] = _SEEDS,
    recipe: str = "",
    columns: dict[str, str] | None = None,
    labels: dict[str, str] | None = None,
    sample: bool = False,
    data_dir: str | Path | None = None,
    offline: bool = False,
    quiet: bool = False,
) -> Report:
    """Rows to a verdict: imported, audited, measured, trained on and compared. What was done before is kept.

    Args:
        rows: a file, several, a submission's folder, a name on the Hugging Face Hub, an iterable of mappings, a
            ``DataFrame`` or a ``Dataset``.
        task: name of the task that they are for.
        out: where the submission that they become is kept; by default ``build/evaluate/<name>``.
        against: names of known submissions to compare with; empty: all that are known.
        seeds: the runs; fewer than five give no ranked result.
        recipe: the student; empty: the leaderboard's, or that of most runs that are known.
        columns: ours to theirs.
        labels: theirs to ours.
        sample: try it on the bundled sample.
        data_dir: where prepared data lies.
        offline: fetch nothing.
        quiet: say nothing on the way.

    Returns:
        The report: ``print`` it for five lines, show it in a notebook, ``to_html()`` for a page.

    Raises:
        UserError: as the message says.
    """
    import sys

    from clinsynth.evaluation import Request, folder_of, known_places
    from clinsynth.evaluation import evaluate as run
    from clinsynth.submissions.importing import ImportOptions

    folder = Path(out) if out is not None else folder_of(rows, task)
    request = Request(
        rows=rows, task=task, out=folder.absolute(), known=known_places(), against=tuple(against),
        options=ImportOptions(columns=columns or {}, labels=labels or {}),
        recipe=recipe, seeds=tuple(seeds), data_dir=_path(data_dir), sample=sample, offline=offline,
    )  # fmt: skip
    if not quiet:
        return run(request, lambda line: print(line, file=sys.stderr))  # noqa: T201 - asked for
    with redirect_stderr(StringIO()):
        return run(request)


def generate(
    baseline: str,
    tasks: Sequence[str],
    rows: int,
    out: str | Path,
    *,
    model: Any = None,
    knowledge: str = "auto",
    seed: int = 0,
    sample: bool = False,
    data_dir: str | Path | None = None,
) -> Path:
    """Run a baseline; its output is an ordinary submission.

    Args:
        baseline: such as ``template``; ``clinsynth.generation.BASELINES`` has them all.
        tasks: names.
        rows: at most so many for each task.
        out: the submission's folder.
        model: a ``clinsynth.llm.Client`` for the baselines that ask a language model.
        knowledge: a source of names for those that need one.
        seed: of all that is drawn.
        sample: few-shot examples from the bundled sample.
        data_dir: where prepared data lies.

    Raises:
        UserError: a tool is missing, or nothing could be made.
    """
    from clinsynth.data import open_store
    from clinsynth.generation import BASELINES, Means, Request
    from clinsynth.generation import generate as run
    from clinsynth.generation.knowledge import open_knowledge

    chosen = BASELINES[baseline]
    source = open_knowledge(knowledge, _path(data_dir)) if "knowledge" in chosen.needs else None
    request = Request(tasks=[TASKS[name] for name in tasks], rows=rows, out=Path(out), seed=seed)
    run(chosen, request, open_store(_path(data_dir), sample), Means(model=model, source=source))
    return Path(out)


def score(
    submission: str | Path,
    *,
    tasks: Sequence[str] = (),
    rows: Sequence[int] = (),
    seeds: Sequence[int] = _SEEDS,
    recipe: str = "",
    sample: bool = False,
    data_dir: str | Path | None = None,
    workers: int = 0,
) -> pd.DataFrame:
    """Fine-tune the student on a submission and test it; runs that are done are not repeated.

    Args:
        submission: its folder.
        tasks: names; empty: every task that it has data for and whose test set is here.
        rows: budgets; empty: the recipe's own. 0: all rows there are.
        seeds: the runs; fewer than five give no ranked result.
        recipe: the student; empty: the leaderboard's, or that of most runs that are known.
        sample: test on the bundled sample.
        data_dir: where prepared data lies.
        workers: runs at a time; 0: one for each core, or for each GPU.

    Returns:
        One row for each run: ``task``, ``recipe``, ``rows``, ``seed``, ``metric``, ``score``, ``steps``, ``loss``,
        and a column for every metric of the task.

    Raises:
        UserError: the submission cannot be read, or a run failed.
    """
    import pandas as pd

    from clinsynth.training import DEFAULT_RECIPE, Request
    from clinsynth.training import score as run

    request = Request(
        submission=Path(submission), tasks=tuple(tasks), recipe=recipe or DEFAULT_RECIPE, budgets=tuple(rows),
        seeds=tuple(seeds), data_dir=_path(data_dir), sample=sample, workers=workers,
    )  # fmt: skip
    done = run(request)
    if done.failed:
        raise done.failed[0][1]
    return pd.DataFrame([
        {**record.cell._asdict(), "metric": record.metric, "score": record.score, "steps": record.steps,
         "loss": record.loss, **record.scores}
        for record in done.records
    ])  # fmt: skip


def compare(
    first: str | Path,
    *others: str | Path,
    rows: int = 0,
    tasks: Sequence[str] = (),
    recipe: str = "",
    sample: bool = False,
    data_dir: str | Path | None = None,
) -> pd.DataFrame:
    """Compare submissions with ``first``, from stored predictions and the test sets on this machine.

    Args:
        first: a submission's folder.
        others: one or more.
        rows: the budget; 0: the recipe's own, or what most of these submissions were run at.
        tasks: names; empty: every task that any of them was run on.
        recipe: the student; empty: the leaderboard's, or that of most runs that are known.
        sample: of runs on the bundled sample.
        data_dir: where prepared data lies.

    Returns:
        One row for each comparison: ``scope`` (a task, or a mean), ``other``, ``base_score``, ``other_score``,
        ``difference`` (other minus first), ``low``, ``high`` (95 %), ``p``, ``detectable``, ``verdict``, ``words``.
        ``attrs["remarks"]`` holds the remarks below the table, such as which stored runs do not count.

    Raises:
        UserError: fewer than two submissions, or an unknown task.
    """
    import pandas as pd

    from clinsynth.data import open_store
    from clinsynth.standings import Request, headline_budget, headline_recipe, read_entry
    from clinsynth.standings import compare as run
    from clinsynth.training import RECIPES

    store = open_store(_path(data_dir), sample)
    student = RECIPES[recipe or headline_recipe([Path(each) for each in (first, *others)], store.kind)]
    entries = tuple(read_entry(Path(each).absolute(), student.name, store.kind) for each in (first, *others))
    budget = rows or headline_budget(entries, student)
    compared = run(Request(entries=entries, tasks=tuple(tasks), recipe=student.name, rows=budget), store)
    names = ("scope", "other", "base_score", "other_score", "difference", "low", "high", "p", "detectable")
    table = pd.DataFrame([
        {**{name: getattr(row, name) for name in names}, "verdict": row.judgement.verdict, "words": row.words}
        for row in compared.comparisons
    ])  # fmt: skip
    table.attrs["remarks"] = list(compared.remarks)
    return table


def get_standings(
    *places: str | Path,
    rows: int = 0,
    recipe: str = "",
    statistics: bool = True,
    sample: bool = False,
    data_dir: str | Path | None = None,
) -> pd.DataFrame:
    """The table of results: one row for each submission and task.

    Args:
        places: submissions or folders that hold some; none: what is known on this machine.
        rows: the budget; 0: the recipe's own, or what most records have.
        recipe: the student; empty: the leaderboard's, or that of most runs that are known.
        statistics: whether intervals, gaps and places are computed, which needs the test sets.
        sample: of runs on the bundled sample.
        data_dir: where prepared data lies.

    Returns:
        Columns ``submission``, ``kind``, ``task``, ``metric``, ``rows`` (trained on), ``seeds``, ``score``, ``low``,
        ``high``, ``gap``, ``worth`` (in words), ``overall`` and ``group`` (of the submission; missing where it is not
        ranked).

    Raises:
        UserError: there is no submission.
    """
    import pandas as pd

    from clinsynth.data import open_store
    from clinsynth.evaluation import known_places
    from clinsynth.standings import Profiler, collect, headline_budget, standings_of
    from clinsynth.training import RECIPES

    store, where = open_store(_path(data_dir), sample), [Path(each) for each in places] or list(known_places())
    collection = collect(where, store.kind)
    student = RECIPES[recipe or collection.headline_recipe()]
    budget = rows or headline_budget([each.entry(student.name) for each in collection.stored], student)
    table = standings_of(collection, student.name, budget, Profiler(store) if statistics else None)
    found: list[dict[str, Any]] = []
    for row in table.rows:
        for name, one in row.scores.items():
            own, whole = one.statistics, row.statistics
            interval = own.interval if own else None
            found.append({
                "submission": row.name, "kind": row.kind, "task": name, "metric": one.metric, "rows": one.rows,
                "seeds": len(one.by_seed), "score": one.mean,
                "low": interval.low if interval else None, "high": interval.high if interval else None,
                "gap": own.gap.value if own else None, "worth": own.worth.words if own else "",
                "overall": row.overall(table.required), "group": whole.group if whole else None,
            })  # fmt: skip
    return pd.DataFrame(found)


def _path(place: str | Path | None) -> Path | None:
    return None if place is None else Path(place)
