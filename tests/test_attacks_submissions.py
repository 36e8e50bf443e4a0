"""Attacks on what reads a stranger's files, played in a process with bounded memory and computing time.

Each is held to about the limits of a small machine; what it must come to is one message and a status, never a
traceback, a hang or a process that was killed.
"""

from __future__ import annotations

import gzip
import importlib
import io
import json
import os
import subprocess
import sys
import zipfile
import zlib
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest

from clinsynth.core import TASKS, UserError
from clinsynth.submissions import Card, RealData, validate, write_submission
from clinsynth.submissions.importing import import_data

if sys.platform != "linux":
    pytest.skip("limits of memory are those of Linux", allow_module_level=True)

MEMORY = 1536
"""MiB of addresses: what the command line takes with its libraries, and no more than some hundreds beside."""
SECONDS = 120
"""Of computing, many times what is needed: what is quadratic takes far longer."""
LIMITED = """\
import resource, sys
memory, seconds = int(sys.argv[1]) << 20, int(sys.argv[2])
resource.setrlimit(resource.RLIMIT_AS, (memory, resource.getrlimit(resource.RLIMIT_AS)[1]))
resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds))
from clinsynth.cli import main
sys.exit(main(sys.argv[3:]))
"""


def attacked(*words: object, memory: int = MEMORY) -> tuple[int, str]:
    """The status of a command within the limits, and all that it said."""
    paths = os.pathsep.join(entry for entry in sys.path if entry)
    done = subprocess.run(  # noqa: S603 - our own words
        [sys.executable, "-c", LIMITED, str(memory), str(SECONDS), *map(str, words)],
        env={**os.environ, "PYTHONPATH": paths, "OPENBLAS_NUM_THREADS": "1", "MALLOC_ARENA_MAX": "2"},
        capture_output=True, text=True, timeout=1200, check=False, stdin=subprocess.DEVNULL,
    )  # fmt: skip
    said = done.stdout + done.stderr
    assert "Traceback" not in said, said[-3000:]
    assert done.returncode in (0, 1, 2), (done.returncode, said[-3000:])
    assert len(said) < 40_000
    return done.returncode, said


def folder(tmp_path: Path, name: str = "toy") -> Path:
    card = Card(
        name=name, title="Toy", authors=("A",), generator="g", licence="CC0-1.0", real_data=RealData(used="none")
    )  # fmt: skip
    row = {"text": "@GENE$ in @DISEASE$ of the heart", "label": "relation"}
    write_submission(tmp_path / name, card, {"gad": [row, row | {"label": "no_relation"}]})
    return tmp_path / name


# ------------------------------------------------------------------ cards

CARDS: dict[str, str] = {
    "a key of 5,000 parts": "a." * 5_000 + "a = 1",
    "a key of 20,000 parts": "a." * 20_000 + "a = 1",
    "a key of 2,000 parts": ".".join(["deep"] * 2_000) + " = 1",
    "a table of 5,000 parts": "[" + "a." * 5_000 + "a]",
    "quoted parts": '"a".' * 5_000 + "a = 1",
    "parts in braces": "a = {" + "b." * 5_000 + "b = 1}",
    "brackets": "a = " + "[" * 50_000,
    "braces": "a = " + "{a=" * 15_000,
    "digits": "name = " + "9" * 60_000,
    "hexadecimal digits": "name = 0x" + "f" * 60_000,
    "quotes that never close": 'a = """' + '\\"""' * 15_000,
    "many keys": "\n".join(f"k{n} = 1" for n in range(7_000)),
    "many tables": "[[a]]\n[[a.b]]\n" * 4_000,
}


@pytest.mark.parametrize("case", CARDS)
def test_a_card_that_is_made_to_be_dear(case: str, tmp_path: Path) -> None:
    path = folder(tmp_path)
    (path / "submission.toml").write_text(CARDS[case])
    status, said = attacked("validate", path)
    assert status == 1
    assert "submission.toml" in said


def test_a_card_of_three_gigabytes(tmp_path: Path) -> None:
    path = folder(tmp_path)
    with (path / "submission.toml").open("wb") as stream:
        stream.truncate(3 << 30)
    status, said = attacked("validate", path)
    assert (status, "over 65,536 bytes" in said) == (1, True)


