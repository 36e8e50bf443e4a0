"""A snapshot says what the standings say, reads back as it was written, and refuses what was changed."""

from __future__ import annotations

import json
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from tests.conftest import StoreRun, Submit, sample_rows
from tests.invented_snapshot import tables

from clinsynth.core.errors import UserError
from clinsynth.core.machine import environment
from clinsynth.core.nouns import Prediction
from clinsynth.core.registry import TASKS
from clinsynth.data.samples import SampleStore
from clinsynth.direct.card import DirectCard, write_card
from clinsynth.direct.parsing import wrong
from clinsynth.direct.records import Answered, Demonstrations, DirectCell, DirectRecord, DirectResults, Usage
from clinsynth.direct.runner import subset
from clinsynth.direct.standings import direct_standings
from clinsynth.results.store import Cell
from clinsynth.results.store import TestData as SetFacts
from clinsynth.scoring.metrics import score_all
from clinsynth.snapshot import read_snapshot, write_snapshot
from clinsynth.snapshot.builder import Wanted, build
from clinsynth.snapshot.schema import MODELS, Snapshot
from clinsynth.snapshot.store import content_id, json_schema
from clinsynth.standings import standings
from clinsynth.standings.profiles import Profiler
from clinsynth.submissions.card import Llm
from clinsynth.views import page
from clinsynth.views.common import where
from clinsynth.views.model import Facts


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Snapshot]:
    folder = tmp_path_factory.mktemp("snapshot") / "s"
    return folder, write_snapshot(folder, tables())


def test_it_reads_back_equal(written: tuple[Path, Snapshot]) -> None:
    folder, made = written
    assert read_snapshot(folder) == made


def test_equal_content_has_an_equal_id_and_any_change_another(written: tuple[Path, Snapshot]) -> None:
    made = written[1]
    assert content_id(tables()) == made.manifest.id
    row = made.tables.scores[0].model_copy(update={"mean": made.tables.scores[0].mean + 1e-12})
    changed = tables()
    object.__setattr__(changed, "scores", (row, *changed.scores[1:]))
    assert content_id(changed) != made.manifest.id


def test_parquet_and_json_hold_the_same(written: tuple[Path, Snapshot]) -> None:
    parquet: Any = import_module("pyarrow.parquet")
    folder = written[0]
    for name in MODELS:
        of_parquet = parquet.read_table(folder / "tables" / f"{name}.parquet").to_pylist()
        assert of_parquet == json.loads((folder / "tables" / f"{name}.json").read_text("utf-8")), name


def test_json_files_fit_their_schema(written: tuple[Path, Snapshot]) -> None:
    jsonschema: Any = pytest.importorskip("jsonschema")
    folder = written[0]
    schema = json.loads((folder / "schema.json").read_text("utf-8"))
    assert schema == json.loads(json.dumps(json_schema()))
    jsonschema.validate(json.loads((folder / "snapshot.json").read_text("utf-8")), schema["snapshot"])
    for name in MODELS:
        jsonschema.validate(json.loads((folder / "tables" / f"{name}.json").read_text("utf-8")), schema["tables"][name])


@pytest.mark.parametrize("name", ["scores.parquet", "overall.parquet"])
def test_a_changed_table_is_refused(tmp_path: Path, name: str) -> None:
    write_snapshot(tmp_path / "s", tables(3))
    path = tmp_path / "s" / "tables" / name
    path.write_bytes(path.read_bytes()[:-1] + b"x")
    with pytest.raises(UserError, match="not the file of this snapshot"):
        read_snapshot(tmp_path / "s")


def test_no_snapshot_and_another_format_are_said(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no snapshot in"):
        read_snapshot(tmp_path)
    write_snapshot(tmp_path / "s", tables(3))
    path = tmp_path / "s" / "snapshot.json"
    path.write_text(path.read_text("utf-8").replace('"format": 4', '"format": 5'), "utf-8")
    with pytest.raises(UserError, match="no manifest of format 4"):
        read_snapshot(tmp_path / "s")


def test_a_folder_of_other_things_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("x")
    with pytest.raises(UserError, match="not empty and no snapshot"):
        write_snapshot(tmp_path, tables(3))
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]


@pytest.fixture
def places(tmp_path: Path, submit: Submit, store_run: StoreRun) -> Path:
    """Three submissions with runs on the sample, one without, one with a faulty card."""
    for name, tasks in (("first", ("gad", "hoc")), ("second", ("gad", "hoc")), ("third", ("gad",))):
        folder = submit({task: sample_rows(task, 12) for task in tasks}, name)
        for task in tasks:
            for seed in range(5 if name != "second" else 3):
                store_run(folder, Cell(task, "minilm-l6.v1", 12, seed))
    submit({"gad": 12}, "never-run")
    (submit({"gad": 12}, "faulty") / "submission.toml").write_text("name = 3")
    (tmp_path / "faulty").rename(tmp_path / "faulty-card")
    return tmp_path


