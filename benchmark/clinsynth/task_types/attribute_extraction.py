"""Which stretches of a note are a medication, and which its dosage, route, frequency, reason or duration."""

from clinsynth.task_types.spans import Spans

TYPE = Spans("attribute_extraction")
