"""Records to tables: the only place where scores are averaged, for the command line, the README and every export.

``standings`` gives the table of one recipe and budget. With a ``Profiler`` each number has its interval, and rows have
ranks or the reason why not; without one, records are read and nothing else. ``collect`` and ``standings_of`` make many
tables from one reading. All that follows from these is in ``model``: typed, in [0, 1], never formatted.
"""

from clinsynth.standings.collection import Collection, Stored, collect, folders
from clinsynth.standings.model import (
    RANKED_SEEDS,
    Agreement,
    CostOfData,
    Curve,
    CurvePoint,
    Difference,
    GapRecovered,
    Interval,
    Overall,
    Reason,
    ReasonCode,
    Score,
    Standing,
    Standings,
    TaskStatistics,
    TaskSummary,
    WorthReal,
)
from clinsynth.standings.table import standings, standings_of
from clinsynth.standings.text import as_csv, as_json, as_markdown, grid

__all__ = [
    "RANKED_SEEDS",
    "Agreement",
    "Collection",
    "CostOfData",
    "Curve",
    "CurvePoint",
    "Difference",
    "GapRecovered",
    "Interval",
    "Overall",
    "Reason",
    "ReasonCode",
    "Score",
    "Standing",
    "Standings",
    "Stored",
    "TaskStatistics",
    "TaskSummary",
    "WorthReal",
    "as_csv",
    "as_json",
    "as_markdown",
    "collect",
    "folders",
    "grid",
    "standings",
    "standings_of",
]