def test_the_tables_say_what_the_standings_say(places: Path) -> None:
    profiler = Profiler(SampleStore(), resamples=50)
    made = build(Wanted((places,), "sample"), profiler)
    table = standings([places], "minilm-l6.v1", 12, "sample", profiler)
    assert [(row.recipe, row.rows, row.tasks) for row in made.conditions] == [("minilm-l6.v1", 12, table.tasks)]
    assert [row.submission for row in made.overall] == [row.name for row in table.rows]
    for row in made.scores:
        (own,) = (each for each in table.rows if each.name == row.submission)
        score = own.scores[row.task]
        assert (row.mean, row.spread, row.seeds) == (score.mean, score.spread, len(score.by_seed))
        assert score.statistics is not None
        assert (row.low is None) == (score.statistics.interval is None)
        by_seed = {
            seed.seed: seed.score for seed in made.seeds if (seed.submission, seed.task) == (row.submission, row.task)
        }
        assert by_seed == score.by_seed


def test_nothing_is_dropped_silently(places: Path) -> None:
    made = build(Wanted((places,), "sample"), None)
    shown = {row.submission for row in made.overall}
    left = {row.submission: row.reason for row in made.left_out}
    folders = {path.parent.name for path in places.glob("*/submission.toml")}
    assert folders == shown | left.keys()
    assert "faulty" in left["faulty-card"]
    assert left["never-run"]
    assert all(row.place == "unranked" and row.reasons for row in made.overall)


def test_sample_rows_are_never_ranked(places: Path) -> None:
    made = build(Wanted((places,), "sample"), Profiler(SampleStore(), resamples=50))
    assert {row.place for row in made.overall if row.submission != "constant"} == {"unranked"}
    assert all("sample" in row.codes for row in made.overall if row.submission != "constant")


def test_each_pair_is_compared_once(places: Path) -> None:
    made = build(Wanted((places,), "sample"), Profiler(SampleStore(), resamples=50))
    pairs = [(row.scope, frozenset((row.base, row.other))) for row in made.differences]
    assert len(pairs) == len(set(pairs))
    assert {pair for scope, pair in pairs if scope == "gad"} == {
        frozenset(pair) for pair in (("first", "second"), ("first", "third"), ("second", "third"))
    }


def test_no_path_of_this_machine_gets_in(places: Path) -> None:
    made = build(Wanted((places,), "sample"), Profiler(SampleStore(), resamples=50))
    text = "".join(row.model_dump_json() for name in MODELS for row in getattr(made, name))
    assert str(places) not in text


def test_the_same_submissions_give_the_same_id(places: Path) -> None:
    wanted = Wanted((places,), "sample")
    assert content_id(build(wanted, None)) == content_id(build(wanted, None))


@pytest.fixture
def direct(tmp_path: Path) -> DirectResults:
    """A folder of the direct track: gad on the sample, zero-shot on 10 examples and few-shot on all."""
    results = DirectResults(tmp_path / "asked", "sample")
    write_card(results.folder, DirectCard(
        name="asked", title="Asked", backend="local-completions", mode="completion", llm=Llm(name="model-x"),
    ))  # fmt: skip
    gad = TASKS["gad"]
    gold = SampleStore().examples(gad, "test")
    examples = len(gold)
    for shots, limit in ((0, 10), (2, None)):
        places = subset(examples, limit)
        asked = len(places)
        said = [Answered(k, wrong(gad.spec, gold[k]), "refusal") for k in places[:3]]
        said += [Answered(k, Prediction(gold[k].labels), "") for k in places[3:]]
        digest = results.write_predictions(DirectCell("gad", "model-x", shots, limit), said, spans=False)
        scores = score_all(gad.spec, [gold[k] for k in places], [each.prediction for each in said])
        results.write_record(DirectRecord(
            submission="asked", task="gad", task_version=gad.spec.version, model="model-x", slug="model-x",
            snapshot="", reported=(), backend="local-completions", mode="completion", form="direct.v2",
            prompts_sha256="", shots=shots, max_tokens=9, temperature=0, limit=limit, limit_seed=0,
            demonstrations=Demonstrations(fingerprint="", examples=4, split="train") if shots else None,
            test=SetFacts(kind="sample", fingerprint=SampleStore().fingerprint(gad, "test"), examples=examples),
            answers={"read": asked - 3, "refusal": 3}, finish={}, mentions={},
            usage=Usage(answers=asked, unmeasured=0, tokens_in=90, tokens_out=9), metric=gad.spec.metric,
            scores=scores, predictions_sha256=digest, seconds=1, environment=environment("", "", 0),
            created="2026-01-01T00:00:00+00:00",
        ))  # fmt: skip
    return results


@pytest.fixture
def student(submit: Submit, store_run: StoreRun) -> Path:
    """A submission whose rows the same model wrote."""
    folder = submit({"gad": 20}, "by-model-x")
    card = folder / "submission.toml"
    card.write_text(card.read_text("utf-8") + '\n[llm]\nname = "model-x"\nsnapshot = ""\n', "utf-8")
    for seed in range(2):
        store_run(folder, Cell("gad", "minilm-l6.v1", 20, seed))
    return folder


