"""Rows beside the scores: quality, audits and generation from their records, and figures of other papers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from clinsynth.audit import AuditRecord, audit_path, is_audited, read_audit
from clinsynth.core import RecordFault, UserError
from clinsynth.quality import NUMBERS, QualityRecord, bands_of, read_record, record_path
from clinsynth.snapshot.descriptions import AuditRow, BandRow, DropRow, GenerationRow, LeftOutRow, QualityRow
from clinsynth.snapshot.schema import ElsewhereRow
from clinsynth.standings import Stored


@dataclass(frozen=True, slots=True)
class Omitted:
    """Collects records that no table has."""

    rows: list[LeftOutRow] = field(default_factory=list[LeftOutRow])

    def record(self, name: str, path: Path, folder: Path, error: UserError | OSError) -> None:
        """A record that cannot be read.

        Args:
            name: the submission's, or that of a folder of the direct track.
            path: where it lies; what is shown begins below ``folder``.
            folder: the submission's.
            error: why.
        """
        where = path.relative_to(folder).as_posix()
        # The remedy is for whoever has the files; a reader of the snapshot needs what and why.
        lines = [line for line in str(error).splitlines() if not line.startswith("  remedy: ")]
        first, *more = (line.strip().replace(str(path), where).replace(f"{folder}/", "") for line in lines or [""])
        said = first if where in first else f"{where} cannot be read: {first}"
        self.say(name, said + (f" ({'; '.join(more)})" if more else ""))

    def fault(self, fault: RecordFault) -> None:
        """A record that its reader left out."""
        self.say(fault.submission, fault.text)

    def say(self, name: str, reason: str) -> None:
        """Anything else that is left out."""
        self.rows.append(LeftOutRow(submission=name, reason=reason))


def quality_rows(stored: Sequence[Stored], omitted: Omitted) -> tuple[tuple[QualityRow, ...], tuple[BandRow, ...]]:
    """Every number of every quality record that can be read, and those in words; ``omitted`` is told of the others."""
    records = [(each.card.name, record) for each in stored for record in _quality_records(each, omitted)]
    numbers = tuple(row for name, record in records for row in _numbers(name, record))
    return numbers, tuple(row for name, record in records for row in _bands(name, record))


def _quality_records(each: Stored, omitted: Omitted) -> Iterator[QualityRecord]:
    folder = record_path(each.folder, each.kind, "x").parent
    for path in sorted(folder.glob("*.json")):
        try:
            yield read_record(path)
        except (UserError, OSError) as error:
            # No record, or measured by another method: it says nothing that could stand beside the others.
            omitted.record(each.card.name, path, each.folder, error)


def _numbers(name: str, record: QualityRecord) -> Iterator[QualityRow]:
    data, real = record.data, record.real
    for number in NUMBERS.values():
        yield QualityRow(
            data=record.kind, submission=name, task=record.task, number=number.name, title=number.title,
            group=number.group, show=number.show, value=data.value(number.name),
            spread=data.spread.get(number.name), reason=data.reason(number.name),
            real=real.value(number.name) if real else None, rows=data.rows,
        )  # fmt: skip


def _bands(name: str, record: QualityRecord) -> Iterator[BandRow]:
    for band in bands_of(record.data, record.real):
        yield BandRow(
            data=record.kind, submission=name, task=record.task, number=band.name, title=band.title, level=band.level,
            words=band.words, advice=band.advice if band.level in ("off", "far") else "",
        )  # fmt: skip


def audit_rows(stored: Sequence[Stored], omitted: Omitted) -> tuple[AuditRow, ...]:
    """The state of the audit of every task that a submission has runs on; ``omitted`` is told of faulty records."""
    out: list[AuditRow] = []
    for each in stored:
        for path in sorted(audit_path(each.folder, "x", each.kind).parent.glob("*.json")):
            try:
                read_audit(path)
            except (UserError, OSError) as error:
                omitted.record(each.card.name, path, each.folder, error)
        seen: dict[str, tuple[str, str]] = {}
        for record in each.records:
            seen.setdefault(record.task, (record.training.fingerprint, record.test.fingerprint))
        if each.card.kind == "reference":
            # Real text by design: only what was audited is shown.
            seen = {task: made for task, made in seen.items() if audit_path(each.folder, task, each.kind).is_file()}
        out += [_audit(each, task, *made) for task, made in seen.items()]
    return tuple(out)


def _audit(each: Stored, task: str, rows: str, test: str) -> AuditRow:
    verdict = is_audited(each.folder, task, rows, kind=each.kind, test=test)
    record: AuditRecord | None = None
    if verdict.state != "unaudited":
        record = read_audit(audit_path(each.folder, task, each.kind))
    key = {"data": each.kind, "submission": each.card.name, "task": task, "state": verdict.state,
           "reasons": verdict.reasons}  # fmt: skip
    if record is None:
        nothing = ("rows", "leaks", "excused", "touched", "train_repeats", "longest_words", "private_share",
                   "private_real", "canaries", "score_shift")  # fmt: skip
        return AuditRow.model_validate(key | dict.fromkeys(nothing))
    matches = record.test.matches
    shifts = (
        [run.without - run.score for run in record.scores if run.without is not None] if record.test.touched else []
    )
    canaries = record.canaries
    return AuditRow.model_validate(key | {
        "rows": record.rows,
        "leaks": sum(match.reason == "leak" for match in matches),
        "excused": sum(match.reason != "leak" for match in matches),
        "touched": record.test.touched,
        "train_repeats": sum(record.train.rows.values()) if record.train else None,
        "longest_words": record.verbatim.quantiles["words"]["1"] if record.verbatim else None,
        "private_share": record.privacy.share,
        "private_real": record.privacy.real_share,
        "canaries": len(canaries.exact.keys() | canaries.near.keys()) if canaries else None,
        "score_shift": sum(shifts) / len(shifts) if shifts else None,
    })  # fmt: skip


def generation_rows(
    stored: Sequence[Stored], omitted: Omitted
) -> tuple[tuple[GenerationRow, ...], tuple[DropRow, ...]]:
    """How the rows of each task were generated, and what was dropped; ``omitted`` is told of faulty records."""
    from clinsynth.generation import FOLDER, read_generation

    rows: list[GenerationRow] = []
    drops: list[DropRow] = []
    for each in stored:
        for path in sorted((each.folder / FOLDER).glob("*.json")):
            try:
                record = read_generation(each.folder, path.stem)
            except (UserError, OSError) as error:
                omitted.record(each.card.name, path, each.folder, error)
                continue
            if record is None:
                continue
            cost = record.cost
            rows.append(
                GenerationRow(
                    submission=each.card.name, task=record.task, baseline=record.baseline,
                    model=record.model.name if record.model else "", candidates=record.candidates, kept=record.kept,
                    calls=cost.calls if cost else None, tokens_in=cost.tokens_in if cost else None,
                    tokens_out=cost.tokens_out if cost else None, dollars=cost.dollars if cost else None,
                    stopped="" if record.stopped == "rows" else record.stopped,
                )
            )  # fmt: skip
            drops += [
                DropRow(submission=each.card.name, task=record.task, reason=reason, count=count)
                for reason, count in sorted(record.dropped.items())
            ]
    return tuple(rows), tuple(drops)


_BIDS = (
    "Biomedical-NLP-Benchmarks (Nature Communications 2025, s41467-025-56989-2), results CSV files",
    "https://github.com/BIDS-Xu-Lab/Biomedical-NLP-Benchmarks",
)
_EARLIER = (
    "gpt_bionlp_benchmark, README (an earlier version of the same study)",
    "https://github.com/qingyu-qc/gpt_bionlp_benchmark",
)
_WHOLE = "bootstrap mean over the test set of the study"
_SAMPLE = "200 examples of the test set"

_TASKS = {
    "NCBI-Disease": ("ncbi-disease", "entity F1"),
    "HoC": ("hoc", "label-wise macro F1"),
    "ChemProt": ("chemprot", "macro F1"),
    "BC5CDR-chemical": ("bc5cdr-chemical", "entity F1"),
    "LitCovid": ("litcovid", "label-wise macro F1"),
}

_ZERO_SHOT = (
    ("NCBI-Disease", 0.4147, 0.5773),
    ("HoC", 0.6013, 0.6608),
    ("ChemProt", 0.2127, 0.2864),
)
"""Data set, GPT-3.5, GPT-4."""

_ON_SAMPLES = (
    ("BC5CDR-chemical", (0.9028, 0.9350), 0.2925, 0.7443),
    ("NCBI-Disease", (0.8336, 0.8986), 0.2405, 0.5673),
    ("ChemProt", (0.6653, 0.7832), 0.5743, 0.6618),
    ("HoC", (0.6991, 0.8915), 0.6572, 0.7474),
    ("LitCovid", (0.8024, 0.8724), 0.6390, 0.6746),
)
"""Data set, fine-tuned PubMedBERT (least and most), GPT-3, GPT-4."""


def _row(dataset: str, system: str, figures: tuple[float, float], sample: str, source: tuple[str, str]) -> ElsewhereRow:
    task, metric = _TASKS[dataset]
    return ElsewhereRow(
        dataset=dataset, task=task, system=system, metric=metric, low=figures[0], high=figures[1], sample=sample,
        source=source[0], url=source[1],
    )  # fmt: skip


def published_elsewhere() -> tuple[ElsewhereRow, ...]:
    """Every figure, by data set."""
    rows = [
        _row(dataset, system, (figure, figure), _WHOLE, _BIDS)
        for dataset, old, new in _ZERO_SHOT
        for system, figure in (("GPT-3.5, zero-shot", old), ("GPT-4, zero-shot", new))
    ]
    for dataset, tuned, old, new in _ON_SAMPLES:
        rows.append(_row(dataset, "PubMedBERT, fine-tuned on real data", tuned, _SAMPLE, _EARLIER))
        rows.append(_row(dataset, "GPT-3, zero-shot", (old, old), _SAMPLE, _EARLIER))
        rows.append(_row(dataset, "GPT-4, zero-shot", (new, new), _SAMPLE, _EARLIER))
    return tuple(sorted(rows, key=lambda row: (row.dataset, row.sample, row.system)))
