"""Rows without a language model: from patterns, and from the few-shot examples."""

import importlib
import itertools
import re
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from clinsynth.core.errors import NotPreparedError
from clinsynth.core.nouns import EntityKind, Example, Row, Span
from clinsynth.core.registry import TASKS
from clinsynth.data.samples import SampleStore
from clinsynth.generation.baseline import BASELINES, Baseline, Budget, Knowledge, TaskView, Tools, class_of
from clinsynth.generation.knowledge import open_knowledge
from clinsynth.generation.loop import task_view
from clinsynth.generation.rules.patterns import CLOSE, MIDDLE, OPEN, Writer, read_patterns, separated, take_spans, tidy
from clinsynth.task_types import task_type

TEMPLATE, AUGMENT = BASELINES["template"], BASELINES["augment"]
augment: Any = importlib.import_module("clinsynth.baselines.augment")
NAMES = open_knowledge("builtin")
ROWS = 120


class Names:
    """One name of each kind."""

    name = "one of each"

    def names(self, kind: EntityKind) -> Sequence[str]:
        return [f"one {kind}"]

    def pairs(self, first: EntityKind, second: EntityKind) -> Sequence[tuple[str, str]]:
        return ()

    def of_label(self, task: str, label: str) -> Sequence[tuple[str, ...]]:
        return ()


def blind(name: str) -> TaskView:
    def never() -> Sequence[Example]:
        raise NotPreparedError("no real data here")

    return TaskView(TASKS[name].spec, never, never)


def rows_of(baseline: Baseline, view: TaskView, rows: int = ROWS, seed: int = 0, names: Knowledge = NAMES) -> list[Row]:
    tools = Tools(source=names)
    made: list[Row] = []
    for row in baseline.generate(view, tools, Budget(rows), np.random.default_rng(seed)):
        made.append(row)
        tools.tally.kept[class_of(row)] += 1
        if len(made) == rows:
            break
    return made


def few_shot_view(name: str) -> TaskView:
    return task_view(TASKS[name], SampleStore(), "train")[0]


def views(name: str) -> list[tuple[Baseline, TaskView]]:
    return [(TEMPLATE, blind(name)), (AUGMENT, few_shot_view(name))]


@pytest.mark.parametrize("name", TASKS)
def test_rows_are_good_and_not_the_same(name: str) -> None:
    spec = TASKS[name].spec
    kind = task_type(spec)
    for baseline, view in views(name):
        rows = rows_of(baseline, view)
        assert len(rows) == ROWS
        assert not [fault for row in rows for fault in kind.faults(row, spec)]
        assert len({tuple(row[key] for key in kind.text_keys) for row in rows}) > 0.8 * ROWS
        texts = [row[key] for row in rows for key in kind.text_keys]
        assert not [text for text in texts if re.search(r"[{}|\x01-\x03]|\b\w+\.@|  ", text)]
        assert rows == rows_of(baseline, view)
        assert rows != rows_of(baseline, view, seed=1)


@pytest.mark.parametrize("name", [name for name in TASKS if not TASKS[name].spec.is_span])
def test_template_takes_turns_with_the_labels(name: str) -> None:
    spec = TASKS[name].spec
    counts = Counter(label for row in rows_of(TEMPLATE, blind(name)) for label in _labels(row))
    assert set(counts) == set(spec.labels)
    assert max(counts.values()) <= 2 * min(counts.values())


def _labels(row: Row) -> list[str]:
    return row.get("labels", [row.get("label")])


@pytest.mark.parametrize("name", ["bc5cdr-chemical", "bc5cdr-disease", "chemdner", "ncbi-disease"])
def test_some_sentences_have_no_mention(name: str) -> None:
    empty = sum(not row["entities"] for row in rows_of(TEMPLATE, blind(name)))
    assert 0.2 * ROWS < empty < 0.7 * ROWS


def test_the_two_bc5cdr_tasks_mark_different_things() -> None:
    kinds: tuple[EntityKind, ...] = ("chemical", "disease")
    for kind, other in zip(kinds, reversed(kinds), strict=True):
        task = f"bc5cdr-{kind}"
        rows = rows_of(TEMPLATE, blind(task))
        mentions = {row["text"][e["start"] : e["end"]].lower() for row in rows for e in row["entities"]}
        spaced = {name.replace("-", " - ") for name in NAMES.names(other)}
        assert mentions & set(NAMES.names(kind))
        assert not mentions & spaced


def test_casi_has_every_attribute() -> None:
    spec = TASKS["casi"].spec
    seen = {e["label"] for row in rows_of(TEMPLATE, blind("casi")) for e in row["entities"]}
    assert seen == set(spec.labels)


def test_template_reads_every_file_that_it_needs() -> None:
    tools = Tools(source=NAMES)
    next(TEMPLATE.generate(blind("gad"), tools, Budget(1), np.random.default_rng(0)))
    assert set(tools.tally.prompts) == {"patterns/gad.txt", "patterns/common.txt"}


def test_a_kind_that_the_source_lacks_comes_from_the_builtin_lists() -> None:
    class OnlyGenes(Names):
        def names(self, kind: EntityKind) -> Sequence[str]:
            return ["GENE1"] if kind == "gene" else []

    rows = rows_of(TEMPLATE, blind("bc5cdr-chemical"), names=OnlyGenes())
    mentions = {row["text"][e["start"] : e["end"]].lower() for row in rows for e in row["entities"]}
    assert mentions & set(NAMES.names("chemical"))


