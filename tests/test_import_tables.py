"""Tables and spreadsheets as people have them."""

from __future__ import annotations

import csv
import gzip
import io
import json
from pathlib import Path
from typing import Any

import pytest
from tests.imported import (
    FEVER,
    NER,
    NLI,
    PAIR,
    TOPIC,
    TOPICS,
    bring,
    dropped,
    jsonl,
    make_spec,
    read_rows,
)

from clinsynth.core.errors import UserError
from clinsynth.core.nouns import TaskSpec
from clinsynth.submissions.importing import ImportOptions, format_of, import_data


@pytest.mark.parametrize("delimiter", [",", "\t"])
@pytest.mark.parametrize("packed", [False, True])
def test_tables_round_trip(delimiter: str, packed: bool, tmp_path: Path) -> None:
    texts = ['a, "b"\n c', "tab\there", "🤒 é", "'single'"]
    stream = io.StringIO(newline="")
    writer = csv.writer(stream, delimiter=delimiter)
    writer.writerow(["sentence1", "sentence2", "gold_label", "id"])
    writer.writerows([text, "d e", "entail", n] for n, text in enumerate(texts))
    content = stream.getvalue().encode("utf-8-sig")
    rows, report = bring(tmp_path, gzip.compress(content) if packed else content, "csv", NLI)
    assert rows == [PAIR | {"premise": text} for text in texts]
    assert report.lost == 0
    assert f"columns are separated by {'commas' if delimiter == ',' else 'tabs'}" in report.notes


TABLE_CASES: dict[str, tuple[TaskSpec, str, list[dict[str, Any]], dict[str, int]]] = {
    "ragged": (NLI, "premise,hypothesis,label\na b c,d e,entail\na,b\na,b,entail,c\n\n", [PAIR], {"ragged-row": 2}),
    "joined labels": (TOPICS, "abstract,label\nabout it,Treatment;Case Report\n", [TOPIC], {}),
    "JSON labels": (TOPICS, 'abstract,label\nabout it,"[""Treatment"", ""Case Report""]"\n', [TOPIC], {}),
    "one-hot": (
        TOPICS,
        "text,Treatment,Diagnosis,Case Report\nabout it,1,0,1.0\nx,2,0,0\n",
        [TOPIC],
        {"bad-one-hot": 1},
    ),
    "JSON spans": (NER, 'text,entities\na fever today,"[[2, 7, ""Disease""]]"\n', [FEVER], {}),
    "words and tags": (NER, "words,tags\na fever today,O B-Disease O\na b,O\n", [FEVER], {"tokens-and-tags-differ": 1}),
    "unpaired quotes": (NLI, 'premise\thypothesis\tlabel\n"a b\td e\tentail\n', [PAIR | {"premise": '"a b'}], {}),
}


@pytest.mark.parametrize("case", TABLE_CASES)
def test_tables(case: str, tmp_path: Path) -> None:
    spec, content, expected, losses = TABLE_CASES[case]
    rows, report = bring(tmp_path, content.encode(), "csv", spec)
    assert (rows, dropped(report)) == (expected, losses)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b'premise,hypothesis,label\n"a,b,entail\n', "line 2"),
        ("premise,hypothesis,label\né é,b,entail\n".encode() + b"\xff,b,entail\n", "not UTF-8"),
        (b"premise,hypothesis,label\n\x81,b,entail\n", "not cp1252"),
        (b"PK\x03\x04", "--format xlsx"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "save it as .xlsx"),
        (b"PAR1", "--format datasets"),
        (b"premise,premise,label\n", "twice"),
        (b"", "empty"),
        (gzip.compress(b"premise,hypothesis,label\n", mtime=0)[:-4], "cannot be read"),
    ],
)
def test_tables_that_cannot_be_read(content: bytes, message: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=message):
        bring(tmp_path, content, "csv", NLI)


