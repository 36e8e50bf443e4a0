"""Every edit of what is stored is named; what cannot be checked is said and is no failure."""

import gzip
import json
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from clinsynth.cli import main
from clinsynth.core.errors import UserError
from clinsynth.core.files import write_json, write_jsonl_gz
from clinsynth.data.samples import SampleStore
from clinsynth.data.store import DataStore
from clinsynth.results.store import Cell, Results, RunRecord, read_record
from clinsynth.results.verification import Verified, verify
from clinsynth.training.recipe import Recipe
from clinsynth.training.run import Job, run

SAMPLE = SampleStore()
GAD = Cell("gad", "tiny.v1", 40, 0)
NER = Cell("ncbi-disease", "tiny.v1", 40, 0)
Submit = Callable[..., Path]


class Stored(NamedTuple):
    """A submission with three runs."""

    folder: Path
    results: Results

    @property
    def record(self) -> Path:
        return self.results.record_path(GAD)

    @property
    def predictions(self) -> Path:
        return self.results.predictions_path(GAD)


@pytest.fixture
def stored(submit: Submit, store_run: Callable[..., RunRecord]) -> Stored:
    folder = submit({"gad": 40, "ncbi-disease": 40})
    for cell in (GAD, GAD._replace(seed=1), NER):
        store_run(folder, cell)
    return Stored(folder, Results(folder, "sample"))


def failures(verified: Verified) -> list[tuple[Path, str]]:
    return [(finding.file, finding.what) for finding in verified.findings if finding.severity == "failed"]


def test_what_is_stored_is_as_recorded(stored: Stored) -> None:
    assert verify(stored.folder, SAMPLE) == Verified(3, ())


@pytest.mark.parametrize("name", ["gad", "hoc", "ncbi-disease"])
def test_fresh_results_pass(name: str, submit: Submit, tiny_recipe: Recipe) -> None:
    folder = submit({name: 40})
    run(Job(folder, Cell(name, tiny_recipe.name, 24, 0), None, True, threads=1))
    assert verify(folder, SAMPLE) == Verified(1, ())
    assert main(["verify", str(folder), "--sample"]) == 0


def packed(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in gzip.decompress(path.read_bytes()).splitlines()]


def flip_a_prediction(stored: Stored) -> None:
    rows = packed(stored.predictions)
    labels = sorted({row["labels"][0] for row in rows})
    rows[7]["labels"] = [labels[labels[0] == rows[7]["labels"][0]]]
    write_jsonl_gz(stored.predictions, rows)


def edit(changes: Mapping[str, Any], *, seal: bool) -> Callable[[Stored], None]:
    def do(stored: Stored) -> None:
        value = json.loads(stored.record.read_bytes()) | changes
        if seal:
            value["seal"] = RunRecord.model_validate(value).expected_seal()
        write_json(stored.record, value)

    return do


BETTER = {"macro_f1": 0.9876, "f1": 0.9876, "accuracy": 0.9876}
MOVED = GAD._replace(seed=9)


def move_the_record(stored: Stored) -> None:
    stored.record.rename(stored.results.record_path(MOVED))


def move_to_a_name_that_ends_alike(stored: Stored) -> None:
    other = stored.results.runs / "xgad" / "tiny.v1" / "n40" / "seed0.json"
    other.parent.mkdir(parents=True)
    shutil.copy(stored.record, other)


def edit_the_data(stored: Stored) -> None:
    path = stored.folder / "data" / "gad.jsonl.gz"
    rows = packed(path)
    rows[3]["text"] += "!"
    write_jsonl_gz(path, rows)


def spoil_the_data(stored: Stored) -> None:
    (stored.folder / "data" / "gad.jsonl.gz").write_bytes(b"not gzip")


def edit_the_data_and_spoil_the_card(stored: Stored) -> None:
    edit_the_data(stored)
    (stored.folder / "submission.toml").write_text("name = 3\n")


def remove(stored: Stored) -> None:
    stored.predictions.unlink()


