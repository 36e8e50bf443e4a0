"""Measures of rows: diversity and alignment of embeddings, label noise, label faults of spans.

The first part is sums over vectors, no approximation. A row's vector has length 1. Pairs (claim and evidence) are two
embeddings side by side, each divided by the square root of 2: the cosine of two rows is then the mean of the cosines
text by text.

Label noise is confident learning over out-of-fold probabilities. Source: Northcutt, Jiang and Chuang 2021, "Confident
Learning: Estimating Uncertainty in Dataset Labels" (JAIR), as implemented in cleanlab 2.9 (Apache-2.0 from that version
on). The classifier is a logistic regression on the embeddings; what it cannot tell apart it takes for noise, so a
number means something only beside that of real data.
"""

from __future__ import annotations

import importlib
import re
from collections import Counter, defaultdict
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
import numpy.typing as npt

from clinsynth.core import Example

Vectors = npt.NDArray[np.floating]
"""``[n, d]``, each row of length 1."""
Floats = npt.NDArray[np.float64]

MOMENTS = 5
"""Order of the central moment discrepancy."""
INTERVAL = 2.0
"""Width of [-1, 1], in which every coordinate of a vector of length 1 lies."""
_BLOCK = 1_024


def _pair_sum(vectors: Vectors) -> float:
    """Sum of v_i · v_j over ordered pairs i != j, in O(n d): ||sum v||^2 - sum ||v_i||^2."""
    exact = vectors.astype(np.float64)
    total = exact.sum(axis=0)
    return float(total @ total - (exact * exact).sum())


def average_pairwise_similarity(vectors: Vectors) -> float | None:
    """APS: mean cosine over the n (n - 1) ordered pairs of different rows; ``None`` for fewer than two rows.

    1 / (n (n - 1)) sum_{i != j} v_i · v_j, by the sum-vector identity. Source: Yu et al. 2023 (AttrPrompt); Genetic
    Prompt (EMNLP 2025), appendix C.1.
    """
    n = len(vectors)
    return _pair_sum(vectors) / (n * (n - 1)) if n > 1 else None


def class_similarity(vectors: Vectors, classes: Sequence[object]) -> tuple[float | None, float | None]:
    """Intra- and inter-class APS: the same mean over pairs of rows with equal, and with different, answers.

    Every pair counts once, whatever the size of its class; with several labels the class is the set of them. ``None``
    where there is no such pair. In O(n d): pairs within a class by the identity class by class, the rest by difference.
    """
    index: dict[object, list[int]] = {}
    for k, name in enumerate(classes):
        index.setdefault(name, []).append(k)
    groups = [vectors[members] for members in index.values()]
    within = sum(_pair_sum(group) for group in groups)
    pairs_within = sum(len(group) * (len(group) - 1) for group in groups)
    pairs_across = len(vectors) * (len(vectors) - 1) - pairs_within
    across = _pair_sum(vectors) - within
    return within / pairs_within if pairs_within else None, across / pairs_across if pairs_across else None


def self_similarity(vectors: Vectors) -> float | None:
    """Mean over rows of the cosine to the nearest other row; ``None`` for fewer than two rows. O(n^2 d), in blocks."""
    n = len(vectors)
    if n < 2:
        return None
    nearest = 0.0
    for start in range(0, n, _BLOCK):
        cosines = vectors[start : start + _BLOCK] @ vectors.T
        rows = np.arange(len(cosines))
        cosines[rows, start + rows] = -np.inf
        nearest += float(cosines.max(axis=1).sum(dtype=np.float64))
    return nearest / n


def central_moment_discrepancy(x: Vectors, y: Vectors, order: int = MOMENTS) -> float:
    """CMD of ``[n, d]`` and ``[m, d]`` vectors with coordinates in [-1, 1]; 0 for equal moments.

    1/2 ||E[X] - E[Y]|| + sum_{k=2..order} 2^-k ||c_k(X) - c_k(Y)||, with c_k(X) = E[(X - E[X])^k] by coordinate.
    Source: Zellinger et al. 2017 (ICLR), definition 1, with |b - a| = 2. The much copied Keras code leaves the first
    term unscaled, without the 1/2: its numbers are larger by half the distance of the means.
    """
    a, b = x.astype(np.float64), y.astype(np.float64)
    mean_a, mean_b = a.mean(axis=0), b.mean(axis=0)
    total = float(np.linalg.norm(mean_a - mean_b)) / INTERVAL
    a, b = a - mean_a, b - mean_b
    power_a, power_b = a.copy(), b.copy()
    for k in range(2, order + 1):
        power_a *= a
        power_b *= b
        total += float(np.linalg.norm(power_a.mean(axis=0) - power_b.mean(axis=0))) / INTERVAL**k
    return total


