"""Stored records: how they are sealed and written, and the one place where they are read.

A record is a stranger's file until it has been read here. It is taken only if it is a regular file of bounded size,
has the form of its model, holds no number that cannot be, and carries the seal of its own content.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, ClassVar, Generic, Literal, NamedTuple, Protocol, Self, TypeVar, cast

from pydantic import BaseModel, ConfigDict, SerializerFunctionWrapHandler, ValidationError, model_serializer

from clinsynth.core.errors import UserError
from clinsynth.core.files import UnfitFileError, canonical_json, read_regular, stored_paths, write_json

MAX_COUNT = 2**53
"""Largest count: beyond it a reader that keeps numbers as doubles has another number than the one written."""
MAX_RECORD = 64 * 2**20
"""Bytes of a record: an audit that names 200,000 rows needs half of it."""

FaultCode = Literal["not-a-file", "too-large", "unreadable", "bad-form", "bad-number", "edited", "misplaced"]
"""Why a record is not taken.

not-a-file: a folder, a link, a pipe or a device; too-large: more bytes than any good record has; unreadable: the file
cannot be opened; bad-form: not the fields of this kind of record; bad-number: a count below 0 or beyond 2^53, infinity,
no number; edited: the seal does not fit; misplaced: a record of something else than its path says.
"""


class Part(BaseModel):
    """A record or a part of one, read strictly: no unknown fields, no infinity."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class Extended(Part):
    """A part whose form grew: fields that were added later are left out of files while they are empty.

    Records from before them have seals without them, and keep these.
    """

    added: ClassVar[tuple[str, ...]] = ()
    """Names of these fields."""

    @model_serializer(mode="wrap")
    def _without_empty(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        fields: dict[str, Any] = handler(self)
        return {name: value for name, value in fields.items() if value or name not in self.added}


class Sealed(Part):
    """A record with a digest over the rest of it. It shows edits; it is no signature, since anybody can compute it."""

    seal: str = ""
    """sha256 over all the rest: an edit shows."""

    def sealed(self) -> Self:
        """The same record with its seal set."""
        content = self.model_dump(mode="json", exclude={"seal"})
        # Read back, so that each field counts as given: the seal is over the fields that a file has.
        return self.model_validate_json(json.dumps(content | {"seal": _digest(content)}, allow_nan=False))

    def content(self) -> dict[str, Any]:
        """The content that the seal covers: every field that was given, except the seal.

        A field that a later version of the form adds with a default is not in the files of an earlier one, and so does
        not break their seals.
        """
        return self.model_dump(mode="json", exclude={"seal"}, exclude_unset=True)

    def expected_seal(self) -> str:
        """The seal that fits the content."""
        return _digest(self.content())


@dataclass(frozen=True, slots=True)
class RecordFault:
    """A stored record that is left out."""

    submission: str
    """Name of the folder that it lies in."""
    task: str
    """The task or the suite; empty where the path names none."""
    code: FaultCode
    text: str
    """For a reader: the path below the folder, and what is wrong."""
    path: Path


class FaultyRecordError(UserError):
    """A stored record that cannot be taken."""

    def __init__(self, path: Path, code: FaultCode, what: str, *, found: str = "", remedy: str = "") -> None:
        """``what`` follows the path, as in "is not a run record"."""
        super().__init__(f"{path} {what}", found=found, remedy=remedy)
        self.path = path
        self.code: FaultCode = code
        self.what = what
        self.found = found

    def fault(self, folder: Path, task: str) -> RecordFault:
        """The same as a typed reason, with the path below ``folder``."""
        where = self.path.relative_to(folder).as_posix() if self.path.is_relative_to(folder) else self.path.name
        said = f"{where} {self.what}" + (f" ({self.found})" if self.found else "")
        return RecordFault(folder.name, task, self.code, said, self.path)


R = TypeVar("R", bound=Sealed)


@dataclass(frozen=True, slots=True)
class RecordKind:
    """Name of a kind of record, and the remedy for a faulty one."""

    name: str
    """With its article, as in "a run record"."""
    remedy: str
    limit: int = MAX_RECORD
    """Bytes."""


def read_sealed(path: Path, model: type[R], kind: RecordKind, *, edited: bool = False) -> R:
    """Read one record.

    Args:
        path: where it lies.
        model: its form.
        kind: what to call it.
        edited: also take a record whose seal does not fit, for callers that report that fault and go on.

    Raises:
        FaultyRecordError: it cannot be taken.
    """
    try:
        record = model.model_validate_json(read_regular(path, kind.limit))
    except UnfitFileError as error:
        code: FaultCode = "too-large" if error.code == "too-large" else "not-a-file"
        raise _fault(path, code, kind, str(error)) from None
    except OSError as error:
        raise _fault(path, "unreadable", kind, error.strerror or type(error).__name__) from None
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = ".".join(map(str, first["loc"]))
        raise _fault(path, "bad-form", kind, f"{place}: {first['msg']}".removeprefix(": ")) from None
    content = record.content()
    try:
        text = canonical_json(content)
    except ValueError:  # JSON has no form for a number that is not finite, Python none for one of thousands of digits
        text = "NaN"
    # A look at the text first: nearly all records have no number that could be one too many.
    if _ODD_NUMBER.search(text) and (fault := _number_fault(content, "")):
        raise _fault(path, "bad-number", kind, fault)
    if (created := getattr(record, "created", None)) is not None and not _is_time(created):
        raise _fault(path, "bad-form", kind, "created: not a time in the form of ISO 8601")
    if not edited and record.seal != hashlib.sha256(text.encode()).hexdigest():
        raise FaultyRecordError(path, "edited", "was edited: its seal does not fit its content", remedy=kind.remedy)
    return record


class Place(Protocol):
    """The identity of a record among others of its kind."""

    @property
    def stem(self) -> str:
        """Its path below the folder of its kind, without the suffix."""
        ...


class Filed(Sealed):
    """A record whose path says what it is of."""

    @property
    def cell(self) -> Place:
        """The identity of the record."""
        raise NotImplementedError


class TaskPlace(NamedTuple):
    """Where the only record of a task lies: under the task's name."""

    stem: str


class TaskRecord(Filed):
    """A record of which there is one for each task."""

    task: str

    @property
    def cell(self) -> Place:
        """The task."""
        return TaskPlace(self.task)


F = TypeVar("F", bound=Filed)


def read_filed(path: Path, model: type[F], kind: RecordKind, *, edited: bool = False) -> F:
    """As ``read_sealed``; one that lies in another one's place is not taken either."""
    record = read_sealed(path, model, kind, edited=edited)
    if "/".join(path.parts[-1 - record.cell.stem.count("/") :]) != f"{record.cell.stem}.json":
        raise FaultyRecordError(
            path, "misplaced", "holds another record", found=record.cell.stem, remedy="move it back"
        )
    return record


def find_filed(path: Path, model: type[F], kind: RecordKind) -> F | None:
    """As ``read_filed``; ``None`` where nothing lies."""
    return read_filed(path, model, kind) if os.path.lexists(path) else None


@dataclass(frozen=True, slots=True)
class StoredRecords(Generic[F]):
    """The content of a folder of records."""

    records: tuple[F, ...]
    faults: tuple[RecordFault, ...]


def stored_records(base: Path, pattern: str, owner: Path, read: Callable[[Path], F]) -> StoredRecords[F]:
    """Every record below ``base``, in path order, and what is wrong with those that cannot be taken.

    Args:
        base: the folder of their kind.
        pattern: of their paths below it.
        owner: the submission's folder, which faults name.
        read: one record; may raise ``FaultyRecordError``.
    """
    records: list[F] = []
    faults: list[RecordFault] = []
    for path in stored_paths(base, pattern):
        try:
            records.append(read(path))
        except FaultyRecordError as error:
            below = path.relative_to(base).parts
            faults.append(error.fault(owner, below[0] if below else ""))
    return StoredRecords(tuple(records), tuple(faults))


def write_sealed(path: Path, record: R) -> R:
    """Seal and store a record, atomically; returns it with its seal."""
    sealed = record.sealed()
    write_json(path, sealed.model_dump(mode="json"))
    return sealed


def now() -> str:
    """The time of a record: UTC, ISO 8601, in seconds."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def _fault(path: Path, code: FaultCode, kind: RecordKind, found: str) -> FaultyRecordError:
    return FaultyRecordError(path, code, f"is not {kind.name}", found=found, remedy=kind.remedy)


def _is_time(text: object) -> bool:
    try:
        datetime.fromisoformat(str(text))
    except ValueError:
        return False
    return True


_ODD_NUMBER = re.compile(r"[:,\[]-|(?<![\d.])\d{16}|NaN")
"""In canonical JSON: a number that is negative or beyond 2^53; such signs in a text cost a second look, no more."""


def _number_fault(value: Any, place: str) -> str:
    if isinstance(value, bool) or value is None or isinstance(value, str):
        return ""
    if isinstance(value, int):
        return "" if 0 <= value <= MAX_COUNT else f"{place}: {_short(value)}, expected 0 to 2^53"
    if isinstance(value, float):
        return "" if math.isfinite(value) else f"{place}: {value}"
    if isinstance(value, Mapping):
        items = cast("Mapping[str, Any]", value).items()
        return next((fault for k, v in items if (fault := _number_fault(v, f"{place}.{k}".lstrip(".")))), "")
    return next((fault for v in cast("list[Any]", value) if (fault := _number_fault(v, place))), "")


def _short(value: int) -> str:
    # Python refuses to print numbers of thousands of digits.
    return str(value) if value.bit_length() < 200 else f"a number of {value.bit_length():,} bits"


def _digest(content: dict[str, Any]) -> str:
    return hashlib.sha256(canonical_json(content).encode()).hexdigest()
