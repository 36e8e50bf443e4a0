"""Leaks are found however they are disguised, clean rows pass, and a record never holds text."""

import importlib
import json
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from studies.planted.edits import EDITS, SYNONYMS, paraphrased
from studies.planted.leakage import same_sentence

from clinsynth import training
from clinsynth.audit import Verdict, audit, is_audited, leakage, measurement, record
from clinsynth.audit.leakage import TextSet
from clinsynth.audit.run import _Embedder  # pyright: ignore[reportPrivateUsage]
from clinsynth.cli import main
from clinsynth.core.errors import NotPreparedError, UserError
from clinsynth.core.nouns import Example, Prediction
from clinsynth.core.registry import TASKS
from clinsynth.data.samples import SampleStore
from clinsynth.results.store import Cell, Results, RunRecord
from clinsynth.submissions import Card, RealData, write_submission
from clinsynth.task_types import task_type
from clinsynth.text.near_duplicates import NearDuplicates, jaccard, shingles, sketches_of
from clinsynth.text.normalising import fold, key, tight, words
from clinsynth.text.sequences import Codes, Sequences, longest_shared, seen
from clinsynth.training import embeddings

STORE = SampleStore()
SENTENCE = (
    "Forty patients with ataxia-telangiectasia (A-T) received 10 mg/kg of the study drug twice daily for three weeks."
)
SAME: tuple[tuple[str, str], ...] = (
    ("ataxia - telangiectasia", "ataxia-telangiectasia"),
    ("IL - 6 ( p < 0 . 05 )", "IL6 (p<0.05)"),
    ("Sjögren\u2019s syndrome", "sjogren's   SYNDROME"),
    ("\uff21\uff22\uff23 \ufb01brosis \u00b2", "abc fibrosis 2"),
    ("beta\u2013blocker", "beta-blocker"),
    ("zero\u200bwidth soft\u00adhyphen", "zerowidth softhyphen"),
    ("-LRB- see text -RRB-", "(see text)"),
    ("Straße", "STRASSE"),
    ("\u03bcg", "\u00b5g"),
    ("no-break\u00a0space\u2003here", "no-break space here"),
)


@pytest.fixture
def bag_of_words(monkeypatch: pytest.MonkeyPatch) -> None:
    """Embeddings without a model: hashed words, normalised."""

    def embed(texts: Sequence[str], cache_dir: Path | None = None) -> embeddings.Vectors:
        out = np.zeros((len(texts), 512), np.float32)
        codes = Codes()
        for k, text in enumerate(texts):
            for word in words(text):
                out[k, codes[word] % 512] += 1
        return out / np.maximum(np.linalg.norm(out, axis=1, keepdims=True), 1e-9)

    for place in (embeddings, training):  # the door may have handed out the real ones already
        monkeypatch.setattr(place, "embed", embed)
        monkeypatch.setattr(place, "embedder_fingerprint", lambda: "bag of words")


def submission(
    folder: Path, task: str, examples: Sequence[Example], used: Any = "none", kind: Any = "submission"
) -> Path:
    path = folder / "toy"
    card = Card(
        name="toy", title="Toy", authors=("A. Person",), generator="none", licence="CC0-1.0", kind=kind,
        real_data=RealData(used=used, details="for the test"),
    )  # fmt: skip
    write_submission(path, card, {task: [task_type(TASKS[task].spec).encode(e) for e in examples]})
    return path


def invented(number: int, pair: bool = False) -> list[Example]:
    """Rows that are like no real one and no other."""
    rng = np.random.default_rng(number)
    letters = list("abcdefghijklmnopqrstuvwxyz")
    texts = [" ".join("".join(rng.choice(letters, 7)) for _ in range(14)) for _ in range(2 * number)]
    return [Example((texts[k], texts[-k - 1]) if pair else (texts[k],), labels=()) for k in range(number)]


@pytest.mark.parametrize(("left", "right"), SAME, ids=lambda value: ascii(value)[:30])
def test_the_same_text_has_the_same_key(left: str, right: str) -> None:
    assert key(left) == key(right)
    assert key(left) != key(left + " too")


