"""The seven kinds of task. Whatever is special about a kind is said here and nowhere else."""

from clinsynth.task_types.base import TaskType, task_type, task_types

__all__ = ["TaskType", "task_type", "task_types"]
