"""all-MiniLM-L6-v2 as the embedder reads texts: its forward pass alone, from the files of its weights.

The same operations in the same types as those of transformers' ``BertModel`` under autocast (matrix products in
bfloat16 where the hardware has it; softmax, norms and sums in float32), without the seconds that loading transformers
takes and without casting weights again for every batch.
"""

from __future__ import annotations

import importlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple, cast

import torch
from torch.nn import functional

from clinsynth.training.device import Device


class _Layer(NamedTuple):
    attention: tuple[torch.Tensor, torch.Tensor]
    """Weights and biases of query, key and value, one below the other."""
    output: tuple[torch.Tensor, torch.Tensor]
    norm: tuple[torch.Tensor, torch.Tensor]
    widen: tuple[torch.Tensor, torch.Tensor]
    narrow: tuple[torch.Tensor, torch.Tensor]
    last_norm: tuple[torch.Tensor, torch.Tensor]


class MiniLM:
    """A BERT encoder and its tokenizer."""

    def __init__(self, folder: Path, device: Device, max_tokens: int) -> None:
        """Read weights, configuration and tokenizer from ``folder``; longer texts are cut at ``max_tokens``."""
        self._where = torch.device(device.kind)
        self._dtype = torch.bfloat16 if device.dtype == "bfloat16" else torch.float32
        config = json.loads((folder / "config.json").read_text("utf-8"))
        self._heads, self._eps = int(config["num_attention_heads"]), float(config["layer_norm_eps"])
        # Without types: safetensors, and the settings of a tokenizer.
        safetensors: Any = importlib.import_module("safetensors.torch")
        loaded = cast("dict[str, torch.Tensor]", safetensors.load_file(folder / "model.safetensors"))
        weights = {name: tensor.to(self._where) for name, tensor in loaded.items()}
        self._words, self._positions, kinds = (
            weights[f"embeddings.{name}_embeddings.weight"] for name in ("word", "position", "token_type")
        )
        self._kind = kinds[0]
        self._norm = _pair(weights, "embeddings.LayerNorm")
        self._layers = [self._layer(weights, f"encoder.layer.{k}") for k in range(int(config["num_hidden_layers"]))]
        self._tokenizer: Any = importlib.import_module("tokenizers").Tokenizer.from_file(str(folder / "tokenizer.json"))
        self._tokenizer.enable_truncation(max_tokens)
        self._tokenizer.no_padding()

    def _layer(self, weights: dict[str, torch.Tensor], name: str) -> _Layer:
        parts = [self._products(weights, f"{name}.attention.self.{part}") for part in ("query", "key", "value")]
        return _Layer(
            (torch.cat([weight for weight, _ in parts]), torch.cat([bias for _, bias in parts])),
            self._products(weights, f"{name}.attention.output.dense"),
            _pair(weights, f"{name}.attention.output.LayerNorm"),
            self._products(weights, f"{name}.intermediate.dense"),
            self._products(weights, f"{name}.output.dense"),
            _pair(weights, f"{name}.output.LayerNorm"),
        )

    def _products(self, weights: dict[str, torch.Tensor], name: str) -> tuple[torch.Tensor, torch.Tensor]:
        weight, bias = _pair(weights, name)
        return weight.to(self._dtype), bias.to(self._dtype)

    def ids(self, texts: Sequence[str]) -> list[list[int]]:
        """Token ids of each text, special tokens included."""
        return [encoding.ids for encoding in self._tokenizer.encode_batch(list(texts))]

    def pooled(self, ids: Sequence[Sequence[int]]) -> torch.Tensor:
        """``[n, hidden]`` means over the tokens of each text, in float32 and of length 1."""
        longest = max(map(len, ids))
        padded = torch.tensor([[*each, *[0] * (longest - len(each))] for each in ids], device=self._where)
        mask = torch.tensor([[1.0] * len(each) + [0.0] * (longest - len(each)) for each in ids], device=self._where)
        states = self._states(padded, None if bool(mask.all()) else mask)
        weight = mask.unsqueeze(-1)
        return functional.normalize((states * weight).sum(1) / weight.sum(1), dim=1)

    def _states(self, ids: torch.Tensor, mask: torch.Tensor | None) -> torch.Tensor:
        added = None
        if mask is not None:
            added = torch.zeros_like(mask).masked_fill(mask == 0, torch.finfo(torch.float32).min)[:, None, None, :]
        states = functional.embedding(ids, self._words) + self._kind + self._positions[: ids.shape[1]]
        states = self._normed(states, self._norm)
        for layer in self._layers:
            mixed = functional.linear(self._attended(states, layer, added), *layer.output)
            states = self._normed(mixed + states, layer.norm)
            wide = functional.gelu(functional.linear(states.to(self._dtype), *layer.widen))
            states = self._normed(functional.linear(wide, *layer.narrow) + states, layer.last_norm)
        return states

    def _attended(self, states: torch.Tensor, layer: _Layer, added: torch.Tensor | None) -> torch.Tensor:
        texts, length, hidden = states.shape
        mixed = functional.linear(states.to(self._dtype), *layer.attention)
        query, key, value = mixed.view(texts, length, 3, self._heads, -1).permute(2, 0, 3, 1, 4)
        if self._where.type == "cuda":
            mask = None if added is None else added.to(self._dtype)
            out = functional.scaled_dot_product_attention(query, key, value, mask)
        else:  # plain products beat the fused kernel on a CPU at sentence length
            scores = torch.matmul(query, key.transpose(2, 3)) * query.shape[-1] ** -0.5
            shares = torch.softmax(scores if added is None else scores + added, -1, dtype=torch.float32)
            out = torch.matmul(shares.to(self._dtype), value)
        return out.transpose(1, 2).reshape(texts, length, hidden)

    def _normed(self, states: torch.Tensor, norm: tuple[torch.Tensor, torch.Tensor]) -> torch.Tensor:
        return functional.layer_norm(states, states.shape[-1:], norm[0], norm[1], self._eps)


def _pair(weights: dict[str, torch.Tensor], name: str) -> tuple[torch.Tensor, torch.Tensor]:
    return weights[f"{name}.weight"], weights[f"{name}.bias"]