def _folder(path: Path) -> None:
    path.mkdir()


def _link(path: Path) -> None:
    path.symlink_to("/dev/zero")


def _pipe(path: Path) -> None:
    os.mkfifo(path)


PLACES: dict[str, Callable[[Path], None]] = {"a folder": _folder, "a link to a device": _link, "a pipe": _pipe}


@pytest.mark.parametrize("case", PLACES)
@pytest.mark.parametrize("file", ["submission.toml", "data/gad.jsonl.gz", "data/gad.jsonl", "data"])
def test_something_else_where_a_file_is_expected_is_one_finding(case: str, file: str, tmp_path: Path) -> None:
    path = folder(tmp_path)
    if file == "data" and case == "a folder":
        pytest.skip("that is what data is")
    for old in (path / "data").iterdir() if file.startswith("data") else [path / file]:
        old.unlink()
    if file == "data":
        (path / "data").rmdir()
    PLACES[case](path / file)
    status, said = attacked("validate", path)
    assert status in (1, 2)
    assert sum(said.count(f"error: {reason}\n") for reason in ("not-a-file", "symlink", "no-card")) == 1, said
    status, said = attacked("score", path, "--sample", "--dry-run")
    assert status in (1, 2)


# ------------------------------------------------------------------ rows


def packed(pieces: Iterable[bytes], level: int = 1) -> bytes:
    out = io.BytesIO()
    with gzip.GzipFile(fileobj=out, mode="wb", compresslevel=level, mtime=0) as stream:
        for piece in pieces:
            stream.write(piece)
    return out.getvalue()


MANY_KEYS = b"{" + b",".join(b'"k%d":1' % (n % 90_000) for n in range(100_000)) + b"}\n"
ROWS: dict[str, Callable[[], Iterable[bytes]]] = {
    "keys, some twice": lambda: [MANY_KEYS[: 2**20]],
    "keys, each twice": lambda: [b"{" + b",".join(b'"k%d":1,"k%d":2' % (n, n) for n in range(40_000)) + b"}\n"],
    "one line of zeros": lambda: (b"\0" * 2**20 for _ in range(700)),
    "blank lines": lambda: (b"\n" * 2**20 for _ in range(700)),
    "faulty lines": lambda: (b"{\n" * 2**19 for _ in range(100)),
    "long faulty lines": lambda: (b'{"' + b"x" * 1_000_000 + b'": 1}\n' for _ in range(300)),
}


@pytest.mark.slow
@pytest.mark.parametrize("case", ROWS)
def test_rows_that_are_made_to_be_dear(case: str, tmp_path: Path) -> None:
    path = folder(tmp_path)
    (path / "data" / "gad.jsonl.gz").write_bytes(packed(ROWS[case]()))
    status, said = attacked("validate", path)
    assert status == 1
    assert "data/gad.jsonl.gz" in said


# ------------------------------------------------------------------ imports

