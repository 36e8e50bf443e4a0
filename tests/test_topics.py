"""Topics and lists of the baselines that ask a model, and the search for an instruction."""

import json
import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from tests.scripted_model import (
    PROMPTS,
    Names,
    Script,
    always,
    made,
    obedient,
    word,
)

from clinsynth.core.errors import UserError
from clinsynth.core.nouns import EntityKind
from clinsynth.core.registry import TASKS
from clinsynth.generation.asking.prompts import (
    label_slots,
    load_values,
)
from clinsynth.generation.asking.topics import Listing, clean, known_topics, made_lists
from clinsynth.generation.baseline import Tally, Tools
from clinsynth.llm.requests import Answer, Prompt


def test_topics_of_relations_follow_the_source() -> None:
    spec = TASKS["gad"].spec
    draw = known_topics(spec, Names(), Tally())
    rng = np.random.default_rng(0)
    related = set(Names().pairs("gene", "disease"))
    assert {draw(("relation",), rng) for _ in range(60)} == related
    negative = [draw(("no_relation",), rng) for _ in range(60)]
    assert not set(negative) & related
    assert len(set(negative)) > 10


def test_labels_have_their_own_topics_where_the_source_has_them() -> None:
    class Labelled(Names):
        def of_label(self, task: str, label: str) -> Sequence[tuple[str, ...]]:
            own: dict[str, Sequence[tuple[str, ...]]] = {
                "inducing angiogenesis": [("new vessels",), ("x" * 81,)], "CPR:3": [("one drug", "one gene")],
            }  # fmt: skip
            return own.get(label, ())

    rng, tally = np.random.default_rng(0), Tally()
    draw = known_topics(TASKS["hoc"].spec, Labelled(), tally)
    assert tally.notes["topics of labels"] == "inducing angiogenesis 1"
    assert {draw(("inducing angiogenesis",), rng) for _ in range(9)} == {("new vessels",)}
    assert ("new vessels",) not in {draw(("cellular energetics",), rng) for _ in range(9)}
    both = ("cellular energetics", "inducing angiogenesis")
    assert len({draw(both, rng) for _ in range(30)}) > 2
    draw = known_topics(TASKS["chemprot"].spec, Labelled(), Tally())
    assert draw(("CPR:3",), rng) == ("one drug", "one gene")
    assert draw(("CPR:4",), rng) in Names().pairs("chemical", "gene")


def test_a_source_without_pairs_or_names() -> None:
    class Few(Names):
        def pairs(self, first: EntityKind, second: EntityKind) -> Sequence[tuple[str, str]]:
            return ()

    class Nothing(Names):
        def names(self, kind: EntityKind) -> Sequence[str]:
            return ()

    tally = Tally()
    rng = np.random.default_rng(0)
    draw = known_topics(TASKS["gad"].spec, Few(), tally)
    assert len({draw(("relation",), rng) for _ in range(50)}) > 6
    assert "drawn alone" in tally.notes["pairs"]
    for task in ("gad", "mqp"):
        with pytest.raises(UserError, match="choose another --knowledge"):
            known_topics(TASKS[task].spec, Nothing(), Tally())


# Lists.


def test_lists_are_cleaned() -> None:
    text = (
        '1. Asthma\n2) gout\n- asthma\n* "renal failure"\n\nHere are some:\n\u2022 COPD.\n4711\n'
        + "x" * 50
        + "\nas an AI model"
    )
    assert clean(text, longest=40) == ["Asthma", "gout", "renal failure", "COPD"]
    assert clean("1. TP53 | gout\nTP53\na | b | c\ngout | Gout\n| gout", longest=40, pairs=True) == ["TP53 | gout"]


def test_numbers_that_belong_to_a_name_stay() -> None:
    assert clean("5-fluorouracil\n12. 2,4-dinitrophenol\n- 17 beta-estradiol", longest=40) == [
        "5-fluorouracil", "2,4-dinitrophenol", "17 beta-estradiol",
    ]  # fmt: skip


def test_what_counts_names_nothing() -> None:
    numbered = "\n".join(f"GENE{k} | DISEASE{k}" for k in range(1, 51))
    assert clean(f"TP53 | gout\n{numbered}", longest=40, pairs=True) == ["TP53 | gout"]
    assert clean("A7\nA8\nA9\nA10\nA11\nA12\nChest pain", longest=40) == ["Chest pain"]
    family = ["TLR2", "TLR4", "TLR5", "TLR9"]
    assert clean("\n".join(family), longest=40) == family


def test_of_a_name_with_an_explanation_the_name_stays() -> None:
    text = "1. Tumor cell migration: genes that let cells pass through vessels\n2. Gout - crystals in the joints of men"
    assert clean(text, longest=30) == ["Tumor cell migration", "Gout"]
    assert clean("TNM: a system", longest=30) == ["TNM: a system"]


def test_names_of_fields_are_no_part_of_a_pair() -> None:
    assert clean("Gene: HLA-A | Disease: gout", longest=40, pairs=True) == ["HLA-A | gout"]


