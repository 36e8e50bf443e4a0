"""Lists that a model makes, of topics and of writing styles: text files that a user can read and edit.

A list that is in its file is never asked for again. What the model writes is cleaned, not judged: bullets and numbers
go, repeats go, and so does what is too long to be an item.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import replace

from clinsynth.errors import UserError
from clinsynth.files import write_text
from clinsynth.generation.asking.forms import refuses
from clinsynth.generation.llm import Prompt
from clinsynth.generation.tools import Tools

WANTED = 300
"""Items that ClinGen's released prompt asks for; a reviewer of the paper read 100. A list never needs to be longer than
the number of rows that are made from it."""
CALLS = 8
"""Requests at once while a list is too short: a small model names few items at a time."""
PATIENCE = 4
"""Rounds of requests that a list may take, at most."""
_BULLET = re.compile(r"^\s*(?:[-*\u2022\u2013]|\(?\d{1,4}[.):])?\s*")
PAIR = " | "
"""Between the two names of a pair."""


def made_list(tools: Tools, name: str, prompt: Prompt, *, wanted: int, longest: int, pairs: bool = False) -> list[str]:
    """The items of the list ``name``: from its file in ``tools.lists``, else from the model, which writes the file.

    Args:
        tools: the model, the folder and the tally, which notes file, size and digest.
        name: the file's name without its ending.
        prompt: asks for items, one a line; it is repeated until there are enough or nothing new comes.
        wanted: items, at most.
        longest: characters of an item.
        pairs: items are two names with ``|`` between.

    Raises:
        UserError: neither the file nor the model gives an item.
    """
    path = tools.lists / f"{name}.txt" if tools.lists else None
    if path and path.exists():
        items = clean(path.read_text("utf-8"), longest=longest, pairs=pairs)
    else:
        items = _asked(tools, prompt, wanted, longest, pairs)
        if items and path:
            write_text(path, "".join(f"{item}\n" for item in items))
    if not items:
        raise UserError(
            f"no usable item for the list {name}",
            found=f"{path} has none" if path and path.exists() else f"{tools.llm.model} named none",
            expected="two names with | between on each line" if pairs else "one item a line",
            remedy=f"write {path} yourself" if path else "give a folder for lists and write the list there",
        )
    digest = hashlib.sha256("\n".join(items).encode()).hexdigest()
    tools.tally.notes[f"list {name}"] = f"{len(items)} items, sha256 {digest}"
    return items


def _asked(tools: Tools, prompt: Prompt, wanted: int, longest: int, pairs: bool) -> list[str]:
    items: dict[str, str] = {}
    repeat = 0
    for turn in range(PATIENCE):
        before = len(items)
        # A model that follows instructions is asked for the whole list at once, and for more only if it is short.
        calls = 1 if turn == 0 and tools.llm.mode == "chat" else min(CALLS, wanted - before)
        prompts = [replace(prompt, repeat=repeat + k) for k in range(calls)]
        repeat += calls
        for answer in tools.llm.ask(prompts):
            text = answer.text if answer.finish == "stop" else answer.text.rpartition("\n")[0]
            for item in clean(text, longest=longest, pairs=pairs):
                items.setdefault(item.casefold(), item)
        if len(items) >= wanted or len(items) == before:
            break
    return list(items.values())[:wanted]


def clean(text: str, *, longest: int, pairs: bool = False) -> list[str]:
    """The items of a text, one a line, each once; without bullets, numbers, quotes, prose and overlong lines."""
    items: dict[str, str] = {}
    for line in text.splitlines():
        item = " ".join(_BULLET.sub("", line, count=1).split()).strip("\"'`*.,; ")
        parts = [part.strip() for part in item.split(PAIR.strip())]
        if pairs and (len(parts) != 2 or parts[0].casefold() == parts[1].casefold()):
            continue
        if len(item) > longest or item.endswith(":") or refuses(item):
            continue
        if all(any(character.isalpha() for character in part) for part in parts):
            item = PAIR.join(parts)
            items.setdefault(item.casefold(), item)
    return list(items.values())
