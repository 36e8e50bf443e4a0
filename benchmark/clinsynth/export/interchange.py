"""Forms that other projects read: Croissant, Every Eval Ever, and scores that leave without any rows."""

from __future__ import annotations

import hashlib
import re
import uuid
from collections.abc import Iterator
from datetime import datetime
from importlib import import_module
from pathlib import Path
from typing import Any

from clinsynth.core import TASKS, UserError, csv_text, replaced_folder, sha256_file, write_text
from clinsynth.results import DataKind, Results, RunRecord
from clinsynth.snapshot import ConditionRow, OverallRow, ScoreRow, Snapshot, SubmissionRow, TaskRow
from clinsynth.submissions import CARD_FILE, Card, read_submission, to_toml
from clinsynth.task_types import task_type
from clinsynth.views import of

_LICENCES = re.compile(r"^(CC0|CC-BY|Apache|MIT|BSD|ODC|GPL|LGPL|MPL|PDDL)[A-Za-z0-9.+-]*$")
"""What looks like an SPDX identifier, which has a page of its own."""


def croissant(folder: Path) -> dict[str, Any]:
    """The metadata as JSON-LD, relative to the folder.

    Raises:
        UserError: mlcroissant is not installed, or ``folder`` is no good submission.
    """
    try:
        mlc: Any = import_module("mlcroissant")
    except ImportError as error:
        raise UserError("mlcroissant is not installed", remedy="pip install mlcroissant") from error
    found = read_submission(folder)
    files: list[Any] = []
    records: list[Any] = []
    for task in found.tasks:
        path = next(
            path for path in (folder / "data" / f"{task}.jsonl.gz", folder / "data" / f"{task}.jsonl") if path.is_file()
        )
        packed = path.suffix == ".gz"
        files.append(mlc.FileObject(
            id=path.name, name=path.name, content_url=f"data/{path.name}", sha256=sha256_file(path),
            content_size=f"{path.stat().st_size} B", description=f"Training rows for {TASKS[task].spec.title}.",
            encoding_formats=["application/jsonlines", *(["application/gzip"] if packed else [])],
        ))  # fmt: skip
        records.append(_records(mlc, task, path.name))
    card = found.card
    metadata = mlc.Metadata(
        name=card.name, description=f"{card.title}. {card.generator}", license=[_licence(card.licence)],
        url=card.paper or None, creators=_creators(mlc, card), cite_as=card.bibtex or None,
        version="1.0.0", distribution=files, record_sets=records, keywords=["synthetic data", "clinical NLP"],
        **_responsible(card),
    )  # fmt: skip
    return metadata.to_json()


def _licence(text: str) -> str:
    return f"https://spdx.org/licenses/{text}.html" if _LICENCES.match(text) else text


def _creators(mlc: Any, card: Card) -> list[Any]:
    return [mlc.Organization(name=name) for name in card.authors]


def _responsible(card: Card) -> dict[str, Any]:
    """The fields of the extension for responsible use that the card answers."""
    llm = f"{card.llm.name} {card.llm.snapshot}".strip() if card.llm else ""
    real = card.real_data
    return {
        "data_collection": f"Synthetic. {card.generator}",
        "data_collection_type": ["Software Collection"],
        "data_collection_raw_data": f"Real text seen by the generator: {real.used}. {real.details}".strip(),
        "machine_annotation_tools": [llm] if llm else None,
        "data_use_cases": ["Training data that clinsynth scores by fine-tuning a frozen student."],
        "data_limitations": list(card.disclosures) or None,
    }


def _records(mlc: Any, task: str, file: str) -> Any:
    spec = TASKS[task].spec
    kind = task_type(spec)

    def field(key: str, said: str, *, many: bool = False) -> Any:
        source = mlc.Source(file_object=file, extract=mlc.Extract(column=key))
        return mlc.Field(id=f"{task}/{key}", name=key, description=said, data_types=[mlc.DataType.TEXT], source=source,
                         is_array=many or None, array_shape="-1" if many else None)  # fmt: skip

    fields = [field(key, f"Text: {key}.") for key in kind.text_keys]
    said = spec.description
    if spec.is_span:
        # Croissant's readers cast every value to a plain type: a list of objects can be described in words alone.
        said += f" The key {kind.target_key} holds a list of objects with start, end (code points) and label."
    else:
        many = kind.target_key == "labels"
        fields.append(field(kind.target_key, f"Answer, of {len(spec.labels)} labels.", many=many))
    return mlc.RecordSet(id=task, name=task, description=said, fields=fields)


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


TABLE = "scores.csv"


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
    stored = Results(submission, kind)
    runs = [stored.read(path) for path in stored.record_paths()]
    if not runs:
        raise UserError(f"{submission} has no runs on {kind} data", remedy="score it first: clinsynth score")
    with replaced_folder(out) as fresh:
        write_text(fresh / CARD_FILE, to_toml(card))
        results = Results(fresh, kind)
        for run in runs:
            results.write_record(run)
        write_text(fresh / TABLE, _table(runs))
    return len(runs)


def _table(runs: list[RunRecord]) -> str:
    head = ("submission", "task", "recipe", "rows", "seed", "test_examples", "metric", "score")
    return csv_text(
        head,
        ((run.submission, *run.cell, run.test.examples, run.metric, run.score) for run in runs),
    )
