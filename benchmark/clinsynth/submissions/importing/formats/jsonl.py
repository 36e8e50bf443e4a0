"""JSON Lines, or a JSON array, with column names of their own."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from clinsynth.core import Row, UserError
from clinsynth.submissions.importing.session import Format, Session
from clinsynth.submissions.importing.tables import find_layout, rows_of
from clinsynth.submissions.importing.texts import MAX_NAMES, json_records


def _read(path: Path, session: Session) -> Iterator[tuple[int, Row]]:
    # Keys may be absent from some records: the columns are those of all of them. The file is read twice, so that it is
    # never held as a whole; what is dropped counts the second time.
    names: dict[str, None] = {}
    for _, record in json_records(path, replace(session, dropped={}, altered={}, notes=[], warnings=[])):
        names.update(dict.fromkeys(record))
        if len(names) > MAX_NAMES:
            raise UserError(f"{path} has too many keys", expected=f"at most {MAX_NAMES:,}, all records together")
    yield from rows_of(json_records(path, session), find_layout(list(names), session), session)


FORMAT = Format("jsonl", "JSON Lines or one JSON array (.gz too), with column names of their own", _read)
