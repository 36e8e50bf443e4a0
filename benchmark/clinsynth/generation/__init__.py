"""Baselines to submissions: the same rows, card and checks as anybody's."""

from clinsynth.generation.run import Generated, Means, Request, generate

__all__ = ["Generated", "Means", "Request", "generate"]
