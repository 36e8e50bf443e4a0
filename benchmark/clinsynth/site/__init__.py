"""The static site, and the one renderer of tables that it shares with the app."""

from clinsynth.site.build import build_site

__all__ = ["build_site"]
