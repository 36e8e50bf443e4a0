"""Embeddings of rows: those of the model, kept in a cache."""

from __future__ import annotations

import importlib
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from clinsynth.training import embeddings
from clinsynth.training.device import find_device
from clinsynth.training.embeddings import DIMENSION, embed
from clinsynth.training.recipe import MINILM
from clinsynth.training.weights import find_weights


def test_embeddings_are_the_same_with_and_without_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    texts = ["aspirin causes bleeding", "metformin", "aspirin causes bleeding", "", "x " * 2_000]
    plain = embed(texts)
    assert plain.shape == (5, DIMENSION)
    assert plain.dtype == np.float32
    assert np.linalg.norm(plain, axis=1) == pytest.approx(np.ones(5), abs=1e-5)
    assert np.array_equal(plain[0], plain[2])
    assert np.array_equal(plain, embed(texts, tmp_path))
    assert np.array_equal(plain[::-1], embed(texts[::-1]))
    files = list(tmp_path.rglob("*.npz"))
    assert len(files) == 1
    assert b"aspirin" not in files[0].read_bytes()

    def refuse(*_: object) -> None:
        raise AssertionError("the cache was not used")

    with monkeypatch.context() as patch:
        patch.setattr(embeddings, "_encoder", refuse)
        assert np.array_equal(plain[::-1], embed(texts[::-1], tmp_path))
    files[0].write_bytes(files[0].read_bytes()[:700])  # cut short
    assert np.array_equal(plain, embed(texts, tmp_path))
    assert embed([]).shape == (0, DIMENSION)


def test_embeddings_are_those_of_the_model_as_transformers_runs_it() -> None:
    torch: Any = importlib.import_module("torch")
    transformers: Any = importlib.import_module("transformers")
    folder, device = find_weights(MINILM), find_device(1)
    texts = ["aspirin causes bleeding", "a fever of unknown origin that came and went", "x " * 400, ""]
    model = transformers.AutoModel.from_pretrained(folder, dtype=torch.float32, attn_implementation="eager").eval()
    tokens = transformers.AutoTokenizer.from_pretrained(folder)(
        texts, truncation=True, max_length=embeddings.MAX_TOKENS, padding=True, return_tensors="pt"
    )
    bfloat16 = device.dtype == "bfloat16"
    with torch.inference_mode(), torch.autocast(device.kind, torch.bfloat16, enabled=bfloat16):
        states = model(**tokens).last_hidden_state.float()
    weight = tokens["attention_mask"].unsqueeze(-1).float()
    expected = torch.nn.functional.normalize((states * weight).sum(1) / weight.sum(1), dim=1).numpy()
    # In bfloat16 the last digit depends on who else is in the batch.
    assert embed(texts) == pytest.approx(expected, abs=5e-3 if bfloat16 else 1e-5)


def test_what_is_embedded_already_needs_no_model(tmp_path: Path) -> None:
    embed(["aspirin"], tmp_path)
    code = (
        "import sys\nfrom pathlib import Path\nfrom clinsynth.training import embed\n"
        f"assert embed(['aspirin'], Path({str(tmp_path)!r})).shape == (1, 384)\n"
        "print(sorted({'torch', 'transformers'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)  # noqa: S603
    assert done.stdout.strip() == "[]" or find_device(1).kind == "cuda"


def test_embeddings_know_what_is_alike() -> None:
    a, b, c = embed(["The patient has a fever.", "She is running a temperature.", "The enzyme binds DNA."])
    assert a @ b > a @ c + 0.2
