"""What could not be read, with the reason: shown below the line, so that nothing is dropped silently."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from clinsynth.errors import UserError
from clinsynth.snapshot.described import LeftOutRow


@dataclass(frozen=True, slots=True)
class Omitted:
    """Collects records that no table has."""

    rows: list[LeftOutRow] = field(default_factory=list[LeftOutRow])

    def record(self, name: str, path: Path, folder: Path, error: UserError | OSError) -> None:
        """A record that cannot be read.

        Args:
            name: the submission's, or that of a folder of the direct track.
            path: where it lies; what is shown begins below ``folder``.
            folder: the submission's.
            error: why.
        """
        where = path.relative_to(folder).as_posix()
        # The remedy is for whoever has the files; a reader of the snapshot needs what and why.
        lines = [line for line in str(error).splitlines() if not line.startswith("  remedy: ")]
        first, *more = (line.strip().replace(str(path), where).replace(f"{folder}/", "") for line in lines or [""])
        said = first if where in first else f"{where} cannot be read: {first}"
        self.say(name, said + (f" ({'; '.join(more)})" if more else ""))

    def say(self, name: str, reason: str) -> None:
        """Anything else that is left out."""
        self.rows.append(LeftOutRow(submission=name, reason=reason))
