"""Other people's data becomes canonical rows, and every record is either kept or counted."""

from __future__ import annotations

import gzip
import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.imported import (
    CASI,
    FACTS,
    FEVER,
    NER,
    NLI,
    OTHER_NLI,
    PAIR,
    RE,
    TOPIC,
    TOPICS,
    altered,
    bring,
    dropped,
    jsonl,
    make_spec,
)

from clinsynth.core.errors import UnknownNameError, UserError
from clinsynth.core.nouns import TaskSpec
from clinsynth.submissions import new_submission, validate
from clinsynth.submissions.importing import FORMATS, format_of, import_data

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
