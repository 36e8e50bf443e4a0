"""Binary tables, decoded in a process of their own: what a damaged or hostile file does there, it does not do here."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, cast

from clinsynth.core import UserError
from clinsynth.submissions.faults import shown
from clinsynth.submissions.importing.session import Session
from clinsynth.submissions.rows import MAX_LINE, parse_json

_REMEDY = "write it again with the program it comes from, or as CSV or JSON Lines"


@dataclass(frozen=True, slots=True)
class Table:
    """A table that is being decoded."""

    columns: list[str]
    told: dict[str, Any]
    """What else the decoder says of it: ``features`` of an Arrow table, ``sheets`` of a workbook."""
    records: Callable[[Sequence[str]], Iterator[tuple[int, dict[str, Any]]]]
    """Given the wanted columns (of a workbook: a name for each place), the records with their numbers from 1."""


@dataclass(slots=True)
class _Child:
    process: subprocess.Popen[bytes]
    place: str
    first: int = 1
    """Number of the first record."""

    def line(self) -> Any:
        """The next value that the decoder says; ``...`` at the end."""
        # A record of the greatest length may take six bytes for each of its own, once it is escaped.
        raw = cast("IO[bytes]", self.process.stdout).readline(6 * MAX_LINE + 2)
        if not raw:
            self._judge(self.process.wait())
            return ...
        try:
            value = parse_json(raw.decode())
        except ValueError:
            return "bad-json"
        if isinstance(value, list):
            message = shown(str(cast("list[Any]", value)[0]))
            remedy = _REMEDY
            if message.startswith("the module openpyxl"):
                remedy = "pip install 'clinsynth[spreadsheets]', or save the sheet as CSV"
            raise UserError(f"{self.place} cannot be read", found=message, remedy=remedy)
        return value

    def _judge(self, code: int) -> None:
        if code == 0:
            return
        why = "it needs more memory than a table of this kind may"
        if code != 3:
            why = f"the decoder ended with {'signal' if code < 0 else 'status'} {abs(code)}"
        raise UserError(f"{self.place} cannot be read", found=f"{why}: damaged, or made to harm", remedy=_REMEDY)


@contextmanager
def decoded(kind: str, files: Sequence[Path], place: Path, session: Session, *, first: int = 1) -> Generator[Table]:
    """Have files decoded in a child process, as long as the block lasts.

    Args:
        kind: ``arrow`` or ``xlsx``.
        files: the files, in order.
        place: what the user named, for messages.
        session: rows that cannot be decoded are dropped here.
        first: number of the first record, for messages: 2 in a sheet whose header is row 1.

    Raises:
        UserError: the files cannot be decoded, or not within the limits.
    """
    # The same package as here, wherever it was found; none of the current folder.
    paths = {"PYTHONPATH": os.pathsep.join(entry for entry in sys.path if entry)}
    quiet = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "MALLOC_ARENA_MAX": "2"}
    module = "clinsynth.submissions.importing.decoder"
    process = subprocess.Popen(  # noqa: S603 - our own module; names of files are arguments, not words of a shell
        [sys.executable, "-P", "-m", module, kind, *(str(file.absolute()) for file in files)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
        env={**os.environ, **paths, **quiet}, bufsize=1 << 16,
    )  # fmt: skip
    child = _Child(process, str(place), first)
    try:
        head = child.line()
        if not isinstance(head, dict):
            raise UserError(f"{place} cannot be read", found="no table", remedy=_REMEDY)
        told = cast("dict[str, Any]", head)
        yield Table(
            [str(name) for name in told["columns"]], told, lambda wanted: _records(child, wanted, session)
        )  # fmt: skip
    finally:
        process.kill()
        process.communicate()


def _records(child: _Child, wanted: Sequence[str], session: Session) -> Iterator[tuple[int, dict[str, Any]]]:
    to_child = cast("IO[bytes]", child.process.stdin)
    try:
        to_child.write(json.dumps(list(wanted)).encode() + b"\n")
        to_child.flush()
    except BrokenPipeError:
        pass  # it died meanwhile: reading from it says how
    number = child.first
    while (value := child.line()) is not ...:
        if isinstance(value, dict):
            yield number, cast("dict[str, Any]", value)
        elif value is not None:
            session.drop(number, str(value))
        number += 1
