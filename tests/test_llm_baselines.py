"""The baselines that ask a model: what they ask, that good answers fill every class, that bad ones are counted."""

import json
import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from string import Template
from typing import Any

import numpy as np
import pytest

from clinsynth.core.errors import NotPreparedError, UserError
from clinsynth.core.nouns import EntityKind, Example, Row, Task
from clinsynth.core.registry import TASKS
from clinsynth.data.samples import SampleStore
from clinsynth.generation import Request, generate
from clinsynth.generation.asking.answers import Wanted, form_of
from clinsynth.generation.asking.demonstrations import no_demos
from clinsynth.generation.asking.prompts import (
    PromptFile,
    fill,
    format_demos,
    label_slots,
    load,
    load_values,
    standing_slots,
    writing,
)
from clinsynth.generation.asking.rounds import Rounds, Several, missing, shares
from clinsynth.generation.asking.topics import clean, known_topics, made_list
from clinsynth.generation.baseline import BASELINES, Asking, Budget, Tally, TaskView, Tools, class_of
from clinsynth.generation.loop import task_view
from clinsynth.generation.record import read_generation
from clinsynth.generation.run import Means
from clinsynth.llm.payloads import Dialect
from clinsynth.llm.requests import Answer, BudgetSpentError, Mode, Prompt
from clinsynth.submissions import validate
from clinsynth.task_types import TASK_TYPES, task_type

PROMPTS = Path(__file__).parents[1] / "baselines" / "prompts"
NAMES = ("attributes", "clingen-kg", "clingen-llm", "demo", "naive", "tang")
ZERO_SHOT = ("attributes", "naive", "tang")
ONE_OF_EACH = ("hoc", "gad", "mediqa-rqe", "healthver", "mqp", "ncbi-disease", "casi")
MODES: tuple[Mode, ...] = ("chat", "completion")
SYLLABLES = ("ba", "ce", "di", "fo", "gu", "ka", "le", "mi", "no", "pu", "ra", "se", "ti", "vo", "zu")
Write = Callable[[Prompt, int], Answer]


def word(*number: int) -> str:
    return "".join(SYLLABLES[int(k)] for k in np.random.default_rng(number).integers(len(SYLLABLES), size=4))


def obedient(prompt: Prompt, number: int) -> Answer:
    """What a model would answer that does all that it is told: each text its own, every marker and mention in place."""
    if prompt.schema is None:
        if "[HEAD]" in prompt.text:
            return Answer(text="\n".join(f"Way {k} to write of [HEAD] with [TAIL]" for k in range(5)), finish="stop")
        if "[TOPIC]" in prompt.text:
            return Answer(text="\n".join(f"- Way {k} to write of [TOPIC]" for k in range(5)), finish="stop")
        pairs = (f"{k}. {word(number, k)} | {word(number, k, 1)}" for k in range(40))
        return Answer(text="\n".join(pairs), finish="stop")
    value: dict[str, Any] = {}
    places = sorted(set(re.findall(r"@\w+\$", prompt.text))) or re.findall(r"(?:gene|disease)\d", prompt.text)
    # The whole message of a chat, the own entry of a document.
    last = prompt.text if prompt.system else prompt.text.rstrip().rpartition("\n\n")[2]
    bare = "mentions no" in last or "without any" in last
    for place, (key, kind) in enumerate(prompt.schema["properties"].items()):
        markers = " and ".join(places)
        if key in ("gene", "disease", "chemical"):
            value[key] = f"{key}{number}"
            places = [*places, value[key]]
        elif kind["type"] == "string":
            words = (word(number, place, k) for k in range(9))
            value[key] = " ".join([*words, markers, "ended", word(number, 99)]).replace("  ", " ")
        else:
            value[key] = [] if bare or place > 1 else [word(number, 99)]
    return Answer(text=json.dumps(value), finish="stop")


def always(answer: Answer) -> Write:
    return lambda _, __: answer


class Script:
    """A model whose answers are a function of the prompt and of how many it had before."""

    model = "script"

    def __init__(self, write: Write = obedient, mode: Mode = "chat") -> None:
        self.mode: Mode = mode
        self.write = write
        self.rounds: list[list[Prompt]] = []

    @property
    def prompts(self) -> list[Prompt]:
        return [prompt for asked in self.rounds for prompt in asked]

    def ask(self, prompts: Sequence[Prompt]) -> Iterator[Answer]:
        before = len(self.prompts)
        self.rounds.append([])
        for k, prompt in enumerate(prompts):  # which may grow
            self.rounds[-1].append(prompt)
            yield self.write(prompt, before + k)


