"""Ways to a rank by rows that are not what they seem, played: leaks, real text in disguise, forged audits, copies."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from studies.planted.edits import EDITS
from tests.conftest import StoreRun
from tests.invented import audit_of

from clinsynth.audit import AuditRecord, audit, audit_path, copies, failures_of, gate, is_audited, read_audit
from clinsynth.audit.record import CanarySightings, Draw, Nearness, Privacy, Repeats, Verbatim, write_audit
from clinsynth.audit.run import draws_of, nearness_of
from clinsynth.cli import main
from clinsynth.core import TASKS, Example, FaultyRecordError
from clinsynth.data.samples import SampleStore
from clinsynth.results import (
    SEEDS,
    Cell,
    drawn,
)
from clinsynth.standings import collect
from clinsynth.submissions import Card, RealData, write_submission
from clinsynth.task_types import task_type
from clinsynth.training import embeddings

STORE = SampleStore()
RECIPE = "minilm-l6.v1"
HOC = TASKS["hoc"]


def submission(folder: Path, task: str, examples: Sequence[Example], *, used: Any = "none", name: str = "toy") -> Path:
    """A submission of these rows, with a card that says what real text was used."""
    path = folder / name
    shutil.rmtree(path, ignore_errors=True)
    card = Card(
        name=name, title="Toy", authors=("A",), generator="by hand", licence="CC0-1.0",
        real_data=RealData(used=used, details="" if used == "none" else "all of it"),
    )  # fmt: skip
    kind = task_type(TASKS[task].spec)
    write_submission(path, card, {task: [kind.encode(example) for example in examples]})
    return path


def honest(rng: np.random.Generator, count: int) -> list[Example]:
    """Rows that nobody has seen."""
    labels = HOC.spec.labels

    def words() -> str:
        numbers = rng.integers((40, 30, 1_000_000), size=(4, 3))
        return " ".join(f"the organ{a} verb{b} {c} times" for a, b, c in numbers)

    return [Example((f"Here {words()}.",), labels=(labels[int(rng.integers(len(labels)))],)) for _ in range(count)]


def shuffled(text: str, rng: np.random.Generator) -> str:
    return " ".join(rng.permutation(text.split()))


@pytest.fixture
def bag_of_words(monkeypatch: pytest.MonkeyPatch) -> None:
    """Embeddings without a model."""
    monkeypatch.setattr(embeddings, "embed", hashed)
    monkeypatch.setattr(embeddings, "embedder_fingerprint", lambda: "bag of words")


def hashed(texts: Sequence[str], cache: Path | None = None) -> embeddings.Vectors:
    out = np.zeros((len(texts), 512), np.float32)
    for k, text in enumerate(texts):
        for word in text.lower().split():
            out[k, sum(map(ord, word)) * len(word) % 512] += 1
    return out / np.maximum(np.linalg.norm(out, axis=1, keepdims=True), 1e-9)


# Leaks where the seeds draw.


def test_leaks_where_the_seeds_draw_are_seen_in_a_large_file() -> None:
    """150,000 rows of which only those that are drawn at 300 rows are reworded test items: 1 % of the file."""
    rows = 150_000
    bad = {row for seed in SEEDS for row in drawn("hoc", seed, rows, 300)}
    leaked = dict.fromkeys(bad, "embedding")
    assert len(bad) <= int(gate.LEAK_SHARE * rows)
    found = draws_of("hoc", rows, (), leaked, real=set(), nearer=None)
    said = list(gate.draws(rows, len(bad), 0, found))
    assert len([line for line in said if "of the 300 rows" in line.text]) == len(SEEDS)
    # The same number of leaks anywhere in the file is what the gate allows.
    rng = np.random.default_rng(0)
    spread = dict.fromkeys(map(int, rng.permutation(rows)[: len(bad)]), "embedding")
    assert list(gate.draws(rows, len(bad), 0, draws_of("hoc", rows, (), spread, real=set(), nearer=None))) == []


def test_undeclared_real_rows_where_the_seeds_draw_are_seen() -> None:
    rows = 150_000
    bad = {row for seed in SEEDS for row in drawn("hoc", seed, rows, 300)}
    said = list(gate.draws(rows, 0, len(bad), draws_of("hoc", rows, (), {}, real=bad, nearer=None)))
    assert said
    assert {failure.code for failure in said} == {"drawn-undeclared"}


def test_chance_alone_shuts_no_gate() -> None:
    rng = np.random.default_rng(1)
    for _ in range(40):
        rows = int(rng.integers(1_100, 20_000))
        leaked = dict.fromkeys(map(int, rng.permutation(rows)[: rows // 100]), "embedding")
        found = draws_of("hoc", rows, (), leaked, real=set(), nearer=None)
        assert list(gate.draws(rows, len(leaked), 0, found)) == []


@pytest.mark.usefixtures("bag_of_words")
def test_an_audit_looks_at_what_is_drawn(tmp_path: Path, rng: np.random.Generator) -> None:
    examples = honest(rng, 2_500)
    test = STORE.examples(HOC, "test")
    for k, row in enumerate(drawn("hoc", 3, len(examples), 20)):
        item = test[k % len(test)]
        examples[row] = Example((EDITS["case-changed"](item.texts[0], rng),), labels=item.labels)
    (found,) = audit(submission(tmp_path, "hoc", examples), ["hoc"], STORE)
    assert any("rows that seed 3 draws" in failure for failure in found.failures), found.failures
    assert [draw.leaks for draw in found.draws if (draw.budget, draw.seed) == (100, 3)] == [20]


# Test and training text in disguise.


@pytest.mark.usefixtures("bag_of_words")
def test_test_rows_with_scrambled_words_are_found(tmp_path: Path, rng: np.random.Generator) -> None:
    test = STORE.examples(HOC, "test")
    rows = [Example((shuffled(example.texts[0], rng),), labels=example.labels) for example in test]
    (found,) = audit(submission(tmp_path, "hoc", [*honest(rng, 60), *rows]), ["hoc"], STORE)
    assert {match.row for match in found.test.matches} >= set(range(61, 61 + len(rows)))
    assert "same-words" in {match.method for match in found.test.matches}
    assert not found.clean


@pytest.mark.usefixtures("bag_of_words")
@pytest.mark.parametrize("disguise", ["scrambled", "paraphrased"])
def test_reworded_training_text_that_is_called_synthetic_is_found(
    disguise: str, tmp_path: Path, rng: np.random.Generator
) -> None:
    train = STORE.examples(HOC, "train")
    change = shuffled if disguise == "scrambled" else EDITS["paraphrased"]
    rows = [Example((change(example.texts[0], rng),), labels=example.labels) for example in train]
    (found,) = audit(submission(tmp_path, "hoc", [*honest(rng, 60), *rows]), ["hoc"], STORE)
    assert any("real_data.used = none" in failure for failure in found.failures)
    assert found.tier == "real"


def cloud(rng: np.random.Generator, count: int, around: np.ndarray[Any, Any] | None = None) -> list[Example]:
    """Examples that stand for points; ``around``: near to one of these."""
    points = rng.normal(size=(count, 24))
    if around is not None:
        points = around[rng.integers(len(around), size=count)] + 0.6 * points
    return [Example((" ".join(f"{x:.4f}" for x in point),)) for point in points]


def points_of(examples: Sequence[Example]) -> np.ndarray[Any, Any]:
    return np.array([[float(x) for x in example.texts[0].split()] for example in examples])


def embedded(texts: Sequence[str]) -> embeddings.Vectors:
    points = np.array([[float(x) for x in text.split()] for text in texts], np.float32)
    return points / np.linalg.norm(points, axis=1, keepdims=True)


def test_rows_made_from_test_text_are_like_it_as_a_whole() -> None:
    """Rewordings that no single comparison finds: each row lies somewhere near a test item."""
    rng = np.random.default_rng(2)
    test, train = cloud(rng, 400), cloud(rng, 1_000)
    made = nearness_of(cloud(rng, 300, points_of(test)), test, train, "train", embedded)
    fair = nearness_of(cloud(rng, 300), test, train, "train", embedded)
    near_train = nearness_of(cloud(rng, 300, points_of(train)), test, train, "train", embedded)
    assert made
    assert fair
    assert near_train
    assert any(failure.code == "like-test" for failure in gate.nearness(made[0], ()))
    assert list(gate.nearness(fair[0], ())) == list(gate.nearness(near_train[0], ())) == []


@pytest.mark.parametrize("seed", range(8))
def test_rows_that_are_alike_are_near_one_block_by_luck(seed: int) -> None:
    """All rows near one point: whichever split has the sentence nearest to it has the whole file near."""
    rng = np.random.default_rng(seed)
    test, train = cloud(rng, 200), cloud(rng, 1_800)
    alike = cloud(rng, 300, 3 * rng.normal(size=(1, 24)))
    found = nearness_of(alike, test, train, "train", embedded)
    assert found
    assert found[0].blocks == 8
    assert found[0].spread > 0.1
    assert list(gate.nearness(found[0], ())) == []


@pytest.mark.parametrize("train_size", [500, 3_600])
def test_rows_near_one_block_do_not_buy_room_for_rows_near_the_test_split(train_size: int) -> None:
    """Three rows of four are made from test text, the rest from one training row, to set the blocks apart."""
    rng = np.random.default_rng(5)
    test, train = cloud(rng, 250), cloud(rng, train_size)
    made = [*cloud(rng, 300, points_of(test)), *cloud(rng, 100, points_of(train)[:1])]
    found = nearness_of(made, test, train, "train", embedded)
    assert found
    assert any(failure.code == "like-test" for failure in gate.nearness(found[0], ()))


def test_rows_that_the_audit_itself_helped_to_choose_are_seen() -> None:
    """The audit as an oracle: of many honest-looking rows those nearest to test text that no comparison finds."""
    rng = np.random.default_rng(3)
    test, train, pool = cloud(rng, 400), cloud(rng, 1_000), cloud(rng, 6_000)
    cosine = (embedded([e.texts[0] for e in pool]) @ embedded([e.texts[0] for e in test]).T).max(axis=1)
    chosen = [pool[int(k)] for k in np.argsort(-cosine)[:300]]
    picked = nearness_of(chosen, test, train, "train", embedded)
    assert picked
    assert any(failure.code == "like-test" for failure in gate.nearness(picked[0], ()))


def test_a_third_of_the_rows_made_from_test_text_is_not_seen() -> None:
    """A limit, kept here so that nobody takes it for closed (docs/audits.md): too few to move the file's share."""
    rng = np.random.default_rng(6)
    test, train = cloud(rng, 400), cloud(rng, 1_000)
    made = [*cloud(rng, 100, points_of(test)), *cloud(rng, 200)]
    found = nearness_of(made, test, train, "train", embedded)
    assert found
    assert found[1][:100].mean() > 0.9  # these rows alone are known by it
    assert gate.NEARER_TEST_ALWAYS > found[0].test > found[0].usual + 0.1
    assert list(gate.nearness(found[0], ())) == []


