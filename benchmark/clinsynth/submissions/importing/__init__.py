"""Somebody else's data as canonical rows: what could be carried over, and what could not and why."""

from clinsynth.submissions.importing.importer import FORMATS, import_data
from clinsynth.submissions.importing.session import ImportOptions, ImportReport, Tally

__all__ = ["FORMATS", "ImportOptions", "ImportReport", "Tally", "import_data"]
