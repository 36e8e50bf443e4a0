"""Readers on the published files where they are here, and on tiny files of the same form where they cannot be."""

import gzip
import json
import os
from collections.abc import Mapping
from io import StringIO
from pathlib import Path
from typing import IO

import pytest

from clinsynth.core.nouns import Example, Span, Split
from clinsynth.core.registry import TASKS
from clinsynth.data.fetch import Files, splits_of
from clinsynth.data.formats import (
    ReadError,
    counting,
    documents_by_size,
    documents_by_text,
    iob,
    json_fields,
    mark,
    pubtator,
    table,
)
from clinsynth.task_types import task_type
from clinsynth.text.normalising import sentence_ranges

RAW = Path(os.environ.get("CLINSYNTH_RAW") or Path(__file__).parents[2] / "shared" / "data" / "raw")
PUBLISHED = [(name, split) for name in sorted(TASKS) for split in splits_of(TASKS[name].spec)]
NEVER_SHOWN = "hydralazine"
"""Stands in the tiny bad files; no message may show it."""


class Memory:
    """Files that are only in memory."""

    def __init__(self, files: Mapping[str, str]) -> None:
        self._files = files

    def open(self, path: str) -> IO[str]:
        return StringIO(self._files[path], newline="")


def published(name: str, split: Split, tmp_path: Path) -> Files:
    task = TASKS[name]
    if not RAW.is_dir():
        pytest.skip(f"no published files at {RAW}: set CLINSYNTH_RAW")
    files = Files(task, RAW, tmp_path)
    reasons = [files.why_missing(source) for source in task.spec.sources if split in source.splits]
    if why := "; ".join(filter(None, reasons)):
        pytest.skip(why)
    return files


@pytest.mark.parametrize(("name", "split"), PUBLISHED)
def test_published_file(name: str, split: Split, tmp_path: Path) -> None:
    task = TASKS[name]
    examples = list(task.read(split, published(name, split, tmp_path)))
    assert len(examples) == task.spec.rows.get(split, len(examples)) > 0
    kind = task_type(task.spec)
    for example in examples:
        assert len(example.texts) == len(kind.text_keys)
        assert not list(kind.faults(kind.encode(example), task.spec))
        assert tuple(sorted(example.spans)) == example.spans
        for span in example.spans:
            assert 0 <= span.start < span.end <= len(example.texts[0])
            assert span.label in task.spec.labels
        assert set(example.labels) <= set(task.spec.labels)
        assert task.spec.unit == "example" or example.unit


@pytest.mark.parametrize(
    ("name", "split", "mentions"),
    # The number of B tags in the file, counted with grep.
    [
        ("ncbi-disease", "test", 960),
        ("bc5cdr-disease", "test", 4424),
        ("bc5cdr-chemical", "test", 5385),
        ("chemdner", "dev", 8366),
    ],
)
def test_every_begin_tag_is_a_mention(name: str, split: Split, mentions: int, tmp_path: Path) -> None:
    examples = TASKS[name].read(split, published(name, split, tmp_path))
    assert sum(len(example.spans) for example in examples) == mentions


@pytest.mark.parametrize(
    ("name", "documents"),
    [
        # The number of title lines in the three PubTator files, counted with grep.
        ("bc5cdr-chemical", (500, 500, 500)),
        ("bc5cdr-disease", (500, 500, 500)),
        # Of the original corpus, whose training file holds one abstract twice.
        ("ncbi-disease", (592, 100, 100)),
    ],
)
def test_sentences_are_grouped_into_all_documents(name: str, documents: tuple[int, ...], tmp_path: Path) -> None:
    files = published(name, "test", tmp_path)
    splits: tuple[Split, ...] = ("train", "dev", "test")
    found = [{example.unit for example in TASKS[name].read(split, files)} for split in splits]
    assert tuple(map(len, found)) == documents
    assert "" not in set().union(*found)


