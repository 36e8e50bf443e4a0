"""Whatever bytes, values or tables come in: a reader gives rows that pass the checks, or says what is wrong."""

from __future__ import annotations

import csv
import gzip
import io
import json
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from clinsynth.core import TASKS, Example, Row, TaskSpec, UserError
from clinsynth.data import SampleStore
from clinsynth.submissions import Findings, validate
from clinsynth.submissions.card import Card, RealData, to_toml
from clinsynth.submissions.card_file import CardError, find_card, read_card, read_toml
from clinsynth.submissions.importing import ImportOptions, import_data
from clinsynth.submissions.rows import parse_json
from clinsynth.submissions.validation import read_rows
from clinsynth.task_types import TASK_TYPES, task_type

# Deadlines would judge the machine; the examples are the same in every run, so that a failure stays one.
COMMON = settings(
    deadline=None, derandomize=True, max_examples=60, suppress_health_check=[HealthCheck.too_slow], database=None
)  # fmt: skip
SPECS: dict[str, TaskSpec] = {kind: next(t.spec for t in TASKS.values() if t.spec.type == kind) for kind in TASK_TYPES}

SCALARS = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=20),
    st.sampled_from(["relation", "similar", "Disease", "@GENE$ @DISEASE$", "FILL IN: x", "O", "B-Disease", "0", "1"]),
)  # fmt: skip
KEYS = st.one_of(
    st.sampled_from(
        ["text", "label", "labels", "entities", "premise", "hypothesis", "claim", "evidence", "text_a", "text_b",
         "start", "end", "tokens", "ner_tags", "_id", "label_name", "E0", "E1", "sent_a", "sent_b", "Disease", "meta"]
    ),
    st.text(max_size=8),
)  # fmt: skip
VALUES: st.SearchStrategy[Any] = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner, max_size=5), max_leaves=12
)
RECORDS = st.dictionaries(KEYS, VALUES, max_size=6)


_places: list[Path] = []


@pytest.fixture(scope="module", autouse=True)
def places(tmp_path_factory: pytest.TempPathFactory) -> None:
    """A folder for all examples; pytest takes it away."""
    _places.append(tmp_path_factory.mktemp("examples"))


def in_folder(content: bytes, name: str) -> Path:
    """A file of this content, alone in a new folder."""
    place = Path(tempfile.mkdtemp(dir=_places[-1]))
    (place / name).write_bytes(content)
    return place / name


# ------------------------------------------------------------------ cards


@COMMON
@given(st.binary(max_size=400) | st.text(max_size=400).map(lambda text: text.encode("utf-8", "surrogatepass")))
@example(b'name = "\xed\xa0\x80"')
@example(b"a = 0x" + b"f" * 5000)
@example(b"a = 1979-05-27T07:32:00Z")
def test_a_card_of_any_bytes_is_read_or_has_a_problem(content: bytes) -> None:
    path = in_folder(content, "submission.toml")
    findings = Findings()
    card = find_card(path.parent, findings)
    assert card is not None or findings.problems
    str(findings.report(path, {})).encode()


@COMMON
@given(st.dictionaries(KEYS | st.sampled_from(list(Card.model_fields)), VALUES, max_size=8))
def test_a_card_of_any_values_is_read_or_has_a_problem(table: dict[str, Any]) -> None:
    findings = Findings()
    card = read_card(table, "toy", findings)
    assert card is not None or any(problem.severity == "error" for problem in findings.problems)
    str(findings.report(Path("toy"), {}))


PLAIN = st.text(st.characters(min_codepoint=32, max_codepoint=0x7E), min_size=1, max_size=60).filter(str.strip)


@COMMON
@given(PLAIN, st.lists(PLAIN, min_size=1, max_size=3), st.text(max_size=200))
def test_a_card_reads_back_equal(title: str, authors: list[str], details: str) -> None:
    card = Card(
        name="toy", title=title, authors=tuple(authors), generator=title, licence=title,
        real_data=RealData(used="none", details=details),
    )  # fmt: skip
    path = in_folder(to_toml(card).encode("utf-8", "replace"), "submission.toml")
    try:
        table = read_toml(path)
    except CardError as error:  # a surrogate or a carriage return, which TOML does not take
        assert error.problem.reason == "bad-toml"
    else:
        assert read_card(table, "toy", Findings()) is not None


# ------------------------------------------------------------------ rows


@COMMON
@given(st.binary(max_size=300), st.booleans())
def test_a_file_of_any_bytes_is_examples_or_faults(content: bytes, packed: bool) -> None:
    path = in_folder(gzip.compress(content) if packed else content, "x.jsonl.gz" if packed else "x.jsonl")
    for _, item in read_rows(path, SPECS["relation_extraction"]):
        assert isinstance(item, Example) or item.reason


@COMMON
@given(st.sampled_from(sorted(SPECS)), VALUES | RECORDS)
def test_a_row_of_any_values_has_faults_or_reads_back(kind: str, value: Any) -> None:
    spec = SPECS[kind]
    faults = list(task_type(spec).faults(value, spec))
    if not faults:
        made = task_type(spec).decode(value)
        again = task_type(spec).encode(made)
        assert not list(task_type(spec).faults(again, spec))
        assert task_type(spec).decode(again) == made


