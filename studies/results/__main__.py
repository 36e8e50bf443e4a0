"""The plots of a results page from stored records, and an attack on its table.

    python -m studies.results submissions [--recipe NAME] [--rows N] [--tasks A,B] [--out docs/results]

Writes SVG files: scores with intervals over all tasks and on each, gap recovered, score against tokens, student
against the model that wrote its rows, learning curves. Beside them ``attack.md`` and ``attack.json``: the order of the
submissions under other averages and metrics and without each task in turn, with the pairs that turn round, and whether
the references stand in the order that they should have. Intervals need the prepared test sets; ``--no-statistics``
draws points alone.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from studies.results.figures import figures
from studies.results.orders import Block, Misplaced, Order, beyond, block_of, by_metric, misplaced, orders, scores_of

from clinsynth.core import UserError, write_json, write_text
from clinsynth.data import open_store
from clinsynth.results import DataKind
from clinsynth.site import svg
from clinsynth.snapshot import ConditionRow, Tables, Wanted, build
from clinsynth.standings import Profiler, collect
from clinsynth.standings.collection import choose


@dataclass(frozen=True, slots=True)
class Attack:
    """What the order of the submissions hangs on."""

    recipe: str
    rows: int
    block: Block
    orders: tuple[Order, ...]
    decided: tuple[tuple[str, str], ...]
    """Pairs of the block, the better one first, whose difference over the tasks is decided."""
    misplaced: tuple[Misplaced, ...]
    """References that stand the other way round."""
    beyond: tuple[Misplaced, ...]
    """Submissions below the best constant answer, or above as many real rows."""


def attack(places: Sequence[Path], tables: Tables, condition: ConditionRow, tasks: Sequence[str] = ()) -> Attack:
    """Read the records again, for the metrics that a snapshot does not hold.

    Raises:
        UserError: there is no submission.
    """
    chosen = choose(collect(places, condition.data), condition.recipe, condition.rows)
    scores = scores_of(chosen)
    contenders = {each.entry.name: scores[each.entry.name] for each in chosen if not each.entry.reference}
    block = block_of(by_metric(contenders), tasks)
    here = [row for row in tables.scores
            if (row.data, row.recipe, row.rows) == (condition.data, condition.recipe, condition.rows)]  # fmt: skip
    gaps: dict[str, dict[str, float]] = {}
    for row in here:
        if row.gap is not None:
            gaps.setdefault(row.submission, {})[row.task] = row.gap
    shown: dict[str, dict[str, float]] = {}
    for row in here:
        shown.setdefault(row.submission, {})[row.task] = row.mean
    decided = [
        (row.other, row.base) if row.outcome == "better" else (row.base, row.other)
        for row in tables.differences
        if (row.data, row.recipe, row.rows) == (condition.data, condition.recipe, condition.rows)
        and row.scope == "mean of the types"
        and row.outcome in ("better", "worse")
        and {row.base, row.other} <= set(block.names)
    ]
    return Attack(
        condition.recipe, condition.rows, block, tuple(orders(contenders, block, gaps)), tuple(sorted(set(decided))),
        tuple(misplaced(shown)), tuple(beyond(shown, sorted(contenders))),
    )  # fmt: skip


def condition_of(tables: Tables, recipe: str, rows: int) -> ConditionRow:
    """The first condition of a snapshot, or the one that is asked for. Raises ``UserError`` if there is none."""
    for each in tables.conditions:
        if recipe in ("", each.recipe) and rows in (0, each.rows):
            return each
    have = ", ".join(f"{each.recipe} on {each.rows:,} rows" for each in tables.conditions) or "none"
    raise UserError("no results under these conditions", found=have, remedy="choose --recipe and --rows among them")


def markdown(made: Attack) -> str:
    """The attack as tables of a page."""
    return "\n".join(_lines(made)) + "\n"


def _lines(made: Attack) -> Iterator[str]:
    block = made.block
    yield f"{made.recipe}, {made.rows:,} rows."
    if not made.orders:
        yield ""
        yield "No order to attack: no two submissions have a task in common."
    else:
        yield f"{len(block.names)} submissions, on the tasks that all of them have: {', '.join(block.tasks)}."
        yield ""
        yield "| way of adding up | order, best first (score x 100) | Kendall's tau | pairs that turn round |"
        yield "|:--|:--|--:|:--|"
        for each in made.orders:
            factor = 1 if each.way == "Borda points" else 100
            order = ", ".join(f"{name} {factor * value:.1f}" for name, value in each.scores.items())
            turned = "; ".join(_pair(pair, made.decided) for pair in each.turned) or "–"
            yield f"| {each.way} | {order} | {'–' if each.tau is None else f'{each.tau:.2f}'} | {turned} |"
        if any(pair in made.decided for each in made.orders for pair in each.turned):
            yield ""
            yield "\\* The table decides this pair; the other way of adding up turns it round."
    for title, found in (("References out of order", made.misplaced), ("Beyond the references", made.beyond)):
        yield ""
        yield f"**{title}**"
        yield ""
        yield from (
            f"- {one.task}: {one.lower} {100 * one.lower_score:.1f} is above {one.higher} {100 * one.higher_score:.1f}"
            for one in found
        )
        if not found:
            yield "None."


def _pair(pair: tuple[str, str], decided: Sequence[tuple[str, str]]) -> str:
    return " and ".join(pair) + (" \\*" if pair in decided else "")


def write(out: Path, tables: Tables, condition: ConditionRow, made: Attack) -> list[Path]:
    """All files; gives their paths."""
    written: list[Path] = []
    for figure in figures(tables, condition, made.block):
        written.append(out / f"{figure.key}.svg")
        write_text(written[-1], svg(figure, standalone=True) + "\n")
    write_json(out / "attack.json", asdict(made))
    write_text(out / "attack.md", markdown(made))
    return [*written, out / "attack.json", out / "attack.md"]


def main() -> None:
    """Parse, compute, print and write."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("places", nargs="*", type=Path, default=[Path("submissions")])
    parser.add_argument("--recipe", default="", help="default: that of most submissions")
    parser.add_argument("--rows", type=int, default=0, help="default: that of most submissions")
    parser.add_argument("--tasks", default="", help="the attack's tasks, with commas between (default: largest block)")
    parser.add_argument("--out", type=Path, default=Path("docs/results"))
    parser.add_argument("--data-dir", type=Path, default=None)
    parser.add_argument("--resamples", type=int, default=2_000)
    parser.add_argument("--no-statistics", action="store_true", help="means alone: no intervals")
    parser.add_argument("--sample", action="store_true", help="records of the bundled sample")
    arguments = parser.parse_args()
    kind: DataKind = "sample" if arguments.sample else "real"
    profiler = None
    if not arguments.no_statistics:
        profiler = Profiler(open_store(arguments.data_dir, arguments.sample), arguments.resamples)
    wanted = Wanted(arguments.places, kind, recipes=tuple(filter(None, [arguments.recipe])),
                    rows=tuple(filter(None, [arguments.rows])))  # fmt: skip
    tables = build(wanted, profiler, lambda line: print(line, file=sys.stderr))  # noqa: T201 - a script
    condition = condition_of(tables, arguments.recipe, arguments.rows)
    made = attack(arguments.places, tables, condition, [task for task in arguments.tasks.split(",") if task])
    print(markdown(made), end="")  # noqa: T201
    for path in write(arguments.out, tables, condition, made):
        print(path, file=sys.stderr)  # noqa: T201


if __name__ == "__main__":
    main()
