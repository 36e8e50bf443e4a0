"""Whole submissions measured: records, losses, suspects, and what the page explains."""

from __future__ import annotations

import hashlib
import json
import re
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from clinsynth.cli import main
from clinsynth.core.errors import UserError
from clinsynth.core.files import unpacked_bytes
from clinsynth.core.registry import TASKS
from clinsynth.data.samples import SampleStore
from clinsynth.data.store import DataStore
from clinsynth.generation.record import GenerationRecord, write_generation
from clinsynth.quality import NUMBERS, Measured, measure, read_record, record_path
from clinsynth.quality import measurement as measuring
from clinsynth.quality.measurement import losses_of
from clinsynth.quality.record import Losses
from clinsynth.submissions import Card, RealData, read_submission, write_submission
from clinsynth.submissions.card import to_toml
from clinsynth.submissions.folder import existing_card
from clinsynth.task_types import task_type


def submit(folder: Path, task: str, rows: list[dict[str, Any]]) -> Path:
    card = Card(
        name=folder.name, title="Toy", authors=("A. Person",), generator="templates", licence="CC0-1.0",
        real_data=RealData(used="none"),
    )  # fmt: skip
    write_submission(folder, card, {task: rows})
    return folder


def sample_rows(task: str, n: int | None = None) -> list[dict[str, Any]]:
    kind = task_type(TASKS[task].spec)
    return [kind.encode(example) for example in SampleStore().examples(TASKS[task], "train")[:n]]


def test_measure_stores_and_resumes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = submit(tmp_path / "demo", "gad", sample_rows("gad", 20))
    assert main(["quality", str(folder), "--sample", "--json"]) == 0
    (printed,) = json.loads(capsys.readouterr().out)
    path = record_path(folder, "sample", "gad")
    assert path == folder / "sample" / "quality" / "gad.json"
    record = read_record(path)
    assert record.model_dump(mode="json") == printed
    assert (record.data.rows, record.data.draws, record.available) == (20, 1, 20)
    assert record.real is not None
    assert record.real.rows == record.reference_rows // 2
    for example in SampleStore().examples(TASKS["gad"], "train"):
        assert example.texts[0][:20] not in path.read_text("utf-8")
    before = path.stat().st_mtime_ns
    assert measure(folder, [TASKS["gad"]], SampleStore()) == [record]
    assert path.stat().st_mtime_ns == before
    submit(folder, "gad", sample_rows("gad", 24))
    (again,) = measure(folder, [], SampleStore(), rows=10)
    assert (again.data.rows, again.data.draws, again.available) == (10, 5, 24)
    assert again.data.spread["aps"] > 0
    assert main(["quality", str(folder), "--sample", "--rows", "10"]) == 0
    table = capsys.readouterr().out
    assert "5 draws of 10 rows (24 available)" in table
    assert "distinct entity mentions" not in table  # no span task
    assert "candidate rows that came to nothing: unknown: neither" in table
    path.write_text("{}")
    with pytest.raises(UserError, match="not a quality record"):
        read_record(path)


