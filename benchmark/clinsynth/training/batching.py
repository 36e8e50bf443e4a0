"""Batches of items of like length: no time is spent on padding."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import torch

from clinsynth.training.encoding import IGNORED, Item

POOL = 32
"""Batches that are sorted together: wide enough to save the padding, narrow enough to keep the order random."""


def training_batches(
    lengths: Sequence[int], batch_size: int, steps: int, rng: np.random.Generator
) -> Iterator[list[int]]:
    """Item indices of ``steps`` batches, epoch after epoch, each item once an epoch.

    With fewer items than ``batch_size``, every batch holds all of them.
    """
    sizes = np.asarray(lengths)
    batch_size = min(batch_size, len(sizes))
    done = 0
    while True:
        order = rng.permutation(len(sizes))
        batches: list[list[int]] = []
        for start in range(0, len(order), batch_size * POOL):
            pool = order[start : start + batch_size * POOL]
            pool = pool[np.argsort(sizes[pool], kind="stable")]
            batches += [pool[k : k + batch_size].tolist() for k in range(0, len(pool), batch_size)]
        for index in rng.permutation(len(batches)):
            if done == steps:
                return
            yield batches[index]
            done += 1


def reading_batches(lengths: Sequence[int], tokens: int) -> Iterator[list[int]]:
    """Item indices in batches of about ``tokens`` padded tokens, longest first."""
    batch: list[int] = []
    for index in sorted(range(len(lengths)), key=lambda k: -lengths[k]):
        if batch and (len(batch) + 1) * lengths[batch[0]] > tokens:
            yield batch
            batch = []
        batch.append(index)
    if batch:
        yield batch


def collate(items: Sequence[Item], device: torch.device) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Ids, attention mask and token types, each ``[batch, longest]`` int64."""
    longest = max(len(item.ids) for item in items)
    ids = np.zeros((3, len(items), longest), dtype=np.int64)
    for row, item in enumerate(items):
        length = len(item.ids)
        ids[0, row, :length] = item.ids
        ids[1, row, :length] = 1
        ids[2, row, :length] = item.types
    tensor = torch.as_tensor(ids, device=device)
    return tensor[0], tensor[1], tensor[2]


def targets(items: Sequence[Item], device: torch.device) -> torch.Tensor:
    """Targets: ``[batch]`` classes, ``[batch, labels]`` floats, or ``[batch, longest]`` tags."""
    if isinstance(items[0].target, int):
        return torch.tensor([item.target for item in items], device=device)
    longest = max(len(item.target) for item in items if not isinstance(item.target, int))
    rows = [
        [*item.target, *[IGNORED] * (longest - len(item.target))] for item in items if not isinstance(item.target, int)
    ]
    return torch.tensor(rows, device=device)
