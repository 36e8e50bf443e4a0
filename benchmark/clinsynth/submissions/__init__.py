"""A submission is a stranger's folder: a card, and rows for each task. Data only; nothing in it is ever run."""

from clinsynth._doors import door

__getattr__, __dir__ = door(__name__, __file__)
