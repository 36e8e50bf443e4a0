"""Data sets of the Hugging Face library."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

import pytest
from tests.imported import (
    NER,
    NLI,
    PAIR,
    dropped,
    read_rows,
)

from clinsynth.core.errors import UserError
from clinsynth.core.nouns import Example, Span
from clinsynth.submissions.importing import ImportOptions, import_data
from clinsynth.task_types import task_type


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
