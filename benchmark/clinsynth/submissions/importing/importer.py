"""The import itself: read a format, judge every row as a stranger's, write a submission."""

from __future__ import annotations

import importlib
import json
import pkgutil
import re
from collections.abc import Generator, Mapping
from contextlib import contextmanager, nullcontext
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from clinsynth.core import Registry, TaskSpec, UnfitFileError, UserError, open_regular
from clinsynth.submissions.card import CARD_FILE, FILL_IN, Card, RealData
from clinsynth.submissions.faults import shown
from clinsynth.submissions.folder import check_name, write_rows, write_submission
from clinsynth.submissions.importing.labels import LabelMap
from clinsynth.submissions.importing.session import Format, ImportOptions, ImportReport, Session
from clinsynth.submissions.rows import DATA, MAX_BYTES, SUFFIXES, too_deep

FILES = frozenset(
    {
        ".csv",
        ".tsv",
        ".tab",
        ".jsonl",
        ".ndjson",
        ".json",
        ".gz",
        ".parquet",
        ".arrow",
        ".xlsx",
        ".conll",
        ".iob",
        ".bio",
    }
)
"""Endings of what is a file, if it is anything."""
_NAME = re.compile(r"[A-Za-z0-9][\w.-]{0,95}/[A-Za-z0-9][\w.-]{0,95}")


def is_hub_name(path: Path) -> bool:
    """Whether this is no file or folder here, but has the form ``org/name``, without the ending of a file."""
    return bool(_NAME.fullmatch(str(path))) and path.suffix not in FILES and not path.exists()


def from_hub(name: str) -> Any:
    """The data set of that name, or in that folder: every split."""
    datasets: Any = importlib.import_module("datasets")
    return datasets.load_dataset(name)


@contextmanager
def fetched(name: str) -> Generator[Path]:
    """A folder of ``save_to_disk`` with the data set, as long as the block lasts.

    Raises:
        UserError: there is none of that name, it cannot be had, or it has several configurations.
    """
    with TemporaryDirectory(prefix="clinsynth-") as temporary:
        try:
            from_hub(name).save_to_disk(temporary)
        except (
            OSError,
            ValueError,
            RuntimeError,
        ) as error:  # absent, forbidden, no network, several forms
            raise UserError(
                f"{name} cannot be loaded from the Hugging Face Hub",
                found=(str(error).strip() or type(error).__name__).splitlines()[0],
                remedy="check the name and the network; one of several configurations: load it with "
                "datasets.load_dataset and hand the data set to clinsynth.evaluate",
            ) from error
        yield Path(temporary)


def _load() -> Mapping[str, Format]:
    package = importlib.import_module("clinsynth.submissions.importing.formats")
    names = [found.name for found in pkgutil.iter_modules(package.__path__)]
    formats: list[Format] = [importlib.import_module(f"{package.__name__}.{name}").FORMAT for name in sorted(names)]
    return {given.name: given for given in formats}


FORMATS: Registry[Format] = Registry("format", _load)
_BY_SUFFIX = {
    ".csv": "csv", ".tsv": "csv", ".tab": "csv", ".jsonl": "jsonl", ".ndjson": "jsonl", ".json": "jsonl",
    ".parquet": "datasets", ".arrow": "datasets", ".xlsx": "xlsx", ".conll": "conll", ".iob": "conll", ".bio": "conll",
}  # fmt: skip
_MAGIC = {
    b"PK\x03\x04": ("xlsx", "an Excel workbook, or another archive", "--format xlsx"),
    b"\xd0\xcf\x11\xe0": ("", "an Excel workbook of the old kind", "save it as .xlsx or as CSV"),
    b"PAR1": ("datasets", "a Parquet file", "--format datasets"),
    b"ARROW1": ("datasets", "an Arrow file", "--format datasets"),
}
"""How files of other forms begin: the format that reads them, what they are, and what to do."""


def format_of(path: Path) -> str:
    """The format that a file's name, or a folder, speaks for.

    Raises:
        UserError: it speaks for none.
    """
    if path.is_dir() or is_hub_name(path):
        return "datasets"
    name = path.name.lower().removesuffix(".gz")
    form = _BY_SUFFIX.get(Path(name).suffix)
    if form is None:
        raise UserError(f"the name of {path} does not say its form", remedy=f"--format {' | '.join(FORMATS)}")
    return form


