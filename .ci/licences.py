"""The licences of what clinsynth needs to run, as a table; fails on the GPL and the AGPL among them.

    python .ci/licences.py build/supply-chain/licences.json

Reads what pip-licenses wrote of the environment; what only tests and development need is in the table, and may be of
any licence. The table is written beside the file.
"""

from __future__ import annotations

import json
import re
import sys
from importlib.metadata import PackageNotFoundError, requires
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

EXTRAS = ("", "llm", "local", "direct", "tune", "knowledge", "app", "spreadsheets", "ray")
"""What a user installs."""
REFUSED = re.compile(r"(?<![L-])(?:A?GPL)|GNU (?:Affero )?General Public", re.IGNORECASE)
"""Not the LGPL, which lets others use a library."""


def runtime() -> set[str]:
    """Names of the packages that clinsynth and its extras need."""
    known: set[tuple[str, str]] = set()
    todo = [("clinsynth", extra) for extra in EXTRAS]
    while todo:
        name, extra = todo.pop()
        if (name, extra) in known:
            continue
        known.add((name, extra))
        try:
            needed = [Requirement(each) for each in requires(name) or ()]
        except PackageNotFoundError:
            continue
        for each in needed:
            if each.marker is None or each.marker.evaluate({"extra": extra}):
                todo += [(canonicalize_name(each.name), one) for one in ("", *each.extras)]
    return {name for name, _ in known}


def refused(licence: str) -> bool:
    """Whether no choice that the licence gives is without the GPL."""
    return all(REFUSED.search(choice) for choice in re.split(r"\bOR\b|;", licence))


def main(path: Path) -> int:
    """Write the table; 1 if a licence is refused."""
    needed = runtime() - {"clinsynth"}
    lines = ["| package | version | licence | needed to run |", "|:--|:--|:--|:--|"]
    bad: list[str] = []
    seen: set[str] = set()
    for each in json.loads(path.read_text("utf-8")):
        name = canonicalize_name(each["Name"])
        seen.add(name)
        runs = name in needed
        lines.append(f"| {each['Name']} | {each['Version']} | {each['License']} | {'yes' if runs else ''} |")
        if runs and refused(each["License"]):
            bad.append(f"{each['Name']}: {each['License']}")
    path.with_suffix(".md").write_text("\n".join(lines) + "\n", "utf-8")
    sys.stdout.write(
        f"{len(seen & needed)} packages are needed to run, {len(seen - needed)} for tests and development\n"
    )
    sys.stderr.writelines(f"refused licence: {line}\n" for line in bad)
    return int(bool(bad))


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
