"""What a difference is worth: intervals, paired tests, gaps, curves and ranks, all from counts summed per unit.

``units`` brings predictions into counts of independent units, ``profiles`` turns those into what is needed of a run set
(scores of the seeds, and how they move with the test units), ``estimates`` holds the one test that is used everywhere.
Methods, formulas and simulations: docs/statistics.md.
"""

from clinsynth.scoring.statistics.estimates import Components, Estimate, Measured, combine
from clinsynth.scoring.statistics.profiles import Profile, bootstrap, contrast, difference, jackknife, score_of
from clinsynth.scoring.statistics.units import Runs, sum_by_unit, unit_index

__all__ = [
    "Components",
    "Estimate",
    "Measured",
    "Profile",
    "Runs",
    "bootstrap",
    "combine",
    "contrast",
    "difference",
    "jackknife",
    "score_of",
    "sum_by_unit",
    "unit_index",
]
