"""Problems of a submission, all reported at once, each with its place and its remedy."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Literal

from clinsynth.task_types import Fault

LISTED = 20
"""Problems of one reason that are listed for a file; the others are counted."""
UNUSABLE = frozenset({"no-folder", "no-card", "no-data"})
"""Reasons after which there is nothing to check."""
ONLY_TO_HAND_IN = frozenset({"reference-name"})
"""Errors that are in the way of handing in, and of nothing else."""
Severity = Literal["error", "unfilled", "warning"]
"""error: nothing can be done with it; unfilled: the card is not finished, which only handing in needs; warning: odd."""
_WITHOUT_TEXT = frozenset(
    {
        "bad-character", "bad-gzip", "bad-json", "blank-line", "byte-order-mark", "empty-text", "file-too-large",
        "label-count", "line-too-long", "missing-marker", "not-a-file", "not-an-object", "not-utf-8",
        "offsets-with-space", "overlapping-entities", "text-not-a-string", "text-too-long", "too-deep",
        "too-many-rows", "unreadable",
    }
)  # fmt: skip
"""Reasons whose findings are numbers and names of ours, never a piece of a row."""
NOT_SHOWN = "not shown: rows of this task stay private"


def discreet(fault: Fault, *, private: bool) -> Fault:
    """The fault as it may be told: of rows that stay private, nothing is quoted."""
    return fault._replace(found=NOT_SHOWN) if private and fault.reason not in _WITHOUT_TEXT else fault


def shown(value: str, limit: int = 160) -> str:
    """A stranger's text made safe for a terminal: nothing that moves the cursor, turns the line or fills the page."""
    cut = value if len(value) <= limit else value[: limit - 1] + "…"
    return "".join(c if c.isprintable() else f"\\u{ord(c):04x}" for c in cut)


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing wrong, or odd, with a submission."""

    severity: Severity
    reason: str
    """Stable short name, the key under which problems are counted."""
    file: str = ""
    """Path inside the submission's folder; empty for the folder itself."""
    row: int | None = None
    """Line of the file, from 1."""
    found: str = ""
    expected: str = ""
    remedy: str = ""

    def __str__(self) -> str:
        place = f"line {self.row}: " if self.row is not None else ""
        parts = {"found": self.found, "expected": self.expected, "remedy": self.remedy}
        said = [f"      {name}: {text}" for name, text in parts.items() if text]
        return "\n".join([f"  {self.severity}: {place}{self.reason}", *said])


@dataclass(frozen=True, slots=True)
class Report:
    """The outcome of ``validate``."""

    path: Path
    problems: tuple[Problem, ...]
    """At most ``LISTED`` of one reason for a file, in the order of the file."""
    counts: Mapping[str, int]
    """How often each reason was met, listed or not."""
    unlisted: Mapping[tuple[str, str], int]
    """Problems left out of the list, by file and reason."""
    rows: Mapping[str, int]
    """Rows without faults, by task."""
    unfilled: tuple[str, ...] = ()
    """Fields of the card that are absent or still hold their placeholder."""

    @property
    def exit_code(self) -> int:
        """0: clean, or warnings alone; 1: errors, or an unfilled card; 2: no folder, no card or no data."""
        if UNUSABLE & self.counts.keys():
            return 2
        return int(any(problem.severity != "warning" for problem in self.problems))

    @property
    def usable(self) -> bool:
        """Whether the rows can be scored: no error, though the card may be unfilled."""
        return not UNUSABLE & self.counts.keys() and not any(
            problem.severity == "error" and problem.reason not in ONLY_TO_HAND_IN for problem in self.problems
        )

    def notices(self) -> list[str]:
        """What is no error, one line for each file and reason: for commands that go on all the same."""
        lines: dict[tuple[str, str], str] = {}
        for problem in self.problems:
            # The caller says how many rows there are, in its own words.
            if problem.severity == "warning" and problem.reason != "few-rows":
                said = f": {problem.found}" if problem.found else ""
                lines.setdefault((problem.file, problem.reason), f"{problem.file}: {problem.reason}{said}")
        if self.unfilled:
            fields = shown(", ".join(self.unfilled))
            lines["", ""] = f"the card is not filled in ({fields}): needed to hand in, not to score"
        return list(lines.values())

    def __str__(self) -> str:
        lines = [f"{self.path}: {self._verdict()}"]
        for file in sorted({problem.file for problem in self.problems}):
            lines += ["", file or str(self.path)]
            lines += [str(problem) for problem in self.problems if problem.file == file]
            lines += [f"  … and {n:,} more {reason}" for (where, reason), n in self.unlisted.items() if where == file]
        if self.rows:
            lines += ["", "good rows: " + ", ".join(f"{task} {n:,}" for task, n in self.rows.items())]
        return "\n".join(lines)

    def _verdict(self) -> str:
        kinds = Counter(problem.severity for problem in self.problems)
        words = {0: "accepted", 1: "good to score, not yet to hand in" if self.usable else "refused", 2: "unusable"}
        more = sum(self.unlisted.values())
        unfilled = f", {kinds['unfilled']:,} fields to fill in" if kinds["unfilled"] else ""
        listed = f"{kinds['error']:,} errors{unfilled} and {kinds['warning']:,} warnings listed"
        return f"{words[self.exit_code]}; {listed}" + (f", {more:,} more counted" if more else "")

    def to_json(self) -> str:
        """The report as one JSON object."""
        value = {
            "path": str(self.path),
            "exit_code": self.exit_code,
            "usable": self.usable,
            "counts": dict(self.counts),
            "rows": dict(self.rows),
            "unfilled": list(self.unfilled),
            "problems": [asdict(problem) for problem in self.problems],
            "unlisted": [{"file": f, "reason": r, "count": n} for (f, r), n in self.unlisted.items()],
        }
        return json.dumps(value, indent=1, ensure_ascii=False)


@dataclass(slots=True)
class Findings:
    """Gathers problems while a submission is read."""

    problems: list[Problem] = field(default_factory=list[Problem])
    counts: Counter[str] = field(default_factory=Counter[str])
    unfilled: list[str] = field(default_factory=list[str])
    """Fields of the card that are still to be filled in."""
    _met: Counter[tuple[str, str]] = field(default_factory=Counter[tuple[str, str]])

    def add(self, problem: Problem, count: int = 1) -> None:
        """Note a problem; ``count`` is the number of rows that one summarising problem stands for."""
        self.counts[problem.reason] += count
        place = (problem.file, problem.reason)
        self._met[place] += 1
        if self._met[place] <= LISTED:
            self.problems.append(
                Problem(
                    problem.severity,
                    problem.reason,
                    shown(problem.file),
                    problem.row,
                    shown(problem.found),
                    shown(problem.expected, 400),
                    shown(problem.remedy, 400),
                )
            )

    def error(self, reason: str, file: str = "", *, found: str = "", expected: str = "", remedy: str = "") -> None:
        """Note an error that belongs to no row."""
        self.add(Problem("error", reason, file, None, found, expected, remedy))

    def warn(self, reason: str, file: str = "", *, found: str = "", expected: str = "", remedy: str = "") -> None:
        """Note a warning that belongs to no row."""
        self.add(Problem("warning", reason, file, None, found, expected, remedy))

    def report(self, path: Path, rows: Mapping[str, int]) -> Report:
        """Everything noted so far."""
        unlisted = {place: n - LISTED for place, n in self._met.items() if n > LISTED}
        return Report(
            path, tuple(self.problems), MappingProxyType(dict(self.counts)), unlisted, rows, tuple(self.unfilled)
        )
