"""Somebody else's data as canonical rows: what could be carried over, and what could not and why."""

from clinsynth._doors import door

__getattr__, __dir__ = door(__name__, __file__)
