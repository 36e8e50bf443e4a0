"""A run, end to end: every type of task, the same bytes for the same seed, and clear words where it cannot be."""

import gzip
import json
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest

from clinsynth.core.errors import UserError
from clinsynth.core.files import sha256_file
from clinsynth.core.nouns import Example, Prediction
from clinsynth.core.registry import TASKS
from clinsynth.data.samples import SampleStore, few_shot
from clinsynth.results.store import Cell, Draw, Results, RunRecord
from clinsynth.scoring.metrics import score_all
from clinsynth.task_types import TASK_TYPES, task_type
from clinsynth.training.device import processor_name
from clinsynth.training.draws import draw, label_divergence, labels_of
from clinsynth.training.draws import places as drawn_places
from clinsynth.training.recipe import RECIPES, Recipe, Weights, recipe_fingerprint
from clinsynth.training.run import Job, constant, run
from clinsynth.training.weights import WEIGHTS_VARIABLE, find_weights

SAMPLE = SampleStore()
ONE_OF_EACH_TYPE = {task.spec.type: name for name, task in TASKS.items()}
Submit = Callable[..., Path]
Register = Callable[..., Recipe]


def do(
    folder: Path, task: str, recipe: str = "tiny.v1", rows: int = 24, seed: int = 0, how: Draw = "random"
) -> RunRecord:
    return run(Job(folder, Cell(task, recipe, rows, seed), None, True, threads=1, draw=how))


def said(folder: Path, record: RunRecord) -> bytes:
    return Results(folder, "sample").predictions_path(record.cell).read_bytes()


def test_there_is_a_task_of_each_type() -> None:
    assert ONE_OF_EACH_TYPE.keys() == TASK_TYPES.keys()


@pytest.mark.usefixtures("tiny_recipe")
@pytest.mark.parametrize("name", sorted(ONE_OF_EACH_TYPE.values()))
def test_every_type_runs_and_tells_what_happened(name: str, submit: Submit) -> None:
    folder = submit({name: 40})
    steps: list[None] = []
    record = run(Job(folder, Cell(name, "tiny.v1", 24, 3), None, True, threads=1), lambda: steps.append(None))
    spec = TASKS[name].spec
    test = SAMPLE.examples(TASKS[name], "test")
    results = Results(folder, "sample")
    predictions, digest = results.read_predictions(record)
    assert len(predictions) == len(test) == record.test.examples
    assert digest == record.predictions_sha256
    assert record.scores == score_all(spec, test, predictions)
    assert next(iter(record.scores)) == record.metric == spec.metric
    assert record == results.done(record.cell)
    assert record.seal == record.expected_seal()
    assert (record.training.available, record.training.used, record.training.few_shot) == (40, 24, 0)
    assert (record.fit, record.steps, len(steps)) == ("fine-tuned", 4, 4)
    assert record.recipe_fingerprint == recipe_fingerprint(RECIPES["tiny.v1"], spec)
    assert (record.environment.threads, record.test.kind) == (1, "sample")
    assert record.environment.processor == processor_name("cuda" if record.environment.device == "cuda" else "cpu")
    kept = gzip.decompress(said(folder, record)).decode()
    assert not any(text in kept for example in test for text in example.texts), "no text is stored"
    for row in map(json.loads, kept.splitlines()):
        assert row.keys() == {"id", "spans" if spec.is_span else "labels"}
    if not spec.is_span and not spec.multi_label:
        assert all(len(prediction.labels) == 1 for prediction in predictions)


@pytest.mark.usefixtures("tiny_recipe")
@pytest.mark.parametrize("name", ["ncbi-disease", "mqp"])
def test_a_seed_decides_every_byte(name: str, submit: Submit, register: Register) -> None:
    register("learns.v1", steps=40, learning_rate=1e-2)
    one, two = (submit({name: 40}, name=which) for which in ("one", "two"))
    first = do(one, name, "learns.v1")
    again = do(two, name, "learns.v1")
    assert said(one, first) == said(two, again)
    assert (first.loss, first.scores) == (again.loss, again.scores)
    others = [do(one, name, "learns.v1", seed=seed) for seed in (1, 2)]
    assert any(said(one, other) != said(one, first) for other in others)
    assert len({record.loss for record in (first, *others)}) == 3


