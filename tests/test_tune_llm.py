"""Tuning a tiny random language model on invented notes, on the CPU."""

import importlib.util
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from clinsynth.cli import main
from clinsynth.core.errors import UserError
from clinsynth.direct.suites.notes import prompt
from clinsynth.direct.tuning import RECORD, TuneSettings, tune_llm
from clinsynth.generation.notes.corpus import NoteRow

pytestmark = pytest.mark.skipif(
    any(importlib.util.find_spec(name) is None for name in ("peft", "lm_eval")),
    reason="peft and lm-eval are not installed: pip install 'clinsynth[direct,tune]'",
)

ROWS = [
    {"patient_id": str(k), "note": f"Patient {k} has a cough.", "question": "What is wrong?", "answer": "A cough.",
     "task": "Question Answering"}
    for k in range(12)
]  # fmt: skip


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """A model this small only waits for more."""
    torch: Any = pytest.importorskip("torch")
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Llama of two layers with random weights, whose vocabulary is bytes."""
    torch: Any = pytest.importorskip("torch")
    transformers: Any = pytest.importorskip("transformers")
    tokenizers: Any = pytest.importorskip("tokenizers")
    folder = tmp_path_factory.mktemp("tiny")
    alphabet = sorted(tokenizers.pre_tokenizers.ByteLevel.alphabet())
    vocabulary = {token: k for k, token in enumerate(["<pad>", "<s>", "</s>", *alphabet])}
    own = tokenizers.Tokenizer(tokenizers.models.BPE(vocabulary, []))
    own.pre_tokenizer = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False)
    own.decoder = tokenizers.decoders.ByteLevel()
    fast = transformers.PreTrainedTokenizerFast(
        tokenizer_object=own, pad_token="<pad>", bos_token="<s>", eos_token="</s>"  # noqa: S106 - no secrets
    )  # fmt: skip
    fast.save_pretrained(folder)
    config = transformers.LlamaConfig(
        vocab_size=len(vocabulary), hidden_size=32, intermediate_size=64, num_hidden_layers=2, num_attention_heads=2,
        num_key_value_heads=2, max_position_embeddings=1024, initializer_range=0.2,
        pad_token_id=0, bos_token_id=1, eos_token_id=2,
    )  # fmt: skip
    with torch.random.fork_rng():
        torch.manual_seed(0)
        transformers.LlamaForCausalLM(config).save_pretrained(folder)
    return folder


@pytest.fixture
def notes(tmp_path: Path) -> Path:
    path = tmp_path / "notes.jsonl"
    path.write_text("\n".join(map(json.dumps, ROWS)))
    return path


def settings(tiny: Path, **more: Any) -> TuneSettings:
    own: dict[str, Any] = {"model": str(tiny), "epochs": 15, "learning_rate": 3e-2, "batch_size": 4, "device": "cpu"}
    return TuneSettings(**{**own, **more})


def test_a_model_learns_the_answers_and_is_written_whole(tiny: Path, notes: Path, tmp_path: Path) -> None:
    transformers: Any = pytest.importorskip("transformers")
    torch: Any = pytest.importorskip("torch")
    out = tmp_path / "tuned"
    done = tune_llm(notes, out, settings(tiny))
    assert (done.rows, done.steps, done.left_out) == (12, 45, {})
    assert done.last_loss < 0.95 * done.first_loss
    assert 0 < done.trainable < done.parameters
    record = json.loads((out / RECORD).read_text())
    assert record["settings"]["rank"] == 16
    assert "cough" not in (out / RECORD).read_text()
    model = transformers.AutoModelForCausalLM.from_pretrained(out)
    tokenizer = transformers.AutoTokenizer.from_pretrained(out)
    asked = torch.tensor([tokenizer(prompt(NoteRow(**ROWS[0])))["input_ids"]])
    answer = torch.tensor([tokenizer(" A cough.", add_special_tokens=False)["input_ids"]])
    before = transformers.AutoModelForCausalLM.from_pretrained(tiny)
    with torch.no_grad():
        losses = [_loss(torch, each, asked, answer) for each in (before, model)]
    assert losses[1] < losses[0], "the merged model has what the adapters learnt"


def _loss(torch: Any, model: Any, asked: Any, answer: Any) -> float:
    logits = model(input_ids=torch.cat([asked, answer], dim=1)).logits[0, asked.shape[1] - 1 : -1]
    return float(torch.nn.functional.cross_entropy(logits, answer[0]))


def test_the_seed_and_not_the_memory_decides(tiny: Path, notes: Path, tmp_path: Path) -> None:
    short = {"epochs": 0.5}
    losses = [
        tune_llm(notes, tmp_path / name, settings(tiny, **short, **more)).last_loss
        for name, more in (("a", {}), ("b", {"micro_batch": 4}), ("c", {"seed": 1}))
    ]
    assert losses[1] == pytest.approx(losses[0], rel=1e-4)
    assert losses[2] != losses[0]


def test_what_does_not_fit_is_counted(tiny: Path, tmp_path: Path) -> None:
    path = tmp_path / "notes.jsonl"
    odd = [{**ROWS[0], "note": "long " * 400}, {**ROWS[0], "answer": "  "}]
    path.write_text("\n".join(map(json.dumps, [*ROWS, *odd])))
    done = tune_llm(path, tmp_path / "out", settings(tiny, epochs=0.5, max_length=600))
    assert (done.rows, done.left_out) == (12, {"too-long": 1, "empty-answer": 1})
    with pytest.raises(UserError, match="no row fits"):
        tune_llm(path, tmp_path / "none", settings(tiny, max_length=5))


@pytest.mark.parametrize(
    ("change", "what"), [({"rank": 0}, "rank 0"), ({"model": "no/such/folder"}, "cannot be loaded")]
)
def test_what_cannot_be_is_said(
    tiny: Path, notes: Path, tmp_path: Path, change: dict[str, Any], what: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(UserError, match=what):
        tune_llm(notes, tmp_path / "out", settings(tiny, **change))


def test_rows_that_are_none_and_folders_that_are_full_are_refused(tiny: Path, notes: Path, tmp_path: Path) -> None:
    bad = tmp_path / "bad.jsonl"
    bad.write_text('{"note": "x"}')
    with pytest.raises(UserError, match="line 1 is no row"):
        tune_llm(bad, tmp_path / "out", settings(tiny))
    with pytest.raises(UserError, match="is not empty"):
        tune_llm(notes, tmp_path, settings(tiny))


def test_the_tuned_model_answers_tasks(
    tiny: Path, notes: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Train on synthetic notes, test on the benchmark: the circle closes. A model this small answers nonsense."""
    monkeypatch.setenv("CLINSYNTH_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    assert (
        main(["tune-llm", str(notes), "--base", str(tiny), "--out", "tuned", "--epochs", "0.5", "--device", "cpu"]) == 0
    )
    assert "parameters were tuned" in capsys.readouterr().out
    words = ["direct", "--model", "hf", "--model-args", "pretrained=tuned", "--tasks", "mqp", "--sample"]
    assert main([*words, "--limit", "2", "--name", "tuned-1", "--max-tokens", "4"]) == 0
    assert "mqp: accuracy 0.0" in capsys.readouterr().out
    record = json.loads(next((tmp_path / "direct").rglob("shots0-limit2.json")).read_text())
    assert record["usage"]["tokens_in"] is None, "what lm-eval's own models use is not known"
