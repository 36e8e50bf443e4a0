"""The fine-tuning loop, and reading a split with the student that comes out of it."""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

import numpy as np
import torch

from clinsynth.training.batching import collate, reading_batches, targets, training_batches
from clinsynth.training.device import Device
from clinsynth.training.encoding import Encoded, Item
from clinsynth.training.master_weights import MasterWeights
from clinsynth.training.recipe import Settings
from clinsynth.training.student import Student

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
