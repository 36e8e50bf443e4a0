"""A student that is tiny, random and fast, and what it takes to run the whole path with it."""

from __future__ import annotations

import dataclasses
import importlib
import json
import string
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from clinsynth.data.sample import SampleStore
from clinsynth.registry import TASKS
from clinsynth.results import Cell, RunRecord
from clinsynth.schema import Row
from clinsynth.submissions import Card, RealData, write_submission
from clinsynth.task_types import task_type, task_types
from clinsynth.training.recipe import RECIPES, Recipe, Settings, Weights
from clinsynth.training.weights import WEIGHTS_VARIABLE

TINY = Weights(repo="tests/tiny-bert")
SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")


def _write_student(folder: Path) -> None:
    """A BERT of 2 layers and 32 dimensions with random weights, and a vocabulary of characters and a few words."""
    transformers: Any = importlib.import_module("transformers")
    torch: Any = importlib.import_module("torch")
    tokenizers: Any = importlib.import_module("tokenizers")
    characters = string.ascii_lowercase + string.digits + string.punctuation
    words = "the of and in a is was no not patient disease drug gene with cancer pain fever mg daily does".split()
    words = [word for word in words if len(word) > 1]
    vocabulary = {w: k for k, w in enumerate([*SPECIAL, *characters, *(f"##{c}" for c in characters), *words])}
    tokenizer = tokenizers.Tokenizer(tokenizers.models.WordPiece(vocabulary, unk_token="[UNK]"))  # noqa: S106
    tokenizer.normalizer = tokenizers.normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = tokenizers.pre_tokenizers.BertPreTokenizer()
    tokenizer.post_processor = tokenizers.processors.BertProcessing(("[SEP]", 3), ("[CLS]", 2))
    folder.mkdir(parents=True)
    tokenizer.save(str(folder / "tokenizer.json"))
    names = {f"{name.lower()}_token": f"[{name}]" for name in ("PAD", "UNK", "CLS", "SEP", "MASK")}
    (folder / "tokenizer_config.json").write_text(json.dumps({"tokenizer_class": "BertTokenizer", **names}))
    config = transformers.BertConfig(
        vocab_size=len(vocabulary), hidden_size=32, num_hidden_layers=2, num_attention_heads=2,
        intermediate_size=64, max_position_embeddings=256,
    )  # fmt: skip
    with torch.random.fork_rng():
        torch.manual_seed(0)
        transformers.BertModel(config, add_pooling_layer=False).save_pretrained(folder)


@pytest.fixture(scope="session")
def students(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of students, as ``CLINSYNTH_WEIGHTS`` names one; holds the tiny one."""
    folder = tmp_path_factory.mktemp("students")
    _write_student(folder / TINY.repo.split("/")[-1])
    return folder


def tiny(name: str = "tiny.v1", **settings: Any) -> Recipe:
    """A recipe of the tiny student for all seven types; ``settings`` replace its own."""
    own = Settings(steps=4, batch_size=8, learning_rate=1e-3, max_length=64)
    replaced = dataclasses.replace(own, **settings)
    kinds = dict.fromkeys((kind.name for kind in task_types().values()), replaced)
    return Recipe(name=name, weights=TINY, pooling="mean", budget=40, settings=kinds, evidence="none")


Register = Callable[..., Recipe]


@pytest.fixture
def register(students: Path, monkeypatch: pytest.MonkeyPatch) -> Register:
    """``register(name, few_shot_steps=0, **settings)``: put a recipe of the tiny student into the registry."""
    monkeypatch.setenv(WEIGHTS_VARIABLE, str(students))

    def put(name: str = "tiny.v1", *, few_shot_steps: int = 0, **settings: Any) -> Recipe:
        recipe = dataclasses.replace(tiny(name, **settings), few_shot_steps=few_shot_steps)
        monkeypatch.setattr(RECIPES, "_items", {**RECIPES, name: recipe})
        return recipe

    return put


@pytest.fixture
def tiny_recipe(register: Register) -> Recipe:
    """``tiny.v1``, registered."""
    return register()


Submit = Callable[..., Path]


@pytest.fixture
def submit(tmp_path: Path) -> Submit:
    """``submit({task: rows or number of rows of the sample}, name="toy")``: write a submission, give its folder."""

    def write(tasks: Mapping[str, int | Sequence[Row]], name: str = "toy") -> Path:
        card = Card(
            name=name, title=name.title(), authors=("A. Person",), generator="copies the sample", licence="CC0-1.0",
            real_data=RealData(used="none"),
        )  # fmt: skip
        rows = {task: sample_rows(task, have) if isinstance(have, int) else have for task, have in tasks.items()}
        write_submission(tmp_path / name, card, rows)
        return tmp_path / name

    return write


def sample_rows(task: str, number: int) -> list[Row]:
    """So many rows made from the sample's training split, each with a word of its own so that none repeats."""
    kind = task_type(TASKS[task].spec)
    rows = [kind.encode(example) for example in SampleStore().examples(TASKS[task], "train")]
    first = kind.text_keys[0]
    return [rows[k % len(rows)] | {first: f"{rows[k % len(rows)][first]} {k}"} for k in range(number)]


@pytest.fixture
def rng() -> Iterator[np.random.Generator]:
    yield np.random.default_rng(20240229)


Store = Callable[..., RunRecord]


@pytest.fixture
def store_run() -> Store:
    """``store_run(folder, cell, score=..., ...)``: write a sealed record as if the run had been done on the sample."""
    from clinsynth.results import Environment, Results, TestData, TrainingData

    def write(folder: Path, cell: Cell, score: float, **changes: Any) -> RunRecord:
        task = TASKS[cell.task]
        sample = SampleStore()
        record = RunRecord(
            submission=folder.name, task=cell.task, task_version=task.spec.version, recipe=cell.recipe,
            recipe_fingerprint="r", student_fingerprint="s", rows=cell.rows, seed=cell.seed,
            training=TrainingData(fingerprint="d", available=cell.rows, used=cell.rows),
            test=TestData(kind="sample", fingerprint=sample.fingerprint(task, "test"), examples=40),
            fit="fine-tuned", steps=1, loss=0.5, counts={}, metric=task.spec.metric,
            scores=dict.fromkeys((task.spec.metric, *task.spec.also), score), predictions_sha256="p", seconds={},
            environment=Environment(
                clinsynth="", commit="", dirty=False, python="", platform="", packages={}, device="cpu",
                dtype="float32", threads=1,
            ),
            created="2026-01-01T00:00:00+00:00",
        )  # fmt: skip
        changed = record.model_copy(update=changes)
        return Results(folder, changed.test.kind).write_record(changed)

    return write
