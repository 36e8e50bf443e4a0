"""The baselines that ask a model: what they ask, that good answers fill every class, that bad ones are counted."""

import json
import re
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.scripted_model import (
    MODES,
    NAMES,
    ONE_OF_EACH,
    ZERO_SHOT,
    Names,
    Script,
    always,
    made,
    obedient,
    view_of,
    word,
)

from clinsynth.core.registry import TASKS
from clinsynth.data.samples import SampleStore
from clinsynth.generation import Request, generate
from clinsynth.generation.asking.answers import form_of
from clinsynth.generation.asking.prompts import (
    label_slots,
    writing,
)
from clinsynth.generation.asking.rounds import Several, shares
from clinsynth.generation.baseline import BASELINES, Asking
from clinsynth.generation.record import read_generation
from clinsynth.generation.run import Means
from clinsynth.llm.requests import Answer, Mode, Prompt
from clinsynth.submissions import validate
from clinsynth.task_types import task_type

# Every baseline, for every type, in both modes.


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("task", ONE_OF_EACH)
@pytest.mark.parametrize("baseline", NAMES)
def test_good_answers_fill_every_class(baseline: str, task: str, mode: Mode) -> None:
    spec = TASKS[task].spec
    number = 2 * max(len(spec.labels), 6) if not spec.is_span else 8
    rows, tally = made(baseline, task, Script(mode=mode), number)
    assert len(rows) == number
    for row in rows:
        assert not list(task_type(spec).faults(row, spec))
    assert not tally.dropped
    counts = dict.fromkeys(shares(spec, number), 0.0)
    for name, count in tally.kept.items():
        for label in name.split("|"):
            counts[label] += count / len(name.split("|"))
    if spec.multi_label:  # a row of several labels counts for each by its part
        assert all(abs(counts[label] - share) <= 1 for label, share in shares(spec, number).items())
    else:
        assert counts == shares(spec, number)
    assert tally.prompts and all(re.fullmatch(r"[0-9a-f]{64}", digest) for digest in tally.prompts.values())


@pytest.mark.parametrize("baseline", NAMES)
def test_their_rows_are_a_submission(baseline: str, tmp_path: Path) -> None:
    tasks = [TASKS[name] for name in ONE_OF_EACH]
    means = Means(model=Script(), source=Names())
    done = generate(BASELINES[baseline], Request(tasks=tasks, rows=10, out=tmp_path / "made"), SampleStore(), means)
    assert done.rows == dict.fromkeys(ONE_OF_EACH, 10)
    assert validate(tmp_path / "made").exit_code == 0
    record = read_generation(tmp_path / "made", "gad")
    assert record is not None
    assert record.kept_by_class == {"no_relation": 5, "relation": 5}
    assert record.prompts.keys() >= {f"{baseline.partition('-')[0]}/relation_extraction.txt"}


@pytest.mark.parametrize("baseline", NAMES)
def test_the_same_answers_give_the_same_rows(baseline: str) -> None:
    first, second, other = (made(baseline, "gad", Script(), 12, seed) for seed in (0, 0, 1))
    assert first[0] == second[0]
    assert first[1] == second[1]
    assert asked(baseline, 0) == asked(baseline, 0)
    assert not set(asked(baseline, 0)) & set(asked(baseline, 1)), "another seed is another draw of answers"
    assert len(other[0]) == 12


def asked(baseline: str, seed: int) -> list[tuple[str, int]]:
    script = Script()
    made(baseline, "mqp", script, 8, seed)
    return [(prompt.text, prompt.repeat) for prompt in script.prompts if prompt.schema and prompt.repeat > 100]


@pytest.mark.parametrize("baseline", NAMES)
def test_no_request_is_made_twice(baseline: str) -> None:
    for task in ("hoc", "casi", "mediqa-rqe"):
        script = Script()
        made(baseline, task, script, 12)
        keys = [(prompt.text, prompt.system, prompt.repeat) for prompt in script.prompts]
        assert len(set(keys)) == len(keys)


EVERY_THIRD = [
    ("not-json", "Once upon a time."),
    ("refusal", "As an AI language model, I cannot do that."),
    ("missing-key", "{}"),
]


@pytest.mark.parametrize("baseline", NAMES)
@pytest.mark.parametrize(("reason", "text"), EVERY_THIRD)
def test_bad_answers_are_counted_and_made_up_for(baseline: str, reason: str, text: str) -> None:
    spoilt = Counter[str]()

    def write(prompt: Prompt, number: int) -> Answer:
        if prompt.schema is None or number % 3:
            return obedient(prompt, number)
        spoilt["first-text" if form_of(TASKS["mqp"].spec, "first").schema() == prompt.schema else "row"] += 1
        return Answer(text=text, finish="stop")

    script = Script(write)
    rows, tally = made(baseline, "mqp", script, 12)
    assert Counter(row["label"] for row in rows) == {"similar": 6, "different": 6}
    expected = Counter({reason: spoilt["row"], f"first-text-{reason}": spoilt["first-text"]})
    if baseline == "tang":  # what its search for an instruction makes is not in the data and so is not counted
        assert 0 < tally.dropped[reason] <= spoilt["row"]
        assert set(tally.dropped) <= {reason, "class-full"}
    else:
        assert tally.dropped - Counter({"class-full": tally.dropped["class-full"]}) == +expected


# What is shown.


