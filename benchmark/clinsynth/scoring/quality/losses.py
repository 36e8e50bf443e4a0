"""How many candidate rows came to nothing: from the record of the generation, else from the card, else unknown."""

from __future__ import annotations

import hashlib

from clinsynth.errors import UserError
from clinsynth.files import unpacked_bytes
from clinsynth.generation.record import read_generation
from clinsynth.scoring.quality.record import Losses
from clinsynth.submissions import Submission


def losses_of(submission: Submission, task: str, rows: int) -> Losses | None:
    """What was lost of a task's candidates; ``None`` where nobody says.

    Args:
        submission: the submission.
        task: a task that it has data for.
        rows: rows that it has for the task.
    """
    return _recorded(submission, task) or _stated(submission, task, rows)


def _recorded(submission: Submission, task: str) -> Losses | None:
    """From ``generation/<task>.json``, if it is whole and speaks of the rows that are here."""
    try:
        record = read_generation(submission.path, task)
    except UserError:
        return None
    if record is None or record.seal != record.expected_seal():
        return None
    if record.rows_sha256 != hashlib.sha256(unpacked_bytes(submission.files[task])).hexdigest():
        return None
    return Losses(source="generation record", candidates=record.candidates, lost=record.dropped)


def _stated(submission: Submission, task: str, rows: int) -> Losses | None:
    lost = submission.card.losses.get(task)
    return None if lost is None else Losses(source="card", candidates=rows + lost, lost={"not stated": lost})
