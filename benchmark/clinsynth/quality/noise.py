"""Label noise by confident learning over out-of-fold probabilities.

Source: Northcutt, Jiang and Chuang 2021, "Confident Learning: Estimating Uncertainty in Dataset Labels" (JAIR), as
implemented in cleanlab 2.9 (Apache-2.0 from that version on). The classifier is a logistic regression on the
embeddings; what it cannot tell apart it takes for noise, so a number means something only beside that of real data.
"""

from __future__ import annotations

import importlib
from collections import Counter
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
import numpy.typing as npt

FOLDS = 5
"""Stratified; a class with fewer rows is left out."""
STRENGTH = 1.0
"""Inverse regularisation of the logistic regression, scikit-learn's default, on embeddings of length 1 as they are.
As good as the best of five variants at finding labels that were changed on purpose in real rows (docs/quality.md)."""
MARGIN = 1.645
"""Standard errors by which the classifier must beat the largest class: a one-sided test at 5 %."""

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Noise:
    """What confident learning says of one set of rows."""

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
