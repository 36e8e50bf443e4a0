"""Every task: its spec is coherent and its bundled sample is good."""

import re
from itertools import pairwise
from pathlib import Path

import pytest

from clinsynth.core.errors import NotPreparedError
from clinsynth.core.nouns import Example, Task
from clinsynth.core.registry import TASKS
from clinsynth.data.fetch import splits_of
from clinsynth.data.samples import SampleStore, few_shot
from clinsynth.scoring.metrics import METRICS
from clinsynth.task_types import TASK_TYPES, task_type

SAMPLES = SampleStore()
PAGE = Path(__file__).parents[1] / "docs" / "tasks.md"


@pytest.fixture(params=sorted(TASKS))
def task(request: pytest.FixtureRequest) -> Task:
    return TASKS[request.param]


def carried(example: Example) -> set[str]:
    return {*example.labels, *(span.label for span in example.spans)}


def test_the_sixteen_tasks_cover_the_seven_types() -> None:
    assert len(TASKS) >= 16
    assert {task.spec.type for task in TASKS.values()} == TASK_TYPES.keys()


def test_the_module_is_named_after_the_task(task: Task) -> None:
    assert task.read.__module__.rpartition(".")[2] == task.spec.name.replace("-", "_")


def test_labels_hang_together(task: Task) -> None:
    spec = task.spec
    assert spec.labels
    assert len(set(spec.labels)) == len(spec.labels)
    assert tuple(spec.label_descriptions) == spec.labels
    assert all(text.strip() == text and text for text in spec.label_descriptions.values())
    assert spec.negative_label is None or spec.negative_label in spec.labels
    assert not spec.clingen_labels or sorted(spec.clingen_labels) == sorted(spec.labels)


def test_definitions_give_no_examples(task: Task) -> None:
    # A small model copies them into every row; and several definitions are joined by semicolons.
    for text in task.spec.label_descriptions.values():
        assert not re.search(r"\b(such as|for example|for instance|e\.g\.|including)|[();\"]", text), text


def test_the_page_of_the_tasks_is_current(task: Task) -> None:
    spec = task.spec
    text = PAGE.read_text("utf-8")
    headings = ", ".join(re.findall(r"^### (.*)$", text, re.MULTILINE)).split(", ")
    assert spec.name in headings
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in text.splitlines() if line.startswith("|")]
    # Of the two tables that name every task, the one with its version.
    row = next(row for row in rows if f"`{spec.name}`" in row[0] and row[-1].isdigit())
    assert row[-1] == str(spec.version)
    assert row[-2] in ("", METRICS[spec.metric].title)


def test_text_names_match_the_type(task: Task) -> None:
    assert len(task.spec.text_names) == len(task_type(task.spec).text_keys)


def test_the_metric_suits_the_type(task: Task) -> None:
    spec = task.spec
    metrics = {spec.metric, *spec.also}
    assert len(metrics) == 1 + len(spec.also)
    assert ("entity_f1" in metrics) == spec.is_span
    # The F1 of one label is highest, or nearly, where that label is said always.
    assert spec.metric != "f1"
    if "f1" in metrics:
        assert spec.negative_label is not None
        assert len(spec.labels) == 2
    if spec.multi_label:
        assert "accuracy" not in metrics


def test_prose(task: Task) -> None:
    spec = task.spec
    assert spec.description.endswith(".")
    assert spec.description.count(". ") == 0, "one sentence"
    assert spec.licence
    assert spec.homepage.startswith("https://")
    assert all(note.strip() == note and note.endswith(".") for note in spec.notes)


def test_the_citation_is_one_bibtex_entry(task: Task) -> None:
    citation = task.spec.citation
    entry = re.fullmatch(r"@(article|inproceedings|misc)\{([a-z0-9]+),\n(.*)\n\}", citation, re.DOTALL)
    assert entry
    depths = [0]
    for character in citation:
        depths.append(depths[-1] + {"{": 1, "}": -1}.get(character, 0))
    assert depths[-1] == 0
    assert min(depths) == 0
    assert sum(a == 0 and b == 1 for a, b in pairwise(depths)) == 1, "one entry"
    fields = dict(re.findall(r"^  (\w+) = \{(.+?)\}(?:,$|\Z|$)", entry[3], re.DOTALL | re.MULTILINE))
    assert {"title", "author", "year"} <= fields.keys()
    assert re.fullmatch(r"(19|20)\d\d", fields["year"])


def test_sources_are_pinned_or_restricted(task: Task) -> None:
    spec = task.spec
    assert len({source.path for source in spec.sources}) == len(spec.sources)
    for source in spec.sources:
        assert source.splits
        if spec.access == "open":
            assert re.fullmatch(r"https://raw\.githubusercontent\.com/[\w.-]+/[\w.-]+/[0-9a-f]{40}/\S+", source.url)
            assert re.fullmatch(r"[0-9a-f]{64}", source.sha256) or re.fullmatch(r"[0-9a-f]{40}", source.git_blob)
        else:
            assert not source.url, "restricted data are never downloaded for the user"
            assert source.path in spec.apply


def test_rows_and_access(task: Task) -> None:
    spec = task.spec
    assert "test" in splits_of(spec)
    assert set(spec.rows) <= set(splits_of(spec))
    assert all(rows > 0 for rows in spec.rows.values())
    assert bool(spec.apply) == (spec.access != "open")


def test_the_sample_is_big_enough_and_has_every_label(task: Task) -> None:
    rows = SAMPLES.rows(task)  # raises for a row that the task type refuses
    assert rows.keys() == {"train", "test"}
    assert rows["train"] >= 24
    assert rows["test"] >= 40
    for split in ("train", "test"):
        examples = SAMPLES.examples(task, split)
        assert {label for example in examples for label in carried(example)} == set(task.spec.labels)


def test_no_text_of_the_sample_is_in_both_splits(task: Task) -> None:
    seen = [{text for e in SAMPLES.examples(task, split) for text in e.texts} for split in ("train", "test")]
    assert not seen[0] & seen[1]


def test_few_shot_from_the_sample(task: Task) -> None:
    drawn = few_shot(SAMPLES, task, per_class=2)
    assert drawn == few_shot(SAMPLES, task, per_class=2)
    assert drawn.split == "train"
    assert set(drawn.examples) <= set(SAMPLES.examples(task, "train"))
    for label in task.spec.labels:
        assert sum(label in carried(example) for example in drawn.examples) >= 2
    assert len(drawn.examples) <= 2 * len(task.spec.labels)


def test_the_sample_has_no_dev_split(task: Task) -> None:
    with pytest.raises(NotPreparedError, match=task.spec.name):
        SAMPLES.examples(task, "dev")
