"""Stored runs: records and predictions, written, read and verified."""

from clinsynth._doors import door

__getattr__, __dir__ = door(__name__, __file__)