def test_documents_of_both_bc5cdr_tasks_and_of_cdr_are_the_same(tmp_path: Path) -> None:
    chemical, disease, pairs = (
        [example.unit for example in TASKS[name].read("test", published(name, "test", tmp_path))]
        for name in ("bc5cdr-chemical", "bc5cdr-disease", "cdr")
    )
    assert chemical == disease
    assert set(pairs) <= set(chemical)


def test_documents_are_not_shared_between_splits_of_derived_tasks(tmp_path: Path) -> None:
    for name in ("cdr", "hoc"):
        files = published(name, "test", tmp_path)
        splits: tuple[Split, ...] = ("train", "dev", "test")
        units = [unit for split in splits for unit in {example.unit for example in TASKS[name].read(split, files)}]
        assert len(units) == len(set(units))


def test_mqp_keeps_the_pairs_of_a_question_together(tmp_path: Path) -> None:
    files = published("mqp", "train", tmp_path)
    train, test = ({e.texts[0] for e in TASKS["mqp"].read(split, files)} for split in ("train", "test"))
    assert (len(train), len(test)) == (524, 1000)
    assert not train & test


# ----------------------------------------------------------------- files that need an agreement, in their form


def pair(sentence: str, hypothesis: str, label: str | None, name: str) -> str:
    row = {"pairID": name, "sentence1": sentence, "sentence2": hypothesis, "sentence1_parse": "(ROOT)"}
    return json.dumps(row if label is None else {**row, "gold_label": label}) + "\n"


def test_mednli() -> None:
    text = pair("No fever.", "He is afebrile.", "entailment", "a") + pair("No fever.", "He coughs.", "neutral", "b")
    examples = list(TASKS["mednli"].read("dev", Memory({"mli_dev_v1.jsonl": text})))
    assert examples == [
        Example(("No fever.", "He is afebrile."), labels=("entailment",), unit="0"),
        Example(("No fever.", "He coughs."), labels=("neutral",), unit="0"),
    ]


def test_mednli_names_the_line_of_a_bad_label_and_no_more() -> None:
    text = pair("No fever.", "He is afebrile.", "entailment", "a") + pair("x", "y", NEVER_SHOWN, "b")
    with pytest.raises(ReadError, match=r"mli_test_v1\.jsonl, line 2: not one of entailment") as raised:
        list(TASKS["mednli"].read("test", Memory({"mli_test_v1.jsonl": text})))
    assert NEVER_SHOWN not in str(raised.value)


TEXTS = "mednli_bionlp19_shared_task.jsonl"
LABELS = "mednli_bionlp19_shared_task_ground_truth.csv"


def test_mediqa_nli_joins_by_pair() -> None:
    files = {TEXTS: pair("A.", "B.", None, "p1") + pair("C.", "D.", None, "p2")}
    files[LABELS] = "pair_id,label\np2,neutral\np1,contradiction\n"
    examples = list(TASKS["mediqa-nli"].read("test", Memory(files)))
    assert [example.labels for example in examples] == [("contradiction",), ("neutral",)]


def test_mediqa_nli_without_ground_truth() -> None:
    files = {TEXTS: pair(NEVER_SHOWN, "B.", None, "p1"), LABELS: "pair_id,label\n"}
    with pytest.raises(ReadError, match="line 1: its pairID is not in") as raised:
        list(TASKS["mediqa-nli"].read("test", Memory(files)))
    assert NEVER_SHOWN not in str(raised.value)


SNIPPET = 'Take aspirin 81 mg daily "for the heart".'


def casi(annotations: str) -> list[Example]:
    quoted = [field.replace('"', '""') for field in (SNIPPET, annotations)]
    text = f'snippet,annotations\r\n"{quoted[0]}","{quoted[1]}"\r\n'
    return list(TASKS["casi"].read("test", Memory({"medication_attr_test.csv": text})))