def test_real_rows_are_measured_once_for_all_submissions(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    names = ("one", "two", "three")
    folders = [submit(tmp_path / name, "gad", sample_rows("gad", 20 + k)) for k, name in enumerate(names)]
    cache = tmp_path / "cache"
    calls: list[int] = []
    real = measuring._real_numbers  # pyright: ignore[reportPrivateUsage]

    def counted(*given: Any) -> Measured:
        calls.append(1)
        return real(*given)

    monkeypatch.setattr(measuring, "_real_numbers", counted)
    found = [measure(folder, [], SampleStore(), rows=10, cache_dir=cache)[0].real for folder in folders[:2]]
    assert found[0] == found[1]
    assert len(calls) == 1
    (kept,) = (cache / "quality").iterdir()
    kept.write_text("{")
    assert measure(folders[2], [], SampleStore(), rows=10, cache_dir=cache)[0].real == found[0]
    assert len(calls) == 2
    assert Measured.model_validate_json(kept.read_text("utf-8")) == found[0]


def test_without_real_data_nothing_is_zero(tmp_path: Path) -> None:
    folder = submit(tmp_path / "demo", "ncbi-disease", sample_rows("ncbi-disease", 12))
    (record,) = measure(folder, [], DataStore(tmp_path / "empty"), cache_dir=tmp_path / "cache")
    assert record_path(folder, "real", "ncbi-disease").is_file()
    assert record.reference_fingerprint == ""
    assert record.real is None
    for number in NUMBERS.values():
        if number.needs_real:
            assert record.data.numbers[number.name] is None
            assert "not prepared" in record.data.reasons[number.name]


def test_suspects_are_rows_of_the_file(tmp_path: Path) -> None:
    said = {"relation": "strongly raises the risk of", "no_relation": "was sequenced in healthy mice, unlike"}
    other = {"relation": "no_relation", "no_relation": "relation"}
    wrong = {5, 20, 33, 48, 61, 76}
    rows: list[dict[str, Any]] = []
    for k in range(1, 81):
        label = "relation" if k % 2 else "no_relation"
        text = f"In cohort {k}, @GENE$ {said[label]} @DISEASE$."
        rows.append({"text": text, "label": other[label] if k in wrong else label})
    folder = submit(tmp_path / "demo", "gad", rows)
    (record,) = measure(folder, [], SampleStore(), rows=60)
    assert set(record.suspects) == wrong  # each is in at least one of five draws of 60 of 80
    assert record.data.numbers["label_noise"] == pytest.approx(6 / 80, abs=0.03)
    assert record.data.numbers["near_duplicates"] == pytest.approx(58 / 60, abs=0.02)  # two templates
    assert not record.same_question(record.model_copy(update={"reference_fingerprint": "other"}))
    assert record.same_question(record.model_copy(update={"created": "later"}))


def test_an_edited_record_is_no_record(tmp_path: Path) -> None:
    folder = submit(tmp_path / "demo", "gad", sample_rows("gad", 8))
    (record,) = measure(folder, [], SampleStore())
    path = record_path(folder, "sample", "gad")
    assert record.seal == record.expected_seal()
    path.write_text(path.read_text("utf-8").replace('"available": 8', '"available": 9'))
    with pytest.raises(UserError, match="was edited"):
        read_record(path)
    (again,) = measure(folder, [], SampleStore())
    assert again.available == 8


def generated(folder: Path, task: str, **changes: Any) -> GenerationRecord:
    """A record of how the rows that are here came about."""
    digest = hashlib.sha256(unpacked_bytes(folder / "data" / f"{task}.jsonl.gz")).hexdigest()
    record = GenerationRecord(
        baseline="made-up", task=task, task_version=1, data="sample", real_split="", seed=0, asked=8, kept=8,
        kept_by_class={}, candidates=10, dropped={"not-json": 2}, altered={}, rate=0.8, stopped="rows", limits={},
        prompts={}, notes={},
        knowledge=None, model=None, cost=None, seconds=1.0, rows_sha256=digest, clinsynth="", commit="", dirty=False,
        created="2026-01-01T00:00:00+00:00",
    )  # fmt: skip
    return write_generation(folder, record.model_copy(update=changes))


def test_losses_are_those_of_the_generation_then_of_the_card_and_else_unknown(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = submit(tmp_path / "demo", "gad", sample_rows("gad", 8))
    assert losses_of(read_submission(folder), "gad", 8) is None
    assert main(["quality", str(folder), "--sample"]) == 0
    assert re.search(r"candidate rows that came to nothing +unknown", capsys.readouterr().out)
    card = existing_card(folder)
    assert card is not None
    stated = card.model_copy(update={"losses": {"gad": 24}})
    (folder / "submission.toml").write_text(to_toml(stated), "utf-8")
    assert existing_card(folder) == stated
    (by_card,) = measure(folder, [], SampleStore())
    assert by_card.losses == Losses(source="card", candidates=32, lost={"not stated": 24})
    assert by_card.data.numbers["parse_losses"] == 0.75
    generated(folder, "gad")
    (recorded,) = measure(folder, [], SampleStore())
    assert recorded.losses == Losses(source="generation record", candidates=10, lost={"not-json": 2})
    assert recorded.data.numbers["parse_losses"] == 0.2
    assert main(["quality", str(folder), "--sample"]) == 0
    assert "lost of 10 candidates, by the generation record: not-json 2" in capsys.readouterr().out
    for changes in ({"rows_sha256": "of other rows"}, {"seal": "edited"}):
        record = generated(folder, "gad", **changes)
        if "seal" in changes:
            path = folder / "generation" / "gad.json"
            path.write_text(path.read_text("utf-8").replace(record.seal, "edited"))
        assert losses_of(read_submission(folder), "gad", 8) == by_card.losses


def test_a_card_may_say_that_nothing_was_lost(tmp_path: Path) -> None:
    folder = submit(tmp_path / "demo", "gad", sample_rows("gad", 8))
    card = existing_card(folder)
    assert card is not None
    (folder / "submission.toml").write_text(to_toml(card.model_copy(update={"losses": {"gad": 0}})), "utf-8")
    found = losses_of(read_submission(folder), "gad", 8)
    assert found is not None
    assert found.share == 0.0


def test_bad_requests(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = submit(tmp_path / "demo", "gad", sample_rows("gad", 5))
    assert main(["quality", str(folder), "--sample", "--rows", "0"]) == 2
    assert main(["quality", str(folder), "--sample", "--tasks", "mqp"]) == 2
    assert main(["quality", str(tmp_path / "nothing"), "--sample"]) == 2
    assert "Traceback" not in capsys.readouterr().err


def test_what_is_missing_must_have_a_reason() -> None:
    good: dict[str, Any] = Measured.nothing().model_dump()
    aps: dict[str, Any] = {**good["numbers"], "aps": 0.1}
    nothing: dict[str, Any] = {}
    for key, value, what in (
        ("reasons", nothing, "a reason"),
        ("numbers", aps, "a reason"),
        ("numbers", nothing, "this method"),
    ):
        with pytest.raises(ValidationError, match=what):
            Measured.model_validate({**good, key: value})


def test_docs_explain_every_number() -> None:
    text = (Path(__file__).parents[1] / "docs" / "quality.md").read_text("utf-8")
    counted = Counter(name for name in NUMBERS if f"`{name}`" in text)
    assert set(counted) == set(NUMBERS)
