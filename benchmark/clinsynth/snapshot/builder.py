"""Make the tables of a snapshot from submissions' folders. All numbers come from ``standings`` and ``compare``."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

from clinsynth.core import CONSTANT, TASKS, UserError
from clinsynth.data import DataStore, ExampleStore
from clinsynth.direct import CARD_FILE, direct_folders
from clinsynth.results import DataKind
from clinsynth.snapshot import data_records, direct_track
from clinsynth.snapshot import standings as standing_rows
from clinsynth.snapshot.data_records import Omitted, published_elsewhere
from clinsynth.snapshot.excerpts import example_rows
from clinsynth.snapshot.schema import LeftOutRow, Row, SubmissionRow, Tables, TaskRow
from clinsynth.snapshot.standings import difference_rows
from clinsynth.standings import Collection, Profiler, Standings, Stored, collect, folders, standings_of

Said = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Wanted:
    """The scope of a snapshot."""

    places: Sequence[Path]
    """Submissions and folders of the direct track, or folders that hold some."""
    kind: DataKind
    recipes: tuple[str, ...] = ()
    """Only these; empty: every one that has runs."""
    rows: tuple[int, ...] = ()
    """Only these budgets; empty: every one that a recipe's contenders or references share."""
    published: bool = False
    """For a public board: rank only rows whose runs were trained again."""


def build(wanted: Wanted, profiler: Profiler | None, said: Said = lambda _: None) -> Tables:
    """Collect everything that is to be shown.

    Args:
        wanted: which submissions, and which of their results.
        profiler: gives intervals, ranks and differences where the test sets are here; ``None``: means alone.
        said: told what is done.

    Raises:
        UserError: there is no submission, and no folder of the direct track.
    """
    asked = direct_folders(wanted.places)
    places = folders(wanted.places, some=not asked)
    collection = Collection(wanted.kind, (), ())
    if places:
        collection = collect(wanted.places, wanted.kind, published=wanted.published)
    tables: list[Standings] = []
    for recipe, rows in conditions(collection, wanted):
        tables.append(standings_of(collection, recipe, rows, profiler))
        said(f"{recipe}, {rows:,} rows: {len(tables[-1].rows)} submissions on {len(tables[-1].tasks)} tasks")
    stored = {each.card.name: each for each in collection.stored}
    differences = difference_rows(tables, stored, profiler)
    said(f"{len(differences):,} differences")
    omitted = Omitted()
    quality, bands = data_records.quality_rows(collection.stored, omitted)
    audits = data_records.audit_rows(collection.stored, omitted)
    generation, drops = data_records.generation_rows(collection.stored, omitted)
    store = profiler.store if profiler else None
    answers = direct_track.direct_rows(asked, wanted.kind, omitted, store)
    direct_track.strays(wanted.places, wanted.kind, omitted)
    made = replace(
        scores_of(collection, tables),
        differences=differences,
        quality=quality,
        bands=bands,
        examples=example_rows(collection.stored, audits),
        audits=audits,
        generation=generation,
        drops=drops,
        direct=answers.rows,
        direct_pairs=direct_track.pair_rows(answers, collection.stored, _keys(tables), wanted.kind, store),
        suites=direct_track.suite_rows(asked, omitted) if wanted.kind == "real" else (),
        grades=direct_track.grade_rows(asked, omitted) if wanted.kind == "real" else (),
        elsewhere=published_elsewhere(),
    )
    made = replace(made, left_out=(*made.left_out, *omitted.rows))
    return _without_paths(made, _places(places, asked, profiler))


def _keys(tables: Sequence[Standings]) -> list[tuple[str, int]]:
    return [(table.recipe, table.budget) for table in tables]


