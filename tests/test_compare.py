"""``clinsynth compare``: verdicts on runs whose truth is known, and every reason for which there is none."""

import csv
import io
import json
import shutil
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.invented import ITEMS, RECIPE, Toy, write_card, write_run

from clinsynth.cli import main
from clinsynth.core.errors import UserError
from clinsynth.core.registry import TASKS
from clinsynth.data.samples import SampleStore
from clinsynth.results import store as stored  # its TestData by name would be taken for a test
from clinsynth.results.store import Cell, Environment, TrainingData
from clinsynth.standings.collection import collect, read_entry
from clinsynth.standings.comparison import Compared, Comparison, Request, compare
from clinsynth.standings.verdicts import Judgement

Write = Callable[..., Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """``write(name, {task: share of right answers}, seeds=5, rows=1000, kind=..., **changes)``: a submission with runs.

    ``changes`` are put into every record.
    """

    def put(name: str, tasks: dict[str, float], seeds: int = 5, rows: int = 1_000, **changes: Any) -> Path:
        folder = tmp_path / name
        write_card(folder, kind=changes.pop("kind", "submission"))
        for task, share in tasks.items():
            for seed in range(seeds):
                write_run(folder, Cell(task, RECIPE, rows, seed), share, changes)
        return folder

    return put


def asked(*folders: Path, **more: Any) -> Request:
    entries = tuple(read_entry(folder, RECIPE, "real") for folder in folders)
    return replace(Request(entries=entries, recipe=RECIPE, rows=1_000, resamples=300), **more)


def row(compared: Compared, scope: str, other: str = "bb") -> Comparison:
    (found,) = [each for each in compared.comparisons if (each.scope, each.other) == (scope, other)]
    return found


ALL = {"mqp": 0.7, "gad": 0.7, "ncbi-disease": 0.7}
BETTER = dict.fromkeys(ALL, 0.85)


def test_a_clear_difference_is_called(write: Write) -> None:
    compared = compare(asked(write("aa", ALL), write("bb", BETTER)), Toy())
    for task in ALL:
        found = row(compared, task)
        assert found.difference is not None
        assert found.low is not None
        assert found.high is not None
        assert found.p is not None
        assert found.p_holm == found.p < 0.05
        assert found.low < found.difference < found.high
        assert found.words == f"bb is better by {100 * found.difference:.1f} points"
        assert (found.seeds, found.note, found.tasks) == (5, "", (task,))
    assert row(compared, "mean of the types").words.startswith("bb is better by ")
    assert row(compared, "mean of the types").tasks == tuple(task for task in TASKS if task in ALL)
    turned = compare(asked(write("bb", BETTER), write("aa", ALL)), Toy())
    assert row(turned, "mqp", "aa").words.startswith("aa is worse by ")
    assert row(turned, "gad", "aa").p == row(compared, "gad").p


def test_a_tie_says_what_the_test_set_resolves(write: Write) -> None:
    compared = compare(asked(write("aa", ALL), write("bb", dict.fromkeys(ALL, 0.702))), Toy())
    found = row(compared, "mqp")
    assert found.detectable is not None
    assert found.difference is not None
    assert abs(found.difference) < found.detectable
    assert found.words == f"tie: this test set can only resolve {100 * found.detectable:.1f} points"
    assert "these test sets" in row(compared, "mean of the types").words


def test_the_same_predictions_are_no_difference(write: Write, tmp_path: Path) -> None:
    a = write("aa", {"gad": 0.7})
    b = tmp_path / "bb"
    write_card(b)
    shutil.copytree(a / "predictions", b / "predictions")
    for record in stored.Results(a, "real").records():
        stored.Results(b, "real").write_record(record.model_copy(update={"submission": "bb"}))
    assert row(compare(asked(a, b), Toy()), "gad").words == "tie: no difference at all"


def test_holm_and_the_rest_of_the_table(write: Write) -> None:
    a, b, c = write("aa", ALL), write("bb", BETTER), write("cc", {"gad": 0.71})
    two, three = compare(asked(a, b), Toy()), compare(asked(a, c, b), Toy())
    for scope in (*ALL, "mean of the types"):
        alone, among = row(two, scope), row(three, scope)
        assert replace(alone, p_holm=None) == replace(among, p_holm=None), "no verdict depends on who else is there"
        assert alone.p is not None
        assert alone.p_holm == alone.p
    adjusted = row(three, "gad").p_holm
    assert adjusted is not None
    assert adjusted == pytest.approx(2 * (row(two, "gad").p or 0))
    assert row(three, "mqp", "cc").words == "not comparable: cc has no run on 1,000 rows"
    assert row(three, "mean of the types", "cc").tasks == ("gad",)
    assert row(three, "mean of the types", "cc").note.startswith("1 task, without ")


def test_types_with_several_tasks_have_a_mean(write: Write) -> None:
    tasks = {"gad": 0.7, "cdr": 0.7, "mqp": 0.7}
    compared = compare(asked(write("aa", tasks), write("bb", dict.fromkeys(tasks, 0.8))), Toy())
    found = row(compared, "mean: relation extraction")
    assert set(found.tasks) == {"gad", "cdr"}
    parts = [row(compared, task).difference or 0 for task in ("gad", "cdr")]
    assert found.difference == pytest.approx(sum(parts) / 2)
    overall = row(compared, "mean of the types")
    assert overall.difference == pytest.approx((sum(parts) / 2 + (row(compared, "mqp").difference or 0)) / 2)
    assert overall.base_score is not None
    assert overall.other_score is not None
    assert overall.other_score - overall.base_score == pytest.approx(overall.difference)
    assert any("decided; if nothing differed" in remark for remark in compared.remarks)


def test_an_interval_wider_than_the_scale_decides_nothing(write: Write) -> None:
    a, b = write("aa", {"mqp": 0.7}), write("bb", {"mqp": 0.702})
    full = read_entry(write("gold-full", {"mqp": 0.52}, rows=4_000, kind="reference"), RECIPE, "real")
    tie, open_ = (row(compare(asked(a, b, ceiling=each), Toy()), "mqp") for each in (None, full))
    assert tie.judgement.verdict == "tie"
    assert replace(open_, judgement=tie.judgement, words=tie.words) == tie
    assert open_.judgement.verdict == "undecided"
    assert "wider than the" in open_.words
    assert open_.words.endswith("; more seeds, or a larger test set")


def test_who_shows_more_is_ahead(write: Write) -> None:
    """Differences are those of the scores that are shown, also where seeds differ."""
    a, b = write("aa", {"gad": 0.7}), write("bb", {"gad": 0.75}, seeds=3)
    found = row(compare(asked(a, b), Toy()), "gad")
    assert found.base_score is not None
    assert found.other_score is not None
    assert found.difference == pytest.approx(found.other_score - found.base_score)


def test_all_rows_of_each(write: Write, command: Sequence[str], capsys: pytest.CaptureFixture[str]) -> None:
    few, many = write("few", {"gad": 0.6}, rows=30), write("many", {"gad": 0.9}, rows=3_000)
    assert "no run on 1,000 rows" in row(compare(asked(few, many), Toy()), "gad", "many").words
    found = compare(asked(few, many, rows=None), Toy())
    assert row(found, "gad", "many").note == "30 rows against 3,000"
    assert row(found, "gad", "many").words.startswith("many is better")
    assert "all its rows each" in found.remarks[0]
    assert main(["compare", str(few), str(many), "--rows", "all", "--resamples", "0"]) == 0
    assert main(["compare", str(few), str(many), "--rows", "7", "--resamples", "0"]) == 2, "nothing could be compared"
    assert "30 rows against 3,000" in capsys.readouterr().out
    with pytest.raises(SystemExit):
        main(["compare", str(few), str(many), "--rows", "some"])


def test_few_seeds_are_preliminary_and_one_decides_nothing(write: Write) -> None:
    a = write("aa", {"gad": 0.6})
    three = row(compare(asked(a, write("bb", {"gad": 0.95}, seeds=3)), Toy()), "gad")
    assert three.words.endswith("(preliminary: 3 seeds)")
    assert three.seeds == 3
    assert three.note == "seeds 0-4 against 0-2, not paired"
    few = row(compare(asked(a, write("dd", {"gad": 0.6}, seeds=2)), Toy()), "gad", "dd")
    assert few.judgement == Judgement("undecided", "2 seeds are too few", "score both with --seeds 0-4")
    assert few.words == "undecided: 2 seeds are too few; score both with --seeds 0-4"
    one = compare(asked(a, write("cc", {"gad": 0.95}, seeds=1)), Toy())
    for scope in ("gad", "mean of the types"):
        found = row(one, scope, "cc")
        assert found.words.startswith("undecided: one seed")
        assert found.p is None
        assert found.difference is not None


def test_only_references_may_have_more_rows_and_who_has_fewer_uses_all(write: Write) -> None:
    a = write("aa", {"gad": 0.7})
    short = row(compare(asked(a, write("bb", {"gad": 0.9}, rows=300)), Toy()), "gad")
    assert short.words.startswith("bb is better")
    assert short.note == "1,000 rows against 300"
    cut = {"training": TrainingData(fingerprint="f", available=600, used=300)}
    for name, rows, changes in (("cc", 300, cut), ("dd", 4_000, {})):
        refused = row(compare(asked(a, write(name, {"gad": 0.9}, rows=rows, **changes)), Toy()), "gad", name)
        assert refused.words == f"not comparable: {name} has no run on 1,000 rows, only on {rows:,}"
    compared = compare(asked(a, write("full", {"gad": 0.95}, rows=4_000, kind="reference")), Toy())
    found = row(compared, "gad", "full")
    assert found.note == "1,000 rows against 4,000"
    assert found.words.startswith("full is better")
    assert any("reference" in remark for remark in compared.remarks)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"recipe_fingerprint": "other"}, "different settings of the recipe"),
        ({"student_fingerprint": "other"}, "different weights"),
        ({"test": stored.TestData(kind="real", fingerprint="other", examples=ITEMS)}, "another test set"),
        ({"predictions_sha256": "other"}, "one run, stored more than once"),
        ({"scores": {"macro_f1": 0.123}}, "do not give the recorded score"),
    ],
)
def test_what_is_not_alike_is_not_compared(write: Write, changes: dict[str, Any], reason: str) -> None:
    a, b = write("aa", {"gad": 0.7}), write("bb", {"gad": 0.9}, **changes)
    for folders in ((a, b), (b, a)):
        compared = compare(asked(*folders), Toy())
        found = row(compared, "gad", folders[1].name)
        assert found.words.startswith("not comparable: ")
        assert reason in found.words
        assert found.difference is None
        assert row(compared, "mean of the types", folders[1].name).words == "not comparable: no task in common"


