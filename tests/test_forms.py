"""What a model writes becomes a canonical row or a drop that is counted by its reason; mentions become spans."""

import json
from collections import Counter
from dataclasses import replace
from typing import Any

import pytest

from clinsynth.core.nouns import Row, Span
from clinsynth.core.registry import TASKS
from clinsynth.data.samples import SampleStore
from clinsynth.generation.asking.answers import Demo, Step, UnusableError, Wanted, form_of, read_row, refuses, take_row
from clinsynth.generation.baseline import Tally
from clinsynth.llm.requests import Answer, Prompt
from clinsynth.task_types import task_type
from clinsynth.task_types.types import locate, occurrences

PROMPT = Prompt(text="Write a sentence like this one: The mouse was given nothing at all.", system="You are brief.")


def answer(value: Any, finish: Any = "stop") -> Answer:
    return Answer(text=value if isinstance(value, str) else json.dumps(value), finish=finish)


def row_of(
    task: str, value: Any, *, labels: tuple[str, ...] = (), step: Step = "row", tally: Tally | None = None, **more: Any
) -> Row:
    wanted = Wanted(labels=labels, **more)
    return read_row(TASKS[task].spec, wanted, PROMPT, answer(value), tally or Tally(), step)


GOOD: list[tuple[str, Any, dict[str, Any], Row]] = [
    ("hoc", {"text": "Cells moved through the membrane."}, {"labels": ("inducing angiogenesis",)},
     {"text": "Cells moved through the membrane.", "labels": ["inducing angiogenesis"]}),
    ("gad", {"text": "A variant of @GENE$ was found in @DISEASE$."}, {"labels": ("relation",)},
     {"text": "A variant of @GENE$ was found in @DISEASE$.", "label": "relation"}),
    ("gad", {"text": "A variant of BRCA1 in Breast  cancer; BRCA1 again."},
     {"labels": ("relation",), "names": ("BRCA1", "breast cancer")},
     {"text": "A variant of @GENE$ in @DISEASE$; @GENE$ again.", "label": "relation"}),
    ("mediqa-rqe", {"consumer_question": "Is my knee broken?", "frequent_question": "What is a fracture?"},
     {"labels": ("entailment",)},
     {"premise": "Is my knee broken?", "hypothesis": "What is a fracture?", "label": "entailment"}),
    ("healthver", {"evidence": "In a trial it did."},
     {"labels": ("supports",), "given": ("Honey helps a lot.",), "step": "second"},
     {"claim": "Honey helps a lot.", "evidence": "In a trial it did.", "label": "supports"}),
    ("mqp", {"first_question": "Can I run?", "second_question": "May I go running?"}, {"labels": ("similar",)},
     {"text_a": "Can I run?", "text_b": "May I go running?", "label": "similar"}),
    ("ncbi-disease", {"text": "Asthma and gout; asthma  wins.", "Disease": ["asthma", "gout"]}, {},
     {"text": "Asthma and gout; asthma wins.", "entities": [
         {"start": 0, "end": 6, "label": "Disease"}, {"start": 11, "end": 15, "label": "Disease"},
         {"start": 17, "end": 23, "label": "Disease"}]}),
    ("ncbi-disease", {"text": "He had rickets as a child.", "Disease": []}, {"names": ("rickets",)},
     {"text": "He had rickets as a child.", "entities": [{"start": 7, "end": 14, "label": "Disease"}]}),
    ("casi", {"text": "Took 5 mg ramipril po daily.", "Medication": ["ramipril"], "Dosage": ["5 mg"],
              "Route": ["po"]}, {},
     {"text": "Took 5 mg ramipril po daily.", "entities": [
         {"start": 5, "end": 9, "label": "Dosage"}, {"start": 10, "end": 18, "label": "Medication"},
         {"start": 19, "end": 21, "label": "Route"}]}),
    ("gad", {"label": "relation"}, {"given": ("The @GENE$ causes @DISEASE$.",), "step": "label"},
     {"text": "The @GENE$ causes @DISEASE$.", "label": "relation"}),
    ("hoc", {"labels": ["cellular energetics"]}, {"given": ("Glucose was burnt.",), "step": "label"},
     {"text": "Glucose was burnt.", "labels": ["cellular energetics"]}),
    ("gad", {"gene": "BRCA1", "disease": "Gout", "text": "A variant of BRCA1 was found in gout."},
     {"labels": ("relation",)}, {"text": "A variant of @GENE$ was found in @DISEASE$.", "label": "relation"}),
    ("ncbi-disease", {"text": "Samples were kept cool.", "Disease": []}, {"bare": True},
     {"text": "Samples were kept cool.", "entities": []}),
    ("ncbi-disease", {"Disease": []}, {"given": ("Nothing was found.",), "step": "label"},
     {"text": "Nothing was found.", "entities": []}),
]  # fmt: skip


