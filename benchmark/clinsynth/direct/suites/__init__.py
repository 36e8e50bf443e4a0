"""Suites beside the benchmark's tasks: ClinicalGPT's four evaluations, and Asclepius' questions about notes."""

from clinsynth._doors import door

__getattr__, __dir__ = door(__name__, __file__)
