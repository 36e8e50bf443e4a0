from .evaluation import Request as Request
from .evaluation import evaluate as evaluate
from .known import known_places as known_places
from .rows import Rows as Rows
from .verdict import Report as Report
