"""The seven kinds of task. Whatever is special about a kind is said here and nowhere else."""

from __future__ import annotations

from collections.abc import Mapping

from clinsynth.core import TaskSpec
from clinsynth.task_types.base import TaskType
from clinsynth.task_types.labels import LABEL_TYPES
from clinsynth.task_types.spans import SPAN_TYPES

TASK_TYPES: Mapping[str, TaskType] = {each.name: each for each in (*LABEL_TYPES, *SPAN_TYPES)}
"""Every task type by name."""


def task_type(spec: TaskSpec) -> TaskType:
    """The type of a task."""
    return TASK_TYPES[spec.type]
