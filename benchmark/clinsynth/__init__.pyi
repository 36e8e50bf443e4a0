from .api import compare as compare
from .api import evaluate as evaluate
from .api import generate as generate
from .api import get_standings as get_standings
from .api import get_tasks as get_tasks
from .api import load as load
from .api import score as score
from .core import UserError as UserError
from .evaluation import Report as Report

__version__: str
