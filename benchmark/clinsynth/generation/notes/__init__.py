"""Synthetic clinical notes from case reports, with requests and answers, in the manner of Asclepius."""

from clinsynth._doors import door

__getattr__, __dir__ = door(__name__, __file__)
