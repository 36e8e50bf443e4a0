"""Whether two texts mean the same."""

from clinsynth.task_types.labelled import SingleLabel

TYPE = SingleLabel("sentence_similarity", ("text_a", "text_b"))
