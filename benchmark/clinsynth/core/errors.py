"""Errors that are the user's to mend: one message with place, found, expected and remedy, never a traceback."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches


class UserError(Exception):
    """Something only the user can put right. The command line prints it and exits with status 2."""

    def __init__(self, what: str, *, found: str = "", expected: str = "", remedy: str = "") -> None:
        """``what`` names the place and the fault; the other parts are printed one to a line."""
        parts = {"found": found, "expected": expected, "remedy": remedy}
        super().__init__("\n".join([what, *(f"  {k}: {v}" for k, v in parts.items() if v)]))

    def __reduce__(self) -> tuple[type[UserError], tuple[str]]:
        # Errors come back from worker processes; there only the message counts.
        return UserError, (str(self),)


class NotPreparedError(UserError):
    """A task, or the split that is needed, is not in the data folder."""


class UnknownNameError(UserError):
    """A name that no registry has; carries the nearest names."""

    def __init__(self, kind: str, name: str, known: Iterable[str]) -> None:
        """``kind`` is what the name should have been: task, baseline, recipe..."""
        names = sorted(known)
        near = get_close_matches(name, names, n=3)
        super().__init__(
            f"unknown {kind} {name!r}",
            expected=", ".join(names) or f"no {kind} is known here",
            remedy=f"did you mean {' or '.join(near)}?" if near else "",
        )
