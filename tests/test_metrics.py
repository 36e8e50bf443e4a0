"""Metrics: hand-worked cases, and equality with scikit-learn and seqeval."""

import importlib
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
import pytest

from clinsynth.core.errors import UnknownNameError, UserError
from clinsynth.core.nouns import Example, MetricName, Prediction, Span, TaskSpec
from clinsynth.core.registry import TASKS
from clinsynth.scoring.bridge import load_metric
from clinsynth.scoring.metrics import METRICS, score_all
from clinsynth.task_types import task_type
from clinsynth.training.encoding import spans_from_tags, tags_from_spans

EXACT = 1e-9
WORDS = [(5 * k, 5 * k + 4) for k in range(12)]
"""Words of four characters with a space between."""


def spec_of(labels: Sequence[str], negative: str | None = None, base: str = "gad") -> TaskSpec:
    return replace(
        TASKS[base].spec, labels=tuple(labels), label_descriptions=dict.fromkeys(labels, ""), negative_label=negative
    )


AB = spec_of("ab")
AB_NOT_B = spec_of("ab", negative="b")
ABN = spec_of("abn", negative="n")
NER = spec_of("XY", base="ncbi-disease")
X, Y, LATER = Span(0, 4, "X"), Span(5, 9, "Y"), Span(10, 14, "X")


class Case(NamedTuple):
    name: str
    metric: MetricName
    spec: TaskSpec
    gold: Sequence[Any]
    """A string of one-letter labels, or a tuple of spans, for each example."""
    predicted: Sequence[Any]
    expected: float
    source: str


BY_HAND = "by hand"
NOTHING = "scikit-learn and seqeval, zero_division=0"
CASES = [
    Case("all right", "accuracy", AB, "aab", "aab", 1, BY_HAND),
    Case("two of three", "accuracy", AB, "aab", "abb", 2 / 3, BY_HAND),
    Case("all wrong", "accuracy", AB, "ab", "ba", 0, BY_HAND),
    Case("the order of labels is nothing", "accuracy", AB, ["ab"], ["ba"], 1, "exact match is of sets"),
    Case("positive class", "f1", AB_NOT_B, "aaabb", "aabab", 2 / 3, "P 2/3, R 2/3"),
    Case("uneven", "f1", AB_NOT_B, "aaaab", "abbbb", 2 / 5, "P 1, R 1/4: 2PR/(P+R)"),
    Case("nothing predicted", "f1", AB_NOT_B, "aab", "bbb", 0, NOTHING),
    Case("nothing gold", "f1", AB_NOT_B, "bbb", "aab", 0, NOTHING),
    Case("nothing at all", "f1", AB_NOT_B, "bb", "bb", 0, NOTHING),
    Case("mean over classes", "macro_f1", AB, "aabb", "abbb", (2 / 3 + 4 / 5) / 2, "F1 of a 2/3, of b 4/5"),
    Case("a class never met counts", "macro_f1", AB, "aa", "aa", 0.5, NOTHING),
    Case("both of two, also the negative one", "macro_f1", AB_NOT_B, "aabb", "abbb", (2 / 3 + 4 / 5) / 2, "as without"),
    Case("one answer always", "macro_f1", AB_NOT_B, "aabb", "aaaa", (2 / 3 + 0) / 2, "F1 of a 2/3, of b 0"),
    Case("of three one left out", "macro_f1", ABN, "aabnn", "abbna", (1 / 2 + 2 / 3) / 2, "F1 of a 1/2, of b 2/3"),
    Case("pooled, one left out", "micro_f1", ABN, "aabnn", "abbna", 2 * 2 / (4 + 3), "TP 2, predicted 4, gold 3"),
    Case("several labels", "micro_f1", AB, ["ab", "a", ""], ["a", "ab", "b"], 2 * 2 / (4 + 3), "TP 2 of 4 and 3"),
    Case("several labels by class", "macro_f1", AB, ["ab", "a", ""], ["a", "ab", "b"], 0.5, "a 1, b 0"),
    Case("spans", "entity_f1", NER, [(X, Y), (LATER,)], [(X,), (LATER, Y)], 2 / 3, "TP 2 of 3 and 3"),
    Case("a wrong end is wrong", "entity_f1", NER, [(X,)], [(Span(0, 9, "X"),)], 0, "CoNLL-2003, seqeval strict"),
    Case("a wrong type is wrong", "entity_f1", NER, [(X,)], [(Span(0, 4, "Y"),)], 0, "CoNLL-2003, seqeval strict"),
    Case("the same place elsewhere is wrong", "entity_f1", NER, [(X,), ()], [(), (X,)], 0, BY_HAND),
    Case("a span said twice counts once", "entity_f1", NER, [(X, Y)], [(X, X)], 2 / 3, "TP 1 of 1 and 2"),
    Case("no span predicted", "entity_f1", NER, [(X,)], [()], 0, NOTHING),
    Case("no span gold", "entity_f1", NER, [()], [(X,)], 0, NOTHING),
    Case("no span at all", "entity_f1", NER, [()], [()], 0, NOTHING),
]