def written(tmp_path: Path, text: str, task: str = "gad", label: str = "relation") -> Callable[[int], Example]:
    path = tmp_path / "toy.txt"
    path.write_text(text)
    patterns = read_patterns(path)
    return lambda seed: Writer(patterns, Names(), np.random.default_rng(seed)).write(TASKS[task].spec, label)


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("{one|two}", {"One.", "Two."}),
        ("{only this one}", {"Only this one."}),
        ("a{| b}", {"A.", "A b."}),
        ("{1-3} of {2.0-2.1}", {f"{a} of {b}." for a in (1, 2, 3) for b in ("2.0", "2.1")}),
        ("{word.1} {word.1}", {"This this.", "That that."}),
        ("{said@1} {word.1}", {"Says this this.", "Says that that."}),
        ("a {disease} and a {umbrella}", {"A one disease and an umbrella."}),
        ("{initials disease.1} {disease.1}", {"OD one disease."}),
        ("first. second ( x ) , y ?", {"First. Second (x), y?"}),
        ("18-year-old, a 18-year-old, a 80-year-old", {"18-year-old, an 18-year-old, an 80-year-old."}),
    ],
)
def test_the_grammar(line: str, expected: set[str], tmp_path: Path) -> None:
    slots = "[slot word]\nthis\nthat\n[slot said]\nsays {word.@}\n[slot umbrella]\numbrella\n"
    write = written(tmp_path, f"{slots}[label relation]\n{line}\n")
    assert {write(seed).texts[0] for seed in range(60)} == expected


def test_a_bar_of_three_parts_the_texts(tmp_path: Path) -> None:
    write = written(tmp_path, "[label relation]\none ||| two\n")
    assert write(0).texts == ("One.", "Two.")


def test_spans_are_where_their_words_are(tmp_path: Path) -> None:
    line = "{Disease: {initials disease.1}-like {disease.1}}, {Chemical: x} ({Disease: y z})."
    text = f"[style tokenised]\n[label]\n{line}\n"
    example = written(tmp_path, text, "ncbi-disease", "")(0)
    assert example.texts == ("OD - like one disease , x ( y z ) .",)
    assert [example.texts[0][a:b] for a, b, _ in example.spans] == ["OD - like one disease", "y z"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a line\n", "no section"),
        ("[label relation]\n{open\n", "an open brace"),
        ("[label relation]\n{nothing}\n", "asks for {nothing}"),
    ],
)
def test_a_faulty_file_names_the_place(text: str, said: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=re.escape(said)):
        written(tmp_path, text)


def test_markers_stay_whole_when_punctuation_is_set_apart() -> None:
    assert separated("A-@GENE$ (x).", ("@GENE$",)) == "A - @GENE$ ( x ) ."


def test_an_inner_mark_goes_with_the_outer_one() -> None:
    text = f"{OPEN}A{MIDDLE}x {OPEN}A{MIDDLE}y{CLOSE}{CLOSE} {OPEN}B{MIDDLE}z{CLOSE}"
    assert take_spans(text, ["A"]) == ("x y z", (Span(0, 3, "A"),))
    assert tidy(f"is a {OPEN}A{MIDDLE}ulcer{CLOSE}") == f"Is an {OPEN}A{MIDDLE}ulcer{CLOSE}."


@pytest.mark.parametrize("name", [name for name in TASKS if TASKS[name].spec.markers])
def test_augment_leaves_markers_alone(name: str) -> None:
    view = few_shot_view(name)
    count = {example.labels: set[int]() for example in view.few_shot()}
    for example in view.few_shot():
        count[example.labels].add(example.texts[0].count("$"))
    for row in rows_of(AUGMENT, view):
        assert row["text"].count("$") in count[row["label"],]


def test_augment_keeps_what_turns_a_meaning_round() -> None:
    text = "The drug did not cause any rash in 12 treated patients without fever."
    example = Example((text,), labels=("no_relation",))
    change = augment.Changes(TASKS["gad"].spec, [example], Names(), np.random.default_rng(0))
    for _ in range(200):
        words = change(example).texts[0].lower().split()
        assert {"not", "12", "without"} <= set(words)
        assert words.index("not") < words.index("without")


def test_augment_moves_spans_with_their_text() -> None:
    text = "Treatment of acute gout with colchicine was stopped because of severe diarrhea in many patients."
    spans = tuple(Span(text.index(m), text.index(m) + len(m), "Disease") for m in ("acute gout", "diarrhea"))
    example = Example((text,), spans=spans)
    change = augment.Changes(TASKS["ncbi-disease"].spec, [example], Names(), np.random.default_rng(0))
    seen: Counter[str] = Counter()
    for _ in range(200):
        made = change(example)
        assert len(made.spans) == 2
        seen.update(made.texts[0][a:b] for a, b, _ in made.spans)
    assert set(seen) == {"acute gout", "diarrhea", "one disease"}


def test_augment_gives_both_texts_of_a_pair_the_same_name() -> None:
    class Two(Names):
        def names(self, kind: EntityKind) -> Sequence[str]:
            return ["gout", "asthma"] if kind == "disease" else []

    example = Example(("Is gout inherited in families?", "Can children get gout from parents?"), labels=("similar",))
    change = augment.Changes(TASKS["mqp"].spec, [example], Two(), np.random.default_rng(0))
    pairs = {tuple(bool(re.search("asthma", text)) for text in change(example).texts) for _ in range(100)}
    assert {(True, True), (False, False)} <= pairs
    mixed = [change(example).texts for _ in range(100)]
    assert not [texts for texts in mixed if "asthma" in texts[0] and "gout" in texts[1]]


def test_synonyms_go_both_ways_and_are_words() -> None:
    for line in itertools.dropwhile(lambda line: line.startswith("#"), augment.SYNONYMS.read_text().splitlines()):
        group = line.split(", ")
        assert len(group) > 1, line
        assert len(set(group)) == len(group), line
        assert not [word for word in group if augment.KEEP.fullmatch(word) and word in ("no", "not", "without")]