MIB = 2**20
HEADER = b"text,label\n"
GOOD = b"@GENE$ in @DISEASE$,relation\n"
BOMBS: dict[str, tuple[str, str, Callable[[], Iterable[bytes]], int]] = {
    "one line": ("csv", "gad", lambda: [HEADER, *(b"a" * MIB for _ in range(600))], 2),
    "many rows": ("csv", "gad", lambda: [HEADER, *(GOOD * 40_000 for _ in range(400))], 2),
    "a quote that never closes": ("csv", "gad", lambda: [HEADER, b'"', *(b"a\n" * (MIB // 2) for _ in range(600))], 2),
    "blank rows": ("csv", "gad", lambda: [HEADER, *(b"\n" * MIB for _ in range(600))], 2),
    "many columns": ("csv", "gad", lambda: (b"a%d," % n for n in range(400_000)), 2),
    "empty columns": ("csv", "gad", lambda: (b"," * 1_000_000 + b"\n" for _ in range(500)), 2),
    "one sentence": ("conll", "ncbi-disease", lambda: (b"a O\n" * (MIB // 4) for _ in range(300)), 2),
    "one-word sentences": ("conll", "ncbi-disease", lambda: (b"a O\n\n" * (MIB // 5) for _ in range(300)), 2),
    "a long token": ("conll", "ncbi-disease", lambda: (b"a" * MIB for _ in range(600)), 2),
    "an array of objects": ("jsonl", "gad", lambda: [b"[", *(b"{}," * (MIB // 3) for _ in range(300))], 2),
    "an array of a string": ("jsonl", "gad", lambda: [b'["', *(b"a" * MIB for _ in range(600))], 2),
    "an array of spaces": ("jsonl", "gad", lambda: [b"[", *(b" " * MIB for _ in range(700))], 2),
    "an array of arrays": ("jsonl", "gad", lambda: [b"[" * MIB], 2),
    "ever new keys": (
        "jsonl", "gad", lambda: (b"".join(b'{"k%d":1}\n' % (9_000 * k + n) for n in range(9_000)) for k in range(20)), 2
    ),
    "keys of one line, clingen": ("clingen", "gad", lambda: [MANY_KEYS[:900_000], b"}\n"], 2),
}  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("case", BOMBS)
def test_an_import_of_text_that_swells(case: str, tmp_path: Path) -> None:
    form, task, pieces, expected = BOMBS[case]
    source = tmp_path / "source.gz"
    source.write_bytes(packed(pieces(), 6))
    assert source.stat().st_size < 6 * MIB
    status, _ = attacked("import", source, "--format", form, "--task", task, "--out", tmp_path / "made")
    assert status == expected
    assert not (tmp_path / "made").exists()


@pytest.mark.parametrize("source", ["/dev/zero", "a pipe", "a folder"])
@pytest.mark.parametrize("form", ["csv", "jsonl", "conll", "clingen", "datasets", "xlsx"])
def test_an_import_of_what_is_no_file(form: str, source: str, tmp_path: Path) -> None:
    path = Path(source)
    if source == "a pipe":
        path = tmp_path / "pipe"
        os.mkfifo(path)
    elif source == "a folder":
        path = tmp_path / "folder"
        path.mkdir()
    with pytest.raises(UserError):
        import_data(path, form, TASKS["ncbi-disease"].spec, tmp_path / "made")


def hf() -> Any:
    return importlib.import_module("datasets")


def pa() -> Any:
    return importlib.import_module("pyarrow")


def _parquet_of_one_value(path: Path) -> None:
    """A few hundred bytes that stand for 6 TB: one long text, stored once and named 200,000 times."""
    values = pa().array(["@GENE$ " + "x" * 30_000_000])
    column = pa().DictionaryArray.from_arrays(pa().array([0] * 100_000, pa().int32()), values)
    table = pa().table({"text": column, "label": ["relation"] * 100_000})
    importlib.import_module("pyarrow.parquet").write_table(table, str(path), compression="zstd")


def _arrow_of_nothing(path: Path) -> None:
    """A batch that says that it has two thousand million rows, and needs no byte for them."""
    # Not pyarrow.nulls: that one does take the memory.
    nulls = pa().Array.from_buffers(pa().null(), 2**31 - 1, [None])
    batch = pa().RecordBatch.from_arrays([nulls, nulls], names=["text", "label"])
    ipc: Any = importlib.import_module("pyarrow.ipc")
    with ipc.new_stream(str(path), batch.schema) as stream:
        stream.write_batch(batch)


def _many_rows(path: Path) -> None:
    table = pa().table({"text": ["@GENE$ @DISEASE$"] * 300_000, "label": ["relation"] * 300_000})
    importlib.import_module("pyarrow.parquet").write_table(table, str(path), compression="zstd")


SHEET = "xl/worksheets/sheet1.xml"


def _workbook(path: Path, replaced: str, pieces: Iterable[bytes]) -> None:
    """A workbook one part of which is another."""
    openpyxl: Any = importlib.import_module("openpyxl")
    book = openpyxl.Workbook()
    book.active.append(["text", "label"])
    book.active.append(["@GENE$ in @DISEASE$", "relation"])
    out = io.BytesIO()
    book.save(out)
    with zipfile.ZipFile(out) as old, zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as new:
        for name in old.namelist():
            if name != replaced:
                new.writestr(name, old.read(name))
        with new.open(replaced, "w", force_zip64=True) as part:
            for piece in pieces:
                part.write(piece)


XML = b'<?xml version="1.0"?><worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><sheetData>'
LAUGHS = b"".join(b'<!ENTITY l%d "%s">' % (n, b"&l%d;" % (n - 1) * 10) for n in range(1, 12))


def _bomb(path: Path) -> None:
    _workbook(path, SHEET, [XML, *(b" " * MIB for _ in range(700))])


def _many_cells(path: Path) -> None:
    cell = b'<c t="inlineStr"><is><t>a</t></is></c>'
    _workbook(path, SHEET, [XML, b"<row>", *(cell * 10_000 for _ in range(1_000)), b"</row></sheetData></worksheet>"])


def _laughs(path: Path) -> None:
    head = b'<?xml version="1.0"?><!DOCTYPE x [<!ENTITY l0 "ha">' + LAUGHS + b"]>"
    body = b'<row><c t="inlineStr"><is><t>&l11;</t></is></c></row></sheetData></worksheet>'
    _workbook(path, SHEET, [head, XML.removeprefix(b'<?xml version="1.0"?>'), body])


def _far_cell(path: Path) -> None:
    head = b"".join(b'<c t="inlineStr"><is><t>%s</t></is></c>' % name for name in (b"text", b"label"))
    cells = b'<row r="1">' + head + b"</row>"
    cells += b'<row r="1048576"><c r="XFD1048576"><v>1</v></c></row>'
    _workbook(path, SHEET, [XML, cells, b"</sheetData></worksheet>"])


BINARY: dict[str, tuple[str, str, Callable[[Path], None]]] = {
    "Parquet, one value 100,000 times": ("datasets", "x.parquet", _parquet_of_one_value),
    "Parquet, too many rows": ("datasets", "x.parquet", _many_rows),
    "Arrow, rows of nothing": ("datasets", "x.arrow", _arrow_of_nothing),
    "workbook, 700 MiB of spaces": ("xlsx", "x.xlsx", _bomb),
    "workbook, a row of many cells": ("xlsx", "x.xlsx", _many_cells),
    "workbook, entities of entities": ("xlsx", "x.xlsx", _laughs),
    "workbook, a cell far away": ("xlsx", "x.xlsx", _far_cell),
}


@pytest.mark.slow
@pytest.mark.parametrize("case", BINARY)
def test_an_import_of_a_binary_table_that_swells(case: str, tmp_path: Path) -> None:
    form, name, make = BINARY[case]
    if form == "xlsx":
        pytest.importorskip("openpyxl")
    make(tmp_path / name)
    words = ("import", tmp_path / name, "--format", form, "--task", "gad", "--out", tmp_path / "made")
    # The decoder has limits of its own, which are larger.
    status, _ = attacked(*words, memory=1024)
    assert status == 2
    assert not (tmp_path / "made").exists()


def _dataset() -> Any:
    made = {"text": [f"@GENE$ number {n} in @DISEASE$" for n in range(50)], "label": ["relation", "no_relation"] * 25}
    return hf().Dataset.from_dict(made)


def _damage(path: Path, trial: int) -> None:
    content = bytearray(path.read_bytes())
    for k in range(1 + trial % 3):
        # Anywhere, though by a rule, so that a failure can be seen again.
        content[zlib.crc32(b"%d %d" % (trial, k)) % len(content)] ^= 1 + zlib.crc32(b"%d" % trial) % 255
    path.write_bytes(content[: len(content) - (trial % 5 == 4) * (trial + 1)])


@pytest.mark.parametrize("kind", ["parquet", "arrow"])
@pytest.mark.parametrize("trials", [range(4), pytest.param(range(4, 60), marks=pytest.mark.slow)], ids=["few", "many"])
def test_damaged_tables_end_no_process(kind: str, trials: range, tmp_path: Path) -> None:
    whole = tmp_path / f"whole.{kind}"
    if kind == "parquet":
        _dataset().to_parquet(str(whole))
    else:
        _dataset().save_to_disk(str(tmp_path / "saved"))
        whole.write_bytes(next((tmp_path / "saved").glob("*.arrow")).read_bytes())
    outcomes: list[str] = []
    for trial in trials:
        damaged = tmp_path / f"{trial}.{kind}"
        damaged.write_bytes(whole.read_bytes())
        _damage(damaged, trial)
        try:
            report = import_data(damaged, "datasets", TASKS["gad"].spec, tmp_path / f"made{trial}")
        except UserError:
            outcomes.append("refused")
        else:
            assert report.read <= 50
            outcomes.append("read")
    assert len(outcomes) == len(trials)


TABLE = "data-00000-of-00001.arrow"


def _linked_file(saved: Path) -> None:
    (saved / TABLE).unlink()
    (saved / TABLE).symlink_to(saved.parent / "away" / TABLE)


def _linked_split(saved: Path) -> None:
    (saved / "train").symlink_to(saved.parent / "away")
    (saved / "dataset_dict.json").write_text('{"splits": ["train"]}')


def _written(file: str, text: str) -> Callable[[Path], None]:
    def write(saved: Path) -> None:
        (saved / file).write_text(text.replace("AWAY", str(saved.parent / "away")))

    return write


OUTSIDE: dict[str, Callable[[Path], None]] = {
    "a file of state.json": _written("state.json", f'{{"_data_files": [{{"filename": "../away/{TABLE}"}}]}}'),
    "an absolute file of state.json": _written("state.json", f'{{"_data_files": [{{"filename": "AWAY/{TABLE}"}}]}}'),
    "a split": _written("dataset_dict.json", '{"splits": ["../away"]}'),
    "an absolute split": _written("dataset_dict.json", '{"splits": ["AWAY"]}'),
    "a linked file": _linked_file,
    "a linked split": _linked_split,
    "a state that is deep": _written("state.json", "[" * 900_000),
}


@pytest.mark.parametrize("case", OUTSIDE)
def test_a_dataset_reads_nothing_outside_its_folder(case: str, tmp_path: Path) -> None:
    for name in ("saved", "away"):
        _dataset().save_to_disk(str(tmp_path / name))
    OUTSIDE[case](tmp_path / "saved")
    with pytest.raises(UserError):
        import_data(tmp_path / "saved", "datasets", TASKS["gad"].spec, tmp_path / "made")


def test_links_among_loose_tables_are_not_followed(tmp_path: Path) -> None:
    (tmp_path / "loose").mkdir()
    _dataset().to_parquet(str(tmp_path / "away.parquet"))
    (tmp_path / "loose" / "train.parquet").symlink_to(tmp_path / "away.parquet")
    with pytest.raises(UserError, match="no dataset"):
        import_data(tmp_path / "loose", "datasets", TASKS["gad"].spec, tmp_path / "made")


# ------------------------------------------------------------------ private text


def test_validate_quotes_nothing_of_rows_that_stay_private(tmp_path: Path) -> None:
    private = "Mrs Alvarez fell at home"
    path = folder(tmp_path)
    lines = [
        {"premise": "a", "hypothesis": "b", "label": private},
        {"premise": "a", "hypothesis": "b", private: 1},
        {"premise": "a", "hypothesis": "b", "label": "neutral", private: 1},
        [private],
    ]
    text = "".join(json.dumps(line) + "\n" for line in lines) + f'{{"{private}": 1, "{private}": 2}}\n"{private}\n'
    (path / "data" / "mednli.jsonl").write_text(text)
    report = validate(path)
    assert report.counts["unknown-label"] == 1
    assert private not in f"{report}{report.to_json()}"
    (path / "data" / "mednli.jsonl").rename(path / "data" / "mediqa-rqe.jsonl")
    assert private in str(validate(path)), "an open task may be quoted"
    (path / "data" / ".gitignore").write_text("*\n")
    assert private not in str(validate(path)), "rows that import --private wrote may not"


def test_the_card_of_a_model_is_read_within_the_same_bounds(tmp_path: Path) -> None:
    for number, content in enumerate(("a." * 20_000 + "a = 1", "a = " + "[" * 50_000)):
        place = tmp_path / f"model{number}"
        place.mkdir()
        (place / "direct.toml").write_text(content)
        status, said = attacked("validate", place)
        assert (status, "direct.toml" in said) == (status or 1, True)