def test_answers_of_language_models_stand_beside_students_of_their_rows(direct: DirectResults, student: Path) -> None:
    places = direct.folder.parent
    made = build(Wanted((places,), "sample"), Profiler(SampleStore(), resamples=50))
    test = len(SampleStore().examples(TASKS["gad"], "test"))
    assert {(row.shots, row.examples, row.limited, row.unparsed) for row in made.direct} == {
        (0, 10, True, 3), (2, test, False, 3),
    }  # fmt: skip
    for row in made.direct:
        assert row.low is not None
        assert row.high is not None
        assert row.low < row.score < row.high
    table = direct_standings([places], "minilm-l6.v1", 20, "sample", SampleStore())
    shown = {(row.zero_shot, row.few_shot, row.student, row.difference, row.limited) for row in made.direct_pairs}
    assert shown == {(p.zero_shot, p.few_shot, p.student, p.difference, p.preliminary) for p in table.pairs}
    assert {(row.submission, row.direct, row.examples, row.limited) for row in made.direct_pairs} == {
        ("by-model-x", "asked", 10, True), ("by-model-x", "asked", test, False),
    }  # fmt: skip
    assert made.left_out == ()
    assert str(places) not in "".join(row.model_dump_json() for name in MODELS for row in getattr(made, name))
    view = page(write_snapshot(places / "s", made), "direct", {})
    _, answers, pairs = view.tables
    scores, figure = view.figures
    assert sum(len(series.points) for series in scores.series) == len(answers.rows)
    assert sum(len(series.points) for series in figure.series) == len(made.direct_pairs)
    at = {column.key: k for k, column in enumerate(pairs.columns)}
    assert {row[at["better"]].text for _, row in pairs.rows} <= {"tie", "train", "ask", "undecided"}
    remarks = [row[-1].text for _, row in answers.rows]
    assert sorted(remarks) == ["", "part of the test set: preliminary"]
    assert sorted(row[-1].text for _, row in pairs.rows) == sorted(remarks)
    assert {row[at["submission"]].link for _, row in pairs.rows} == {"by-model-x"}


def test_answers_of_language_models_need_no_submission(direct: DirectResults) -> None:
    made = build(Wanted((direct.folder,), "sample"), None)
    assert (len(made.direct), made.submissions, made.direct_pairs) == (2, (), ())
    real = build(Wanted((direct.folder,), "real"), None)
    assert [row.reason for row in real.left_out] == ["direct track: no record of real data"]


def test_answers_without_a_card_are_named(direct: DirectResults, student: Path, tmp_path: Path) -> None:
    (direct.folder / "direct.toml").unlink()
    made = build(Wanted((tmp_path,), "sample"), None)
    assert made.direct == ()
    assert [(row.submission, row.reason) for row in made.left_out] == [
        ("asked", "2 of its records are of the direct track, and direct.toml is not there")
    ]


def test_records_that_cannot_be_read_are_named(direct: DirectResults, student: Path, tmp_path: Path) -> None:
    spoilt = (
        student / "sample" / "quality" / "gad.json",
        student / "sample" / "audit" / "gad.json",
        student / "generation" / "gad.json",
        direct.runs / "gad" / "model-x" / "shots0-limit10.json",
    )
    for path in spoilt[:3]:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("{}", "utf-8")
    spoilt[3].write_text(spoilt[3].read_text("utf-8").replace('"tokens_in": 90', '"tokens_in": 91'), "utf-8")
    made = build(Wanted((tmp_path,), "sample"), None)
    left = [(row.submission, row.reason) for row in made.left_out]
    for path in spoilt:
        folder = direct.folder if path is spoilt[3] else student
        where = path.relative_to(folder).as_posix()
        assert [name for name, reason in left if where in reason] == [folder.name], (where, left)
    assert "its seal does not fit" in dict(left[:-1])["asked"]
    assert len(left) == len(spoilt) + 1, "and one for the comparison that a faulty record prevents"
    assert str(tmp_path) not in repr(left)
    # What can be read is shown all the same.
    assert [row.shots for row in made.direct] == [2]
    assert [row.submission for row in made.overall] == ["by-model-x"]
    snapshot = write_snapshot(tmp_path / "s", made)
    (below,) = (table for table in page(snapshot, "overall", {}).tables if table.key == "left_out")
    assert [(row[0].text, row[1].text) for _, row in below.rows] == left
    facts = page(snapshot, "submission", {"name": "by-model-x"}).blocks[0]
    assert isinstance(facts, Facts)
    assert [cell.text for name, cell in facts.pairs if name == "Left out"] == [r for n, r in left if n == "by-model-x"]


def test_a_table_is_looked_up_by_what_its_rows_have() -> None:
    rows = tables(5).scores
    for task in ("gad", "hoc", "no-task"):
        for name in ("clingen-kg", "gold-n"):
            wanted = [row for row in rows if (row.task, row.submission) == (task, name)]
            assert where(rows, task=task, submission=name) == wanted
            assert where(rows, submission=name, task=task) == wanted
