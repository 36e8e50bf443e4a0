"""Stored records are read in one place: what is no good record is named and left out, and stops nothing else."""

import gzip
import json
import os
import resource
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal, NamedTuple

import pytest
from pydantic import Field

from clinsynth.cli import main
from clinsynth.core import (
    TASKS,
    Example,
    FaultyRecordError,
    Prediction,
    RecordKind,
    Sealed,
    Split,
    Task,
    UnfitFileError,
    UserError,
    environment,
    read_sealed,
    stored_paths,
    unpacked_bytes,
    write_json,
    write_jsonl_gz,
    write_sealed,
)
from clinsynth.data.samples import SampleStore
from clinsynth.results.predictions import read_predictions
from clinsynth.results.store import Cell, Results, RunRecord, TrainingData
from clinsynth.results.store import TestData as OnTest
from clinsynth.results.verification import verify
from clinsynth.scoring import score_all
from clinsynth.standings import collect, standings
from clinsynth.submissions import Card, RealData, fingerprint, read_submission, write_submission

Submit = Callable[..., Path]
StoreRun = Callable[..., RunRecord]
SAMPLE = SampleStore()
GAD = Cell("gad", "minilm-l6.v1", 40, 0)
KIND = RecordKind("a thing", "delete it", limit=10_000)


class Thing(Sealed):
    format: Literal[1] = 1
    counts: dict[str, int] = Field(default_factory=dict)
    share: float = 0.5
    created: str = "2026-01-01T00:00:00+00:00"


class LaterThing(Thing):
    note: str = "not known"
    parts: tuple[int, ...] = ()


def test_a_record_reads_back_with_its_seal(tmp_path: Path) -> None:
    path = tmp_path / "thing.json"
    written = write_sealed(path, Thing(counts={"a": 2**53}))
    assert read_sealed(path, Thing, KIND) == written
    assert written.seal == written.expected_seal()


def test_a_field_that_is_added_with_a_default_breaks_no_seal(tmp_path: Path) -> None:
    path = tmp_path / "thing.json"
    write_sealed(path, Thing(counts={"a": 1}))
    later = read_sealed(path, LaterThing, KIND)
    assert later.note == "not known"
    assert later.seal == later.expected_seal()
    write_sealed(path, LaterThing(counts={"a": 1}))
    edited = json.loads(path.read_text()) | {"note": "known"}
    path.write_text(json.dumps(edited))
    with pytest.raises(FaultyRecordError, match="edited"):
        read_sealed(path, LaterThing, KIND)


FAULTS: dict[str, tuple[str, str, str]] = {
    "a count below 0": ('"counts": {"a": -1}', "bad-number", "counts.a: -1"),
    "a count beyond 2^53": (f'"counts": {{"a": {2**53 + 1}}}', "bad-number", "expected 0 to 2"),
    "a count beyond 64 bit": (f'"counts": {{"a": {2**70}}}', "bad-number", "expected 0 to 2"),
    "a count of 2,000 digits": (f'"counts": {{"a": {"9" * 2000}}}', "bad-number", "bits"),
    "infinity": ('"share": Infinity', "bad-form", "finite"),
    "no number": ('"share": NaN', "bad-form", "finite"),
    "an infinite literal": ('"share": 1e999', "bad-form", "share"),
    "an unknown field": ('"bonus": 1', "bad-form", "bonus"),
    "no date": ('"created": "yesterday"', "bad-form", "created"),
    "hundreds of levels": (f'"counts": {"[" * 4000}{"]" * 4000}', "bad-form", ""),
    "more bytes than any record has": (f'"created": "{"9" * 20_000}"', "too-large", "at most"),
    "an edit": ('"share": 0.75', "edited", ""),
}


@pytest.mark.parametrize("name", FAULTS)
def test_what_cannot_be_is_refused(name: str, tmp_path: Path) -> None:
    field, code, said = FAULTS[name]
    path = tmp_path / "toy" / "gad" / "thing.json"
    path.parent.mkdir(parents=True)
    path.write_text('{"seal": "0", ' + field + "}")
    with pytest.raises(FaultyRecordError) as caught:
        read_sealed(path, Thing, KIND)
    fault = caught.value.fault(tmp_path / "toy", "gad")
    assert (fault.submission, fault.task, fault.code, fault.path) == ("toy", "gad", code, path)
    assert fault.text.startswith("gad/thing.json ")
    assert said in fault.text
    assert "\n" not in fault.text


