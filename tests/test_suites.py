"""Suites: the sets of ClinicalGPT and the notes of Asclepius in whole runs, and agreement with people."""

import csv
import importlib
import json
import re
from collections import Counter
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest
from tests.asking import needs_lm_eval
from tests.judges import Script, needs_measures
from tests.scripted_server import Asked, Fail, Reaction, Say, ScriptedServer, serve

from clinsynth.cli import main
from clinsynth.core.errors import NotPreparedError, UserError
from clinsynth.core.nouns import Source
from clinsynth.direct.suites.notes import asked_on, open_notes
from clinsynth.direct.suites.records import SuiteRecord
from clinsynth.direct.suites.sets import SETS, SuiteFiles
from clinsynth.llm.requests import LLM
from clinsynth.snapshot.data_records import Omitted
from clinsynth.snapshot.direct_track import grade_rows, suite_rows

RAW = Path(__file__).parents[2] / "shared" / "data" / "raw"


# --- sets


def _digest(content: bytes, source: Source, place: str) -> str:
    """Stands for the check of what is pinned."""
    return "digest"


@pytest.mark.parametrize(
    ("name", "items"), [("pubmedqa", 500), ("medqa", 1273), ("medmcqa", 4183), ("mts-dialog", 200), ("aci-bench", 40)]
)
def test_published_files_are_read_whole(name: str, items: int) -> None:
    if not (RAW / name).is_dir():
        pytest.skip(f"{RAW / name} is not here")
    files = SuiteFiles(name, SETS[name].sources, RAW, RAW)
    found = list(SETS[name].read(files))
    assert len(found) == items
    assert set(files.digests) == {source.path for source in SETS[name].sources}
    for item in found:
        assert 0 <= item.answer < len(item.options) if SETS[name].kind == "choice" else item.references[0]


CASE = {
    "OSCE_Examination": {
        "Patient_Actor": {
            "Demographics": "40-year-old",
            "Symptoms": {"Primary_Symptom": "Cough", "Secondary": ["a", "b"]},
        },
        "Physical_Examination_Findings": {"Vital_Signs": {"Temperature": "39"}},
        "Test_Results": {},
        "Correct_Diagnosis": "Pneumonia (bacterial)",
    }
}
DIALOGUE = [
    {
        "description": "Cough for a week",
        "utterances": ["patient: I cough.", "doctor: Rest, and drink.", "patient: Thanks"],
    },
    {"description": "", "utterances": ["patient: Nobody answers."]},
]
MCMLE = {
    "question": "哪一个？",
    "options": {"A": "甲", "B": "乙", "C": "丙", "D": "丁"},
    "answer": "丙",
    "answer_idx": "C",
}


@pytest.fixture
def brought(tmp_path: Path) -> Path:
    """A folder with invented files in the form of those that people bring."""
    for name, file, text in (
        ("mcmle", "test.jsonl", json.dumps(MCMLE, ensure_ascii=False)),
        ("meddialog", "english-test.json", json.dumps(DIALOGUE)),
    ):
        (tmp_path / "raw" / name).mkdir(parents=True)
        (tmp_path / "raw" / name / file).write_text(text)
    return tmp_path / "raw"


def test_sets_that_people_bring(brought: Path) -> None:
    (question,) = SETS["mcmle"].read(SuiteFiles("mcmle", SETS["mcmle"].sources, brought, brought))
    assert (question.options[question.answer], question.answer) == ("丙", 2)
    assert "C. 丙" in question.prompt
    (dialogue,) = SETS["meddialog"].read(SuiteFiles("meddialog", SETS["meddialog"].sources, brought, brought))
    assert dialogue.references == ("Rest, and drink.",)
    assert dialogue.prompt == "Cough for a week\nI cough.\n\nDoctor:"


def test_case_files_show_everything_but_the_diagnosis(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "agentclinic").mkdir()
    (tmp_path / "agentclinic" / "agentclinic_medqa_extended.jsonl").write_text(json.dumps(CASE))
    monkeypatch.setattr("clinsynth.direct.suites.sets.check", _digest)
    (item,) = SETS["agentclinic"].read(SuiteFiles("agentclinic", SETS["agentclinic"].sources, tmp_path, tmp_path))
    assert item.references == ("Pneumonia (bacterial)",)
    assert "Pneumonia" not in item.prompt
    assert "    Temperature: 39" in item.prompt
    assert "    Secondary: a; b" in item.prompt


