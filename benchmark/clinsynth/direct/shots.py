"""The demonstrations of a task: the benchmark's own draw, in one fixed order."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from clinsynth.data.few_shot import FewShot, few_shot
from clinsynth.data.store import ExampleStore
from clinsynth.schema import Example, Task


@dataclass(slots=True)
class Shots:
    """Drawn once for each number a label."""

    store: ExampleStore
    task: Task
    _drawn: dict[int, FewShot] = field(default_factory=dict[int, FewShot])

    def drawn(self, per_label: int) -> FewShot:
        """The draw, with the split that it comes from. Raises ``NotPreparedError`` without train and dev."""
        if per_label not in self._drawn:
            self._drawn[per_label] = few_shot(self.store, self.task, per_label)
        return self._drawn[per_label]

    def ordered(self, per_label: int) -> Sequence[Example]:
        """The examples, in an order that does not follow the labels; none for 0 a label."""
        if not per_label:
            return ()
        drawn = self.drawn(per_label)
        order = np.random.default_rng(0).permutation(len(drawn.examples))
        return [drawn.examples[int(k)] for k in order]

    def shown(self, example: Example, per_label: int) -> list[Example]:
        """Those beside this question, which must not be one: 8 of GAD's test sentences also stand in train."""
        return [shot for shot in self.ordered(per_label) if shot.texts != example.texts]
