"""All numbers of one draw of rows, with or without real rows to compare with."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from clinsynth.core import Example, TaskSpec
from clinsynth.quality import measures, words
from clinsynth.quality.measures import SpanFaults, span_faults
from clinsynth.quality.record import NUMBERS

Vectors = npt.NDArray[np.float32]
Embed = Callable[[Sequence[str]], Vectors]
NO_SPANS = "only span tasks have entity mentions"
NO_LABEL = "rows of a span task have no label of their own"
DOES_NOT_APPLY = (NO_SPANS, NO_LABEL)
"""Reasons that follow from the type of the task."""
TOO_FEW = "too few rows"
QUANTILES = (5, 50, 95)


@dataclass(slots=True)
class Draw:
    """A draw of rows, with everything that several numbers derive from it."""

    spec: TaskSpec
    rows: Sequence[Example]
    by_text: list[Vectors] = field(init=False)
    """``[n, 384]`` for each text of a row."""
    vectors: Vectors = field(init=False)
    """``[n, 384 x texts]``, each row of length 1."""
    tokens: list[list[str]] = field(init=False)
    """The words of every text."""
    words: Counter[str] = field(init=False)
    entities: Counter[str] = field(init=False)
    """Normalised mentions, whatever their type."""
    labels: Counter[str] = field(init=False)
    """Labels, or types of spans; ``(none)`` for a row without."""
    lengths: list[int] = field(init=False)
    """Words of all texts of a row."""

    def __init__(self, spec: TaskSpec, rows: Sequence[Example], embed: Embed) -> None:
        """Embed and tokenise; needs at least one row."""
        self.spec, self.rows = spec, rows
        self.by_text = [embed([row.texts[k] for row in rows]) for k in range(len(rows[0].texts))]
        self.vectors = np.hstack(self.by_text) / np.float32(np.sqrt(len(self.by_text)))
        by_row = [[words.words(text) for text in row.texts] for row in rows]
        self.tokens = [text for texts in by_row for text in texts]
        self.words = Counter(word for text in self.tokens for word in text)
        self.lengths = [sum(map(len, texts)) for texts in by_row]
        self.entities = Counter(words.normalised(r.texts[0][s.start : s.end]) for r in rows for s in r.spans)
        named = ([span.label for span in row.spans] if spec.is_span else row.labels for row in rows)
        self.labels = Counter(label for answers in named for label in (answers or ("(none)",)))

    @property
    def label_shares(self) -> dict[str, float]:
        """Share of each label; every label of the task is there."""
        names = [*self.spec.labels, *(["(none)"] if "(none)" in self.labels else [])]
        return {name: self.labels[name] / self.labels.total() for name in names}


class Result:
    """Numbers by name, and a reason for each that is missing."""

    def __init__(self) -> None:
        self.numbers: dict[str, float | None] = {}
        self.reasons: dict[str, str] = {}
        self.suspects: tuple[int, ...] = ()
        """Indices into the draw."""

    def put(self, name: str, value: float | None, reason: str = TOO_FEW) -> None:
        """Set a number; the reason counts where it is ``None``."""
        self.numbers[name] = None if value is None else float(value)
        if value is None:
            self.reasons[name] = reason


def numbers_of(draw: Draw, real: Draw | None, why_no_real: str, rng: np.random.Generator) -> Result:
    """Every number of ``NUMBERS`` except the parse losses, which cannot be computed from rows.

    Args:
        draw: the rows.
        real: the real rows they are compared with.
        why_no_real: the reason where there are none.
        rng: decides the folds of label noise.
    """
    result = Result()
    _diversity(draw, result)
    _faults(draw, result, rng)
    if real is None:
        for number in NUMBERS.values():
            if number.needs_real:
                spans_only = number.name.startswith("entity") and not draw.spec.is_span
                result.put(number.name, None, NO_SPANS if spans_only else why_no_real)
    else:
        _alignment(draw, real, result)
    return result


def _diversity(draw: Draw, result: Result) -> None:
    spec = draw.spec
    result.put("aps", measures.average_pairwise_similarity(draw.vectors))
    intra, inter = measures.class_similarity(draw.vectors, [words.answer(row) for row in draw.rows])
    result.put("aps_intra", None if spec.is_span else intra, NO_LABEL if spec.is_span else "no two rows agree")
    result.put("aps_inter", None if spec.is_span else inter, NO_LABEL if spec.is_span else "all rows have one answer")
    result.put("self_similarity", measures.self_similarity(draw.vectors))
    result.put("ingf", words.inverse_ngram_frequency(draw.tokens))
    for n in (1, 2, 3):
        result.put(f"distinct_{n}", words.distinct(draw.tokens, n))
    result.put("vocabulary", len(draw.words))
    result.put("entities", len(draw.entities) if spec.is_span else None, NO_SPANS)
    result.put("words_mean", float(np.mean(draw.lengths)))
    for q in QUANTILES:
        result.put(f"words_p{q}", float(np.percentile(draw.lengths, q)))


def _alignment(draw: Draw, real: Draw, result: Result) -> None:
    result.put("cmd", measures.central_moment_discrepancy(draw.vectors, real.vectors))
    result.put("frechet", measures.frechet_distance(draw.vectors, real.vectors))
    for name, found, there in (("word", draw.words, real.words), ("entity", draw.entities, real.entities)):
        covered = words.coverage(found, there)
        missing = NO_SPANS if name == "entity" and not draw.spec.is_span else ""
        result.put(f"{name}_coverage", covered.share, missing or "the real rows have none")
        result.put(f"{name}_coverage_weighted", covered.weighted, missing or "the real rows have none")
        result.put(f"{name}_novel", covered.novel, missing or "the rows have none")
    result.put("length_divergence", words.length_divergence(draw.lengths, real.lengths))
    result.put("label_divergence", words.jensen_shannon(draw.labels, real.labels))


def _faults(draw: Draw, result: Result, rng: np.random.Generator) -> None:
    result.put("duplicates", words.exact_duplicates(draw.rows))
    result.put("near_duplicates", words.near_duplicates(draw.rows))
    result.put("conflicting", words.conflicting(draw.rows))
    spans = span_faults(draw.rows) if draw.spec.is_span else SpanFaults(None, None, None)
    why = "no mention" if draw.spec.is_span else NO_SPANS
    result.put("untagged_mentions", spans.untagged, why)
    result.put("rows_without_mention", spans.empty, why)
    result.put("placeholder_mentions", spans.placeholders, why)
    noise = _noise(draw, rng)
    result.put("label_noise", noise.rate, noise.reason)
    result.put("label_accuracy", noise.accuracy, noise.reason)
    result.suspects = noise.suspects


def _noise(draw: Draw, rng: np.random.Generator) -> measures.Noise:
    if draw.spec.is_span:
        return measures.Noise(None, None, reason=NO_LABEL)
    first: dict[tuple[str, ...], int] = {}
    for k, texts in enumerate(words.inputs(draw.rows)):
        first.setdefault(texts, k)
    kept = list(first.values())
    features = measures.pair_features([vectors[kept] for vectors in draw.by_text])
    answers = [draw.rows[k].labels for k in kept]
    if draw.spec.multi_label:
        noise = measures.multi_label_noise(features, answers, draw.spec.labels, rng)
    else:
        noise = measures.label_noise(features, [answer[0] for answer in answers], rng)
    return measures.Noise(noise.rate, noise.accuracy, tuple(kept[k] for k in noise.suspects), noise.reason)
