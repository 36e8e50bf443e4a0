"""The views of a snapshot: what is shown, before it is drawn. The site, the app and the exports draw the same pages."""

from clinsynth._doors import door

__getattr__, __dir__ = door(__name__, __file__)