def test_casi_strips_one_character_of_labels_that_need_it() -> None:
    [example] = casi("[[5, 12, 'Medication1', 'x'], [13, 18, 'Dosage'], [19, 24, 'Frequency*']]")
    assert example.texts == (SNIPPET,)
    assert example.spans == (Span(5, 12, "Medication"), Span(13, 18, "Dosage"), Span(19, 24, "Frequency"))


def test_casi_keeps_the_longer_of_two_overlapping_spans_and_counts() -> None:
    with counting() as counts:
        [example] = casi("[[13, 18, 'Dosage1'], [5, 18, 'Medication1']]")
    assert example.spans == (Span(5, 18, "Medication"),)
    assert sum(counts.values()) == 1


def test_casi_takes_white_space_off_the_ends() -> None:
    [example] = casi("[[4, 13, 'Medication1']]")
    assert example.spans == (Span(5, 12, "Medication"),)


@pytest.mark.parametrize(
    "bad", [f"{NEVER_SHOWN}", f"['{NEVER_SHOWN}']", f"[['{NEVER_SHOWN}', 3, 'Dosage']]", "__import__('os')", "["]
)
def test_casi_reads_literals_only(bad: str) -> None:
    with pytest.raises(ReadError, match=r"medication_attr_test\.csv, line 2: annotations is not a list") as raised:
        casi(bad)
    assert NEVER_SHOWN not in str(raised.value)


# ----------------------------------------------------------------- forms


def sentences(text: str) -> list[Example]:
    return list(iob(Memory({"f": text}), "f", "Drug"))


def test_iob_with_bare_tags_and_no_blank_line_at_the_end() -> None:
    assert sentences("a\tB\nb\tI\nc\tO") == [Example(("a b c",), spans=(Span(0, 3, "Drug"),))]


def test_iob_tells_neighbours_apart() -> None:
    [example] = sentences("a\tB-X\nb\tB-X\nc\tI-X\nd\tB-Y\n\n\n")
    assert example.spans == (Span(0, 1, "X"), Span(2, 5, "X"), Span(6, 7, "Y"))


def test_iob_tag_that_continues_nothing_starts_an_entity_and_is_counted() -> None:
    with counting() as counts:
        [example] = sentences("a\tO\r\nb\tI-X\r\nc\tI-Y\r\nd\tI-Y\r\n")
    assert example == Example(("a b c d",), spans=(Span(2, 3, "X"), Span(4, 7, "Y")))
    assert sum(counts.values()) == 2


@pytest.mark.parametrize("bad", [NEVER_SHOWN, f"{NEVER_SHOWN}\tX-Y", f"{NEVER_SHOWN}\t", "\tO", f"{NEVER_SHOWN}\tBIO"])
def test_iob_fault(bad: str) -> None:
    with pytest.raises(ReadError, match="f, line 2: ") as raised:
        sentences(f"a\tO\n{bad}\n")
    assert NEVER_SHOWN not in str(raised.value)


def test_offsets_count_characters_beyond_the_basic_plane() -> None:
    [example] = sentences("\U0001f48a\tO\npill\tB\n")
    assert example.spans == (Span(2, 6, "Drug"),)


def named(*pairs: tuple[str, str]) -> list[Example]:
    return [Example((text,), unit=unit) for text, unit in pairs]


def test_documents_may_stand_in_another_order_and_share_sentences() -> None:
    # "Aims :" opens both, and all of "a" stands at the beginning of "ab" too.
    documents = {"a": "Aims: rest.", "ab": "Aims: rest. Then\tmore.", "c": "Last."}
    expected = named(("Last .", "c"), ("Aims :", "ab"), ("rest .", "ab"), ("Then more .", "ab"))
    expected += named(("Aims :", "a"), ("rest .", "a"))
    sentences = [Example(example.texts) for example in expected]
    order = {name: documents[name] for name in ("c", "ab", "a")}
    assert list(documents_by_text(sentences, order, "f")) == expected