def test_predictions_of_another_run_are_not_compared(write: Write) -> None:
    b = write("bb", {"gad": 0.9})
    write_run(b, Cell("gad", RECIPE, 1_000, 4), 0.9, {"predictions_sha256": "other"})
    found = row(compare(asked(write("aa", {"gad": 0.7}), b), Toy()), "gad")
    assert "not those of its records" in found.words


def test_seeds_of_different_rows_are_not_compared(write: Write) -> None:
    b = write("bb", {"gad": 0.9})
    changes = {"training": TrainingData(fingerprint="others", available=1_000, used=1_000)}
    write_run(b, Cell("gad", RECIPE, 1_000, 4), 0.9, changes)
    assert "different rows" in row(compare(asked(write("aa", {"gad": 0.7}), b), Toy()), "gad").words


def test_a_lost_prediction_file_is_named(write: Write) -> None:
    b = write("bb", {"gad": 0.9})
    next(iter(b.rglob("seed3.jsonl.gz"))).unlink()
    found = row(compare(asked(write("aa", {"gad": 0.7}), b), Toy()), "gad")
    assert found.words.startswith("not comparable: ")
    assert "predictions are not here" in found.words


def test_a_test_set_that_is_not_here(write: Write) -> None:
    compared = compare(asked(write("aa", ALL), write("bb", BETTER)), Toy("mqp"))
    assert row(compared, "mqp").words == "not comparable: mqp is not prepared"
    assert "without mqp" in row(compared, "mean of the types").note


