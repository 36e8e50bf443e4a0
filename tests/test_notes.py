"""Case reports, notes with requests and answers, and rows taken from them."""

import csv
import gzip
import importlib
import json
import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from clinsynth.cli import main
from clinsynth.core.errors import NotPreparedError, UserError
from clinsynth.core.nouns import Example, Row
from clinsynth.core.registry import TASKS
from clinsynth.generation.baseline import BASELINES, Budget, Tally, TaskView, Tools, class_of
from clinsynth.generation.notes import KINDS, Note, NotesRequest, NoteWriter, Report, make_notes, read_reports
from clinsynth.generation.notes.corpus import NoteRow, read_table, table_text
from clinsynth.generation.notes.writer import read_seeds, shortened, tokens
from clinsynth.llm.requests import Answer, BudgetSpentError, Mode, Prompt
from clinsynth.task_types import task_type

MODES: tuple[Mode, ...] = ("chat", "completion")
ONE_OF_EACH = ("hoc", "gad", "mednli", "mediqa-rqe", "healthver", "mqp", "ncbi-disease", "casi")
SYLLABLES = ("ba", "ce", "di", "fo", "gu", "ka", "le", "mi", "no", "pu", "ra", "se", "ti", "vo", "zu")


def word(*number: int) -> str:
    return "".join(SYLLABLES[int(k)] for k in np.random.default_rng(number).integers(len(SYLLABLES), size=4))


def sentence(*number: int, length: int = 9) -> str:
    return " ".join(word(*number, k) for k in range(length)).capitalize() + "."


def what(prompt: Prompt) -> str:
    """Which step a prompt belongs to."""
    if prompt.schema is not None:
        return "row"
    if "discharge summary" in prompt.text:
        return "note"
    return "answer" if "Answer it" in prompt.text or prompt.text.endswith("Answer:") else "question"


def obedient(prompt: Prompt, number: int) -> Answer:
    """What a good model would answer; every text its own."""
    match what(prompt):
        case "note":
            text = " ".join(sentence(number, k) for k in range(6))
        case "question":
            text = f"- Why was {word(number)} given {word(number, 1)}?"
        case "answer":
            text = sentence(number)
        case _:
            text = _row(prompt, number)
    return Answer(text=text, finish="stop")


def _row(prompt: Prompt, number: int) -> str:
    assert prompt.schema is not None
    given = re.findall(r"(?:note|[Ss]entence): ([A-Z][^\n.]+)\.", prompt.text)
    names = [f"{key}{number}" for key in ("gene", "disease") if key in prompt.schema["properties"]]
    markers = " and ".join(names or sorted(set(re.findall(r"@\w+\$", prompt.text))))
    value: dict[str, Any] = {}
    for place, (key, kind) in enumerate(prompt.schema["properties"].items()):
        listed = [given[-1].split()[1]] if given and place == 0 else []
        text = names[place] if place < len(names) else f"{markers} {sentence(number, place)}"
        value[key] = text if kind["type"] == "string" else listed
    return json.dumps(value)


def always(text: str, finish: Any = "stop") -> Callable[[Prompt, int], Answer]:
    def write(prompt: Prompt, number: int) -> Answer:
        return Answer(text=text, finish=finish)

    return write


@dataclass
class Script:
    """A model whose answers are a function of the prompt and of how many it had before."""

    write: Callable[[Prompt, int], Answer] = obedient
    mode: Mode = "chat"
    model: str = "script"
    rounds: list[list[Prompt]] = field(default_factory=list[list[Prompt]])
    spent_after: int = 10**9

    @property
    def prompts(self) -> list[Prompt]:
        return [prompt for asked in self.rounds for prompt in asked]

    def ask(self, prompts: Sequence[Prompt]) -> Iterator[Answer]:
        before = len(self.prompts)
        self.rounds.append(list(prompts))
        for k, prompt in enumerate(prompts):
            if before + k >= self.spent_after:
                raise BudgetSpentError
            yield self.write(prompt, before + k)


def request(out: Path, rows: int = 10, seed: int = 42) -> NotesRequest:
    return NotesRequest(reports=read_reports("builtin"), rows=rows, out=out, seed=seed)