def test_forms() -> None:
    assert words("IL-6, 10mg/kg") == ["il", "6", "10", "mg", "kg"]
    assert tight("a - t ( x ) , y") == "a-t(x),y"
    assert fold("É") == "e"
    assert key("...") == "..."  # nothing but punctuation is still told apart
    assert key("...") != key("?!")


def brute(row: Sequence[str], texts: Sequence[Sequence[str]]) -> int:
    runs = {tuple(text[i:j]) for text in texts for i in range(len(text)) for j in range(i + 1, len(text) + 1)}
    lengths = (j - i for i in range(len(row)) for j in range(i + 1, len(row) + 1) if tuple(row[i:j]) in runs)
    return max(lengths, default=0)


@pytest.mark.parametrize("seed", range(20))
def test_longest_shared_equals_brute_force(seed: int) -> None:
    rng = np.random.default_rng(seed)
    texts = [[str(c) for c in rng.choice(list("abc"), rng.integers(0, 30))] for _ in range(5)]
    rows = [[str(c) for c in rng.choice(list("abc"), rng.integers(0, 25))] for _ in range(6)] + [[*texts[0][3:20], "b"]]
    expected = [n if n >= 2 else 0 for n in (brute(row, texts) for row in rows)]
    codes = Codes()
    assert longest_shared(Sequences.of(rows, codes), Sequences.of(texts, codes), 2).tolist() == expected
    joined = [Sequences.of_characters(["".join(part) for part in side]) for side in (rows, texts)]
    assert longest_shared(joined[0], joined[1], 2).tolist() == expected


def test_seen_equals_set_membership(rng: np.random.Generator) -> None:
    for few, many in ((10, 100_000), (100_000, 10), (300, 300)):
        queries, known = (rng.integers(0, 50_000, n).astype(np.uint64) for n in (few, many))
        expected = [int(q) in set(known.tolist()) for q in queries]
        assert seen(queries, known).tolist() == expected


def test_near_duplicates_are_those_with_a_high_jaccard_index() -> None:
    texts = [words(SENTENCE), words("Entirely different words are said about another matter altogether here.")]
    near = words(SENTENCE.replace("three", "four").replace("Forty", "Fifty"))
    sets = shingles(texts)
    assert list(NearDuplicates(sets).query(shingles([near, texts[1], []]), 0.6)) == [(0, 0), (1, 1)]
    assert jaccard(frozenset({1, 2, 3}), frozenset({2, 3, 4})) == 0.5
    assert jaccard(frozenset(), frozenset()) == 0


def test_sketches_are_those_of_datasketch(rng: np.random.Generator) -> None:
    """Values of datasketch 2.0 for ``MinHash(num_perm=96, hashfunc=int, seed=1)``, which audits were made with."""
    datasketch: Any = importlib.import_module("datasketch")
    sets = [frozenset(map(int, rng.integers(0, 2**32, size))) for size in (1, 7, 150, 0)]
    expected = [m.hashvalues for m in datasketch.MinHash.generator(sets, num_perm=96, hashfunc=int, seed=1)]
    assert np.array_equal(sketches_of(sets), np.array(expected))
    assert list(NearDuplicates([frozenset()]).query([frozenset()], 0.6)) == []


def test_candidates_miss_almost_no_near_duplicate(rng: np.random.Generator) -> None:
    base = ["".join(rng.choice(list("abcdefghij"), 6)) for _ in range(40)]
    texts = [[base[k] if rng.random() > 0.08 else "other" for k in range(40)] for _ in range(200)]
    sets, query = shingles(texts), shingles([base])
    truly = {k for k, own in enumerate(sets) if jaccard(query[0], own) >= 0.6}
    found = {k for _, k in NearDuplicates(sets).query(query, 0.6)}
    assert found <= truly
    assert len(found) >= 0.95 * len(truly) > 100


def methods(rows: Sequence[Example], items: Sequence[Example], **more: Any) -> dict[int, str]:
    found = leakage.overlap(TextSet(rows), TextSet(items), **more)
    return {match.row: match.method for match in found.matches}


