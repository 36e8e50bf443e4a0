"""Other people's data becomes canonical rows, and every record is either kept or counted."""

from __future__ import annotations

import csv
import gzip
import importlib
import io
import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from clinsynth.core.errors import UnknownNameError, UserError
from clinsynth.core.nouns import Example, Span, TaskSpec, TaskTypeName
from clinsynth.submissions import new_submission, read_submission, validate
from clinsynth.submissions.importing import FORMATS, ImportOptions, ImportReport, format_of, import_data
from clinsynth.task_types import task_type


def make_spec(name: str, kind: TaskTypeName, labels: tuple[str, ...], **more: Any) -> TaskSpec:
    return TaskSpec(
        name=name,
        title=name,
        type=kind,
        description="",
        labels=labels,
        label_descriptions=dict.fromkeys(labels, ""),
        metric="accuracy",
        unit="example",
        sources=(),
        rows={},
        licence="",
        access="open",
        homepage="",
        citation="",
        **more,
    )


NLI = make_spec("toy-nli", "natural_language_inference", ("entail", "not_entail"))
OTHER_NLI = make_spec("other-nli", "natural_language_inference", ("entail", "not_entail"))
FACTS = make_spec("toy-facts", "fact_verification", ("Refute", "Support"), clingen_labels=("Refute", "Support"))
MQP = make_spec("mqp", "sentence_similarity", ("same", "different"), clingen_labels=("different", "same"))
NER = make_spec("toy-ner", "named_entity_recognition", ("Disease",))
OTHER_NER = make_spec("other-ner", "named_entity_recognition", ("Disease",))
CASI = make_spec("toy-casi", "attribute_extraction", ("Medication", "Dosage", "Route"))
RE = make_spec(
    "toy-re",
    "relation_extraction",
    ("Has_relation", "No_relation"),
    markers=("@GENE$", "@DISEASE$"),
    clingen_labels=("Has_relation", "No_relation"),
)
TOPICS = make_spec(
    "toy-topics",
    "text_classification",
    ("Case Report", "Treatment", "Diagnosis"),
    multi_label=True,
    clingen_labels=("Treatment", "Diagnosis", "Case Report"),
)


def jsonl(*rows: Any) -> bytes:
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows).encode()


def bring(
    tmp_path: Path, content: bytes, format_name: str, spec: TaskSpec, **options: Any
) -> tuple[list[dict[str, Any]], ImportReport]:
    """Import the content and read it back from the folder that was written."""
    source = tmp_path / ("source.gz" if content.startswith(b"\x1f\x8b") else "source")
    source.write_bytes(content)
    out = tmp_path / "made"
    report = import_data(source, format_name, spec, out, ImportOptions(**options))
    with gzip.open(out / "data" / f"{spec.name}.jsonl.gz", "rt", encoding="utf-8") as stream:
        rows = [json.loads(line) for line in stream]
    assert len(rows) == report.kept
    assert not any(fault for row in rows for fault in task_type(spec).faults(row, spec))
    json.loads(report.to_json())
    return rows, report


def dropped(report: ImportReport) -> dict[str, int]:
    return {reason: tally.count for reason, tally in report.dropped.items()}


def altered(report: ImportReport) -> dict[str, int]:
    return {reason: tally.count for reason, tally in report.altered.items()}