SHEETS = {
    "semicolons": (b"q1;q2;match\na, b;c;yes\nd;e;no\n", "semicolons"),
    "tabs": (b"q1\tq2\tmatch\na, b\tc\tyes\nd\te\tno\n", "tabs"),
    "Excel's own line": (b"sep=;\r\nq1;q2;match\r\na, b;c;yes\r\nd;e;no\r\n", "semicolons"),
    "old Macintosh": (b"q1;q2;match\ra, b;c;yes\rd;e;no\r", "semicolons"),
    "UTF-16": ("q1\tq2\tmatch\na, b\tc\tyes\nd\te\tno\n".encode("utf-16"), "UTF-16"),
    "UTF-16 without a mark": ("q1\tq2\tmatch\na, b\tc\tyes\nd\te\tno\n".encode("utf-16-le"), "UTF-16"),
    "a mark": ('q1,q2,match\n"a, b",c,yes\nd,e,no\n'.encode("utf-8-sig"), "byte order mark"),
}


@pytest.mark.parametrize("case", SHEETS)
def test_spreadsheet_files_as_people_have_them(case: str, tmp_path: Path) -> None:
    content, said = SHEETS[case]
    columns = {"premise": "q1", "hypothesis": "q2", "label": "match"}
    labels = {"yes": "entail", "no": "not_entail"}
    rows, report = bring(tmp_path, content, "csv", NLI, columns=columns, labels=labels)
    assert rows == [
        {"premise": "a, b", "hypothesis": "c", "label": "entail"},
        {"premise": "d", "hypothesis": "e", "label": "not_entail"},
    ]
    assert any(said in note for note in report.notes)


def test_old_windows_files_are_read_and_that_is_said(tmp_path: Path) -> None:
    rows, report = bring(tmp_path, "premise;hypothesis;label\nNaïve – ja;d;entail\n".encode("cp1252"), "csv", NLI)
    assert rows[0]["premise"] == "Naïve – ja"
    assert any("line 2" in note and "Windows-1252" in note for note in report.notes)


def test_json_lines_in_utf_16(tmp_path: Path) -> None:
    for number, content in enumerate((jsonl(PAIR), json.dumps([PAIR]).encode())):
        out = tmp_path / f"{number}"
        out.mkdir()
        rows, _ = bring(out, content.decode().encode("utf-16"), "jsonl", NLI)
        assert rows == [PAIR]


def test_all_missing_columns_are_named_with_a_guess_that_nothing_is_read_by(tmp_path: Path) -> None:
    pairs = make_spec("pairs", "sentence_similarity", ("same", "different"))
    content = b"id,q1,q2,match\n1,a b,c d,same\n"
    with pytest.raises(UserError, match=r"(?s)text_a and text_b and label.*id, q1, q2, match.*--columns text_a="):
        bring(tmp_path, content, "csv", pairs)
    assert not (tmp_path / "made").exists()
    columns = {"text_a": "q1", "text_b": "q2", "label": "match"}
    assert len(bring(tmp_path, content, "csv", pairs, columns=columns)[0]) == 1


def workbook(path: Path, *sheets: list[list[Any]]) -> Path:
    openpyxl: Any = pytest.importorskip("openpyxl")
    book = openpyxl.Workbook()
    book.remove(book.active)
    for number, rows in enumerate(sheets):
        sheet = book.create_sheet(f"sheet {number}")
        for row in rows:
            sheet.append(row)
    book.save(path)
    return path


def test_a_workbook(tmp_path: Path) -> None:
    rows = [["q1", "q2", None, "Match"], ["a b c", "d e", 7, 1], [], ["f", "g", None, 0.0], ["h", None, None, 1]]
    path = workbook(tmp_path / "pairs.xlsx", rows, [["another"]])
    columns = {"premise": "q1", "hypothesis": "q2", "label": "Match"}
    options = ImportOptions(columns=columns, labels={"1": "entail", "0": "not_entail"})
    report = import_data(path, format_of(path), NLI, tmp_path / "made", options)
    assert (report.kept, dropped(report)) == (2, {"missing-value": 1})
    assert report.dropped["missing-value"].rows == [5], "the row of the sheet"
    assert "the sheet 'sheet 0' was read, no other" in report.notes
    assert [e.labels for e in read_rows(tmp_path / "made", NLI)] == [("entail",), ("not_entail",)]
