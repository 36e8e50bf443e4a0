"""Tasks that do not exist, and the way of a stranger's file into a folder and back."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

from clinsynth.core.nouns import Example, TaskSpec, TaskTypeName
from clinsynth.submissions import read_submission
from clinsynth.submissions.importing import ImportOptions, ImportReport, import_data
from clinsynth.task_types import task_type


def make_spec(name: str, kind: TaskTypeName, labels: tuple[str, ...], **more: Any) -> TaskSpec:
    return TaskSpec(
        name=name,
        title=name,
        type=kind,
        description="",
        labels=labels,
        label_descriptions=dict.fromkeys(labels, ""),
        metric="accuracy",
        unit="example",
        sources=(),
        rows={},
        licence="",
        access="open",
        homepage="",
        citation="",
        **more,
    )


NLI = make_spec("toy-nli", "natural_language_inference", ("entail", "not_entail"))
OTHER_NLI = make_spec("other-nli", "natural_language_inference", ("entail", "not_entail"))
FACTS = make_spec("toy-facts", "fact_verification", ("Refute", "Support"), clingen_labels=("Refute", "Support"))
MQP = make_spec("mqp", "sentence_similarity", ("same", "different"), clingen_labels=("different", "same"))
NER = make_spec("toy-ner", "named_entity_recognition", ("Disease",))
OTHER_NER = make_spec("other-ner", "named_entity_recognition", ("Disease",))
CASI = make_spec("toy-casi", "attribute_extraction", ("Medication", "Dosage", "Route"))
RE = make_spec(
    "toy-re",
    "relation_extraction",
    ("Has_relation", "No_relation"),
    markers=("@GENE$", "@DISEASE$"),
    clingen_labels=("Has_relation", "No_relation"),
)
TOPICS = make_spec(
    "toy-topics",
    "text_classification",
    ("Case Report", "Treatment", "Diagnosis"),
    multi_label=True,
    clingen_labels=("Treatment", "Diagnosis", "Case Report"),
)


def jsonl(*rows: Any) -> bytes:
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows).encode()


def bring(
    tmp_path: Path, content: bytes, format_name: str, spec: TaskSpec, **options: Any
) -> tuple[list[dict[str, Any]], ImportReport]:
    """Import the content and read it back from the folder that was written."""
    source = tmp_path / ("source.gz" if content.startswith(b"\x1f\x8b") else "source")
    source.write_bytes(content)
    out = tmp_path / "made"
    report = import_data(source, format_name, spec, out, ImportOptions(**options))
    with gzip.open(out / "data" / f"{spec.name}.jsonl.gz", "rt", encoding="utf-8") as stream:
        rows = [json.loads(line) for line in stream]
    assert len(rows) == report.kept
    assert not any(fault for row in rows for fault in task_type(spec).faults(row, spec))
    json.loads(report.to_json())
    return rows, report


def dropped(report: ImportReport) -> dict[str, int]:
    return {reason: tally.count for reason, tally in report.dropped.items()}


def altered(report: ImportReport) -> dict[str, int]:
    return {reason: tally.count for reason, tally in report.altered.items()}


PAIR = {"premise": "a b c", "hypothesis": "d e", "label": "entail"}
FEVER = {"text": "a fever today", "entities": [{"start": 2, "end": 7, "label": "Disease"}]}
TOPIC = {"text": "about it", "labels": ["Case Report", "Treatment"]}


def read_rows(out: Path, spec: TaskSpec) -> list[Example]:
    """The rows of a folder whose card is still to be filled in."""
    card = out / "submission.toml"
    card.write_text(card.read_text().replace("FILL IN", "filled"))
    return read_submission(out, specs={spec.name: spec}).rows(spec.name)
