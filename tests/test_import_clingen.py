"""The released forms of ClinGen."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from tests.imported import (
    CASI,
    FACTS,
    FEVER,
    MQP,
    NER,
    NLI,
    RE,
    TOPIC,
    TOPICS,
    altered,
    bring,
    dropped,
    jsonl,
)

from clinsynth.core.nouns import TaskSpec

Kept = dict[str, Any] | None
CLINGEN_CASES: dict[str, tuple[TaskSpec, dict[str, Any], Kept, dict[str, int]]] = {
    "topics, one-hot": (TOPICS, {"_id": [1, 0, 1], "text": "about it", "keyword": "k"}, TOPIC, {}),
    "topic, position": (TOPICS, {"_id": 2, "text": "about it"}, {"text": "about it", "labels": ["Case Report"]}, {}),
    "relation": (
        RE,
        {"_id": 1, "label_name": "No_relation", "E0": "x", "E1": "y", "text": "@GENE$ in @DISEASE$"},
        {"text": "@GENE$ in @DISEASE$", "label": "No_relation"},
        {},
    ),
    "relation, vector": (
        RE,
        {"_id": [1, 0], "text": "@GENE$ in @DISEASE$"},
        {"text": "@GENE$ in @DISEASE$", "label": "Has_relation"},
        {},
    ),
    "relation, markers rebuilt": (
        RE,
        {"_id": 0, "E0": "brca1", "E1": "Breast Cancer", "text": "BRCA1 (not BRCA12) in breast cancer."},
        {"text": "@GENE$ (not BRCA12) in @DISEASE$.", "label": "Has_relation"},
        {"markers-rebuilt": 1},
    ),
    "relation, one mention in the other": (
        RE,
        {"_id": 0, "E0": "apc", "E1": "APC loss", "text": "APC loss after apc and APC"},
        {"text": "@DISEASE$ after @GENE$ and APC", "label": "Has_relation"},
        {"markers-rebuilt": 1, "mention-occurs-often": 1},
    ),
    "relation, mention absent": (
        RE,
        {"_id": 0, "E0": "x", "E1": "y", "text": "only x"},
        None,
        {"mention-not-in-text": 1},
    ),
    "relation, one marker": (RE, {"_id": 0, "E0": "x", "E1": "y", "text": "@GENE$ y"}, None, {"missing-marker": 1}),
    "relation, disagreement": (
        RE,
        {"_id": 0, "label_name": "No_relation", "text": "@GENE$ in @DISEASE$"},
        None,
        {"label-disagreement": 1},
    ),
    "no label": (RE, {"text": "@GENE$ in @DISEASE$"}, None, {"missing-label": 1}),
    "out of range": (RE, {"_id": 5, "text": "@GENE$ in @DISEASE$"}, None, {"unknown-label": 1}),
    "entities": (NER, {"Sentence": "A Fever today", "Disease": ["fever"]}, FEVER | {"text": "A Fever today"}, {}),
    "entities, absent and repeated": (
        NER,
        {"Sentence": "flu or flu, not influflu", "Disease": ["flu", "cold", " ", 3]},
        {
            "text": "flu or flu, not influflu",
            "entities": [{"start": s, "end": s + 3, "label": "Disease"} for s in (0, 7)],
        },
        {"mention-empty": 2, "mention-not-in-text": 1, "mention-occurs-often": 1},
    ),
    "entities, nested": (
        NER,
        {"Sentence": "renal failure", "Disease": ["failure", "renal failure"]},
        {"text": "renal failure", "entities": [{"start": 0, "end": 13, "label": "Disease"}]},
        {"mention-within-another": 1},
    ),
    "entities, other key": (NER, {"Sentence": "a fever", "Chemical": ["x"]}, None, {"missing-entities": 1}),
    "entities, no list": (NER, {"Sentence": "a fever", "Disease": "fever"}, None, {"entities-not-a-list": 1}),
    "attributes": (
        CASI,
        {"sentence": "take 5 mg aspirin", "medication": ["aspirin"], "dosage": ["5 mg"], "route": []},
        {
            "text": "take 5 mg aspirin",
            "entities": [{"start": 5, "end": 9, "label": "Dosage"}, {"start": 10, "end": 17, "label": "Medication"}],
        },
        {},
    ),
    "facts": (
        FACTS,
        {"_id": 1, "label": "x", "sent_a": "a", "sent_b": "b"},
        {"claim": "a", "evidence": "b", "label": "Support"},
        {},
    ),
    "pair, other names": (
        FACTS,
        {"_id": 0, "text_a": "a", "text_b": "b"},
        {"claim": "a", "evidence": "b", "label": "Refute"},
        {},
    ),
    "pair, no order": (
        NLI,
        {"_id": 0, "label": "Not_entail", "sent_a": "a", "sent_b": "b"},
        {"premise": "a", "hypothesis": "b", "label": "not_entail"},
        {},
    ),
    "pair, half": (FACTS, {"_id": 0, "sent_a": "a"}, None, {"missing-key": 1}),
}
FILLER: dict[str, dict[str, Any]] = {
    "toy-re": {"_id": 0, "text": "@GENE$ so @DISEASE$"},
    "toy-ner": {"Sentence": "none", "Disease": []},
    "toy-facts": {"_id": 0, "sent_a": "x", "sent_b": "y"},
}


@pytest.mark.parametrize("case", CLINGEN_CASES)
def test_released_clingen_forms(case: str, tmp_path: Path) -> None:
    spec, record, expected, counts = CLINGEN_CASES[case]
    rows, report = bring(tmp_path, jsonl(record, *([FILLER[spec.name]] if expected is None else [])), "clingen", spec)
    if expected is None:
        assert (dropped(report), altered(report)) == (counts, {})
    else:
        assert (rows, dropped(report), altered(report)) == ([expected], {}, counts)


def test_mqp_is_warned_of_and_swapped_only_if_asked(tmp_path: Path) -> None:
    pairs = jsonl({"_id": 0, "sent_a": "a", "sent_b": "b"}, {"_id": 1, "sent_a": "a", "sent_b": "b"})
    rows, report = bring(tmp_path, pairs, "clingen", MQP)
    assert [row["label"] for row in rows] == ["different", "same"]
    assert "swaps the definitions" in report.warnings[0]
    assert "as given" in report.warnings[0]
    (tmp_path / "made" / "data" / "mqp.jsonl.gz").unlink()
    rows, report = bring(tmp_path, pairs, "clingen", MQP, swap_labels=True)
    assert [row["label"] for row in rows] == ["same", "different"]
    assert any("swapped" in note for note in report.notes)