def table(out: Path) -> list[dict[str, str]]:
    with (out / "notes.csv").open(newline="", encoding="utf-8") as stream:
        return list(csv.DictReader(stream))


def test_a_dozen_reports_come_along() -> None:
    reports = read_reports("builtin")
    assert len(reports.items) == 12
    assert not reports.dropped
    assert all(120 <= len(report.text.split()) <= 260 for report in reports.items)
    assert len({report.id for report in reports.items}) == 12


ROWS = [
    NoteRow("1-1", 'A note, "quoted"\nover lines.', "What?", "", "Summarization"),
    NoteRow("2-1", "Ä", "Who?", "x", "y"),
    NoteRow("3-1", "- fever\n- cough", "=1+1?", "'=1+1", "'t is so"),
]


@pytest.mark.parametrize("form", ["folder", "csv", "csv.gz", "jsonl", "jsonl.gz"])
def test_the_table_is_read_in_its_forms(form: str, tmp_path: Path) -> None:
    path = tmp_path / ("notes.csv" if form == "folder" else f"any.{form}")
    text = "\n".join(json.dumps(asdict(row)) for row in ROWS) if "jsonl" in form else table_text(ROWS)
    raw = text.encode()
    path.write_bytes(gzip.compress(raw) if form.endswith(".gz") else raw)
    assert read_table(tmp_path if form == "folder" else path) == ROWS


@pytest.mark.parametrize(
    ("name", "text", "what"),
    [
        ("a.csv", "note,question,answer\nx,y,z\n", "line 2 is no row of notes"),
        ("a.csv", "note,question,answer,task\nx,y\n", "no text for answer, task"),
        ("a.csv", 'note,question,answer,task\n"x,y,z,k\n', "is no CSV"),
        ("a.csv", "note,question,answer,task\n", "has no rows"),
        ("a.jsonl", '{"note": "x"}\n', "line 1 is no row of notes"),
        ("a.jsonl", '[1]\n{"note": 1', "line 1 is no row of notes"),
        ("a.jsonl", "\nno", "line 2 is no JSON"),
        ("a.txt", "x", "unknown form"),
        ("a.csv.gz", "x", "cannot be read"),
        ("b/none", "x", "cannot be read"),
    ],
)
def test_what_is_no_table_is_said(name: str, text: str, what: str, tmp_path: Path) -> None:
    if "/" not in name:
        (tmp_path / name).write_text(text)
    with pytest.raises(UserError, match=what):
        read_table(tmp_path / name)


TEXTS = [" ".join(word(k, n) for n in range(50)) for k in range(3)]


@pytest.mark.parametrize("form", ["csv", "csv.gz", "json", "jsonl", "parquet"])
def test_pmc_patients_is_read_in_its_forms(form: str, tmp_path: Path) -> None:
    entries: list[dict[str, Any]] = [{"patient_uid": f"1{k}-1", "title": "x", "patient": text}
                                     for k, text in enumerate([*TEXTS, "too short", "", TEXTS[0]])]  # fmt: skip
    path = tmp_path / f"PMC-Patients.{form}"
    if form == "parquet":
        arrow: Any = importlib.import_module("pyarrow")
        importlib.import_module("pyarrow.parquet").write_table(arrow.Table.from_pylist(entries), path)
    elif form.startswith("csv"):
        with gzip.open(path, "wt") if form.endswith("gz") else path.open("w", newline="") as stream:
            writer = csv.DictWriter(stream, list(entries[0]))
            writer.writeheader()
            writer.writerows(entries)
    else:
        path.write_text(json.dumps(entries) if form == "json" else "\n".join(map(json.dumps, entries)))
    reports = read_reports(str(path))
    assert [(report.id, report.text) for report in reports.items] == [(f"1{k}-1", text) for k, text in enumerate(TEXTS)]
    assert reports.dropped == {"short": 1, "empty": 1, "repeated": 1}


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("none.csv", None, "no case reports at"),
        ("x.csv", "a,b\n1,2\n", "no column 'patient'"),
        ("x.txt", "text", "unknown form"),
        ("x.json", "{", "cannot be read"),
        ("x.csv", "patient\nshort\n", "holds no case report"),
    ],
)
def test_what_is_no_file_of_reports(name: str, content: str | None, said: str, tmp_path: Path) -> None:
    if content is not None:
        (tmp_path / name).write_text(content)
    with pytest.raises(UserError, match=said):
        read_reports(str(tmp_path / name))


