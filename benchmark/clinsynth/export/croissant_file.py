"""Croissant metadata (MLCommons, version 1.0 with the RAI extension) of a submission's data files."""

from __future__ import annotations

import re
from importlib import import_module
from pathlib import Path
from typing import Any

from clinsynth.core import TASKS, UserError, sha256_file
from clinsynth.submissions import Card, read_submission
from clinsynth.task_types import task_type

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
