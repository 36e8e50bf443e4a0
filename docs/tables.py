"""Rewrite the marked tables of the documents from what they describe.

    python docs/tables.py            # rewrite
    python docs/tables.py --check    # change nothing; exit 1 if a table is out of date

A block stands between ``<!-- name -->`` and ``<!-- /name -->``.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, get_args

from clinsynth.core.nouns import SPLITS, TaskSpec, TaskTypeName
from clinsynth.core.registry import TASKS
from clinsynth.generation.baseline import BASELINES
from clinsynth.scoring.metrics import METRICS
from clinsynth.training.recipe import DEFAULT_RECIPE, RECIPES, Recipe

ROOT = Path(__file__).resolve().parents[1]


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table; the first two columns to the left, the others to the right."""
    align = [":--" if k < 2 else "--:" for k in range(len(header))]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in (header, align, *rows))


def tasks() -> str:
    """Every task of the repository, by type."""
    order = [*get_args(TaskTypeName)]
    # Not those of a folder that the caller's environment adds.
    own = [task.spec for task in TASKS.values() if task.folder == ROOT / "tasks"]
    specs = sorted(own, key=lambda spec: (order.index(spec.type), spec.name))
    rows = (
        (
            f"[`{spec.name}`]({spec.homepage})",
            spec.type.replace("_", " "),
            f"{len(spec.labels)}{' (any number)' if spec.multi_label else ''}",
            METRICS[spec.metric].title,
            *(_size(spec, split) for split in SPLITS),
            spec.access,
        )
        for spec in specs
    )
    return table(("task", "type", "labels", "main metric", *SPLITS, "access"), rows)


def _size(spec: TaskSpec, split: Any) -> str:
    if not any(split in source.splits for source in spec.sources):
        return "–"
    return f"{spec.rows[split]:,}" if split in spec.rows else "?"


def baselines() -> str:
    """Every baseline: contenders first, those without a model before the others."""
    order = sorted(BASELINES.values(), key=lambda one: (one.reference, "llm" in one.needs, one.name))
    rows = (
        (f"`{one.name}`", one.description, "yes" if "llm" in one.needs else "–", _seen(one.real_data)) for one in order
    )
    return table(("baseline", "what it writes", "asks a model", "real text"), rows)


def _seen(real_data: str) -> str:
    return "–" if real_data == "none" else real_data


def results() -> str | None:
    """The standings of ``submissions/`` under the default recipe, at the budget that most submissions have runs at.

    ``None``, to leave the block alone, before a run.
    """
    from clinsynth.export import table_markdown
    from clinsynth.snapshot import scores_of, snapshot_of
    from clinsynth.standings import collect, standings_of
    from clinsynth.views import means

    place, recipe = ROOT / "submissions", _stored_recipe()
    if not any(place.glob(f"*/runs/*/{recipe.name}/n*/seed*.json")):
        return None
    collection = collect([place], "real")
    budgets = Counter(
        record.rows
        for each in collection.stored
        if each.card.kind == "submission"
        for record in each.records
        if record.recipe == recipe.name
    )
    (budget, _), *_ = budgets.most_common(1) or [(recipe.budget, 0)]
    made = snapshot_of(scores_of(collection, [standings_of(collection, recipe.name, budget)]))
    return table_markdown(means(made, {}).tables[0], heading=False)


def _stored_recipe() -> Recipe:
    """The default recipe, or the one before it while no run of the default one is stored."""
    runs = (ROOT / "submissions").glob(f"*/runs/*/{DEFAULT_RECIPE}/n*/seed*.json")
    return RECIPES[DEFAULT_RECIPE if any(runs) else "minilm-l6.v1"]


def direct() -> str | None:
    """The direct track in ``submissions/``; ``None``, to leave the block alone, before anything was asked."""
    from clinsynth.direct import direct_folders
    from clinsynth.export import table_markdown
    from clinsynth.snapshot import answers_of, snapshot_of
    from clinsynth.views import page

    place, recipe = ROOT / "submissions", _stored_recipe()
    if not direct_folders([place]):
        return None
    made = snapshot_of(answers_of([place], "real", (recipe.name, recipe.budget), None))
    return table_markdown(page(made, "direct", {}).tables[0], heading=False)


def clinicalgpt() -> str | None:
    """Results of the suite in ``submissions/``; ``None`` before there are any."""
    return _suite("clinicalgpt")


