"""The first view and what leads from it: the answer in words, the matrix of tasks, rows to look at, the one script."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from tests.chromium import axe, browser, watched
from tests.invented_snapshot import REFERENCES, write

from clinsynth.leaderboard.app import Board
from clinsynth.site import Home, Links, body, build_site, script, site_css, social_card, svg
from clinsynth.site.frame import home_of
from clinsynth.site.html import EARLY
from clinsynth.snapshot import Snapshot, Tables
from clinsynth.snapshot.excerpts import OPEN, example_rows
from clinsynth.standings.collection import collect
from clinsynth.views import Answer, Facet, Figure, Page, Point, Rule, Series, Table, page, shown
from clinsynth.views.front import DRAWN, parameters

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def snapshot(tmp_path_factory: pytest.TempPathFactory) -> Snapshot:
    return write(tmp_path_factory.mktemp("board") / "s", 7, conditions=1)


def changed(snapshot: Snapshot, **by_name: Any) -> Snapshot:
    return Snapshot(snapshot.manifest, replace(snapshot.tables, **by_name))


def answer(snapshot: Snapshot) -> dict[str, str]:
    (found,) = (block for block in page(snapshot, "overall", {}).blocks if isinstance(block, Answer))
    return {question: f"{short} {more}" for question, short, more in found.items}


def board(made: Page) -> Table:
    return next(table for table in made.tables if table.key == "board")


def test_ties_are_no_order(snapshot: Snapshot) -> None:
    best = answer(snapshot)["Which is best?"]
    assert best.startswith("No difference is shown between the first 3.")
    assert snapshot.tables.overall[0].submission in best


def test_one_that_is_shown_to_be_better(snapshot: Snapshot) -> None:
    rows = list(snapshot.tables.overall)
    rows[0] = rows[0].model_copy(
        update={"group": 1, "mean": 0.7, "low": 0.68, "high": 0.72, "leader": rows[1].submission,
                "leader_difference": 0.05, "leader_low": 0.02, "leader_high": 0.08}
    )  # fmt: skip
    rows[1:] = [row.model_copy(update={"group": 2}) if row.group == 1 else row for row in rows[1:]]
    best = answer(changed(snapshot, overall=tuple(rows)))["Which is best?"]
    name, second = rows[0].submission, rows[1].submission
    assert best == f"{name}, with 70.0 (68.0–72.0). It is 5.0 points (2.0 to 8.0) ahead of {second}."


def test_nothing_ranked_is_said(snapshot: Snapshot) -> None:
    rows = tuple(
        row if row.place == "reference"
        else row.model_copy(update={"place": "unranked", "group": None, "reasons": ("not audited",)})
        for row in snapshot.tables.overall
    )  # fmt: skip
    best = answer(changed(snapshot, overall=rows))["Which is best?"]
    assert "None can be ranked, for the reasons in the second table" in best
    bare = changed(snapshot, overall=tuple(row.model_copy(update={"mean": None}) for row in rows))
    assert answer(bare)["Which is best?"].startswith("Not known yet.")


@pytest.mark.parametrize(
    ("difference", "verdict", "words"),
    [(-0.03, "worse", "It is better. {} is 3.0 points (1.0 to 5.0) above as many real rows (gold-n)."),
     (0.03, "better", "No. {} is 3.0 points (1.0 to 5.0) below as many real rows (gold-n)."),
     (0.01, "tie", "No difference is shown. {} is 1.0 points")],
)  # fmt: skip
def test_beside_real_rows(snapshot: Snapshot, difference: float, verdict: str, words: str) -> None:
    first = snapshot.tables.overall[0].submission
    ends = sorted((0.01 if difference > 0 else -0.01, 0.05 if difference > 0 else -0.05))
    rows = tuple(
        row.model_copy(update={"leader": first, "leader_difference": difference, "leader_low": ends[0],
                               "leader_high": ends[1], "leader_verdict": verdict})
        if row.submission == "gold-n" else row
        for row in snapshot.tables.overall
    )  # fmt: skip
    assert answer(changed(snapshot, overall=rows))["Is it as good as real data?"].startswith(words.format(first))


def test_references_are_lines_and_every_row_is_drawn(snapshot: Snapshot) -> None:
    (figure,) = page(snapshot, "overall", {}).figures
    drawn = {point.label for series in figure.series for point in series.points}
    assert {rule.label.split()[0] for rule in figure.rules} == set(REFERENCES)
    missing = {row.submission for row in snapshot.tables.overall if row.mean is None}
    assert drawn == {row.submission for row in snapshot.tables.overall} - missing - set(REFERENCES)
    assert all(name in figure.description for name in missing)


def many(snapshot: Snapshot) -> Snapshot:
    row = next(row for row in snapshot.tables.overall if row.place == "ranked")
    return changed(
        snapshot, overall=tuple(row.model_copy(update={"submission": f"more-{k}"}) for k in range(DRAWN + 20))
    )


def test_of_many_rows_the_first_are_drawn_and_the_table_has_all(snapshot: Snapshot) -> None:
    more = many(snapshot)
    rows = more.tables.overall
    made = page(more, "overall", {})
    (figure,) = made.figures
    assert sum(len(series.points) for series in figure.series) == DRAWN
    assert f"The first {DRAWN} of {len(rows)}; the table has all." in figure.description
    assert len(board(made).rows) == len(rows)
    html = body(made, Links(to=lambda view, _: view))
    assert all(f">{row.submission}</a>" in html for row in rows)
    first = body(made, Links(to=lambda view, _: view, whole=lambda of: f"whole/{of.view}?rows=300"))
    assert [row.submission for row in rows if f">{row.submission}</a>" in first] == [f"more-{k}" for k in range(EARLY)]
    assert f'data-rows="{len(rows)}" data-whole="whole/overall?rows=300"' in first


def test_the_matrix_has_every_score_and_its_gap(snapshot: Snapshot) -> None:
    table = board(page(snapshot, "overall", {}))
    tasks = snapshot.tables.conditions[0].tasks
    keys = [column.key for column in table.columns]
    assert set(tasks) < set(keys)
    assert "mean_relation_extraction" in keys
    scores = {(row.submission, row.task): row for row in snapshot.tables.scores}
    for _, row in table.rows:
        for task in tasks:
            cell, score = row[keys.index(task)], scores.get((row[1].text, task))
            assert (cell.value is None) == (score is None)
            if score is not None and score.gap is not None:
                assert cell.small == f"{100 * score.gap:.0f} %"
                assert cell.shade == pytest.approx(min(1, max(0, score.gap)))


def test_without_all_real_rows_the_colour_is_marked(snapshot: Snapshot) -> None:
    scores = tuple(
        row.model_copy(update={"gap": None, "gap_reason": f"no run of gold-full on {row.task}"})
        if row.task == "gad"
        else row
        for row in snapshot.tables.scores
    )
    floors = tuple(_summary(task) for task in snapshot.tables.conditions[0].tasks)
    table = board(page(changed(snapshot, scores=scores, summaries=floors), "overall", {}))
    at = [column.key for column in table.columns].index("gad")
    assert all(row[at].small.endswith("%*") for _, row in table.rows)
    real = next(row for _, row in table.rows if row[1].text == "gold-n")
    assert real[at].small == "100 %*"
    assert any(note.startswith("*") for note in table.notes)


def _summary(task: str) -> Any:
    from clinsynth.snapshot import SummaryRow

    return SummaryRow(data="real", recipe="minilm-l6.v1", rows=300, task=task, leader="", units=100, detectable=None,
                      floor=0.1, constant="always no", ceiling="", real_rows=(300,), unavailable="")  # fmt: skip


def test_facets_are_of_the_rows_that_differ(snapshot: Snapshot) -> None:
    table = board(page(snapshot, "overall", {}))
    assert all(len(facet.values) == len(table.rows) for facet in table.facets)
    assert all(len(set(facet.values) - {""}) > 1 for facet in table.facets)
    for facet in table.facets:
        for value, (_, row) in zip(facet.values, table.rows, strict=True):
            assert (value == "") == (row[1].text in REFERENCES)


@pytest.mark.parametrize(
    ("name", "stated", "size"),
    [("Qwen2.5-Coder-1.5B-Instruct", None, 1.5), ("gemma-3-270m", None, 0.27), ("gpt-4o", None, None),
     ("llama-3.3-70b", 65.0, 65.0), ("mixtral-8x7B", None, None)],
)  # fmt: skip
def test_the_size_is_stated_or_in_the_name(
    snapshot: Snapshot, name: str, stated: float | None, size: float | None
) -> None:
    card = snapshot.tables.submissions[0].model_copy(update={"llm": name, "llm_parameters": stated})
    found = parameters(card)
    assert found is None if size is None else found == pytest.approx(size)


def test_menus_leave_out_what_is_empty(snapshot: Snapshot) -> None:
    assert "curves" not in shown(snapshot)  # one budget is no curve
    bare = changed(snapshot, costs=(), direct=(), suites=(), grades=())
    assert {"cost", "direct"}.isdisjoint(shown(bare))
    assert shown(Snapshot(snapshot.manifest, Tables())) == ("overall", "method", "submit")


@pytest.mark.parametrize("kind", ["forest", "lines", "points"])
def test_no_name_is_cut_off(kind: Any) -> None:
    name = "note-rewriting-llama-3.3-70b-instruct-two-step-with-filter-and-more"
    points = tuple(Point(k + 1, k, k + 0.5, k + 2, name) for k in range(3))
    figure = Figure("x", "X", kind, (Series(name, points, line=kind == "lines"),), "x", rules=(Rule(2, "gold-n 2.0"),))
    for drawing in re.findall(r"<svg.*?</svg>", svg(figure), re.DOTALL):
        width = int(re.findall(r'width="(\d+)"', drawing)[0])
        texts = re.findall(r'<text[^>]*x="([\d.-]+)"[^>]*text-anchor="(\w+)"[^>]*>([^<]*)</text>', drawing)
        assert name in "".join(words for _, _, words in texts)
        for x, anchor, words in texts:
            room = 6.2 * len(words)  # a letter of 12 to 13 px is seldom wider
            start = float(x) - room * {"start": 0, "middle": 0.5, "end": 1}[anchor]
            assert start >= -6, words
            assert start + room <= width + 6, words


def test_rows_are_shown_where_everything_allows_it() -> None:
    found = collect([ROOT / "submissions"], "real")
    from clinsynth.snapshot.data_records import Omitted, audit_rows

    rows = example_rows(found.stored, audit_rows(found.stored, Omitted()))
    kinds = {each.card.name: each.card.kind for each in found.stored}
    quoted = [row for row in rows if row.submission]
    assert {kinds[row.submission] for row in quoted} <= {"submission"}
    for name in {row.submission for row in quoted}:
        assert sum(row.submission == name for row in quoted) <= 10
    assert {row.task for row in rows if not row.submission} >= {"gad", "mqp", "mednli"}
    assert example_rows(found.stored, ()) == tuple(row for row in rows if not row.submission), "without an audit none"


@pytest.mark.parametrize(
    ("licence", "opens"),
    [("Apache-2.0", True), ("MIT", True), ("CC-BY-4.0", True), ("CC BY-SA 4.0", True), ("CC0-1.0", True),
     ("CC-BY-NC-4.0", False), ("CC-BY-ND-4.0", False), ("CC BY-NC-SA 4.0", False), ("all rights reserved", False),
     ("PhysioNet Credentialed 1.5", False)],
)  # fmt: skip
def test_open_licences(licence: str, opens: bool) -> None:
    assert bool(OPEN.search(licence)) is opens


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("board-site")
    home = Home("https://board.example.org/x", "https://example.org/code", contact="who@example.org")
    build_site(write(root / "s", 5, conditions=1), root / "out", home=home)
    return root / "out"


def test_a_link_has_a_card(site: Path, snapshot: Snapshot) -> None:
    text = (site / "index.html").read_text("utf-8")
    assert '<meta property="og:image" content="https://board.example.org/x/card.png">' in text
    assert "Gradio" not in text
    assert 'href="mailto:who@example.org"' in text
    assert 'href="https://example.org/code"' in text
    pytest.importorskip("PIL", reason="Pillow is not installed")
    assert (site / "card.png").read_bytes().startswith(b"\x89PNG")
    assert social_card(snapshot, page(snapshot, "overall", {})) is not None


def test_a_home_that_is_not_known_is_not_shown() -> None:
    assert Home().links == ()
    assert Home().at("card.png") == "card.png"
    assert home_of(contact="https://example.org/issues").links[-1] == ("Contact", "https://example.org/issues")


def test_two_methods_have_a_page(site: Path) -> None:
    made = {path.name for path in (site / "compare").glob("*.html")}
    assert "minilm-l6.v1_300_gold-n_gold-few.html" in made
    assert "minilm-l6.v1_300_gold-few_gold-n.html" in made
    text = (site / "compare" / "minilm-l6.v1_300_gold-n_gold-few.html").read_text("utf-8")
    assert "gold-few against gold-n" in text
    assert 'id="plot-compare-gold-few"' in text


def test_a_submission_leads_on(site: Path) -> None:
    path = next((site / "submission").glob("attribute-prompts_*.html"))
    text = path.read_text("utf-8")
    assert "../tasks/minilm-l6.v1_300_gad.html" in text
    assert "../compare/" in text
    assert "○ far off" in text
    assert "&lt;i&gt;written&lt;/i&gt;" in text


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    with browser() as started:
        yield started


@pytest.fixture(scope="module")
def tab(site: Path, chromium: Any) -> Iterator[Any]:
    context = chromium.new_context(viewport={"width": 1440, "height": 900})
    opened = context.new_page()
    said, strange = watched(opened, site.parent.as_uri(), "http://board/")
    yield opened
    assert (said, strange) == ([], [])
    context.close()


def names(tab: Any) -> list[str]:
    return tab.locator("#board tbody tr:not(.section):visible th[scope=row] a").all_inner_texts()


def test_sort_search_choose_and_share(site: Path, tab: Any) -> None:
    tab.goto((site / "index.html").as_uri())
    every = names(tab)
    tab.get_by_role("button", name="Sort by hoc").click()
    shown_scores = "rows => rows.map(r => r.cells[3].firstChild.textContent)"
    rows = tab.locator("#board tbody").first.locator("tr:not(.section)")
    values = [float(value) for value in rows.evaluate_all(shown_scores)]
    assert values == sorted(values, reverse=True)
    tab.locator("#board").get_by_role("searchbox").fill("gold")
    assert set(names(tab)) == {"gold-few", "gold-n", "gold-full"}
    address = tab.evaluate("location.href")
    assert "board.find=gold" in address
    assert "board.sort=hoc" in address
    other = tab.context.new_page()
    other.goto(address)
    assert names(other) == names(tab)
    other.close()
    tab.get_by_role("button", name="Show all").click()
    assert sorted(names(tab)) == sorted(every)
    tab.locator("#board").get_by_role("button", name="Filter").click()
    tab.locator("#board").get_by_role("button", name="relation extraction").click()
    assert tab.locator("#board thead th[data-k=hoc]").is_hidden()
    assert tab.locator("#board thead th[data-k=gad]").is_visible()
    assert axe(tab) == []


@pytest.mark.parametrize("asked", ["", "#board.find=more-51"])
def test_the_rest_of_a_long_table_comes_by_itself(tab: Any, snapshot: Snapshot, asked: str) -> None:
    shown_by_app = Served(many(snapshot))
    tab.route("http://board/**", shown_by_app.answer)
    tab.goto("about:blank")
    tab.goto(f"http://board/{asked}")
    tab.locator("#board a", has_text="more-51").wait_for()
    assert shown_by_app.asked == ["/whole/overall"]
    board = tab.locator("#board")
    board.get_by_role("searchbox").fill("more-5")
    assert names(tab) == [f"more-{k}" for k in (5, *range(50, 60))]
    tab.locator("#cite summary").click()
    assert tab.locator("pre[data-latex=board]").inner_text().count("more-") == 11
    board.get_by_role("button", name="Show all").click()
    assert len(names(tab)) == DRAWN + 20
    assert tab.locator("pre[data-latex=board]").inner_text().count("more-") == DRAWN + 20
    tab.unroute("http://board/**")


def test_rows_that_do_not_come_are_said(chromium: Any, snapshot: Snapshot) -> None:
    without = chromium.new_page()
    served = Served(many(snapshot), lost=True)
    without.route("http://board/**", served.answer)
    without.goto("http://board/")
    without.locator("#board").get_by_text("the others could not be loaded").wait_for()
    without.locator("#board").get_by_role("searchbox").fill("more-2")
    assert names(without) == [f"more-{k}" for k in (2, 20, 21, 22, 23, 24)]
    assert "of the first 25" in without.locator("#board .count").inner_text()
    without.close()


class Served:
    """The app's pages without gradio around them."""

    def __init__(self, snapshot: Snapshot, *, lost: bool = False) -> None:
        self.board, self.lost = Board(snapshot), lost
        self.asked: list[str] = []

    def answer(self, route: Any) -> None:
        path = urlsplit(str(route.request.url)).path
        if path == "/":
            html = self.board.show("overall", {})[1]
            head = f"<title>Board</title><style>{site_css()}</style><script>{script()}</script>"
            route.fulfill(content_type="text/html", body=f"<!doctype html><html lang=en><head>{head}</head>{html}")
        elif path == "/whole/overall" and not self.lost:
            self.asked.append(path)
            route.fulfill(content_type="text/html", body=self.board.whole("overall", {}))
        else:
            route.fulfill(status=404)


def test_the_latex_is_of_what_is_seen(site: Path, tab: Any) -> None:
    tab.goto((site / "index.html").as_uri() + "#board.find=gold")
    tab.reload()
    tab.locator("#cite summary").click()
    text = tab.locator("pre[data-latex=board]").inner_text()
    assert "gold-few" in text
    assert "constant" not in text
    assert "\\toprule" in text
    assert re.search(r"clinsynth snapshot [0-9a-f]{12}", text)


def test_facets_of_a_table_are_in_its_rows(site: Path) -> None:
    text = (site / "index.html").read_text("utf-8")
    labels = re.findall(r'data-facets="([^"]+)"', text)[0].split("|")
    for values in re.findall(r'<tr data-f="([^"]*)"', text):
        assert len(values.split("|")) == len(labels)
    assert Facet("x", "X", ()).values == ()
