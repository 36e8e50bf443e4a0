"""The prompt files of the baselines: slots, modes, and entries that show a base model the form."""

from dataclasses import replace
from pathlib import Path
from string import Template

import numpy as np
import pytest
from tests.scripted_model import NAMES, PROMPTS, Names, Script, made, take, view_of

from clinsynth.core.nouns import Task
from clinsynth.core.registry import TASKS
from clinsynth.data.samples import SampleStore
from clinsynth.generation.asking.prompts import (
    fill,
    format_demos,
    label_slots,
    load,
    no_demos,
    standing_slots,
)
from clinsynth.generation.baseline import BASELINES, Budget, Tally, TaskView, Tools
from clinsynth.llm.payloads import Dialect
from clinsynth.task_types import TASK_TYPES

# The files.

KNOWN_SLOTS = {
    "description", "definitions", "first", "second", "markers", "label", "definition", "given", "form", "examples",
    "topic", "head", "tail", "style", "section", "length", "population", "instruction", "count", "kinds", "head_kind",
    "tail_kind", "best", "places", "kind", "second_kind", "order", "names", "some", "none", "marked", "chosen",
    "given_second",
}  # fmt: skip
FILES = sorted(
    path for name in ("attributes", "clingen", "demo", "naive", "tang") for path in (PROMPTS / name).iterdir()
)


@pytest.mark.parametrize("path", FILES, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_every_slot_of_a_prompt_file_is_known(path: Path) -> None:
    """A line with an unknown slot would be left out without a word."""
    text = path.read_text("utf-8")
    assert set(Template(text).get_identifiers()) <= KNOWN_SLOTS
    assert Template(text).is_valid()


@pytest.mark.parametrize("folder", ["attributes", "clingen", "demo", "naive", "tang"])
def test_every_type_has_its_prompts_in_both_modes(folder: str) -> None:
    for kind in TASK_TYPES:
        file = load(PROMPTS / folder, kind, Tally())
        assert all([file.system, file.chat, file.title, file.entry]), kind
        assert "$form" in file.chat
        if kind not in ("named_entity_recognition", "attribute_extraction") and folder != "clingen":
            assert "$order" in file.chat and "$definition" in file.entry


def test_lines_without_a_value_are_left_out() -> None:
    assert fill("One $a.\nTwo $b.\nThree.", {"a": "1", "b": ""}) == "One 1.\nThree."
    assert fill("All of it: $a", {"a": "$b"}) == "All of it: $b"


def test_a_label_is_put_into_words_alone() -> None:
    """The released ClinGen code replaces underscores in the whole prompt."""
    spec = TASKS["cdr"].spec
    assert label_slots(spec, ["no_relation"])["label"] == "no relation"
    assert standing_slots(spec)["markers"] == "@CHEMICAL$ and @DISEASE$"


@pytest.mark.parametrize("task", sorted(TASKS))
def test_entries_that_show_the_form_are_no_data_of_a_task(task: str) -> None:
    spec = TASKS[task].spec
    demos = format_demos(spec.type, spec.markers, spec.labels)
    assert len(demos) >= 3
    real = {
        text for split in ("train", "test") for one in SampleStore().examples(TASKS[task], split) for text in one.texts
    }
    for demo in demos:
        assert not set(demo.example.texts) & real
        assert demo.slots.get("label") not in spec.labels
        if spec.is_span:
            assert demo.example.spans
            assert {span.label for span in demo.example.spans} <= set(spec.labels)
        else:
            assert not demo.example.labels
        assert all(marker in demo.example.texts[0] for marker in spec.markers)


def test_a_model_that_follows_instructions_is_shown_no_entries() -> None:
    spec = TASKS["gad"].spec
    rng = np.random.default_rng(0)
    assert no_demos(spec, "chat", rng)(("relation",)) == ()
    assert len(no_demos(spec, "completion", rng)(("relation",))) == 3


def test_a_base_model_is_stopped_after_its_object() -> None:
    script = Script(mode="completion")
    made("naive", "gad", script, 4)
    for prompt in script.prompts:
        assert prompt.stop == ("\n\n", "\n{", "\nLabel:")
        assert prompt.text.endswith(").\n")
        assert prompt.system == ""


def test_an_opening_is_sent_where_nothing_holds_the_answer() -> None:
    script = Script(mode="completion")
    made("naive", "gad", script, 2)
    prompt = script.prompts[0]
    assert prompt.opening == '{"text": "'
    loose, how = Dialect("completion", "off").body(prompt, "m", "0" * 64)
    assert (loose["prompt"], how) == (prompt.text + prompt.opening, "off")
    held, how = Dialect("completion", "llama").body(prompt, "m", "0" * 64)
    assert (held["prompt"], how) == (prompt.text, "llama")


def test_a_task_of_another_folder_can_be_generated() -> None:
    """Nothing is known of it but its spec: no kinds of topic, names of its own for its texts."""
    task = TASKS["mqp"]
    own = Task(replace(task.spec, name="own", topics=(), text_names=("text",)), task.read, task.folder)
    tally = Tally()
    tools = Tools(tally=tally, model=Script(), source=Names())
    view = TaskView(own.spec, view_of("mqp").few_shot, view_of("mqp").few_shot)
    for baseline in NAMES:
        tally.kept.clear()
        rows = take(BASELINES[baseline].generate(view, tools, Budget(6), np.random.default_rng(0)), tally, 6)
        assert len(rows) == 6
