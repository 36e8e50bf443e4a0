"""Rows without a model: patterns filled with names, and altered examples."""

from clinsynth._doors import door

__getattr__, __dir__ = door(__name__, __file__)
