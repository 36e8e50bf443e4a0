"""From rows and a recipe to predictions. The only place that imports torch."""

from clinsynth._doors import door

__getattr__, __dir__ = door(__name__, __file__)
