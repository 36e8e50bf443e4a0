"""The child process that decodes binary tables: ``python -m clinsynth.submissions.importing.decoder KIND FILE...``.

Libraries of native code meet a stranger's bytes in here, within limits of memory and time: what crashes or swells is
this process, and the import that reads its output says so. It writes JSON lines: first what the table is, then, once it
has read the names of the wanted columns from standard input, a record or the reason of a loss for each row. A fault
of the file is an array of one message.
"""

from __future__ import annotations

import importlib
import json
import math
import sys
import zipfile
from collections.abc import Iterator
from datetime import date, datetime, time
from pathlib import Path
from typing import IO, Any, cast

from clinsynth.core import open_regular
from clinsynth.submissions.rows import MAX_LINE, MAX_ROWS

MEMORY = 3 << 30
"""Bytes of address space: 200,000 rows, read some at a time, need under a tenth."""
SECONDS = 300
"""Seconds of computing time."""
MAX_WORKBOOK = 256 * 2**20
"""Unpacked bytes of a workbook: a sheet is several times as large as the text in it, and slow to parse."""
_AT_A_TIME = 64
_MAX_PARTS = 10_000
"""Files within a workbook."""


class FaultError(Exception):
    """A fault of the file; the message is for the user."""


def limit() -> None:
    """Bound what this process may use, where the system can."""
    try:
        resource: Any = importlib.import_module("resource")
    except ImportError:  # Windows
        return
    for name, most in (("RLIMIT_AS", MEMORY), ("RLIMIT_CPU", SECONDS), ("RLIMIT_CORE", 0), ("RLIMIT_FSIZE", 0)):
        kind: int = getattr(resource, name)
        hard: int = resource.getrlimit(kind)[1]
        resource.setrlimit(kind, (most if hard < 0 else min(most, hard), hard))


def _say(value: object) -> None:
    sys.stdout.write(json.dumps(value, ensure_ascii=True) + "\n")


def _wanted() -> list[str]:
    sys.stdout.flush()
    return cast("list[str]", json.loads(sys.stdin.readline() or "[]"))


def _record(values: dict[str, Any]) -> None:
    # Escaped, so that whatever a cell holds can be written and stays on its line.
    line = json.dumps({name: _plain(value) for name, value in values.items()})
    _say("line-too-long") if len(line) > 6 * MAX_LINE else sys.stdout.write(line + "\n")


def _plain(value: Any) -> Any:
    """A value as JSON has it."""
    if isinstance(value, float):
        # Columns of numbers with gaps hold NaN where a value is missing.
        return None if not math.isfinite(value) else int(value) if value.is_integer() else value
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in cast("dict[Any, Any]", value).items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in cast("list[Any]", value)]
    if isinstance(value, (date, datetime, time)):
        return value.isoformat()
    return value if value is None or isinstance(value, (str, int)) else str(value)


def _arrow(files: list[Path]) -> None:
    """Parquet and Arrow files, one after the other."""
    pyarrow: Any = importlib.import_module("pyarrow")
    # The default one reserves a gigabyte of addresses before it holds anything.
    pyarrow.set_memory_pool(pyarrow.system_memory_pool())
    pyarrow.set_cpu_count(1)
    names: list[str] | None = None
    wanted: list[str] = []
    rows = 0
    for file in files:
        with open_regular(file, follow=True) as stream:
            table = _opened(file, stream)
            schema = table.schema_arrow if file.suffix == ".parquet" else table.schema
            columns = list(schema.names)
            if names is None:
                names = columns
                if len(set(names)) != len(names):
                    raise FaultError("a column stands twice")
                _say({"columns": names, "features": _features(schema)})
                wanted = _wanted()
            elif not set(wanted) <= set(columns):
                raise FaultError(f"{file.name} has other columns than {files[0].name}")
            for batch in _batches(table, wanted):
                rows += batch.num_rows
                if rows > MAX_ROWS:
                    raise FaultError(f"more than {MAX_ROWS:,} rows")
                batch.validate(full=True)
                for start in range(0, batch.num_rows, _AT_A_TIME):
                    for row in batch.slice(start, _AT_A_TIME).to_pylist():
                        _record(row)


