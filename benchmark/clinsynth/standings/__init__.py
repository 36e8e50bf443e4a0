"""Records to tables: the only place where scores are averaged, for the command line, the README and every export.

``standings`` gives the table of one recipe and budget. With a ``Profiler`` each number has its interval, and rows have
ranks or the reason why not; without one, records are read and nothing else. ``collect`` and ``standings_of`` make many
tables from one reading. All that follows from these is in ``model``: typed, in [0, 1], never formatted.
"""

from clinsynth._doors import door

__getattr__, __dir__ = door(__name__, __file__)
