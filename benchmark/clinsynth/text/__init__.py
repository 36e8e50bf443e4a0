"""Operations on text alone: sentences, normal forms, shingles, near duplicates, patterns of identifiers."""

from clinsynth._doors import door

__getattr__, __dir__ = door(__name__, __file__)
