"""Baselines to submissions: the same rows, card and checks as anybody's."""

from clinsynth.generation.generate import Generated, Request, generate

__all__ = ["Generated", "Request", "generate"]