PAIR = {"premise": "a b c", "hypothesis": "d e", "label": "entail"}
FEVER = {"text": "a fever today", "entities": [{"start": 2, "end": 7, "label": "Disease"}]}
TOPIC = {"text": "about it", "labels": ["Case Report", "Treatment"]}
JSONL_CASES: dict[str, tuple[TaskSpec, dict[str, Any], dict[str, Any]]] = {
    "canonical": (NLI, PAIR, PAIR),
    "SNLI": (NLI, {"sentence1": "a b c", "sentence2": "d e", "gold_label": "Entail", "annotator": 3}, PAIR),
    "MedNLI-like": (NLI, {"Sentence_A": "a b c", "Sentence_B": "d e", "answer": "ENTAIL"}, PAIR),
    "questions": (NLI, {"question1": "a b c", "question2": "d e", "label": "ENTAIL"}, PAIR),
    "separators": (NLI, PAIR | {"label": "Not-Entail"}, PAIR | {"label": "not_entail"}),
    "label as a list of one": (NLI, PAIR | {"label": ["entail"]}, PAIR),
    "claim": (
        FACTS,
        {"claim": "a b", "evidence": "c", "label": "support"},
        {"claim": "a b", "evidence": "c", "label": "Support"},
    ),
    "triples": (NER, {"sentence": "a fever today", "spans": [[2, 7, "disease"]]}, FEVER),
    "objects": (NER, {"abstract": "a fever today", "ner": [{"Start_Char": 2, "stop": 7, "type": "DISEASE"}]}, FEVER),
    "doccano": (NER, {"text": "a fever today", "label": [[2, 7, "Disease"]]}, FEVER),
    "lists in an object": (
        NER,
        {"text": "a fever today", "entities": {"start": [2], "end": [7], "label": ["Disease"]}},
        FEVER,
    ),
    "tokens and tags": (NER, {"tokens": ["a", "fever", "today"], "ner_tags": ["O", "B-Disease", "O"]}, FEVER),
    "list of labels": (TOPICS, {"text": "about it", "label": ["treatment", "case_report"]}, TOPIC),
    "joined labels": (TOPICS, {"text": "about it", "labels": "Treatment; case report"}, TOPIC),
    "vector": (TOPICS, {"text": "about it", "labels": [1, 1, 0]}, TOPIC),
    "positions": (TOPICS, {"text": "about it", "labels": [1, 0]}, TOPIC),
    "one-hot columns": (TOPICS, {"text": "about it", "case_report": 1, "treatment": True, "Diagnosis": 0.0}, TOPIC),
    "no label": (TOPICS, {"text": "about it", "labels": []}, {"text": "about it", "labels": []}),
    "emoji": (
        NER,
        {"text": "🤒 fever", "entities": [[2, 7, "Disease"]]},
        {"text": "🤒 fever", "entities": [{"start": 2, "end": 7, "label": "Disease"}]},
    ),
}


@pytest.mark.parametrize("case", JSONL_CASES)
def test_common_column_names(case: str, tmp_path: Path) -> None:
    spec, record, expected = JSONL_CASES[case]
    rows, report = bring(tmp_path, jsonl(record), "jsonl", spec)
    assert rows == [expected]
    assert (report.read, report.lost) == (1, 0)
    assert any(note.startswith("column ") for note in report.notes)


LOST_CASES: dict[str, tuple[TaskSpec, bytes, dict[str, int]]] = {
    "unknown label": (NLI, jsonl(PAIR | {"label": "maybe"}), {"unknown-label": 1}),
    "position out of range": (NLI, jsonl(PAIR | {"label": 2}, PAIR | {"label": -1}), {"unknown-label": 2}),
    "bool is no position": (NLI, jsonl(PAIR | {"label": True}), {"unknown-label": 1}),
    "missing value": (NLI, jsonl({"premise": "a"}, PAIR | {"label": None}), {"missing-value": 2}),
    "text is a number": (NLI, jsonl(PAIR | {"premise": 3}), {"text-not-a-string": 1}),
    "empty text": (NLI, jsonl(PAIR | {"premise": " "}), {"empty-text": 1}),
    "bad lines": (NLI, b"\n{oops\n[1]\n\xff\n", {"bad-json": 1, "not-an-object": 1, "not-utf-8": 1}),
    "deep": (NLI, b"[" * 100_000 + b"\n", {"too-deep": 1}),
    "10 MB line": (NLI, b'{"premise": "' + b"x" * 10_000_000 + b'"}\n', {"line-too-long": 1}),
    "bool as offset": (NER, jsonl({"text": "a b", "spans": [[False, True, "Disease"]]}), {"bad-offsets": 1}),
    "offsets in bytes": (NER, jsonl({"text": "🤒 fever", "spans": [[5, 10, "Disease"]]}), {"bad-offsets": 1}),
    "offsets miss": (
        NER,
        jsonl({"text": "a fever", "spans": [{"start": 1, "end": 6, "label": "Disease", "text": "fever"}]}),
        {"offsets-miss-mention": 1},
    ),
    "no offsets": (
        NER,
        jsonl({"text": "a fever", "spans": [{"text": "fever", "label": "Disease"}]}),
        {"entity-without-offsets": 1},
    ),
    "strings": (NER, jsonl({"text": "a fever", "spans": ["fever"]}), {"bad-entity": 1}),
    "no JSON": (NER, jsonl({"text": "a fever", "spans": "[(2, 7)]"}), {"entities-not-json": 1}),
    "no marker": (RE, jsonl({"text": "no marker", "label": "Has relation"}), {"missing-marker": 1}),
}
KEPT = {
    NLI.name: PAIR,
    NER.name: {"text": "a fever today", "spans": [[2, 7, "Disease"]]},
    RE.name: {"text": "@GENE$ and @DISEASE$", "label": "has-relation"},
}


