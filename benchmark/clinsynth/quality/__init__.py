"""Data quality: diversity, alignment with real text, and faults. Reported beside the score, never mixed into it."""

from clinsynth._doors import door

__getattr__, __dir__ = door(__name__, __file__)