def test_cmedqa2_gathers_the_answers_of_test_questions(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    zipfile: Any = importlib.import_module("zipfile")
    tables = {
        "question": "question_id,content\n1,头疼怎么办\n2,别的\n",
        "answer": "ans_id,question_id,content\n10,1,休息\n11,1,多喝水\n12,2,无\n",
        "test_candidates": "question_id,ans_id,cnt,label\n1,10,0,1\n1,12,1,0\n",
    }
    (tmp_path / "cmedqa2").mkdir()
    for name, text in tables.items():
        with zipfile.ZipFile(tmp_path / "cmedqa2" / f"{name}.zip", "w") as archive:
            archive.writestr(f"{name}.csv", text)
    monkeypatch.setattr("clinsynth.direct.suites.sets.check", _digest)
    (item,) = SETS["cmedqa2"].read(SuiteFiles("cmedqa2", SETS["cmedqa2"].sources, tmp_path, tmp_path))
    assert item.references == ("休息", "多喝水")


def test_files_that_are_not_here_or_not_the_published_ones_are_refused(tmp_path: Path) -> None:
    files = SuiteFiles("medqa", SETS["medqa"].sources, tmp_path, tmp_path)
    with pytest.raises(NotPreparedError, match="is not in"):
        files.open("phrases_no_exclude_test.jsonl")
    with pytest.raises(NotPreparedError, match="is not in"):
        SuiteFiles("mcmle", SETS["mcmle"].sources, None, tmp_path).open("test.jsonl")
    (tmp_path / "medqa").mkdir()
    (tmp_path / "medqa" / "phrases_no_exclude_test.jsonl").write_text("{}")
    with pytest.raises(UserError, match="not the published file"):
        files.open("phrases_no_exclude_test.jsonl")


@pytest.mark.parametrize("name", sorted(SETS))
def test_every_set_is_pinned_or_brought_and_says_its_licence(name: str) -> None:
    each = SETS[name]
    assert each.licence
    for source in each.sources:
        assert bool(source.url) == bool(source.sha256 or source.git_blob)
        assert source.url or each.notes


# --- whole runs


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("CLINSYNTH_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def under_test(server: ScriptedServer) -> list[str]:
    return ["--model", "local-chat-completions", "--model-args",
            f"base_url={server.base_url}/chat/completions,model=scripted-1,max_retries=1"]  # fmt: skip


@needs_lm_eval
@needs_measures
def test_clinicalgpt_end_to_end(here: Path, brought: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def script(asked: Asked) -> Reaction:
        return Say(text="C" if "丙" in asked.prompt else "Rest, and drink.")

    with serve(script) as server:
        words = ["suite", "clinicalgpt", *under_test(server), "--from", str(brought)]
        assert main([*words, "--dry-run"]) == 0
        assert re.search(r"^all +2 +\d+ +[\d,]+ +unknown$", capsys.readouterr().out, re.MULTILINE)
        assert not server.asked
        assert main(words) == 0
        out = capsys.readouterr().out
        assert main(words) == 0
        assert len(server.asked) == 2, "stored sets are not asked again"
        assert main([*words, "--answer-tokens", "2000"]) == 0
        assert [asked.body["max_tokens"] for asked in server.asked[2:]] == [2_000, 2_000]
        capsys.readouterr()
    assert "accuracy 100.0" in out
    assert "rougeL 100.0" in out
    assert "medqa: skipped" in out
    assert "MD-EHR is not public" in out
    record = json.loads((here / "direct/scripted-1/suites/clinicalgpt/mcmle.json").read_text())
    assert record["answers"] == {"read": 1}
    assert record["usage"]["tokens_in"] == 10
    (request,) = record["sent"]
    assert request["answers"] == 1
    assert request["request"]["max_tokens"] == 2_000
    assert "messages" not in request["request"]
    assert "哪" not in json.dumps(record, ensure_ascii=False)
    assert main(["validate", "direct/scripted-1"]) == 0
    capsys.readouterr()
    assert main(["suite", "clinicalgpt", "--report", "direct"]) == 0
    (line,) = [line for line in capsys.readouterr().out.splitlines() if "mcmle" in line]
    assert line.split()[:4] == ["exams", "mcmle", "scripted-1", "100.0"]
    omitted = Omitted()
    (choice, *_) = suite_rows([here / "direct/scripted-1"], omitted)
    assert (choice.set, choice.measure, choice.value, choice.area) == ("mcmle", "accuracy", 1.0, "exams")
    assert not omitted.rows
    path = here / "direct/scripted-1/suites/clinicalgpt/mcmle.json"
    path.write_text(path.read_text().replace('"accuracy": 1.0', '"accuracy": 0.5'))
    assert main(["validate", "direct/scripted-1"]) == 1
    stored = SuiteRecord.model_validate_json(path.read_bytes())
    for hostile in ({"scores": {"accuracy": float("nan")}}, {"scores": {"accuracy": 7.0}}, {"answers": {"read": -5}}):
        path.write_text(json.dumps(stored.model_dump() | hostile))
        again = Omitted()
        assert not {row.set for row in suite_rows([here / "direct/scripted-1"], again)} & {"mcmle"}, hostile
        assert "is not a record of a suite" in again.rows[0].reason
    path.write_text(stored.model_dump_json())
    assert "mcmle" not in {row.set for row in suite_rows([here / "direct/scripted-1"], omitted)}
    assert "its seal does not fit" in omitted.rows[0].reason
    assert main(["suite", "clinicalgpt", "--model", "local-completions", "--name", "x1", "--sets", "medqq"]) == 2


@needs_lm_eval
@needs_measures
def test_clinicalgpt_counts_what_cannot_be_read(here: Path, brought: Path) -> None:
    rows = [MCMLE | {"question": f"问题 {k}"} for k in range(4)]
    (brought / "mcmle" / "test.jsonl").write_text("\n".join(json.dumps(row, ensure_ascii=False) for row in rows))

    def script(asked: Asked) -> Reaction:
        return (Say(text="C"), Say(text="大概是丙"), Fail(status=400), Say(text="", finish="content_filter"))[
            asked.number
        ]

    with serve(script) as server:
        assert main(["suite", "clinicalgpt", *under_test(server), "--from", str(brought), "--sets", "mcmle"]) == 0
    record = json.loads((here / "direct/scripted-1/suites/clinicalgpt/mcmle.json").read_text())
    assert record["answers"] == {"no-option": 1, "read": 1, "rejected": 1, "withheld": 1}
    assert record["scores"] == {"accuracy": 0.25}


@needs_lm_eval
@needs_measures
def test_cut_answers_give_no_score(here: Path, brought: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def script(asked: Asked) -> Reaction:
        return Say(text="Let me see", finish="length") if "丙" in asked.prompt else Say(text="Rest, and drink.")

    with serve(script) as server:
        words = ["suite", "clinicalgpt", *under_test(server), "--from", str(brought)]
        assert main(words) == 0
        assert "mcmle: skipped: no score is stored: 1 of 1 answers were cut at 32 tokens" in capsys.readouterr().out
        assert not (here / "direct/scripted-1/suites/clinicalgpt/mcmle.json").exists()
        assert main([*words, "--sets", "mcmle"]) == 2
    assert "--answer-tokens" in capsys.readouterr().err


@needs_lm_eval
def test_cut_answers_on_notes_are_not_graded(here: Path, notes: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with serve(lambda _: Say(text="The note tells that", finish="length")) as server:
        assert main(["suite", "asclepius-notes", *under_test(server), "--notes", str(notes)]) == 2
        assert "answers were cut at 400 tokens" in capsys.readouterr().err
        assert not (here / "direct/scripted-1/suites/asclepius-notes/answers.json").exists()
        # A base model seldom ends a text by itself: what it says within its room is what it says.
        base = ["--model", "local-completions", "--model-args",
                f"base_url={server.base_url}/completions,model=scripted-2,max_retries=1"]  # fmt: skip
        assert main(["suite", "asclepius-notes", *base, "--notes", str(notes)]) == 0
    record = json.loads((here / "direct/scripted-2/suites/asclepius-notes/answers.json").read_text())
    assert record["finish"] == {"length": 8}
    assert record["sent"]


KINDS = (
    "Named Entity Recognition", "Abbreviation Expansion", "Relation Extraction", "Temporal Information Extraction",
    "Coreference Resolution", "Paraphrasing", "Summarization", "Question Answering",
)  # fmt: skip


@pytest.fixture
def notes(tmp_path: Path) -> Path:
    rows = [
        {
            "patient_id": str(k),
            "note": f"Note {k}: cough.",
            "question": f"Request {k}?",
            "answer": "hidden",
            "task": kind,
        }
        for k, kind in enumerate(KINDS)
    ]
    path = tmp_path / "notes.jsonl"
    path.write_text("\n".join(map(json.dumps, rows)))
    return path


@needs_lm_eval
def test_asclepius_notes_end_to_end(here: Path, notes: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def script(asked: Asked) -> Reaction:
        model, text = asked.body["model"], asked.prompt
        if model.startswith("scripted"):
            return Say(text=f"{model} says: a cough")
        if "Answer A:" in text:
            first = text.index("scripted-1") < text.index("scripted-2") if model == "judge-1" else True
            return Say(text='{"better": "A"}' if first else '{"better": "B"}')
        if "Note 3" in text and model == "judge-2":
            return Say(text="no idea")
        return Say(text=f'{{"grade": {3 if "scripted-1" in text else 4}}}')

    with serve(script) as server:
        judges = [f"--judge={name}={server.base_url}" for name in ("judge-1", "judge-2")]
        second = [word.replace("scripted-1", "scripted-2") for word in under_test(server)]
        assert main(["suite", "asclepius-notes", *second, "--notes", str(notes)]) == 0
        words = ["suite", "asclepius-notes", *under_test(server), "--notes", str(notes), *judges]
        before = len(server.asked)
        assert main([*words, "--against", "direct/scripted-2", "--dry-run"]) == 0
        assert re.search(r"^all +56 ", capsys.readouterr().out, re.MULTILINE), "8 answers, 2 judges, 8 pairs twice"
        assert len(server.asked) == before
        assert main([*words, "--against", "direct/scripted-2"]) == 0
        assert all("hidden" not in asked.prompt for asked in server.asked)
    out = capsys.readouterr().out
    folder = here / "direct/scripted-1/suites/asclepius-notes"
    record = json.loads((folder / "grades.json").read_text())
    assert record["judges"]["judge-1"]["mean"] == 3.0
    assert record["judges"]["judge-2"]["failures"] == {"not-json": 1}
    assert record["judges"]["judge-2"]["graded"] == 7
    assert record["kinds"] == dict.fromkeys(KINDS, 1)
    one, two = record["pairs"]
    assert (one["judge"], one["won"], one["lost"], one["inconsistent"]) == ("judge-1", 8, 0, 0)
    assert (two["judge"], two["won"], two["inconsistent"]) == ("judge-2", 0, 8), "who always says A is found out"
    assert "7 of 8 graded; replies without a grade: not-json 1" in out
    assert "cough" not in (folder / "grades.json").read_text()
    assert main(["suite", "asclepius-notes", "--report", "direct"]) == 0
    told = capsys.readouterr().out
    assert "scripted-1 on synthetic notes, graded by judge-2" in told
    last = [line.split() for line in told.splitlines() if line.startswith("all")]
    assert last == [["all", "3.00", "8"], ["all", "3.00", "(1", "without", "a", "grade)", "8"]]
    assert main(["suite", "clinicalgpt", "--report", "direct"]) == 2
    rows = grade_rows([here / "direct/scripted-1"], Omitted())
    assert len(rows) == 2 * (len(KINDS) + 1)
    assert {(row.judge, row.grade, row.examples, row.ungraded) for row in rows if row.kind == "all"} == {
        ("judge-1", 3.0, 8, 0), ("judge-2", 3.0, 8, 1),
    }  # fmt: skip
    assert [row.grade for row in rows if (row.judge, row.kind) == ("judge-2", KINDS[3])] == [None]
    assert (folder / "text" / ".gitignore").read_text() == "*\n"


def test_real_notes_get_a_request_of_each_kind() -> None:
    rows = asked_on("aci-bench", [f"Note {k}." for k in range(40)])
    assert [row.note for row in rows] == [f"Note {k}." for k in range(40)]
    assert Counter(row.task for row in rows) == dict.fromkeys(KINDS, 5)
    assert len({row.question for row in rows}) == 40, "every request once"
    assert rows == asked_on("aci-bench", [f"Note {k}." for k in range(40)]), "everybody is asked the same"


@pytest.mark.parametrize(("name", "least"), [("aci-bench", 40), ("mts-dialog", 60)])
def test_real_notes_are_read(name: str, least: int, tmp_path: Path) -> None:
    if not (RAW / name).is_dir():
        pytest.skip(f"{RAW / name} is not here")
    found = open_notes(Path(name), RAW, RAW)
    assert found.suite == f"asclepius-{name}"
    assert least <= len(found.rows) <= len(list(SETS[name].read(SuiteFiles(name, SETS[name].sources, RAW, RAW))))
    assert all(row.note and not row.answer for row in found.rows)


@needs_lm_eval
def test_real_notes_end_to_end(here: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """Invented notes in the published form stand for the real ones."""
    source = SETS["aci-bench"].sources[0]
    (here / "raw" / "aci-bench").mkdir(parents=True)
    with (here / "raw" / "aci-bench" / source.path).open("w", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(["dialogue", "note"])
        writer.writerows([["a talk", f"Visit {k}: " + "the patient coughs " * 12] for k in range(8)])
        writer.writerow(["a talk", "Too short to ask about."])
    monkeypatch.setattr("clinsynth.direct.suites.sets.check", _digest)

    def script(asked: Asked) -> Reaction:
        graded = asked.body["model"] == "judge-1"
        return Say(text='{"grade": 2}' if graded else "The patient coughs.")

    with serve(script) as server:
        words = ["suite", "asclepius-notes", *under_test(server), "--notes", "aci-bench", "--from", str(here / "raw")]
        assert main([*words, f"--judge=judge-1={server.base_url}"]) == 0
    folder = here / "direct/scripted-1/suites/asclepius-aci-bench"
    record = json.loads((folder / "grades.json").read_text())
    assert (record["suite"], record["asked"], record["judges"]["judge-1"]["mean"]) == ("asclepius-aci-bench", 8, 2.0)
    assert (folder / "text" / ".gitignore").read_text() == "*\n", "answers may quote real notes"
    assert "coughs" not in (folder / "grades.json").read_text()
    capsys.readouterr()
    assert main(["suite", "asclepius-notes", "--report", "direct"]) == 0
    assert "scripted-1 on real notes (aci-bench), graded by judge-1" in capsys.readouterr().out
    rows = grade_rows([here / "direct/scripted-1"], Omitted())
    assert {row.suite for row in rows} == {"asclepius-aci-bench"}


@needs_lm_eval
def test_rows_that_are_no_notes_are_refused(here: Path, tmp_path: Path) -> None:
    bad = tmp_path / "bad.jsonl"
    bad.write_text('{"note": "x"}')
    words = ["suite", "asclepius-notes", "--model", "local-completions", "--name", "x1"]
    assert main([*words, "--notes", str(bad)]) == 2
    assert main(words) == 2


@needs_measures
def test_agreement_with_people(here: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    from clinsynth.direct.suites.humans import SCORES, SUMMARIES, agreement_text, agreement_with_humans

    folder = tmp_path / "raw" / "mts-dialog"
    folder.mkdir(parents=True)
    words = ["one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"]
    with (folder / SUMMARIES).open("w", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(["ID", "Dialogue", "Reference Summary", "Automatic Summary"])
        writer.writerows([k, "a talk", " ".join(words), " ".join(words[: 1 + k % 10])] for k in range(40))
    with (folder / SCORES).open("w", newline="", encoding="utf-8-sig") as stream:
        writer = csv.writer(stream)
        writer.writerow(["FactualF1", "HallucinationRate", "OmissionRate"])
        writer.writerows([(1 + k % 10) / 10, 0, 1 - (1 + k % 10) / 10] for k in range(40))
    monkeypatch.setattr("clinsynth.direct.suites.sets.check", _digest)
    judges: dict[str, LLM] = {name: Script([f'{{"grade": {1 + k % 4}}}' for k in range(5)]) for name in ("a", "b")}
    found = agreement_with_humans(tmp_path / "raw", tmp_path, nullcontext(judges), 5)
    assert found.metrics["rougeL"]["FactualF1"].rho == pytest.approx(1.0)
    assert found.metrics["rougeL"]["HallucinationRate"].rho is None
    assert found.shifted < 0.9
    assert (found.between, found.judged) == (pytest.approx(1.0), 5)
    assert "Krippendorff" in agreement_text(found)