def test_each_method_finds_what_it_is_for() -> None:
    longer = f"In a trial nobody heard of, {SENTENCE[:-1].lower()}, which was then reported to a meeting of the board."
    rows = [
        SENTENCE.upper(),
        longer,
        SENTENCE.replace("received", "got").replace("twice", "once"),
        "Nothing of the kind.",
    ]
    found = methods([Example((text,)) for text in rows], [Example((SENTENCE,))])
    assert found == {0: "exact", 1: "13-gram", 2: "near-duplicate"}


def test_a_whole_short_text_inside_a_row_is_found() -> None:
    inside = "We saw that the children slept well after the second dose and went home."
    assert methods([Example((inside,))], [Example(("The children slept well after the second dose.",))]) == {
        0: "13-gram"
    }
    assert methods([Example((inside,))], [Example(("Slept well after the second dose.",))]) == {}  # six words


def test_runs_that_are_public_are_no_evidence() -> None:
    row = "After that the " + SENTENCE[:-1] + " and the results of this were then sent to the editor of a journal."
    item = "Before that, in another country and many years ago, one hears that " + SENTENCE
    assert methods([Example((row,))], [Example((item,))]) == {0: "13-gram"}
    assert methods([Example((row,))], [Example((item,))], public=TextSet([Example((SENTENCE,))])) == {}


def test_the_nearest_neighbour_needs_words_in_common_unless_it_is_very_near() -> None:
    item = "The surgeon closed the wound with two layers of absorbable thread."
    row = "The surgeon closed the wound using two layers of thread that dissolves."
    other = "Completely unrelated words stand in this row about feeding guinea pigs."
    vectors = {item: (1.0, 0.0), row: (0.9, 0.43589), other: (0.9, 0.43589)}

    def embed(texts: Sequence[str]) -> leakage.Vectors:
        return np.array([vectors[text] for text in texts], np.float32)

    rows = [Example((text,)) for text in (row, other)]
    assert methods(rows, [Example((item,))]) == {}
    assert methods(rows, [Example((item,))], embed=embed) == {0: "embedding"}
    vectors[other] = (1.0, 0.0)
    assert methods(rows, [Example((item,))], embed=embed) == {0: "embedding", 1: "embedding"}


def test_a_pair_leaks_only_if_both_texts_do() -> None:
    claim, evidence = "Vitamin D prevents the common cold in adults over winter.", SENTENCE
    other = "Nobody has tested whether zinc shortens a cold that has already begun."
    items = [Example((claim, evidence)), Example(("Another claim about something else entirely, said here.", other))]
    rows = [
        Example((claim, evidence)),
        Example((evidence.upper(), claim)),  # the other way round
        Example((claim, "This is evidence that stands in no test set whatsoever, I think.")),
        Example((claim, other)),  # each text is a test text, but not of one example
    ]
    found = leakage.overlap(TextSet(rows), TextSet(items))
    assert [(match.row, match.item) for match in found.matches] == [(0, 0), (1, 0)]
    assert found.one_side == (2, 3)


def test_a_public_side_of_a_pair_says_nothing() -> None:
    claim, evidence = "Vitamin D prevents the common cold in adults over winter.", SENTENCE
    near = "Vitamin D averts the common cold in grown people during winter."
    vectors = {claim: (1.0, 0.0), near: (0.98, 0.199), evidence: (0.0, 1.0)}

    def embed(texts: Sequence[str]) -> leakage.Vectors:
        return np.array([vectors[text] for text in texts], np.float32)

    items, rows = [Example((claim, evidence))], [Example((near, evidence)), Example((claim, evidence))]
    public = TextSet([Example(("Another claim.", evidence))])
    assert methods(rows, items, embed=embed) == {0: "embedding", 1: "exact"}
    assert methods(rows, items, embed=embed, public=public) == {1: "exact"}


