"""BLEU, ROUGE and GLEU of whole answers, by the libraries that the field uses.

BLEU: sacreBLEU (Post 2018), its own tokenisation for English or Chinese. ROUGE-1, -2, -L: F-measure of rouge-score
with stemming, a mean over answers. GLEU: the sentence-level measure of Wu et al. (2016) as corpus value of NLTK. All in
[0, 1]. With several references the best counts for ROUGE.
"""

from __future__ import annotations

import importlib
import re
from collections.abc import Sequence
from statistics import mean
from typing import Any, Literal

Language = Literal["en", "zh"]
NAMES = ("bleu", "rouge1", "rouge2", "rougeL", "gleu")

_WORDS = re.compile(r"\w+|[^\w\s]")
_CHARACTERS = re.compile(r"[a-zA-Z0-9]+|[^\sa-zA-Z0-9]")


class _Characters:
    """Chinese has no spaces between words: each character is a token."""

    def tokenize(self, text: str) -> list[str]:
        """Tokens in order."""
        return _CHARACTERS.findall(text.lower())


def text_scores(answers: Sequence[str], references: Sequence[Sequence[str]], language: Language) -> dict[str, float]:
    """Every measure over all answers; an empty answer counts as nothing written.

    Raises ``ValueError`` for no answer, or another number of references.
    """
    if not answers or len(answers) != len(references):
        raise ValueError(f"{len(answers)} answers, {len(references)} references")
    sacrebleu: Any = importlib.import_module("sacrebleu")
    gleu: Any = importlib.import_module("nltk.translate.gleu_score")
    most = max(len(each) for each in references)
    # sacreBLEU wants as many references for each answer: the last one stands for those that are not there.
    streams = [[each[min(k, len(each) - 1)] for each in references] for k in range(most)]
    bleu = sacrebleu.corpus_bleu(list(answers), streams, tokenize="zh" if language == "zh" else "13a").score / 100
    scorer = rouge_scorer(language)
    rouge = [_best(scorer, answer, each) for answer, each in zip(answers, references, strict=True)]
    split = _CHARACTERS.findall if language == "zh" else _WORDS.findall
    tokens = [split(answer.lower()) for answer in answers]
    if any(tokens):
        own = gleu.corpus_gleu([[split(text.lower()) for text in each] for each in references], tokens)
    else:
        own = 0.0
    return {
        "bleu": min(1.0, float(bleu)),
        **{name: mean(each[name] for each in rouge) for name in ("rouge1", "rouge2", "rougeL")},
        "gleu": float(own),
    }


def rouge_scorer(language: Language) -> Any:
    """The scorer of rouge-score for a language."""
    rouge: Any = importlib.import_module("rouge_score.rouge_scorer")
    kinds = ["rouge1", "rouge2", "rougeL"]
    if language == "zh":
        return rouge.RougeScorer(kinds, tokenizer=_Characters())
    return rouge.RougeScorer(kinds, use_stemmer=True)


def _best(scorer: Any, answer: str, references: Sequence[str]) -> dict[str, float]:
    scores = [scorer.score(reference, answer) for reference in references]
    return {name: max(float(each[name].fmeasure) for each in scores) for name in ("rouge1", "rouge2", "rougeL")}


def _plain(text: str) -> list[str]:
    return re.findall(r"\w+", text.casefold().replace("’", "'").replace("'s", ""))


def same_diagnosis(answer: str, reference: str) -> bool:
    """Whether the words are the same, letter case, punctuation, articles and what stands in brackets aside."""
    return _named(answer) == _named(reference) != []


def _named(text: str) -> list[str]:
    return [word for word in _plain(re.sub(r"\([^)]*\)", " ", text)) if word not in ("a", "an", "the")]


def overlap(answer: str, reference: str) -> float:
    """F1 of the words, as a set, in [0, 1]: partly the right diagnosis."""
    said, true = set(_named(answer)), set(_named(reference))
    hit = len(said & true)
    return 2 * hit / (len(said) + len(true)) if hit else 0.0
