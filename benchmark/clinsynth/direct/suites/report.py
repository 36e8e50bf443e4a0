"""Stored results of the suites, several models side by side. Reading them needs neither lm-eval nor the sets."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from clinsynth.core import Grid, RecordFault, UserError
from clinsynth.direct.folder import direct_folders
from clinsynth.direct.suites.real_notes import OWN
from clinsynth.direct.suites.records import GradesRecord, SuiteRecord, largest, suite_records
from clinsynth.direct.suites.sets import SETS

STAR = "* a seeded subset: preliminary."


def suite_report(suite: str, places: Iterable[Path]) -> tuple[Grid, list[RecordFault]]:
    """A column for each model under ``places``, or for each judge of it; and the records that are left out.

    Raises ``UserError`` where there is no result of that suite.
    """
    places = tuple(places)
    inside = suite if suite == "clinicalgpt" else "asclepius-*"
    folders = [folder for folder in direct_folders(places) if any((folder / "suites").glob(inside))]
    if not folders:
        raise UserError(f"no results of {suite} under {', '.join(map(str, places))}",
                        expected="a folder that clinsynth suite wrote")  # fmt: skip
    return _sets(folders) if suite == "clinicalgpt" else _notes(folders)


def _sets(folders: list[Path]) -> tuple[Grid, list[RecordFault]]:
    found = [suite_records(folder, SuiteRecord, "clinicalgpt/*.json") for folder in folders]
    columns = [largest(records) for records, _ in found]
    rows = [
        [each.area, each.name, *(_cell(column.get(each.name)) for column in columns)]
        for each in SETS.values()
        if any(each.name in column for column in columns)
    ]
    head = ["area", "set", *(folder.name for folder in folders)]
    return (head, rows), [fault for _, faults in found for fault in faults]


def _cell(record: SuiteRecord | None) -> str:
    if record is None:
        return "-"
    scores = ", ".join(f"{name.replace('_', ' ')} {100 * value:.1f}" for name, value in record.scores.items())
    bad = record.asked - record.answers.get("read", 0)
    unread = f"; {bad:,} unreadable" if bad else ""
    cut = f"; {record.cut:,} cut" if record.cut else ""
    return f"{scores} ({record.asked:,} of {record.examples:,}{'*' if record.limit else ''}{unread}{cut})"


def _notes(folders: list[Path]) -> tuple[Grid, list[RecordFault]]:
    head, columns = ["instruction"], list[dict[str, str]]()
    kinds: dict[str, None] = {}
    left_out: list[RecordFault] = []
    for folder in folders:
        records, faults = suite_records(folder, GradesRecord, "asclepius-*/grades*.json")
        left_out += faults
        for grades in records:
            kinds |= dict.fromkeys(grades.kinds)
            for name, judge in grades.judges.items():
                star = "*" if grades.limit else ""
                on = "" if grades.suite == OWN else f" on {grades.suite.removeprefix('asclepius-')}"
                head.append(f"{folder.name}{on} ({grades.asked:,} answers{star}), graded by {name}")
                known = {kind: f"{mean:.2f}" for kind, mean in judge.by_kind.items()}
                lost = f" ({sum(judge.failures.values()):,} without a grade)" if judge.failures else ""
                columns.append(known | {"all": "-" if judge.mean is None else f"{judge.mean:.2f}{lost}"})
    body = [[kind, *(column.get(kind, "-") for column in columns)] for kind in (*sorted(kinds), "all")]
    return (head, body), left_out
