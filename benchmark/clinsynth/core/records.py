"""Records whose edits show."""

from __future__ import annotations

import hashlib
import json
from typing import Any, Self

from pydantic import BaseModel

from clinsynth.core.files import canonical_json


class Sealed(BaseModel):
    """A record with a digest over the rest of it. No signature: whoever wants to deceive can compute it anew."""

    seal: str = ""
    """sha256 over all the rest: an edit shows."""

    def sealed(self) -> Self:
        """The same record with its seal set."""
        content = self.model_dump(mode="json", exclude={"seal"})
        # Read back, so that each field counts as given: the seal is over the fields that a file has.
        return self.model_validate_json(json.dumps(content | {"seal": _digest(content)}, allow_nan=False))

    def content(self) -> dict[str, Any]:
        """What the seal is over: every field that was given but the seal.

        A field that a later version of the form adds with a default is not in the files of an earlier one, and so does
        not break their seals.
        """
        return self.model_dump(mode="json", exclude={"seal"}, exclude_unset=True)

    def expected_seal(self) -> str:
        """What the seal must be."""
        return _digest(self.content())


def _digest(content: dict[str, Any]) -> str:
    return hashlib.sha256(canonical_json(content).encode()).hexdigest()