def test_other_hardware_is_said(write: Write) -> None:
    gpu = Environment(clinsynth="", commit="", dirty=False, python="", platform="", packages={}, device="cuda",
                      dtype="bfloat16", threads=1)  # fmt: skip
    compared = compare(asked(write("aa", {"gad": 0.7}), write("bb", {"gad": 0.9}, environment=gpu)), Toy())
    assert row(compared, "gad").note == "run on cpu float32 and cuda bfloat16"


def test_bootstrap_and_jackknife_say_the_same(write: Write) -> None:
    a, b = write("aa", {"ncbi-disease": 0.7}), write("bb", {"ncbi-disease": 0.75})
    one, two = (row(compare(asked(a, b, resamples=n), Toy()), "ncbi-disease") for n in (3_000, 0))
    assert one.difference == two.difference
    assert one.detectable == pytest.approx(two.detectable or 0, rel=0.1)
    assert one == row(compare(asked(a, b, resamples=3_000), Toy()), "ncbi-disease")


def test_mistakes_of_the_user(write: Write, tmp_path: Path) -> None:
    a = write("aa", {"gad": 0.7})
    with pytest.raises(UserError, match="nothing to compare"):
        compare(asked(a, a), Toy())
    with pytest.raises(UserError, match=r"submission\.toml"):
        compare(asked(a, tmp_path / "nowhere"), Toy())
    with pytest.raises(UserError, match="unknown task"):
        compare(asked(a, write("bb", {"gad": 0.7}), tasks=("gadd",)), Toy())