def test_markers_say_nothing() -> None:
    items = [Example(("@CHEMICAL$-induced @DISEASE$ in the rat and in the mouse.",))]
    rows = [Example(("@CHEMICAL$-induced @DISEASE$ after a liver transplant.",)), items[0]]
    found = leakage.overlap(TextSet(rows, ("@CHEMICAL$", "@DISEASE$")), TextSet(items, ("@CHEMICAL$", "@DISEASE$")))
    assert [match.row for match in found.matches] == [1]


def test_verbatim_stretches() -> None:
    real = TextSet([Example((SENTENCE,)), Example(("Nothing else.",))])
    rows = TextSet([Example(("Some say that " + SENTENCE[:59] + " stopped.",)), Example(("quite other",))])
    found = measurement.longest(rows, real)
    assert found.words.tolist() == [9, 0]
    assert found.characters[0] == len(tight(SENTENCE[:59])) + 1  # and the space behind it
    assert found.characters[1] == 0


@pytest.mark.parametrize("kind", [kind for kind in EDITS if kind != "paraphrased"])
@pytest.mark.parametrize("task", ["gad", "hoc", "ncbi-disease", "mqp"])
def test_disguises_of_test_rows_are_exact_matches(task: str, kind: str, rng: np.random.Generator) -> None:
    test = STORE.examples(TASKS[task], "test")
    rows = [Example(tuple(EDITS[kind](text, rng) for text in e.texts)) for e in test]
    assert methods(rows, test) == dict.fromkeys(range(len(test)), "exact")


def test_paraphrases_always_change_the_text(rng: np.random.Generator) -> None:
    assert all(left != right for left, right in SYNONYMS.items())
    for task in ("gad", "hoc", "litcovid"):
        for example in STORE.examples(TASKS[task], "test"):
            assert key(paraphrased(example.texts[0], rng)) != key(example.texts[0])


@pytest.mark.parametrize(
    ("left", "right", "same"),
    [
        ("@G$ and CYP2 raise the risk of @D$.", "CYP1 and @G$ raise the risk of prostate cancer.", True),
        ("@G$ and CYP2 raise the risk of @D$.", "CYP1 and @G$ raise the risk of @D$ .", True),
        ("@G$ and CYP2 raise the risk of @D$.", "CYP1 and @G$ lower the risk of @D$ .", False),
    ],
)
def test_the_same_sentence_with_other_marks(left: str, right: str, same: bool) -> None:
    assert same_sentence(left, right, ("@G$", "@D$")) is same


@pytest.mark.usefixtures("bag_of_words")
def test_a_clean_submission_passes(tmp_path: Path) -> None:
    path = submission(tmp_path, "ncbi-disease", invented(50))
    (found,) = audit(path, [], STORE)
    assert found.clean
    assert found.test.matches == ()
    assert found.privacy.rows == {}
    assert (path / "sample" / "audit" / "ncbi-disease.json").is_file()


