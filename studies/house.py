"""The counts of docs/design.md: how many modules and lines there are, and how often imports run back or in circles.

    python -m studies.house b27d051 HEAD

Reads commits from git and prints a Markdown table with a column for each.
"""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[1]
HARNESS = "benchmark/clinsynth"
SMALL = 60
"""Lines under which a module is small."""
AGREE = {
    "writers of CSV": r"csv\.(writer|DictWriter)\(",
    "renderers of Markdown tables": r'"\| " \+ " \| "\.join',
    "forms of a score times 100": r"^def _?(points|plain)\(value: float",
    "forms of a p-value": r"^def _p\(",
    "means over types written out": r"sum\(weights?( \*|\[)|mean\(self\.type_means",
    "ways to open a stranger's file": r"O_NOFOLLOW",
    "readers of records": r"\.model_validate_json\(",
    "models of a part of a record": r"^class (_?Stored|Part)\(BaseModel\)",
    "ways to write the time of a record": r'isoformat\(timespec="seconds"\)',
}
"""Places that must agree with one another, by what they have in common: the modules with such a pattern are counted."""


class Module(NamedTuple):
    """One file at a commit."""

    name: str
    """Dotted, below the harness."""
    text: str


def _git(*words: str) -> str:
    return subprocess.run(["git", *words], cwd=ROOT, capture_output=True, text=True, check=True).stdout  # noqa: S603, S607


def modules(commit: str) -> list[Module]:
    """The modules of the harness at a commit, doors and the windows on leaves left out."""
    paths = [
        path for path in _git("ls-tree", "-r", "--name-only", commit, HARNESS).splitlines() if path.endswith(".py")
    ]
    own = [path for path in paths if not path.endswith("__init__.py")]
    return [Module(_dotted(path), _git("show", f"{commit}:{path}")) for path in own]


def _dotted(path: str) -> str:
    return path.removeprefix(f"{HARNESS}/").removesuffix(".py").replace("/", ".")


def doors(commit: str) -> dict[str, dict[str, str]]:
    """By room, the module behind each name that its door offers."""
    found: dict[str, dict[str, str]] = defaultdict(dict)
    for path in _git("ls-tree", "-r", "--name-only", commit, HARNESS).splitlines():
        if Path(path).name not in ("__init__.pyi", "__init__.py"):
            continue
        room = _dotted(str(Path(path).parent))
        for node in ast.parse(_git("show", f"{commit}:{path}")).body:
            if isinstance(node, ast.ImportFrom) and node.module:
                module = f"{room}.{node.module}" if node.level else node.module.removeprefix("clinsynth.")
                found[room] |= {alias.asname or alias.name: module for alias in node.names}
    return found


def imports(found: list[Module], offered: Mapping[str, Mapping[str, str]]) -> Iterator[tuple[str, str, bool]]:
    """Importer, imported module, and whether that happens while the importer is loaded."""
    known = {module.name for module in found}
    for module in found:
        tree = ast.parse(module.text)
        top = {id(node) for node in tree.body}
        for node in ast.walk(tree):
            if not isinstance(node, ast.ImportFrom) or not (node.module or "").startswith("clinsynth."):
                continue
            source = (node.module or "").removeprefix("clinsynth.")
            for alias in node.names:
                inside = f"{source}.{alias.name}"
                target = source if source in known else inside if inside in known else None
                target = target or offered.get(source, {}).get(alias.name)
                if target in known and target != module.name:
                    yield module.name, target, id(node) in top


def circles(edges: set[tuple[str, str]]) -> int:
    """Groups of modules that need each other while they are loaded."""
    graph: dict[str, set[str]] = defaultdict(set)
    for a, b in edges:
        graph[a].add(b)

    def reach(start: str) -> set[str]:
        seen: set[str] = set()
        left = [start]
        while left:
            for other in graph[left.pop()] - seen:
                seen.add(other)
                left.append(other)
        return seen

    reached = {name: reach(name) for name in list(graph)}
    groups = {frozenset({name} | {o for o in own if name in reached.get(o, ())}) for name, own in reached.items()}
    return sum(len(group) > 1 for group in groups)


def counts(commit: str) -> dict[str, int]:
    """Every count at a commit."""
    found = modules(commit)
    edges = list(imports(found, doors(commit)))
    room = {module.name: module.name.split(".")[0] for module in found}
    between = Counter((room[a], room[b]) for a, b, _ in edges if room[a] != room[b])
    users: dict[str, set[str]] = defaultdict(set)
    for a, b, _ in edges:
        users[b].add(a)
    lines = {module.name: len(module.text.splitlines()) for module in found}
    return {
        "modules": len(found),
        "lines": sum(lines.values()),
        f"modules under {SMALL} lines": sum(n < SMALL for n in lines.values()),
        "those with one importer": sum(n < SMALL and len(users[name]) == 1 for name, n in lines.items()),
        "modules over 400 lines": sum(n > 400 for n in lines.values()),
        "imports between rooms that run back": sum(min(n, between[b, a]) for (a, b), n in between.items()) // 2,
        "circles of modules": circles({(a, b) for a, b, loading in edges if loading}),
        **{
            name: sum(re.search(pattern, module.text, re.MULTILINE) is not None for module in found)
            for name, pattern in AGREE.items()
        },
    }  # fmt: skip


def main() -> int:
    """Print the table."""
    commits = sys.argv[1:] or ["HEAD"]
    found = [counts(commit) for commit in commits]
    sys.stdout.write("| | " + " | ".join(commits) + " |\n|:--|" + "--:|" * len(commits) + "\n")
    for name in found[0]:
        sys.stdout.write(f"| {name} | " + " | ".join(f"{each[name]:,}" for each in found) + " |\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
