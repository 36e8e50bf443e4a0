"""What each seed draws, and which split's text the rows are like: shares of the whole file do not show either."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence, Set

import numpy as np
import numpy.typing as npt

from clinsynth.audit.leakage import Embed, Vectors
from clinsynth.audit.record import Draw, Nearness
from clinsynth.core import Example
from clinsynth.results import SEEDS, drawn
from clinsynth.text import key

Bools = npt.NDArray[np.bool_]

ITEMS = 1_000
"""Examples of each split that rows are compared with, at most."""
FEWEST = 50
"""With fewer of either, whose text the rows are like cannot be told."""
BUDGETS = (100, 300, 1_000, 5_000)
"""Budgets that are always looked at: those of the recipes and of the learning curves."""
_BLOCK = 1_024


def draws_of(
    task: str, rows: int, budgets: Iterable[int], leaked: Mapping[int, str], *, real: Set[int], nearer: Bools | None
) -> tuple[Draw, ...]:
    """Each seed's draw at each budget below ``rows``.

    Args:
        task: decides the draw, with seed and number of rows.
        rows: of the file.
        budgets: of the runs that are stored; the usual ones come on top.
        leaked: rows (from 0) that repeat a test example, and how.
        real: rows that repeat real text which the card does not own up to.
        nearer: for each row whether it is nearer to test than to other real text.
    """
    out: list[Draw] = []
    for budget in sorted({*BUDGETS, *budgets}):
        if not 0 < budget < rows:
            continue
        for seed in SEEDS:
            own = drawn(task, seed, rows, budget)
            methods = [leaked[row] for row in own if row in leaked]
            out.append(
                Draw(
                    budget=budget, seed=seed, exact=methods.count("exact"), leaks=len(methods),
                    real=sum(row in real for row in own),
                    nearer_test=None if nearer is None else round(float(nearer[own].mean()), 4),
                )
            )  # fmt: skip
    return tuple(out)


def nearness_of(
    rows: Sequence[Example], test: Sequence[Example], real: Sequence[Example], split: str, embed: Embed
) -> tuple[Nearness, Bools] | None:
    """Whose text the rows are like, and for each row whether it is the test split's; ``None`` for too few examples.

    Examples that both splits have, and repeats, are left out. As many of the test split as of the other are drawn; the
    real examples that are not drawn show what is usual. The cosine of examples with two texts is the mean over both.
    """
    theirs, ours = ({_form(example): example for example in each} for each in (test, real))
    both = theirs.keys() & ours.keys()
    tests = [example for form, example in theirs.items() if form not in both]
    others = [example for form, example in ours.items() if form not in both]
    number = min(ITEMS, len(tests), len(others) // 2)
    if number < FEWEST:
        return None
    rng = np.random.default_rng(0)
    tests = [tests[int(k)] for k in rng.permutation(len(tests))[:number]]
    order = [others[int(k)] for k in rng.permutation(len(others))]
    left, right = _vectors(tests, embed), _vectors(order[:number], embed)
    usual = _nearer(_vectors(order[number : 2 * number], embed), left, right)
    own = _nearer(_vectors(rows, embed), left, right)
    found = Nearness(
        split=split, items=number, test=round(float((own > 0).mean()), 4), real=round(float((own < 0).mean()), 4),
        usual=round(float((usual > 0).mean()), 4),
    )  # fmt: skip
    return found, own > 0


def _form(example: Example) -> tuple[str, ...]:
    return tuple(map(key, example.texts))


def _vectors(examples: Sequence[Example], embed: Embed) -> Vectors:
    texts = [text for example in examples for text in example.texts]
    return embed(texts).reshape(len(examples), -1)


def _nearer(rows: Vectors, left: Vectors, right: Vectors) -> npt.NDArray[np.float32]:
    """For each row how much nearer the nearest of ``left`` is than that of ``right``."""
    parts = [
        (rows[start : start + _BLOCK] @ left.T).max(axis=1) - (rows[start : start + _BLOCK] @ right.T).max(axis=1)
        for start in range(0, len(rows), _BLOCK)
    ]
    return np.concatenate(parts)
