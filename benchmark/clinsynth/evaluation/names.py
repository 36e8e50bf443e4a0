"""What metrics, examples and references are called in sentences."""

from __future__ import annotations

ITEMS = {
    "sentence_similarity": "pairs",
    "natural_language_inference": "pairs",
    "fact_verification": "pairs of claim and evidence",
}
"""What an example of a type is called; of the others it is a text."""
METRIC_NAMES = {
    "accuracy": "accuracy", "macro_f1": "macro F1", "micro_f1": "micro F1", "f1": "F1", "entity_f1": "entity F1",
}  # fmt: skip
IN_WORDS = {
    "gold-full": "all real data (gold-full)",
    "gold-n": "as much real data (gold-n)",
    "gold-few": "a few real rows (gold-few)",
}
"""References, by name."""
