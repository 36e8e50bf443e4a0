"""The direct track: its records, checks and tables, and the comparison with students."""

import gzip
import json
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from tests.asking import Ask, always, needs_lm_eval
from tests.oracle import SAMPLE, oracle, spec_of
from tests.scripted_server import Say, serve

from clinsynth.cli import main
from clinsynth.core.errors import UserError
from clinsynth.core.registry import TASKS
from clinsynth.direct.lm_eval_task import write_folder
from clinsynth.direct.parsing import MOST_UNPLACED, parse
from clinsynth.direct.records import DirectCell, DirectResults
from clinsynth.direct.runner import subset
from clinsynth.direct.standings import direct_standings, entry_at
from clinsynth.direct.verification import validate_direct, verify_direct
from clinsynth.results.store import Cell, Results
from clinsynth.results.store import read_record as read_run
from clinsynth.scoring.metrics import score_all
from clinsynth.standings.comparison import Request as CompareRequest
from clinsynth.standings.comparison import compare


@pytest.fixture
def answered(ask: Ask, tmp_path: Path) -> Path:
    """A folder with complete answers to two tasks: every fourth nonsense zero-shot, every third few-shot."""
    for shots, wrong_every in ((0, 4), (1, 3)):
        with serve(oracle(wrong_every=wrong_every)) as server:
            ask(server, "gad", "mqp", shots=shots)
    return tmp_path / "out"


@needs_lm_eval
def test_mentions_that_the_text_does_not_have_are_stored_as_wrong(ask: Ask, tmp_path: Path) -> None:
    said = json.dumps(["zyzzyva fever", "querulous palsy"])
    with serve(always(Say(text=said))) as server:
        record = ask(server, "ncbi-disease", mode="chat", limit=6).records["ncbi-disease"]
    assert (record.answers, record.score) == ({"read": 6}, 0.0)
    results = DirectResults(tmp_path / "out", "sample")
    answers, _ = results.read_predictions(record)
    assert [len(each.prediction.spans) for each in answers] == [2] * 6, "two false positives each"
    assert verify_direct(tmp_path / "out", SAMPLE).findings == ()
    assert main(["verify", str(tmp_path / "out"), "--sample"]) == 0
    example = SAMPLE.examples(TASKS["ncbi-disease"], "test")[0]
    endless = parse(spec_of("ncbi-disease"), example, json.dumps([f"zyzzyva {k}" for k in range(999)])).prediction
    assert len(endless.spans) == MOST_UNPLACED, "no more than a file may hold"
    path = results.predictions_path(record.cell)
    lines = [json.loads(line) for line in gzip.decompress(path.read_bytes()).splitlines()]
    for number in (-1, 10**9, "2", True):
        path.write_bytes(
            gzip.compress("".join(json.dumps(row | {"unplaced": number}) + "\n" for row in lines).encode())
        )
        with pytest.raises(UserError, match="line 1 is not a prediction"):
            results.read_predictions(record)


@needs_lm_eval
def test_edits_show(answered: Path) -> None:
    path = next((answered / "sample/direct/gad").rglob("shots0.json"))
    stored = json.loads(path.read_text())
    path.write_text(json.dumps(stored | {"scores": {**stored["scores"], "macro_f1": 0.99}}))
    findings = [finding.what for finding in verify_direct(answered, SAMPLE).findings]
    assert any("seal" in what for what in findings)
    assert any("from the predictions" in what for what in findings)
    table = direct_standings([answered], "minilm-l6.v1", 20, "sample", SAMPLE)
    claimed = next(row for row in table.direct if row.row == "zero-shot").scores
    assert "gad" not in claimed, "what was edited is not shown"
    assert claimed["mqp"].low is not None
    assert validate_direct(answered).exit_code == 1
    assert main(["verify", str(answered), "--sample"]) == 1
    assert main(["validate", str(answered)]) == 1


@needs_lm_eval
def test_cards_are_checked(answered: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["validate", str(answered)]) == 0
    assert "gad zero-shot 44" in capsys.readouterr().out
    card = answered / "direct.toml"
    card.write_text(card.read_text().replace('name = "out"', 'name = "other"', 1))
    assert main(["validate", str(answered)]) == 1


