"""Build the documentation as pages that can be searched without a network, by Zensical; warnings are errors.

python docs/site.py                                      # build/docs
python docs/site.py --out DIR --repository https://...   # links to files of the source lead there

The pages are the Markdown of docs/ as it lies in the repository, with README.md as the first one. Links that leave
docs/ lead to the repository where its address is given, and are plain text where it is not.
"""

from __future__ import annotations

import argparse
import re
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
DOCS = ROOT / "docs"
NAV: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("Use it", ("evaluate", "api", "submitting", "generating", "llm-baselines", "knowledge", "notes", "private-data")),
    (
        "What it measures",
        ("results", "protocol", "tasks", "recipes", "statistics", "quality", "audits", "direct", "suites"),
    ),
    ("Show it", ("leaderboard",)),
    ("Extend it", ("adding-a-task", "adding-a-baseline", "design", "scale", "reliability")),
)
"""Every page but the first, by what a reader wants."""
_LINK = re.compile(r"(!?)\[((?:[^\]\[]|\[[^\]]*\])*)\]\(([^)\s]+)\)")
PICTURES = (".svg", ".png")
_CODE = re.compile(r"(^```.*?^```$|`[^`\n]*`)", re.DOTALL | re.MULTILINE)


def main() -> int:
    """Build; the exit status is that of Zensical."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=ROOT / "build" / "docs", metavar="DIR")
    parser.add_argument("--repository", default="", metavar="URL")
    arguments = parser.parse_args()
    work = ROOT / "build" / "docs-source"
    prepare(work, arguments.repository)
    (work / "zensical.toml").write_text(config(arguments.repository), encoding="utf-8")
    tool = Path(sys.executable).with_name("zensical")
    if not tool.exists():
        sys.stderr.write("zensical is not installed: make docs\n")
        return 2
    status = subprocess.run([tool, "build", "--strict", "--clean"], cwd=work, check=False).returncode  # noqa: S603 - ours
    if status == 0:
        _alone(work / "site")
        shutil.rmtree(arguments.out, ignore_errors=True)
        shutil.copytree(work / "site", arguments.out)
        sys.stdout.write(f"{arguments.out}/index.html\n")
    return status


_SHIM = re.compile(r'<script src="https://unpkg\.com/iframe-worker/shim"[^>]*></script>')
_ELSEWHERE = re.compile(r'<(?:script|link|img|iframe)[^>]*\s(?:src|href)="https?://[^"]*"[^>]*>')


def _alone(site: Path) -> None:
    """Have the pages ask nobody: what lets them be searched from a disk lies beside them. Raises ``SystemExit``."""
    shutil.copy(DOCS / "search-from-disk.js", site / "assets")
    for path in site.rglob("*.html"):
        up = "../" * (len(path.relative_to(site).parts) - 1)
        text = _SHIM.sub(f'<script src="{up}assets/search-from-disk.js"></script>', path.read_text("utf-8"))
        if found := [each for each in _ELSEWHERE.findall(text) if 'rel="canonical"' not in each]:
            raise SystemExit(f"{path.name} would load from elsewhere: {found[0]}")
        path.write_text(text, encoding="utf-8")


def prepare(work: Path, repository: str) -> None:
    """Copy the pages, with links that hold where they will lie. Raises ``SystemExit`` for a page that no menu has."""
    shutil.rmtree(work, ignore_errors=True)
    pages = work / "docs"
    pages.mkdir(parents=True)
    listed = {f"{name}.md" for _, names in NAV for name in names}
    found = {path.name for path in DOCS.glob("*.md")}
    if listed != found:
        raise SystemExit(f"pages and menu differ: {', '.join(sorted(listed ^ found))}")
    for name in found:
        text = (DOCS / name).read_text("utf-8")
        (pages / name).write_text(relinked(text, DOCS, repository), encoding="utf-8")
    first = relinked((ROOT / "README.md").read_text("utf-8"), ROOT, repository)
    (pages / "index.md").write_text(first, encoding="utf-8")
    for path in (each for each in DOCS.rglob("*") if each.suffix in PICTURES):
        target = pages / path.relative_to(DOCS)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, target)


def relinked(text: str, folder: Path, repository: str) -> str:
    """A page's text for the site; what is code stays as it is.

    Args:
        text: of the page.
        folder: where it lies, which its links start from.
        repository: address of the source; empty: links to it become plain words.
    """

    def link(found: re.Match[str]) -> str:
        picture, words, address = found.groups()
        if re.match(r"[a-z]+:|#", address):
            return found.group()
        path, mark, anchor = address.partition("#")
        target = (folder / path).resolve()
        if target.parent == DOCS and target.suffix == ".md":
            return f"[{words}]({target.name}{mark}{anchor})"
        if target.is_relative_to(DOCS) and target.suffix in PICTURES:
            return f"{picture}[{words}]({target.relative_to(DOCS).as_posix()})"
        if not repository:
            return words
        kind = "tree" if target.is_dir() else "blob"
        return f"[{words}]({repository.rstrip('/')}/{kind}/main/{target.relative_to(ROOT).as_posix()})"

    parts = _CODE.split(text)
    # Code is every second part; a link may have code for its words, so those are put back first.
    kept = [part if k % 2 == 0 else f"\0{k}\0" for k, part in enumerate(parts)]
    joined = _LINK.sub(link, "".join(kept))
    return re.sub(r"\0(\d+)\0", lambda found: parts[int(found.group(1))], joined)


def config(repository: str) -> str:
    """Zensical's settings: nothing from elsewhere, search, light and dark as the reader's system says."""
    groups = ",\n".join(
        f'  {{ "{title}" = [{", ".join(f"{chr(34)}{name}.md{chr(34)}" for name in names)}] }}' for title, names in NAV
    )
    source = f'repo_url = "{repository}"\n' if repository else ""
    return f"""[project]
site_name = "clinsynth"
site_description = "How good is synthetic clinical training data?"
docs_dir = "docs"
site_dir = "site"
use_directory_urls = false
{source}nav = [
  {{ "clinsynth" = "index.md" }},
{groups},
]

[project.theme]
language = "en"
font = false
features = ["navigation.sections", "navigation.top", "content.code.copy", "search.highlight", "toc.follow"]

[[project.theme.palette]]
media = "(prefers-color-scheme: light)"
scheme = "default"

[[project.theme.palette]]
media = "(prefers-color-scheme: dark)"
scheme = "slate"

[project.plugins.search]

[project.plugins.offline]
"""


if __name__ == "__main__":
    sys.exit(main())