def test_nearness_where_the_seeds_draw() -> None:
    rng = np.random.default_rng(4)
    test, train = cloud(rng, 400), cloud(rng, 1_000)
    rows = cloud(rng, 3_000)
    for row in {row for seed in SEEDS for row in drawn("hoc", seed, len(rows), 100)}:
        rows[row] = cloud(rng, 1, points_of(test))[0]
    found = nearness_of(rows, test, train, "train", embedded)
    assert found
    assert list(gate.nearness(found[0], ())) == []
    draws = draws_of("hoc", len(rows), (), {}, real=set(), nearer=found[1])
    assert any("seed 0 draws" in line.text for line in gate.nearness(found[0], draws))


@pytest.mark.usefixtures("bag_of_words")
def test_real_text_that_is_owned_up_to_is_a_tier_of_its_own(
    tmp_path: Path, store_run: StoreRun, rng: np.random.Generator
) -> None:
    train = STORE.examples(HOC, "train")
    path = submission(tmp_path, "hoc", train, used="train")
    (found,) = audit(path, ["hoc"], STORE)
    assert (found.clean, found.tier) == (True, "real")
    verdict = is_audited(path, "hoc", found.data_fingerprint, kind="sample")
    assert (verdict.state, verdict.tier) == ("clean", "real")
    (fair,) = audit(submission(tmp_path, "hoc", honest(rng, 60), name="fair"), ["hoc"], STORE)
    assert (fair.clean, fair.tier) == (True, "synthetic")


