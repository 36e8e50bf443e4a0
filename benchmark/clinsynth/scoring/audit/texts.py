"""The texts of a set of examples, each distinct one held once, in the forms that are compared."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cached_property

from clinsynth.schema import Example
from clinsynth.scoring.audit.near import Shingles, shingles
from clinsynth.scoring.audit.normalise import key, words


class TextSet:
    """Distinct texts by their normalised form, and who has them."""

    def __init__(self, examples: Sequence[Example], markers: Iterable[str] = ()) -> None:
        """``markers``: placeholders of the task, which every text holds and which so say nothing."""
        self._markers = tuple(markers)
        self.index: dict[str, int] = {}
        """Number of the text with a key."""
        self.texts: list[str] = []
        """The first text of each key, as it is written."""
        self.places: list[tuple[int, ...]] = [
            tuple(self._number(text) for text in example.texts) for example in examples
        ]
        """For each example the numbers of its texts."""
        self.owners: list[list[tuple[int, int]]] = [[] for _ in self.texts]
        """For each text who has it: ``(example, side)``."""
        for example, numbers in enumerate(self.places):
            for side, number in enumerate(numbers):
                self.owners[number].append((example, side))

    def _number(self, text: str) -> int:
        number = self.index.setdefault(key(text), len(self.texts))
        if number == len(self.texts):
            self.texts.append(text)
        return number

    def __len__(self) -> int:
        return len(self.texts)

    @cached_property
    def words(self) -> list[list[str]]:
        """Words of each text, without markers."""
        return [words(self._plain(text)) for text in self.texts]

    @cached_property
    def shingles(self) -> list[Shingles]:
        """Character n-grams of each text, without markers."""
        return shingles(self.words)

    def _plain(self, text: str) -> str:
        for marker in self._markers:
            text = text.replace(marker, " ")
        return text