def test_only_regular_files_are_opened(tmp_path: Path) -> None:
    whole = tmp_path / "whole"
    whole.write_bytes(b"x" * 100)
    assert unpacked_bytes(whole, 100) == b"x" * 100
    with pytest.raises(UnfitFileError, match="at most 99"):
        unpacked_bytes(whole, 99)
    for name, make in KINDS.items():
        if name == "huge":
            continue
        path = tmp_path / name
        make(path)
        with pytest.raises(UnfitFileError, match="not a file"):
            unpacked_bytes(path)


def test_a_bomb_is_unpacked_to_its_limit_only(tmp_path: Path) -> None:
    bomb = tmp_path / "bomb.gz"
    with gzip.open(bomb, "wb", compresslevel=1) as stream:
        for _ in range(256):
            stream.write(bytes(2**20))
    with pytest.raises(UnfitFileError, match="bytes"):
        unpacked_bytes(bomb, 1_000_000)
    with pytest.raises(UserError, match="cannot be read"):
        read_predictions(bomb, TASKS["gad"].spec, 2**53)


def test_links_are_not_followed_in_search_of_records(tmp_path: Path) -> None:
    base = tmp_path / "runs"
    (base / "gad" / "n5").mkdir(parents=True)
    (base / "gad" / "n5" / "seed0.json").write_text("{}")
    (base / "gad" / ".hidden").mkdir()
    (base / "root").symlink_to("/")
    assert list(stored_paths(base, "*/n*/seed*.json")) == [base / "gad" / "n5" / "seed0.json", base / "root"]
    assert list(stored_paths(base, "gad/n*/seed*.json")) == [base / "gad" / "n5" / "seed0.json"]
    (tmp_path / "linked").symlink_to(base)
    assert list(stored_paths(tmp_path / "linked", "*/*")) == [tmp_path / "linked"]


def bad_predictions(task: str) -> dict[str, Any]:
    label = TASKS[task].spec.labels[0]
    if TASKS[task].spec.is_span:
        return {
            "no label of the task": [[0, 3, "Nonsense"]],
            "a span that ends before it begins": [[3, 0, label]],
            "an empty span": [[3, 3, label]],
            "below 0": [[-1, 3, label]],
            "beyond 64 bit": [[0, 2**70, label]],
            "infinity": [[0, float("inf"), label]],
            "halves": [[0, 1.5, label]],
            "out of order": [[5, 8, label], [0, 3, label]],
            "one over another": [[0, 5, label], [3, 8, label]],
            "twice": [[0, 5, label], [0, 5, label]],
            "no list": "none",
            "two parts": [[0, 5]],
        }
    return {
        "no label of the task": ["nonsense"],
        "no word": [7],
        "a list in a list": [[label]],
        "twice": [label, label],
        "no list": 3,
        "a word": "yes",
    }


CASES = [(task, name) for task in ("gad", "hoc", "ncbi-disease") for name in bad_predictions(task)]


@pytest.mark.parametrize(("task", "name"), CASES)
def test_an_answer_that_is_none_of_the_task_is_named(task: str, name: str, submit: Submit, store_run: StoreRun) -> None:
    folder = submit({task: 40})
    cell = Cell(task, "minilm-l6.v1", 40, 0)
    store_run(folder, cell)
    path = Results(folder, "sample").predictions_path(cell)
    rows = [json.loads(line) for line in gzip.decompress(path.read_bytes()).splitlines()]
    rows[3]["spans" if TASKS[task].spec.is_span else "labels"] = bad_predictions(task)[name]
    # Infinity is no JSON, but it is what Python writes and reads.
    path.write_bytes(gzip.compress("".join(json.dumps(row) + "\n" for row in rows).encode()))
    found = [finding.what for finding in verify(folder, SAMPLE).findings if finding.severity == "failed"]
    assert any("line 4 is not a prediction" in what for what in found), found


