"""Which relation holds between the two marked mentions of a sentence."""

from clinsynth.task_types.labelled import SingleLabel

TYPE = SingleLabel("relation_extraction", ("text",))