# Audits that were written, not made.


def forged(folder: Path, found: AuditRecord, **changes: Any) -> AuditRecord:
    """The record with other content and a seal that fits it."""
    return write_audit(folder, found.model_copy(update=changes))


@pytest.mark.usefixtures("bag_of_words")
def test_an_audit_that_keeps_silent_about_its_own_numbers_is_not_taken(tmp_path: Path) -> None:
    path = submission(tmp_path, "hoc", STORE.examples(HOC, "test"))
    (found,) = audit(path, ["hoc"], STORE)
    forged(path, found, failures=())
    verdict = is_audited(path, "hoc", found.data_fingerprint, kind="sample")
    assert (verdict.state, verdict.ranked) == ("unaudited", False)
    assert "its failures do not follow from its numbers" in verdict.reasons[0]
    with pytest.raises(FaultyRecordError, match="is not an audit record"):
        read_audit(audit_path(path, "hoc", "sample"))
    # Nor is it kept as the audit of rows that have not changed.
    assert audit(path, ["hoc"], STORE)[0].failures == found.failures
    assert is_audited(path, "hoc", found.data_fingerprint, kind="sample").reasons == found.failures


NEAR = Nearness(split="train", items=100, blocks=8, test=0.95, real=0.05, usual=0.4, spread=0.03)
DRAWN = Draw(budget=100, seed=0, exact=0, leaks=50, real=0, nearer_test=None)
WRONG: dict[str, tuple[str, dict[str, Any]]] = {
    "undeclared": ("gad", {"train": Repeats(split="train", examples=500, rows={"exact": 900}, few_words=0)}),
    "drawn-leaks": ("gad", {"draws": (DRAWN,)}),
    "drawn-undeclared": ("gad", {
        "train": Repeats(split="train", examples=500, rows={"exact": 10}, few_words=0),
        "draws": (DRAWN.model_copy(update={"leaks": 0, "real": 10}),),
    }),
    "like-test": ("gad", {"nearness": NEAR}),
    "private": ("gad", {"privacy": Privacy(rows={"phone": (1, 2)}, weak={}, share=0.5, real_share=None)}),
    "canaries": ("gad", {"canaries": CanarySightings(hashes="x", planted=3, exact={1: (4,)}, near={})}),
    "restricted": ("mednli", {
        "verbatim": Verbatim(split="train", quantiles={}, longest_row=1, over={"13": 500, "25": 0, "50": 0})
    }),
}  # fmt: skip