class Names:
    """A source of knowledge that is small enough to be known by heart."""

    name = "names v1"

    def names(self, kind: EntityKind) -> Sequence[str]:
        return () if kind == "symptom" else tuple(f"{kind}{k}" for k in range(6))

    def pairs(self, first: EntityKind, second: EntityKind) -> Sequence[tuple[str, str]]:
        return tuple((f"{first}{k}", f"{second}{k}") for k in range(4))

    def of_label(self, task: str, label: str) -> Sequence[tuple[str, ...]]:
        return ()


def view_of(name: str) -> TaskView:
    return task_view(TASKS[name], SampleStore(), "train")[0]


def blind(name: str) -> TaskView:
    """A view whose real examples must not be looked at."""

    def never() -> Sequence[Example]:
        raise NotPreparedError("no real data here")

    return TaskView(TASKS[name].spec, never, never)


def take(rows: Iterator[Row], tally: Tally, number: int) -> list[Row]:
    """As the harness does: rows are counted as they are taken."""
    taken: list[Row] = []
    for row in rows:
        taken.append(row)
        tally.kept[class_of(row)] += 1
        if len(taken) == number:
            break
    return taken


def made(baseline: str, task: str, script: Script, number: int, seed: int = 0, **tools: Any) -> tuple[list[Row], Tally]:
    view = blind(task) if baseline in ZERO_SHOT else view_of(task)
    tally = Tally()
    given = Tools(tally=tally, model=script, source=Names(), **tools)
    rows = BASELINES[baseline].generate(view, given, Budget(number), np.random.default_rng(seed))
    return take(rows, tally, number), tally


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


# Rounds.


def plain(rounds_of: Callable[[tuple[str, ...]], Wanted] | None = None) -> Callable[[tuple[str, ...]], Wanted]:
    return rounds_of or (lambda labels: Wanted(labels=labels))


ROW = PromptFile(system="", chat="Write $label.\n$form", title="", entry="")


def rounds(task: str, script: Script, number: int, tally: Tally, **more: Any) -> Rounds:
    tools = Tools(tally=tally, model=script)
    return Rounds(blind(task), tools, Budget(number), np.random.default_rng(0), plain(), ROW, **more)


def test_what_comes_to_nothing_is_asked_for_anew_at_once() -> None:
    def write(prompt: Prompt, number: int) -> Answer:
        """Of the first twenty, five of the ten that are asked for one of the classes come to nothing."""
        return obedient(prompt, number) if number % 4 != 1 or number >= 20 else Answer(text="", finish="stop")

    script, tally = Script(write), Tally()
    rows = take(iter(rounds("mqp", script, 20, tally)), tally, 20)
    assert Counter(row["label"] for row in rows) == {"similar": 10, "different": 10}
    (asked,) = script.rounds
    labels = [prompt.text.split()[1] for prompt in asked]
    assert Counter(labels[:20]) == {"similar.": 10, "different.": 10}
    assert set(labels[20:]) == {"different."}
    assert len(asked) == 25


def test_a_model_that_looks_at_its_list_only_once_is_asked_again() -> None:
    class Hasty(Script):
        def ask(self, prompts: Sequence[Prompt]) -> Iterator[Answer]:
            yield from super().ask(list(prompts))

    hasty = Hasty(lambda prompt, number: obedient(prompt, number) if number > 3 else Answer(text="", finish="stop"))
    tally = Tally()
    assert len(take(iter(rounds("mqp", hasty, 8, tally)), tally, 8)) == 8
    assert len(hasty.rounds) > 1


def test_classes_take_turns() -> None:
    script, tally = Script(), Tally()
    take(iter(rounds("healthver", script, 7, tally)), tally, 7)
    labels = [prompt.text.split()[1].strip(".") for prompt in script.rounds[0]]
    assert labels == ["supports", "refutes", "neutral", "supports", "refutes", "neutral", "supports"]


def test_a_class_that_is_full_takes_no_more() -> None:
    tally = Tally(kept=Counter({"similar": 9}))
    script = Script()
    rows = take(iter(rounds("mqp", script, 12, tally)), tally, 3)
    assert [row["label"] for row in rows] == ["different"] * 3
    assert len(script.rounds[0]) <= 6


