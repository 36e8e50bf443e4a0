"""Scores in the form of Every Eval Ever (schema 0.3.0): one record for each submission under one condition.

What that schema calls the model is here the frozen student after fine-tuning on the submission's rows; what differs
between two records is the training data. Its validator is the PyPI package every-eval-ever; a test runs it.
"""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Iterator
from datetime import datetime
from typing import Any

from clinsynth.snapshot import ConditionRow, OverallRow, ScoreRow, Snapshot, SubmissionRow, TaskRow
from clinsynth.views import of

SCHEMA_VERSION = "0.3.0"
_SOURCE = "clinsynth"


def records(snapshot: Snapshot) -> Iterator[tuple[str, dict[str, Any]]]:
    """The path of each record below the folder of the export, and the record.

    Results on the bundled sample mean nothing and are left out.
    """
    cards = {row.submission: row for row in snapshot.tables.submissions}
    specs = {row.task: row for row in snapshot.tables.tasks}
    for condition in snapshot.tables.conditions:
        if condition.data == "sample":
            continue
        scores: dict[str, list[ScoreRow]] = {}
        for row in of(snapshot.tables.scores, condition):
            scores.setdefault(row.submission, []).append(row)
        for overall in of(snapshot.tables.overall, condition):
            name = f"{overall.submission}.{condition.recipe}.n{condition.rows}"
            record = _record(snapshot, condition, cards[overall.submission], overall, name)
            record["evaluation_results"] = [
                _result(condition, specs[row.task], row) for row in scores[overall.submission]
            ]
            # The schema asks for the form of a random name; a digest in that form gives equal records equal names.
            digest = hashlib.sha256(f"{snapshot.manifest.id} {name}".encode()).digest()
            unique = uuid.UUID(bytes=digest[:16], version=4)
            yield f"data/{_SOURCE}/{_SOURCE}/{name}/{unique}.json", record


def _seconds(created: str) -> str:
    return str(int(datetime.fromisoformat(created).timestamp()))


def _record(
    snapshot: Snapshot, condition: ConditionRow, card: SubmissionRow, overall: OverallRow, name: str
) -> dict[str, Any]:
    manifest = snapshot.manifest
    details = {
        "deployment_type": "self_deployed",
        "model_availability": "open_weights",
        "training_data": card.submission,
        "training_data_kind": card.kind,
        "training_data_licence": card.licence,
        "generator": card.generator,
        "generator_language_model": f"{card.llm} {card.llm_snapshot}".strip() or "none",
        "real_text_seen": card.real_data,
        "student": condition.recipe,
        "training_rows": str(condition.rows),
        "place": overall.place,
        "not_ranked_because": "; ".join(overall.reasons),
        "tie_group": "" if overall.group is None else str(overall.group),
    }
    return {
        "schema_version": SCHEMA_VERSION,
        "evaluation_id": f"{_SOURCE}/{name}/{_seconds(manifest.created)}",
        "retrieved_timestamp": _seconds(manifest.created),
        "source_metadata": {
            "source_name": "clinsynth",
            "source_type": "evaluation_run",
            "source_organization_name": "clinsynth",
            "evaluator_relationship": "third_party",
            "additional_details": {"snapshot": manifest.id},
        },
        "eval_library": {
            "name": "clinsynth", "version": manifest.clinsynth,
            "additional_details": {"commit": manifest.commit or "unknown"},
        },
        "model_info": {
            "name": f"{condition.recipe} fine-tuned on {condition.rows:,} rows of {card.submission}",
            "id": f"{_SOURCE}/{name}",
            "additional_details": {key: value for key, value in details.items() if value},
        },
    }  # fmt: skip


def _result(condition: ConditionRow, spec: TaskRow, row: ScoreRow) -> dict[str, Any]:
    uncertainty: dict[str, Any] = {"num_samples": row.seeds}
    if row.spread is not None:
        uncertainty["standard_deviation"] = row.spread
    if row.low is not None and row.high is not None:
        uncertainty["confidence_interval"] = {
            "lower": row.low, "upper": row.high, "confidence_level": 0.95, "method": "seeds and test units together",
        }  # fmt: skip
        if condition.resamples:
            uncertainty["num_bootstrap_samples"] = condition.resamples
    return {
        "evaluation_result_id": f"{row.submission}/{row.recipe}/n{row.rows}/{row.task}",
        "evaluation_name": row.task,
        "source_data": {"dataset_name": spec.title, "source_type": "url", "url": [spec.homepage]},
        "metric_config": {
            "evaluation_description": spec.description,
            "metric_id": row.metric,
            "metric_name": row.metric.replace("_", " "),
            "metric_kind": "accuracy" if row.metric == "accuracy" else "f1",
            "metric_unit": "proportion",
            "lower_is_better": False,
            "score_type": "continuous",
            "min_score": 0,
            "max_score": 1,
        },
        "score_details": {
            "score": row.mean,
            "details": {"seeds": str(row.seeds), "training_rows_used": str(row.rows_used)},
            "uncertainty": uncertainty,
        },
    }