def test_there_are_five_seeds_for_each_of_the_eight_kinds() -> None:
    seeds = read_seeds(Tally())
    assert tuple(seeds) == KINDS
    assert [len(some) for some in seeds.values()] == [5] * 8
    assert len({seed for some in seeds.values() for seed in some}) == 40


@pytest.mark.parametrize("mode", MODES)
def test_notes_are_written_in_the_released_columns(mode: Mode, tmp_path: Path) -> None:
    model = Script(mode=mode)
    record, kept = make_notes(request(tmp_path), model)
    rows = table(tmp_path)
    assert not kept
    assert list(rows[0]) == ["patient_id", "note", "question", "answer", "task"]
    assert len(rows) == record.kept == 10
    assert {row["task"] for row in rows} <= set(KINDS)
    assert all(row["question"].startswith("Why was ") for row in rows)
    assert [len(asked) for asked in model.rounds] == [10, 10, 10]
    assert record.dropped == {}
    assert set(record.prompts) == {f"prompts/{name}.txt" for name in ("note", "question", "answer", "seeds")}
    assert all(prompt.stop for prompt in model.prompts) == (mode == "completion")


def test_a_second_call_keeps_and_another_request_is_refused(tmp_path: Path) -> None:
    make_notes(request(tmp_path), Script())
    before = (tmp_path / "notes.csv").read_bytes()
    silent = Script()
    _, kept = make_notes(request(tmp_path), silent)
    assert kept
    assert not silent.prompts
    for change in (request(tmp_path, rows=11), request(tmp_path, seed=1)):
        with pytest.raises(UserError, match="holds notes of another request"):
            make_notes(change, Script())
    assert (tmp_path / "notes.csv").read_bytes() == before


def test_the_same_answers_give_the_same_table(tmp_path: Path) -> None:
    for name in ("a", "b"):
        make_notes(request(tmp_path / name), Script())
    assert (tmp_path / "a/notes.csv").read_bytes() == (tmp_path / "b/notes.csv").read_bytes()


def test_more_rows_than_reports_are_draws_of_their_own(tmp_path: Path) -> None:
    model = Script()
    record, _ = make_notes(request(tmp_path, rows=30), model)
    assert record.kept == 30
    notes = Counter((prompt.text, prompt.repeat) for prompt in model.prompts if what(prompt) == "note")
    assert set(notes.values()) == {1}


def bad_once(step: str, text: str, finish: Any = "stop") -> Callable[[Prompt, int], Answer]:
    """The first answer of a step is this; all others are good."""
    seen: list[int] = []

    def write(prompt: Prompt, number: int) -> Answer:
        if what(prompt) == step and not seen:
            seen.append(number)
            return Answer(text=text, finish=finish)
        return obedient(prompt, number)

    return write


BAD = [
    ("note", "", "stop", "note-empty"),
    ("note", "", "failed", "note-failed"),
    ("note", "", "filtered", "note-filtered"),
    ("note", "As an AI language model I cannot do this.", "stop", "note-gives-itself-away"),
    ("note", "Three short words.", "stop", "note-too-short"),
    ("question", "\n", "stop", "question-empty"),
    ("question", "Why?", "stop", "question-too-short"),
    ("question", "Run the NER model on this note.", "stop", "question-gives-itself-away"),
    ("answer", "I am a clinical model.", "stop", "answer-gives-itself-away"),
    ("answer", "Which drug do you mean?", "stop", "answer-asks-back"),
    ("answer", "", "failed", "answer-failed"),
]


@pytest.mark.parametrize(("step", "text", "finish", "reason"), BAD, ids=[reason for *_, reason in BAD])
def test_what_comes_to_nothing_is_counted_and_asked_again(
    step: str, text: str, finish: str, reason: str, tmp_path: Path
) -> None:
    record, _ = make_notes(request(tmp_path), Script(bad_once(step, text, finish)))
    assert record.dropped == {reason: 1}
    assert record.kept == len(table(tmp_path)) == 10