def test_a_model_that_repeats_itself_ends_it() -> None:
    """The harness takes no row twice; nothing new comes for three times what would bring eight at the worst yield."""
    script, tally = Script(lambda prompt, _: obedient(prompt, 0)), Tally()
    offered = 0
    for row in rounds("mqp", script, 10, tally):
        offered += 1
        if not tally.kept[class_of(row)]:
            tally.kept[class_of(row)] += 1
    assert tally.kept == {"similar": 1, "different": 1}
    assert offered == len(script.prompts) == 2 + 3 * 8 / 0.1


def test_a_model_that_says_nothing_ends_it() -> None:
    script, tally = Script(always(Answer(text="", finish="failed"))), Tally()
    assert list(rounds("mqp", script, 10, tally)) == []
    assert tally.dropped == {"failed": 300} == {"failed": len(script.prompts)}, "three times ten for each missing row"


def test_what_was_made_before_the_budget_ended_is_kept() -> None:
    class Poor(Script):
        def ask(self, prompts: Sequence[Prompt]) -> Iterator[Answer]:
            for answer, _ in zip(super().ask(prompts), range(4), strict=False):
                yield answer
            raise BudgetSpentError

    tally, rows = Tally(), list[Row]()
    with pytest.raises(BudgetSpentError):
        for row in rounds("mqp", Poor(), 10, tally):
            rows.append(row)
            tally.kept[class_of(row)] += 1
    assert len(rows) == 4


def test_shares_and_what_is_missing() -> None:
    assert shares(TASKS["healthver"].spec, 8) == {"supports": 3, "refutes": 3, "neutral": 2}
    assert shares(TASKS["casi"].spec, 8) == {"": 8}
    labels = TASKS["hoc"].spec.labels
    lacking = missing(TASKS["hoc"].spec, {f"{labels[0]}|{labels[1]}": 2, labels[2]: 3}, 20)
    assert [lacking[label] for label in labels[:4]] == [1.0, 1.0, 0.0, 2.0]


def test_pairs_are_written_in_two_steps() -> None:
    script = Script()
    rows, _ = made("clingen-kg", "healthver", script, 12)
    styles, pairs = script.rounds
    first, second = pairs[:4], pairs[4:]
    assert [len(styles), len(first), len(second)] == [1, 4, 12]
    assert all(list((prompt.schema or {})["properties"]) == ["claim"] for prompt in first)
    assert all(list((prompt.schema or {})["properties"]) == ["evidence"] for prompt in second)
    assert Counter(Counter(row["claim"] for row in rows).values()) == {3: 4}, "each claim serves every label"
    by_claim = {row["claim"] for row in rows}
    assert all(any(f"The claim is: {claim}" in prompt.text for claim in by_claim) for prompt in second)


@pytest.mark.parametrize("baseline", NAMES)
def test_question_pairs_get_the_definition_of_their_label(baseline: str) -> None:
    """The released ClinGen code exchanges the two."""
    script, spec = Script(), TASKS["mqp"].spec
    rows, _ = made(baseline, "mqp", script, 8)
    orders = {label: label_slots(spec, [label])["order"] for label in spec.labels}
    other = {"similar": "different", "different": "similar"}
    for label, order in orders.items():
        texts = [p.text for p in script.prompts if order in p.text]
        assert texts
        assert not any(orders[other[label]] in text for text in texts)
    # The pair that answers a request has the label that the request names.
    answers = {
        json.loads(obedient(p, k).text).get("second_question", ""): p.text
        for k, p in enumerate(script.prompts)
        if p.schema
    }
    assert all(orders[row["label"]] in answers[row["text_b"]] for row in rows)


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
    items = made_list(tools, "x", Prompt(text="List:\n-"), wanted=30, longest=40)
    # Eight requests a round; the first two rounds say one thing, the next two another.
    assert [len(asked) for asked in script.rounds] == [8, 8]
    assert items == ["item0", "item"]


def test_a_cut_list_loses_its_last_item() -> None:
    script = Script(always(Answer(text="gout\nasthma\nchronic obst", finish="length")))
    assert made_list(Tools(model=script), "x", Prompt(text="List"), wanted=2, longest=40) == ["gout", "asthma"]


def test_a_list_without_items_says_what_to_do(tmp_path: Path) -> None:
    silent = Script(always(Answer(text="", finish="stop")))
    with pytest.raises(UserError, match=r"no usable item for the list x(.|\n)*write .*x\.txt yourself"):
        made_list(Tools(model=silent, lists=tmp_path), "x", Prompt(text="List"), wanted=2, longest=40)
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