def frechet_distance(x: Vectors, y: Vectors) -> float | None:
    """Squared Frechet (2-Wasserstein) distance of the Gaussians fitted to ``[n, d]`` and ``[m, d]`` vectors.

    ||mu_x - mu_y||^2 + tr S_x + tr S_y - 2 tr (S_x S_y)^{1/2}, S with n - 1. Source: Dowson and Landau 1982; Heusel et
    al. 2017 (FID). With centred data A / sqrt(n - 1) = Q_x R_x, S_x = R_x^T R_x, and the last trace is the sum of the
    singular values of R_x R_y^T: no matrix square root, and exact where S is singular (n <= d). Biased upwards for
    small n: compare only at equal n. ``None`` for fewer than two rows on a side.
    """
    if min(len(x), len(y)) < 2:
        return None
    a, b = x.astype(np.float64), y.astype(np.float64)
    shift = a.mean(axis=0) - b.mean(axis=0)
    factors = [_triangle(part) for part in (a, b)]
    cross = np.linalg.svd(factors[0] @ factors[1].T, compute_uv=False).sum()
    traces = sum(float((factor * factor).sum()) for factor in factors)
    return max(0.0, float(shift @ shift + traces - 2 * cross))


def _triangle(rows: Floats) -> Floats:
    centred = (rows - rows.mean(axis=0)) / np.sqrt(len(rows) - 1)
    return cast("Floats", np.linalg.qr(centred, mode="r"))


FOLDS = 5
"""Stratified; a class with fewer rows is left out."""
STRENGTH = 1.0
"""Inverse regularisation of the logistic regression, scikit-learn's default, on embeddings of length 1 as they are.
As good as the best of five variants at finding labels that were changed on purpose in real rows (docs/quality.md)."""
MARGIN = 1.645
"""Standard errors by which the classifier must beat the largest class: a one-sided test at 5 %."""


@dataclass(frozen=True, slots=True)
class Noise:
    """Result of confident learning on one set of rows."""

    rate: float | None
    """Estimated share of rows whose label is not the true one; ``None`` with a reason."""
    accuracy: float | None
    """Out-of-fold accuracy of the classifier on the labels as given."""
    suspects: tuple[int, ...] = ()
    """Indices of rows that are probably mislabelled, the worst first."""
    reason: str = ""


def pair_features(vectors: Sequence[npt.NDArray[np.float32]]) -> npt.NDArray[np.float32]:
    """``[n, d]`` for one text; ``[n, 4 d]`` for two: u, v, |u - v| and u * v (Conneau et al. 2017, InferSent)."""
    if len(vectors) == 1:
        return vectors[0]
    u, v = vectors
    return np.hstack([u, v, np.abs(u - v), u * v])


def label_noise(features: npt.NDArray[np.floating], labels: Sequence[Hashable], rng: np.random.Generator) -> Noise:
    """Estimate the share of wrong labels among rows that have one label each.

    Out-of-fold probabilities p(k | x_i) give each class the threshold t_k = mean of p(k | x) over rows labelled k; row
    i counts in C[given, k*] for the likeliest class k* among those with p(k | x_i) >= t_k. C, scaled to the counts of
    the given labels, estimates the joint distribution of given and true labels; the rate is 1 - its trace. Suspects
    are pruned by noise rate. Rows must be distinct: a copy in another fold would vouch for a wrong label.

    Args:
        features: ``[n, d]``.
        labels: n of them.
        rng: decides the folds.
    """
    counts = Counter(labels)
    names = sorted((name for name, count in counts.items() if count >= FOLDS), key=repr)
    if len(names) < 2:
        return Noise(None, None, reason=f"fewer than two labels with at least {FOLDS} distinct rows each")
    code = {name: k for k, name in enumerate(names)}
    kept = np.array([k for k, name in enumerate(labels) if name in code])
    given = np.array([code[labels[k]] for k in kept.tolist()])
    probabilities = _out_of_fold(features[kept].astype(np.float64), given, rng)
    accuracy = float((probabilities.argmax(axis=1) == given).mean())
    share = float(np.bincount(given).max()) / len(given)
    if accuracy <= share + MARGIN * np.sqrt(share * (1 - share) / len(given)):
        return Noise(None, accuracy, reason=f"the classifier (accuracy {accuracy:.2f}) cannot tell the labels apart: "
                     f"the largest is {share:.2f} of the rows")  # fmt: skip
    count: Any = importlib.import_module("cleanlab.count")
    keep: Any = importlib.import_module("cleanlab.filter")
    joint = cast("Floats", count.estimate_joint(given, probabilities))
    ranked = keep.find_label_issues(given, probabilities, return_indices_ranked_by="self_confidence", n_jobs=1)
    return Noise(float(1 - np.trace(joint)), accuracy, tuple(kept[ranked].tolist()))