@pytest.mark.parametrize("baseline", ZERO_SHOT)
@pytest.mark.parametrize("task", ONE_OF_EACH)
def test_zero_shot_prompts_show_no_real_text(baseline: str, task: str) -> None:
    assert BASELINES[baseline].real_data == "none"
    for mode in MODES:
        script = Script(mode=mode)
        made(baseline, task, script, 6)
        shown = "\n".join(prompt.text for prompt in script.prompts)
        for example in SampleStore().examples(TASKS[task], "train"):
            assert not any(text in shown for text in example.texts)


@pytest.mark.parametrize("baseline", [name for name in NAMES if name not in ZERO_SHOT])
def test_few_shot_prompts_show_examples_of_the_label(baseline: str) -> None:
    assert BASELINES[baseline].real_data == "few-shot"
    few = view_of("gad").few_shot()
    for mode in MODES:
        script = Script(mode=mode)
        made(baseline, "gad", script, 8)
        for prompt in script.prompts:
            if prompt.schema:
                shown = [example for example in few if json.dumps(example.texts[0])[1:-1] in prompt.text]
                assert len(shown) == 3
                (label,) = {example.labels[0] for example in shown}
                order = label_slots(TASKS["gad"].spec, [label])["order"]
                assert order in prompt.text or f"Label: {label.replace('_', ' ')}" in prompt.text


def test_names_are_in_the_prompt_and_become_markers() -> None:
    def write(prompt: Prompt, number: int) -> Answer:
        if prompt.schema is None:
            return obedient(prompt, number)
        names = re.findall(r"gene\d|disease\d", prompt.text)
        return Answer(text=json.dumps({"text": f"In {word(number)} {' and '.join(names)} met."}), finish="stop")

    for baseline in ("tang", "clingen-kg"):
        script = Script(write)
        rows, tally = made(baseline, "gad", script, 8)
        assert all(row["text"].endswith("@GENE$ and @DISEASE$ met.") for row in rows)
        assert tally.altered["name-replaced-by-marker"] >= 16
        assert tally.notes["knowledge"] == "names v1"
        # After real sentences, which show signs, a model writes the names down before its own.
        shapes = {tuple(prompt.schema["properties"]) for prompt in script.prompts if prompt.schema} - {("label",)}
        assert shapes == {("gene", "disease", "text") if baseline == "clingen-kg" else ("text",)}


# Several rows in one answer.


@pytest.mark.parametrize("baseline", ["naive", "demo"])
def test_several_rows_come_in_one_answer(baseline: str) -> None:
    def write(prompt: Prompt, number: int) -> Answer:
        assert prompt.schema is not None
        if "rows" not in prompt.schema["properties"]:
            return obedient(prompt, number)
        rows: dict[str, Any] = prompt.schema["properties"]["rows"]
        items = [
            obedient(replace(prompt, schema=rows["items"]), 100 * number + k).text for k in range(rows["maxItems"])
        ]
        return Answer(text=f'{{"rows": [{", ".join(items)}]}}', finish="stop")

    script = Script(write)
    rows, tally = made(baseline, "mqp", script, 14, asking=Asking(rows_per_request=5))
    assert Counter(row["label"] for row in rows) == {"similar": 7, "different": 7}
    assert not tally.dropped
    assert tally.notes["rows per request"] == "5"
    assert len(script.prompts) == 4, "five and two of each label"


def test_an_answer_that_was_cut_gives_its_whole_rows() -> None:
    whole = obedient(Prompt(text="", schema=form_of(TASKS["mqp"].spec).schema()), 0).text
    cut = Script(always(Answer(text=f'{{"rows": [{whole}, {{"first_question": "Can I', finish="length")))
    prompts = [Prompt(text="x", schema={"type": "object"}, repeat=k) for k in range(3)]
    answers = list(Several(cut, 3).ask(prompts))
    assert json.loads(answers[0].text) == json.loads(whole)
    assert [(one.text, one.finish) for one in answers[1:]] == [("", "length")] * 2


def test_rows_of_a_base_model_are_asked_for_alone() -> None:
    script = Script(mode="completion")
    made("naive", "mqp", script, 8, asking=Asking(rows_per_request=5))
    assert len(script.prompts) == 8


# Texts without any name.


def test_a_share_of_texts_has_no_name() -> None:
    for share, expected in ((None, 40), (0.2, 20), (0.0, 0)):
        rows, tally = made("naive", "ncbi-disease", Script(), 100, asking=Asking(without_mention=share))
        bare = sum(not row["entities"] for row in rows)
        assert abs(bare - expected) <= 15
        assert tally.altered["text-without-mention"] == bare
    assert tally.notes["share without mention"] == "0"


def test_texts_without_a_name_that_are_lost_are_made_up_for() -> None:
    def write(prompt: Prompt, number: int) -> Answer:
        lost = "mentions no" in prompt.text and number % 3
        return Answer(text="", finish="stop") if lost else obedient(prompt, number)

    rows, _ = made("naive", "ncbi-disease", Script(write), 100, asking=Asking(without_mention=0.4))
    assert 25 <= sum(not row["entities"] for row in rows) <= 45


@pytest.mark.parametrize("task", sorted(TASKS))
def test_writing_names_the_tasks_labels(task: str) -> None:
    spec, told = TASKS[task].spec, writing(task)
    assert told["text"]
    assert ("second" in told) == (len(task_type(spec).text_keys) == 2)
    if spec.is_span:
        assert told["without"]
    else:
        assert set(spec.labels) <= told.keys()
    assert told.keys() <= {"text", "second", "without", *spec.labels}
