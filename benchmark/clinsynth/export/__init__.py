"""Exports: every view in the forms that papers, scripts and other projects read."""

from clinsynth._doors import door

__getattr__, __dir__ = door(__name__, __file__)
