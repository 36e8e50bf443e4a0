"""``submission.toml``: who made the data, with what, from what, at what cost."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from datetime import date
from typing import Annotated, Any, Literal, cast

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, field_validator, model_validator

CARD_FILE = "submission.toml"
NAME_PATTERN = r"^[a-z0-9][a-z0-9.-]{1,63}$"
FILL_IN = "FILL IN"
"""What every placeholder of a new card begins with; ``validate`` reports each one that is still there."""

# Neither control characters (C0, DEL, C1) nor what turns lines or the direction of writing.
_BIBTEX_CODE = re.compile(
    r"(?i)@\s*(?:preamble|string|comment)\b|\\(?:input|include|write|read|open|immediate|catcode|def|edef|gdef|let|csname"
    r"|usepackage|special|directlua|newcommand)(?![a-z])"
)
Line = Annotated[
    str,
    StringConstraints(
        strip_whitespace=True, min_length=1, max_length=500,
        pattern=r"^[^\x00-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069]+$",
    ),
]  # fmt: skip
TaskName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{1,64}$")]
Count = Annotated[int, Field(strict=True, ge=0, le=2**53)]
Amount = Annotated[float, Field(strict=True, ge=0, le=1e15, allow_inf_nan=False)]


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)


class Llm(_Model):
    """The language model that wrote the data."""

    name: Line
    """The model as its provider names it."""
    snapshot: str = ""
    """The dated version or the revision of the weights; empty if it is not known."""
    parameters: Annotated[float, Field(gt=0, le=1e5, allow_inf_nan=False)] | None = None
    """Parameters in billions, such as 1.5; absent if they are not published."""
    open_weights: bool | None = None
    """Whether anybody can download the weights; absent if it is not known."""


class RealData(_Model):
    """What real text the generator saw."""

    used: Literal["none", "few-shot", "train", "other"]
    """Real text the generator saw: none, few-shot (five examples a class), train (the training split) or other."""
    details: str = ""
    """Which real text, how much of it and what for; needed unless none was used."""

    @model_validator(mode="after")
    def _explained(self) -> RealData:
        if self.used != "none" and not self.details.strip():
            raise ValueError("say in details which real text was used")
        return self


class Cost(_Model):
    """What the data cost to make, all tasks together. What is not known stays absent: it is never 0."""

    calls: Count | None = None
    """Requests to the model."""
    tokens_in: Count | None = None
    """Prompt tokens."""
    tokens_out: Count | None = None
    """Generated tokens."""
    dollars: Amount | None = None
    """Price paid, in US dollars."""
    price_source: str | None = None
    """Where the price comes from."""
    price_date: date | None = None
    """The day the price was looked up."""
    seconds: Amount | None = None
    """Wall-clock time in seconds."""


class Card(_Model):
    """The whole of ``submission.toml``."""

    name: Annotated[str, StringConstraints(pattern=NAME_PATTERN)]
    """The folder's name: 2 to 64 lower-case letters, digits, dots and hyphens."""
    title: Line
    """The method as a table shows it."""
    authors: Annotated[tuple[Line, ...], Field(min_length=1)]
    """People or groups, at least one."""
    paper: Annotated[str, StringConstraints(pattern=r"^(https?://[^\s\"'<>]+)?$")] = ""
    """Address of the paper, or empty."""
    bibtex: str = ""
    """One BibTeX entry, or empty."""
    generator: Line
    """How the rows were made, in one line."""
    kind: Literal["submission", "reference"] = "submission"
    """A reference is a floor or a ceiling to compare with: it is never ranked."""
    licence: Line
    """Licence of the rows."""
    disclosures: tuple[Line, ...] = ()
    """Whatever a reviewer should know, one sentence each."""
    real_data: RealData
    """What real text the generator saw."""
    llm: Llm | None = None
    """The language model that wrote the data; absent if none was used."""
    cost: Cost = Cost()
    """What is known of the cost."""
    losses: dict[TaskName, Count] = {}
    """For each task the candidate rows that were made and not handed in: refused, unreadable, filtered out. Absent: not
    known."""

    @property
    def unfilled(self) -> tuple[str, ...]:
        """Fields that still hold their placeholder: in the way of handing in, and of nothing else."""
        table = self.model_dump(exclude_none=True)
        return tuple(key for key, value in table.items() if FILL_IN in repr(value))

    @field_validator("bibtex")
    @classmethod
    def _one_entry(cls, text: str) -> str:
        if text.strip() and not text.strip().startswith(FILL_IN):
            entries = len(re.findall(r"(?m)^\s*@\w+\s*\{", text))
            if entries != 1 or not text.strip().startswith("@"):
                raise ValueError(f"expected one BibTeX entry, found {entries}")
            if text.count("{") != text.count("}"):
                raise ValueError("the braces do not balance")
            if _BIBTEX_CODE.search(text):
                raise ValueError("a BibTeX entry holds no TeX commands that read, write or define")
        return text


def to_toml(card: BaseModel) -> str:
    """The card as TOML that reads back to an equal card."""
    fields = card.model_dump(exclude_none=True)
    tables = {key: cast("Mapping[str, Any]", value) for key, value in fields.items() if isinstance(value, dict)}
    lines = [f"{key} = {_value(value)}" for key, value in fields.items() if key not in tables]
    for name, table in tables.items():
        if table:
            lines += ["", f"[{name}]", *(f"{key} = {_value(value)}" for key, value in table.items())]
    return "\n".join(lines) + "\n"


def _value(value: Any) -> str:
    if isinstance(value, str):
        return _string(value)
    if isinstance(value, tuple):
        items = [_string(item) for item in cast("tuple[str, ...]", value)]
        return "[" + ", ".join(items) + "]"
    return value.isoformat() if isinstance(value, date) else repr(value)


def _string(text: str) -> str:
    # A JSON string is a TOML basic string but for DEL, which TOML wants escaped.
    one_line = json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
    if "\n" not in text or "\r" in text:
        return one_line
    # A BibTeX entry stays readable over several lines; quotes stay escaped, so that none can end the string.
    return '"""\n' + one_line[1:-1].replace("\\\\", "\0").replace("\\n", "\n").replace("\0", "\\\\") + '"""'


def describe(place: tuple[str | int, ...]) -> str:
    """The description of a card's field, by its path; empty for a field that does not exist."""
    model: type[BaseModel] | None = Card
    text = ""
    for key in place:
        if isinstance(key, int):
            continue
        field = model.model_fields.get(key) if model else None
        if field is None:
            return ""
        text = field.description or ""
        model = {"llm": Llm, "real_data": RealData, "cost": Cost}.get(key)
    return text
