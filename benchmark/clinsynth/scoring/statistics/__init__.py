"""Statistics of scores: intervals, paired tests, gaps, curves and ranks, all from counts summed per unit.

``units`` brings predictions into counts of independent units, ``profiles`` turns those into what is needed of a run set
(scores of the seeds, and how they move with the test units), ``estimates`` holds the one test that is used everywhere.
Methods, formulas and simulations: docs/statistics.md.
"""

from clinsynth._doors import door

__getattr__, __dir__ = door(__name__, __file__)
