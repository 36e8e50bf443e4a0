"""Whether a hypothesis follows from a premise."""

from clinsynth.task_types.labelled import SingleLabel

TYPE = SingleLabel("natural_language_inference", ("premise", "hypothesis"))
