"""Synthetic clinical notes from case reports, with requests and answers, in the manner of Asclepius."""

from clinsynth.generation.notes.corpus import NotesRecord, NotesRequest, cycled, make_notes, note_prompts
from clinsynth.generation.notes.reports import Report, Reports, read_reports
from clinsynth.generation.notes.writer import KINDS, Note, NoteWriter

__all__ = [
    "KINDS",
    "Note",
    "NoteWriter",
    "NotesRecord",
    "NotesRequest",
    "Report",
    "Reports",
    "cycled",
    "make_notes",
    "note_prompts",
    "read_reports",
]
