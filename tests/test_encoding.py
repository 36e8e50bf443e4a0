"""Words, tags, windows and batches: nothing is lost between an example and what the student says of it."""

from collections import Counter
from itertools import pairwise
from typing import cast

import numpy as np
import pytest
import torch

from clinsynth.core.nouns import Example, Prediction, Span
from clinsynth.core.registry import TASKS
from clinsynth.task_types import task_type
from clinsynth.training.encoding import (
    IGNORED,
    POOL,
    WINDOW_OVERLAP,
    Encoded,
    Item,
    Tokenizer,
    collate,
    decode_labels,
    decode_spans,
    encode,
    outputs_of,
    reading_batches,
    spans_from_tags,
    tags_from_spans,
    tags_of,
    targets,
    training_batches,
    word_spans,
)

NER = TASKS["ncbi-disease"].spec
CASI = TASKS["casi"].spec
LABEL = NER.labels[0]


class Letters:
    """A tokenizer whose tokens are characters: lengths can be told by looking."""

    cls_token_id = 1
    sep_token_id = 2

    def __call__(self, *args: object, **kwargs: object) -> dict[str, list[list[int]]]:
        texts = [cast("list[str]", side) for side in args]
        special = bool(kwargs.get("add_special_tokens", True))
        rows: list[list[int]] = []
        for together in zip(*texts, strict=True):
            ids = [[ord(c) for c in text] for text in together]
            if kwargs.get("truncation"):
                room = cast("int", kwargs["max_length"]) - 1 - len(ids)
                while sum(map(len, ids)) > room:
                    max(ids, key=len).pop()
            rows.append([1, *(k for part in ids for k in [*part, 2])] if special else [k for part in ids for k in part])
        return {"input_ids": rows}


LETTERS: Tokenizer = Letters()

PARTS = (
    "fever", "naïve", "ÆØÅ", "Sjögren", "e\u0301", "α-synuclein", "IL_6", "BRCA1", "p.Val600Glu", "HER2+", "CD4-", "±2",
    "5mg/mL", "🤒", "👩🏽‍⚕️", "中文", "(", ")", "'s", "—", "_", "__", "+/-", "3.5%", "\u00b5g", "\u200b",
)  # fmt: skip
GAPS = (" ", "  ", "\n", "\t", "\u00a0", "\u2009", "")


def random_text(rng: np.random.Generator) -> str:
    order = [int(k) for k in rng.integers(0, len(PARTS), rng.integers(1, 15))]
    chosen = [PARTS[k] + GAPS[int(rng.integers(len(GAPS)))] for k in order]
    return "".join(chosen)


def random_spans(words: list[tuple[int, int]], rng: np.random.Generator) -> tuple[Span, ...]:
    """Spans over whole words, some of them touching."""
    spans: list[Span] = []
    position = 0
    while position < len(words):
        length = int(rng.integers(1, 4))
        last = min(position + length, len(words)) - 1
        if rng.random() < 0.5:
            spans.append(Span(words[position][0], words[last][1], str(rng.choice(CASI.labels))))
        position = last + 1
    return tuple(spans)


@pytest.mark.parametrize("trial", range(200))
def test_words_cover_the_text_and_spans_come_back(trial: int) -> None:
    rng = np.random.default_rng([4, trial])
    text = random_text(rng)
    words = word_spans(text)
    assert "".join(text[a:b] for a, b in words) == "".join(text.split())
    assert all(a[1] <= b[0] for a, b in pairwise(words))
    assert not any(character.isspace() for a, b in words for character in text[a:b])
    spans = random_spans(words, rng)
    tags, snapped = tags_from_spans(words, spans)
    assert snapped == 0
    assert spans_from_tags(words, tags) == spans
    assert set(tags) <= set(tags_of(CASI))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("beta_1-blocker", ["beta", "_", "1", "-", "blocker"]),
        ("HER2+/ER-", ["HER2", "+", "/", "ER", "-"]),
        ("naïve Sjögren's", ["naïve", "Sjögren", "'", "s"]),
        ("🤒38.5°C", ["🤒", "38", ".", "5", "°", "C"]),
        ("±2µg", ["±", "2µg"]),
        (" \n\t", []),
    ],
)
def test_words(text: str, words: list[str]) -> None:
    assert [text[a:b] for a, b in word_spans(text)] == words


