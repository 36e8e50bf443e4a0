"""From a task and its labels to prompts, and from answers to rows: what the baselines that ask a model share."""

from clinsynth._doors import door

__getattr__, __dir__ = door(__name__, __file__)
