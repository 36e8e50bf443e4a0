"""The import itself: read a format, judge every row as a stranger's, write a submission."""

from __future__ import annotations

import importlib
import pkgutil
import re
from collections.abc import Mapping
from pathlib import Path

from clinsynth.core import Registry, Row, TaskSpec, UserError
from clinsynth.submissions.card import CARD_FILE, FILL_IN, Card, RealData
from clinsynth.submissions.faults import shown
from clinsynth.submissions.importing.labels import LabelMap
from clinsynth.submissions.importing.session import Format, ImportOptions, ImportReport, Session
from clinsynth.submissions.rows import DATA, MAX_ROWS, SUFFIXES, too_deep
from clinsynth.submissions.writing import check_name, write_rows, write_submission


def _load() -> Mapping[str, Format]:
    package = importlib.import_module("clinsynth.submissions.importing.formats")
    names = [found.name for found in pkgutil.iter_modules(package.__path__)]
    formats: list[Format] = [importlib.import_module(f"{package.__name__}.{name}").FORMAT for name in sorted(names)]
    return {given.name: given for given in formats}


FORMATS: Registry[Format] = Registry("format", _load)


def import_data(
    path: Path, format_name: str, spec: TaskSpec, out: Path, options: ImportOptions | None = None
) -> ImportReport:
    """Turn somebody else's file or folder into the data file of one task in a submission's folder.

    Args:
        path: the source.
        format_name: one of ``FORMATS``.
        spec: the task that the data is for.
        out: the submission's folder. If it has a card, a file is added; else a card to fill in is written too.
        options: explicit columns and labels, and further choices.

    Returns:
        What was kept, what was dropped and why, and what was decided on the way.

    Raises:
        UnknownNameError: there is no such format.
        UserError: the source cannot be read, no row could be carried over, or the folder has data for the task.
    """
    options = options or ImportOptions()
    out = out.absolute()
    chosen = FORMATS[format_name]
    check_name(out.name)
    for suffix in SUFFIXES:
        if (there := out / DATA / f"{spec.name}{suffix}").exists():
            raise UserError(f"{there} exists", remedy="remove it, or import into another folder; nothing was changed")
    if not path.exists():
        raise UserError(f"there is nothing at {path}")
    # Numbers mean what the released files say where those have an order of their own.
    order = spec.clingen_labels if format_name == "clingen" else spec.labels
    session = Session(spec, options, LabelMap(spec, options.labels, order, swap=options.swap_labels))
    rows = _judged(chosen, path, session)
    session.notes += session.labels.notes()
    report = ImportReport(
        path, chosen.name, spec.name, out, len(rows),
        session.dropped, session.altered, tuple(session.notes), tuple(session.warnings),
    )  # fmt: skip
    if not rows:
        raise UserError(f"{path}: no record could be carried over; nothing was written", found=str(report))
    if len(rows) > MAX_ROWS:
        raise UserError(f"{path}: too many rows", found=f"{len(rows):,}", expected=f"at most {MAX_ROWS:,}")
    if (out / CARD_FILE).exists():
        write_rows(out, {spec.name: rows}, private=options.private)
    else:
        write_submission(out, _card(report), {spec.name: rows}, private=options.private)
    return report


def _judged(chosen: Format, path: Path, session: Session) -> list[Row]:
    rows: list[Row] = []
    kind = session.kind
    for place, row in chosen.read(path, session):
        try:
            fault = next(kind.faults(row, session.spec), None)
        except RecursionError:
            fault = too_deep()
        if fault is None:
            rows.append(kind.encode(kind.decode(row)))
            session.keep(place)
        else:
            session.drop(place, fault.reason, fault.found)
    return rows


def _card(report: ImportReport) -> Card:
    name = re.sub(r"[^\w.-]", "_", shown(report.source.name, 80))
    kept = f"{report.task}: {report.kept} of {report.read} records of {name} ({report.format}) were carried over."
    blank = Card(
        name=report.out.name,
        title=f"{FILL_IN}: the method as a table shows it",
        authors=(f"{FILL_IN}: the people who made the data",),
        generator=f"{FILL_IN}: how the rows were made, in one line",
        licence=f"{FILL_IN}: licence of the rows",
        real_data=RealData(used="other", details=f"{FILL_IN}: which real text the generator saw, and set used"),
    )
    return blank.model_copy(update={"disclosures": (kept,)})