def test_the_global_generator_is_left_alone(submit: Submit, tiny_recipe: Recipe) -> None:
    import torch

    before = torch.random.get_rng_state()
    do(submit({"gad": 24}), "gad", tiny_recipe.name)
    assert torch.equal(before, torch.random.get_rng_state())


@pytest.mark.parametrize("name", ["gad", "ncbi-disease", "hoc"])
def test_the_loss_falls(name: str, submit: Submit, register: Register) -> None:
    folder = submit({name: 24})
    register("short.v1", steps=2, learning_rate=5e-3)
    begun = do(folder, name, "short.v1").loss
    register("long.v1", steps=120, learning_rate=5e-3)
    ended = do(folder, name, "long.v1").loss
    assert begun is not None
    assert ended is not None
    assert ended < 0.8 * begun


def test_one_answer_only_is_said_without_training(submit: Submit, tiny_recipe: Recipe) -> None:
    spec = TASKS["gad"].spec
    rows = [{"text": f"@GENE$ and @DISEASE$ {k}", "label": spec.labels[1]} for k in range(30)]
    folder = submit({"gad": rows, "ncbi-disease": [{"text": f"nothing {k}", "entities": []} for k in range(30)]})
    record = do(folder, "gad", tiny_recipe.name)
    assert (record.fit, record.steps, record.loss) == ("constant", 0, None)
    predictions, _ = Results(folder, "sample").read_predictions(record)
    assert set(predictions) == {Prediction((spec.labels[1],))}
    spans = do(folder, "ncbi-disease", tiny_recipe.name)
    assert (spans.fit, spans.score) == ("constant", 0.0)


def test_what_is_one_answer() -> None:
    def rows(*labels: tuple[str, ...]) -> list[Example]:
        return [Example(("a",), labels=own) for own in labels]

    assert constant(rows(("x",), ("x",))) == Prediction(("x",))
    assert constant(rows((), ())) == Prediction()
    assert constant(rows(("x",), ("x", "y"))) is None
    entity = SAMPLE.examples(TASKS["ncbi-disease"], "train")
    assert constant([example for example in entity if example.spans]) is None
    assert constant([example for example in entity if not example.spans][:1] * 3) == Prediction()


def test_two_stages(submit: Submit, register: Register) -> None:
    folder = submit({"mqp": 24})
    register("plain.v1", steps=8, learning_rate=1e-2)
    register("two-stage.v1", few_shot_steps=6, steps=8, learning_rate=1e-2)
    plain, staged = do(folder, "mqp", "plain.v1"), do(folder, "mqp", "two-stage.v1")
    assert (plain.steps, plain.training.few_shot) == (8, 0)
    assert (staged.steps, staged.training.few_shot) == (14, len(few_shot(SAMPLE, TASKS["mqp"]).examples))
    assert staged.loss != plain.loss
    assert staged.recipe_fingerprint != plain.recipe_fingerprint
    # With real examples before, one answer only is no reason not to learn.
    same = [{"text_a": f"a {k}", "text_b": "b", "label": TASKS["mqp"].spec.labels[0]} for k in range(20)]
    assert do(submit({"mqp": same}, name="same"), "mqp", "two-stage.v1", rows=20).fit == "fine-tuned"


def test_long_texts_are_windowed_or_truncated_and_counted(submit: Submit, register: Register) -> None:
    folder = submit({"ncbi-disease": 24, "hoc": 24})
    register("narrow.v1", max_length=16)
    spans, labels = (do(folder, name, "narrow.v1") for name in ("ncbi-disease", "hoc"))
    assert spans.counts["train.windowed"] > 0
    assert spans.counts["test.windowed"] > 0
    assert spans.counts.keys() == {"train.windowed", "test.windowed"}
    assert labels.counts == {"train.truncated": 24, "test.truncated": labels.test.examples}
    # A text that one window cannot hold is still read to its end.
    register("greedy.v1", max_length=16, steps=60, learning_rate=1e-2)
    entity = TASKS["ncbi-disease"].spec.labels[0]
    rows = [{"text": f"{'a b ' * 12}{w}", "entities": [{"start": 0, "end": 48 + len(w), "label": entity}]}
            for w in ("pain", "fever", "cancer", "drug")]  # fmt: skip
    all_of_it = do(submit({"ncbi-disease": rows}, name="greedy"), "ncbi-disease", "greedy.v1", rows=4)
    predictions, _ = Results(folder.parent / "greedy", "sample").read_predictions(all_of_it)
    test = SAMPLE.examples(TASKS["ncbi-disease"], "test")
    reached = [p.spans[-1].end == len(e.texts[0]) for p, e in zip(predictions, test, strict=True) if p.spans]
    assert any(reached)


