"""A snapshot: everything the leaderboard, the static site and the exports show, in one folder of tables."""

from clinsynth._doors import door

__getattr__, __dir__ = door(__name__, __file__)