def examples(answers: Sequence[Any], spec: TaskSpec) -> list[Example]:
    if spec.is_span:
        return [Example(("",), spans=tuple(answer)) for answer in answers]
    return [Example(("",), labels=tuple(answer)) for answer in answers]


def said(items: Sequence[Example]) -> list[Prediction]:
    return [Prediction(item.labels, item.spans) for item in items]


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.metric}: {case.name}")
def test_cases(case: Case) -> None:
    gold, predicted = examples(case.gold, case.spec), said(examples(case.predicted, case.spec))
    assert METRICS[case.metric].score(case.spec, gold, predicted) == pytest.approx(case.expected, abs=EXACT)


def test_every_metric_has_a_case() -> None:
    assert {case.metric for case in CASES} == METRICS.keys()
    assert {name for task in TASKS.values() for name in (task.spec.metric, *task.spec.also)} == METRICS.keys()


def test_lengths_must_agree() -> None:
    with pytest.raises(ValueError, match="shorter"):
        METRICS["accuracy"].score(AB, examples("ab", AB), said(examples("a", AB)))


def sklearn_score(name: str, *arguments: Any, **options: Any) -> float:
    return getattr(importlib.import_module("sklearn.metrics"), name)(*arguments, **options)


def draws(rng: np.random.Generator, labels: str, number: int) -> list[str]:
    # Skewed, so that some classes are rare or absent.
    weights = rng.dirichlet(np.full(len(labels), 0.7))
    return [labels[k] for k in rng.choice(len(labels), number, p=weights)]


@pytest.mark.parametrize("trial", range(100))
def test_single_label_metrics_equal_scikit_learn(trial: int) -> None:
    rng = np.random.default_rng([1, trial])
    labels = "abcdn"[-int(rng.integers(2, 6)) :]
    negative = "n" if trial % 2 else None
    spec = spec_of(labels, negative)
    gold, predicted = (draws(rng, labels, int(rng.integers(1, 40))) for _ in range(2))
    gold = (gold * 40)[: len(predicted)]
    pair = examples(gold, spec), said(examples(predicted, spec))
    positive = [label for label in labels if label != negative]
    averaged = positive if len(positive) > 1 else list(labels)
    shared: dict[str, Any] = {"labels": positive, "zero_division": 0}
    expected = {
        "accuracy": sklearn_score("accuracy_score", gold, predicted),
        "macro_f1": sklearn_score("f1_score", gold, predicted, average="macro", **{**shared, "labels": averaged}),
        "micro_f1": sklearn_score("f1_score", gold, predicted, average="micro", **shared),
    }
    if len(positive) == 1:
        binary = [[label == positive[0] for label in side] for side in (gold, predicted)]
        expected["f1"] = sklearn_score("f1_score", *binary, zero_division=0)
    for name, value in expected.items():
        assert METRICS[name].score(spec, *pair) == pytest.approx(value, abs=EXACT)  # pyright: ignore[reportArgumentType]


@pytest.mark.parametrize("trial", range(100))
def test_multi_label_metrics_equal_scikit_learn(trial: int) -> None:
    rng = np.random.default_rng([2, trial])
    labels = "abcdef"[: int(rng.integers(2, 7))]
    spec = replace(spec_of(labels, base="hoc"), multi_label=True)
    rate = rng.beta(0.5, 0.8, size=len(labels))
    sides = [rng.random((30, len(labels))) < rate for _ in range(2)]
    words = [["".join(label for label, on in zip(labels, row, strict=True) if on) for row in side] for side in sides]
    pair = examples(words[0], spec), said(examples(words[1], spec))
    for average in ("macro", "micro"):
        value = sklearn_score("f1_score", *(side.astype(int) for side in sides), average=average, zero_division=0)
        assert METRICS[f"{average}_f1"].score(spec, *pair) == pytest.approx(value, abs=EXACT)  # pyright: ignore[reportArgumentType]


def random_tags(rng: np.random.Generator, labels: Sequence[str] = "XY") -> list[str]:
    """Any tags, also an I- that follows nothing of its kind."""
    inside = [f"{prefix}-{label}" for label in labels for prefix in "BI"]
    return [str(rng.choice(inside)) if rng.random() < 0.6 else "O" for _ in WORDS]


