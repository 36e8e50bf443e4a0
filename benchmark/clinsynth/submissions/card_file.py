"""The card of a folder: read within bounds, judged field by field, and good to work with before it is filled in."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any, cast

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from clinsynth.core import UnfitFileError, read_regular
from clinsynth.submissions.card import CARD_FILE, FILL_IN, Card, describe
from clinsynth.submissions.faults import Findings, Problem

MAX_CARD = 2**16
"""Bytes of a card: far more than a card with a long BibTeX entry needs."""
MAX_DOTS = 32
"""Dots of one line outside of strings: the parser's time and memory grow with the square of the parts of a key."""
MAX_DEPTH = 16
"""Brackets within brackets: a card needs two."""
_PROVISIONAL: Mapping[str, Any] = {
    "title": FILL_IN,
    "authors": [FILL_IN],
    "generator": FILL_IN,
    "licence": FILL_IN,
    "real_data": {"used": "other", "details": FILL_IN},
}
"""What stands for a field that is still to be filled in, so that rows can be scored before their card is finished."""

_OPENING = re.compile(r"\"\"\"|'''|\"|'|#")
_ENDING = {
    '"""': re.compile(r'(?:[^"\\]++|\\.|"(?!""))*+"{3,5}', re.DOTALL),
    "'''": re.compile(r"(?:[^']++|'(?!''))*+'{3,5}", re.DOTALL),
    '"': re.compile(r'(?:[^"\\\n]++|\\.)*+"'),
    "'": re.compile(r"[^'\n]*+'"),
    "#": re.compile(r"[^\n]*+"),
}


