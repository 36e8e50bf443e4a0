"""The static site, and the one renderer of tables that it shares with the app."""

from clinsynth._doors import door

__getattr__, __dir__ = door(__name__, __file__)
