"""The direct track: what a model is asked, and how its answers are read."""

import pytest
from tests.oracle import SAMPLE, gone_on, spec_of

from clinsynth.core.errors import UserError
from clinsynth.core.nouns import Example, Prediction, Span
from clinsynth.core.registry import TASKS
from clinsynth.data.samples import few_shot
from clinsynth.direct import prompts
from clinsynth.direct.parsing import Failure, Finish, parse
from clinsynth.direct.records import slug
from clinsynth.direct.runner import subset
from clinsynth.scoring.metrics import METRICS, score_all

# --- parsing


GAD = Example(("@GENE$ is linked to @DISEASE$.",), labels=("relation",))
HOC = Example(("Cells die.",), labels=("resisting cell death",))
NER = Example(("Ataxia telangiectasia and A-T; ataxia again, and cancer.",), spans=(Span(0, 21, "Disease"),))
CASI = Example(("Take aspirin 81 mg daily.",), spans=(Span(5, 12, "Medication"),))
DISEASE = spec_of("ncbi-disease").labels[0]


@pytest.mark.parametrize(
    ("text", "label"),
    [
        ("relation", "relation"),
        ("  Relation.\n", "relation"),
        ('"no_relation"', "no_relation"),
        ("No relation", "no_relation"),
        ("**no-relation**", "no_relation"),
        ("Answer: relation", "relation"),
        ("```\nrelation\n```", "relation"),
    ],
)
def test_a_label_is_read_by_its_name(text: str, label: str) -> None:
    parsed = parse(spec_of("gad"), GAD, text)
    assert (parsed.prediction.labels, parsed.failure) == ((label,), None)


@pytest.mark.parametrize(
    ("task", "example", "text", "finish", "failure"),
    [
        ("gad", GAD, "", "stop", "empty"),
        ("gad", GAD, "   ", "filtered", "withheld"),
        ("gad", GAD, "", "rejected", "rejected"),
        ("gad", GAD, "The sentence says relation, not no_relation", "stop", "several-labels"),
        ("gad", GAD, "relation because the sentence says so", "stop", "unknown-label"),
        ("gad", GAD, "causal", "stop", "unknown-label"),
        ("gad", GAD, "The gene and the disease are", "length", "truncated"),
        ("gad", GAD, "I'm sorry, but I cannot help with that.", "stop", "refusal"),
        ("hoc", HOC, "resisting cell death", "stop", "not-json"),
        ("hoc", HOC, '["resisting cell death", "inducing', "length", "truncated"),
        ("hoc", HOC, '{"labels": []}', "stop", "not-a-list"),
        ("hoc", HOC, '["resisting cell death", 3]', "stop", "bad-item"),
        ("hoc", HOC, '["resisting cell death", "ageing"]', "stop", "unknown-label"),
        ("hoc", HOC, '["resisting cell death"] I hope this helps', "stop", "not-json"),
        ("ncbi-disease", NER, "ataxia", "stop", "not-json"),
        ("ncbi-disease", NER, '[{"text": "ataxia"}]', "stop", "bad-item"),
        ("ncbi-disease", NER, "[" * 100_000, "stop", "too-deep"),
        ("casi", CASI, '["aspirin"]', "stop", "bad-item"),
        ("casi", CASI, '[{"text": "aspirin", "label": "Drug"}]', "stop", "unknown-label"),
        ("casi", CASI, '[{"text": "aspirin", "label": "Medication", "why": ""}]', "stop", "bad-item"),
    ],
)
def test_what_cannot_be_read_has_a_reason_and_is_wrong(
    task: str, example: Example, text: str, finish: Finish, failure: Failure
) -> None:
    spec = spec_of(task)
    parsed = parse(spec, example, text, finish)
    assert parsed.failure == failure
    assert set(score_all(spec, [example], [parsed.prediction]).values()) == {0.0}


@pytest.mark.parametrize("finish", ["stop", "length", "unknown"])
def test_what_can_be_read_counts_however_it_ended(finish: Finish) -> None:
    """lm-eval knows the text alone: a prediction must not depend on more."""
    assert parse(spec_of("gad"), GAD, "relation", finish).failure is None


def test_an_unparsable_answer_is_wrong_also_where_silence_would_be_right() -> None:
    spec = spec_of("gad")
    gold = Example(("@GENE$ has nothing to do with @DISEASE$.",), labels=("no_relation",))
    assert parse(spec, gold, "???").prediction == Prediction(labels=("relation",))
    nothing = Example(("No disease is named.",))
    counts = METRICS["entity_f1"].count(
        spec_of("ncbi-disease"), nothing, parse(spec_of("ncbi-disease"), nothing, "?").prediction
    )
    assert tuple(counts) == (0, 1, 0)


