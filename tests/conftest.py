"""A student that is tiny, random and fast, and what it takes to run the whole path with it."""

from __future__ import annotations

import dataclasses
import importlib
import json
import os
import signal
import string
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.asking import Ask, asking
from tests.clients import PRICES
from tests.scripted_server import ScriptedServer

from clinsynth.core.nouns import Prediction, Row, TaskTypeName
from clinsynth.core.registry import TASKS
from clinsynth.data.samples import SampleStore
from clinsynth.llm import Client, ClientSettings
from clinsynth.llm.cache import Cache
from clinsynth.results.store import Cell, Environment, Results, RunRecord, TestData, TrainingData
from clinsynth.scoring.metrics import score_all
from clinsynth.submissions import Card, RealData, read_submission, write_submission
from clinsynth.submissions.folder import fingerprint
from clinsynth.task_types import TASK_TYPES, task_type
from clinsynth.training.executors import EXECUTORS
from clinsynth.training.jobs import Job, Outcome
from clinsynth.training.recipe import RECIPES, Recipe, Settings, Weights
from clinsynth.training.worker import attempt

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # A shell starts what runs in the background with Ctrl-C ignored, and that is inherited: some tests are about it.
    signal.signal(signal.SIGINT, signal.default_int_handler)
from clinsynth.training.weights import WEIGHTS_VARIABLE

TINY = Weights(repo="tests/tiny-bert")
SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")


def _write_student(folder: Path) -> None:
    """A BERT of 2 layers and 32 dimensions with random weights, and a vocabulary of characters and a few words."""
    transformers: Any = importlib.import_module("transformers")
    torch: Any = importlib.import_module("torch")
    tokenizers: Any = importlib.import_module("tokenizers")
    characters = string.ascii_lowercase + string.digits + string.punctuation
    words = [
        "the",
        "of",
        "and",
        "in",
        "is",
        "no",
        "not",
        "patient",
        "disease",
        "drug",
        "gene",
        "with",
        "cancer",
        "pain",
    ]
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
    kinds: dict[TaskTypeName, Settings] = {kind.name: replaced for kind in TASK_TYPES.values()}
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


StoreRun = Callable[..., RunRecord]


@pytest.fixture
def store_run() -> StoreRun:
    """``store_run(folder, cell, seed_of_errors, **changes)``: write a run that was never done, as if it had been.

    A sixth of its predictions are another example's answer; ``changes`` are put into the record before it is sealed.
    """

    def write(folder: Path, cell: Cell, **changes: Any) -> RunRecord:
        task, kind = TASKS[cell.task], changes.pop("kind", "sample")
        gold = SampleStore().examples(task, "test")
        rng = np.random.default_rng([cell.seed, cell.rows])
        order = [int(k) for k in rng.permutation(len(gold))]
        other = [gold[k] if rng.random() < 1 / 6 else own for k, own in zip(order, gold, strict=True)]
        predictions = [Prediction(example.labels, example.spans) for example in other]
        results = Results(folder, kind)
        digest = results.write_predictions(cell, predictions, spans=task.spec.is_span)
        rows = read_submission(folder).rows(cell.task)
        record = RunRecord(
            submission=folder.name, task=cell.task, task_version=task.spec.version, recipe=cell.recipe,
            recipe_fingerprint="r", student_fingerprint="s", rows=cell.rows, seed=cell.seed,
            training=TrainingData(fingerprint=fingerprint(rows, task.spec), available=len(rows), used=cell.rows),
            test=TestData(kind=kind, fingerprint=SampleStore().fingerprint(task, "test"), examples=len(gold)),
            fit="fine-tuned", steps=1, loss=0.5, counts={}, metric=task.spec.metric,
            scores=score_all(task.spec, gold, predictions), predictions_sha256=digest, seconds={},
            environment=Environment(
                clinsynth="", commit="", dirty=False, python="", platform="", packages={}, device="cpu",
                dtype="float32", threads=1,
            ),
            created="2026-01-01T00:00:00+00:00",
        )  # fmt: skip
        return results.write_record(record.model_copy(update=changes))

    return write


@pytest.fixture
def ask(tmp_path: Path) -> Ask:
    """``ask(server, tasks, mode="completion", args={}, **request)``: a run on the sample, into ``tmp_path / "out"``."""
    return asking(tmp_path)


@pytest.fixture
def in_process(monkeypatch: pytest.MonkeyPatch) -> list[Cell]:
    """The local executor does its runs in this process, where the tiny recipe is; gives the runs it was asked for."""
    asked: list[Cell] = []

    class Here:
        def __init__(self, workers: int, on_steps: Callable[[float], Any]) -> None:
            self.waiting: list[Job] = []

        def where(self, jobs: Sequence[Job]) -> list[str]:
            return ["in this process"]

        def submit(self, jobs: Sequence[Job]) -> None:
            self.waiting += jobs

        def outcomes(self) -> list[tuple[Job, Outcome]]:
            job = self.waiting.pop(0)
            asked.append(job.cell)
            return [(job, attempt(job, "tests"))]

        def close(self) -> None:
            pass

    monkeypatch.setattr(EXECUTORS, "_items", {**EXECUTORS, "local": Here})
    return asked


DRIVER = """\
import os, sys
from clinsynth.cli import main
from clinsynth.task_types import TASK_TYPES
from clinsynth.training.recipe import RECIPES, Recipe, Settings, Weights

# At the top: a spawned worker runs this file again, and so has the recipe too.
settings = Settings(steps=int(os.environ["STEPS"]), batch_size=8, learning_rate=1e-3, max_length=64)
recipe = Recipe(
    name="tiny.v1", weights=Weights(repo="tests/tiny-bert"), pooling="mean", budget=40,
    settings=dict.fromkeys((kind.name for kind in TASK_TYPES.values()), settings), evidence="none",
)
RECIPES._items = {**RECIPES, "tiny.v1": recipe}
if __name__ == "__main__":
    sys.exit(main())
"""

Clinsynth = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
def clinsynth(students: Path, tmp_path: Path) -> Iterator[Clinsynth]:
    """``clinsynth("score", ..., steps=4)``: the command line in a process of its own that has the tiny recipe."""
    driver = tmp_path / "driver.py"
    driver.write_text(DRIVER)
    started: list[subprocess.Popen[str]] = []

    def start(*words: object, steps: int = 4) -> subprocess.Popen[str]:
        environment = {**os.environ, WEIGHTS_VARIABLE: str(students), "STEPS": str(steps), "HF_HUB_OFFLINE": "1"}
        process = subprocess.Popen(  # noqa: S603 - our own driver
            [sys.executable, str(driver), *map(str, words)], env=environment, cwd=tmp_path, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True,
        )  # fmt: skip
        started.append(process)
        return process

    yield start
    for process in started:
        # Once it is reaped its number may be somebody else's; its workers end by themselves.
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()


@pytest.fixture
def cache(tmp_path: Path) -> Iterator[Cache]:
    """An empty cache of answers."""
    made = Cache(tmp_path / "cache")
    yield made
    made.close()


@pytest.fixture
def connect(cache: Cache, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Client]]:
    """``connect(server, **settings)``: a client that does not wait long, and has no key."""
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    made: list[Client] = []

    def open_client(server: ScriptedServer | str, **settings: Any) -> Client:
        url = server if isinstance(server, str) else server.base_url
        own = ClientSettings(model="scripted", base_url=url, backoff=0.001, poll=0.001, timeout=5.0)
        lines: list[str] = []
        made.append(Client(dataclasses.replace(own, **settings), cache, PRICES, lines.append))
        return made[-1]

    yield open_client
    for client in made:
        client.close()
