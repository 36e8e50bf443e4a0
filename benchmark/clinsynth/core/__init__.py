"""The base of every room: nouns, registry, errors, files, stored records, progress."""

from clinsynth._doors import door

__getattr__, __dir__ = door(__name__, __file__)
