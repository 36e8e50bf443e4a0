"""The rounds of requests: what comes to nothing is asked for again, classes take turns, and an end is found."""

import json
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import pytest
from tests.scripted_model import (
    NAMES,
    Script,
    always,
    blind,
    made,
    obedient,
    take,
)

from clinsynth.core.nouns import Row
from clinsynth.core.registry import TASKS
from clinsynth.generation.asking.answers import Wanted
from clinsynth.generation.asking.prompts import (
    PromptFile,
    label_slots,
)
from clinsynth.generation.asking.rounds import Rounds, missing, shares
from clinsynth.generation.baseline import Budget, Tally, Tools, class_of
from clinsynth.llm.requests import Answer, BudgetSpentError, Prompt

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
    assert [len(styles), len(first), len(second)] == [2, 4, 12]
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
