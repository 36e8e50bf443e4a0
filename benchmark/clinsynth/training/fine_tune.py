"""The fine-tuning loop, and reading a split with the student that comes out of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch

from clinsynth.training.batching import collate, reading_batches, targets, training_batches
from clinsynth.training.encoding import Encoded, Item
from clinsynth.training.recipe import Settings
from clinsynth.training.student import Device, Student

READING_TOKENS = {"cpu": 1_024, "cuda": 32_768}
"""Padded tokens in a reading batch: what fits the cache of a core, or fills a GPU."""


def _autocast(device: Device) -> torch.autocast:
    return torch.autocast(device.kind, dtype=torch.bfloat16, enabled=device.dtype == "bfloat16")


def _optimizer(student: Student, settings: Settings) -> torch.optim.AdamW:
    learned = [p for p in student.parameters() if p.requires_grad]
    decayed = [p for p in learned if p.ndim > 1]
    others = [p for p in learned if p.ndim <= 1]
    groups = [{"params": decayed, "weight_decay": settings.weight_decay}, {"params": others, "weight_decay": 0.0}]
    return torch.optim.AdamW(groups, lr=settings.learning_rate, fused=True)


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
    losses: list[float] = []
    for items, steps in stages:
        optimizer = _optimizer(student, settings)
        schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda k, n=steps: _rate(k, n, settings.warmup))
        for batch in training_batches([len(item.ids) for item in items], settings.batch_size, steps, rng):
            chosen = [items[k] for k in batch]
            with _autocast(device):
                logits = student(*collate(chosen, where))
            loss = student.loss(logits, targets(chosen, where))
            loss.backward()  # pyright: ignore[reportUnknownMemberType] - untyped in torch
            torch.nn.utils.clip_grad_norm_(student.parameters(), settings.clip, foreach=True)
            optimizer.step()  # pyright: ignore[reportUnknownMemberType] - untyped in torch
            schedule.step()
            optimizer.zero_grad(set_to_none=True)
            losses.append(float(loss.detach()))
            on_step()
    tail = losses[-max(1, len(losses) // 10) :]
    return sum(tail) / len(tail)


def read(student: Student, encoded: Encoded, device: Device) -> list[Any]:
    """The student's output for every item, in order: a row of logits, or the best tag of every token."""
    where = torch.device(device.kind)
    student.to(where).eval()
    out: list[Any] = [None] * len(encoded.items)
    with torch.no_grad(), _autocast(device):
        for batch in reading_batches([len(item.ids) for item in encoded.items], READING_TOKENS[device.kind]):
            logits = student(*collate([encoded.items[k] for k in batch], where))
            rows = logits.argmax(-1) if student.head == "token" else logits
            for index, row in zip(batch, rows.tolist(), strict=True):
                out[index] = row
    return out
