"""Baselines to submissions: the same rows, card and checks as anybody's."""

from clinsynth.generation.generate import Generated, Means, Request, generate

__all__ = ["Generated", "Means", "Request", "generate"]
