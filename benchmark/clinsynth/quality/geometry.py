"""Diversity and alignment of embedded rows: sums over vectors, no approximation.

A row's vector has length 1. Pairs (claim and evidence) are two embeddings side by side, each divided by the square
root of 2: the cosine of two rows is then the mean of the cosines text by text.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import numpy as np
import numpy.typing as npt

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
