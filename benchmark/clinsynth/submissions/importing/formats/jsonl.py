"""JSON Lines, or a JSON array, with column names of their own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from clinsynth.core import Row
from clinsynth.submissions.importing.session import Format, Session
from clinsynth.submissions.importing.tables import find_layout, rows_of
from clinsynth.submissions.importing.texts import json_records


def _read(path: Path, session: Session) -> Iterator[tuple[int, Row]]:
    records = list(json_records(path, session))
    # Keys may be absent from some records: the columns are those of all of them.
    names = list(dict.fromkeys(key for _, record in records for key in record))
    yield from rows_of(records, find_layout(names, session), session)


FORMAT = Format("jsonl", "JSON Lines or one JSON array (.gz too), with column names of their own", _read)
