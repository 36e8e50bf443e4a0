"""Baselines: their output goes through the door that a stranger's does."""

import gzip
import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest

from clinsynth.core.errors import UserError
from clinsynth.core.nouns import Example, Row, Split, Task
from clinsynth.core.registry import TASKS
from clinsynth.data.samples import SampleStore
from clinsynth.data.store import DataStore
from clinsynth.generation import Means, Request, generate
from clinsynth.generation.baseline import BASELINES, Baseline, Budget, Knowledge, TaskView, Tools
from clinsynth.generation.knowledge import open_knowledge
from clinsynth.submissions import new_submission, read_submission, validate

SAMPLE = SampleStore()
ALL = tuple(TASKS.values())


class AsIfReal(SampleStore):
    """The sample under the name of real data."""

    kind: Literal["real", "sample"] = "real"


class DevOnly(AsIfReal):
    """A task whose train split is not here."""

    def rows(self, task: Task) -> dict[Split, int]:
        return {"dev": super().rows(task)["train"]}

    def examples(self, task: Task, split: Split) -> list[Example]:
        return super().examples(task, "train" if split == "dev" else "test")


ASK_NOBODY = sorted(name for name, baseline in BASELINES.items() if "llm" not in baseline.needs)
ASK_A_MODEL = sorted(name for name, baseline in BASELINES.items() if "llm" in baseline.needs)


@pytest.fixture(params=ASK_NOBODY)
def baseline(request: pytest.FixtureRequest) -> Baseline:
    return BASELINES[request.param]


@pytest.fixture(scope="module")
def names() -> Knowledge:
    return open_knowledge("builtin")


@pytest.fixture
def means(names: Knowledge) -> Means:
    return Means(source=names)


def carried(example: Example) -> set[str]:
    return {*example.labels, *(span.label for span in example.spans)}


def files(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted((folder / "data").iterdir())}


def test_every_baseline_gives_valid_rows_for_every_task(baseline: Baseline, means: Means, tmp_path: Path) -> None:
    out = tmp_path / (baseline.name if baseline.reference else "made")
    done = generate(baseline, Request(tasks=ALL, rows=10, out=out), SAMPLE, means)
    assert done.rows.keys() == TASKS.keys()
    assert (done.kept, done.skipped) == ({}, {})
    report = validate(out)
    assert report.exit_code == 0, str(report)
    assert dict(report.rows) == done.rows
    submission = read_submission(out)
    assert submission.card.kind == ("reference" if baseline.reference else "submission")
    assert submission.card.real_data.used == baseline.real_data
    assert all(submission.rows(name) for name in TASKS)


def test_the_same_seed_gives_the_same_bytes(baseline: Baseline, means: Means, tmp_path: Path) -> None:
    made = [tmp_path / "one" / "made", tmp_path / "two" / "made"]
    for out in made:
        generate(baseline, Request(tasks=ALL[:4], rows=10, out=out), SAMPLE, means)
    assert files(made[0]) == files(made[1])


def test_gold_n_is_a_draw_of_its_seed(tmp_path: Path) -> None:
    drawn: list[list[Example]] = []
    for seed in (0, 1):
        out = tmp_path / f"seed{seed}"
        generate(BASELINES["gold-n"], Request(tasks=[TASKS["gad"]], rows=10, out=out, seed=seed), SAMPLE)
        drawn.append(read_submission(out).rows("gad"))
    train = {example.texts for example in SAMPLE.examples(TASKS["gad"], "train")}
    assert all(len(rows) == 10 and {example.texts for example in rows} < train for rows in drawn)
    assert drawn[0] != drawn[1]


def test_gold_full_is_everything(tmp_path: Path) -> None:
    generate(BASELINES["gold-full"], Request(tasks=ALL, rows=10, out=tmp_path / "made"), SAMPLE)
    submission = read_submission(tmp_path / "made")
    for name, task in TASKS.items():
        real = [replace(example, unit="") for example in SAMPLE.examples(task, "train")]
        assert submission.rows(name) == real


def test_gold_few_has_five_of_each_class_or_all(tmp_path: Path) -> None:
    generate(BASELINES["gold-few"], Request(tasks=ALL, rows=10, out=tmp_path / "made"), SAMPLE)
    submission = read_submission(tmp_path / "made")
    for name, task in TASKS.items():
        have = Counter(label for example in submission.rows(name) for label in carried(example))
        there = Counter(label for example in SAMPLE.examples(task, "train") for label in carried(example))
        assert all(have[label] >= min(5, there[label]) for label in task.spec.labels), name


def test_rows_of_real_text_stay_out_of_git(baseline: Baseline, means: Means, tmp_path: Path) -> None:
    for store, private in ((AsIfReal(), baseline.real_data != "none"), (SAMPLE, False)):
        out = tmp_path / store.kind
        generate(baseline, Request(tasks=[TASKS["gad"]], rows=10, out=out), store, means)
        ignore = out / "data" / ".gitignore"
        assert ignore.exists() == private
        if private:
            assert ignore.read_text() == "*\n"
            assert "not to be published" in read_submission(out).card.licence


def words(view: TaskView, tools: Tools, budget: Budget, rng: np.random.Generator) -> Iterator[Row]:
    for k in range(budget.rows):
        yield {
            "text": f"@GENE$ and @DISEASE$ {k} " + "abcdefghijklm"[k % 13] * 30,
            "label": view.spec.labels[int(rng.integers(2))],
        }