@pytest.mark.parametrize("labels", [[], ["relation", "no_relation"]])
def test_one_label_is_said_where_there_is_one(labels: list[str], tmp_path: Path) -> None:
    path = tmp_path / "seed0.jsonl.gz"
    write_jsonl_gz(path, [{"id": 0, "labels": labels}])
    with pytest.raises(UserError, match=f"{len(labels)} labels, not one"):
        read_predictions(path, TASKS["gad"].spec, 1)
    hoc = tmp_path / "hoc.jsonl.gz"
    write_jsonl_gz(hoc, [{"id": 0, "labels": list(TASKS["hoc"].spec.labels)}])
    assert len(read_predictions(hoc, TASKS["hoc"].spec, 1)[0][0].labels) == len(TASKS["hoc"].spec.labels)


EDITS: dict[str, dict[str, Any]] = {
    "a better score": {"scores": dict.fromkeys((TASKS["gad"].spec.metric, *TASKS["gad"].spec.also), 0.99)},
    "fewer rows than none": {"rows": -300},
    "a count below 0": {"counts": {"test.truncated": -3}},
    "a count beyond 64 bit": {"steps": 2**70},
}


@pytest.mark.parametrize("name", EDITS)
def test_a_faulty_record_is_shown_by_no_table(
    name: str, submit: Submit, store_run: StoreRun, capsys: pytest.CaptureFixture[str]
) -> None:
    folder, other = submit({"gad": 40}), submit({"gad": 40}, name="other")
    for place in (folder, other):
        for seed in range(2):
            store_run(place, GAD._replace(seed=seed))
    path = Results(folder, "sample").record_path(GAD)
    write_json(path, json.loads(path.read_text()) | EDITS[name])
    table = standings([folder.parent], "minilm-l6.v1", 40, "sample")
    assert {row.name: len(row.scores["gad"].by_seed) for row in table.rows} == {"toy": 1, "other": 2}
    assert any("runs/gad/minilm-l6.v1/n40/seed0.json" in each.text for each in table.left_out)
    (fault,) = collect([folder.parent], "sample").refused
    assert (fault.submission, fault.task, fault.path) == ("toy", "gad", path)
    assert fault.code == ("edited" if name == "a better score" else "bad-number")
    assert main(["standings", str(folder.parent), "--sample", "--rows", "40", "--no-statistics"]) == 0
    assert "99.0" not in capsys.readouterr().out
    assert main(["verify", str(folder), "--sample"]) == 1
    assert main(["verify", str(other), "--sample"]) == 0


def test_negative_rows_in_a_path_are_no_record(submit: Submit, store_run: StoreRun) -> None:
    folder = submit({"gad": 40})
    record = store_run(folder, GAD)
    strange = record.model_copy(update={"rows": -300})
    Results(folder, "sample").write_record(strange)
    assert (folder / "sample" / "runs" / "gad" / "minilm-l6.v1" / "n-300" / "seed0.json").is_file()
    stored = Results(folder, "sample").stored()
    assert [each.rows for each in stored.records] == [40]
    assert [fault.code for fault in stored.faults] == ["bad-number"]


def test_another_version_of_the_task_fails(submit: Submit, store_run: StoreRun) -> None:
    folder = submit({"gad": 40})
    store_run(folder, GAD, task_version=99)
    assert any("version 99 of the task" in str(finding) for finding in verify(folder, SAMPLE).findings)
    collection = collect([folder], "sample")
    assert not collection.stored[0].records
    assert [(each.submission, each.task) for each in collection.left_out] == [(folder.name, "gad")]


class Damaged(SampleStore):
    """A store in which a byte was changed: its manifest says what it was."""

    def examples(self, task: Task, split: Split) -> list[Example]:
        first, *others = super().examples(task, split)
        return [Example((f"{first.texts[0]}!",), labels=first.labels, spans=first.spans, unit=first.unit), *others]

    def fingerprint(self, task: Task, split: Split) -> str:
        return SampleStore().fingerprint(task, split)


class Broken(SampleStore):
    """A store that cannot be read."""

    def examples(self, task: Task, split: Split) -> list[Example]:
        raise UserError("the test split is damaged", remedy="prepare it again")

    def fingerprint(self, task: Task, split: Split) -> str:
        return SampleStore().fingerprint(task, split)


