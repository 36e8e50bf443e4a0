"""What the card says of a baseline's rows, and whether they may be published."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

from clinsynth.generation.llm import LLM
from clinsynth.generation.record import GenerationRecord
from clinsynth.schema import TaskSpec
from clinsynth.generation.tools import Baseline
from clinsynth.submissions import Card, Llm, RealData

StoreKind = Literal["real", "sample"]


def must_stay_private(baseline: Baseline, spec: TaskSpec, kind: StoreKind) -> bool:
    """Whether a task's rows are kept out of version control and from other users.

    Rows that are real text are. What a model wrote after it was shown few-shot examples is kept back where the task is
    not open: a model may repeat what it was shown.
    """
    if kind == "sample" or baseline.real_data == "none":
        return False
    return "llm" not in baseline.needs or spec.access != "open"


def card_of(baseline: Baseline, name: str, kind: StoreKind, model: LLM | None) -> Card:
    """The card of a baseline's submission, before anything is made."""
    details = {
        "none": "",
        "few-shot": "Five real examples a class, drawn with seed 0.",
        "train": "Rows of the real training split.",
    }[baseline.real_data]
    used = model if "llm" in baseline.needs else None
    restricted = baseline.real_data != "none" and kind == "real" and used is None
    licence = "Real text under each task's own licence: not to be published" if restricted else "Apache-2.0"
    if used is not None:
        licence = f"Apache-2.0, as far as the terms of {used.model} and of the sources in the disclosures allow"
        details += " They were shown to the language model; the rows are its own." if details else ""
    return Card(
        name=name,
        title=baseline.title,
        authors=("The clinsynth authors",),
        bibtex=baseline.citation,
        generator=f"{baseline.name}: {baseline.description}",
        kind="reference" if baseline.reference else "submission",
        licence=licence,
        real_data=RealData(used=baseline.real_data, details=details),
        llm=Llm(name=used.model) if used is not None else None,
    )


def disclosures_of(record: GenerationRecord, baseline: Baseline) -> Iterator[str]:
    """What a reviewer should know of a task's rows, each line under the task's name."""
    task = record.task
    if known := baseline.disclosures.get(task):
        yield f"{task}: {known}"
    if record.real_split == "dev":
        yield f"{task}: rows come from the dev split; there was no train split."
    reports = record.notes.get("case reports", "builtin")
    if not reports.startswith("builtin"):
        yield f"{task}: rows derive from case reports ({reports}), whose licence binds them too."
    if record.low and record.rate is not None:
        yield f"{task}: low yield, {100 * record.rate:.0f} % of {record.candidates:,} candidate rows were kept."
    if record.stopped == "limit":
        yield f"{task}: {record.kept:,} of {record.asked:,} rows; a limit of tokens or dollars ended it."
    if record.stopped == "patience":
        yield f"{task}: {record.kept:,} of {record.asked:,} rows; nothing new came for too long."
    if record.cost and record.cost.failed:
        yield f"{task}: {record.cost.failed:,} requests failed for good."
