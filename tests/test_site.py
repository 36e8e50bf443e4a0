"""The static site: whole, self-contained, accessible, and readable without scripts in light, dark and on a phone."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from tests.chromium import axe, browser, watched
from tests.invented_snapshot import tables, write

from clinsynth.cli import main
from clinsynth.core.errors import UserError
from clinsynth.site import build_site
from clinsynth.site.html import Links, body
from clinsynth.site.theme import DARK, LIGHT
from clinsynth.snapshot import Snapshot
from clinsynth.views import VIEWS, page
from clinsynth.views.model import Page, Query

VOID = {"meta", "link", "br", "img", "hr", "input", "wbr"}


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("site")
    build_site(write(root / "snapshot", 5), root / "out")
    return root / "out"


class Checker(HTMLParser):
    """Balanced tags, unique ids, and the addresses that are linked."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.ids: list[str] = []
        self.links: list[str] = []
        self.scripts: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        self.ids += [given["id"] or ""] if "id" in given else []
        self.links += [given[key] or "" for key in ("href", "src") if key in given]
        if tag == "script" or any(key.startswith("on") for key in given):
            self.scripts.append(given.get("src") or "inline")
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.links += [value or "" for key, value in attrs if key in ("href", "src")]

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag, f"</{tag}> closes another"


def test_every_page_is_well_formed_and_every_link_leads_somewhere(site: Path) -> None:
    pages = sorted(site.rglob("*.html"))
    assert len(pages) > 50
    for path in pages:
        checker = Checker()
        checker.feed(path.read_text("utf-8"))
        assert checker.open == [], path
        assert len(set(checker.ids)) == len(checker.ids), path
        assert all(each.endswith("board.js") for each in checker.scripts), path
        for link in checker.links:
            if link.startswith(("http", "#", "data:")):
                continue
            assert (path.parent / link).is_file(), f"{path}: {link}"


def test_every_view_has_a_page_that_all_pages_link(site: Path) -> None:
    for view in VIEWS:
        assert list((site / view).glob("*.html")), view
    index = (site / "index.html").read_text("utf-8")
    assert all(f'href="{view}/' in index for view in VIEWS)


def test_nothing_comes_from_elsewhere(site: Path) -> None:
    style = (site / "style.css").read_text("utf-8")
    assert not re.search(r"@import|url\(|https?:", style)
    for path in site.rglob("*.html"):
        loaded = re.findall(r'<(?:link|img|script|iframe|source)[^>]*(?:href|src)="([^"]+)"', path.read_text("utf-8"))
        assert all(not address.startswith("http") for address in loaded), path


def test_what_strangers_write_is_escaped(site: Path) -> None:
    text = next((site / "submission").glob("attribute-prompts_*.html")).read_text("utf-8")
    assert "<b>of</b>" not in text
    assert "&lt;b&gt;of&lt;/b&gt;" in text


def test_no_row_is_missing_and_reasons_are_shown(site: Path) -> None:
    text = (site / "index.html").read_text("utf-8")
    for card in tables(5).submissions:
        assert f">{card.submission}</a>" in text
    assert "3 of 5 seeds on hoc" in text
    assert "broken-card" in text


def luminance(colour: str) -> float:
    parts = [int(colour[k : k + 2], 16) / 255 for k in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.03928 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize("colours", [LIGHT, DARK], ids=["light", "dark"])
@pytest.mark.parametrize("ink", ["ink", "soft", "accent"])
@pytest.mark.parametrize("paper", ["paper", "hover"])
def test_text_stands_out(colours: dict[str, str], ink: str, paper: str) -> None:
    """WCAG 2.1 AA: 4.5 to 1."""
    light, dark = sorted((luminance(colours[ink]), luminance(colours[paper])), reverse=True)
    assert (light + 0.05) / (dark + 0.05) >= 4.5


def test_a_second_build_replaces_the_first_and_a_strange_folder_is_left_alone(tmp_path: Path) -> None:
    snapshot = write(tmp_path / "s", 2, conditions=1)
    build_site(snapshot, tmp_path / "out")
    (tmp_path / "out" / "overall" / "old.html").write_text("old")
    build_site(snapshot, tmp_path / "out")
    assert not (tmp_path / "out" / "overall" / "old.html").exists()
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.tex").write_text("x")
    with pytest.raises(UserError, match="not empty and no site"):
        build_site(snapshot, tmp_path / "mine")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["mine", "out", "s"]


def test_no_page_is_made_again_for_each_page_that_leads_to_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made: Counter[tuple[str, tuple[tuple[str, str], ...]]] = Counter()

    def counted(snapshot: Snapshot, view: str, query: Query) -> Page:
        made[view, tuple(query.items())] += 1
        return page(snapshot, view, query)

    monkeypatch.setattr("clinsynth.site.build.page", counted)
    pages = build_site(write(tmp_path / "s", 12), tmp_path / "out")
    # A view's first page is made to know its address too; and a query can ask for what is not there.
    assert max(made.values()) <= 3
    assert made.total() < 2.5 * pages


def test_a_column_without_any_number_is_named_below(tmp_path: Path) -> None:
    made = write(tmp_path / "s", 3)
    none = tuple(
        r.model_copy(update={"gap": None, "gap_reason": "no run of gold-full on hoc"}) for r in made.tables.overall
    )
    bare = tables(3)
    object.__setattr__(bare, "overall", none)
    text = body(page(Snapshot(made.manifest, bare), "overall", {}), Links(to=lambda view, _: view))
    assert "No number yet: " in text
    assert "Gap recovered, % (no run of gold-full on hoc)" in text
    assert 'data-k="gap_recovered"' not in text


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    with browser() as started:
        yield started


@pytest.mark.parametrize(("scheme", "width"), [("light", 1440), ("dark", 390)])
def test_axe_finds_nothing_serious(site: Path, chromium: Any, scheme: str, width: int) -> None:
    pytest.importorskip("axe_playwright_python", reason="axe-playwright-python is not installed")
    context = chromium.new_context(color_scheme=scheme, viewport={"width": width, "height": 900})
    tab = context.new_page()
    said, strange = watched(tab, site.parent.as_uri())
    for view in VIEWS:
        path = site / "index.html" if view == "overall" else sorted((site / view).glob("*.html"))[0]
        tab.goto(path.as_uri())
        assert axe(tab) == [], path
        # The page itself never scrolls sideways: tables do, in a box of their own.
        assert tab.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0, path
    assert (said, strange) == ([], [])
    context.close()


def test_it_works_without_scripts_and_by_keyboard(site: Path, chromium: Any) -> None:
    context = chromium.new_context(java_script_enabled=False)
    tab = context.new_page()
    tab.goto((site / "index.html").as_uri())
    tab.keyboard.press("Tab")
    tab.keyboard.press("Enter")
    assert tab.url.endswith("#main")
    tab.get_by_role("link", name="1,000", exact=True).click()
    assert "on 1,000 training rows" in tab.locator("h2").first.inner_text()
    tab.get_by_role("link", name="clingen-kg", exact=True).first.click()
    assert tab.locator("h1").inner_text() == "clingen-kg"
    assert "1,000 rows" in tab.locator("#scores-caption").inner_text()
    context.close()


def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(tmp_path / "s", 2, conditions=1)
    assert main(["site", "--snapshot", str(tmp_path / "s"), "--out", str(tmp_path / "site")]) == 0
    assert "index.html" in capsys.readouterr().out
    assert (tmp_path / "site" / "index.html").is_file()
