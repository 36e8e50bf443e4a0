"""What is stored of runs, and how it is checked again."""

from clinsynth._doors import door

__getattr__, __dir__ = door(__name__, __file__)