@pytest.fixture
def command(write: Write, monkeypatch: pytest.MonkeyPatch) -> Sequence[str]:
    def open_store(_: Path | None, sample: bool) -> SampleStore | Toy:
        return SampleStore() if sample else Toy()

    monkeypatch.setattr("clinsynth.cli.standings.open_store", open_store)
    folders = [str(write("aa", ALL)), str(write("bb", BETTER)), str(write("cc", {"gad": 0.7}))]
    return ["compare", *folders, "--resamples", "200"]


def test_the_command_prints_every_format(command: Sequence[str], capsys: pytest.CaptureFixture[str]) -> None:
    shown: dict[str, str] = {}
    for name in ("table", "markdown", "json", "csv"):
        assert main([*command, "--format", name]) == 0
        shown[name] = capsys.readouterr().out
    value = json.loads(shown["json"])
    assert value["base"] == "aa"
    assert [each["scope"] for each in value["comparisons"]][-1] == "mean of the types"
    lines = list(csv.DictReader(io.StringIO(shown["csv"])))
    assert len(lines) == len(value["comparisons"])
    assert lines[0]["verdict"] == value["comparisons"][0]["words"]
    assert lines[0]["outcome"] == value["comparisons"][0]["judgement"]["verdict"] == "better"
    for name in ("table", "markdown"):
        assert all(each["words"] in shown[name] for each in value["comparisons"])
        assert value["remarks"][0] in shown[name].replace("\\", "")


def test_the_command_takes_tasks_and_the_sample(command: Sequence[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*command, "--tasks", "gad", "--format", "json"]) == 0
    scopes = {each["scope"] for each in json.loads(capsys.readouterr().out)["comparisons"]}
    assert scopes == {"gad", "mean of the types"}
    assert main([*command, "--sample", "--tasks", "gad"]) == 2
    output = capsys.readouterr().out
    assert "not comparable: aa has no run on 300 rows" in output
    assert "SAMPLE" in output


def test_runs_that_a_table_leaves_out_are_left_out_here_and_said(
    write: Write, capsys: pytest.CaptureFixture[str]
) -> None:
    a, b = write("aa", {"gad": 0.7}), write("bb", {"gad": 0.7})
    honest = row(compare(asked(a, b), Toy()), "gad")
    for seed in range(1_000, 1_010):  # far better, of seeds that nobody else may choose
        write_run(b, Cell("gad", RECIPE, 1_000, seed), 0.97, {})
    chosen = compare(asked(a, b), Toy())
    assert row(chosen, "gad") == honest
    (said,) = [remark for remark in chosen.remarks if "not shown" in remark]
    assert said.startswith("runs of bb on gad with the seeds 1000, 1001, 1002, 1003, 1004, ... are not shown")
    for seed in range(1_000, 1_010):  # and of another version of the task
        write_run(b, Cell("gad", RECIPE, 1_000, seed), 0.97, {"task_version": 99})
    outdated = compare(asked(a, b), Toy())
    assert row(outdated, "gad") == honest
    assert any("another version of the task" in remark for remark in outdated.remarks)
    assert main(["compare", str(a), str(b), "--resamples", "0"]) == 2, "no test set on this machine"
    assert "another version of the task" in " ".join(capsys.readouterr().out.split())
    shown = collect([b], "real").stored[0].entry(RECIPE).runs
    assert [record.seed for record in shown["gad"]] == list(range(5))


@pytest.mark.parametrize("changes", [{"submission": "other"}, {"rows": 1_001}])
def test_a_record_with_a_fault_gives_no_verdict(write: Write, changes: dict[str, Any]) -> None:
    a, b = write("aa", {"gad": 0.7}), write("bb", {"gad": 0.9})
    assert row(compare(asked(a, b), Toy()), "gad").words.startswith("bb is better")
    training = TrainingData(fingerprint="rows of bb", available=1_000, used=999 if "rows" in changes else 1_000)
    edited = {"training": training} | {key: value for key, value in changes.items() if key != "rows"}
    write_run(b, Cell("gad", RECIPE, 1_000, 4), 0.9, edited)
    found = row(compare(asked(a, b), Toy()), "gad")
    assert found.words.startswith("not comparable: bb fails its verification: ")
