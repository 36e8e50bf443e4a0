"""The direct track and the suites in a snapshot: what language models answered, beside students of their rows."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from clinsynth.core import TASKS, UserError
from clinsynth.data import ExampleStore
from clinsynth.direct.suites import SETS, GradesRecord, SuiteRecord, largest, suite_records
from clinsynth.results import DataKind
from clinsynth.snapshot.data_records import Omitted
from clinsynth.snapshot.descriptions import DirectPairRow, DirectRow, GradeRow, SuiteRow
from clinsynth.snapshot.schema import Tables
from clinsynth.standings import CEILING, Stored, TestSets

if TYPE_CHECKING:
    from clinsynth.direct import DirectRecord, DirectResults


@dataclass(frozen=True, slots=True)
class Asked:
    """The folders of the direct track and what they hold."""

    rows: tuple[DirectRow, ...]
    """Every record that can be read."""
    whole: tuple[Path, ...]
    """Folders all of whose records can be read: what students are compared with."""


def strays(places: Sequence[Path], kind: DataKind, omitted: Omitted) -> None:
    """Name the folders among ``places`` that hold records of the direct track and lack its card."""
    from clinsynth.direct import CARD_FILE, DirectResults, is_direct
    from clinsynth.submissions import CARD_FILE as SUBMISSION

    def has_card(folder: Path) -> bool:
        return is_direct(folder) or (folder / SUBMISSION).is_file()

    inside = (each for place in places for each in ((place,) if has_card(place) else sorted(place.glob("*/"))))
    for folder in dict.fromkeys((*places, *inside)):
        records = [] if is_direct(folder) else list(DirectResults(folder, kind).record_paths())
        if records:
            said = f"{len(records):,} of its records are of the direct track, and {CARD_FILE} is not there"
            omitted.say(folder.absolute().name, said)


def direct_rows(folders: Sequence[Path], kind: DataKind, omitted: Omitted, store: ExampleStore | None = None) -> Asked:
    """Records of language models that answered tasks themselves.

    Args:
        folders: of the direct track.
        kind: real data, or the sample.
        omitted: told what cannot be shown.
        store: the test sets, for intervals; without it there are none.
    """
    from clinsynth.direct import CARD_FILE, DirectResults, read_card

    rows: list[DirectRow] = []
    whole: list[Path] = []
    tests = TestSets(store)
    for folder in folders:
        before = len(omitted.rows)
        try:
            read_card(folder)
        except (UserError, OSError) as error:
            omitted.record(folder.name, folder / CARD_FILE, folder, error)
            continue
        results = DirectResults(folder, kind)
        own = [_row(record, results, tests) for record in _records(folder, kind, omitted)]
        rows += own
        if len(omitted.rows) > before:
            omitted.say(folder.name, "no student is compared with its answers while any of its records is left out")
        elif own:
            whole.append(folder)
        else:
            omitted.say(folder.name, f"direct track: no record of {kind} data")
    return Asked(tuple(rows), tuple(whole))


def _records(folder: Path, kind: DataKind, omitted: Omitted) -> Iterator[DirectRecord]:
    from clinsynth.direct import DirectResults, read_record

    for path in DirectResults(folder, kind).record_paths():
        try:
            record = read_record(path)
            if fault := _fault(record, folder, kind):
                raise UserError(f"{path} is not shown", found=fault)
        except (UserError, OSError) as error:
            omitted.record(folder.name, path, folder, error)
        else:
            yield record


def _fault(record: DirectRecord, folder: Path, kind: DataKind) -> str:
    if record.submission != folder.name:
        return f"it is of {record.submission}"
    if record.test.kind != kind:
        return f"answers on {record.test.kind} data among those on {kind} data"
    return "" if record.task in TASKS else f"no task {record.task}"


def _row(record: DirectRecord, results: DirectResults, tests: TestSets) -> DirectRow:
    from clinsynth.direct import ONE_ANSWER, own_answers, score_interval

    test = tests.of(record.task)
    own = own_answers(record, results, test) if test else None
    low, high = score_interval(own, test) if own and test else (None, None)
    same = results.sameness(record) or 0
    reasons = (f"{100 * same:.0f} % of its answers are the same",) if same >= ONE_ANSWER else ()
    return DirectRow(
        data=results.kind, submission=record.submission, model=record.model, task=record.task, metric=record.metric,
        shots=record.shots, score=record.score, low=low, high=high, examples=record.limit or record.test.examples,
        limited=record.limit is not None, unparsed=record.unparsable, tokens_in=record.usage.tokens_in,
        tokens_out=record.usage.tokens_out, dollars=record.usage.dollars, reasons=reasons,
    )  # fmt: skip


def pair_rows(
    asked: Asked, stored: Sequence[Stored], conditions: Iterable[tuple[str, int]], kind: DataKind,
    store: ExampleStore | None,
) -> tuple[DirectPairRow, ...]:  # fmt: skip
    """Ask or train: each model's own answers beside the students that were trained on its rows.

    Args:
        asked: the direct track.
        stored: submissions; those that name a language model, and all real rows, matter.
        conditions: recipe and budget of the students.
        kind: real data, or the sample.
        store: the test sets, for students' scores on the subset that was asked; without it these are left out.
    """
    from clinsynth.direct import direct_standings

    written = [each.folder for each in stored if each.card.llm]
    if not asked.whole or not written:
        return ()
    top = [each.folder for each in stored if each.card.name == CEILING]
    places = [*asked.whole, *written, *top]
    return tuple(
        DirectPairRow(
            data=kind, recipe=recipe, rows=rows, direct=pair.model, submission=pair.submission,
            task=pair.task, metric=pair.metric, zero_shot=pair.zero_shot, few_shot=pair.few_shot, shots=pair.shots,
            student=pair.student, difference=pair.difference, low=pair.low, high=pair.high, verdict=pair.verdict,
            examples=pair.asked, limited=pair.preliminary, seeds=pair.seeds,
        )
        for recipe, rows in conditions
        for pair in direct_standings(places, recipe, rows, kind, store).pairs
    )  # fmt: skip


CLINICALGPT = "clinicalgpt"
R = TypeVar("R", SuiteRecord, GradesRecord)


def suite_rows(folders: Sequence[Path], omitted: Omitted) -> tuple[SuiteRow, ...]:
    """Each measure of each set; of several records of a set the one with most questions.

    Args:
        folders: of the direct track.
        omitted: told what cannot be shown.
    """
    by_folder = {folder: largest(_read(SuiteRecord, folder, f"{CLINICALGPT}/*.json", omitted)) for folder in folders}
    return tuple(
        SuiteRow(
            suite=record.suite, set=name, area=each.area, submission=folder.name, model=record.model, measure=measure,
            value=value, examples=record.asked, limited=record.limit is not None,
            unread=record.unparsable, cut=record.cut,
        )
        for name, each in SETS.items()
        for folder, records in by_folder.items()
        if (record := records.get(name))
        for measure, value in record.scores.items()
    )  # fmt: skip


def grade_rows(folders: Sequence[Path], omitted: Omitted) -> tuple[GradeRow, ...]:
    """Grades of each judge, by kind of request and overall. Arguments as for ``suite_rows``."""
    rows: list[GradeRow] = []
    for folder in folders:
        for record in _read(GradesRecord, folder, "asclepius-*/grades*.json", omitted):
            for name, judge in record.judges.items():
                means = {**{kind: judge.by_kind.get(kind) for kind in record.kinds}, "all": judge.mean}
                rows += (
                    GradeRow(
                        suite=record.suite, submission=folder.name, model=record.model, notes=record.notes_sha256,
                        judge=name, kind=kind,
                        grade=mean, examples=record.kinds.get(kind, record.asked),
                        ungraded=sum(judge.failures.values()) if kind == "all" else None,
                        limited=record.limit is not None,
                    )
                    for kind, mean in means.items()
                )  # fmt: skip
    return tuple(rows)


def suites_of(folders: Sequence[Path], suite: str) -> Tables:
    """One suite's results and what of them is left out, and nothing else."""
    omitted = Omitted()
    suites = suite_rows(folders, omitted) if suite == CLINICALGPT else ()
    grades = grade_rows(folders, omitted) if suite != CLINICALGPT else ()
    return Tables(suites=suites, grades=grades, left_out=tuple(omitted.rows))


def _read(model: type[R], folder: Path, pattern: str, omitted: Omitted) -> Iterator[R]:
    """The records that can be taken."""
    stored = suite_records(folder, model, pattern)
    for fault in stored.faults:
        omitted.fault(fault)
    yield from stored.records