@pytest.mark.parametrize("code", WRONG)
def test_each_criterion_is_held_against_the_stored_numbers(code: str, tmp_path: Path) -> None:
    task, numbers = WRONG[code]
    folder = tmp_path / "toy"
    audit_of(folder, task, **numbers)
    assert is_audited(folder, task, "rows of toy").state == "unaudited"
    clean = AuditRecord.model_validate_json(audit_path(folder, task, "real").read_text("utf-8"))
    found = gate.failures(clean, TASKS[task].spec, gate.undeclared_rows(clean)[1])
    assert [failure.code for failure in found] == [code]
    forged(folder, clean, failures=tuple(failure.text for failure in found))
    verdict = is_audited(folder, task, "rows of toy")
    assert (verdict.state, verdict.reasons) == ("failed", tuple(failure.text for failure in found))
    assert failures_of(read_audit(audit_path(folder, task, "real"))) == found


@pytest.mark.parametrize(("failures", "taken"), [((), False), (("said in some words",), True), (("two", "is"), False)])
def test_draws_of_which_the_numbers_are_not_all_stored(failures: tuple[str, ...], taken: bool, tmp_path: Path) -> None:
    """How many rows repeat few-shot and training text is not stored; here one draw fails, however many do."""
    shown = Repeats(split="train", examples=30, rows={"13-gram": 15}, few_words=0)
    train = Repeats(split="train", examples=500, rows={"exact": 20}, few_words=0)
    draw = DRAWN.model_copy(update={"leaks": 0, "real": 12})
    audit_of(
        tmp_path / "toy", "gad", declared="few-shot", train=train, few_shot=shown, draws=(draw,), failures=failures
    )
    verdict = is_audited(tmp_path / "toy", "gad", "rows of toy")
    assert verdict.state == ("failed" if taken else "unaudited")
    if taken:
        (failure,) = failures_of(read_audit(audit_path(tmp_path / "toy", "gad", "real")))
        assert failure.code == "drawn-undeclared"


