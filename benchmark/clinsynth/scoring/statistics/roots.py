"""Where a function is zero."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

from scipy import optimize  # pyright: ignore[reportMissingTypeStubs] - scipy has none


def crossing(function: Callable[[float], float], low: float, high: float, tolerance: float) -> float:
    """Where ``function`` is 0 between ``low`` and ``high``, where its signs differ (Brent 1973), to ``tolerance``."""
    return float(cast("Any", optimize).brentq(function, low, high, xtol=tolerance))