def asclepius_notes() -> str | None:
    """Grades of the suite in ``submissions/``; ``None`` before there are any."""
    return _suite("asclepius-notes")


def _suite(name: str) -> str | None:
    from clinsynth.direct import direct_folders
    from clinsynth.export import table_markdown
    from clinsynth.snapshot import snapshot_of, suites_of
    from clinsynth.views import suite_tables

    found = suite_tables(snapshot_of(suites_of(direct_folders([ROOT / "submissions"]), name)))
    return table_markdown(found[0].without_empty(), heading=False) if found else None


def yields() -> str | None:
    """What the language-model baselines in ``submissions/`` kept, dropped and cost; ``None`` before any was run."""
    from clinsynth.generation.record import read_generation

    rows: list[Sequence[str]] = []
    for path in sorted((ROOT / "submissions").glob("*/generation/*.json")):
        record = read_generation(path.parents[1], path.stem)
        if record is None or record.model is None:
            continue
        drops = Counter({reason: count for reason, count in record.dropped.items() if count}).most_common(3)
        cost = record.cost
        rows.append((
            f"`{record.baseline}`", record.task, f"{record.kept:,}", f"{100 * (record.rate or 0):.0f} %",
            ", ".join(f"{reason} {count:,}" for reason, count in drops) or "–", f"{cost.calls:,}",
            f"{cost.tokens_in / record.kept:,.0f} / {cost.tokens_out / record.kept:,.0f}" if record.kept else "–",
        ))  # fmt: skip
    header = ("baseline", "task", "rows", "yield", "most frequent drops", "requests", "tokens per row, in / out")
    return table(header, rows) if rows else None


def recipes() -> str:
    """Every recipe's settings; equal settings of several task types are one row."""
    rows: list[Sequence[str]] = []
    for recipe in RECIPES.values():
        types: dict[Any, list[str]] = defaultdict(list)
        for name, settings in recipe.settings.items():
            types[settings].append(name.replace("_", " "))
        for settings, names in types.items():
            first = f"{recipe.few_shot_steps} + " if recipe.few_shot_steps else ""
            longer = f", at least {settings.epochs} epochs" if settings.epochs else ""
            numbers = (f"{first}{settings.steps}{longer}", settings.batch_size, f"{settings.learning_rate:.0e}")
            rows.append((f"`{recipe.name}`", ", ".join(names), *map(str, numbers), str(settings.max_length)))
    return table(("recipe", "task types", "steps", "batch size", "peak rate", "max tokens"), rows)


def students() -> str:
    """Every recipe's student and budget."""
    rows = [
        (f"`{r.name}`", f"`{r.weights.repo}`", r.pooling, f"{r.budget:,}",
         "5 per class" if r.few_shot_steps else "none")
        for r in RECIPES.values()
    ]  # fmt: skip
    return table(("recipe", "student", "pooling", "headline rows", "real text"), rows)


def evidence() -> str | None:
    """The trials in ``studies/tuning/<recipe>.jsonl``: for each recipe, a table of rates and one of steps."""
    parts: list[str] = []
    for log in sorted((ROOT / "studies" / "tuning").glob("*.jsonl")):
        if log.name == TRAINING_LENGTH:
            continue
        # A trial that was done again counts once, with its last score.
        trials = {
            (row["task"], row["rate"], row["steps"], row["rows"], row["seed"]): row
            for row in map(json.loads, log.read_text("utf-8").splitlines())
        }
        parts += _rounds(log.stem, list(trials.values()))
    return "\n\n".join(parts) if parts else None


TRAINING_LENGTH = "minilm-l6.v2.jsonl"


def training_length() -> str | None:
    """The trials of ``studies.tuning.training_length``: a row for each task, number of rows and number of steps."""
    log = ROOT / "studies" / "tuning" / TRAINING_LENGTH
    if not log.exists():
        return None
    found: dict[tuple[str, int, int], list[dict[str, Any]]] = defaultdict(list)
    for row in map(json.loads, log.read_text("utf-8").splitlines()):
        found[row["task"], row["rows_used"], row["steps"]].append(row)
    body = (
        (
            f"`{task}`", METRICS[runs[0]["metric"]].title, f"{rows:,}", f"{steps:,}", f"{runs[0]['epochs']:.1f}",
            str(len(runs)), f"{100 * sum(run['score'] for run in runs) / len(runs):.1f}",
            "; ".join(f"{100 * run['gain']:+.1f} ± {100 * run['gain_se']:.1f}" for run in runs if "gain" in run),
        )
        for (task, rows, steps), runs in sorted(found.items())
    )  # fmt: skip
    return table(("task", "metric", "rows", "steps", "epochs", "seeds", "score", "against 400 steps"), body)