@needs_lm_eval
def test_compare_works_across_tracks(answered: Path, submit: Any, store_run: Any) -> None:
    folder = submit({"gad": 20, "mqp": 20})
    for task in ("gad", "mqp"):
        for seed in range(3):
            store_run(folder, Cell(task, "minilm-l6.v1", 20, seed))
    with pytest.raises(UserError, match="several rows"):
        compare(
            CompareRequest(
                entries=tuple(entry_at(place, "minilm-l6.v1", "sample") for place in (folder, answered)),
                recipe="minilm-l6.v1",
                rows=20,
                resamples=50,
            ),
            SAMPLE,
        )
    request = CompareRequest(
        entries=tuple(entry_at(place, "minilm-l6.v1", "sample") for place in (folder, answered / "shots0")),
        recipe="minilm-l6.v1",
        rows=20,
        resamples=50,
    )
    rows = {row.scope: row for row in compare(request, SAMPLE).comparisons}
    record = DirectResults(answered, "sample").done(DirectCell("gad", "scripted-1", 0, None))
    assert record is not None
    assert rows["gad"].other_score == pytest.approx(record.score)
    assert rows["gad"].seeds == 3
    assert rows["gad"].p is not None
    both = CompareRequest(
        entries=tuple(
            entry_at(place, "minilm-l6.v1", "sample") for place in (answered / "shots0", answered / "shots1")
        ),
        recipe="minilm-l6.v1",
        rows=20,
        resamples=50,
    )
    assert {row.scope: row.p is not None for row in compare(both, SAMPLE).comparisons}["mqp"]
    three = CompareRequest(
        entries=tuple(
            entry_at(place, "minilm-l6.v1", "sample") for place in (folder, answered / "shots0", answered / "shots1")
        ),
        recipe="minilm-l6.v1",
        rows=20,
        resamples=50,
    )
    own = {row.other: row.other_score for row in compare(three, SAMPLE).comparisons if row.scope == "gad"}
    for shots in (0, 1):
        stored = DirectResults(answered, "sample").done(DirectCell("gad", "scripted-1", shots, None))
        assert stored
        assert own[f"out/shots{shots}"] == pytest.approx(stored.score)
    assert len(set(own.values())) == 2, "each row has its own answers"


