"""Suites: the measures of an answer, and models that grade one."""

from collections import Counter
from pathlib import Path

import pytest
from tests.asking import needs_lm_eval
from tests.judges import Script, needs_measures

from clinsynth.core.errors import UserError
from clinsynth.direct.suites.humans import alpha, correlate
from clinsynth.direct.suites.judge import GRADED, Case, compare_answers, grade, open_judges
from clinsynth.direct.suites.texts import overlap, same_diagnosis, text_scores
from clinsynth.llm import Client
from clinsynth.llm.requests import Answer, Prompt

# --- measures


@needs_measures
def test_text_measures() -> None:
    same = text_scores(["the patient has a cough today"], [["the patient has a cough today"]], "en")
    assert all(value == pytest.approx(1.0) for value in same.values())
    none = text_scores(["completely other words"], [["the patient has a cough"]], "en")
    assert none["rouge1"] == none["gleu"] == 0
    empty = text_scores(["", "the patient coughs"], [["the patient coughs"], ["the patient coughs"]], "en")
    assert empty["rougeL"] == pytest.approx(0.5)
    half = text_scores(["a b c d"], [["a b x y"]], "en")
    assert half["rouge1"] == pytest.approx(0.5)
    assert half["rouge2"] == pytest.approx(1 / 3)


@needs_measures
def test_the_best_reference_counts_and_chinese_is_read_by_character() -> None:
    found = text_scores(["多喝水休息"], [["别的话", "多喝水休息"]], "zh")
    assert found["rougeL"] == found["bleu"] == found["gleu"] == pytest.approx(1.0)
    with pytest.raises(ValueError, match="2 answers"):
        text_scores(["a", "b"], [["a"]], "en")


@pytest.mark.parametrize(
    ("answer", "reference", "same", "words"),
    [
        ("Hirschsprung disease.", "Hirschsprung’s disease", True, 1.0),
        ("the progressive multifocal encephalopathy", "Progressive multifocal encephalopathy (PML)", True, 1.0),
        ("bacterial pneumonia", "Pneumonia", False, 2 / 3),
        ("", "Pneumonia", False, 0.0),
        ("asthma", "Pneumonia", False, 0.0),
    ],
)
def test_diagnoses(answer: str, reference: str, same: bool, words: float) -> None:
    assert same_diagnosis(answer, reference) is same
    assert overlap(answer, reference) == pytest.approx(words)


@needs_lm_eval
@pytest.mark.parametrize(
    ("text", "choice"),
    [
        ("B", 1), (" b.", 1), ("(C)", 2), ("D) dead", 3), ("B. beta", 1), ("Answer: A", 0), ("beta", 1), ("Gamma.", 2),
        ("E", None), ("A patient", None), ("I think B", None), ("", None), ("A or B", None),
    ],
)  # fmt: skip
def test_choices(text: str, choice: int | None) -> None:
    from clinsynth.direct.suites.clinicalgpt import read_choice
    from clinsynth.direct.suites.sets import Item

    assert read_choice(Item({}, "", ("alpha", "beta", "gamma", "delta")), text) == choice


@needs_lm_eval
@pytest.mark.parametrize(("text", "choice"), [("Yes", 0), ("no.", 1), ("Maybe, since", 2), ("not sure", None)])
def test_yes_no_maybe(text: str, choice: int | None) -> None:
    from clinsynth.direct.suites.clinicalgpt import read_choice
    from clinsynth.direct.suites.sets import Item

    assert read_choice(Item({}, "", ("yes", "no", "maybe")), text) == choice


CASES = [Case("A note.", "What is wrong?", f"answer {k}") for k in range(12)]


def test_grades_are_read_strictly_and_the_rest_is_counted() -> None:
    said = [
        '{"grade": 4}', '```json\n{"grade": "2"}\n```', '{"grade": 0}', '{"grade": 5}', '{"grade": 3.5}', "4",
        "Grade: 4", "", Answer(text='{"gra', finish="length"), Answer(text="", finish="failed"),
        Answer(text="", finish="filtered"),
        '{"grade": 1, "why": "x"}',
    ]  # fmt: skip
    judge = Script(said)
    found = grade(judge, CASES)
    assert found.grades == (4, 2, *[None] * 10)
    assert found.failures == Counter(
        {"off-scale": 3, "wrong-key": 2, "not-json": 1, "empty": 1, "truncated": 1, "no-reply": 1, "withheld": 1}
    )
    assert all(prompt.temperature == 0 and prompt.schema for prompt in judge.prompts)
    assert all(case.answer in prompt.text for case, prompt in zip(CASES, judge.prompts, strict=True))
    assert "answer 1" not in judge.prompts[0].text, "each answer is graded alone"


