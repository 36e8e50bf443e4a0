"""Which stretches of a sentence name an entity of the task's type."""

from clinsynth.task_types.spans import Spans

TYPE = Spans("named_entity_recognition")
