from .base import Fault as Fault
from .base import Head as Head
from .base import TaskType as TaskType
from .types import TASK_TYPES as TASK_TYPES
from .types import locate as locate
from .types import occurrences as occurrences
from .types import task_type as task_type
