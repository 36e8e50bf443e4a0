"""A scripted judge, and what suites need that may not be installed."""

import importlib.util
from collections.abc import Iterator, Sequence

import pytest

from clinsynth.llm.requests import Answer, Mode, Prompt

needs_measures = pytest.mark.skipif(
    any(importlib.util.find_spec(name) is None for name in ("sacrebleu", "rouge_score", "nltk")),
    reason="sacrebleu, rouge-score and nltk are not installed: pip install 'clinsynth[direct]'",
)


class Script:
    """Answers in the order that it was given."""

    model = "judge"

    def __init__(self, answers: Sequence[Answer | str], mode: Mode = "chat") -> None:
        self.mode: Mode = mode
        self.prompts: list[Prompt] = []
        self._answers = list(answers)

    def ask(self, prompts: Sequence[Prompt]) -> Iterator[Answer]:
        self.prompts += prompts
        for answer, _ in zip(self._answers, prompts, strict=True):
            yield answer if isinstance(answer, Answer) else Answer(text=answer, finish="stop")
