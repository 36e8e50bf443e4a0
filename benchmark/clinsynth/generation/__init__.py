"""Baselines to submissions: the same rows, card and checks as anybody's."""

from clinsynth._doors import door

__getattr__, __dir__ = door(__name__, __file__)
