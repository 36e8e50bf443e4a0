"""The fine-tuning loop, with float32 master weights beside bfloat16 ones, and prediction with the student."""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

import numpy as np
import torch
from torch import nn

from clinsynth.training.device import Device
from clinsynth.training.encoding import Encoded, Item, collate, reading_batches, targets, training_batches
from clinsynth.training.recipe import Settings
from clinsynth.training.student import Student

_NO_DIVISION_BY_ZERO = 1e-6
"""Added to the norm that the gradient is divided by: as in ``torch.nn.utils.clip_grad_norm_``."""


class MasterWeights:
    """Float32 weights that an optimiser moves; the student computes with a copy in another type.

    Autocast would cast every weight anew in every step and keep what passes between layers in float32. Here the copy
    is renewed once per step, in one piece, and the whole student computes in its type. All weights with decay lie in
    one tensor, those without in another: clipping, the update and the copy are a few operations, not a few per layer.
    """

    def __init__(self, student: nn.Module, dtype: torch.dtype) -> None:
        """Replaces the student's parameters by copies in ``dtype``; frozen ones are cast once and for all."""
        learned = [p for p in student.parameters() if p.requires_grad]
        self._parts = [
            _Part([p for p in learned if p.ndim > 1], dtype, decayed=True),
            _Part([p for p in learned if p.ndim <= 1], dtype, decayed=False),
        ]
        for parameter in student.parameters():
            if not parameter.requires_grad:
                parameter.data = parameter.data.to(dtype)

    def optimizer(self, settings: Settings) -> torch.optim.AdamW:
        """A fresh AdamW of the master weights. Source of the split: no decay of biases and norms, as in BERT."""
        groups = [
            {"params": [part.master], "weight_decay": settings.weight_decay if part.decayed else 0.0}
            for part in self._parts
        ]
        return torch.optim.AdamW(groups, lr=settings.learning_rate, fused=True)

    def take_gradients(self, most: float) -> None:
        """Move the student's gradients to the master weights, scaled down to norm ``most`` where theirs is larger."""
        norms = [part.take_gradients() for part in self._parts]
        norm = _norm(torch.stack(norms))
        if norm > most:
            for part in self._parts:
                part.gradient.mul_(most / (norm + _NO_DIVISION_BY_ZERO))

    def renew_copy(self) -> None:
        """Copy the current master weights to the student."""
        for part in self._parts:
            part.renew_copy()


def _norm(values: torch.Tensor) -> torch.Tensor:
    linalg: Any = torch.linalg  # untyped in torch
    return linalg.vector_norm(values)


class _Part:
    """Parameters of one weight decay, laid end to end in one tensor."""

    def __init__(self, parameters: list[nn.Parameter], dtype: torch.dtype, *, decayed: bool) -> None:
        self.decayed = decayed
        self.parameters = parameters
        flat = torch.cat([p.detach().flatten().float() for p in parameters])
        self.gradient = torch.zeros_like(flat)
        self.master = nn.Parameter(flat)
        self.master.grad = self.gradient
        # In float32 the student computes with the master weights themselves.
        self.copy = flat if dtype == torch.float32 else flat.to(dtype)
        self.gradients: list[torch.Tensor] = []
        begin = 0
        for p in parameters:
            end = begin + p.numel()
            self.gradients.append(self.gradient[begin:end].view(p.shape))
            p.data = self.copy[begin:end].view(p.shape)
            begin = end

    @torch.no_grad()
    def take_gradients(self) -> torch.Tensor:
        """Move the gradients from the student and return their norm."""
        for mine, p in zip(self.gradients, self.parameters, strict=True):
            if p.grad is None:
                mine.zero_()
            else:
                mine.copy_(p.grad)
                p.grad = None
        return _norm(self.gradient)

    @torch.no_grad()
    def renew_copy(self) -> None:
        if self.copy.dtype != torch.float32:
            self.copy.copy_(self.master)


DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16}

_MALLOC = {"M_TRIM_THRESHOLD": (-1, 2**30), "M_MMAP_THRESHOLD": (-3, 2**25)}
"""Options of mallopt(3) and their values, in bytes; the second is the largest that glibc takes."""

READING_TOKENS = {"cpu": 1_024, "cuda": 32_768}
"""Padded tokens in a reading batch: what fits the cache of a core, or fills a GPU."""


@cache
def keep_freed_memory() -> None:
    """Tell glibc to keep freed memory for the next step: by default large blocks go back to the system each time."""
    if sys.platform == "linux" and hasattr(libc := ctypes.CDLL(None), "mallopt"):
        for option, value in _MALLOC.values():
            libc.mallopt(option, value)


def _rate(step: int, steps: int, warmup: float) -> float:
    """Share of the peak rate at a step counted from 0: up over the warm-up, then down to 0."""
    rising = max(1, round(steps * warmup))
    return (step + 1) / rising if step < rising else (steps - step) / max(1, steps - rising)


def fine_tune(
    student: Student,
    stages: Sequence[tuple[Sequence[Item], int]],
    settings: Settings,
    device: Device,
    rng: np.random.Generator,
    on_step: Callable[[], Any] = lambda: None,
) -> float:
    """Train in place through ``stages`` of (items, steps), each with its own schedule; give the last tenth's mean loss.

    Dropout draws from torch's global generator, which the caller seeds for the run.
    """
    where = torch.device(device.kind)
    student.to(where).train()
    keep_freed_memory()
    weights = MasterWeights(student, DTYPES[device.dtype])
    losses: list[float] = []
    for items, steps in stages:
        optimizer = weights.optimizer(settings)
        schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda k, n=steps: _rate(k, n, settings.warmup))
        for batch in training_batches([len(item.ids) for item in items], settings.batch_size, steps, rng):
            chosen = [items[k] for k in batch]
            loss = student.loss(student(*collate(chosen, where)), targets(chosen, where))
            loss.backward()  # pyright: ignore[reportUnknownMemberType] - untyped in torch
            weights.take_gradients(settings.clip)
            optimizer.step()  # pyright: ignore[reportUnknownMemberType] - untyped in torch
            schedule.step()
            weights.renew_copy()
            losses.append(float(loss.detach()))
            on_step()
    tail = losses[-max(1, len(losses) // 10) :]
    return sum(tail) / len(tail)


def read(student: Student, encoded: Encoded, device: Device) -> list[Any]:
    """The student's output for every item, in order: a row of logits, or the best tag of every token."""
    where = torch.device(device.kind)
    student.to(where).eval()
    out: list[Any] = [None] * len(encoded.items)
    with torch.inference_mode():
        for batch in reading_batches([len(item.ids) for item in encoded.items], READING_TOKENS[device.kind]):
            logits = student(*collate([encoded.items[k] for k in batch], where))
            rows = logits.argmax(-1) if student.head == "token" else logits
            for index, row in zip(batch, rows.tolist(), strict=True):
                out[index] = row
    return out