def add_a_stray(stored: Stored) -> None:
    shutil.copy(stored.predictions, stored.results.predictions_path(MOVED))


def add_a_stray_elsewhere(stored: Stored) -> None:
    shutil.copy(stored.record, stored.results.runs / "gad" / "seed0.json")


def truncate(stored: Stored) -> None:
    stored.predictions.write_bytes(stored.predictions.read_bytes()[:-20])


def spoil_the_middle(stored: Stored) -> None:
    content = bytearray(stored.predictions.read_bytes())
    content[20:40] = b"\xff" * 20
    stored.predictions.write_bytes(content)


def drop_a_prediction(stored: Stored) -> None:
    write_jsonl_gz(stored.predictions, packed(stored.predictions)[:-1])


def spoil_a_line(stored: Stored) -> None:
    write_jsonl_gz(stored.predictions, [*packed(stored.predictions)[:-1], ["no", "row"]])


def no_json(stored: Stored) -> None:
    stored.record.write_text("{")


class Edit(NamedTuple):
    do: Callable[[Stored], None]
    file: str
    """What the file's path below the submission ends with."""
    said: str


RECORD, PREDICTIONS = f"runs/{GAD.stem}.json", f"predictions/{GAD.stem}.jsonl.gz"
EDITS = {
    "a flipped prediction": Edit(flip_a_prediction, PREDICTIONS, "not the predictions that the record was made from"),
    "a flipped prediction, the score": Edit(flip_a_prediction, RECORD, "f1 is"),
    "an edited score": Edit(edit({"scores": BETTER}, seal=False), RECORD, "the record was edited"),
    "an edited score, the score": Edit(edit({"scores": BETTER}, seal=False), RECORD, "0.9876 here"),
    "an edited score, sealed": Edit(edit({"scores": BETTER}, seal=True), RECORD, "0.9876 here"),
    "another main metric, sealed": Edit(edit({"metric": "accuracy"}, seal=True), RECORD, "its metrics are not those"),
    "one metric more, sealed": Edit(
        edit({"metric": "best", "scores": BETTER | {"best": 1.0}}, seal=True), RECORD, "its metrics are not those"
    ),
    "no main metric": Edit(edit({"metric": "best"}, seal=False), RECORD, "no score for the main metric"),
    "a score that is none": Edit(edit({"scores": BETTER | {"macro_f1": 1.5}}, seal=False), RECORD, "outside [0, 1]"),
    "an edited loss": Edit(edit({"loss": 0.1}, seal=False), RECORD, "the record was edited"),
    "an edited date": Edit(edit({"created": "2020-01-01"}, seal=False), RECORD, "the record was edited"),
    "an unknown field": Edit(edit({"bonus": 1}, seal=False), RECORD, "not a run record"),
    "another submission, sealed": Edit(edit({"submission": "other"}, seal=True), RECORD, "the record is of other"),
    "other predictions, sealed": Edit(edit({"predictions_sha256": "0"}, seal=True), PREDICTIONS, "not the predictions"),
    "more rows had, sealed": Edit(
        edit({"training": {"fingerprint": "0", "available": 40, "used": 40}}, seal=True), "gad.jsonl.gz", "not the rows"
    ),
    "fewer rows used, sealed": Edit(
        edit({"training": {"fingerprint": "0", "available": 40, "used": 30}}, seal=True), RECORD, "used 30 rows"
    ),
    "other data, sealed": Edit(
        edit({"test": {"kind": "sample", "fingerprint": "0", "examples": 40}}, seal=True), RECORD, "another test set"
    ),
    "not the sample, sealed": Edit(
        edit({"test": {"kind": "real", "fingerprint": "0", "examples": 40}}, seal=True), RECORD, "a record on real data"
    ),
    "an edited data file": Edit(edit_the_data, "data/gad.jsonl.gz", "not the rows that the student was trained on"),
    "a spoiled data file": Edit(spoil_the_data, "data/gad.jsonl.gz", ""),
    "a spoiled card hides nothing": Edit(edit_the_data_and_spoil_the_card, "data/gad.jsonl.gz", "not a usable"),
    "no predictions": Edit(remove, RECORD, "cannot be read"),
    "stray predictions": Edit(add_a_stray, f"predictions/{MOVED.stem}.jsonl.gz", "of a run that has no record"),
    "a stray record": Edit(add_a_stray_elsewhere, "runs/gad/seed0.json", "no run record belongs there"),
    "a moved record": Edit(move_the_record, f"runs/{MOVED.stem}.json", "holds another record"),
    "a moved record, what it left": Edit(move_the_record, PREDICTIONS, "of a run that has no record"),
    "a record at a name that ends alike": Edit(move_to_a_name_that_ends_alike, "xgad/tiny.v1/n40/seed0.json", "holds"),
    "a truncated file": Edit(truncate, RECORD, "cannot be read"),
    "a spoiled file": Edit(spoil_the_middle, RECORD, "cannot be read"),
    "a prediction too few": Edit(drop_a_prediction, PREDICTIONS, "predictions for"),
    "a line that is no prediction": Edit(spoil_a_line, RECORD, "is not a prediction"),
    "no JSON": Edit(no_json, RECORD, "not a run record"),
}  # fmt: skip


