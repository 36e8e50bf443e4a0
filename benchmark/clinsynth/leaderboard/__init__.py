"""The leaderboard as an app: a snapshot's views with filters, links and downloads. It computes no number."""

from clinsynth._doors import door

__getattr__, __dir__ = door(__name__, __file__)
