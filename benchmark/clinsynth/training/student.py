"""The student: a pre-trained encoder with one linear head."""

from __future__ import annotations

import copy
import importlib
from functools import cache
from pathlib import Path
from typing import Any, cast

import torch
from torch import nn

from clinsynth.task_types import Head
from clinsynth.training.device import Device
from clinsynth.training.encoding import Tokenizer
from clinsynth.training.recipe import Recipe, Settings, Weights
from clinsynth.training.weights import find_weights


class Student(nn.Module):
    """``[batch, length]`` tokens to ``[batch, outputs]`` logits, or ``[batch, length, outputs]`` for token heads."""

    def __init__(
        self, encoder: nn.Module, hidden: int, outputs: int, head: Head, recipe: Recipe, dropout: float
    ) -> None:
        super().__init__()
        self.encoder = encoder
        self.dropout = nn.Dropout(dropout)
        self.classifier = nn.Linear(hidden, outputs)
        nn.init.normal_(self.classifier.weight, std=0.02)
        nn.init.zeros_(self.classifier.bias)
        self.head: Head = head
        self.pooling = recipe.pooling

    def forward(self, ids: torch.Tensor, mask: torch.Tensor, types: torch.Tensor) -> torch.Tensor:
        """Logits in float32."""
        states: torch.Tensor = self.encoder(input_ids=ids, attention_mask=mask, token_type_ids=types).last_hidden_state
        if self.head == "token":
            pooled = states
        elif self.pooling == "first":
            pooled = states[:, 0]
        else:
            weight = mask.unsqueeze(-1).float()
            pooled = (states * weight).sum(1) / weight.sum(1)
        # Dropout in float32: its noise is then the same whatever the type of the rest.
        return self.classifier(self.dropout(pooled.float()).to(states.dtype)).float()

    def loss(self, logits: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        """Mean cross-entropy: over labels for multi-label heads, over words for token heads."""
        if self.head == "multi_label":
            return nn.functional.binary_cross_entropy_with_logits(logits, target)
        return nn.functional.cross_entropy(logits.flatten(0, -2), target.flatten())


@cache
def _pretrained(folder: Path, *, fused: bool) -> tuple[nn.Module, int]:
    transformers: Any = importlib.import_module("transformers")
    # Attention with a bias for distances, such as MPNet's, has no fused form.
    fused = fused and transformers.AutoConfig.from_pretrained(folder).model_type != "mpnet"
    logging = transformers.utils.logging
    verbosity = logging.get_verbosity()
    # No progress bar and no list of unused pooler weights for a file that loads in a blink.
    logging.disable_progress_bar()
    logging.set_verbosity_error()
    try:
        encoder = transformers.AutoModel.from_pretrained(
            folder,
            trust_remote_code=False,
            add_pooling_layer=False,
            dtype=torch.float32,
            attn_implementation="sdpa" if fused else "eager",
        )
    finally:
        logging.set_verbosity(verbosity)
        logging.enable_progress_bar()
    return cast("nn.Module", encoder), int(encoder.config.hidden_size)


@cache
def load_tokenizer(weights: Weights) -> Tokenizer:
    """The student's fast tokenizer."""
    transformers: Any = importlib.import_module("transformers")
    tokenizer = transformers.AutoTokenizer.from_pretrained(find_weights(weights), trust_remote_code=False)
    # Lengths are the recipe's business; the tokenizer's own limit would only print warnings.
    tokenizer.model_max_length = 1_000_000
    return cast("Tokenizer", tokenizer)


def new_student(recipe: Recipe, head: Head, outputs: int, settings: Settings, device: Device) -> Student:
    """A student before fine-tuning: pre-trained encoder, fresh head drawn from torch's current generator."""
    # On a CPU the fused attention kernel is slower than plain products at sentence length.
    pretrained, hidden = _pretrained(find_weights(recipe.weights), fused=device.kind == "cuda")
    encoder = copy.deepcopy(pretrained)
    if settings.encoder_dropout is not None:
        for module in encoder.modules():
            if isinstance(module, nn.Dropout):
                module.p = settings.encoder_dropout
    if settings.frozen_embeddings:
        cast("Any", encoder).get_input_embeddings().requires_grad_(False)
    return Student(encoder, hidden, outputs, head, recipe, settings.dropout)