@pytest.mark.parametrize("case", LOST_CASES)
def test_what_cannot_be_carried_over_is_counted(case: str, tmp_path: Path) -> None:
    spec, content, expected = LOST_CASES[case]
    if not content.endswith(b"\n"):
        content += b"\n"
    rows, report = bring(tmp_path, jsonl(KEPT[spec.name]) + content, "jsonl", spec)
    assert dropped(report) == expected
    assert (len(rows), report.lost, report.read) == (1, sum(expected.values()), 1 + sum(expected.values()))


def test_losses_say_where_first(tmp_path: Path) -> None:
    rows = [PAIR, *[PAIR | {"label": "maybe"}] * 30]
    _, report = bring(tmp_path, jsonl(*rows), "jsonl", NLI)
    assert report.dropped["unknown-label"].count == 30
    assert report.dropped["unknown-label"].rows == list(range(2, 12))
    assert "maybe" in str(report)


def test_nothing_is_written_when_nothing_is_kept(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="unknown-label"):
        bring(tmp_path, jsonl(PAIR | {"label": "maybe"}), "jsonl", NLI)
    assert not (tmp_path / "made").exists()


def test_explicit_columns_and_labels(tmp_path: Path) -> None:
    record = {"text": "x", "sentence1": "y", "p": "a b c", "q": "d e", "label": "wrong", "rel": "E"}
    columns = {"premise": "p", "hypothesis": "q", "label": "rel"}
    rows, report = bring(tmp_path, jsonl(record), "jsonl", NLI, columns=columns, labels={"E": "entail"})
    assert rows == [PAIR]
    assert "column 'rel' became 'label'" in report.notes
    assert any("not used: text, sentence1, label" in note for note in report.notes)
    assert "labels: E -> entail" in report.notes


def test_explicit_one_hot_columns_and_left_out_types(tmp_path: Path) -> None:
    record = {"text": "about it", "cr": "1", "t": "yes", "d": "", "label": 9}
    columns = {"Case Report": "cr", "Treatment": "t", "Diagnosis": "d"}
    assert bring(tmp_path, jsonl(record), "jsonl", TOPICS, columns=columns)[0] == [TOPIC]
    record = {"text": "a fever today", "spans": [[2, 7, "Disease"], [8, 13, "Time"]]}
    rows, report = bring(tmp_path, jsonl(record), "jsonl", NER, labels={"Time": ""})
    assert rows == [FEVER]
    assert altered(report) == {"entity-left-out": 1}


