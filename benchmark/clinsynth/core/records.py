"""Records whose edits show."""

from __future__ import annotations

import hashlib
from typing import Self

from pydantic import BaseModel

from clinsynth.core.files import canonical_json


class Sealed(BaseModel):
    """A record with a digest over the rest of it. No signature: whoever wants to deceive can compute it anew."""

    seal: str = ""
    """sha256 over all the rest: an edit shows."""

    def sealed(self) -> Self:
        """The same record with its seal set."""
        return self.model_copy(update={"seal": self.expected_seal()})

    def expected_seal(self) -> str:
        """What the seal must be."""
        content = self.model_dump(mode="json", exclude={"seal"})
        return hashlib.sha256(canonical_json(content).encode()).hexdigest()