@pytest.mark.parametrize(("task", "value", "more", "row"), GOOD, ids=[f"{k}-{case[0]}" for k, case in enumerate(GOOD)])
def test_good_answers(task: str, value: Any, more: dict[str, Any], row: Row) -> None:
    found = row_of(task, value, **more)
    assert found == row
    assert not list(task_type(TASKS[task].spec).faults(found, TASKS[task].spec))


TEXT = "Cells moved through the membrane."
WRAPPED = [
    '```json\n{"text": "%s"}\n```',
    'Here is one:\n{"text": "%s"}',
    '{"text": "%s"}\n\nI hope that this helps.',
    '{"text": "%s"}\n{"text": "And another one here."}',
    '  {"text": "%s", "why": "because"}',
]


@pytest.mark.parametrize(
    "wrapped", WRAPPED, ids=["fenced", "prose-before", "prose-after", "two-objects", "further-key"]
)
def test_what_is_tolerated_around_an_object(wrapped: str) -> None:
    assert row_of("hoc", wrapped % TEXT, labels=("cellular energetics",))["text"] == TEXT


BAD: list[tuple[str, str, Any]] = [
    ("hoc", "not-json", "Cells moved."),
    ("hoc", "not-json", ""),
    ("hoc", "not-json", '["a list", "of texts"]'),
    ("hoc", "not-json", '{"text": NaN}'),
    ("hoc", "not-json", "{'text': 'python, not JSON'}"),
    ("hoc", "refusal", "As an AI language model, I cannot write clinical notes."),
    ("hoc", "refusal", {"text": "I'm sorry, but I can't create medical texts."}),
    ("hoc", "missing-key", {"sentence": TEXT}),
    ("hoc", "wrong-type", {"text": ["Cells moved."]}),
    ("hoc", "wrong-type", {"text": None}),
    ("hoc", "empty", {"text": "  "}),
    ("hoc", "empty", {"text": "..."}),
    ("hoc", "too-short", {"text": "Cells moved."}),
    ("hoc", "too-long", {"text": "word " * 900}),
    ("hoc", "echo", {"text": "the mouse was given nothing at all"}),
    ("hoc", "echo", {"text": "Write a sentence like this one"}),
    ("hoc", "bad-character", {"text": "A bell \u0007 rang twice."}),
    ("hoc", "looks-like-phi", {"text": "Dr. Okafor reports that the cells of this line no longer divide."}),
    ("hoc", "repeats-prompt", {"text": "Cells write a sentence like this one: the mouse was given way."}),
    ("gad", "missing-marker", {"text": "A variant of @GENE$ was found in asthma."}),
    ("gad", "missing-marker", {"gene": "gene", "disease": "gout", "text": "The gene has to do with gout."}),
    ("gad", "marker-debris", {"text": "A variant of @GENE$ was found in #@DISEASE$ once."}),
    ("gad", "marker-debris", {"text": "A variant of @GENE$ and @LDLR $ was found in @DISEASE$."}),
    ("mqp", "missing-key", {"first_question": "Can I run a mile?"}),
    ("mqp", "same-texts", {"first_question": "Can I run a mile?", "second_question": "can I run a mile"}),
    ("ncbi-disease", "missing-key", {"text": "Asthma was frequent among them."}),
    ("ncbi-disease", "wrong-type", {"text": "Asthma was frequent among them.", "Disease": "asthma"}),
    ("ncbi-disease", "wrong-type", {"text": "Asthma was frequent among them.", "Disease": [1]}),
    ("ncbi-disease", "no-mention", {"text": "Asthma was frequent among them.", "Disease": []}),
    ("ncbi-disease", "mention-not-in-text", {"text": "Asthma was frequent among them.", "Disease": ["gout"]}),
]  # fmt: skip


@pytest.mark.parametrize(("task", "reason", "value"), BAD, ids=[f"{k}-{case[1]}" for k, case in enumerate(BAD)])
def test_bad_answers_are_dropped_by_reason(task: str, reason: str, value: Any) -> None:
    tally = Tally()
    spec = TASKS[task].spec
    wanted = Wanted(labels=() if spec.is_span else spec.labels[:1])
    assert take_row(spec, wanted, PROMPT, answer(value), tally) is None
    assert tally.dropped == {reason: 1}


@pytest.mark.parametrize(("finish", "text", "reason"), [
    ("length", '{"text": "Cells mo', "truncated"), ("stop", '{"text": "Cells mo', "not-json"),
    ("failed", "", "failed"), ("filtered", "", "filtered"),
])  # fmt: skip
def test_how_an_answer_ended_counts(finish: Any, text: str, reason: str) -> None:
    tally = Tally()
    assert take_row(TASKS["hoc"].spec, Wanted(), PROMPT, answer(text, finish), tally) is None
    assert tally.dropped == {reason: 1}