INVENTED = Baseline(name="invented", title="Invented", description="made up", real_data="none", generate=words)


def test_a_method_without_real_text_may_be_published(tmp_path: Path) -> None:
    out = tmp_path / "made"
    generate(INVENTED, Request(tasks=[TASKS["gad"]], rows=10, out=out), AsIfReal())
    assert not (out / "data" / ".gitignore").exists()
    card = read_submission(out).card
    assert (card.licence, card.real_data.used, card.kind) == ("Apache-2.0", "none", "submission")


def test_a_bad_row_of_a_baseline_is_a_bug(tmp_path: Path) -> None:
    def bad(view: TaskView, tools: Tools, budget: Budget, rng: np.random.Generator) -> Iterator[Row]:
        yield {"text": "no markers", "label": "perhaps"}

    request = Request(tasks=[TASKS["gad"]], rows=1, out=tmp_path / "made")
    with pytest.raises(AssertionError, match="invented made a bad row for gad: missing-marker"):
        generate(replace(INVENTED, generate=bad), request, SAMPLE)
    assert not (tmp_path / "made").exists()


def test_a_second_call_keeps_and_adds(tmp_path: Path) -> None:
    out = tmp_path / "made"
    gad, mqp = TASKS["gad"], TASKS["mqp"]
    generate(BASELINES["gold-n"], Request(tasks=[gad], rows=10, out=out), SAMPLE)
    before = files(out)
    done = generate(BASELINES["gold-n"], Request(tasks=[gad, mqp], rows=5, out=out, seed=7), SAMPLE)
    assert done.kept.keys() == {"gad"}
    assert done.rows == {"mqp": 5}
    assert files(out).items() >= before.items()


def test_another_methods_folder_is_refused(tmp_path: Path) -> None:
    out = tmp_path / "made"
    request = Request(tasks=[TASKS["gad"]], rows=10, out=out)
    generate(BASELINES["gold-n"], request, SAMPLE)
    before = files(out), (out / "submission.toml").read_bytes()
    with pytest.raises(UserError, match=r"holds another submission(.|\n)*gold-n"):
        generate(BASELINES["gold-full"], request, SAMPLE)
    assert (files(out), (out / "submission.toml").read_bytes()) == before


def test_a_card_that_is_not_filled_in_is_not_overwritten(tmp_path: Path) -> None:
    out = new_submission("mine", tmp_path)
    before = (out / "submission.toml").read_bytes()
    with pytest.raises(UserError, match="holds another submission"):
        generate(BASELINES["gold-n"], Request(tasks=[TASKS["gad"]], rows=10, out=out), SAMPLE)
    assert (out / "submission.toml").read_bytes() == before


@pytest.mark.parametrize(("change", "said"), [({"rows": 0}, "0 rows"), ({"rows": -5}, "-5 rows")])
def test_a_senseless_number_of_rows(change: dict[str, Any], said: str, tmp_path: Path) -> None:
    request = replace(Request(tasks=[TASKS["gad"]], rows=1, out=tmp_path / "made"), **change)
    with pytest.raises(UserError, match=said):
        generate(BASELINES["gold-n"], request, SAMPLE)


def test_a_folder_that_cannot_be_a_submissions_name(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="cannot name a submission"):
        generate(BASELINES["gold-n"], Request(tasks=[TASKS["gad"]], rows=1, out=tmp_path / "My_Data"), SAMPLE)


def test_dev_rows_are_used_on_request_and_disclosed(tmp_path: Path) -> None:
    request = Request(tasks=[TASKS["gad"]], rows=10, out=tmp_path / "made")
    with pytest.raises(UserError, match=r"could make nothing(.|\n)*--real-split dev"):
        generate(BASELINES["gold-n"], request, DevOnly())
    generate(BASELINES["gold-n"], replace(request, real_split="dev"), DevOnly())
    (disclosure,) = read_submission(tmp_path / "made").card.disclosures
    assert disclosure.startswith("gad: rows come from the dev split")
    few = replace(request, out=tmp_path / "few")
    generate(BASELINES["gold-few"], few, DevOnly())
    assert read_submission(tmp_path / "few").card.disclosures == (disclosure,)


def test_what_a_baseline_has_to_tell_goes_on_the_card(tmp_path: Path) -> None:
    told = replace(BASELINES["gold-n"], disclosures={"gad": "something.", "mqp": "else."})
    generate(told, Request(tasks=[TASKS["gad"]], rows=10, out=tmp_path / "made"), SAMPLE)
    assert read_submission(tmp_path / "made").card.disclosures == ("gad: something.",)


def test_nothing_prepared(tmp_path: Path) -> None:
    request = Request(tasks=ALL, rows=10, out=tmp_path / "made")
    with pytest.raises(UserError, match="could make nothing"):
        generate(BASELINES["gold-n"], request, DataStore(tmp_path / "data"))
    assert not (tmp_path / "made").exists()


def test_the_rows_are_plain_json_lines(tmp_path: Path) -> None:
    generate(BASELINES["gold-n"], Request(tasks=[TASKS["casi"]], rows=3, out=tmp_path / "made"), SAMPLE)
    lines = gzip.decompress((tmp_path / "made" / "data" / "casi.jsonl.gz").read_bytes()).decode().splitlines()
    assert [json.loads(line).keys() for line in lines] == [{"text", "entities"}] * 3
