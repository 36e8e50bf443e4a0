"""The leaderboard as an app: a snapshot's views with filters, links and files to take away. It computes nothing."""

from clinsynth.leaderboard.server import create, serve

__all__ = ["create", "serve"]