def _rounds(recipe: str, trials: list[dict[str, Any]]) -> list[str]:
    # The first round tries several rates at one number of steps, the second several numbers of steps at one rate.
    base = Counter(row["steps"] for row in trials).most_common(1)[0][0]
    others = [row for row in trials if row["steps"] != base]
    same = {(row["task"], row["rate"]) for row in others}
    rounds = [
        (f"`{recipe}`, first round: peak learning rate, at {base} steps", "rate", "steps",
         [row for row in trials if row["steps"] == base]),
        (f"`{recipe}`, second round: steps, at the rate that the first round chose", "steps", "rate",
         [*others, *(row for row in trials if row["steps"] == base and (row["task"], row["rate"]) in same)]),
    ]  # fmt: skip
    return [f"{title}. Score x 100.\n\n{_grid(rows, by, fixed)}" for title, by, fixed, rows in rounds if rows]


def _grid(rows: list[dict[str, Any]], by: str, fixed: str) -> str:
    values = sorted({row[by] for row in rows})
    names = dict.fromkeys((row["task"], row[fixed]) for row in rows)
    scores: dict[Any, list[float]] = defaultdict(list)
    for row in rows:
        scores[row["task"], row[fixed], row[by]].append(100 * row["score"])
    about = {row["task"]: row for row in rows}
    body = (
        (
            f"`{task}`", METRICS[about[task]["metric"]].title, f"{about[task]['rows_used']:,}",
            f"{about[task]['held_out']:,}", _number(at),
            *(f"{sum(found) / len(found):.1f}" if (found := scores.get((task, at, value))) else "" for value in values),
        )
        for task, at in names
    )  # fmt: skip
    return table(("task", "metric", "rows", "held out", fixed, *(f"{by} {_number(v)}" for v in values)), body)


def _number(value: float) -> str:
    return str(value) if isinstance(value, int) else f"{value:.0e}"


BLOCKS: dict[str, dict[str, Callable[[], str | None]]] = {
    "README.md": {"results": results},
    "docs/tasks.md": {"tasks": tasks},
    "docs/generating.md": {"baselines": baselines},
    "docs/direct.md": {"direct": direct},
    "docs/llm-baselines.md": {"yields": yields},
    "docs/suites.md": {"clinicalgpt": clinicalgpt, "asclepius-notes": asclepius_notes},
    "docs/recipes.md": {
        "students": students,
        "recipes": recipes,
        "evidence": evidence,
        "training-length": training_length,
    },
}


def rewritten(text: str, blocks: dict[str, Callable[[], str | None]]) -> str:
    """``text`` with the content of its blocks made anew. Raises ``ValueError`` for a block without its two marks."""
    for name, make in blocks.items():
        mark = re.compile(rf"(<!-- {name} -->\n).*?(<!-- /{name} -->)", re.DOTALL)
        if len(mark.findall(text)) != 1:
            raise ValueError(f"expected one <!-- {name} --> ... <!-- /{name} -->")
        content = make()
        if content is not None:
            text = mark.sub(lambda found, body=content: f"{found[1]}\n{body}\n\n{found[2]}", text)
    return text


def main() -> int:
    """Rewrite, or check."""
    parser = argparse.ArgumentParser(description="Rewrite the marked tables of the documents.")
    parser.add_argument("--check", action="store_true", help="change nothing; exit 1 if a table is out of date")
    check = parser.parse_args().check
    old = [name for name, blocks in BLOCKS.items() if _is_old(ROOT / name, blocks, write=not check)]
    for name in old:
        sys.stdout.write(f"{name}: {'out of date: run python docs/tables.py' if check else 'rewritten'}\n")
    return int(check and bool(old))


def _is_old(path: Path, blocks: dict[str, Callable[[], str | None]], *, write: bool) -> bool:
    text = path.read_text("utf-8")
    new = rewritten(text, blocks)
    if write and new != text:
        path.write_text(new, "utf-8")
    return new != text


if __name__ == "__main__":
    sys.exit(main())