def test_a_base_model_can_judge_too() -> None:
    judge = Script(["4", " 3.", "4 out of 4", "none", " 44"], "completion")
    found = grade(judge, CASES[:5])
    assert found.grades == (4, 3, None, None, None)
    assert found.failures == Counter({"no-value": 2, "off-scale": 1})
    for case, prompt in zip(CASES, judge.prompts, strict=False):
        worked, _, last = prompt.text.rpartition("]\n\n")
        assert all(shown.answer in worked and f"[{value}]" in prompt.text for shown, value in GRADED)
        assert case.answer in last
        assert last.endswith("[")
    paired = compare_answers(
        Script(["A", "B", "tie", "tie"], "completion"), list(zip(CASES[:2], CASES[2:4], strict=True))
    )
    assert (paired.first, paired.ties, paired.failures) == (1, 1, Counter())


def test_pairs_count_where_both_orders_agree() -> None:
    pairs = list(zip(CASES[:6], CASES[6:], strict=True))
    said = [f'{{"better": "{x}"}}' for order in ("AB", "BA", ("tie", "tie"), "AA", ("tie", "A")) for x in order]
    judge = Script([*said, '{"better": "A"}', "no"])
    found = compare_answers(judge, pairs)
    assert (found.first, found.second, found.ties, found.inconsistent) == (1, 1, 1, 2)
    assert found.failures == Counter({"not-json": 1})
    assert found.share == 0.5
    one, two = judge.prompts[:2]
    assert one.text.index("answer 0") < one.text.index("answer 6")
    assert two.text.index("answer 6") < two.text.index("answer 0")


def test_alpha_is_that_of_the_literature() -> None:
    """Krippendorff (2011, Computing Krippendorff's Alpha-Reliability), the four observers: ordinal 0.815."""
    nan = None
    observers: dict[str, list[int | None]] = {
        "A": [1, 2, 3, 3, 2, 1, 4, 1, 2, nan, nan, nan],
        "B": [1, 2, 3, 3, 2, 2, 4, 1, 2, 5, nan, 3],
        "C": [nan, 3, 3, 3, 2, 3, 4, 2, 2, 5, 1, nan],
        "D": [1, 2, 3, 3, 2, 4, 4, 1, 2, 5, 1, nan],
    }
    assert alpha(observers) == pytest.approx(0.815, abs=5e-4)
    assert alpha({"a": [1, 2, 3, 4], "b": [1, 2, 3, 4]}) == pytest.approx(1.0)
    # The same paper's two observers of ten articles: 0.095; with two values, nominal is ordinal.
    first = [0, 1, 0, 0, 0, 0, 0, 0, 1, 0]
    second = [1, 1, 1, 0, 0, 1, 0, 0, 0, 0]
    assert alpha({"A": first, "B": second}) == pytest.approx(0.095, abs=5e-4)
    assert alpha({"a": [1, 2, 3]}) is None
    assert alpha({"a": [1, 1, 1], "b": [1, 1, 1]}) is None
    assert alpha({"a": [1, None, 3], "b": [None, 2, None]}) is None
    opposite = alpha({"a": [1, 2, 3, 4], "b": [4, 3, 2, 1]})
    assert opposite is not None
    assert opposite < 0


def test_correlations() -> None:
    found = correlate([1, 2, 3, 4, 5, None], [2, 4, 6, 8, 10, 3])
    assert (found.rho, found.cases) == (pytest.approx(1.0), 5)
    assert correlate([1, 1, 1, 1], [1, 2, 3, 4]).rho is None
    inverse = correlate(list(range(30)), [-k * k for k in range(30)])
    assert inverse.rho == pytest.approx(-1.0)
    assert inverse.high is not None
    assert inverse.high < 0


def test_judges_are_named_with_their_address(tmp_path: Path) -> None:
    with open_judges(["j1=http://127.0.0.1:9/v1", "j2=http://127.0.0.1:9/v1,completion"], tmp_path) as judges:
        assert {name: judge.mode for name, judge in judges.items()} == {"j1": "chat", "j2": "completion"}
    for bad in (["j1"], ["=http://x"], ["a=http://x/v1,talk"], ["a=http://x/v1", "a=http://y/v1"]):
        with pytest.raises(UserError), open_judges(bad, tmp_path):
            pass


def test_a_judge_that_thinks_first_gets_room(tmp_path: Path) -> None:
    with open_judges(["j1=http://127.0.0.1:9/v1"], tmp_path, 4_000) as judges:
        judge = judges["j1"]
        assert isinstance(judge, Client)
        assert judge.as_asked(Prompt(text="x", max_tokens=32)).max_tokens == 4_000
