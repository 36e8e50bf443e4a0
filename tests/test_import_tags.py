"""CoNLL columns: tags become spans."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.imported import (
    CASI,
    NER,
    NLI,
    OTHER_NER,
    altered,
    bring,
    dropped,
    jsonl,
)

from clinsynth.core.errors import UserError
from clinsynth.core.nouns import TaskSpec

CONLL = """-DOCSTART- -X- O O

# a comment
Renal {b}
failure {i}
and {o}
flu {s}
# O
"""
SCHEMES = {
    "IOB1": ("I-Disease", "I-Disease", "I-Disease", 2),
    "IOB2": ("B-Disease", "I-Disease", "B-Disease", 0),
    "IOBES": ("B-disease", "E-disease", "S-disease", 0),
    "BILOU": ("B-DISEASE", "L-DISEASE", "U-DISEASE", 0),
    "bare": ("B", "I", "B", 0),
}


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("separator", [" ", "\t", " NN x ", "\tNN\t"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_tagging_schemes(scheme: str, separator: str, end: str, tmp_path: Path) -> None:
    b, i, s, repairs = SCHEMES[scheme]
    body = CONLL.format(b=b, i=i, s=s, o="O").replace("# a", "#\0a").replace("-DOCSTART- ", "-DOCSTART-\0")
    text = "\n".join(line.replace(" ", separator).replace("\0", " ") for line in body.split("\n"))
    text = text.replace(f"comment{separator}", "comment ")
    rows, report = bring(tmp_path, text.replace("\n", end).encode(), "conll", NER)
    assert rows == [
        {
            "text": "Renal failure and flu #",
            "entities": [{"start": 0, "end": 13, "label": "Disease"}, {"start": 18, "end": 21, "label": "Disease"}],
        }
    ]
    assert altered(report) == ({"entity-begins-without-B": repairs} if repairs else {})
    assert "2 comments and document marks were skipped" in report.notes


TAG_CASES: dict[str, tuple[TaskSpec, list[str], list[tuple[int, int]] | str]] = {
    # tokens are a b c d, so that token n covers characters 2n to 2n + 1
    "IOB1 neighbours": (NER, ["I-Disease", "B-Disease", "I-Disease", "O"], [(0, 1), (2, 5)]),
    "IOB2 neighbours": (NER, ["B-Disease", "B-Disease", "I-Disease", "O"], [(0, 1), (2, 5)]),
    "singles": (NER, ["S-Disease", "S-Disease", "O", "S-Disease"], [(0, 1), (2, 3), (6, 7)]),
    "closed, then inside": (NER, ["B-Disease", "E-Disease", "I-Disease", "O"], [(0, 3), (4, 5)]),
    "types change": (CASI, ["B-Dosage", "I-Route", "O", "O"], [(0, 1), (2, 3)]),
    "all outside": (NER, ["O", "O", "O", "O"], []),
    "another type": (NER, ["B-Drug", "I-Drug", "B-Disease", "O"], [(4, 5)]),
    "another type beside": (NER, ["B-Disease", "I-Drug", "I-Disease", "O"], [(0, 1), (4, 5)]),
    "no type": (CASI, ["B", "O", "O", "O"], "tag-without-type"),
    "no tag": (NER, ["X", "O", "O", "O"], "unknown-tag"),
}


@pytest.mark.parametrize("case", TAG_CASES)
def test_tags_to_spans(case: str, tmp_path: Path) -> None:
    spec, tags, expected = TAG_CASES[case]
    body = "".join(f"{token}\t{tag}\n" for token, tag in zip("abcd", tags, strict=True))
    rows, report = bring(tmp_path, f"kept\tO\n\n\n{body}".encode(), "conll", spec)
    if isinstance(expected, str):
        assert dropped(report) == {expected: 1}
        assert report.dropped[expected].rows == [4]
    else:
        assert [(e["start"], e["end"]) for e in rows[1]["entities"]] == expected


def test_types_that_are_not_the_tasks_are_left_out_and_counted_or_refused(tmp_path: Path) -> None:
    both = b"gout\tB-Disease\nand\tO\naspirin\tB-Chemical\n\nibuprofen\tB-Chemical\n"
    rows, report = bring(tmp_path, both, "conll", NER)
    assert [len(row["entities"]) for row in rows] == [1, 0]
    assert (altered(report), report.altered["other-type"].examples) == ({"other-type": 2}, ["Chemical"])
    for form, content in (("conll", both), ("jsonl", jsonl({"text": "a b", "spans": [[0, 1, "Chemical"]]}))):
        with pytest.raises(UserError, match=r"(?s)not the task's.*Chemical"):
            bring(tmp_path, content, form, OTHER_NER, strict_types=True)
    with pytest.raises(UserError, match=r"(?s)no entity in it is of a type of the task.*Chemical"):
        bring(tmp_path, b"ibuprofen\tB-Chemical\n", "conll", CASI)


def test_conll_is_for_spans_and_counts_lines_without_tags(tmp_path: Path) -> None:
    _, report = bring(tmp_path, b"a O\n\nb\nc O\n\nd O\n", "conll", NER)
    assert (report.kept, dropped(report)) == (2, {"no-tag": 1})
    with pytest.raises(UserError, match="no spans"):
        bring(tmp_path, b"a O\n", "conll", NLI)
