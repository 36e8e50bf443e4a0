"""Whether evidence bears out a claim."""

from clinsynth.task_types.labelled import SingleLabel

TYPE = SingleLabel("fact_verification", ("claim", "evidence"))
