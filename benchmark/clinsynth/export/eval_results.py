"""Scores in the form that Hugging Face shows on a model's page: ``.eval_results/clinsynth.yaml`` in its repository.

https://huggingface.co/docs/hub/eval-results: a list of entries with the benchmark's data set, a task in it, a value,
the day, a source and a note. The model is the one that wrote the rows; what was measured is a student trained on them,
which the note says.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any, cast

from clinsynth.core import UnknownNameError, UserError, clean
from clinsynth.snapshot import OverallRow, ScoreRow, Snapshot

PATH = ".eval_results/clinsynth.yaml"
"""Where the file belongs in the model's repository."""
_DATASET = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*")
_PREAMBLE = f"# {PATH}: made by clinsynth export --format eval-results\n"


def eval_results_yaml(snapshot: Snapshot, submission: str, dataset: str, source: str) -> str:
    """The YAML of one submission: its mean of the types and its score on each task, for each student and budget.

    Args:
        snapshot: where the scores are from.
        submission: whose rows were trained on.
        dataset: of the benchmark on the Hub, ``owner/name``.
        source: address where the scores can be seen.

    Raises:
        UnknownNameError: the snapshot has no such submission.
        UserError: no language model wrote its rows, ``dataset`` or ``source`` is no address, or there is no real score.
    """
    cards = {row.submission: row for row in snapshot.tables.submissions}
    if submission not in cards:
        raise UnknownNameError("submission", submission, cards)
    if not cards[submission].llm:
        raise UserError(f"no language model wrote the rows of {submission}: there is no model whose page could show it")
    if not _DATASET.fullmatch(dataset):
        raise UserError("a data set of the Hub is needed", found=dataset or "nothing", expected="--dataset OWNER/NAME")
    if not source.startswith(("https://", "http://")):
        raise UserError("an address of the source is needed", found=source or "nothing", expected="--url https://...")
    entries = list(_entries(snapshot, submission, dataset, source))
    if not entries:
        raise UserError(f"{submission} has no score on real test sets in this snapshot")
    return _PREAMBLE + "".join(_yaml(entry) for entry in entries)


def _entries(snapshot: Snapshot, submission: str, dataset: str, source: str) -> Iterator[dict[str, Any]]:
    manifest = snapshot.manifest
    days: dict[tuple[str, int], str] = {}
    for row in snapshot.tables.overall:
        if row.submission == submission and row.data == "real":
            days[row.recipe, row.rows] = row.scored
    rows: list[tuple[str, OverallRow | ScoreRow]] = [
        ("mean-of-types", row) for row in snapshot.tables.overall if row.submission == submission and row.data == "real"
    ]
    rows += [(row.task, row) for row in snapshot.tables.scores if row.submission == submission and row.data == "real"]
    for task, row in rows:
        if row.mean is None:
            continue
        known = row.low is not None and row.high is not None
        span = f", 95 % interval {100 * (row.low or 0):.1f} to {100 * (row.high or 0):.1f}" if known else ""
        note = (
            f"{row.recipe} fine-tuned on {row.rows:,} rows of {submission}, tested on real text; mean over {row.seeds} "
            f"seeds{span}; clinsynth snapshot {manifest.short}"
        )
        entry: dict[str, Any] = {
            "dataset": {"id": dataset, "task_id": task},
            "value": round(100 * row.mean, 2),
            "date": days.get((row.recipe, row.rows)) or manifest.day,
            "source": {"url": source, "name": "clinsynth leaderboard"},
            "notes": note,
        }
        yield entry


def _yaml(entry: dict[str, Any]) -> str:
    """One entry of a YAML list; its words are JSON strings, which YAML reads as they are."""
    lines: list[str] = []
    for key, value in entry.items():
        if isinstance(value, dict):
            inside = cast("dict[str, Any]", value)
            lines += [f"{key}:", *(f"  {name}: {_word(each)}" for name, each in inside.items())]
        else:
            lines.append(f"{key}: {_word(value)}")
    return "".join(f"{'- ' if k == 0 else '  '}{line}\n" for k, line in enumerate(lines))


def _word(value: object) -> str:
    return json.dumps(clean(value) if isinstance(value, str) else value, ensure_ascii=False)