def test_a_whole_object_counts_though_the_model_went_on() -> None:
    rambling = answer(json.dumps({"text": TEXT}) + '\n{"text": "And th', "length")
    wanted = Wanted(labels=("cellular energetics",))
    assert read_row(TASKS["hoc"].spec, wanted, PROMPT, rambling, Tally())["text"] == TEXT


@pytest.mark.parametrize("text", ['Cells moved through it."}', '{"text": "Cells moved through it."}'])
def test_an_answer_may_go_on_from_an_opening(text: str) -> None:
    """A server that holds answers to a schema gives the whole object, others go on from where the prompt ended."""
    prompt = replace(PROMPT, opening=form_of(TASKS["hoc"].spec).opening())
    row = read_row(TASKS["hoc"].spec, Wanted(labels=("cellular energetics",)), prompt, answer(text), Tally())
    assert row["text"] == "Cells moved through it."


@pytest.mark.parametrize("task", sorted(TASKS))
@pytest.mark.parametrize("step", ["row", "first", "label"])
def test_every_object_begins_with_its_opening(task: str, step: Step) -> None:
    form = form_of(TASKS[task].spec, step)
    shown = [form.show(example, TASKS[task].spec) for example in SampleStore().examples(TASKS[task], "train")]
    assert any(text.startswith(form.opening()) for text in shown)
    assert all(text.startswith(form.opening()) or '": []' in text for text in shown)


@pytest.mark.parametrize(("value", "reason"), [
    ({"label": "perhaps"}, "unknown-label"), ({"label": ["relation"]}, "wrong-type"), ({}, "missing-key"),
])  # fmt: skip
def test_labels_that_a_model_chooses_are_checked(value: Any, reason: str) -> None:
    with pytest.raises(UnusableError, match=reason):
        row_of("gad", value, given=("The @GENE$ causes @DISEASE$.",), step="label")


def test_what_was_put_right_is_counted() -> None:
    tally = Tally()
    row_of("ncbi-disease", {"text": "Asthma, asthma and gout.", "Disease": ["asthma", "cough", "gout"]}, tally=tally)
    row_of("gad", {"text": "Here is TP53 in gout."}, labels=("relation",), names=("TP53", "gout"), tally=tally)
    assert tally.altered == {"mention-left-out": 1, "mention-occurs-often": 1, "name-replaced-by-marker": 2}
    assert not tally.dropped


def test_a_second_text_that_repeats_the_first_is_named_so() -> None:
    prompt = replace(PROMPT, text=f"{PROMPT.text} The claim is: Honey helps a lot.")
    wanted = Wanted(labels=("supports",), given=("Honey helps a lot.",))
    with pytest.raises(UnusableError, match="same-texts"):
        read_row(TASKS["healthver"].spec, wanted, prompt, answer({"evidence": "honey helps a lot"}), Tally(), "second")


def test_a_second_text_may_take_words_from_the_first() -> None:
    first = "Honey on a spoon helps children with a cough at night."
    wanted = Wanted(labels=("supports",), given=(first,))
    second = "In a trial of last year, so it says, honey on a spoon helps children with a cough at last."
    for text, reason in ((first, None), (f"Nobody says: {second.replace('last', 'noon')}", "repeats-prompt")):
        tally = Tally()
        row = take_row(TASKS["healthver"].spec, wanted, replace(PROMPT, text=f"The claim is: {text}"),
                       answer({"evidence": second}), tally, "second")  # fmt: skip
        assert (row is None) == (reason is not None)
        assert tally.dropped == ({reason: 1} if reason else {})


def test_a_text_that_was_to_have_no_name_must_have_none() -> None:
    with pytest.raises(UnusableError, match="unwanted-mention"):
        row_of("ncbi-disease", {"text": "Asthma was frequent among them.", "Disease": ["asthma"]}, bare=True)
    tally = Tally()
    row_of("ncbi-disease", {"text": "Nobody was ill at all.", "Disease": ["gout"]}, bare=True, tally=tally)
    assert tally.altered["text-without-mention"] == 1


