"""Several rows in one answer: requests that are the same but for their draw become one request for so many objects.

ClinGen's released code takes several sentences from one answer in the same way. What is told of a row alone, as a topic
or a style, makes requests differ, and then each is sent as it is.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, cast

from clinsynth.generation.baseline import Tools
from clinsynth.llm import LLM, Answer, Mode, Prompt

KEY = "rows"
ROOM = 128
"""Tokens that an answer may have for each row beyond the first, which has the prompt's own room."""


def several(tools: Tools) -> Tools:
    """The tools, with a model that is asked for as many rows at once as ``--rows-per-request`` says."""
    number = tools.asking.rows_per_request
    if number == 1 or tools.llm.mode == "completion":
        return tools
    tools.tally.notes["rows per request"] = str(number)
    return replace(tools, model=Several(tools.llm, number))


@dataclass(slots=True)
class _Group:
    """Places, in a round, of prompts that one request answers."""

    first: Prompt
    places: list[int]


class Several:
    """A model behind which equal prompts are put together, up to ``number``, and their answers taken apart again."""

    def __init__(self, llm: LLM, number: int) -> None:
        self._llm = llm
        self._number = number
        self.mode: Mode = llm.mode
        self.model = llm.model

    def ask(self, prompts: Sequence[Prompt]) -> Iterator[Answer]:
        """As ``LLM.ask``: an answer for each prompt, in their order."""
        groups: list[_Group] = []
        open_group: dict[tuple[str, str], _Group] = {}
        for place, prompt in enumerate(prompts):
            key = prompt.system, prompt.text
            group = open_group.get(key)
            if prompt.schema is None or group is None or len(group.places) == self._number:
                group = _Group(prompt, [])
                groups.append(group)
                if prompt.schema is not None:
                    open_group[key] = group
            group.places.append(place)
        # Groups begin in the order of their first prompts, so an answer is there when its prompt's turn comes.
        answers = self._llm.ask([_together(group.first, len(group.places)) for group in groups])
        waiting, ready = iter(groups), dict[int, Answer]()
        for place in range(len(prompts)):
            while place not in ready:
                group = next(waiting)
                ready |= zip(group.places, _apart(next(answers), len(group.places)), strict=True)
            yield ready.pop(place)


def _together(prompt: Prompt, number: int) -> Prompt:
    """The request for so many objects. What is the same for one row and for many stands in front."""
    if number == 1 or prompt.schema is None:
        return prompt
    schema: dict[str, Any] = {
        "type": "object",
        "properties": {
            KEY: {"type": "array", "items": prompt.schema, "minItems": number, "maxItems": number}
        },
        "required": [KEY], "additionalProperties": False,
    }  # fmt: skip
    said = (
        f"\nDo this {number} times, each time about something else and in another way. Put the {number} objects into "
        f'one list: {{"{KEY}": [...]}}'
    )
    return replace(prompt, text=prompt.text + said, schema=schema, max_tokens=prompt.max_tokens + ROOM * (number - 1))


def _apart(answer: Answer, number: int) -> list[Answer]:
    """An answer for each object. What is missing fails as a whole answer would: cut short, or no JSON."""
    if number == 1 or answer.finish in ("failed", "filtered"):
        return [answer] * number
    parts = [replace(answer, text=json.dumps(item, ensure_ascii=False), finish="stop") for item in _objects(answer)]
    rest = replace(answer, text="")
    return (parts + [rest] * number)[:number]


def _objects(answer: Answer) -> list[dict[str, Any]]:
    """Every whole object of the list, also of one that was cut."""
    text, found = answer.text, list[dict[str, Any]]()
    decoder = json.JSONDecoder()
    place = text.find("{", text.find("[") + 1) if "[" in text else -1
    while place >= 0:
        try:
            value, end = decoder.raw_decode(text, place)
        except (ValueError, RecursionError):
            break
        found.append(cast("dict[str, Any]", value))
        place = text.find("{", end)
    return found