@COMMON
@given(VALUES)
def test_json_reads_what_json_writes_or_refuses_it(value: Any) -> None:
    text = json.dumps(value)
    try:
        assert parse_json(text) == json.loads(text)
    except ValueError:
        assert any(word in text for word in ("NaN", "Infinity"))


# ------------------------------------------------------------------ imports


def brought(content: bytes, name: str, form: str, spec: TaskSpec, options: ImportOptions | None = None) -> list[Row]:
    """The rows of an import; nothing where it is refused, as it may be."""
    path = in_folder(content, name)
    out = path.parent / "made"
    try:
        report = import_data(path, form, spec, out, options)
    except UserError:
        assert not out.exists()
        return []
    file = out / "data" / f"{spec.name}.jsonl.gz"
    rows = [json.loads(line) for line in gzip.decompress(file.read_bytes()).decode().split("\n") if line]
    assert len(rows) == report.kept
    assert report.read == report.kept + report.lost
    assert not any(fault for row in rows for fault in task_type(spec).faults(row, spec))
    json.loads(report.to_json())
    return rows


@COMMON
@given(
    st.sampled_from(["csv", "jsonl", "conll", "clingen"]), st.sampled_from(sorted(SPECS)),
    st.binary(max_size=300) | st.text(max_size=300).map(lambda text: text.encode("utf-8", "replace")), st.booleans(),
)  # fmt: skip
@example("jsonl", "relation_extraction", b"[1, 2", False)
@example("csv", "relation_extraction", b"text,label\n\0,\0\n", False)
@example("csv", "relation_extraction", "text\tlabel\n\U0001f912\t1".encode("utf-16"), True)
def test_any_bytes_are_imported_or_refused(form: str, kind: str, content: bytes, packed: bool) -> None:
    brought(gzip.compress(content) if packed else content, "x.gz" if packed else "x", form, SPECS[kind])


@COMMON
@given(
    st.sampled_from(["jsonl", "clingen"]), st.sampled_from(sorted(SPECS)), st.lists(RECORDS, max_size=5), st.booleans()
)  # fmt: skip
def test_any_records_are_imported_or_refused(form: str, kind: str, records: list[Row], array: bool) -> None:
    text = json.dumps(records) if array else "".join(json.dumps(record) + "\n" for record in records)
    brought(text.encode(), "x", form, SPECS[kind])


@COMMON
@given(
    st.sampled_from(sorted(SPECS)),
    st.lists(st.lists(st.text(max_size=12), min_size=1, max_size=4), min_size=1, max_size=5),
    st.sampled_from(",;\t|"),
)  # fmt: skip
def test_any_table_is_imported_or_refused(kind: str, table: list[list[str]], delimiter: str) -> None:
    stream = io.StringIO(newline="")
    writer = csv.writer(stream, delimiter=delimiter, escapechar="\\")
    writer.writerow([*task_type(SPECS[kind]).text_keys, task_type(SPECS[kind]).target_key])
    writer.writerows(table)
    brought(stream.getvalue().encode("utf-8", "replace"), "x", "csv", SPECS[kind])


TAGS = st.sampled_from(["O", "B-Disease", "I-Disease", "E-Disease", "S-Disease", "B-Gene", "I-Gene", "B", "I", "X", ""])


@COMMON
@given(st.lists(st.lists(st.tuples(st.text("ab#-", min_size=1, max_size=4), TAGS), max_size=5), max_size=4))
def test_any_tags_are_imported_or_refused(sentences: list[list[tuple[str, str]]]) -> None:
    text = "\n".join("".join(f"{token}\t{tag}\n" for token, tag in sentence) for sentence in sentences)
    for row in brought(text.encode(), "x", "conll", SPECS["named_entity_recognition"]):
        for entity in row["entities"]:
            # An entity is whole tokens.
            assert f" {row['text']} "[entity["start"]] == " "
            assert f" {row['text']} "[entity["end"] + 1] == " "


@pytest.mark.parametrize("kind", sorted(SPECS))
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_rows_come_through_every_import_as_they_were(kind: str, encoding: str) -> None:
    spec = SPECS[kind]
    rows = [task_type(spec).encode(item) for item in SampleStore().examples(TASKS[spec.name], "train")]
    lines = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    assert brought(lines.encode(encoding), "x", "jsonl", spec) == rows
    assert brought(json.dumps(rows).encode(encoding), "x", "jsonl", spec) == rows
    stream = io.StringIO(newline="")
    writer = csv.writer(stream, delimiter=";")
    writer.writerow(rows[0])
    writer.writerows([value if isinstance(value, str) else json.dumps(value) for value in row.values()] for row in rows)
    assert brought(stream.getvalue().encode(encoding), "x", "csv", spec) == rows


def test_what_is_written_by_validate_is_what_was_read() -> None:
    for kind, spec in SPECS.items():
        rows = [task_type(spec).encode(item) for item in SampleStore().examples(TASKS[spec.name], "train")]
        path = in_folder(b"", "submission.toml").parent
        (path / "data").mkdir()
        (path / "data" / f"{spec.name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
        assert validate(path).rows == {spec.name: len(rows)}, kind
