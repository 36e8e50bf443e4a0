"""Folders of the direct track, and their card ``direct.toml``: which model answered, and who asked it."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from clinsynth.core import UserError, write_text
from clinsynth.llm import Mode
from clinsynth.submissions import NAME_PATTERN, CardError, Line, Llm, read_toml, to_toml

CARD_FILE = "direct.toml"


def is_direct(folder: Path) -> bool:
    """Whether a folder belongs to the direct track."""
    return (folder / CARD_FILE).is_file()


def direct_folders(places: Iterable[Path]) -> list[Path]:
    """Folders of the direct track among ``places``: each is one, or holds some, or none."""
    folders: list[Path] = []
    for place in places:
        inside = sorted(path for path in place.glob("*") if is_direct(path)) if place.is_dir() else []
        folders += [place] if is_direct(place) else inside
    return [folder.absolute() for folder in dict.fromkeys(folders)]


class DirectCard(BaseModel):
    """``direct.toml``: written by ``clinsynth direct``; title, authors and disclosures are yours to edit."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)

    name: Annotated[str, StringConstraints(pattern=NAME_PATTERN)]
    """The folder's name."""
    title: Line
    """The model as a table shows it."""
    authors: Annotated[tuple[Line, ...], Field(min_length=1)] = ("unknown",)
    """Who asked the model."""
    disclosures: tuple[Line, ...] = ()
    """Whatever a reviewer should know, one sentence each."""
    backend: Line
    """lm-eval's name of the kind of model."""
    mode: Mode
    """chat, or completion for a base model."""
    llm: Llm
    """The model."""


def write_card(folder: Path, card: DirectCard) -> None:
    """Write the card."""
    write_text(folder / CARD_FILE, to_toml(card))


def read_card(folder: Path) -> DirectCard:
    """The card of a folder. Raises ``UserError`` where there is none, or it is faulty or another folder's."""
    path = folder / CARD_FILE
    try:
        card = DirectCard.model_validate(read_toml(path))
    except CardError as error:
        if error.problem.reason == "no-card":
            raise UserError(f"no {CARD_FILE} in {folder}", remedy="clinsynth direct writes it") from error
        raise UserError(f"{path} is not TOML", found=error.problem.found) from error
    except ValidationError as error:
        first = error.errors()[0]
        raise UserError(
            f"{path} is faulty", found=f"{'.'.join(map(str, first['loc']))}: {first['msg']}"
        ) from error  # fmt: skip
    if card.name != folder.absolute().name:
        raise UserError(f"{path} is another folder's", found=card.name, expected=folder.absolute().name)
    return card
