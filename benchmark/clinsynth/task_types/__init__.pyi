from .types import TASK_TYPES as TASK_TYPES
from .types import Fault as Fault
from .types import Head as Head
from .types import TaskType as TaskType
from .types import locate as locate
from .types import occurrences as occurrences
from .types import task_type as task_type