class CardError(ValueError):
    """A card that cannot be parsed; carries the problem."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.reason)
        self.problem = problem


def read_toml(file: Path) -> dict[str, Any]:
    """The table of a small TOML file.

    Raises:
        CardError: there is none, it is no regular file, too large, too deep, or no TOML.
    """
    try:
        raw = read_regular(file, MAX_CARD)
    except FileNotFoundError:
        raise CardError(_problem("no-card", "no such file", "a card", "clinsynth new <name>")) from None
    except UnfitFileError as error:
        if error.code == "too-large":
            raise CardError(_problem("bad-toml", f"over {MAX_CARD:,} bytes", "a card", "shorten it")) from None
        raise CardError(_problem("not-a-file", str(error), "a file", "put the file itself there")) from None
    except OSError as error:
        raise CardError(_problem("unreadable", str(error.strerror), "a readable file", "check its rights")) from None
    try:
        text = raw.decode()
    except UnicodeDecodeError as error:
        line = raw[: error.start].count(b"\n") + 1
        raise CardError(_problem("bad-toml", "not UTF-8", "UTF-8", "save the card as UTF-8", line)) from None
    # Notepad writes it; the parser would take it for a part of the first key.
    text = text.removeprefix("\ufeff")
    _check_depth(text)
    try:
        return tomllib.loads(text)
    except ValueError as error:  # a number of 5,000 digits is no TOMLDecodeError
        place = re.search(r"line (\d+)", str(error))
        line = int(place[1]) if place else None
        remedy = "mend the line; text goes in quotes"
        raise CardError(_problem("bad-toml", str(error), "valid TOML", remedy, line)) from None


def _problem(reason: str, found: str, expected: str, remedy: str, line: int | None = None) -> Problem:
    return Problem("error", reason, CARD_FILE, line, found, expected, remedy)


def _check_depth(text: str) -> None:
    """Refuse what the parser would take minutes, gigabytes or the whole stack for."""
    depth = 0
    for number, line in enumerate(_without_strings(text).split("\n"), 1):
        if line.count(".") > MAX_DOTS:
            raise CardError(_problem("bad-toml", "a key of many parts", "short keys", "write the card's own", number))
        for bracket in re.findall(r"[\[\]{}]", line):
            depth += 1 if bracket in "[{" else -1
            if depth > MAX_DEPTH:
                raise CardError(_problem("bad-toml", "values nested too deep", "a flat card", "mend the line", number))


def _without_strings(text: str) -> str:
    """The text with its strings and comments taken out, line by line as it was.

    What follows a string that never ends is left out too: the parser does not get there.
    """
    pieces: list[str] = []
    at = 0
    while opening := _OPENING.search(text, at):
        pieces.append(text[at : opening.start()])
        ending = _ENDING[opening[0]].match(text, opening.end())
        if ending is None:
            return "".join(pieces)
        pieces.append("\n" * text.count("\n", opening.end(), ending.end()))
        at = ending.end()
    return "".join([*pieces, text[at:]])


def find_card(folder: Path, findings: Findings) -> Card | None:
    """The card in a folder, or ``None`` and the reason."""
    try:
        table = read_toml(folder / CARD_FILE)
    except CardError as error:
        findings.add(error.problem)
        return None
    return read_card(table, folder.name, findings)


def existing_card(path: Path) -> Card | None:
    """The card in a folder, filled in or not; ``None`` where there is none, or a faulty one."""
    return find_card(path, Findings())


def read_card(table: Mapping[str, Any], folder: str, findings: Findings) -> Card | None:
    """The card of a parsed ``submission.toml``, or ``None`` and a problem for every field that is wrong.

    A field that is absent or still holds its placeholder stands in the way of handing in, and of nothing else: the
    card that is given back has "FILL IN" there.
    """
    blanks = set(_blanks(table))
    for place in sorted(blanks):
        name = ".".join(place)
        remedy = f"write it in {CARD_FILE}, or remove the line if it is optional and unknown"
        found = f"{name} still holds its placeholder"
        findings.unfilled.append(name)
        findings.add(Problem("unfilled", "fill-in", CARD_FILE, None, found, describe(place), remedy))
    name = table.get("name")
    if isinstance(name, str) and ("name",) not in blanks and name != folder:
        findings.error("name-differs", CARD_FILE, found=name, expected=folder, remedy="rename the folder or the card")
    for key in _PROVISIONAL:
        if key not in table:
            remedy = f"add {key} = ..."
            said = (f"no {key}", describe((key,)), remedy)
            findings.unfilled.append(key)
            findings.add(Problem("unfilled", "card-missing", CARD_FILE, None, *said))
    try:
        return Card.model_validate(_provisional(table, blanks, folder))
    except ValidationError as error:
        for detail in error.errors(include_url=False):
            _card_problem(tuple(str(key) for key in detail["loc"] if isinstance(key, str)), detail, findings)
    return None


def _provisional(table: Mapping[str, Any], blanks: set[tuple[str, ...]], folder: str) -> dict[str, Any]:
    filled: dict[str, Any] = {**_PROVISIONAL, **table}
    for place in blanks:
        top = place[0]
        if top == "name":
            filled["name"] = folder
        elif top in ("title", "generator", "licence"):
            filled[top] = FILL_IN
        elif place == ("real_data", "used") and isinstance(filled[top], dict):
            filled[top] = {**filled[top], "used": "other", "details": filled[top].get("details") or FILL_IN}
        elif top in ("kind", "paper", "bibtex", "cost", "losses"):
            # Optional, and no text would be right there.
            filled.pop(top, None)
    return filled


def _card_problem(place: tuple[str, ...], detail: ErrorDetails, findings: Findings) -> None:
    name = ".".join(place) or "the card"
    if detail["type"] == "missing":
        findings.error(
            "card-missing", CARD_FILE, found=f"no {name}", expected=describe(place), remedy=f"add {name} = ..."
        )
    elif detail["type"] == "extra_forbidden":
        known = [*Card.model_fields, "used", "details", "snapshot", "price_source", "tokens_in", "tokens_out"]
        near = get_close_matches(place[-1].lower()[:80], known, n=1)
        remedy = f"did you mean {near[0]}?" if near else "remove it; put remarks into disclosures"
        findings.error("card-unknown", CARD_FILE, found=name, expected="only the card's own fields", remedy=remedy)
    else:
        found = f"{name} = {_written(detail['input'])}" if place and not isinstance(detail["input"], dict) else name
        findings.error("card-value", CARD_FILE, found=found, expected=detail["msg"], remedy=describe(place))


def _written(value: object) -> str:
    try:
        return repr(value)
    except ValueError:  # a hexadecimal number of more digits than Python writes out in decimal
        return "a number with thousands of digits"


def _blanks(table: Mapping[str, Any]) -> Iterator[tuple[str, ...]]:
    """The paths of all placeholders."""
    waiting: list[tuple[tuple[str, ...], Any]] = [((key,), value) for key, value in table.items()]
    while waiting:
        place, value = waiting.pop()
        if isinstance(value, dict):
            waiting += [((*place, key), item) for key, item in cast("dict[str, Any]", value).items()]
        elif isinstance(value, list):
            waiting += [(place, item) for item in cast("list[Any]", value)]
        elif isinstance(value, str) and value.strip().startswith(FILL_IN):
            yield place
