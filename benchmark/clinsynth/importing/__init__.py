"""Somebody else's data as canonical rows: what could be carried over, and what could not and why."""

from clinsynth.importing.run import FORMATS, import_data
from clinsynth.importing.session import ImportOptions, ImportReport, Tally

__all__ = ["FORMATS", "ImportOptions", "ImportReport", "Tally", "import_data"]
