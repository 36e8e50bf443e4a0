"""Texts as they come out of patterns, made fit to be read: spaces, capitals, articles, and spans from marks."""

from __future__ import annotations

import re
from collections.abc import Sequence

from clinsynth.schema import Span

OPEN, MIDDLE, CLOSE = "\x01", "\x02", "\x03"
"""A span of a text that is still being written: OPEN label MIDDLE words CLOSE. No text has these characters."""


def tidy(text: str) -> str:
    """Spaces, the article before a vowel, capitals and a stop where sentences begin and end; marks of spans stay."""
    text = " ".join(text.split())
    text = re.sub(r"([(\[]) +|(?<=\d) +(?=%)", r"\1", re.sub(r" +([,.;:?!)\]])", r"\1", text))
    text = re.sub(rf"([,.])({CLOSE}?)[,.]+", r"\1\2", text)
    if text[-1:] not in ".?!":
        text += "."
    text = re.sub(rf"\b([Aa]) (?=(?:{OPEN}\w+{MIDDLE})?(?!uni|use|uti|one|eu|ur)[aeiouAEIO](?!\$))", r"\1n ", text)
    text = re.sub(r"\b([Aa]) (?=8\d?-|1[18]-)", r"\1n ", text)
    start = rf"(^|[.?!] )((?:{OPEN}\w+{MIDDLE})?)([a-z])"
    return re.sub(start, lambda found: found[1] + found[2] + found[3].upper(), text)


def separated(text: str, markers: Sequence[str]) -> str:
    """With spaces around punctuation, as some corpora are published; markers stay whole."""
    guard = {marker: f"\x04{k}\x04" for k, marker in enumerate(markers)}
    for marker, token in guard.items():
        text = text.replace(marker, token)
    text = re.sub(rf"\s*([^\w\s{OPEN}{MIDDLE}{CLOSE}\x04])\s*", r" \1 ", text)
    text = re.sub(rf"({OPEN}\w+{MIDDLE}) +", r" \1", text)
    text = re.sub(rf" +{CLOSE}", f"{CLOSE} ", text)
    for marker, token in guard.items():
        text = text.replace(token, marker)
    return " ".join(text.split())


def take_spans(text: str, labels: Sequence[str]) -> tuple[str, tuple[Span, ...]]:
    """The text without its marks, and the spans of the given labels; an inner mark goes with the outer one."""
    text = " ".join(text.split())
    plain: list[str] = []
    spans: list[Span] = []
    open_at: list[tuple[int, str]] = []
    length = 0
    for piece in re.split(rf"({OPEN}\w+{MIDDLE}|{CLOSE})", text):
        if piece.startswith(OPEN):
            open_at.append((length, piece[1:-1]))
        elif piece == CLOSE:
            start, label = open_at.pop()
            if label in labels and length > start and not any(label in labels for _, label in open_at):
                spans.append(Span(start, length, label))
        else:
            plain.append(piece)
            length += len(piece)
    return "".join(plain), tuple(spans)
