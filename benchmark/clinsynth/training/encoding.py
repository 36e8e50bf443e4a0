"""Examples to token ids, targets and batches, and a head's output back to predictions."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Protocol

import numpy as np
import torch

from clinsynth.core import Example, Prediction, Span, TaskSpec
from clinsynth.task_types import Head

WORD = re.compile(r"[^\W_]+|[^\s]")
"""A run of letters and digits, or one other character: no finer than any published tokenisation of the tasks."""

IGNORED = -100
"""Target of a token that the loss leaves out."""

WINDOW_OVERLAP = 0.25
"""Share of a window that the next one repeats, so that no word is read without context on both sides."""


class Tokenizer(Protocol):
    """The part of a Hugging Face fast tokenizer that is used here."""

    cls_token_id: int
    sep_token_id: int

    def __call__(self, *args: object, **kwargs: object) -> dict[str, list[list[int]]]:
        """Token ids of a batch."""
        ...


@dataclass(slots=True)
class Item:
    """One sequence for the student: an example, or one window of it."""

    ids: list[int]
    types: list[int]
    """Which text each token belongs to: 0 or 1."""
    owner: int
    """Index of the example."""
    target: int | list[int] | list[float]
    """Class index; a 0/1 for each label; or a tag index for each token."""
    words: list[tuple[int, int]] = field(default_factory=list[tuple[int, int]])
    """Token tasks: (position of a word's first token, index of the word in its example)."""


@dataclass(frozen=True, slots=True)
class Encoded:
    """A split, ready for the student."""

    items: list[Item]
    examples: int
    notes: list[tuple[int, str]]
    """(index of an example, what was done to fit it): ``truncated``, ``windowed``, ``snapped-span`` for each span."""

    @property
    def counts(self) -> Counter[str]:
        """Examples that did not fit as they were, by what was done."""
        return Counter(note for _, note in self.notes)


def tags_of(spec: TaskSpec) -> list[str]:
    """IOB2 tags of a span task: O first, then B- and I- of each label."""
    return ["O", *(f"{prefix}-{label}" for label in spec.labels for prefix in "BI")]


def outputs_of(spec: TaskSpec, head: Head) -> int:
    """Width of the head."""
    return len(tags_of(spec)) if head == "token" else len(spec.labels)


def encode(examples: Sequence[Example], spec: TaskSpec, head: Head, tokenizer: Tokenizer, max_length: int) -> Encoded:
    """Tokenise a split once. Raises nothing: rows were validated before."""
    if not examples:
        return Encoded([], 0, [])
    if head == "token":
        return _encode_spans(examples, spec, tokenizer, max_length)
    pair = len(examples[0].texts) == 2
    texts = [[example.texts[k] for example in examples] for k in range(2 if pair else 1)]
    full = tokenizer(*texts, add_special_tokens=True, verbose=False)
    cut = tokenizer(*texts, truncation="longest_first" if pair else True, max_length=max_length)
    index = {label: k for k, label in enumerate(spec.labels)}
    items: list[Item] = []
    for owner, example in enumerate(examples):
        ids = cut["input_ids"][owner]
        types = cut["token_type_ids"][owner] if "token_type_ids" in cut else [0] * len(ids)
        if head == "multi_label":
            target: int | list[float] = [float(label in example.labels) for label in spec.labels]
        else:
            target = index[example.labels[0]]
        items.append(Item(ids, types, owner, target))
    pairs = enumerate(zip(full["input_ids"], cut["input_ids"], strict=True))
    return Encoded(items, len(examples), [(owner, "truncated") for owner, (a, b) in pairs if len(a) > len(b)])


class RowEncoder:
    """Encodes rows when they are first asked for: the seeds and budgets of a submission share most of them."""

    def __init__(
        self, rows: Sequence[Example], spec: TaskSpec, head: Head, tokenizer: Tokenizer, max_length: int
    ) -> None:
        """``rows`` are a submission's of one task; the rest is as in ``encode``."""
        self._rows = rows
        self._encode = partial(encode, spec=spec, head=head, tokenizer=tokenizer, max_length=max_length)
        self._items: dict[int, list[Item]] = {}
        self._notes: dict[int, list[str]] = {}

    def take(self, places: Sequence[int]) -> Encoded:
        """The rows at ``places``, in that order, as ``encode`` gives them."""
        new = [place for place in dict.fromkeys(places) if place not in self._items]
        encoded = self._encode([self._rows[place] for place in new])
        for place in new:
            self._items[place], self._notes[place] = [], []
        for item in encoded.items:
            self._items[new[item.owner]].append(item)
        for owner, note in encoded.notes:
            self._notes[new[owner]].append(note)
        return Encoded(
            [replace(item, owner=owner) for owner, place in enumerate(places) for item in self._items[place]],
            len(places),
            [(owner, note) for owner, place in enumerate(places) for note in self._notes[place]],
        )


def _encode_spans(examples: Sequence[Example], spec: TaskSpec, tokenizer: Tokenizer, max_length: int) -> Encoded:
    index = {tag: k for k, tag in enumerate(tags_of(spec))}
    notes: list[tuple[int, str]] = []
    items: list[Item] = []
    words_of = [word_spans(example.texts[0]) for example in examples]
    pieces = tokenizer(
        [
            example.texts[0][start:end]
            for example, words in zip(examples, words_of, strict=True)
            for start, end in words
        ],
        add_special_tokens=False,
    )["input_ids"]
    done = 0
    for owner, (example, words) in enumerate(zip(examples, words_of, strict=True)):
        tags, snapped = tags_from_spans(words, example.spans)
        notes += [(owner, "snapped-span")] * snapped
        # A character the vocabulary lacks still is a word: it gets one unknown token from the tokenizer, or none.
        own = [piece[: max_length - 2] for piece in pieces[done : done + len(words)]]
        done += len(words)
        windows = list(_windows([len(piece) for piece in own], max_length - 2))
        notes += [(owner, "windowed")] * (len(windows) > 1)
        for first, last in windows:
            item = Item([], [], owner, [])
            target: list[int] = []
            for word in range(first, last):
                if own[word]:
                    item.words.append((len(item.ids) + 1, word))
                    target += [index[tags[word]], *[IGNORED] * (len(own[word]) - 1)]
                    item.ids += own[word]
            item.ids = [tokenizer.cls_token_id, *item.ids, tokenizer.sep_token_id]
            item.types = [0] * len(item.ids)
            item.target = [IGNORED, *target, IGNORED]
            items.append(item)
    return Encoded(items, len(examples), notes)


def _windows(lengths: Sequence[int], room: int) -> list[tuple[int, int]]:
    """Ranges of words that fit ``room`` tokens, each repeating the end of the one before."""
    windows: list[tuple[int, int]] = []
    first = 0
    while True:
        last, used = first, 0
        while last < len(lengths) and used + lengths[last] <= room:
            used += lengths[last]
            last += 1
        windows.append((first, last))
        if last >= len(lengths):
            return windows
        back, shared = last, 0
        while back > first + 1 and shared + lengths[back - 1] <= room * WINDOW_OVERLAP:
            back -= 1
            shared += lengths[back]
        first = back


def word_spans(text: str) -> list[tuple[int, int]]:
    """Character ranges of the words of a text."""
    return [match.span() for match in WORD.finditer(text)]


def tags_from_spans(words: Sequence[tuple[int, int]], spans: Sequence[Span]) -> tuple[list[str], int]:
    """IOB2 tag of each word, and how many spans were widened because they cut through a word."""
    tags = ["O"] * len(words)
    snapped = 0
    for span in spans:
        inside = [k for k, (start, end) in enumerate(words) if start < span.end and end > span.start]
        for k in inside:
            tags[k] = f"{'B' if k == inside[0] else 'I'}-{span.label}"
        if inside and (words[inside[0]][0] != span.start or words[inside[-1]][1] != span.end):
            snapped += 1
    return tags, snapped


def spans_from_tags(words: Sequence[tuple[int, int]], tags: Sequence[str]) -> tuple[Span, ...]:
    """Spans of a tag sequence; an I- that follows nothing of its type begins a span."""
    spans: list[Span] = []
    open_label = ""
    for (start, end), tag in zip(words, tags, strict=True):
        prefix, _, label = tag.partition("-")
        if prefix == "I" and label == open_label:
            spans[-1] = spans[-1]._replace(end=end)
        elif label:
            spans.append(Span(start, end, label))
        open_label = label
    return tuple(spans)


def decode_labels(scores: Sequence[Sequence[float]], spec: TaskSpec, head: Head) -> list[Prediction]:
    """Predictions from logits ``[n, labels]``: all above 0 (probability 1/2), or the highest one."""
    if head == "multi_label":
        return [
            Prediction(tuple(label for label, score in zip(spec.labels, row, strict=True) if score > 0))
            for row in scores
        ]
    return [Prediction((spec.labels[max(range(len(row)), key=row.__getitem__)],)) for row in scores]


def decode_spans(
    tag_indices: Sequence[Sequence[int]], encoded: Encoded, examples: Sequence[Example], spec: TaskSpec
) -> list[Prediction]:
    """Predictions from the tag of every token, ``[item][token]``.

    A word in two windows is read where it has more context.
    """
    names = tags_of(spec)
    words = [word_spans(example.texts[0]) for example in examples]
    tags = [["O"] * len(own) for own in words]
    context = [[-1] * len(own) for own in words]
    for item, indices in zip(encoded.items, tag_indices, strict=True):
        for position, word in item.words:
            room = min(position, len(item.ids) - position)
            if room > context[item.owner][word]:
                context[item.owner][word] = room
                tags[item.owner][word] = names[indices[position]]
    return [Prediction(spans=spans_from_tags(own, own_tags)) for own, own_tags in zip(words, tags, strict=True)]


POOL = 32
"""Batches that are sorted together: wide enough to save the padding, narrow enough to keep the order random."""


def training_batches(
    lengths: Sequence[int], batch_size: int, steps: int, rng: np.random.Generator
) -> Iterator[list[int]]:
    """Item indices of ``steps`` batches, epoch after epoch, each item once per epoch.

    With fewer items than ``batch_size``, every batch holds all of them.
    """
    sizes = np.asarray(lengths)
    batch_size = min(batch_size, len(sizes))
    done = 0
    while True:
        order = rng.permutation(len(sizes))
        batches: list[list[int]] = []
        for start in range(0, len(order), batch_size * POOL):
            pool = order[start : start + batch_size * POOL]
            pool = pool[np.argsort(sizes[pool], kind="stable")]
            batches += [pool[k : k + batch_size].tolist() for k in range(0, len(pool), batch_size)]
        for index in rng.permutation(len(batches)):
            if done == steps:
                return
            yield batches[index]
            done += 1


def reading_batches(lengths: Sequence[int], tokens: int) -> Iterator[list[int]]:
    """Item indices in batches of about ``tokens`` padded tokens, longest first."""
    batch: list[int] = []
    for index in sorted(range(len(lengths)), key=lambda k: -lengths[k]):
        if batch and (len(batch) + 1) * lengths[batch[0]] > tokens:
            yield batch
            batch = []
        batch.append(index)
    if batch:
        yield batch


def collate(items: Sequence[Item], device: torch.device) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Ids, attention mask and token types, each ``[batch, longest]`` int64."""
    longest = max(len(item.ids) for item in items)
    ids = np.zeros((3, len(items), longest), dtype=np.int64)
    for row, item in enumerate(items):
        length = len(item.ids)
        ids[0, row, :length] = item.ids
        ids[1, row, :length] = 1
        ids[2, row, :length] = item.types
    tensor = torch.as_tensor(ids, device=device)
    return tensor[0], tensor[1], tensor[2]


def targets(items: Sequence[Item], device: torch.device) -> torch.Tensor:
    """Targets: ``[batch]`` classes, ``[batch, labels]`` floats, or ``[batch, longest]`` tags."""
    if isinstance(items[0].target, int):
        return torch.tensor([item.target for item in items], device=device)
    longest = max(len(item.target) for item in items if not isinstance(item.target, int))
    rows = [
        [*item.target, *[IGNORED] * (longest - len(item.target))] for item in items if not isinstance(item.target, int)
    ]
    return torch.tensor(rows, device=device)
