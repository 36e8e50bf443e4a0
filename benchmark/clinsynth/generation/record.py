"""The record of generating a task's rows: ``generation/<task>.json`` in the submission's folder.

Holds counts, digests and names: never text of a prompt, an answer or a row, and no address of a server.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Literal

from clinsynth.core import Extended, Part, RecordKind, TaskRecord, TaskSpec, find_filed, write_sealed
from clinsynth.generation.baseline import Baseline
from clinsynth.llm import LLM, Ledger, SentRequest
from clinsynth.submissions import Card, Cost, Llm, RealData

FOLDER = "generation"
LOW_YIELD = 0.5
"""A run that keeps a smaller share of its candidates is called out wherever its rows are shown."""

Stop = Literal["rows", "exhausted", "limit", "patience"]
"""rows: the budget of rows is full; exhausted: the generator has no more; limit: tokens or dollars are spent; patience:
so many candidates came to nothing that more are not worth asking for."""


class CostRecord(Part):
    """The ledger. What is not known is null, never 0."""

    calls: int
    """Answers that the rows are made of, whenever they were paid: ``new`` and ``cached``."""
    new: int
    """Answered in this run."""
    cached: int
    """Answered in an earlier run, and not paid again."""
    failed: int
    """Requests given up after all attempts."""
    filtered: int
    """Answers withheld by the server."""
    batched: int
    """Answers of the Batch API."""
    retries: dict[str, int]
    """Attempts made again, by reason."""
    tokens_in: int | None
    tokens_out: int | None
    dollars: float | None
    """US dollars of all answers."""
    dollars_new: float | None
    """US dollars of this run's answers."""
    price_source: str | None
    price_date: date | None
    request_seconds: float
    """From request to answer, summed over all answers, those of earlier runs among them."""

    @classmethod
    def of(cls, ledger: Ledger) -> CostRecord:
        """A ledger as it stands."""
        tokens = ledger.known_tokens
        return cls(
            calls=ledger.calls, new=ledger.new, cached=ledger.cached, failed=ledger.failed, filtered=ledger.filtered,
            batched=ledger.batched, retries=dict(sorted(ledger.retries.items())),
            tokens_in=tokens[0] if tokens else None, tokens_out=tokens[1] if tokens else None,
            dollars=_rounded(ledger.known_dollars), dollars_new=_rounded(ledger.known_new_dollars),
            price_source=ledger.prices.source or None, price_date=ledger.prices.looked_up,
            request_seconds=round(ledger.request_seconds, 3),
        )  # fmt: skip


class ModelRecord(Extended):
    """The language model and how it was asked."""

    added = ("sent", "weights")

    name: str
    """As it was asked for."""
    reported: dict[str, int]
    """Answers by the name that the server gave."""
    mode: Literal["chat", "completion"]
    server: str
    """Who the server says owns its models; empty if it did not say or was not asked."""
    temperature: float | None
    """Set for the whole run; null: each prompt's own."""
    structured: dict[str, int]
    """Answers to prompts with a schema, by how they were held to it; ``off``: they were not."""
    left_out: dict[str, str]
    """Parameters that the server refused, with what was done instead."""
    sent: tuple[SentRequest, ...] = ()
    """The requests as they were sent; empty in records from before they were kept."""
    weights: str = ""
    """Digest of the weights, where they are known: those that run here by ``--model local``."""


class GenerationRecord(TaskRecord):
    """How a task's rows were made."""

    format: Literal[1] = 1
    baseline: str
    task: str
    task_version: int
    data: Literal["real", "sample"]
    seed: int
    real_split: str
    """The real split that the generator looked into; empty for none."""
    asked: int
    """Rows that were wanted."""
    kept: int
    """Rows in the data."""
    kept_by_class: dict[str, int]
    """Rows by label (labels of one row joined by ``|``); "" for span tasks."""
    candidates: int
    """Rows that were made, or that an answer should have held."""
    dropped: dict[str, int]
    """Candidates that are not in the data, by reason."""
    altered: dict[str, int]
    """Corrections and ambiguities in candidates, by kind."""
    rate: float | None
    """The yield: kept rows per candidate; null where there was none."""
    stopped: Stop
    limits: dict[str, float]
    """Tokens and dollars that were allowed; empty for no limit."""
    prompts: dict[str, str]
    """sha256 of each prompt file, by path."""
    notes: dict[str, str]
    """Notes of the generator, such as the digest of a list of topics."""
    knowledge: str | None
    """The source of names."""
    model: ModelRecord | None
    cost: CostRecord | None
    """Null where no language model was used."""
    seconds: float
    """Wall-clock time of this run."""
    rows_sha256: str
    """Digest of the unpacked data file; empty where no row was made."""
    clinsynth: str
    commit: str
    dirty: bool
    created: str
    """UTC, ISO 8601."""

    @property
    def low(self) -> bool:
        """Whether less than half of the candidates were kept."""
        return self.rate is not None and self.rate < LOW_YIELD


def _rounded(dollars: float | None) -> float | None:
    return None if dollars is None else round(dollars, 8)


def record_path(out: Path, task: str) -> Path:
    """Where a task's record lies."""
    return out / FOLDER / f"{task}.json"


def write_generation(out: Path, record: GenerationRecord) -> GenerationRecord:
    """Seal and store a record."""
    return write_sealed(record_path(out, record.task), record)


GENERATION_RECORD = RecordKind(
    "the record of a generation", "delete it together with the task's data file, and generate the task again"
)


def read_generation(out: Path, task: str) -> GenerationRecord | None:
    """A task's record; ``None`` where there is none.

    Raises:
        FaultyRecordError: it is no record, edited, or another task's.
    """
    return find_filed(record_path(out, task), GenerationRecord, GENERATION_RECORD)


def total_cost(records: list[GenerationRecord]) -> Cost:
    """Total cost of all tasks, for the card. A sum with an unknown part is unknown."""
    costs = [record.cost for record in records]
    known = [cost for cost in costs if cost is not None]
    if not known or len(known) < len(costs):
        return Cost()
    dollars = [cost.dollars for cost in known if cost.dollars is not None]
    priced = len(dollars) == len(known) and any(cost.calls for cost in known)
    tokens_in = [cost.tokens_in for cost in known if cost.tokens_in is not None]
    tokens_out = [cost.tokens_out for cost in known if cost.tokens_out is not None]
    # Seconds of earlier runs that were stopped are not known: answers from the cache took none in this one.
    whole = not any(cost.cached for cost in known)
    return Cost(
        calls=sum(cost.calls for cost in known),
        tokens_in=sum(tokens_in) if len(tokens_in) == len(known) else None,
        tokens_out=sum(tokens_out) if len(tokens_out) == len(known) else None,
        dollars=round(sum(dollars), 6) if priced else None,
        price_source="; ".join(sorted({cost.price_source for cost in known if cost.price_source})) or None
        if priced
        else None,
        price_date=max((cost.price_date for cost in known if cost.price_date), default=None) if priced else None,
        seconds=round(sum(record.seconds for record in records), 1) if whole else None,
    )


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
    """Disclosures about a task's rows for reviewers, each line under the task's name."""
    task = record.task
    if known := baseline.disclosures.get(task):
        yield f"{task}: {known}"
    if record.real_split == "dev":
        drawn = "rows come" if baseline.reference else "few-shot examples come"
        yield f"{task}: {drawn} from the dev split; there was no train split."
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