def import_data(
    path: Path, format_name: str, spec: TaskSpec, out: Path, options: ImportOptions | None = None
) -> ImportReport:
    """Turn a file or folder in another form into the data file of one task in a submission's folder.

    Args:
        path: the source; for the format ``datasets`` also the name of a data set on the Hugging Face Hub.
        format_name: one of ``FORMATS``.
        spec: the task that the data is for.
        out: the submission's folder. If it has a card, a file is added; else a card to fill in is written too.
        options: explicit columns and labels, and further choices.

    Returns:
        What was kept, what was dropped and why, and what was decided on the way.

    Raises:
        UnknownNameError: there is no such format.
        UserError: the source cannot be read, no row could be carried over, a label was mapped that the source does
            not have, or the folder has data for the task.
    """
    options = options or ImportOptions()
    out = out.absolute()
    chosen = FORMATS[format_name]
    check_name(out.name)
    for suffix in SUFFIXES:
        if (there := out / DATA / f"{spec.name}{suffix}").exists():
            raise UserError(f"{there} exists", remedy="remove it, or import into another folder; nothing was changed")
    with fetched(str(path)) if chosen.name == "datasets" and is_hub_name(path) else nullcontext(path) as source:
        return _imported(source, path, chosen, spec, out, options)


def _imported(
    source: Path, path: Path, chosen: Format, spec: TaskSpec, out: Path, options: ImportOptions
) -> ImportReport:
    """As ``import_data``: what ``source`` holds, under the name ``path``."""
    _check_source(source, chosen)
    # Numbers mean what the released files say where those have an order of their own.
    order = spec.clingen_labels if chosen.name == "clingen" else spec.labels
    published = chosen.name == "clingen" and bool(order)
    labels = LabelMap(spec, options.labels, order, swap=options.swap_labels, published=published)
    session = Session(spec, options, labels)
    rows = _judged(chosen, source, session)
    session.notes += session.labels.notes()
    report = ImportReport(
        path, chosen.name, spec.name, out, len(rows),
        session.dropped, session.altered, tuple(session.notes), tuple(session.warnings),
    )  # fmt: skip
    _check_outcome(path, len(rows), report, session)
    written = {spec.name: (json.loads(row) for row in rows)}
    if (out / CARD_FILE).exists():
        write_rows(out, written, private=options.private)
    else:
        write_submission(out, _card(report), written, private=options.private)
    return report


def _check_source(path: Path, chosen: Format) -> None:
    if path.is_dir():
        if chosen.name != "datasets":
            raise UserError(f"{path} is a folder", expected="a file", remedy="name one of its files")
        return
    try:
        with open_regular(path, follow=True) as stream:
            head = stream.read(8)
    except FileNotFoundError:
        raise UserError(f"there is nothing at {path}") from None
    except UnfitFileError:
        raise UserError(f"{path} is a pipe or a device", expected="a file", remedy="write it to a file first") from None
    except OSError as error:
        raise UserError(f"{path} cannot be read", found=error.strerror or str(error)) from None
    for magic, (format_name, what, remedy) in _MAGIC.items():
        if head.startswith(magic) and format_name != chosen.name:
            raise UserError(f"{path} is not of the form {chosen.name}", found=what, remedy=remedy)


def _check_outcome(path: Path, kept: int, report: ImportReport, session: Session) -> None:
    """Refuse to write an outcome that cannot have been meant, such as rows without any known label."""
    ours, met = " | ".join(session.spec.labels), session.quoted(", ".join(session.labels.met))
    if unmatched := session.labels.unmatched():
        raise UserError(
            f"{path}: nothing in it is labelled {', '.join(unmatched)}; nothing was written",
            found=met, expected="labels that the file has", remedy="mend or leave out --label",
        )  # fmt: skip
    if not kept:
        mapped = f"say what its labels mean: --label THEIRS=OURS, where OURS is {ours}"
        remedy = mapped if "unknown-label" in report.dropped else ""
        found = f"{report}\n  labels: {met}" if met else str(report)
        raise UserError(f"{path}: no record could be carried over; nothing was written", found=found, remedy=remedy)
    if session.types and not session.mentions:
        raise UserError(
            f"{path}: no entity in it is of a type of the task; nothing was written",
            found=session.quoted(", ".join(session.types)), expected=ours, remedy="map them: --label THEIRS=OURS",
        )  # fmt: skip


def _judged(chosen: Format, path: Path, session: Session) -> list[bytes]:
    """The rows that are kept, as JSON: a small part of what the same rows take as objects."""
    rows: list[bytes] = []
    size = 0
    kind = session.kind
    for place, row in chosen.read(path, session):
        try:
            fault = next(kind.faults(row, session.spec), None)
        except RecursionError:
            fault = too_deep()
        if fault is None:
            example = kind.decode(row)
            session.mentions += len(example.spans)
            rows.append(json.dumps(kind.encode(example), ensure_ascii=False).encode())
            size += len(rows[-1])
            if size > MAX_BYTES:
                raise UserError(f"{path} is too large", expected=f"rows of at most {MAX_BYTES // 2**20:,} MiB in all")
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