def test_a_copied_report_is_no_note() -> None:
    report = read_reports("builtin").items[0]
    writer = NoteWriter(Script(always(report.text)), Tally(), np.random.default_rng(0))
    assert list(writer.notes([(report, 0)])) == [None]
    assert writer.tally.dropped == {"note-copies-report": 1}


def test_a_cut_note_ends_with_a_sentence() -> None:
    text = " ".join(sentence(k) for k in range(6))
    model = Script(always(f"{text} And then he", "length"))
    writer = NoteWriter(model, Tally(), np.random.default_rng(0))
    (note,) = writer.notes([(read_reports("builtin").items[0], 0)])
    assert note is not None
    assert note.text == text
    assert writer.tally.altered == {"note-cut-to-sentences": 1}


def test_a_long_report_is_cut_at_a_sentence() -> None:
    report = Report("long", " ".join(sentence(k) for k in range(400)))
    writer = NoteWriter(model := Script(), Tally(), np.random.default_rng(0))
    assert all(writer.notes([(report, 0)]))
    assert writer.tally.altered == {"report-shortened": 1}
    (prompt,) = model.prompts
    assert tokens(prompt.text) + tokens(prompt.system) + prompt.max_tokens <= 4_096
    assert shortened(report.text, 10) == sentence(0)
    assert shortened(report.text, 10**6) == report.text


def test_requests_are_shown_seeds_and_earlier_ones() -> None:
    writer = NoteWriter(model := Script(), Tally(), np.random.default_rng(0))
    notes = [Note(report, sentence(k, length=40)) for k, report in enumerate(read_reports("builtin").items[:4])]
    kind = KINDS[0]
    first = list(writer.questions(notes, [kind] * 4))
    assert writer.pool == {kind: first}
    list(writer.questions(notes, [kind] * 4))
    seeds = read_seeds(Tally())[kind]
    for asked, from_pool in ((model.rounds[0], 0), (model.rounds[1], 2)):
        for prompt in asked:
            assert sum(f"- {seed}\n" in prompt.text for seed in seeds) == 3
            assert sum(f"- {one}" in prompt.text for one in first) == from_pool


def test_a_request_that_repeats_its_example_is_dropped() -> None:
    def repeat(prompt: Prompt, number: int) -> Answer:
        return Answer(text=re.findall(r"^- (.+)$", prompt.text, re.MULTILINE)[0], finish="stop")

    writer = NoteWriter(Script(repeat), Tally(), np.random.default_rng(0))
    note = Note(read_reports("builtin").items[0], sentence(1, length=40))
    assert list(writer.questions([note], [KINDS[0]])) == [""]
    assert writer.tally.dropped == {"question-repeats-example": 1}


def test_a_model_that_never_writes_a_note_ends(tmp_path: Path) -> None:
    model = Script(always("No."))
    with pytest.raises(UserError, match="not one row of notes"):
        make_notes(request(tmp_path), model)
    assert len(model.prompts) == 30
    assert not list(tmp_path.iterdir())


def test_a_spent_budget_keeps_what_was_made_and_goes_on(tmp_path: Path) -> None:
    record, _ = make_notes(request(tmp_path), Script(spent_after=24))
    assert (record.stopped, record.kept, len(table(tmp_path))) == ("limit", 4, 4)
    record, kept = make_notes(request(tmp_path), Script())
    assert (record.stopped, record.kept, kept) == ("rows", 10, False)


