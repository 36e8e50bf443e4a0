"""Sources of names to write about, behind one interface: diseases, chemicals, genes, symptoms, and their relations."""

from clinsynth._doors import door

__getattr__, __dir__ = door(__name__, __file__)