def _out_of_fold(features: Floats, given: npt.NDArray[np.int64], rng: np.random.Generator) -> Floats:
    """``[n, classes]`` probabilities of a classifier that has not seen the row."""
    linear: Any = importlib.import_module("sklearn.linear_model")
    selection: Any = importlib.import_module("sklearn.model_selection")
    folds = selection.StratifiedKFold(FOLDS, shuffle=True, random_state=int(rng.integers(2**31)))
    probabilities = np.zeros((len(given), int(given.max()) + 1))
    threads: Any = importlib.import_module("threadpoolctl")
    sklearn: Any = importlib.import_module("sklearn")
    # Many small fits: on a busy machine threads only wait for one another, and checks of what is known to be finite
    # numbers take a quarter of the time.
    with threads.threadpool_limits(1), sklearn.config_context(assume_finite=True, skip_parameter_validation=True):
        for train, held_out in folds.split(features, given):
            model = linear.LogisticRegression(C=STRENGTH, max_iter=1_000).fit(features[train], given[train])
            probabilities[held_out] = model.predict_proba(features[held_out])
    return probabilities


def multi_label_noise(
    features: npt.NDArray[np.floating], answers: Sequence[Sequence[str]], names: Sequence[str], rng: np.random.Generator
) -> Noise:
    """The same for rows with any number of labels: each label by itself as yes or no, then the mean over labels.

    Labels for which there is no estimate are left out; a row is a suspect if it is one for any label.
    """
    parts = [label_noise(features, [name in answer for answer in answers], rng) for name in names]
    usable = [(part.rate, part.accuracy, part.suspects) for part in parts if part.rate is not None]
    if not usable:
        return Noise(
            None, None, reason=f"no label has an estimate; the first: {parts[0].reason}" if parts else "no label"
        )
    suspects = Counter(row for _, _, rows in usable for row in rows)
    accuracy = float(np.mean([value for _, value, _ in usable if value is not None]))
    worst = sorted(suspects, key=lambda row: (-suspects[row], row))
    return Noise(float(np.mean([rate for rate, _, _ in usable])), accuracy, tuple(worst))


SHORTEST = 3
"""Characters of a mention that is looked for elsewhere: shorter ones are words of the language too."""
_PIECE = re.compile(r"\w+|[^\w\s]")
_PLACEHOLDER = re.compile(
    r"@\w+\$?|\$\w+\$|#+|_{2,}|\[[A-Z_ ]{2,}\]|<[A-Za-z_/ ]{2,}>|\{\w*\}|\bX{3,}\b"
    r"|\b(?:DISEASE|CHEMICAL|DRUG|GENE)_?\d*\b"
)
"""Marks that a template, a prompt or another task leaves: ``@DISEASE$``, ``#@``, ``[DRUG]``, ``<disease>``, ``XXX``."""


@dataclass(frozen=True, slots=True)
class SpanFaults:
    """Shares of one draw of rows; ``None`` where there is nothing to count."""

    untagged: float | None
    """Of the distinct strings that are tagged anywhere, those that stand untagged in some row as well."""
    empty: float | None
    """Of the rows, those without a mention."""
    placeholders: float | None
    """Of the mentions, those that hold a marker or a placeholder."""


def span_faults(rows: Sequence[Example]) -> SpanFaults:
    """Count the faults of the rows of a span task.

    A string is looked for as whole words and signs, in its own letter case; a place inside a longer mention is tagged.
    """
    mentions = [row.texts[0][span.start : span.end] for row in rows for span in row.spans]
    tagged = {pieces for mention in mentions if len(mention) >= SHORTEST and (pieces := _pieces(mention))}
    return SpanFaults(
        untagged=len(_untagged(rows, tagged)) / len(tagged) if tagged else None,
        empty=sum(not row.spans for row in rows) / len(rows) if rows else None,
        placeholders=sum(bool(_PLACEHOLDER.search(mention)) for mention in mentions) / len(mentions)
        if mentions
        else None,
    )


Pieces = tuple[str, ...]


def _pieces(text: str) -> Pieces:
    return tuple(_PIECE.findall(text))


def _untagged(rows: Sequence[Example], tagged: set[Pieces]) -> set[Pieces]:
    """Tagged strings that stand somewhere outside every mention."""
    by_first: dict[str, set[Pieces]] = defaultdict(set)
    for pieces in tagged:
        by_first[pieces[0]].add(pieces)
    untagged: set[Pieces] = set()
    for row in rows:
        places = [(match.group(), match.start(), match.end()) for match in _PIECE.finditer(row.texts[0])]
        words = tuple(word for word, _, _ in places)
        for k, (word, start, _) in enumerate(places):
            for pieces in by_first.get(word, ()):
                if words[k : k + len(pieces)] != pieces:
                    continue
                end = places[k + len(pieces) - 1][2]
                # A place that overlaps a mention is that mention's, whole or in part.
                if all(end <= span.start or start >= span.end for span in row.spans):
                    untagged.add(pieces)
    return untagged
