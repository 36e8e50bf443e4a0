"""What a pull request with a submission is told: the script that the workflow runs, on a repository made for it."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from clinsynth.core import REFERENCES

ROOT = Path(__file__).parents[1]
CHECK = ROOT / ".github" / "check-submissions"
CARD = "submission.toml"
STAND_IN = """#!/bin/sh
echo "$@" >> "$LOG"
echo "a line with | and <b> and a fence: \\`\\`\\`"
[ "$1" != "$FAILS" ]
"""

if shutil.which("bash") is None or shutil.which("git") is None:
    pytest.skip("needs bash and git", allow_module_level=True)


class Board:
    """A repository with one submission; requests are made on a branch of their own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.log = folder.parent / "log"
        self.stand_in = folder.parent / "clinsynth"
        self.stand_in.write_text(STAND_IN)
        self.stand_in.chmod(0o755)
        folder.mkdir()
        self.git("init", "-q", "-b", "main")
        self.write("submissions/old/" + CARD)
        self.write("submissions/old/reproduced/gad/r.v1/n300/seed0.json")
        self.write("submissions/old/audit/gad.json")
        self.commit()
        self.git("switch", "-q", "-c", "request")

    def git(self, *words: str) -> None:
        own = ("-c", "user.name=A", "-c", "user.email=a@example.org", "-c", "commit.gpgsign=false")
        subprocess.run(["git", *own, *words], cwd=self.folder, check=True)  # noqa: S603, S607

    def write(self, path: str, text: str = "x\n") -> None:
        target = self.folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text)

    def commit(self) -> None:
        self.git("add", "-A")
        self.git("commit", "-q", "-m", "change")

    def check(self, fails: str = "") -> tuple[int, str, list[str]]:
        """Status, what it said, and the commands that it ran."""
        self.log.write_text("")
        done = subprocess.run(  # noqa: S603 - our own script
            ["bash", str(CHECK), "main"],  # noqa: S607
            env={**os.environ, "CLINSYNTH": str(self.stand_in), "LOG": str(self.log), "FAILS": fails},
            cwd=self.folder, capture_output=True, text=True, check=False,
        )  # fmt: skip
        return done.returncode, done.stdout + done.stderr, self.log.read_text().splitlines()


@pytest.fixture
def board(tmp_path: Path) -> Board:
    return Board(tmp_path / "board")


def test_a_new_submission_goes_through_every_command(board: Board) -> None:
    board.write(f"submissions/mine/{CARD}")
    board.write("submissions/mine/runs/gad/r.v1/n300/seed0.json")
    board.commit()
    status, said, asked = board.check()
    assert status == 0, said
    place = "submissions/mine"
    assert asked == [f"validate {place}", f"audit {place}", f"verify {place}", f"reproduce {place} --seeds 0 --again"]
    assert "own code" not in said
    assert "<b>" not in said
    assert "```" not in said


@pytest.mark.parametrize("command", ["validate", "audit", "verify", "reproduce"])
def test_a_command_that_fails_fails_the_check(board: Board, command: str) -> None:
    board.write(f"submissions/mine/{CARD}")
    board.commit()
    status, said, asked = board.check(fails=command)
    assert (status, len(asked)) == (1, 4)
    assert "**failed**" in said


def test_the_direct_track_is_checked_too(board: Board) -> None:
    board.write("submissions/model/direct.toml")
    board.commit()
    assert board.check()[2] == ["validate submissions/model", "verify submissions/model"]


def _own_record(board: Board) -> None:
    board.write("submissions/mine/reproduced/gad/r.v1/n300/seed0.json")


def _record_of_the_sample(board: Board) -> None:
    board.write("submissions/mine/sample/reproduced/gad/r.v1/n300/seed0.json")


def _linked_records(board: Board) -> None:
    (board.folder / "submissions/mine/reproduced").symlink_to("../old/reproduced")


def _changed_record(board: Board) -> None:
    board.write("submissions/old/reproduced/gad/r.v1/n300/seed0.json", "better\n")


def _moved_records(board: Board) -> None:
    board.git("mv", "submissions/old/reproduced", "submissions/mine/reproduced")


@pytest.mark.parametrize(
    "change", [_own_record, _record_of_the_sample, _linked_records, _changed_record, _moved_records]
)
def test_nobody_certifies_himself(board: Board, change: Callable[[Board], None]) -> None:
    board.write(f"submissions/mine/{CARD}")
    change(board)
    board.commit()
    status, said, asked = board.check()
    assert status == 1
    assert "leave it out" in said
    assert not any(line.startswith("reproduce submissions/old") for line in asked)


def _own_audit(board: Board) -> None:
    board.write("submissions/mine/audit/gad.json")


def _audit_of_the_sample(board: Board) -> None:
    board.write("submissions/mine/sample/audit/gad.json")


def _linked_audit(board: Board) -> None:
    (board.folder / "submissions/mine/audit").symlink_to("../old/audit")


def _changed_audit(board: Board) -> None:
    board.write("submissions/old/audit/gad.json", "clean\n")


@pytest.mark.parametrize("change", [_own_audit, _audit_of_the_sample, _linked_audit, _changed_audit])
def test_nobody_brings_his_own_audit(board: Board, change: Callable[[Board], None]) -> None:
    board.write(f"submissions/mine/{CARD}")
    change(board)
    board.commit()
    status, said, asked = board.check()
    assert status == 1
    assert "| `audit/` | **failed**: leave it out" in said
    assert not any(line.startswith("audit submissions/old") for line in asked)


@pytest.mark.parametrize("name", ["Mine", "my method", "mine;x", "-x", "mine\nsubmissions", "*"])
def test_an_odd_name_is_refused_and_given_to_no_command(board: Board, name: str) -> None:
    board.write(f"submissions/{name}/{CARD}")
    board.commit()
    status, said, asked = board.check()
    assert (status, asked) == (1, [])
    assert "**failed**" in said


@pytest.mark.parametrize("name", REFERENCES)
def test_nobody_hands_in_a_reference(board: Board, name: str) -> None:
    board.write(f"submissions/{name}/{CARD}")
    board.commit()
    status, said, asked = board.check()
    assert (status, asked) == (1, [])
    assert "a reference" in said


def test_a_link_or_a_folder_without_a_card_is_refused(board: Board) -> None:
    (board.folder / "submissions" / "linked").symlink_to("old")
    board.write("submissions/bare/data/gad.jsonl")
    board.commit()
    status, said, asked = board.check()
    assert (status, asked, said.count("**failed**")) == (1, [], 2)


def test_a_request_that_changes_code_as_well_says_so(board: Board) -> None:
    board.write(f"submissions/mine/{CARD}")
    board.write("benchmark/clinsynth/scoring/metrics.py")
    board.commit()
    status, said, _ = board.check()
    assert (status, "run with its own code" in said) == (0, True)


def test_other_files_and_submissions_that_go_are_left_alone(board: Board) -> None:
    board.git("rm", "-rq", "submissions/old")
    board.write("submissions/README.md")
    board.commit()
    assert board.check()[0::2] == (0, [])


def test_a_base_that_is_not_there_fails(board: Board) -> None:
    board.git("branch", "-q", "-D", "main")
    assert board.check()[0] != 0