@pytest.mark.parametrize(
    "numbers",
    [
        {"rows": 0},
        {"draws": (DRAWN.model_copy(update={"budget": 0}),)},
        {"draws": (DRAWN.model_copy(update={"budget": 2**50, "leaks": 2**49}),)},
        {"privacy": Privacy(rows={}, weak={}, share=0.0, real_share=1e308)},
        {"verbatim": Verbatim(split="train", quantiles={}, longest_row=1, over={})},
    ],
)
def test_numbers_that_the_gate_cannot_take_are_no_accident(numbers: dict[str, Any], tmp_path: Path) -> None:
    audit_of(tmp_path / "toy", "mednli", **numbers)
    assert is_audited(tmp_path / "toy", "mednli", "rows of toy").state == "unaudited"


def test_every_audit_that_is_handed_out_is_read() -> None:
    paths = sorted((Path(__file__).parents[1] / "submissions").glob("*/audit/*.json"))
    assert paths
    assert [record.task for record in map(read_audit, paths)] == [path.stem for path in paths]


# Copies.


@pytest.mark.usefixtures("bag_of_words")
def test_a_copied_submission_is_named(
    tmp_path: Path, rng: np.random.Generator, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = honest(rng, 300)
    changed = [
        Example((f"{row.texts[0]} Indeed." if k % 3 else row.texts[0].replace("Here", "There"),), labels=row.labels)
        for k, row in enumerate(rows)
    ]
    mixed = [changed[int(k)] for k in rng.permutation(len(changed))]
    places = {
        "first": rows,
        "copied": mixed,
        "part": rows[:120],
        "other": honest(np.random.default_rng(9), 300),
    }
    folders = [submission(tmp_path, "hoc", own, name=name) for name, own in places.items()]
    for folder in folders:
        audit(folder, ["hoc"], STORE)
    found = {frozenset((copy.first, copy.second)): copy.share for copy in copies(folders, "sample")}
    assert found.keys() == {
        frozenset(("first", "copied")), frozenset(("first", "part")), frozenset(("copied", "part")),
    }  # fmt: skip
    assert found[frozenset(("first", "part"))] > 0.85
    said = "\n".join(each.text for each in collect([tmp_path], "sample").left_out)
    assert "copied shares" in said or "first shares" in said
    assert main(["audit", str(folders[1]), "--sample", "--against", str(tmp_path)]) == 1
    assert "of its text on hoc with" in capsys.readouterr().out
    assert main(["audit", str(folders[3]), "--sample", "--against", str(tmp_path)]) == 0


def test_the_draw_of_the_audit_is_that_of_the_training() -> None:
    from clinsynth.quality.measurement import drawn as of_quality
    from clinsynth.training.draws import draw

    rows = [Example((str(k),)) for k in range(500)]
    for seed in SEEDS:
        cell = Cell("gad", RECIPE, 120, seed)
        own = drawn("gad", seed, len(rows), 120)
        assert [int(row.texts[0]) for row in draw(rows, cell)] == own == of_quality("gad", seed, 500, 120)


def test_the_audit_keeps_no_text_in_its_sketch(tmp_path: Path, rng: np.random.Generator) -> None:
    from clinsynth.audit.copied import KEPT, sketch_of
    from clinsynth.audit.leakage import TextSet

    rows = honest(rng, 100)
    sketch = sketch_of(TextSet(rows))
    assert len(sketch.smallest) == KEPT <= sketch.runs
    assert sketch == sketch_of(TextSet(rows[::-1] + rows[:10]))
    assert max(sketch.smallest) < 2**53
    assert AuditRecord.model_fields["sketch"].default is None
