"""The direct track as ``compare`` sees it: answers that no seed changes.

A model that answers greedily with fixed demonstrations has no seeds. Against a student it stands beside every seed
alike: the difference then varies with the student's seeds and with the test units, and with nothing else.
"""

from __future__ import annotations

from pathlib import Path

from clinsynth.core import TASKS, UserError
from clinsynth.direct.card import read_card
from clinsynth.direct.folder import is_direct
from clinsynth.direct.records import DirectRecord, DirectResults
from clinsynth.results import DataKind, Results
from clinsynth.standings import AnswerFile, Answers, Entry, read_entry


def split_shots(folder: Path) -> tuple[Path, int | None]:
    """A folder of the direct track, and the shots where it was given as ``<folder>/shots5``."""
    name = folder.name.removeprefix("shots")
    if folder.name.startswith("shots") and name.isdecimal() and is_direct(folder.parent):
        return folder.parent, int(name)
    return folder, None


def entry_at(place: Path, recipe: str, kind: DataKind) -> Entry:
    """The entry that ``compare`` is given for a submission's folder, or for one of the direct track.

    Raises:
        UserError: the card or a record cannot be read, or a folder of the direct track does not have one complete row.
    """
    return _direct_entry(place, kind) if is_direct(split_shots(place)[0]) else read_entry(place, recipe, kind)


def _direct_entry(place: Path, kind: DataKind) -> Entry:
    """The complete records of one row of a folder."""
    folder, shots = split_shots(place)
    card = read_card(folder)
    results = DirectResults(folder, kind)
    records = [r for r in results.records() if r.limit is None and r.task in TASKS]
    found = sorted({record.shots for record in records})
    if shots is None and len(found) > 1:
        raise UserError(f"{folder} has several rows", found=", ".join(f"shots{k}" for k in found),
                        remedy=f"name one: {folder}/shots{found[0]}")  # fmt: skip
    chosen = [record for record in records if shots in (None, record.shots)]
    if not chosen:
        raise UserError(
            f"{place} has no complete {kind} record", expected="whole test sets: a subset is preliminary",
            remedy="clinsynth direct without --limit",
        )  # fmt: skip
    name = f"{card.name}/shots{chosen[0].shots}"
    fixed = {record.task: _answers(name, record, results) for record in chosen}
    return Entry(name, True, Results(folder, kind), {}, fixed)


def _answers(name: str, record: DirectRecord, results: DirectResults) -> Answers:
    file = AnswerFile(results.predictions_path(record.cell), record.predictions_sha256, record.score)
    return Answers(name, results.folder, record.test.fingerprint, (), (file,))