@pytest.mark.parametrize(
    ("texts", "number"), [(["One.", NEVER_SHOWN], 2), (["One"], 1), ([""], 1), (["One.", "One."], 2)]
)
def test_a_sentence_of_no_document(texts: list[str], number: int) -> None:
    with pytest.raises(ReadError, match=f"f, sentence {number}: ") as raised:
        list(documents_by_text([Example((text,)) for text in texts], {"a": "One.", "b": "Two.", "c": ""}, "f"))
    assert NEVER_SHOWN not in str(raised.value)


def test_documents_by_size() -> None:
    sentences = [Example((text,)) for text in "abc"]
    assert [example.unit for example in documents_by_size(sentences, (2, 1), "f")] == ["0", "0", "1"]
    with pytest.raises(ReadError, match="f: 3 sentences, but its documents have 4"):
        list(documents_by_size(sentences, (2, 2), "f"))


ARTICLE = (
    "7|t|Aspirin\n7|a|It hurts.\n7\t0\t7\tAspirin\tChemical\tD1\n"
    "7\t11\t16\thurts\tDisease\tD2|D3\tx|y\n7\tCID\tD1\tD2\n"
)


def test_pubtator() -> None:
    [article, again] = pubtator(Memory({"f": f"{ARTICLE}\n{ARTICLE}"}), "f")
    assert article == again
    assert [article.text[m.start : m.end] for m in article.mentions] == ["Aspirin", "hurts"]
    assert [m.concepts for m in article.mentions] == [("D1",), ("D2", "D3")]
    assert article.relations == {("CID", "D1", "D2")}


@pytest.mark.parametrize(
    ("text", "line"),
    [
        (ARTICLE.replace("\t0\t7", "\t1\t7"), 3),
        (f"7|t|{NEVER_SHOWN}\n\n", 2),
        (f"{ARTICLE}{NEVER_SHOWN}\n", 6),
    ],
)
def test_pubtator_fault(text: str, line: int) -> None:
    with pytest.raises(ReadError, match=f"f, line {line}: ") as raised:
        list(pubtator(Memory({"f": text}), "f"))
    assert NEVER_SHOWN not in str(raised.value)
    assert "Aspirin" not in str(raised.value)


def test_table_with_quotes_and_line_breaks() -> None:
    text = '\ufeffa,b,c\r\n"x ""y""\n z",2,3\r\n'
    assert list(table(Memory({"f": text}), "f", ("c", "a"))) == [(3, {"c": "3", "a": 'x "y"\n z'})]


def test_table_takes_fields_of_a_megabyte() -> None:
    [(_, row)] = table(Memory({"f": f"a\n{'x' * 2**20}\n"}), "f", ("a",))
    assert len(row["a"]) == 2**20


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "line 1: the header lacks a"),
        (f"{NEVER_SHOWN},b\n", "lacks a"),
        (f"a,b\n{NEVER_SHOWN}\n", "line 2: 1 columns"),
    ],
)
def test_table_fault(text: str, message: str) -> None:
    with pytest.raises(ReadError, match=message) as raised:
        list(table(Memory({"f": text}), "f", ("a",)))
    assert NEVER_SHOWN not in str(raised.value)


@pytest.mark.parametrize(
    "bad", [f"[{NEVER_SHOWN!r}]", f'{{"{NEVER_SHOWN}": ', f'["{NEVER_SHOWN}"]', f'{{"text": ["{NEVER_SHOWN}"]}}']
)
def test_json_fault(bad: str) -> None:
    with pytest.raises(ReadError, match="f, line 3: ") as raised:
        list(json_fields(Memory({"f": f'{{"text": "a"}}\n\n{bad}\n'}), "f", ("text",)))
    assert NEVER_SHOWN not in str(raised.value)


def test_mark_refuses_overlap() -> None:
    assert mark("ab cd", [(3, 5, "Y"), (0, 2, "X")]) == "X Y"
    with pytest.raises(ValueError, match="overlap"):
        mark("abcd", [(0, 3, "X"), (2, 4, "Y")])