def test_several_labels_are_a_json_list() -> None:
    parsed = parse(
        spec_of("hoc"), HOC, '```json\n["Inducing Angiogenesis", "resisting cell death", "inducing angiogenesis"]\n```'
    )
    assert parsed.prediction.labels == ("inducing angiogenesis", "resisting cell death")
    assert parse(spec_of("hoc"), HOC, "[]").prediction.labels == ()


def test_mentions_become_offsets_and_unknown_ones_false_positives() -> None:
    parsed = parse(spec_of("ncbi-disease"), NER, '["ataxia", "Ataxia telangiectasia", "A-T", "scurvy", ""]')
    assert parsed.failure is None
    assert parsed.prediction.spans == (
        Span(0, 0, DISEASE), Span(0, 21, DISEASE), Span(1, 1, DISEASE), Span(26, 29, DISEASE), Span(31, 37, DISEASE),
    )  # fmt: skip
    assert parsed.counts == {"mention-not-in-text": 1, "mention-empty": 1}


def test_attributes_carry_their_label() -> None:
    said = '[{"text": "ASPIRIN", "label": "medication"}, {"text": "81 mg", "label": "Dosage"}]'
    assert parse(spec_of("casi"), CASI, said).prediction.spans == (Span(5, 12, "Medication"), Span(13, 18, "Dosage"))


@pytest.mark.parametrize("task", sorted(TASKS))
def test_the_gold_answer_in_the_form_that_is_asked_for_reads_back(task: str) -> None:
    spec = spec_of(task)
    for example in SAMPLE.examples(TASKS[task], "test"):
        parsed = parse(spec, example, prompts.answer(spec, example))
        assert parsed.failure is None
        assert set(parsed.prediction.labels) == set(example.labels)
        assert set(example.spans) <= set(parsed.prediction.spans)


# --- prompts


@pytest.mark.parametrize("task", sorted(TASKS))
def test_prompts_name_every_label_and_show_no_answer(task: str) -> None:
    spec = spec_of(task)
    example = SAMPLE.examples(TASKS[task], "test")[0]
    shots = few_shot(SAMPLE, TASKS[task], 1).examples
    text = prompts.completion(spec, shots, example)
    assert all(f"- {label}: " in text for label in spec.labels)
    assert text.endswith(f"\n{prompts.ANSWER}")
    assert text.count(prompts.ANSWER) == len(shots) + 1
    messages = prompts.conversation(spec, shots, example)
    assert [message["role"] for message in messages] == ["user", "assistant"] * len(shots) + ["user"]
    assert messages[0]["content"].startswith(spec.description)
    assert all(
        message["content"] == prompts.answer(spec, shot) for message, shot in zip(messages[1::2], shots, strict=True)
    )


@pytest.mark.parametrize("per_label", [0, 1])
@pytest.mark.parametrize("task", sorted(TASKS))
def test_a_completion_ends_inside_the_answer_and_is_read_with_it(task: str, per_label: int) -> None:
    spec, examples = spec_of(task), SAMPLE.examples(TASKS[task], "test")
    shots = few_shot(SAMPLE, TASKS[task], per_label).examples if per_label else ()
    opening = prompts.opening(spec, "completion", shots)
    for example in examples:
        assert prompts.completion(spec, shots, example).endswith(f"{prompts.ANSWER} {opening}".strip())
        answer = prompts.answer(spec, example)
        said = gone_on(answer, opening)
        for text in (said, opening + said):  # also where the model opens it again
            assert parse(spec, example, text, opening=opening) == parse(spec, example, answer), text
    assert parse(spec, examples[0], " ", opening=opening).failure == "empty"


def test_line_ends_in_a_completion_become_spaces_of_the_same_width() -> None:
    spec = spec_of("ncbi-disease")
    example = Example(("Ataxia\ntelangiectasia\r\nand cancer.",))
    shown = prompts.question(spec, example, "completion")
    assert shown == "Text: Ataxia telangiectasia  and cancer."
    assert "\n" in prompts.question(spec, example, "chat").removeprefix("Text: ")


def test_a_smaller_subset_is_part_of_a_larger_one() -> None:
    assert set(subset(500, 20)) < set(subset(500, 100)) < set(subset(500, None))
    assert subset(500, 20) == sorted(subset(500, 20)) != list(range(20))


@pytest.mark.parametrize(("name", "made"), [("google/gemma-3-270m", "google-gemma-3-270m"), ("GPT 5!", "gpt-5")])
def test_slugs(name: str, made: str) -> None:
    assert slug(name) == made


def test_a_model_without_a_name_for_a_folder_is_refused() -> None:
    with pytest.raises(UserError, match="gives no name"):
        slug("--")
