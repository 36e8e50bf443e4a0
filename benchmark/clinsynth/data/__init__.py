"""Real data: published file -> verified -> reader -> Arrow on disk -> examples. And the bundled sample."""

from clinsynth._doors import door

__getattr__, __dir__ = door(__name__, __file__)