@pytest.mark.parametrize("name", sorted(name for name in TASKS if TASKS[name].spec.is_span))
def test_the_spans_of_the_sample_are_whole_words(name: str) -> None:
    from clinsynth.data.samples import SampleStore

    for split in ("train", "test"):
        for example in SampleStore().examples(TASKS[name], split):
            words = word_spans(example.texts[0])
            tags, snapped = tags_from_spans(words, example.spans)
            assert not snapped
            assert spans_from_tags(words, tags) == example.spans


def test_a_span_that_cuts_a_word_is_widened_and_counted() -> None:
    text = "hyperglycaemia and fever"
    words = word_spans(text)
    tags, snapped = tags_from_spans(words, [Span(5, 14, LABEL), Span(19, 24, LABEL)])
    assert snapped == 1
    assert spans_from_tags(words, tags) == (Span(0, 14, LABEL), Span(19, 24, LABEL))
    encoded = encode([Example((text,), spans=(Span(5, 14, LABEL),))], NER, "token", LETTERS, 64)
    assert encoded.counts == {"snapped-span": 1}


def test_token_targets_stand_at_first_tokens() -> None:
    example = Example(("no IgA nephropathy",), spans=(Span(3, 18, LABEL),))
    (item,) = encode([example], NER, "token", LETTERS, 64).items
    names = [tags_of(NER)[k] if k != IGNORED else "" for k in cast("list[int]", item.target)]
    expected = ["", "O", "", f"B-{LABEL}", "", "", f"I-{LABEL}", *[""] * 10, ""]
    assert names == expected
    assert item.ids[0] == 1
    assert item.ids[-1] == 2
    assert [item.ids[position] for position, _ in item.words] == [ord("n"), ord("I"), ord("n")]


def windows_of(lengths: list[int], max_length: int) -> tuple[Encoded, Example]:
    example = Example((" ".join("x" * n for n in lengths),))
    return encode([example], NER, "token", LETTERS, max_length), example


@pytest.mark.parametrize("trial", range(100))
def test_windows_cover_every_word_and_overlap(trial: int) -> None:
    rng = np.random.default_rng([5, trial])
    room = int(rng.integers(8, 40))
    lengths = [int(n) for n in rng.integers(1, 7, rng.integers(1, 120))]
    encoded, _ = windows_of(lengths, room + 2)
    covered = [[word for _, word in item.words] for item in encoded.items]
    assert {word for window in covered for word in window} == set(range(len(lengths)))
    for item, window in zip(encoded.items, covered, strict=True):
        assert window == list(range(window[0], window[-1] + 1))
        assert len(item.ids) == 2 + sum(lengths[w] for w in window) <= room + 2
    for before, after in pairwise(covered):
        assert before[0] < after[0] <= before[-1] + 1
        assert after[-1] >= before[-1]
        shared = sum(lengths[w] for w in after if w <= before[-1])
        assert shared <= max(room * WINDOW_OVERLAP, 6)
        # What is shared could not have been one word more.
        if after[0] - 1 > before[0]:
            assert shared + lengths[after[0] - 1] > room * WINDOW_OVERLAP
    assert encoded.counts == ({"windowed": 1} if len(covered) > 1 else {})


def test_a_word_longer_than_a_window_is_cut_and_not_lost() -> None:
    encoded, example = windows_of([3, 50, 3], 12)
    assert {word for item in encoded.items for _, word in item.words} == {0, 1, 2}
    assert max(len(item.ids) for item in encoded.items) <= 12
    everything = [[tags_of(NER).index(f"B-{LABEL}")] * len(item.ids) for item in encoded.items]
    (said,) = decode_spans(everything, encoded, [example], NER)
    assert said.spans == (Span(0, 3, LABEL), Span(4, 54, LABEL), Span(55, 58, LABEL))


