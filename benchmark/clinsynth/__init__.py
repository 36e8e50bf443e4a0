"""How good is this synthetic clinical training data? The harness, and its Python API (see ``clinsynth.api``)."""

from clinsynth._doors import door

__version__ = "0.1.0"
__getattr__, __dir__ = door(__name__, __file__)