def test_other_weights_are_refused(students: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(WEIGHTS_VARIABLE, str(students))
    right = sha256_file(students / "tiny-bert" / "model.safetensors")
    good = Weights(repo="tests/tiny-bert", sha256=(("model.safetensors", right),))
    assert find_weights(good) == students / "tiny-bert"
    with pytest.raises(UserError, match=r"model\.safetensors is not the student(.|\n)*found: " + right):
        find_weights(replace(good, sha256=(("model.safetensors", "0" * 64),)))
    with pytest.raises(UserError, match="no such file"):
        find_weights(replace(good, sha256=(("pytorch_model.bin", "0" * 64),)))


def test_absent_weights_offline(students: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(WEIGHTS_VARIABLE, str(students))
    # The library has read HF_HUB_OFFLINE when it was imported.
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(UserError, match=rf"clinsynth-tests/absent-student(.|\n)*{WEIGHTS_VARIABLE}"):
        find_weights(Weights(repo="clinsynth-tests/absent-student"))


def numbered(n: int, prefix: str) -> list[Example]:
    return [Example((f"{prefix}{k}",), labels=("x",)) for k in range(n)]


def places(rows: list[Example], cell: Cell) -> list[int]:
    return [int(example.texts[0].strip("ab")) for example in draw(rows, cell)]


def test_draws_are_nested_paired_and_of_their_seed() -> None:
    rows, others = numbered(500, "a"), numbered(500, "b")
    sizes = (1, 10, 100, 300, 500)
    draws = [places(rows, Cell("gad", "tiny.v1", n, 0)) for n in sizes]
    assert [len(drawn) for drawn in draws] == list(sizes)
    for small, large in pairwise(draws):
        assert large[: len(small)] == small
    assert sorted(draws[-1]) == list(range(500))
    assert places(others, Cell("gad", "tiny.v1", 100, 0)) == draws[2]
    assert places(rows, Cell("gad", "other.v1", 100, 0)) == draws[2]
    by_seed = [places(rows, Cell("gad", "tiny.v1", 100, seed)) for seed in range(5)]
    assert len(set(map(tuple, by_seed))) == 5
    assert places(rows, Cell("mqp", "tiny.v1", 100, 0)) != draws[2]


def test_a_recipe_has_settings_for_every_type() -> None:
    for recipe in RECIPES.values():
        assert recipe.settings.keys() == TASK_TYPES.keys()
        for settings in recipe.settings.values():
            assert settings.steps > 0
            assert 0 < settings.warmup < 1
    spec = TASKS["gad"].spec
    prints = {recipe_fingerprint(recipe, spec) for recipe in RECIPES.values()}
    assert len(prints) == len(RECIPES)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["gad", "ncbi-disease"])
def test_the_default_student(name: str, submit: Submit, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(WEIGHTS_VARIABLE, raising=False)
    real = RECIPES["minilm-l6.v1"]
    few = {kind: replace(settings, steps=30) for kind, settings in real.settings.items()}
    monkeypatch.setattr(RECIPES, "_items", {**RECIPES, "minilm-few.v1": replace(real, name="few", settings=few)})
    kind, task = task_type(TASKS[name].spec), TASKS[name]
    folder = submit({name: [kind.encode(example) for example in SAMPLE.examples(task, "train")]})
    records = [do(folder, name, "minilm-few.v1") for _ in range(2)]
    assert records[0].predictions_sha256 == records[1].predictions_sha256
    assert records[0].loss == records[1].loss
    assert records[0].score > 0.3, "far above what random weights reach on the sample"


def test_a_balanced_draw_has_equal_shares_as_far_as_rows_go() -> None:
    rows = [Example(texts=(f"a{k}",), labels=("rare",) if k < 20 else ("common",)) for k in range(300)]

    def shares(n: int) -> tuple[int, int]:
        found = [labels_of(rows[place])[0] for place in drawn_places(rows, Cell("gad", "tiny.v1", n, 0), "balanced")]
        return found.count("rare"), found.count("common")

    assert shares(30) == (15, 15)
    assert shares(100) == (20, 80)
    assert shares(300) == (20, 280)
    draws = [drawn_places(rows, Cell("gad", "tiny.v1", n, 0), "balanced") for n in (10, 30, 300)]
    assert draws[2][:30] == draws[1]
    assert draws[1][:10] == draws[0]
    assert sorted(draws[2]) == list(range(300))
    several = [Example(("a",), labels=("x", "y")), Example(("b",), labels=("x",)), Example(("c",))]
    assert sorted(drawn_places(several, Cell("hoc", "tiny.v1", 3, 0), "balanced")) == [0, 1, 2]


@pytest.mark.parametrize(
    ("one", "two", "divergence"),
    [("ab", "ab", 0.0), ("aabb", "ab", 0.0), ("a", "b", 1.0), ("ab", "a", 0.311278)],
)
def test_label_divergence(one: str, two: str, divergence: float) -> None:
    # The last by hand: 1/2 (1/2 log2 2/3 + 1/2 log2 2) + 1/2 log2 4/3.
    rows, real = ([Example(("t",), labels=(label,)) for label in labels] for labels in (one, two))
    assert label_divergence(rows, real) == pytest.approx(divergence, abs=1e-6)


def test_a_balanced_run_is_stored_apart(submit: Submit, tiny_recipe: Recipe) -> None:
    folder = submit({"gad": 40})
    headline = do(folder, "gad", tiny_recipe.name)
    record = do(folder, "gad", tiny_recipe.name, how="balanced")
    assert (headline.training.draw, record.training.draw) == ("random", "balanced")
    apart = Results(folder, "sample", "balanced")
    assert apart.record_path(record.cell).is_relative_to(folder / "sample" / "balanced" / "runs")
    assert list(apart.records()) == [record]
    assert list(Results(folder, "sample").records()) == [headline]
    assert headline.training.label_divergence is not None
    assert record.training.label_divergence is not None


def test_steps_follow_the_rows_where_a_recipe_says_so(submit: Submit, register: Register) -> None:
    folder = submit({"gad": 40})
    recipe = register("epochs.v1", steps=4, epochs=2)
    assert [recipe.settings["relation_extraction"].steps_for(n) for n in (8, 16, 17, 40)] == [4, 4, 5, 10]
    assert do(folder, "gad", "epochs.v1", rows=40).steps == 10
    assert do(folder, "gad", "epochs.v1", rows=8).steps == 4


def test_a_new_setting_changes_no_fingerprint_where_it_changes_nothing() -> None:
    first, spec = RECIPES["minilm-l6.v1"], TASKS["gad"].spec
    # As in the records that are stored of this recipe.
    assert recipe_fingerprint(first, spec) == "90a8f1eba4b56dc1d0c4bfe2defeb337aa6dd81d5236ea6f0aa4fe46e2e89752"
    more = {kind: replace(settings, epochs=3) for kind, settings in first.settings.items()}
    assert recipe_fingerprint(replace(first, settings=more), spec) != recipe_fingerprint(first, spec)


@pytest.mark.parametrize("recipe", ["minilm-l6.v1", "minilm-l6.v2"])
def test_the_default_student_takes_the_same_steps_on_few_rows(recipe: str) -> None:
    for settings in RECIPES[recipe].settings.values():
        assert [settings.steps_for(n) for n in (10, 300, 1_000)] == [400] * 3
        assert settings.steps_for(5_424) == (400 if recipe.endswith("v1") else 1_017)
