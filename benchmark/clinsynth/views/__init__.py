"""The pages of a snapshot, before they are drawn: the site, the app and the exports draw the same ones."""

from clinsynth._doors import door

__getattr__, __dir__ = door(__name__, __file__)