def test_a_dry_run_needs_no_server(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for mode in MODES:
        assert main(["notes", "--dry-run", "--mode", mode, "--out", str(tmp_path / "x")]) == 0
        shown = capsys.readouterr().out
        assert shown.count("== note ") == 3
        assert sum(report.text in shown for report in read_reports("builtin").items) == 3
    assert not (tmp_path / "x").exists()


def blind(name: str) -> TaskView:
    """A view whose real examples must not be looked at."""

    def never() -> Sequence[Example]:
        raise NotPreparedError("no real data here")

    return TaskView(TASKS[name].spec, never, never)


def rows_of(name: str, model: Script, rows: int = 20) -> tuple[list[Row], Tally]:
    tools = Tools(model=model)
    made: list[Row] = []
    for row in BASELINES["asclepius"].generate(blind(name), tools, Budget(rows), np.random.default_rng(0)):
        made.append(row)
        tools.tally.kept[class_of(row)] += 1
    return made, tools.tally


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("name", ONE_OF_EACH)
def test_asclepius_gives_good_rows_for_every_type(name: str, mode: Mode) -> None:
    spec = TASKS[name].spec
    kind = task_type(spec)
    model = Script(mode=mode)
    rows, tally = rows_of(name, model)
    assert len(rows) == 20, tally.dropped
    assert not [fault for row in rows for fault in kind.faults(row, spec)]
    if not spec.is_span:
        counts = Counter(label for row in rows for label in row.get("labels", [row.get("label")]))
        assert set(counts) == set(spec.labels)
        assert max(counts.values()) - min(counts.values()) <= 1
    assert [what(prompt) for prompt in model.prompts][:3].count("note") == 3
    assert tally.notes["case reports"].startswith("builtin, sha256 ")
    assert {"prompts/note.txt", "prompts/question.txt", f"asclepius/{spec.type}.txt"} <= set(tally.prompts)
    assert rows == rows_of(name, Script(mode=mode))[0]


def test_the_first_text_comes_from_the_note_or_the_request() -> None:
    model = Script()
    notes = [" ".join(sentence(k, n) for n in range(6)) for k in range(30)]
    for row in rows_of("mednli", model)[0]:
        assert any(row["premise"] in note for note in notes)
    for row in rows_of("mqp", Script())[0]:
        assert row["text_a"].startswith("Why was ")
    for row in rows_of("ncbi-disease", Script())[0]:
        assert any(row["text"] in note for note in notes)


def test_sentences_of_a_note_are_free_of_markdown() -> None:
    def write(prompt: Prompt, number: int) -> Answer:
        if what(prompt) != "note":
            return obedient(prompt, number)
        body = " ".join(sentence(number, k) for k in range(6))
        return Answer(
            text=f"## Course\n- **Plan:** {body}\n**{sentence(number, 9)[:-1]}:** `{word(number)}` {body}",
            finish="stop",
        )

    rows, _ = rows_of("ncbi-disease", Script(write))
    assert len(rows) == 20
    assert any(row["text"].startswith("Plan: ") for row in rows)
    assert not [row["text"] for row in rows if re.search(r"[*`#]", row["text"])]


def test_a_sentence_that_looks_like_phi_is_no_row() -> None:
    def write(prompt: Prompt, number: int) -> Answer:
        if what(prompt) != "note":
            return obedient(prompt, number)
        body = " ".join(sentence(number, k) for k in range(6))
        return Answer(text=f"Seen by Dr. Okafor in the morning of that day. {body}", finish="stop")

    rows, tally = rows_of("ncbi-disease", Script(write))
    assert len(rows) == 20
    assert tally.dropped["looks-like-phi"]
    assert not [row for row in rows if "Okafor" in row["text"]]


def test_a_request_is_free_of_markdown() -> None:
    def write(prompt: Prompt, number: int) -> Answer:
        if what(prompt) != "question":
            return obedient(prompt, number)
        return Answer(text=f"**Why was `{word(number)}` given {word(number, 1)}?**", finish="stop")

    assert {row["text_a"].split()[:2] == ["Why", "was"] for row in rows_of("mqp", Script(write))[0]} == {True}


def test_asclepius_reads_the_file_of_reports_that_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "mine.jsonl"
    path.write_text(json.dumps({"patient": TEXTS[0]}))
    monkeypatch.setenv("CLINSYNTH_REPORTS", str(path))
    model = Script()
    _, tally = rows_of("gad", model)
    assert tally.notes["case reports"].startswith("mine.jsonl, sha256 ")
    assert all(TEXTS[0] in prompt.text for prompt in model.prompts if what(prompt) == "note")


def test_asclepius_ends_where_no_note_comes() -> None:
    model = Script(always("", "failed"))
    rows, tally = rows_of("gad", model)
    assert not rows
    assert set(tally.dropped) == {"note-failed"}
    assert len(model.rounds) < 10
