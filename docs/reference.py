"""Write docs/api.md from the docstrings of the Python API.

python docs/reference.py            # write
python docs/reference.py --check    # change nothing; exit 1 if the page is out of date
"""

from __future__ import annotations

import argparse
import inspect
import re
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import clinsynth
import clinsynth.api
from clinsynth.evaluation import Report

PAGE = Path(__file__).with_name("api.md")
FUNCTIONS = ("evaluate", "get_tasks", "load", "generate", "score", "compare", "get_standings")
MEMBERS = ("lines", "to_html", "as_dict", "bands", "leaking", "rows", "items")
"""Of a report, beside its fields."""
_SECTION = re.compile(r"^(Args|Returns|Raises):$", re.MULTILINE)


def page() -> str:
    """The whole page."""
    parts = [
        "# Python API",
        "<!-- Written by docs/reference.py from the docstrings in benchmark/clinsynth/api.py: change those. -->",
        prose(inspect.getdoc(clinsynth.api) or ""),
        "How the parts work is said in [the protocol](protocol.md), [evaluate](evaluate.md) and "
        "[statistics](statistics.md). Notebooks that use it are in [examples](../examples).",
        *(function(name) for name in FUNCTIONS),
        report(),
    ]
    return "\n\n".join(parts) + "\n"


def function(name: str) -> str:
    """One function: how it is called, and its docstring."""
    found = getattr(clinsynth, name)
    signature = inspect.signature(found)
    arguments = [f"    {_argument(each)}," for each in signature.parameters.values()]
    keyword = next((k for k, p in enumerate(signature.parameters.values()) if p.kind is p.KEYWORD_ONLY), None)
    if keyword is not None and not any(p.kind is p.VAR_POSITIONAL for p in signature.parameters.values()):
        arguments.insert(keyword, "    *,")
    returns = str(signature.return_annotation).strip("'")
    call = "\n".join([f"clinsynth.{name}(", *arguments, f") -> {returns}"])
    return f"## {name}\n\n```python\n{call}\n```\n\n{prose(inspect.getdoc(found) or '')}"


def _argument(each: inspect.Parameter) -> str:
    stars = "*" if each.kind is each.VAR_POSITIONAL else ""
    default = "" if each.default is each.empty else f" = {each.default!r}"
    return f"{stars}{each.name}: {str(each.annotation).strip(chr(39))}{default}"


def report() -> str:
    """What an evaluation gives back."""
    rows = [f"- `{name}`: {text}" for name, text in _fields(Report)]
    rows += [f"- `{name}`: {_first(getattr(Report, name))}" for name in MEMBERS]
    return f"## Report\n\n{prose(inspect.getdoc(Report) or '')}\n\n" + "\n".join(rows)


def _first(member: Any) -> str:
    described = inspect.getdoc(member.fget if isinstance(member, property) else member) or ""
    return " ".join(described.split("\n\n")[0].split()).replace("``", "`")


def _fields(cls: type) -> Iterator[tuple[str, str]]:
    """Fields with the strings that stand below them in the source."""
    source = textwrap.dedent(inspect.getsource(cls))
    found = dict(re.findall(r"^    (\w+): [^\n=]+\n    \"\"\"(.*?)\"\"\"", source, re.MULTILINE | re.DOTALL))
    for name in getattr(cls, "__dataclass_fields__", {}):
        yield name, " ".join(found.get(name, "as its name says.").split()).replace("``", "`")


def prose(text: str) -> str:
    """A docstring as Markdown."""
    first, *rest = _SECTION.split(text)
    parts = [_plain(first)]
    for title, body in zip(rest[::2], rest[1::2], strict=True):
        lines = textwrap.dedent(body.strip("\n"))
        named = title in ("Args", "Raises")
        items = re.sub(r"^(\w+): ", r"- `\1`: ", lines, flags=re.MULTILINE) if named else lines
        parts.append(f"**{ {'Args': 'Arguments'}.get(title, title) }**\n\n{_plain(items)}")
    return "\n\n".join(parts)


def _plain(text: str) -> str:
    # Indented lines with an empty one between them are one piece of code.
    blocks = text.strip("\n").split("\n\n")
    for k in range(len(blocks) - 1, 0, -1):
        if blocks[k].startswith("    ") and blocks[k - 1].startswith("    "):
            blocks[k - 1 : k + 1] = [f"{blocks[k - 1]}\n\n{blocks[k]}"]
    shown = [
        f"```python\n{textwrap.dedent(block)}\n```" if block.startswith("    ") else block.replace("``", "`")
        for block in blocks
    ]
    return "\n\n".join(shown).strip()


def main() -> int:
    """Write, or check."""
    parser = argparse.ArgumentParser(description="Write docs/api.md from the docstrings of the Python API.")
    parser.add_argument("--check", action="store_true", help="change nothing; exit 1 if the page is out of date")
    check = parser.parse_args().check
    new = page()
    old = PAGE.read_text("utf-8") if PAGE.is_file() else ""
    if new != old:
        sys.stdout.write(f"{PAGE.name}: {'out of date: run python docs/reference.py' if check else 'written'}\n")
        if not check:
            PAGE.write_text(new, "utf-8")
    return int(check and new != old)


if __name__ == "__main__":
    sys.exit(main())
