from .evaluation import Request as Request
from .evaluation import evaluate as evaluate
from .rows import Rows as Rows
from .verdict import Report as Report
