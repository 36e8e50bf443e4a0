"""A submission is a stranger's folder: a card, and rows for each task. Data only; nothing in it is ever run."""

from clinsynth.submissions.card import Card, Cost, Llm, RealData
from clinsynth.submissions.faults import Problem, Report
from clinsynth.submissions.folder import Submission, read_submission
from clinsynth.submissions.validation import validate
from clinsynth.submissions.writing import new_submission, write_submission

__all__ = [
    "Card",
    "Cost",
    "Llm",
    "Problem",
    "RealData",
    "Report",
    "Submission",
    "new_submission",
    "read_submission",
    "validate",
    "write_submission",
]