@pytest.mark.parametrize("trial", range(150))
def test_entity_f1_equals_seqeval(trial: int) -> None:
    seqeval: Any = importlib.import_module("seqeval.metrics")
    scheme: Any = importlib.import_module("seqeval.scheme")
    rng = np.random.default_rng([3, trial])
    spans = [[spans_from_tags(WORDS, random_tags(rng)) for _ in range(rng.integers(1, 6))] for _ in range(2)]
    gold = spans[0]
    # Predictions that share some spans with gold, as a student's do.
    other = (spans[1] * 6)[: len(gold)]
    predicted = [g if rng.random() < 0.5 else p for g, p in zip(gold, other, strict=True)]
    tags = [[tags_from_spans(WORDS, own)[0] for own in side] for side in (gold, predicted)]
    value = seqeval.f1_score(*tags, mode="strict", scheme=scheme.IOB2, zero_division=0)
    pair = examples(gold, NER), said(examples(predicted, NER))
    assert METRICS["entity_f1"].score(NER, *pair) == pytest.approx(float(value), abs=EXACT)


def test_touching_entities_are_two() -> None:
    tags = ["B-X", "B-X", "I-X", "B-Y"]
    spans = spans_from_tags(WORDS[:4], tags)
    assert spans == (Span(0, 4, "X"), Span(5, 14, "X"), Span(15, 19, "Y"))
    one = (Span(0, 14, "X"), Span(15, 19, "Y"))
    assert METRICS["entity_f1"].score(NER, examples([spans], NER), said(examples([one], NER))) == pytest.approx(2 / 5)


def test_an_inside_tag_without_a_beginning_begins_a_span() -> None:
    # As in the CoNLL-2003 script; a student says such tags, and they must not vanish.
    assert spans_from_tags(WORDS[:3], ["O", "I-X", "I-Y"]) == (Span(5, 9, "X"), Span(10, 14, "Y"))
    assert spans_from_tags(WORDS[:3], ["B-X", "I-Y", "I-Y"]) == (Span(0, 4, "X"), Span(5, 14, "Y"))


def random_answers(spec: TaskSpec, rng: np.random.Generator, number: int) -> list[Example]:
    texts = ("",) * len(task_type(spec).text_keys)
    if spec.is_span:
        return [Example(texts, spans=spans_from_tags(WORDS, random_tags(rng, spec.labels))) for _ in range(number)]
    if spec.multi_label:
        return [Example(texts, labels=tuple(n for n in spec.labels if rng.random() < 0.3)) for _ in range(number)]
    return [Example(texts, labels=(str(rng.choice(spec.labels)),)) for _ in range(number)]


@pytest.mark.parametrize("name", sorted(TASKS))
def test_the_sum_of_counts_is_the_score_in_any_order(name: str, rng: np.random.Generator) -> None:
    spec = TASKS[name].spec
    gold, predicted = random_answers(spec, rng, 50), said(random_answers(spec, rng, 50))
    order = [int(k) for k in rng.permutation(50)]
    for metric_name, score in score_all(spec, gold, predicted).items():
        metric = METRICS[metric_name]  # pyright: ignore[reportArgumentType]
        counts = metric.counts(spec, gold, predicted)
        assert counts.shape[0] == 50
        assert float(metric.value(counts.sum(axis=0))) == score
        assert metric.score(spec, [gold[k] for k in order], [predicted[k] for k in order]) == score
        # As a bootstrap uses it: many resamples at once.
        chosen = rng.integers(0, 50, (7, 50))
        many = metric.value(counts[chosen].sum(axis=1))
        for row, value in zip(chosen.tolist(), many.tolist(), strict=True):
            again = metric.score(spec, [gold[int(k)] for k in row], [predicted[int(k)] for k in row])
            assert value == pytest.approx(again, abs=EXACT)
        if metric.decomposable:
            alone = [metric.score(spec, [g], [p]) for g, p in zip(gold, predicted, strict=True)]
            assert float(np.mean(alone)) == pytest.approx(score, abs=EXACT)


@pytest.mark.parametrize("name", ["gad", "hoc", "mqp", "ncbi-disease", "casi", "healthver"])
def test_the_bridge_equals_the_metrics(
    name: str, rng: np.random.Generator, tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    spec = TASKS[name].spec
    kind = task_type(spec)
    gold, predicted = random_answers(spec, rng, 20), random_answers(spec, rng, 20)
    expected = score_all(spec, gold, said(predicted))
    assert 0 < expected[spec.metric] < 1
    answers = [[kind.encode(item)[kind.target_key] for item in side] for side in (predicted, gold)]
    metric = load_metric(name)
    assert isinstance(metric, importlib.import_module("evaluate").Metric)
    assert metric.compute(predictions=answers[0], references=answers[1]) == pytest.approx(expected, abs=EXACT)
    metric.add(prediction=answers[0][0], reference=answers[1][0])
    metric.add_batch(predictions=answers[0][1:], references=answers[1][1:])
    assert metric.compute() == pytest.approx(expected, abs=EXACT)


def test_the_bridge_says_what_is_wrong() -> None:
    with pytest.raises(UnknownNameError, match="did you mean gad"):
        load_metric("gadd")
    with pytest.raises(UserError, match="1: no label of gad"):
        load_metric("gad").compute(predictions=["1"], references=["no_relation"])
    with pytest.raises(UserError, match="nothing to score"):
        load_metric("gad").compute(predictions=[], references=[])