@pytest.mark.parametrize("store", [Damaged(), Broken()])
def test_a_damaged_test_set_is_a_failure(store: SampleStore, submit: Submit, store_run: StoreRun) -> None:
    folder = submit({"gad": 40})
    store_run(folder, GAD)
    verified = verify(folder, store)
    assert not verified.ok
    assert "the prepared test set" in verified.findings[0].what
    assert "damaged" in verified.findings[0].what


# One bad file in one submission, and what the others are told of it.


def _huge(path: Path) -> None:
    with path.open("wb") as stream:
        stream.truncate(2**40)  # a file of holes: a terabyte that takes no room


KINDS: dict[str, Callable[[Path], None]] = {
    "folder": Path.mkdir,
    "link": lambda path: path.symlink_to("/etc/hostname"),
    "endless": lambda path: path.symlink_to("/dev/zero"),
    "pipe": os.mkfifo,
    "huge": _huge,
}
PLACES = {
    "card": "submission.toml",
    "run": f"sample/runs/{GAD.stem}.json",
    "predictions": f"sample/predictions/{GAD.stem}.jsonl.gz",
    "audit": "sample/audit/gad.json",
    "quality": "sample/quality/gad.json",
    "generation": "generation/gad.json",
    "reproduction": f"sample/reproduced/{GAD.stem}.json",
    "data": "data/gad.jsonl.gz",
    "runs": "sample/runs",
}
VARIANTS = [f"{place} {kind}" for place in PLACES for kind in KINDS if (place, kind) != ("runs", "folder")]
MEMORY = 6 * 2**30
"""Address space of the process that meets them: numpy's and torch's libraries alone take a good part of it."""

CHILD = """\
import contextlib, io, json, os, shutil, signal, sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from test_records import KINDS, PLACES, VARIANTS
from clinsynth.cli import main

def hangs(*_):
    raise TimeoutError

signal.signal(signal.SIGALRM, hangs)
base, told = Path(sys.argv[2]), {}
for variant in VARIANTS:
    place, kind = variant.split()
    folder = base.parent / f"try-{place}-{kind}"
    shutil.copytree(base, folder)
    bad = folder / "bad" / PLACES[place]
    shutil.rmtree(bad) if bad.is_dir() else bad.unlink(missing_ok=True)
    bad.parent.mkdir(parents=True, exist_ok=True)
    KINDS[kind](bad)
    commands = {
        "standings": ["standings", str(folder), "--sample", "--rows", "40", "--no-statistics"],
        "snapshot": ["snapshot", str(folder), "--sample", "--no-statistics", "--out", str(folder / "snapshot")],
        "verify good": ["verify", str(folder / "good"), "--sample"],
        "verify bad": ["verify", str(folder / "bad"), "--sample"],
    }
    for name, words in commands.items():
        out = io.StringIO()
        signal.alarm(120)
        try:
            with contextlib.redirect_stdout(out), contextlib.redirect_stderr(out):
                code = main(words)
        except (Exception, TimeoutError) as error:
            code = repr(error)
        signal.alarm(0)
        told[f"{variant} {name}"] = (code, out.getvalue())
    told[f"{variant} left"] = (0, "".join(p.read_text() for p in (folder / "snapshot").rglob("left_out*.json")))
    shutil.rmtree(folder)
print(json.dumps(told))
"""


class Told(NamedTuple):
    code: int | str
    out: str


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Told]:
    """What each command said of each variant, from one process with a limit of memory."""
    root = tmp_path_factory.mktemp("bad-files")
    base = root / "submissions"
    script = root / "child.py"
    script.write_text(CHILD)
    _two_submissions(base)
    done = subprocess.run(  # noqa: S603 - our own script
        [sys.executable, str(script), str(Path(__file__).parent), str(base)], capture_output=True, text=True,
        timeout=1_800, check=False, preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY)),
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2_000:]
    return {name: Told(*value) for name, value in json.loads(done.stdout.splitlines()[-1]).items()}


