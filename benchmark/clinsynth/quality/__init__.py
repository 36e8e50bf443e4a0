"""Data quality: diversity, alignment with real text, and faults. Reported beside the score, never mixed into it."""

from clinsynth.quality.measurement import ROWS, measure
from clinsynth.quality.record import NUMBERS, Measured, QualityRecord, read_record, record_path

__all__ = ["NUMBERS", "ROWS", "Measured", "QualityRecord", "measure", "read_record", "record_path"]