def test_sentences_do_not_break_inside_a_mention() -> None:
    text = " He had it.  Then it left.\n"
    assert [text[a:b] for a, b in sentence_ranges(text)] == ["He had it.", "Then it left."]
    mention = (text.index("it."), text.index("Then") + len("Then"))
    assert [text[a:b] for a, b in sentence_ranges(text, [mention])] == [text.strip()]


def test_a_sentence_may_end_where_a_mention_ends() -> None:
    text = "He had it. It left."
    assert len(sentence_ranges(text, [(7, 11), (11, 13)])) == 2


CDR = (
    "9|t|Aspirin and ulcers.\n9|a|Aspirin helps heartburn. Pain or ulcers came.\n"
    "9\t0\t7\tAspirin\tChemical\tC1\n9\t12\t18\tulcers\tDisease\tD1\n9\t20\t27\tAspirin\tChemical\tC1\n"
    "9\t34\t43\theartburn\tDisease\tD2|D3\n9\t45\t49\tPain\tDisease\t-1\n9\t53\t59\tulcers\tDisease\tD1\n"
    "9\tCID\tC1\tD1\n9\tCID\tC1\tD3\n"
)


def test_cdr_derivation() -> None:
    with counting() as counts:
        examples = list(TASKS["cdr"].read("test", Memory({"CDR_TestSet.PubTator.txt": CDR})))
    assert examples == [
        Example(("@CHEMICAL$ and @DISEASE$.",), labels=("induces",), unit="9"),
        Example(("@CHEMICAL$ helps @DISEASE$.",), labels=("induces",), unit="9"),
    ]
    assert dict(counts) == {"concepts named by the same mentions: one example": 1}


def test_chemprot_derivation() -> None:
    abstract = {
        "doc_key": "5",
        "sentences": [["Hi", "."], ["A", "blocks", "A", "kinase", "via", "B"]],
        "ner": [[], [[2, 2, "CHEMICAL"], [4, 4, "CHEMICAL"], [4, 5, "GENE"], [7, 7, "GENE"]]],
        "relations": [[], [[2, 2, 4, 5, "CPR:4"]]],
    }
    with counting() as counts:
        examples = list(TASKS["chemprot"].read("test", Memory({"span/test.json": json.dumps(abstract)})))
    assert examples == [
        Example(("@CHEMICAL$ blocks @GENE$ via B",), labels=("CPR:4",), unit="5"),
        Example(("@CHEMICAL$ blocks A kinase via @GENE$",), labels=("none",), unit="5"),
        Example(("A blocks @CHEMICAL$ kinase via @GENE$",), labels=("none",), unit="5"),
    ]
    assert dict(counts) == {"pair whose mentions overlap (none): left out": 1}


def test_a_gzipped_source_is_unpacked(tmp_path: Path) -> None:
    folder = tmp_path / "mednli"
    folder.mkdir()
    (folder / "mli_dev_v1.jsonl.gz").write_bytes(gzip.compress(pair("A.", "B.", "neutral", "a").encode()))
    task = TASKS["mednli"]
    assert len(list(task.read("dev", Files(task, tmp_path, tmp_path / "raw")))) == 1


def test_a_source_of_another_task_is_looked_for_in_its_folder_too(tmp_path: Path) -> None:
    task = TASKS["bc5cdr-disease"]
    source = next(source for source in task.spec.sources if source.task == "cdr")
    files = Files(task, tmp_path / "given", tmp_path / "raw")
    assert f"{tmp_path / 'given' / 'cdr'}" in files.why_missing(source)
    places = [folder / name / source.path for folder in (tmp_path / "raw", tmp_path / "given")
              for name in ("cdr", task.spec.name)]  # fmt: skip
    for place in places:
        place.parent.mkdir(parents=True)
        place.touch()
        assert files.find(source) == place
