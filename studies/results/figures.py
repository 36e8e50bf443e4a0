"""The plots of a results page, from the tables of a snapshot: what is drawn, and in which file."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from statistics import mean

from studies.results.orders import Block

from clinsynth.snapshot import ConditionRow, DirectPairRow, OverallRow, ScoreRow, Tables
from clinsynth.views import Figure, Point, Series, shared_ending, shortened

MEAN = "mean of the types"
LINES = 12


def figures(tables: Tables, condition: ConditionRow, block: Block) -> Iterator[Figure]:
    """Every figure that has something to show; its key is the name of its file."""
    scores = [row for row in tables.scores if _same(row, condition)]
    overall = [row for row in tables.overall if _same(row, condition) and row.mean is not None]
    overall.sort(key=lambda row: -(row.mean or 0.0))
    if overall:
        yield _scores("overall", "Mean of the types", overall, "mean of the types x 100")
    for task in condition.tasks:
        own = sorted((row for row in scores if row.task == task), key=lambda row: -row.mean)
        if own:
            metric = own[0].metric.replace("_", " ").replace("f1", "F1")
            yield _scores(f"scores-{task}", task, own, f"{metric} x 100")
    gaps = [row for row in scores if row.gap is not None and row.place != "reference"]
    if gaps:
        yield _gaps(sorted(gaps, key=lambda row: (row.task, -(row.gap or 0))))
    yield from _tokens(tables, scores, block)
    pairs = [row for row in tables.direct_pairs if row.recipe == condition.recipe and row.rows == condition.rows]
    if pairs:
        yield _differences(pairs)
    yield from _students(tables, condition, scores)
    yield from _curves(tables, condition)


def _same(row: ScoreRow | OverallRow, condition: ConditionRow) -> bool:
    return (row.data, row.recipe, row.rows) == (condition.data, condition.recipe, condition.rows)


def _scores(key: str, title: str, rows: Sequence[ScoreRow | OverallRow], axis: str) -> Figure:
    """A line for each row; what may be ranked in the accent colour, else hollow."""
    series = [
        Series(name, tuple(
            _forest_point(row.mean or 0.0, row.low, row.high, k, row.submission)
            for k, row in enumerate(rows) if (row.place == "ranked") is ranked
        ), emphasis=ranked)
        for name, ranked in (("ranked", True), ("not ranked", False))
    ]  # fmt: skip
    return Figure(key, title, "forest", tuple(each for each in series if each.points), axis,
                  description=f"{axis}, with 95 % intervals. Filled: ranked; hollow: not ranked, as references "
                  "are not.")  # fmt: skip


def _forest_point(value: float, low: float | None, high: float | None, line: int, label: str) -> Point:
    return Point(100 * value, line, None if low is None else 100 * low, None if high is None else 100 * high, label)


def _gaps(rows: Sequence[ScoreRow]) -> Figure:
    points = tuple(
        _forest_point(row.gap or 0.0, row.gap_low, row.gap_high, k, f"{row.task}: {row.submission}")
        for k, row in enumerate(rows)
    )
    return Figure("gap", "Gap recovered", "forest", (Series("gap recovered", points, emphasis=True),),
                  "% of the way from the best constant answer to all real rows", zero=0,
                  description="0 is the best constant answer, 100 all real rows; only tasks on which the two are "
                  "clearly apart.")  # fmt: skip


def _tokens(tables: Tables, scores: Sequence[ScoreRow], block: Block) -> Iterator[Figure]:
    """Scores over the tokens of the same tasks: one point for each submission of the block whose tokens are known."""
    spent: dict[str, dict[str, int]] = {}
    for row in tables.generation:
        if row.tokens_in is not None and row.tokens_out is not None:
            spent.setdefault(row.submission, {})[row.task] = row.tokens_in + row.tokens_out
    reached: dict[str, dict[str, float]] = {}
    for row in scores:
        reached.setdefault(row.submission, {})[row.task] = row.mean
    ending = shared_ending(block.names)
    points = tuple(
        Point(float(tokens), 100 * mean(reached[name][task] for task in block.tasks), label=shortened(name, ending))
        for name in block.names
        if set(block.tasks) <= spent.get(name, {}).keys() and (tokens := sum(spent[name][task] for task in block.tasks))
    )
    if points:
        said = f" … stands for {ending}." if ending else ""
        yield Figure("tokens", "Score against tokens", "points", (Series("submissions", points, emphasis=True),),
                     "tokens, prompts and answers", "mean of the tasks x 100", log_x=True,
                     description=f"Mean score and tokens on {', '.join(block.tasks)}.{said}")  # fmt: skip


def _differences(rows: Sequence[DirectPairRow]) -> Figure:
    ordered = sorted(rows, key=lambda row: (row.task, -row.difference))
    series = [
        Series(name, tuple(
            _forest_point(row.difference, row.low, row.high, k, row.caption)
            for k, row in enumerate(ordered) if (row.verdict in ("better", "worse")) is decided
        ), emphasis=decided)
        for name, decided in (("decided", True), ("not decided", False))
    ]  # fmt: skip
    return Figure("student-minus-model", "Student minus model", "forest", tuple(s for s in series if s.points),
                  "difference in points", zero=0,
                  description="To the right training on the model's rows is better, to the left asking the model; "
                  "filled: decided.")  # fmt: skip


def _students(tables: Tables, condition: ConditionRow, scores: Sequence[ScoreRow]) -> Iterator[Figure]:
    """A line for each submission and task: this student's score and that of another one, at the same budget."""
    here = {(row.task, row.submission): row for row in scores if row.place != "reference"}
    others: dict[str, dict[tuple[str, str], ScoreRow]] = {}
    for row in tables.scores:
        of_another = (row.data, row.rows) == (condition.data, condition.rows) and row.recipe != condition.recipe
        if of_another and (row.task, row.submission) in here:
            others.setdefault(row.recipe, {})[row.task, row.submission] = row
    for recipe, found in others.items():
        lines = sorted(found, key=lambda key: (key[0], -here[key].mean))
        series = tuple(
            Series(name, tuple(
                _forest_point(rows[key].mean, rows[key].low, rows[key].high, k, ": ".join(key))
                for k, key in enumerate(lines)
            ), emphasis=rows is here)
            for name, rows in ((condition.recipe, here), (recipe, found))
        )  # fmt: skip
        yield Figure(f"students-{recipe}", "Two students", "forest", series, "score x 100",
                     description=f"Filled, and in figures: {condition.recipe}; open: {recipe}. The order of the open "
                     f"marks within a task is the second student's.")  # fmt: skip


