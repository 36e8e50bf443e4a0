"""Normal forms of a text, which stay the same under Unicode variants, case, white space and tokens; and sentences."""

from __future__ import annotations

import importlib
import re
import unicodedata
from collections.abc import Iterable
from functools import lru_cache
from itertools import pairwise
from typing import Any, cast

_WORD = re.compile(r"[^\W\d_]+|\d+")
"""A run of letters, or of digits: no tokeniser joins or cuts finer, so "IL-6", "IL - 6" and "IL6" are one."""
_AROUND = re.compile(r"\s*([^\w\s])\s*")
_SPACE = re.compile(r"\s+")
_DROPPED = ("Mn", "Cf")
"""Combining marks and invisible format characters (soft hyphen, zero-width space...)."""
_SAME = str.maketrans({
    **dict.fromkeys("\u2010\u2011\u2012\u2013\u2014\u2015\u2212\ufe58\ufe63\uff0d", "-"),
    **dict.fromkeys("\u2018\u2019\u201a\u201b\u2032\u0060\u00b4", "'"),
    **dict.fromkeys("\u201c\u201d\u201e\u201f\u2033\u00ab\u00bb", '"'),
})  # fmt: skip
_EMPHASIS = re.compile(r"\*\*|__|`")
_BRACKETS = {"-lrb-": "(", "-rrb-": ")", "-lsb-": "[", "-rsb-": "]", "-lcb-": "{", "-rcb-": "}"}
_ESCAPES = re.compile("|".join(_BRACKETS))


def fold(text: str) -> str:
    """Compatibility form without accents and invisible characters, case folded; dashes and quotes of one kind.

    The bracket names of Penn Treebank tokenisers become brackets again.
    """
    if not text.isascii():
        plain = unicodedata.normalize("NFKD", text.translate(_SAME))
        text = "".join(c for c in plain if unicodedata.category(c) not in _DROPPED).translate(_SAME)
    folded = text.casefold()
    return _ESCAPES.sub(lambda found: _BRACKETS[found[0]], folded) if "b-" in folded else folded


def words(text: str) -> list[str]:
    """Runs of letters and runs of digits of the folded text; punctuation and spacing leave no trace."""
    return _WORD.findall(fold(text))


def key(text: str) -> str:
    """Equal for texts that are the same after normalisation: all letters and digits, or else what there is."""
    return "".join(_WORD.findall(fold(text))) or tight(text)


@lru_cache(maxsize=4_096)
def tight(text: str) -> str:
    """The folded text with single spaces, and none beside punctuation: "a - t ( x )" is "a-t(x)"."""
    return _AROUND.sub(r"\1", _SPACE.sub(" ", fold(text))).strip()


def without_emphasis(text: str) -> str:
    """The text without Markdown's signs for bold and code, which chat models put into notes."""
    return _EMPHASIS.sub("", text)


def sentence_ranges(text: str, protected: Iterable[tuple[int, int]] = ()) -> list[tuple[int, int]]:
    """``(start, end)`` of every sentence, without the white space around it.

    A boundary inside a ``protected`` range ("E. coli infection") is not one: the two parts stay together. The
    splitter is sentencex, whose version is pinned: derived row counts depend on it.
    """
    # A compiled extension without types, of use to one task only.
    sentencex: Any = importlib.import_module("sentencex")
    boundaries = cast("list[dict[str, Any]]", sentencex.get_sentence_boundaries("en", text))
    inside = {i for start, end in protected for i in range(start + 1, end)}
    cuts = [0, *(int(b["end_index"]) for b in boundaries if int(b["end_index"]) not in inside), len(text)]
    ranges: list[tuple[int, int]] = []
    for start, end in pairwise(cuts):
        part = text[start:end]
        if part.strip():
            ranges.append((start + len(part) - len(part.lstrip()), start + len(part.rstrip())))
    return ranges
