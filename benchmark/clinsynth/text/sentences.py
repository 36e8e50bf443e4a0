"""Sentences of running text, for tasks whose corpus gives only whole abstracts."""

from __future__ import annotations

import importlib
from collections.abc import Iterable
from itertools import pairwise
from typing import Any, cast


def sentence_ranges(text: str, protected: Iterable[tuple[int, int]] = ()) -> list[tuple[int, int]]:
    """``(start, end)`` of every sentence, without the white space around it.

    A boundary inside a ``protected`` range ("E. coli infection") is not one: the two parts stay together. The
    splitter is sentencex, whose version is pinned: derived row counts depend on it.
    """
    # A compiled extension without types, of use to one task only.
    sentencex: Any = importlib.import_module("sentencex")
    found = cast("list[dict[str, Any]]", sentencex.get_sentence_boundaries("en", text))
    inside = {i for start, end in protected for i in range(start + 1, end)}
    cuts = [0, *(int(b["end_index"]) for b in found if int(b["end_index"]) not in inside), len(text)]
    ranges: list[tuple[int, int]] = []
    for start, end in pairwise(cuts):
        part = text[start:end]
        if part.strip():
            ranges.append((start + len(part) - len(part.lstrip()), start + len(part.rstrip())))
    return ranges