@needs_lm_eval
def test_the_table_sets_answers_beside_students_of_the_same_model(
    answered: Path,
    tmp_path: Path,
    submit: Any,
    store_run: Any,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    made = submit({"gad": 20}, name="by-scripted")
    other = submit({"gad": 20}, name="by-another")
    for folder, llm in ((made, "Scripted 1"), (other, "else-9")):
        card = folder / "submission.toml"
        card.write_text(card.read_text() + f'\n[llm]\nname = "{llm}"\nsnapshot = ""\n')
        runs = [store_run(folder, Cell("gad", "minilm-l6.v1", 20, seed)) for seed in range(2)]
    table = direct_standings([answered, made.parent], "minilm-l6.v1", 20, "sample", SAMPLE)
    assert [row.row for row in table.direct] == ["zero-shot", "few-shot"]
    assert [row.name for row in table.students] == ["by-scripted"]
    (pair,) = table.pairs
    assert pair.student == pytest.approx(sum(run.score for run in runs) / 2)
    assert pair.difference == pytest.approx(pair.student - max(pair.zero_shot or 0, pair.few_shot or 0))
    shots = 0 if (pair.zero_shot or 0) >= (pair.few_shot or 0) else 1
    request = CompareRequest(
        entries=tuple(entry_at(place, "minilm-l6.v1", "sample") for place in (answered / f"shots{shots}", made)),
        recipe="minilm-l6.v1",
        rows=20,
    )
    (same,) = [row for row in compare(request, SAMPLE).comparisons if row.scope == "gad"]
    assert (pair.low, pair.high) == (pytest.approx(same.low, abs=1e-6), pytest.approx(same.high, abs=1e-6))
    assert pair.verdict is not None
    if (same.p or 0) < 0.05:
        assert pair.better == ("train" if pair.difference > 0 else "ask")
    else:
        assert pair.better == pair.verdict
    for score in (score for row in table.direct for score in row.scores.values()):
        assert score.low is not None
        assert score.high is not None
        assert 0 <= score.low <= score.score <= score.high <= 1
    bare = direct_standings([answered, made.parent], "minilm-l6.v1", 20, "sample")
    assert bare.pairs[0].difference == pytest.approx(pair.difference)
    assert (bare.pairs[0].better, bare.direct[0].scores["gad"].low) == ("", None), "no test set, no interval"
    mean = table.direct[0].overall(table.tasks)
    assert mean == pytest.approx(sum(score.score for score in table.direct[0].scores.values()) / 2)
    places = [str(answered), str(made.parent)]
    monkeypatch.setenv("COLUMNS", "200")  # a narrow terminal has no room for the student's score
    for words in ([], ["--view", "direct"], ["--format", "markdown"], ["--view", "direct", "--no-statistics"]):
        assert main(["standings", *places, "--sample", "--rows", "20", "--resamples", "50", *words]) == 0
        said = capsys.readouterr().out.replace("\\", "")
        assert "zero-shot" in said, words
        assert "without such a comparison here: by-another" in said
        assert f"{100 * pair.student:.1f}" in said
    drawing = tmp_path / "drawn.svg"
    words = ["--sample", "--recipe", "minilm-l6.v1", "--rows", "20", "--plot", str(drawing)]
    assert main(["direct", "--report", *places, *words]) == 0
    drawn = ElementTree.parse(drawing).getroot()  # noqa: S314 - made here
    assert "gad, zero-shot: by-scripted" in "".join(drawn.itertext())
    assert mean is not None
    assert f"{100 * mean:.1f}" in capsys.readouterr().out


@needs_lm_eval
def test_both_tracks_judge_by_the_same_scale(answered: Path, submit: Any, store_run: Any) -> None:
    """Where all real rows are hardly above the best constant answer, a wide interval is no tie, in either track."""
    made, ceiling = submit({"gad": 20}, name="by-scripted"), submit({"gad": 20}, name="gold-full")
    card = made / "submission.toml"
    card.write_text(card.read_text() + '\n[llm]\nname = "Scripted 1"\nsnapshot = ""\n')
    for seed in range(5):
        store_run(made, Cell("gad", "minilm-l6.v1", 20, seed))
        store_run(ceiling, Cell("gad", "minilm-l6.v1", 20, seed), scores={"macro_f1": 0.4, "f1": 0.4, "accuracy": 0.4})
    (without,) = direct_standings([answered, made], "minilm-l6.v1", 20, "sample", SAMPLE).pairs
    (pair,) = direct_standings([answered, made.parent], "minilm-l6.v1", 20, "sample", SAMPLE).pairs
    shots = 0 if (pair.zero_shot or 0) >= (pair.few_shot or 0) else 1
    entries = tuple(entry_at(place, "minilm-l6.v1", "sample") for place in (answered / f"shots{shots}", made))
    request = CompareRequest(
        entries=entries, recipe="minilm-l6.v1", rows=20, ceiling=entry_at(ceiling, "minilm-l6.v1", "sample")
    )
    (same,) = [row for row in compare(request, SAMPLE).comparisons if row.scope == "gad"]
    assert (without.verdict, pair.verdict) == ("tie", same.judgement.verdict)
    assert pair.verdict == "undecided"


@needs_lm_eval
def test_a_subset_is_compared_with_students_on_that_subset(
    ask: Ask, tmp_path: Path, submit: Any, store_run: Any
) -> None:
    with serve(oracle()) as server:
        ask(server, "gad", limit=10)
    folder = submit({"gad": 20}, name="by-scripted")
    card = folder / "submission.toml"
    card.write_text(card.read_text() + '\n[llm]\nname = "scripted-1"\nsnapshot = ""\n')
    store_run(folder, Cell("gad", "minilm-l6.v1", 20, 0))
    table = direct_standings([tmp_path], "minilm-l6.v1", 20, "sample", SAMPLE)
    (pair,) = table.pairs
    assert (pair.asked, pair.preliminary, pair.zero_shot, pair.few_shot) == (10, True, 1.0, None)
    assert table.direct[0].overall(table.tasks) is None
    gold = SAMPLE.examples(TASKS["gad"], "test")
    runs = Results(folder, "sample")
    said, _ = runs.read_predictions(read_run(runs.record_path(Cell("gad", "minilm-l6.v1", 20, 0))))
    asked = subset(len(gold), 10)
    on_subset = score_all(spec_of("gad"), [gold[k] for k in asked], [said[k] for k in asked])
    assert pair.student == pytest.approx(on_subset["macro_f1"])
    assert (pair.low, pair.verdict, pair.better) == (None, None, ""), "one seed tells nothing of others"
    commonest = max(sum(gold[k].labels == (label,) for k in asked) for label in spec_of("gad").labels)
    assert table.direct[0].scores["gad"].sameness == pytest.approx(commonest / 10)


@needs_lm_eval
def test_one_answer_to_everything_is_said(ask: Ask, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with serve(lambda _: Say(text='relation"')) as server:
        ask(server, "gad")
    table = direct_standings([tmp_path], "minilm-l6.v1", 20, "sample")
    assert table.direct[0].scores["gad"].sameness == 1
    assert main(["direct", "--report", str(tmp_path), "--sample"]) == 0
    assert "100 % of its answers are the same" in capsys.readouterr().out


def test_no_direct_track_is_said(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no direct track"):
        direct_standings([tmp_path], "minilm-l6.v1", 20, "sample")


@pytest.mark.parametrize(
    ("words", "what"),
    [
        ((), "which model"),
        (("--model", "local-completions", "--model-args", "base_url"), "cannot be read"),
        (("--model", "local-completions", "--model-args", ""), "no name"),
        (("--model", "local-completions", "--name", "x1", "--limit", "0"), "--limit 0"),
        (("--model", "local-completions", "--name", "x1", "--shots", "-1"), "--shots -1"),
    ],
)
def test_the_command_says_what_is_missing(
    words: tuple[str, ...], what: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["direct", *words, "--sample"]) == 2
    assert what in capsys.readouterr().err


def test_the_folder_for_lm_eval_names_every_task(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("CLINSYNTH_CACHE", str(tmp_path))
    assert main(["lm-eval-path", "--sample"]) == 0
    folder = Path(capsys.readouterr().out.strip())
    assert {path.stem for path in folder.glob("*.yaml")} == {f"clinsynth_{task.replace('-', '_')}" for task in TASKS}
    assert write_folder(None, sample=True) == folder != write_folder(tmp_path, sample=False)