def _opened(file: Path, stream: IO[bytes]) -> Any:
    if file.suffix == ".parquet":
        table: Any = importlib.import_module("pyarrow.parquet").ParquetFile(stream, pre_buffer=False)
        if table.metadata.num_rows > MAX_ROWS:
            raise FaultError(f"{table.metadata.num_rows:,} rows, at most {MAX_ROWS:,} are read")
        return table
    ipc: Any = importlib.import_module("pyarrow.ipc")
    magic = stream.read(6)
    stream.seek(0)
    return (ipc.open_file if magic == b"ARROW1" else ipc.open_stream)(stream)


def _features(schema: Any) -> Any:
    """What Hugging Face datasets says of the columns: among other things the names of class labels."""
    metadata: dict[bytes, bytes] = schema.metadata or dict[bytes, bytes]()
    told = metadata.get(b"huggingface", b"{}")
    if len(told) > MAX_LINE // 2:
        return {}
    try:
        return json.loads(told).get("info", {}).get("features", {})
    except (ValueError, AttributeError, RecursionError):
        return {}


def _batches(table: Any, wanted: list[str]) -> Iterator[Any]:
    # Only what is needed: other columns may hold images, or what this machine cannot decode.
    if hasattr(table, "iter_batches"):
        yield from table.iter_batches(_AT_A_TIME, columns=wanted, use_threads=False)
    elif hasattr(table, "get_batch"):
        yield from (table.get_batch(n).select(wanted) for n in range(table.num_record_batches))
    else:
        yield from (batch.select(wanted) for batch in table)


def _workbook(files: list[Path]) -> None:
    """The first sheet of an Excel workbook; its first row is the header."""
    openpyxl: Any = importlib.import_module("openpyxl")
    with open_regular(files[0], follow=True) as stream:
        with zipfile.ZipFile(stream) as packed:
            parts = packed.infolist()
        if len(parts) > _MAX_PARTS or sum(part.file_size for part in parts) > MAX_WORKBOOK:
            raise FaultError(f"more than {MAX_WORKBOOK // 2**20:,} MiB unpacked")
        book = openpyxl.load_workbook(stream, read_only=True, data_only=True, keep_links=False)
        sheet = book.worksheets[0]
        # What a sheet says of its own size need not be so.
        sheet.reset_dimensions()
        rows: Iterator[tuple[Any, ...]] = sheet.iter_rows(values_only=True)
        names = ["" if cell is None else str(cell) for cell in _cut(next(rows, ()))]
        _say({"columns": names, "sheets": [str(name)[:60] for name in book.sheetnames[:20]]})
        places = {name: n for n, name in enumerate(_wanted()) if name}
        for number, cells in enumerate(rows, 1):
            if number > MAX_ROWS:
                raise FaultError(f"more than {MAX_ROWS:,} rows")
            cut = _cut(cells)
            if not cut:
                _say(None)
            else:
                _record({name: cut[n] if n < len(cut) else None for name, n in places.items()})


def _cut(cells: tuple[Any, ...]) -> tuple[Any, ...]:
    end = len(cells)
    while end and cells[end - 1] is None:
        end -= 1
    return cells[:end]


_KINDS = {"arrow": _arrow, "xlsx": _workbook}


def main(kind: str, files: list[Path]) -> int:
    """Decode the files. 0: to the end, whatever the message of a fault."""
    limit()
    try:
        _KINDS[kind](files)
    except FaultError as error:
        _say([str(error)])
    except MemoryError:
        return 3
    except ImportError as error:
        _say([f"the module {error.name} is missing"])
    except Exception as error:  # whatever a decoder makes of a damaged file is a fault of the file
        _say([type(error).__name__])
    sys.stdout.flush()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], [Path(name) for name in sys.argv[2:]]))
