"""Hostile cards on the board: text stays text on every page, in every export and in a terminal."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.conftest import Submit
from tests.invented_snapshot import tables

from clinsynth.cli import main
from clinsynth.core import clean
from clinsynth.export import FORMATS
from clinsynth.export.bibtex import EntryError, read_entries
from clinsynth.site import build_site
from clinsynth.snapshot import Snapshot, Tables, write_snapshot
from clinsynth.views import VIEWS, page

HOSTILE = (
    "<script>alert(1)</script>", "</pre><img src=x onerror=alert(1)>", r"\input{/etc/passwd}", r"\write18{id}",
    "\x1b[2J\x1b]0;owned\x07", "\x9b31m", "\u202egnp.exe\u2066", "```\n<script>x</script>\n```",
    "[x](javascript:alert(1))",
    "| a | b |", "# heading", "=cmd()", "^^5cinput", "\U000e0041", "a\r\nb",
)  # fmt: skip
RAW = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\U000e0000-\U000e007f]")
ENTRIES = (
    r'@preamble{"\write18{id}"}', r"@misc{a, title = {\input{/etc/passwd}}}", "@misc{a, title = {^^5cinput x}}",
    "@misc{a, title = {x}}\n@preamble{\"x\"}", r"@misc{a, title = {x\}, note = {\write18{id}}}",
    "@misc{a, title = {\x1b[2J}}", "@misc{a, title = {x}} <script>alert(1)</script>", "@string{x = {y}}",
    "@misc{a, title = x # y}", "@misc{a\n%, title = {x}", "@misc{<script>, title = {x}}",
    "@misc{a, title = {" + "{" * 3000 + "}" * 3000 + "}}" * 9,
)  # fmt: skip


def hostile_tables() -> Tables:
    made = tables(2, conditions=1)
    words = " ".join(HOSTILE)
    cards = tuple(
        row.model_copy(
            update={
                "title": words, "authors": HOSTILE, "generator": words, "disclosures": HOSTILE, "licence": words,
                "real_details": words, "llm": words, "paper": "javascript:alert(1)",
                "bibtex": ENTRIES[k % len(ENTRIES)],
            }
        )
        for k, row in enumerate(made.submissions)
    )  # fmt: skip
    object.__setattr__(made, "submissions", cards)
    left = tuple(row.model_copy(update={"submission": words, "reason": words}) for row in made.left_out)
    object.__setattr__(made, "left_out", left)
    return made


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Snapshot:
    return write_snapshot(tmp_path_factory.mktemp("hostile") / "s", hostile_tables())


@pytest.mark.parametrize("form", FORMATS)
def test_a_hostile_card_is_text_in_every_export(hostile: Snapshot, form: str) -> None:
    names = [row.submission for row in hostile.tables.submissions]
    pages = [page(hostile, view, {}) for view in VIEWS]
    pages += [page(hostile, "submission", {"name": name}) for name in names]
    for made in pages:
        text = FORMATS[form](hostile, made)
        assert not RAW.search(text), made.view
        if form == "json":
            json.loads(text)
        if form == "markdown":
            outside = re.sub(r"(?ms)^(`{3,})\w*\n.*?\n\1$", "", text)
            assert not re.search(r"(?<!\\)(?:\\\\)*<(?:script|img)", outside), made.view
            assert not re.search(r"(?<!\\)(?:\\\\)*\[x\]", outside), made.view
        if form == "latex":
            assert not re.search(r"\\(?:input|write)|\^\^", text), made.view
        if form == "bibtex":
            assert not re.search(r"(?m)^[^%\n]*(?:\\input|\\write18|@preamble|<script|\^\^)", text), made.view


@pytest.mark.parametrize("entry", ENTRIES)
def test_entries_that_tex_would_run_are_refused(entry: str) -> None:
    with pytest.raises(EntryError):
        read_entries(entry)


@given(st.text(alphabet='@{}"\\,= abcmisctle%<^\n1', max_size=80))
@settings(max_examples=300, deadline=None)
def test_what_is_taken_for_an_entry_reads_back(text: str) -> None:
    """Any text is refused or gives entries that say the same when they are read again."""
    try:
        entries = read_entries(text)
    except EntryError:
        return
    written = "\n".join(entry.text(entry.key) for entry in entries)
    assert read_entries(written) == entries
    assert "<" not in written


def test_a_hostile_card_is_text_on_every_page(hostile: Snapshot, tmp_path: Path) -> None:
    build_site(hostile, tmp_path / "site")
    for path in [*(tmp_path / "site").rglob("*.html"), *(tmp_path / "site").rglob("*.svg")]:
        text = path.read_text("utf-8")
        assert not RAW.search(text), path
        text = re.sub(r'<script src="(?:\.\./)?board\.js" defer></script>', "", text, count=1)
        assert not re.search(r"<(?:script|img)|href=\"javascript", text), path


@given(st.text())
def test_clean_text_has_nothing_that_a_terminal_obeys(text: str) -> None:
    shown = clean(text)
    assert not RAW.search(shown)
    shown.encode()
    assert clean(shown) == shown
    if not RAW.search(text) and shown == text:
        return
    # What is replaced is written as JSON writes it: nothing is lost.
    assert json.loads(clean(json.dumps(text, ensure_ascii=False))) == text


def test_the_command_line_prints_no_escape_sequences(
    submit: Submit, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = submit({"gad": 12})
    card = folder / "submission.toml"
    text = card.read_text("utf-8")
    card.write_text(text.replace('title = "Toy"', r'title = "\u001b[2J\u202egnp\u009b31m"'), "utf-8")
    strange = tmp_path / "\x1b[31mred"
    statuses = [
        main(["standings", str(tmp_path), "--sample", "--no-statistics"]),
        main(["validate", str(folder)]),
        main(["snapshot", str(tmp_path), "--sample", "--no-statistics", "--out", str(tmp_path / "s")]),
        main(["site", "--snapshot", str(strange), "--out", str(tmp_path / "site")]),
        main(["export", "--snapshot", str(tmp_path / "s"), "--format", "json", "--view", "submission"]),
    ]
    said = capsys.readouterr()
    assert statuses[3] == 2
    assert "\\u001b[31mred" in said.err
    assert not RAW.search(said.out + said.err)