def scores_of(collection: Collection, tables: Sequence[Standings]) -> Tables:
    """Cards, scores and all that follows from scores; nothing of quality, audits and the direct track.

    Args:
        collection: the submissions.
        tables: their standings, one for each condition.
    """
    stored = {each.card.name: each for each in collection.stored}
    return Tables(
        tasks=task_rows(),
        submissions=(*(_card(each) for _, each in sorted(stored.items())), *_constant(tables)),
        conditions=tuple(map(standing_rows.condition_row, tables)),
        overall=tuple(row for table in tables for row in standing_rows.overall_rows(table, stored)),
        types=tuple(row for table in tables for row in standing_rows.type_rows(table)),
        scores=tuple(row for table in tables for row in standing_rows.score_rows(table)),
        summaries=tuple(row for table in tables for row in standing_rows.summary_rows(table)),
        agreements=tuple(row for table in tables for row in standing_rows.agreement_rows(table)),
        seeds=standing_rows.seed_rows(tables, stored),
        curves=standing_rows.curve_rows(tables),
        costs=tuple(row for table in tables for row in standing_rows.cost_rows(table)),
        left_out=_left_out(collection, tables),
    )


def answers_of(
    places: Sequence[Path], kind: DataKind, condition: tuple[str, int], store: ExampleStore | None
) -> Tables:
    """The direct track and the suites under ``places``, beside students of rows that the same models wrote.

    Args:
        places: folders of the direct track or of submissions, or folders that hold some.
        kind: real data, or the sample.
        condition: recipe and budget of the students.
        store: the test sets, for intervals and for students' scores on a part of one; without it these are left out.

    Raises:
        UserError: no folder of the direct track is there.
    """
    asked = direct_folders(places)
    if not asked:
        raise UserError(f"no direct track under {', '.join(map(str, places))}", expected=f"a folder with {CARD_FILE}")
    stored = collect(places, kind).stored if folders(places, some=False) else ()
    omitted = Omitted()
    answers = direct_track.direct_rows(asked, kind, omitted, store)
    return Tables(
        tasks=task_rows(),
        submissions=tuple(map(_card, stored)),
        direct=answers.rows,
        direct_pairs=direct_track.pair_rows(answers, stored, [condition], kind, store),
        suites=direct_track.suite_rows(asked, omitted) if kind == "real" else (),
        grades=direct_track.grade_rows(asked, omitted) if kind == "real" else (),
        left_out=tuple(omitted.rows),
    )


def _places(submissions: Sequence[Path], direct: Sequence[Path], profiler: Profiler | None) -> dict[str, str]:
    """Paths of this machine, and what stands for each; the longest first."""
    named = {str(folder.absolute()): f"submissions/{folder.name}" for folder in submissions}
    named |= {str(folder): f"submissions/{folder.name}" for folder in submissions if folder.is_absolute()}
    named |= {str(folder): f"direct/{folder.name}" for folder in direct}
    if profiler is not None and isinstance(profiler.store, DataStore):
        named[str(profiler.store.root)] = "the data folder"
    return dict(sorted(named.items(), key=lambda pair: -len(pair[0])))


def _without_paths(tables: Tables, named: Mapping[str, str]) -> Tables:
    """A snapshot is published: reasons name submissions, never where they lie on the machine that made it."""

    def said(value: Any) -> Any:
        if isinstance(value, str):
            if "/" not in value:
                return value
            for path, name in named.items():
                value = value.replace(path, name)
            return value
        return tuple(map(said, cast("tuple[Any, ...]", value))) if isinstance(value, tuple) else value

    def cleaned(row: Row) -> Row:
        changed = {k: new for k, old in row if (new := said(old)) != old}
        return row.model_copy(update=changed) if changed else row

    worded = ("conditions", "overall", "scores", "summaries", "differences", "quality", "audits", "left_out")
    return replace(tables, **{name: tuple(map(cleaned, getattr(tables, name))) for name in worded})


