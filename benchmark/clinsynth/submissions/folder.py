"""A submission as the rest of the harness sees it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from clinsynth.core import Example, TaskSpec, UnknownNameError, UserError, sha256_lines
from clinsynth.submissions.card import Card
from clinsynth.submissions.faults import Findings, shown
from clinsynth.submissions.rows import HARMLESS, known_specs, scan
from clinsynth.submissions.validation import read_rows
from clinsynth.task_types import Fault, task_type


@dataclass(frozen=True, slots=True)
class Submission:
    """A readable folder: its card is good and it has data; rows are read, and judged, when they are asked for."""

    path: Path
    card: Card
    files: Mapping[str, Path]
    """The data file of each task."""
    specs: Mapping[str, TaskSpec] = field(repr=False)
    """The spec of each of these tasks."""

    @property
    def tasks(self) -> tuple[str, ...]:
        """The tasks there is data for, by name."""
        return tuple(sorted(self.files))

    def rows(self, task: str) -> list[Example]:
        """The examples of a task, in the order of the file.

        Raises:
            UnknownNameError: the submission has no data for this task.
            UserError: the data is not valid; ``validate`` says all that is wrong with it.
        """
        if task not in self.files:
            raise UnknownNameError(f"task of {self.card.name}", task, self.files)
        examples: list[Example] = []
        for number, item in read_rows(self.files[task], self.specs[task]):
            if isinstance(item, Example):
                examples.append(item)
            elif item.reason not in HARMLESS:
                raise self._refusal(task, number, item)
        if not examples:
            raise self._refusal(task, None, Fault("no-rows", "no row", "one JSON object a line", ""))
        return examples

    def _refusal(self, task: str, number: int | None, fault: Fault) -> UserError:
        place = self.files[task] if number is None else f"{self.files[task]}, line {number}"
        return UserError(
            f"{place}: {fault.reason}",
            found=shown(fault.found),
            expected=fault.expected,
            remedy=f"{fault.remedy}; see all problems with: clinsynth validate {self.path}".removeprefix("; "),
        )

    def fingerprint(self, task: str) -> str:
        """sha256 over the canonical JSON of the decoded rows, in order: the same however the file is packed or written.

        Raises:
            UserError: as ``rows``.
        """
        return fingerprint(self.rows(task), self.specs[task])


def fingerprint(examples: list[Example], spec: TaskSpec) -> str:
    """sha256 over the canonical JSON of each example's row and a newline, in order."""
    kind = task_type(spec)
    return sha256_lines(kind.encode(example) for example in examples)


def read_submission(path: Path, *, specs: Mapping[str, TaskSpec] | None = None) -> Submission:
    """Read the card and find the data files; ``specs`` are the tasks there are, every registered one for ``None``.

    A card that is still to be filled in is good enough: ``Card.unfilled`` names the fields.

    Raises:
        UserError: there is no folder, no good card or no data, or a file of the folder is refused.
    """
    path = path.absolute()
    known = known_specs(specs)
    findings = Findings()
    found = scan(path, known, findings)
    errors = [problem for problem in findings.problems if problem.severity == "error"]
    if errors or found.card is None:
        parts = (f"{problem.file} {problem.reason}: {problem.found}".strip() for problem in errors[:5])
        raise UserError(
            f"{path} is not a usable submission: {len(errors)} errors",
            found="; ".join(parts),
            remedy=f"see all problems with: clinsynth validate {path}",
        )
    return Submission(path, found.card, found.files, {task: known[task] for task in found.files})