@pytest.mark.parametrize("name", EDITS)
def test_an_edit_is_named(name: str, stored: Stored, capsys: pytest.CaptureFixture[str]) -> None:
    change = EDITS[name]
    change.do(stored)
    found = failures(verify(stored.folder, SAMPLE))
    assert any(file.as_posix().endswith(change.file) and change.said in what for file, what in found), found
    untouched = {stored.results.record_path(cell) for cell in (GAD._replace(seed=1), NER)}
    assert not untouched & {file for file, _ in found}
    assert main(["verify", str(stored.folder), "--sample"]) == 1
    assert change.said in capsys.readouterr().out


def test_not_a_number_is_no_score(stored: Stored) -> None:
    stored.record.write_text(stored.record.read_text().replace('"loss": 0.5', '"loss": NaN'))
    assert failures(verify(stored.folder, SAMPLE))[0][0] == stored.record


def test_what_a_killed_run_leaves_is_no_failure(stored: Stored) -> None:
    stray = stored.predictions.with_name(f".{stored.predictions.name}.x1y2")
    stray.write_bytes(b"half")
    verified = verify(stored.folder, SAMPLE)
    assert verified.ok
    assert [(finding.severity, finding.file) for finding in verified.findings] == [("unchecked", stray)]


def test_a_test_set_that_is_not_here_is_unchecked(
    submit: Submit, store_run: Callable[..., RunRecord], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = submit({"gad": 40})
    store_run(folder, GAD, kind="real")
    data = tmp_path / "none"
    verified = verify(folder, DataStore(data))
    assert verified.ok
    assert [finding.severity for finding in verified.findings] == ["unchecked"]
    assert main(["verify", str(folder), "--data-dir", str(data)]) == 0
    assert "1 runs: as recorded; 1 not checked" in capsys.readouterr().out
    # Without the test set, an edit of the record or the predictions still shows.
    stored = Stored(folder, Results(folder, "real"))
    flip_a_prediction(stored)
    edit({"loss": 0.0}, seal=False)(stored)
    assert {file for file, _ in failures(verify(folder, DataStore(data)))} == {stored.record, stored.predictions}


def test_rows_that_are_not_published_are_unchecked(stored: Stored) -> None:
    shutil.rmtree(stored.folder / "data")
    verified = verify(stored.folder, SAMPLE)
    assert verified.ok
    assert {finding.what for finding in verified.findings} == {"the training rows are not here"}


def test_nothing_to_verify(submit: Submit) -> None:
    folder = submit({"gad": 40})
    with pytest.raises(UserError, match=r"no runs under(.|\n)*clinsynth score"):
        verify(folder, SAMPLE)


def test_a_record_reads_back(stored: Stored) -> None:
    record = read_record(stored.record)
    assert record.seal == record.expected_seal() != record.model_copy(update={"loss": 0.4}).expected_seal()
    assert record.cell == GAD