def test_a_list_is_asked_for_once_and_then_read_and_may_be_edited(tmp_path: Path) -> None:
    script = Script()
    rows, tally = made("clingen-llm", "mqp", script, 8, lists=tmp_path)
    listed = sorted(path.name for path in tmp_path.iterdir())
    assert listed == [
        "mqp.styles.txt", "mqp.topics.chemical.txt", "mqp.topics.disease.txt", "mqp.topics.symptom.txt",
    ]  # fmt: skip
    again = Script()
    made("clingen-llm", "mqp", again, 8, lists=tmp_path)
    assert all(prompt.schema for prompt in again.prompts)
    for path in tmp_path.iterdir():
        path.write_text("my own line\n")
    edited = Script()
    _, changed = made("clingen-llm", "mqp", edited, 8, lists=tmp_path)
    assert all("my own line" in prompt.text for prompt in edited.prompts)
    assert tally.notes["list mqp.styles"] != changed.notes["list mqp.styles"]
    assert changed.notes["list mqp.styles"].startswith("1 items, sha256 ")
    assert len(rows) == 8


def test_a_small_model_is_asked_again_until_nothing_new_comes() -> None:
    script = Script(lambda _, number: Answer(text=f" item{number // 16}\n- item", finish="stop"), "completion")
    tools = Tools(model=script)
    (items,) = made_lists(tools, [Listing("x", Prompt(text="List:\n-"), wanted=30, longest=40)])
    # Eight requests a round; the first two rounds say one thing, the next two another.
    assert [len(asked) for asked in script.rounds] == [8, 8]
    assert items == ["item0", "item"]


def test_a_cut_list_loses_its_last_item() -> None:
    script = Script(always(Answer(text="gout\nasthma\nchronic obst", finish="length")))
    listing = Listing("x", Prompt(text="List"), wanted=2, longest=40)
    assert made_lists(Tools(model=script), [listing]) == [["gout", "asthma"]]


def test_lists_are_asked_for_together_and_a_chat_model_until_half_is_there(tmp_path: Path) -> None:
    def answer(prompt: Prompt, number: int) -> Answer:
        items = [f"{prompt.text} {word(number, k)}" for k in range(5 if prompt.text == "few" else 25)]
        return Answer(text="\n".join(items), finish="stop")

    script = Script(answer)
    tools = Tools(model=script, lists=tmp_path)
    (tmp_path / "mine.txt").write_text("my own line\n")
    listings = [Listing(name, Prompt(text=name), wanted=40, longest=40) for name in ("few", "mine", "many")]
    few, mine, many = made_lists(tools, listings)
    assert [[prompt.text for prompt in asked] for asked in script.rounds] == [
        ["few"] * 2 + ["many"] * 2,
        ["few"],
        ["few"],
    ]
    assert mine == ["my own line"]
    assert len(many) == 40
    assert len(few) == 20
    assert (tmp_path / "many.txt").read_text().splitlines() == many


def test_a_list_without_items_says_what_to_do(tmp_path: Path) -> None:
    silent = Script(always(Answer(text="", finish="stop")))
    with pytest.raises(UserError, match=r"no usable item for the list x(.|\n)*write .*x\.txt yourself"):
        made_lists(Tools(model=silent, lists=tmp_path), [Listing("x", Prompt(text="List"), wanted=2, longest=40)])
    assert not list(tmp_path.iterdir())


# The search for an instruction.


def test_the_best_instruction_is_kept_and_can_be_edited(tmp_path: Path) -> None:
    def write(prompt: Prompt, number: int) -> Answer:
        if prompt.schema is None:
            options = "Write A about [TOPIC].\nWrite B without a place.\nWrite C about [TOPIC]."
            return Answer(text=options, finish="stop")
        if "text" not in prompt.schema["properties"]:  # asked again for the names in a text
            return Answer(text=json.dumps({"Disease": re.findall(r"ended (\w+)", prompt.text)}), finish="stop")
        good = "Write C" in prompt.text or "mentions no" in prompt.text
        return obedient(prompt, number) if good else Answer(text="{}", finish="stop")

    script = Script(write)
    rows, tally = made("tang", "ncbi-disease", script, 30, lists=tmp_path)
    assert len(rows) == 30
    assert (tmp_path / "ncbi-disease.instruction.txt").read_text() == "Write C about [TOPIC]\n"
    assert re.fullmatch("sha256 [0-9a-f]{64}", tally.notes["instruction"])
    trials = [asked for asked in script.rounds if asked[0].schema and "text" in asked[0].schema["properties"]][:-1]
    assert [len(asked) for asked in trials][:7] == [1] * 7, "the first one and two of each round, a sentence each"
    assert not any("Write B" in prompt.text for prompt in script.prompts if prompt.schema)
    (tmp_path / "ncbi-disease.instruction.txt").write_text("Write C my way: [TOPIC].\n")
    mine = Script(write)
    made("tang", "ncbi-disease", mine, 5, lists=tmp_path)
    assert all("Write C my way: disease" in p.text or "mentions no" in p.text for p in mine.prompts)


def test_the_first_instruction_stays_where_none_is_better(tmp_path: Path) -> None:
    """Proposals whose rows the model would label otherwise are worth nothing."""
    start = load_values(PROMPTS / "tang", "start", Tally())["sentence_similarity"][0]

    def write(prompt: Prompt, number: int) -> Answer:
        if prompt.schema is None:
            return Answer(text="Write of [TOPIC] at will.", finish="stop")
        if "label" in prompt.schema["properties"]:
            label = "similar" if "willed" in prompt.text else "different"
            return Answer(text=json.dumps({"label": label}), finish="stop")
        text = obedient(prompt, number).text
        wrong = "at will" in prompt.text or label_slots(TASKS["mqp"].spec, ["similar"])["order"] in prompt.text
        return Answer(text=text.replace("ended", "willed") if wrong else text, finish="stop")

    made("tang", "mqp", Script(write), 160, lists=tmp_path)
    assert (tmp_path / "mqp.instruction.txt").read_text().strip() == start