def conditions(collection: Collection, wanted: Wanted) -> list[tuple[str, int]]:
    """The comparisons that are made: the recipe and budget with most submissions first.

    Numbers of rows that only references were trained on are points of their curves and no comparison of their own.
    """
    contenders: dict[tuple[str, int], set[str]] = {}
    for each in collection.stored:
        for record in each.records:
            if wanted.rows or each.card.kind == "submission":
                contenders.setdefault((record.recipe, record.rows), set()).add(each.card.name)
    if not contenders:
        # References alone: they are compared at the number of rows that most of them used.
        for each in collection.stored:
            for record in each.records:
                contenders.setdefault((record.recipe, record.rows), set()).add(each.card.name)
    chosen = [
        (recipe, rows)
        for recipe, rows in contenders
        if (not wanted.recipes or recipe in wanted.recipes) and (not wanted.rows or rows in wanted.rows)
    ]
    return sorted(chosen, key=lambda key: (-len(contenders[key]), key))


def task_rows() -> tuple[TaskRow, ...]:
    """Every task of the benchmark."""
    return tuple(
        TaskRow(
            task=spec.name, title=spec.title, type=spec.type, metric=spec.metric, description=spec.description,
            labels=len(spec.labels), access=spec.access, licence=spec.licence, homepage=spec.homepage,
            citation=spec.citation, notes=tuple(spec.notes), unit=spec.unit, test=spec.rows.get("test"),
            label_names=tuple(spec.labels),
            label_texts=tuple(spec.label_descriptions.get(label, "") for label in spec.labels),
        )
        for spec in (task.spec for task in TASKS.values())
    )  # fmt: skip


def _card(each: Stored) -> SubmissionRow:
    card = each.card
    cost, llm = card.cost, card.llm
    return SubmissionRow(
        submission=card.name,
        title=card.title,
        kind=card.kind,
        authors=card.authors,
        generator=card.generator,
        paper=card.paper,
        bibtex=card.bibtex,
        licence=card.licence,
        disclosures=card.disclosures,
        real_data=card.real_data.used,
        real_details=card.real_data.details,
        llm=llm.name if llm else "",
        llm_snapshot=llm.snapshot if llm else "",
        llm_parameters=llm.parameters if llm else None,
        llm_open=llm.open_weights if llm else None,
        calls=cost.calls,
        tokens_in=cost.tokens_in,
        tokens_out=cost.tokens_out,
        dollars=cost.dollars,
        price_source=cost.price_source or "",
        price_date=cost.price_date.isoformat() if cost.price_date else "",
        seconds=cost.seconds,
    )


def _constant(tables: Sequence[Standings]) -> Iterator[SubmissionRow]:
    """The row of the best constant answers, which no submission made."""
    constant = next((row for table in tables for row in table.rows if row.name == CONSTANT), None)
    if constant:
        yield SubmissionRow(
            submission=constant.name, title=constant.title, kind="reference", authors=(), paper="", bibtex="",
            licence="",
            generator="computed from the answers of each test set: always the one answer that scores best",
            disclosures=(), real_data="none", real_details="", llm="", llm_snapshot="",
            llm_parameters=None, llm_open=None,
            calls=None, tokens_in=None, tokens_out=None, dollars=None, price_source="", price_date="", seconds=None,
        )  # fmt: skip


def _left_out(collection: Collection, tables: Sequence[Standings]) -> tuple[LeftOutRow, ...]:
    """Folders that could not be read, and submissions without a result in any table."""
    shown = {row.name for table in tables for row in table.rows}
    out = [LeftOutRow(submission=each.submission, reason=each.text) for each in collection.left_out]
    said = [each for table in tables for each in table.left_out if each not in collection.left_out]
    for each in collection.stored:
        name = each.card.name
        if name not in shown:
            # On its tasks the tables say why; without runs there is nothing that they could say.
            texts = sorted({one.text for one in said if one.submission == name})
            out.append(LeftOutRow(submission=name, reason=" ".join(texts) or "it has no run yet"))
    odd = sorted({(one.submission, one.text) for one in said if one.task and one.submission in shown})
    return (*out, *(LeftOutRow(submission=name, reason=text) for name, text in odd))
