"""The leaderboard as an app: a snapshot's views with filters, links and files to take away. It computes nothing."""

from clinsynth._doors import door

__getattr__, __dir__ = door(__name__, __file__)