def _two_submissions(base: Path) -> None:
    spec, gold = TASKS["gad"].spec, SAMPLE.examples(TASKS["gad"], "test")
    made = [{"text": f"@GENE$ and @DISEASE$ met {k} times.", "label": spec.labels[k % 2]} for k in range(40)]
    for name in ("good", "bad"):
        folder = base / name
        card = Card(name=name, title=name, authors=("A",), generator="copies", licence="CC0-1.0",
                    real_data=RealData(used="none"))  # fmt: skip
        write_submission(folder, card, {"gad": made})
        results = Results(folder, "sample")
        rows = read_submission(folder).rows("gad")
        for seed in range(2):
            cell = GAD._replace(seed=seed)
            said = [Prediction(example.labels) for example in [*gold[seed + 1 :], *gold[: seed + 1]]]
            digest = results.write_predictions(cell, said, spans=False)
            results.write_record(
                RunRecord(
                    submission=name, task="gad", task_version=spec.version, recipe=cell.recipe, recipe_fingerprint="r",
                    student_fingerprint="s", rows=40, seed=seed,
                    training=TrainingData(fingerprint=fingerprint(rows, spec), available=40, used=40),
                    test=OnTest(kind="sample", fingerprint=SAMPLE.fingerprint(TASKS["gad"], "test"),
                                  examples=len(gold)),
                    fit="fine-tuned", steps=1, loss=0.5, counts={}, metric=spec.metric,
                    scores=score_all(spec, gold, said), predictions_sha256=digest, seconds={},
                    environment=environment("cpu", "float32", 1), created="2026-01-01T00:00:00+00:00",
                )
            )  # fmt: skip


@pytest.mark.parametrize("variant", VARIANTS)
def test_one_bad_file_stops_nobody_else(variant: str, told: dict[str, Told]) -> None:
    place = variant.split(maxsplit=1)[0]
    for command in ("standings", "snapshot", "verify good"):
        code, out = told[f"{variant} {command}"]
        assert code == 0, f"{command}: {code}\n{out[-1_500:]}"
    assert "good" in told[f"{variant} standings"].out
    code, out = told[f"{variant} verify bad"]
    if place in ("card", "run", "predictions", "data", "runs"):
        # A card is not what verify is about; that the rows cannot be read, it says.
        assert code in (1, 2), out
        assert PLACES[place].rsplit("/", 1)[-1].split(".")[0] in out or "bad" in out
    if place in ("card", "run", "runs"):
        assert "bad" in told[f"{variant} standings"].out
    if place in ("card", "run", "audit", "quality", "generation"):
        assert "bad" in told[f"{variant} left"].out


def test_the_limit_is_one(tmp_path: Path) -> None:
    """The tests above say nothing if the process they run in may take all the memory there is."""
    script = "bytearray(8 * 2**30)"
    done = subprocess.run(  # noqa: S603 - our own script
        [sys.executable, "-c", script], capture_output=True, text=True, check=False,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY)),
    )  # fmt: skip
    assert "MemoryError" in done.stderr
    shutil.rmtree(tmp_path)


def test_an_older_quality_record_is_read_without_the_numbers_it_had_not(tmp_path: Path) -> None:
    from clinsynth.quality.record import NUMBERS, read_record

    path = Path(__file__).parent.parent / "submissions" / "template" / "quality" / "ncbi-disease.json"
    record = read_record(path)
    later = [name for name, number in NUMBERS.items() if number.since > record.method]
    if record.method < 3:
        assert later
        assert all(record.data.value(name) is None for name in later)
        assert all("before" in record.data.reason(name) for name in later)
    assert record.data.value("duplicates") is not None


def test_label_faults_of_spans() -> None:
    from clinsynth.core import Span
    from clinsynth.quality.measures import span_faults

    def row(text: str, *mentions: str) -> Example:
        spans = [Span(text.index(each), text.index(each) + len(each), "Disease") for each in mentions]
        return Example((text,), spans=tuple(sorted(spans)))

    rows = [
        row("Cystic fibrosis and flu were seen.", "Cystic fibrosis", "flu"),
        row("Cystic fibrosis is not tagged here, fluid is another word, and Flu has another case."),
        row("The cystic fibrosis gene, and chronic flu.", "chronic flu"),
        row("Patients with @DISEASE$ were asked.", "@DISEASE$"),
        row("In #@ they were well.", "#@"),
    ]
    found = span_faults(rows)
    # Cystic fibrosis, flu, chronic flu, and the first placeholder are looked for: one stands untagged.
    assert (found.untagged, found.empty, found.placeholders) == (0.25, 0.2, 0.4)
    assert span_faults([row("Nothing.")]) == type(found)(None, 1.0, None)
    assert span_faults([]) == type(found)(None, None, None)
