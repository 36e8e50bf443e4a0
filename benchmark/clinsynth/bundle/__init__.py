"""One file that carries the harness, its packages, a student, data and results to a machine without a network."""

from clinsynth._doors import door

__getattr__, __dir__ = door(__name__, __file__)