def test_a_demonstration_with_a_word_changed_is_a_copy() -> None:
    example = SampleStore().examples(TASKS["hoc"], "train")[0]
    text = example.texts[0]
    demos = (Demo(example=example, slots={}),)
    more: dict[str, Any] = {"labels": ("cellular energetics",), "demos": demos}
    for copy in (f"{text.rstrip('.')} today.", text.upper()):
        with pytest.raises(UnusableError, match="near-echo"):
            row_of("hoc", {"text": copy}, **more)
    words = text.split()
    other = ["and", "then", "something", "else", "came", "about", "that", "nobody", "had", "ever", "thought", "of"]
    part = words[: len(other) // 2]
    assert row_of("hoc", {"text": " ".join(part + other)}, **more)
    with pytest.raises(UnusableError, match="near-echo"):
        row_of("hoc", {"text": " ".join(words[: 2 * len(other)] + other)}, **more)


def test_patients_may_be_unable() -> None:
    assert not refuses("I can't sleep and I am not able to walk. Is that normal?")
    assert not refuses("A language model was used to code the notes.")
    assert refuses("I am unable to provide medical texts.")


ON_THE_WIRE = [
    (name, step)
    for name in sorted(TASKS)
    for step in ("row", "second", "label")
    if step != "second" or len(TASKS[name].spec.text_names) == 2
]


@pytest.mark.parametrize(("task", "step"), ON_THE_WIRE)
def test_examples_survive_the_wire(task: str, step: Step) -> None:
    """What is shown as a demonstration can be read back, and holds what the schema asks for."""
    spec = TASKS[task].spec
    form = form_of(spec, step)
    for example in SampleStore().examples(TASKS[task], "train")[:8]:
        shown = form.show(example, spec)
        assert json.loads(shown).keys() == form.schema()["properties"].keys()
        assert "\n" not in shown
        given = {"row": (), "second": example.texts[:1], "label": example.texts}[step]
        wanted = Wanted(labels=example.labels, given=given)
        try:
            row = read_row(spec, wanted, PROMPT, answer(shown), Tally(), step)
        except UnusableError as error:  # the sample has sentences without a mention, which nobody would ask for
            assert str(error) == "no-mention"
            assert not example.spans
            continue
        own = task_type(spec).encode(example)
        assert {k: v for k, v in row.items() if k != "entities"} == {k: v for k, v in own.items() if k != "entities"}


def test_the_form_in_words_names_every_key() -> None:
    for task in TASKS.values():
        for step in ("row", "label"):
            form = form_of(task.spec, step)
            assert all(f'"{key}"' in form.said() for key in form.schema()["properties"])


# Mentions.


def spans(text: str, *mentions: str, label: str = "D") -> list[str]:
    return [text[span.start : span.end] for span in locate(text, [(mention, label) for mention in mentions]).spans]


@pytest.mark.parametrize(("text", "mentions", "found"), [
    ("gout and gout", ["gout"], ["gout", "gout"]),
    ("gout and gout", ["gout", "gout"], ["gout", "gout"]),
    ("pain, fever", ["fever", "pain"], ["pain", "fever"]),
    ("Gout or GOUT", ["gout"], ["Gout", "GOUT"]),
    ("ALL is not all", ["ALL"], ["ALL"]),
    ("it is all", ["ALL"], ["all"]),
    ("lung cancer, cancer", ["cancer", "lung cancer"], ["lung cancer", "cancer"]),
    ("IL - 2 and IL-2", ["IL-2"], ["IL - 2", "IL-2"]),
    ("breast\ncancer", ["breast  cancer"], ["breast\ncancer"]),
    ("tumours", ["tumour"], []),
    ("beta-blocker", ["betablocker"], []),
    ("a (+)-verapamil dose", ["(+)-verapamil"], ["(+)-verapamil"]),
    ("50% of them", ["50%"], ["50%"]),
    ("x", [""], []),
])  # fmt: skip
def test_mentions_are_located(text: str, mentions: list[str], found: list[str]) -> None:
    assert spans(text, *mentions) == found


def test_a_mention_of_two_labels_is_shared_out_in_order() -> None:
    located = locate("pain, then pain, then pain", [("pain", "A"), ("pain", "B")])
    assert located.spans == (Span(0, 4, "A"), Span(11, 15, "B"), Span(22, 26, "B"))
    assert located.ambiguous == {"mention-of-two-labels": 1, "mention-occurs-often": 1}


def test_what_has_no_place_is_counted() -> None:
    located = locate("Lung cancer.", [("cancer", "D"), ("lung cancer", "D"), ("gout", "D"), (" ", "D")])
    assert located.missing == Counter({"mention-within-another": 1, "mention-not-in-text": 1, "mention-empty": 1})
    assert locate("it is all", [("ALL", "D")]).ambiguous == {"mention-case-differs": 1}


def test_spans_never_overlap_and_are_sorted() -> None:
    located = locate("a b c a b c", [("a b", "X"), ("b c", "Y"), ("c", "Z")])
    ends = [0]
    for span in located.spans:
        assert span.start >= ends[-1]
        ends.append(span.end)
    assert [span.label for span in located.spans] == ["X", "Z", "X", "Z"]


def test_occurrences() -> None:
    assert occurrences("gout, Gout", "gout") == [(0, 4), (6, 10)]
    assert occurrences("anything", "  ") == []
