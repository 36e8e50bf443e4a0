"""A snapshot says what the standings say, reads back as it was written, and refuses what was changed."""

from __future__ import annotations

import json
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from tests.conftest import StoreRun, Submit, sample_rows
from tests.invented_snapshot import tables

from clinsynth.data.sample import SampleStore
from clinsynth.errors import UserError
from clinsynth.profiles import Profiler
from clinsynth.results import Cell
from clinsynth.snapshot import read_snapshot, write_snapshot
from clinsynth.snapshot.build import Wanted, build
from clinsynth.snapshot.schema import MODELS, Snapshot
from clinsynth.snapshot.store import content_id, json_schema
from clinsynth.standings import standings


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
    path.write_text(path.read_text("utf-8").replace('"format": 1', '"format": 2'), "utf-8")
    with pytest.raises(UserError, match="no manifest of format 1"):
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
    assert {row.place for row in made.overall} == {"unranked"}
    assert all("sample" in row.codes for row in made.overall)


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
