"""A submission's folder: read by the rest of the harness, written by generators and importers, begun by newcomers."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from textwrap import dedent

from clinsynth.core import Example, Row, TaskSpec, UnknownNameError, UserError, sha256_lines, write_jsonl_gz, write_text
from clinsynth.submissions.card import CARD_FILE, FILL_IN, NAME_PATTERN, Card, to_toml
from clinsynth.submissions.card_file import existing_card
from clinsynth.submissions.faults import Findings, shown
from clinsynth.submissions.rows import DATA, HARMLESS, known_specs, scan
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
    scanned = scan(path, known, findings)
    errors = [problem for problem in findings.problems if problem.severity == "error"]
    if errors or scanned.card is None:
        parts = (f"{problem.file} {problem.reason}: {problem.found}".strip() for problem in errors[:5])
        raise UserError(
            f"{path} is not a usable submission: {len(errors)} errors",
            found="; ".join(parts),
            remedy=f"see all problems with: clinsynth validate {path}",
        )
    return Submission(path, scanned.card, scanned.files, {task: known[task] for task in scanned.files})


def write_submission(
    path: Path, card: Card, rows_by_task: Mapping[str, Iterable[Row]], *, private: bool = False
) -> dict[str, str]:
    """Write the card and a file for each task; each file appears whole or not at all.

    A task's file that is there already is replaced; files of other tasks stay. The rows are not judged here:
    ``validate`` does that, for the harness's own generators as for anybody.

    Args:
        path: the submission's folder; made if need be.
        card: its name is the folder's.
        rows_by_task: canonical rows, by task.
        private: the rows hold real text; they are kept out of version control and from other users.

    Returns:
        The sha256 of the unpacked content of each file, by task.

    Raises:
        UserError: the card's name is not the folder's, or a task has an unpacked file that would then be its second.
    """
    path = path.absolute()
    if card.name != path.name:
        raise UserError(f"the card of {path} has another name", found=card.name, expected=path.name)
    digests = write_rows(path, rows_by_task, private=private)
    if card != existing_card(path):
        write_text(path / CARD_FILE, to_toml(card))
    return digests


def write_rows(path: Path, rows_by_task: Mapping[str, Iterable[Row]], *, private: bool = False) -> dict[str, str]:
    """Write a file for each task and leave the card alone; else as ``write_submission``.

    Raises:
        UserError: a task has an unpacked file that would then be its second.
    """
    for task in rows_by_task:
        if (other := path / DATA / f"{task}.jsonl").exists():
            raise UserError(f"{task} has a file already: {other}", remedy="move it away")
    if private:
        # Before the first row: no moment at which real text could be committed, or read by others on the machine.
        (path / DATA).mkdir(parents=True, exist_ok=True)
        (path / DATA).chmod(0o700)
        write_text(path / DATA / ".gitignore", "*\n")
    return {task: write_jsonl_gz(path / DATA / f"{task}.jsonl.gz", rows) for task, rows in rows_by_task.items()}


def new_submission(name: str, parent: Path) -> Path:
    """Make a folder with a commented card to fill in and an empty data folder, and return its path.

    Raises:
        UserError: ``name`` cannot be a submission's name, or something of that name exists.
    """
    check_name(name)
    path = parent.absolute() / name
    try:
        path.mkdir(parents=True)
    except FileExistsError:
        raise UserError(f"{path} exists", remedy="choose another name; nothing was overwritten") from None
    (path / DATA).mkdir()
    write_text(path / CARD_FILE, _SKELETON.replace("NAME", name))
    return path


def check_name(name: str) -> None:
    """Refuse what cannot be a submission's name.

    Raises:
        UserError: it cannot.
    """
    if not re.fullmatch(NAME_PATTERN, name):
        expected = "2 to 64 lower-case letters, digits, dots and hyphens, the first a letter or a digit"
        raise UserError(f"{name!r} cannot name a submission", expected=expected)


_SKELETON = dedent(f"""\
    # Who made this data, with what, from what and at what cost. Replace every "{FILL_IN}".
    # Rows go into data/<task>.jsonl.gz, one JSON object a line. Then run: clinsynth validate <this folder>

    name = "NAME"  # the folder's name
    title = "{FILL_IN}: the method as a table shows it"
    authors = ["{FILL_IN}: people or groups"]
    paper = ""  # address, if there is one
    bibtex = ""  # one entry, if there is one
    generator = "{FILL_IN}: how the rows were made, in one line"
    kind = "submission"  # "reference": a row to compare with on your own machine, never ranked
    licence = "{FILL_IN}: licence of the rows, such as CC-BY-4.0"
    disclosures = []  # whatever a reviewer should know, one sentence each

    [real_data]
    used = "{FILL_IN}: none, few-shot, train or other"
    details = ""  # which real text, how much and what for

    # The language model that wrote the rows. Remove the table if none did.
    [llm]
    name = "{FILL_IN}: as its provider names it"
    snapshot = "{FILL_IN}: dated version or revision, empty if unknown"

    # What is known of the cost, all tasks together. Leave out what is not known: 0 means free.
    [cost]
    # calls = 5000
    # tokens_in = 1500000
    # tokens_out = 600000
    # dollars = 1.25
    # price_source = "https://..."
    # price_date = 2026-01-31
    # seconds = 5400

    # Candidate rows of a task that were made and not handed in: refused, unreadable, filtered out. 0 means none.
    [losses]
    # gad = 120
    """)
