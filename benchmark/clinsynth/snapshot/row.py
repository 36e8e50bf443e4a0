"""What every row of a snapshot is."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict

Place = Literal["ranked", "reference", "unranked"]
"""ranked: above the line; reference: a floor or a ceiling, shown beside; unranked: below the line, with the reason."""


class Row(BaseModel):
    """One line of a table."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False, use_attribute_docstrings=True)
