"""Figures that others published, on other splits and samples and by other metrics than here: shown apart, never ranked.

Each was read in the source named beside it; what could not be read is not here.
"""

from __future__ import annotations

from clinsynth.snapshot.schema import ElsewhereRow

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
