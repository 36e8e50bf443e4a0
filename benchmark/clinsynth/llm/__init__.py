"""A model behind an OpenAI-compatible server: what is asked, kept, paid and limited."""

from clinsynth._doors import door

__getattr__, __dir__ = door(__name__, __file__)
