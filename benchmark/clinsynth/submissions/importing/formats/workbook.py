"""Excel workbooks: the first sheet, its first row the header."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

from clinsynth.core import Row, UserError
from clinsynth.submissions.importing.decoding import decoded
from clinsynth.submissions.importing.session import Format, Session
from clinsynth.submissions.importing.tables import find_layout, header_of, rows_of


def _read(path: Path, session: Session) -> Iterator[tuple[int, Row]]:
    with decoded("xlsx", [path], path, session, first=2) as table:
        sheets = cast("list[Any]", table.told.get("sheets") or [])
        if len(sheets) > 1:
            session.note(f"the sheet {sheets[0]!r} was read, no other")
        header = header_of(path, table.columns, session)
        if not header:
            raise UserError(f"{path} is empty", expected="a header and rows")
        layout = find_layout(header, session)
        used = set(layout.used)
        yield from rows_of(table.records([name if name in used else "" for name in header]), layout, session)


FORMAT = Format("xlsx", "an Excel workbook: the first sheet, with a header", _read)
