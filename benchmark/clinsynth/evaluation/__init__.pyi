from .evaluation import Request as Request
from .evaluation import evaluate as evaluate
from .rows import FOLDER as FOLDER
from .rows import Rows as Rows
from .rows import folder_of as folder_of
from .rows import known_places as known_places
from .verdict import Report as Report