def _curves(tables: Tables, condition: ConditionRow) -> Iterator[Figure]:
    """Learning curves of each task that has one, and of the mean; submissions without a curve stand there as points."""
    found: dict[str, dict[str, list[Point]]] = {}
    references: dict[str, bool] = {}
    for row in sorted(tables.curves, key=lambda row: row.rows):
        if (row.data, row.recipe) == (condition.data, condition.recipe):
            low, high = (None if end is None else 100 * end for end in (row.low, row.high))
            point = Point(row.rows, 100 * row.mean, low, high, row.submission)
            found.setdefault(row.task, {}).setdefault(row.submission, []).append(point)
            references[row.submission] = row.kind == "reference"
    for row in tables.scores:
        lines = found.get(row.task, {})
        alike = (row.data, row.recipe) == (condition.data, condition.recipe)
        if alike and lines and row.place != "reference" and row.submission not in lines:
            low, high = (None if end is None else 100 * end for end in (row.low, row.high))
            lines[row.submission] = [Point(row.rows, 100 * row.mean, low, high, row.submission)]
            references[row.submission] = False
    for task, lines in found.items():
        drawn = any(len(points) > 1 for points in lines.values())
        if drawn and not all(references[name] for name in lines):
            yield _curve(task, lines, references)


def _curve(task: str, lines: Mapping[str, Sequence[Point]], references: Mapping[str, bool]) -> Figure:
    # Curves first, then what has a single point, which stands beside them.
    names = sorted(lines, key=lambda name: (len(lines[name]) < 2, not references[name], -lines[name][-1].y, name))
    single: dict[float, list[str]] = {}
    for name in names:
        if len(lines[name]) < 2:
            single.setdefault(lines[name][0].x, []).append(name)
    ending = shared_ending(names)

    def drawn(name: str) -> Series:
        points, shown = lines[name], shortened(name, ending)
        if len(points) > 1:
            return Series(shown, tuple(points), line=True, emphasis=not references[name])
        place = single[points[0].x].index(name)
        return Series(shown, (_aside(points[0], shown, place),), emphasis=not references[name])

    series = tuple(map(drawn, names[:LINES]))
    left = f" {len(names) - LINES} more are not drawn." if len(names) > LINES else ""
    left += f" … stands for {ending}." if ending else ""
    key = "curves" if task == MEAN else f"curves-{task}"
    return Figure(key, f"Learning curves: {task}", "lines", series, "training rows", "score x 100", log_x=True,
                  description=f"Score over the number of training rows, with 95 % intervals. Single points at the "
                  f"same number of rows are set apart sideways.{left}")  # fmt: skip


def _aside(point: Point, shown: str, place: int) -> Point:
    """To the right by its place, so that intervals at one number of rows do not hide one another."""
    return replace(point, x=point.x * 1.03 ** (place + 1), label=shown)
