"""Write a submission: what generators, importers and newcomers start from."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from textwrap import dedent

from clinsynth.core import Row, UserError, write_jsonl_gz, write_text
from clinsynth.submissions.card import CARD_FILE, FILL_IN, NAME_PATTERN, Card, to_toml
from clinsynth.submissions.card_file import existing_card
from clinsynth.submissions.rows import DATA


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
    kind = "submission"  # "reference" for a floor or a ceiling, which is never ranked
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
