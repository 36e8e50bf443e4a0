"""A submission's scores without anything of the data: what a hospital may publish of rows that it must keep."""

from __future__ import annotations

from pathlib import Path

from pydantic import ValidationError

from clinsynth.core import UserError, read_regular, replaced_folder, write_text
from clinsynth.export.tables import csv_text
from clinsynth.results import DataKind, Results, RunRecord
from clinsynth.submissions import CARD_FILE, read_submission, to_toml

TABLE = "scores.csv"
_MOST = 1 << 20
"""Bytes of a record."""


def export_scores(submission: Path, out: Path, kind: DataKind = "real") -> int:
    """Write the card, the run records and a table of their scores to ``out``; gives the number of runs.

    No row, no prediction, no quality or audit record and no path is written. A record holds the scores, the numbers of
    rows and steps, digests and versions; its seal stays good. A folder that an earlier call wrote is replaced.

    Raises:
        UserError: it has no run, a record cannot be read or was edited, or ``out`` holds something else.
    """
    if out.exists() and any(out.iterdir()) and not (out / TABLE).is_file():
        raise UserError(f"{out} is not empty and holds no exported scores", remedy="choose another folder for --out")
    card = read_submission(submission).card
    runs = [_record(path) for path in sorted(Results(submission, kind).runs.glob("*/*/n*/seed*.json"))]
    if not runs:
        raise UserError(f"{submission} has no runs on {kind} data", remedy="score it first: clinsynth score")
    with replaced_folder(out) as fresh:
        write_text(fresh / CARD_FILE, to_toml(card))
        results = Results(fresh, kind)
        for run in runs:
            results.write_record(run)
        write_text(fresh / TABLE, _table(runs))
    return len(runs)


def _record(path: Path) -> RunRecord:
    try:
        record = RunRecord.model_validate_json(read_regular(path, _MOST))
    except (OSError, ValidationError) as error:
        raise UserError(
            f"{path} is no run record", found=type(error).__name__, remedy="see clinsynth verify"
        ) from error
    if record.sealed() != record:
        raise UserError(f"{path} was edited: its seal does not fit", remedy="see clinsynth verify")
    return record


def _table(runs: list[RunRecord]) -> str:
    head = ("submission", "task", "recipe", "rows", "seed", "test_examples", "metric", "score")
    return csv_text(
        head,
        ((run.submission, *run.cell, run.test.examples, run.metric, run.score) for run in runs),
    )
