"""A student's weights twice: as the arithmetic uses them, and in float32, where small updates are not lost."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from clinsynth.training.recipe import Settings

_NO_DIVISION_BY_ZERO = 1e-6
"""Added to the norm that the gradient is divided by: as in ``torch.nn.utils.clip_grad_norm_``."""


class MasterWeights:
    """Float32 weights that an optimiser moves; the student computes with a copy in another type.

    Autocast would cast every weight anew in every step and keep what passes between layers in float32. Here the copy
    is renewed once a step, in one piece, and the whole student computes in its type. All weights with decay lie in one
    tensor, those without in another: clipping, the update and the copy are a few operations, not a few for each layer.
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
        """Bring what the master weights are now to the student."""
        for part in self._parts:
            part.renew_copy()


def _norm(values: torch.Tensor) -> torch.Tensor:
    linalg: Any = torch.linalg  # untyped in torch
    return linalg.vector_norm(values)


class _Part:
    """Parameters that are treated alike, one after the other in one tensor."""

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
        """Norm of the gradients, which leave the student."""
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