@pytest.mark.usefixtures("bag_of_words")
@pytest.mark.parametrize("task", ["gad", "hoc", "ncbi-disease", "mqp"])
def test_a_planted_submission_fails_and_every_row_is_named(task: str, tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    test = STORE.examples(TASKS[task], "test")
    train = STORE.examples(TASKS[task], "train")
    leaked = [Example(tuple(EDITS["case-changed"](t, rng) for t in e.texts), labels=e.labels) for e in test[:5]]
    (found,) = audit(submission(tmp_path, task, [*train, *leaked], "train"), [task], STORE)
    assert not found.clean
    rows = {match.row: match.tests for match in found.test.matches}
    assert all(k in rows[len(train) + k + 1] for k in range(5))
    assert rows.keys() <= set(range(len(train) + 1, len(train) + 6))
    assert "word for word" in found.failures[0]


@pytest.mark.usefixtures("bag_of_words")
def test_a_record_holds_no_text(tmp_path: Path) -> None:
    test = STORE.examples(TASKS["hoc"], "test")
    (found,) = audit(submission(tmp_path, "hoc", test), ["hoc"], STORE)
    said = record.audit_path(tmp_path / "toy", "hoc", "sample").read_text()
    for example in test:
        assert not any(part in said for part in (example.texts[0][:25], example.texts[0].lower()[5:30]))
    assert found.failures
    assert not any(" ".join(words(e.texts[0])[:3]) in said.lower() for e in test)


@pytest.mark.usefixtures("bag_of_words")
def test_real_text_that_is_not_owned_up_to_fails(tmp_path: Path) -> None:
    train = STORE.examples(TASKS["hoc"], "train")
    (hidden,) = audit(submission(tmp_path / "a", "hoc", train), ["hoc"], STORE)
    (owned,) = audit(submission(tmp_path / "b", "hoc", train, "train"), ["hoc"], STORE)
    assert any("real_data.used = none" in failure for failure in hidden.failures)
    assert owned.clean
    assert owned.train is not None
    assert sum(owned.train.rows.values()) + owned.train.few_words == len(train)


@pytest.mark.usefixtures("bag_of_words")
def test_what_looks_like_phi_fails(tmp_path: Path) -> None:
    rows = invented(48) + [Example((f"{e.texts[0]} MRN: 00482917",)) for e in invented(2)]
    (found,) = audit(submission(tmp_path, "ncbi-disease", rows), [], STORE)
    assert found.privacy.rows == {"record-number": (49, 50)}
    assert any("PHI" in failure for failure in found.failures)


Store = Callable[..., RunRecord]


@pytest.mark.usefixtures("bag_of_words")
def test_scores_with_and_without_the_touched_examples(tmp_path: Path, store_run: Store) -> None:
    task = TASKS["gad"]
    test = STORE.examples(task, "test")
    path = submission(tmp_path, "gad", [Example(e.texts, labels=e.labels) for e in test[:4]])
    cell = Cell("gad", "tiny.v1", 4, 0)
    # Right on the leaked four, wrong on all others.
    other = {"yes": "no", "no": "yes", **dict(zip(task.spec.labels, reversed(task.spec.labels), strict=True))}
    said = [Prediction(e.labels if k < 4 else (other[e.labels[0]],)) for k, e in enumerate(test)]
    store_run(path, cell, score=0.5)
    Results(path, "sample").write_predictions(cell, said, spans=False)
    (found,) = audit(path, ["gad"], STORE)
    (run,) = found.scores
    touched = {k for match in found.test.matches for k in match.tests}
    assert (run.without, run.untouched) == (0.0, len(test) - len(touched))
    assert run.score > 0
    assert found.test.touched == len(touched) >= 4


@pytest.mark.usefixtures("bag_of_words")
def test_nothing_is_done_twice_but_new_scores_are_added(
    tmp_path: Path, store_run: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = submission(tmp_path, "ncbi-disease", invented(20))
    (first,) = audit(path, [], STORE)
    with monkeypatch.context() as patch:
        patch.setattr(leakage, "overlap", None)  # would fail if it were called
        assert audit(path, [], STORE) == [first]
        cell = Cell("ncbi-disease", "tiny.v1", 20, 0)
        test = STORE.examples(TASKS["ncbi-disease"], "test")
        Results(path, "sample").write_predictions(cell, [Prediction() for _ in test], spans=True)
        store_run(path, cell, score=0.0)
        (second,) = audit(path, [], STORE)
    assert len(second.scores) == 1
    assert second.seal == second.expected_seal() != first.seal
    submission(tmp_path, "ncbi-disease", invented(21))
    (third,) = audit(path, [], STORE)
    assert third.rows == 21


@pytest.mark.usefixtures("bag_of_words")
def test_is_audited(tmp_path: Path) -> None:
    path = submission(tmp_path, "ncbi-disease", invented(20))

    def ask(fingerprint: str, test: str | None = None) -> Verdict:
        return is_audited(path, "ncbi-disease", fingerprint, kind="sample", test=test)

    assert ask("x").state == "unaudited"
    (found,) = audit(path, [], STORE)
    assert ask(found.data_fingerprint).ranked
    assert ask(found.data_fingerprint, test=found.splits["test"]).state == "clean"
    assert ask("x").state == ask(found.data_fingerprint, test="x").state == "stale"
    assert is_audited(path, "ncbi-disease", found.data_fingerprint).state == "unaudited"  # not the sample's
    where = record.audit_path(path, "ncbi-disease", "sample")
    content = json.loads(where.read_text())
    where.write_text(json.dumps({**content, "rows": 5}))
    assert "edited" in ask(found.data_fingerprint).reasons[0]
    shutil.copytree(path, tmp_path / "copy")
    assert not is_audited(tmp_path / "copy", "ncbi-disease", found.data_fingerprint, kind="sample").ranked


@pytest.mark.usefixtures("bag_of_words")
def test_a_failed_audit_is_not_ranked(tmp_path: Path) -> None:
    path = submission(tmp_path, "hoc", STORE.examples(TASKS["hoc"], "test"))
    (found,) = audit(path, [], STORE)
    verdict = is_audited(path, "hoc", found.data_fingerprint, kind="sample")
    assert (verdict.state, verdict.ranked, verdict.reasons) == ("failed", False, found.failures)


@pytest.mark.usefixtures("bag_of_words")
def test_exit_codes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    clean = submission(tmp_path / "a", "ncbi-disease", invented(20))
    leaky = submission(tmp_path / "b", "hoc", STORE.examples(TASKS["hoc"], "test"))
    assert main(["audit", str(clean), "--sample"]) == 0
    assert main(["audit", str(leaky), "--sample"]) == 1
    assert "word for word" in capsys.readouterr().out
    assert main(["audit", str(clean), "--data-dir", str(tmp_path / "none")]) == 2
    assert main(["audit", str(tmp_path / "nowhere"), "--sample"]) == 2


@pytest.mark.usefixtures("bag_of_words")
def test_canaries_on_the_command_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["canary", "plant", str(tmp_path / "c"), "--count", "2"]) == 0
    hashes = str(tmp_path / "c" / "canary-hashes.json")
    secret = (tmp_path / "c" / "canaries.txt").read_text().splitlines()[1]
    clean = submission(tmp_path / "a", "ncbi-disease", invented(20))
    tainted = submission(tmp_path / "b", "ncbi-disease", [*invented(19), Example((f"He said {secret} twice.",))])
    assert main(["canary", "look", str(clean), "--hashes", hashes]) == 0
    assert main(["canary", "look", str(tainted), "--hashes", hashes]) == 1
    assert "row 20: canary 2, whole" in capsys.readouterr().out
    assert main(["audit", str(tainted), "--sample", "--canaries", hashes]) == 1
    assert secret.split()[0] not in capsys.readouterr().out


@pytest.mark.usefixtures("bag_of_words")
def test_a_missing_test_split_is_told(tmp_path: Path) -> None:
    from clinsynth.data.store import DataStore

    path = submission(tmp_path, "ncbi-disease", invented(5))
    with pytest.raises(NotPreparedError):
        audit(path, [], DataStore(tmp_path / "none"))
    with pytest.raises(UserError):
        audit(tmp_path / "nowhere", [], STORE)


@pytest.mark.slow
def test_the_model_finds_light_paraphrases(tmp_path: Path) -> None:
    rng = np.random.default_rng(3)
    test = STORE.examples(TASKS["hoc"], "test")
    rows = [Example((paraphrased(e.texts[0], rng),), labels=e.labels) for e in test]
    (found,) = audit(submission(tmp_path, "hoc", rows), [], STORE)
    assert len(found.test.matches) >= 0.9 * len(rows)


def test_texts_beyond_the_first_are_embedded_when_they_are_asked_for(bag_of_words: None) -> None:
    """A text that is not among the first sets must not end an audit, least of all with the text in a traceback."""
    embedder = _Embedder(STORE, [TextSet([Example(("a first sentence",))])])
    (first,) = embedder(["a first sentence"])
    other, again = embedder(["another sentence that nobody announced", "a first sentence"])
    assert np.allclose(first, again)
    assert not np.allclose(first, other)
    assert embedder.fingerprint == "bag of words"