REFUSED: dict[str, tuple[TaskSpec, bytes, dict[str, Any], str]] = {
    "no text column": (NLI, jsonl({"a": 1, "label": 0}), {}, "premise and hypothesis"),
    "no label column": (NLI, jsonl({"premise": "a", "hypothesis": "b"}), {}, "recognised as label"),
    "half a pair": (NLI, jsonl({"x": "a", "y": "b", "label": 0}), {"columns": {"premise": "x"}}, "hypothesis"),
    "one-hot incomplete": (TOPICS, jsonl({"text": "a", "Treatment": 1}), {}, "Case Report, Diagnosis"),
    "unknown key": (NLI, jsonl(PAIR), {"columns": {"text": "premise"}}, "nothing a column can become"),
    "unknown column": (NLI, jsonl(PAIR), {"columns": {"premise": "x"}}, "no column 'x'"),
    "unknown own label": (NLI, jsonl(PAIR), {"labels": {"x": "maybe"}}, "mapped to 'maybe'"),
    "swap of three": (TOPICS, jsonl(TOPIC), {"swap_labels": True}, "cannot be swapped"),
    "truncated": (NLI, gzip.compress(jsonl(*[PAIR] * 50))[:-20], {}, "bad-gzip"),
    "bad array": (NLI, b'[{"premise": "a"', {}, "bad-json"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_a_guess_is_never_made(case: str, tmp_path: Path) -> None:
    spec, content, options, message = REFUSED[case]
    with pytest.raises(UserError, match=message):
        bring(tmp_path, content, "jsonl", spec, **options)
    assert not (tmp_path / "made").exists()


def test_numbers_of_three_labels_are_positions_and_that_is_said(tmp_path: Path) -> None:
    three = make_spec("toy-three", "natural_language_inference", ("entail", "not_entail", "neutral"))
    values = [1, "0", 2.0, "2.0"]
    rows, report = bring(tmp_path, jsonl(*(PAIR | {"label": value} for value in values)), "jsonl", three)
    assert [row["label"] for row in rows] == ["not_entail", "entail", "neutral", "neutral"]
    assert any("0 = entail, 1 = not_entail, 2 = neutral" in note for note in report.notes)


@pytest.mark.parametrize("values", [(0, 1), ("0", "1"), (0.0, 1.0), ("0.0", "1.0")])
@pytest.mark.parametrize("form", ["jsonl", "csv"])
def test_numbers_of_two_labels_are_not_read_before_their_meaning_is_given(
    form: str, values: tuple[Any, Any], tmp_path: Path
) -> None:
    records = [PAIR | {"label": value} for value in values]
    content = jsonl(*records)
    if form == "csv":
        content = "\n".join(["premise,hypothesis,label", *(f"a b c,d e,{value}" for value in values)]).encode()
    with pytest.raises(UserError, match=r"(?s)two labels.*--label 0='entail' --label 1='not_entail'"):
        bring(tmp_path, content, form, NLI)
    assert not (tmp_path / "made").exists()
    rows, _ = bring(tmp_path, content, form, NLI, labels={"1": "entail", "0": "Not-Entail"})
    assert [row["label"] for row in rows] == ["not_entail", "entail"]
    other = tmp_path / "half"
    other.mkdir()
    with pytest.raises(UserError, match="two labels"):
        bring(other, content, form, NLI, labels={"1": "entail"})


def test_an_explicit_label_is_compared_without_case_and_must_be_met(tmp_path: Path) -> None:
    rows, _ = bring(tmp_path, jsonl(PAIR | {"label": "YES"}), "jsonl", NLI, labels={"yes": "ENTAIL"})
    assert rows == [PAIR]
    with pytest.raises(UserError, match=r"(?s)nothing in it is labelled ja.*found: nein"):
        bring(tmp_path, jsonl(PAIR, PAIR | {"label": "nein"}), "jsonl", OTHER_NLI, labels={"ja": "entail"})


def test_a_json_array_and_a_byte_order_mark(tmp_path: Path) -> None:
    assert bring(tmp_path, b" \n" + json.dumps([PAIR, 3]).encode(), "jsonl", NLI)[1].lost == 1
    (tmp_path / "made" / "data" / "toy-nli.jsonl.gz").unlink()
    rows, report = bring(tmp_path, b"\xef\xbb\xbf" + jsonl(PAIR), "jsonl", NLI)
    assert rows == [PAIR]
    assert "a byte order mark was passed over" in report.notes


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


CONLL = """-DOCSTART- -X- O O

# a comment
Renal {b}
failure {i}
and {o}
flu {s}
# O
"""
SCHEMES = {
    "IOB1": ("I-Disease", "I-Disease", "I-Disease", 2),
    "IOB2": ("B-Disease", "I-Disease", "B-Disease", 0),
    "IOBES": ("B-disease", "E-disease", "S-disease", 0),
    "BILOU": ("B-DISEASE", "L-DISEASE", "U-DISEASE", 0),
    "bare": ("B", "I", "B", 0),
}


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("separator", [" ", "\t", " NN x ", "\tNN\t"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_tagging_schemes(scheme: str, separator: str, end: str, tmp_path: Path) -> None:
    b, i, s, repairs = SCHEMES[scheme]
    body = CONLL.format(b=b, i=i, s=s, o="O").replace("# a", "#\0a").replace("-DOCSTART- ", "-DOCSTART-\0")
    text = "\n".join(line.replace(" ", separator).replace("\0", " ") for line in body.split("\n"))
    text = text.replace(f"comment{separator}", "comment ")
    rows, report = bring(tmp_path, text.replace("\n", end).encode(), "conll", NER)
    assert rows == [
        {
            "text": "Renal failure and flu #",
            "entities": [{"start": 0, "end": 13, "label": "Disease"}, {"start": 18, "end": 21, "label": "Disease"}],
        }
    ]
    assert altered(report) == ({"entity-begins-without-B": repairs} if repairs else {})
    assert "2 comments and document marks were skipped" in report.notes


TAG_CASES: dict[str, tuple[TaskSpec, list[str], list[tuple[int, int]] | str]] = {
    # tokens are a b c d, so that token n covers characters 2n to 2n + 1
    "IOB1 neighbours": (NER, ["I-Disease", "B-Disease", "I-Disease", "O"], [(0, 1), (2, 5)]),
    "IOB2 neighbours": (NER, ["B-Disease", "B-Disease", "I-Disease", "O"], [(0, 1), (2, 5)]),
    "singles": (NER, ["S-Disease", "S-Disease", "O", "S-Disease"], [(0, 1), (2, 3), (6, 7)]),
    "closed, then inside": (NER, ["B-Disease", "E-Disease", "I-Disease", "O"], [(0, 3), (4, 5)]),
    "types change": (CASI, ["B-Dosage", "I-Route", "O", "O"], [(0, 1), (2, 3)]),
    "all outside": (NER, ["O", "O", "O", "O"], []),
    "another type": (NER, ["B-Drug", "I-Drug", "B-Disease", "O"], [(4, 5)]),
    "another type beside": (NER, ["B-Disease", "I-Drug", "I-Disease", "O"], [(0, 1), (4, 5)]),
    "no type": (CASI, ["B", "O", "O", "O"], "tag-without-type"),
    "no tag": (NER, ["X", "O", "O", "O"], "unknown-tag"),
}


@pytest.mark.parametrize("case", TAG_CASES)
def test_tags_to_spans(case: str, tmp_path: Path) -> None:
    spec, tags, expected = TAG_CASES[case]
    body = "".join(f"{token}\t{tag}\n" for token, tag in zip("abcd", tags, strict=True))
    rows, report = bring(tmp_path, f"kept\tO\n\n\n{body}".encode(), "conll", spec)
    if isinstance(expected, str):
        assert dropped(report) == {expected: 1}
        assert report.dropped[expected].rows == [4]
    else:
        assert [(e["start"], e["end"]) for e in rows[1]["entities"]] == expected


def test_types_that_are_not_the_tasks_are_left_out_and_counted_or_refused(tmp_path: Path) -> None:
    both = b"gout\tB-Disease\nand\tO\naspirin\tB-Chemical\n\nibuprofen\tB-Chemical\n"
    rows, report = bring(tmp_path, both, "conll", NER)
    assert [len(row["entities"]) for row in rows] == [1, 0]
    assert (altered(report), report.altered["other-type"].example) == ({"other-type": 2}, "Chemical")
    for form, content in (("conll", both), ("jsonl", jsonl({"text": "a b", "spans": [[0, 1, "Chemical"]]}))):
        with pytest.raises(UserError, match=r"(?s)not the task's.*Chemical"):
            bring(tmp_path, content, form, OTHER_NER, strict_types=True)
    with pytest.raises(UserError, match=r"(?s)no entity in it is of a type of the task.*Chemical"):
        bring(tmp_path, b"ibuprofen\tB-Chemical\n", "conll", CASI)


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


def test_the_form_is_in_the_name_or_must_be_given() -> None:
    names = {"a.csv": "csv", "a.TSV.gz": "csv", "a.json": "jsonl", "a.parquet": "datasets", "a.xlsx": "xlsx"}
    assert {name: format_of(Path(name)) for name in names} == names
    with pytest.raises(UserError, match="--format"):
        format_of(Path("a.txt"))


@pytest.mark.parametrize("form", ["jsonl", "csv", "conll"])
def test_nothing_of_private_rows_is_quoted(form: str, tmp_path: Path) -> None:
    hidden = "Mrs Alvarez"
    content = {
        "jsonl": jsonl(FEVER, {"text": hidden, "entities": [[0, 3, hidden]]}, {hidden: 1}, {"text": hidden})
        + f'{{"{hidden}": 1, "{hidden}": 2}}\n{{"{hidden}\n'.encode(),
        "csv": (
            f'text,entities,{hidden}\nx,"[[0, 1, ""Disease""]]",1\ny,{hidden},1\n'
            f'z,"[[0, 1, ""{hidden}""]]",1\n{hidden}\n'
        ).encode(),
        "conll": f"gout\tB-Disease\n\n{hidden}\n\n{hidden}\tB-{hidden}\n\nx\t{hidden}\n".encode(),
    }[form]
    rows, report = bring(tmp_path, content, form, NER, private=True)
    assert rows
    assert report.dropped
    said = f"{report}\n{report.to_json()}"
    assert hidden not in said
    with pytest.raises(UserError) as refused:
        bring(tmp_path, f"{hidden}\n{hidden}\n".encode(), "csv", CASI, private=True)
    assert hidden not in str(refused.value)
    closed = replace(NLI, access="credentialed")
    with pytest.raises(UserError) as refused:
        bring(tmp_path, jsonl(PAIR | {"label": hidden}), "jsonl", closed)
    assert hidden not in str(refused.value)


def test_conll_is_for_spans_and_counts_lines_without_tags(tmp_path: Path) -> None:
    _, report = bring(tmp_path, b"a O\n\nb\nc O\n\nd O\n", "conll", NER)
    assert (report.kept, dropped(report)) == (2, {"no-tag": 1})
    with pytest.raises(UserError, match="no spans"):
        bring(tmp_path, b"a O\n", "conll", NLI)


def hf() -> Any:
    return importlib.import_module("datasets")


def test_datasets_round_trip(tmp_path: Path) -> None:
    features = hf().Features(
        {
            "sentence1": hf().Value("string"),
            "sentence2": hf().Value("string"),
            # Another order than the spec's: names count, numbers do not.
            "label": hf().ClassLabel(names=["Not Entail", "Entail"]),
        }
    )
    made = {"sentence1": ["a b c"] * 3, "sentence2": ["d e"] * 3, "label": [1, 0, -1]}
    dataset = hf().Dataset.from_dict(made, features=features)
    expected = [PAIR, PAIR | {"label": "not_entail"}]
    dataset.save_to_disk(str(tmp_path / "saved"))
    hf().DatasetDict({"test": dataset.select([0]), "train": dataset}).save_to_disk(str(tmp_path / "splits"))
    (tmp_path / "files" / "data").mkdir(parents=True)
    dataset.to_parquet(str(tmp_path / "files" / "data" / "train-00000-of-00001.parquet"))
    dataset.select([1]).to_parquet(str(tmp_path / "files" / "data" / "test-00000-of-00001.parquet"))
    arrow = next((tmp_path / "saved").glob("*.arrow"))
    for number, source in enumerate((tmp_path / "saved", tmp_path / "splits", tmp_path / "files", arrow)):
        out = tmp_path / f"out{number}"
        report = import_data(source, "datasets", NLI, out)
        assert (report.kept, dropped(report)) == (2, {"missing-value": 1})
        examples = read_rows(out, NLI)
        assert [task_type(NLI).encode(example) for example in examples] == expected


def test_datasets_with_tags_and_with_structs(tmp_path: Path) -> None:
    tags = hf().ClassLabel(names=["O", "B-Disease", "I-Disease"])
    features = hf().Features({"tokens": hf().List(hf().Value("string")), "ner_tags": hf().List(tags)})
    dataset = hf().Dataset.from_dict({"tokens": [["a", "fever", "today"]], "ner_tags": [[0, 1, 0]]}, features=features)
    dataset.to_parquet(str(tmp_path / "a.parquet"))
    import_data(tmp_path / "a.parquet", "datasets", NER, tmp_path / "tags")
    dataset = hf().Dataset.from_dict(
        {"text": ["a fever today"], "entities": [[{"start": 2, "end": 7, "label": "Disease"}]]}
    )
    dataset.save_to_disk(str(tmp_path / "b"))
    import_data(tmp_path / "b", "datasets", NER, tmp_path / "structs")
    plain = {"tokens": [["a", "fever", "today"]], "tags": [[0, 1, 0]]}
    hf().Dataset.from_dict(plain).to_parquet(str(tmp_path / "c.parquet"))
    numbers = ImportOptions(labels={"0": "O", "1": "B-Disease"})
    import_data(tmp_path / "c.parquet", "datasets", NER, tmp_path / "numbers", numbers)
    with pytest.raises(UserError, match="unknown-tag"):
        import_data(tmp_path / "c.parquet", "datasets", NER, tmp_path / "unexplained")
    for name in ("tags", "structs", "numbers"):
        assert read_rows(tmp_path / name, NER) == [Example(("a fever today",), spans=(Span(2, 7, "Disease"),))]


def test_what_is_no_dataset(tmp_path: Path) -> None:
    (tmp_path / "bad.parquet").write_bytes(b"PAR1 no")
    (tmp_path / "empty").mkdir()
    (tmp_path / "text.txt").write_text("x")
    for name in ("bad.parquet", "empty", "text.txt"):
        with pytest.raises(UserError):
            import_data(tmp_path / name, "datasets", NLI, tmp_path / "out")
    hf().DatasetDict({k: hf().Dataset.from_dict({"a": [1]}) for k in ("test", "dev")}).save_to_disk(
        str(tmp_path / "two")
    )
    with pytest.raises(UserError, match="none is named train"):
        import_data(tmp_path / "two", "datasets", NLI, tmp_path / "out")


def read_rows(out: Path, spec: TaskSpec) -> list[Example]:
    """The rows of a folder whose card is still to be filled in."""
    card = out / "submission.toml"
    card.write_text(card.read_text().replace("FILL IN", "filled"))
    return read_submission(out, specs={spec.name: spec}).rows(spec.name)


Kept = dict[str, Any] | None
CLINGEN_CASES: dict[str, tuple[TaskSpec, dict[str, Any], Kept, dict[str, int]]] = {
    "topics, one-hot": (TOPICS, {"_id": [1, 0, 1], "text": "about it", "keyword": "k"}, TOPIC, {}),
    "topic, position": (TOPICS, {"_id": 2, "text": "about it"}, {"text": "about it", "labels": ["Case Report"]}, {}),
    "relation": (
        RE,
        {"_id": 1, "label_name": "No_relation", "E0": "x", "E1": "y", "text": "@GENE$ in @DISEASE$"},
        {"text": "@GENE$ in @DISEASE$", "label": "No_relation"},
        {},
    ),
    "relation, vector": (
        RE,
        {"_id": [1, 0], "text": "@GENE$ in @DISEASE$"},
        {"text": "@GENE$ in @DISEASE$", "label": "Has_relation"},
        {},
    ),
    "relation, markers rebuilt": (
        RE,
        {"_id": 0, "E0": "brca1", "E1": "Breast Cancer", "text": "BRCA1 (not BRCA12) in breast cancer."},
        {"text": "@GENE$ (not BRCA12) in @DISEASE$.", "label": "Has_relation"},
        {"markers-rebuilt": 1},
    ),
    "relation, one mention in the other": (
        RE,
        {"_id": 0, "E0": "apc", "E1": "APC loss", "text": "APC loss after apc and APC"},
        {"text": "@DISEASE$ after @GENE$ and APC", "label": "Has_relation"},
        {"markers-rebuilt": 1, "mention-occurs-often": 1},
    ),
    "relation, mention absent": (
        RE,
        {"_id": 0, "E0": "x", "E1": "y", "text": "only x"},
        None,
        {"mention-not-in-text": 1},
    ),
    "relation, one marker": (RE, {"_id": 0, "E0": "x", "E1": "y", "text": "@GENE$ y"}, None, {"missing-marker": 1}),
    "relation, disagreement": (
        RE,
        {"_id": 0, "label_name": "No_relation", "text": "@GENE$ in @DISEASE$"},
        None,
        {"label-disagreement": 1},
    ),
    "no label": (RE, {"text": "@GENE$ in @DISEASE$"}, None, {"missing-label": 1}),
    "out of range": (RE, {"_id": 5, "text": "@GENE$ in @DISEASE$"}, None, {"unknown-label": 1}),
    "entities": (NER, {"Sentence": "A Fever today", "Disease": ["fever"]}, FEVER | {"text": "A Fever today"}, {}),
    "entities, absent and repeated": (
        NER,
        {"Sentence": "flu or flu, not influflu", "Disease": ["flu", "cold", " ", 3]},
        {
            "text": "flu or flu, not influflu",
            "entities": [{"start": s, "end": s + 3, "label": "Disease"} for s in (0, 7)],
        },
        {"mention-empty": 2, "mention-not-in-text": 1, "mention-occurs-often": 1},
    ),
    "entities, nested": (
        NER,
        {"Sentence": "renal failure", "Disease": ["failure", "renal failure"]},
        {"text": "renal failure", "entities": [{"start": 0, "end": 13, "label": "Disease"}]},
        {"mention-within-another": 1},
    ),
    "entities, other key": (NER, {"Sentence": "a fever", "Chemical": ["x"]}, None, {"missing-entities": 1}),
    "entities, no list": (NER, {"Sentence": "a fever", "Disease": "fever"}, None, {"entities-not-a-list": 1}),
    "attributes": (
        CASI,
        {"sentence": "take 5 mg aspirin", "medication": ["aspirin"], "dosage": ["5 mg"], "route": []},
        {
            "text": "take 5 mg aspirin",
            "entities": [{"start": 5, "end": 9, "label": "Dosage"}, {"start": 10, "end": 17, "label": "Medication"}],
        },
        {},
    ),
    "facts": (
        FACTS,
        {"_id": 1, "label": "x", "sent_a": "a", "sent_b": "b"},
        {"claim": "a", "evidence": "b", "label": "Support"},
        {},
    ),
    "pair, other names": (
        FACTS,
        {"_id": 0, "text_a": "a", "text_b": "b"},
        {"claim": "a", "evidence": "b", "label": "Refute"},
        {},
    ),
    "pair, no order": (
        NLI,
        {"_id": 0, "label": "Not_entail", "sent_a": "a", "sent_b": "b"},
        {"premise": "a", "hypothesis": "b", "label": "not_entail"},
        {},
    ),
    "pair, half": (FACTS, {"_id": 0, "sent_a": "a"}, None, {"missing-key": 1}),
}
FILLER: dict[str, dict[str, Any]] = {
    "toy-re": {"_id": 0, "text": "@GENE$ so @DISEASE$"},
    "toy-ner": {"Sentence": "none", "Disease": []},
    "toy-facts": {"_id": 0, "sent_a": "x", "sent_b": "y"},
}


@pytest.mark.parametrize("case", CLINGEN_CASES)
def test_released_clingen_forms(case: str, tmp_path: Path) -> None:
    spec, record, expected, counts = CLINGEN_CASES[case]
    rows, report = bring(tmp_path, jsonl(record, *([FILLER[spec.name]] if expected is None else [])), "clingen", spec)
    if expected is None:
        assert (dropped(report), altered(report)) == (counts, {})
    else:
        assert (rows, dropped(report), altered(report)) == ([expected], {}, counts)


def test_mqp_is_warned_of_and_swapped_only_if_asked(tmp_path: Path) -> None:
    pairs = jsonl({"_id": 0, "sent_a": "a", "sent_b": "b"}, {"_id": 1, "sent_a": "a", "sent_b": "b"})
    rows, report = bring(tmp_path, pairs, "clingen", MQP)
    assert [row["label"] for row in rows] == ["different", "same"]
    assert "swaps the definitions" in report.warnings[0]
    assert "as given" in report.warnings[0]
    (tmp_path / "made" / "data" / "mqp.jsonl.gz").unlink()
    rows, report = bring(tmp_path, pairs, "clingen", MQP, swap_labels=True)
    assert [row["label"] for row in rows] == ["same", "different"]
    assert any("swapped" in note for note in report.notes)


def test_a_second_task_joins_the_folder_and_nothing_is_replaced(tmp_path: Path) -> None:
    bring(tmp_path, jsonl(PAIR), "jsonl", NLI)
    card = tmp_path / "made" / "submission.toml"
    card.write_text(f"# kept\n{card.read_text()}")
    bring(tmp_path, jsonl(FEVER), "jsonl", NER, private=True)
    assert card.read_text().startswith("# kept\n")
    assert (tmp_path / "made" / "data" / ".gitignore").read_text() == "*\n"
    report = validate(tmp_path / "made", specs={"toy-nli": NLI, "toy-ner": NER})
    assert report.rows == {"toy-ner": 1, "toy-nli": 1}
    assert report.counts["fill-in"] == 5
    with pytest.raises(UserError, match="exists"):
        bring(tmp_path, jsonl(PAIR), "jsonl", NLI)


def test_a_new_skeleton_is_imported_into_and_its_card_is_left_alone(tmp_path: Path) -> None:
    path = new_submission("made", tmp_path)
    before = (path / "submission.toml").read_text()
    bring(tmp_path, jsonl(PAIR), "jsonl", NLI)
    assert (path / "submission.toml").read_text() == before


def test_formats_are_known_by_name(tmp_path: Path) -> None:
    assert sorted(FORMATS) == ["clingen", "conll", "csv", "datasets", "jsonl", "xlsx"]
    with pytest.raises(UnknownNameError, match="jsonl"):
        import_data(tmp_path, "json", NLI, tmp_path / "out")
    with pytest.raises(UserError, match="nothing at"):
        import_data(tmp_path / "none", "jsonl", NLI, tmp_path / "out")
    with pytest.raises(UserError, match="cannot name"):
        import_data(tmp_path, "jsonl", NLI, tmp_path / "Bad Name")


def test_the_import_is_light() -> None:
    code = (
        "import sys, clinsynth.submissions.importing as i, clinsynth.submissions; list(i.FORMATS); print(*sys.modules)"
    )
    command = [sys.executable, "-c", code]
    loaded = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()  # noqa: S603 - our own code
    assert not {"torch", "datasets", "pandas", "pyarrow", "numpy"} & set(loaded)