def test_a_word_in_two_windows_is_read_where_it_has_more_context() -> None:
    encoded, example = windows_of([1] * 30, 22)
    first, second = encoded.items
    shared = {word for _, word in first.words} & {word for _, word in second.words}
    assert len(shared) == 5
    begin = tags_of(NER).index(f"B-{LABEL}")
    spoken: dict[str, set[int]] = {}
    for name, speaks in (("first", first), ("second", second)):
        output = [[begin if item is speaks else 0] * len(item.ids) for item in encoded.items]
        (said,) = decode_spans(output, encoded, [example], NER)
        spoken[name] = {span.start // 2 for span in said.spans}
    assert spoken["first"] | spoken["second"] == set(range(30))
    assert not spoken["first"] & spoken["second"]
    # Words 15 to 19 are shared: 15 and 16 are nearer the middle of the first window.
    assert shared == {15, 16, 17, 18, 19}
    assert max(spoken["first"]) == min(spoken["second"]) - 1 == 17


@pytest.mark.parametrize("trial", range(50))
def test_gold_tags_decode_to_gold_spans(trial: int) -> None:
    rng = np.random.default_rng([6, trial])
    texts = [random_text(rng) + "end" for _ in range(4)]
    gold = [Example((text,), spans=random_spans(word_spans(text), rng)) for text in texts]
    encoded = encode(gold, CASI, "token", LETTERS, int(rng.integers(20, 60)))
    output = [[max(k, 0) for k in cast("list[int]", item.target)] for item in encoded.items]
    assert decode_spans(output, encoded, gold, CASI) == [Prediction(spans=example.spans) for example in gold]


def test_labels_encode_and_decode() -> None:
    gad, hoc = TASKS["gad"].spec, TASKS["hoc"].spec
    labels = [gad.labels[1], gad.labels[0]]
    one = encode([Example(("a",), labels=(label,)) for label in labels], gad, "single_label", LETTERS, 16)
    assert [item.target for item in one.items] == [1, 0]
    assert outputs_of(gad, "single_label") == 2
    assert decode_labels([[-1.0, 2.0], [-3.0, -4.0]], gad, "single_label") == [Prediction((label,)) for label in labels]
    both = (hoc.labels[0], hoc.labels[-1])
    several = encode([Example(("a",), labels=both), Example(("b",))], hoc, "multi_label", LETTERS, 16)
    wanted = [1.0, *[0.0] * (len(hoc.labels) - 2), 1.0]
    assert [item.target for item in several.items] == [wanted, [0.0] * len(hoc.labels)]
    logits = [[8 * x - 4 for x in wanted], [-0.1] * len(wanted)]
    assert decode_labels(logits, hoc, "multi_label") == [Prediction(both), Prediction()]


def test_truncation_is_counted() -> None:
    mqp = TASKS["mqp"].spec
    pairs = [Example(("a" * n, "b" * m), labels=(mqp.labels[0],)) for n, m in [(3, 3), (30, 3), (3, 30), (30, 30)]]
    encoded = encode(pairs, mqp, "single_label", LETTERS, 20)
    assert encoded.counts == {"truncated": 3}
    assert [len(item.ids) for item in encoded.items] == [9, 20, 20, 20]
    # The longer text is cut first: the shorter one survives whole.
    assert encoded.items[1].ids.count(ord("b")) == 3
    assert encoded.items[2].ids.count(ord("a")) == 3
    assert encode([], mqp, "single_label", LETTERS, 20).items == []


@pytest.mark.parametrize("name", ["mqp", "gad", "ncbi-disease"])
def test_a_real_tokenizer_gives_types_and_fits(name: str) -> None:
    from clinsynth.data.samples import SampleStore
    from clinsynth.training.recipe import MINILM
    from clinsynth.training.student import load_tokenizer

    spec = TASKS[name].spec
    test = SampleStore().examples(TASKS[name], "test")
    encoded = encode(test, spec, task_type(spec).head(spec), load_tokenizer(MINILM), 16)
    assert {item.owner for item in encoded.items} == set(range(len(test)))
    assert max(len(item.ids) for item in encoded.items) <= 16
    assert all(len(item.ids) == len(item.types) for item in encoded.items)
    assert {kind for item in encoded.items for kind in item.types} == ({0, 1} if name == "mqp" else {0})
    reason = "windowed" if spec.is_span else "truncated"
    whole = load_tokenizer(MINILM)(*[[e.texts[k] for e in test] for k in range(len(test[0].texts))])["input_ids"]
    too_long = sum(len(ids) > 16 for ids in whole)
    assert too_long
    assert encoded.counts[reason] == pytest.approx(too_long, abs=2 if spec.is_span else 0)


@pytest.mark.parametrize(("number", "size", "steps"), [(100, 16, 50), (97, 16, 21), (1000, 8, 300), (16, 16, 5)])
def test_every_item_once_an_epoch(number: int, size: int, steps: int, rng: np.random.Generator) -> None:
    lengths = [int(n) for n in rng.integers(3, 200, number)]
    batches = list(training_batches(lengths, size, steps, np.random.default_rng(1)))
    assert len(batches) == steps
    per_epoch = -(-number // size)
    for start in range(0, steps - per_epoch + 1, per_epoch):
        epoch = [k for batch in batches[start : start + per_epoch] for k in batch]
        assert sorted(epoch) == list(range(number))
    assert sorted(map(len, batches[:per_epoch]))[1:] == [size] * (per_epoch - 1)
    assert batches == list(training_batches(lengths, size, steps, np.random.default_rng(1)))
    assert batches != list(training_batches(lengths, size, steps, np.random.default_rng(2))) or number <= size


def test_fewer_items_than_a_batch(rng: np.random.Generator) -> None:
    batches = list(training_batches([5, 9, 7], 16, 4, rng))
    assert [sorted(batch) for batch in batches] == [[0, 1, 2]] * 4


def test_batches_hold_like_lengths_in_mixed_order(rng: np.random.Generator) -> None:
    size, number = 8, 8 * POOL * 2
    lengths = [int(n) for n in rng.integers(3, 200, number)]
    epoch = list(training_batches(lengths, size, number // size, rng))
    padded = sum(len(batch) * max(lengths[k] for k in batch) for batch in epoch)
    assert padded < 1.1 * sum(lengths)
    longest = [max(lengths[k] for k in batch) for batch in epoch]
    assert longest not in (sorted(longest), sorted(longest, reverse=True))


@pytest.mark.parametrize("tokens", [1, 64, 1024, 10**6])
def test_reading_batches_cover_everything_once_within_the_budget(tokens: int, rng: np.random.Generator) -> None:
    lengths = [int(n) for n in rng.integers(3, 200, 500)]
    batches = list(reading_batches(lengths, tokens))
    assert Counter(k for batch in batches for k in batch) == Counter(range(500))
    assert all(len(batch) == 1 or len(batch) * max(lengths[k] for k in batch) <= tokens for batch in batches)
    assert list(reading_batches([], tokens)) == []


def test_collate_pads_with_zeros_and_targets_with_ignored() -> None:
    where = torch.device("cpu")
    items = [Item([1, 7, 2], [0, 0, 0], 0, [IGNORED, 1, IGNORED]), Item([1, 8, 9, 2], [0, 0, 1, 1], 1, [IGNORED] * 4)]
    ids, mask, types = (part.numpy().tolist() for part in collate(items, where))
    assert ids == [[1, 7, 2, 0], [1, 8, 9, 2]]
    assert mask == [[1, 1, 1, 0], [1, 1, 1, 1]]
    assert types == [[0, 0, 0, 0], [0, 0, 1, 1]]
    assert targets(items, where).numpy().tolist() == [[IGNORED, 1, IGNORED, IGNORED], [IGNORED] * 4]
    assert targets([Item([], [], 0, 2), Item([], [], 1, 0)], where).numpy().tolist() == [2, 0]
    assert targets([Item([], [], 0, [0.0, 1.0])], where).dtype == torch.float32
