"""Audits: whether rows repeat test or training text, and whether they show what must stay private."""

from clinsynth._doors import door

__getattr__, __dir__ = door(__name__, __file__)
