from .metrics import METRICS as METRICS
from .metrics import Counts as Counts
from .metrics import Metric as Metric
from .metrics import score_all as score_all
