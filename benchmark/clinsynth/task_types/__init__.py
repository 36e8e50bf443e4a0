"""The seven kinds of task. Whatever is special about a kind is said here and nowhere else."""

from clinsynth._doors import door

__getattr__, __dir__ = door(__name__, __file__)
