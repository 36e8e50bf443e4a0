"""What is taken away can be read by those who take it: every view in every form."""

from __future__ import annotations

import csv
import io
import json
import re
from itertools import combinations, pairwise
from pathlib import Path
from typing import Any

import pytest
from tests.conftest import StoreRun, Submit, sample_rows
from tests.invented_snapshot import tables

from clinsynth.cli import main
from clinsynth.export import FORMATS, as_bibtex, as_csv, as_json, as_latex, as_markdown
from clinsynth.export.forms import escape
from clinsynth.export.interchange import croissant, records
from clinsynth.results import Cell
from clinsynth.site.svg_plots import log_ticks, spread, svg, ticks
from clinsynth.snapshot import Snapshot, write_snapshot
from clinsynth.submissions import Card, RealData, write_submission
from clinsynth.views import VIEWS, Figure, Point, Series, page
from clinsynth.views.model import interval, number, plain

TABLED = [view for view in VIEWS if view not in ("method", "submit")]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    write_snapshot(tmp_path_factory.mktemp("export") / "s", tables())
    return next(tmp_path_factory.getbasetemp().glob("export*")) / "s"


@pytest.fixture(scope="module")
def snapshot(folder: Path) -> Snapshot:
    from clinsynth.snapshot import read_snapshot

    return read_snapshot(folder)


@pytest.mark.parametrize("view", TABLED)
def test_csv_has_the_unrounded_values_of_the_table(snapshot: Snapshot, view: str) -> None:
    made = page(snapshot, view, {})
    rows = list(csv.DictReader(io.StringIO(as_csv(snapshot, made))))
    first = next(table for table in made.tables if table.rows)
    assert len(rows) == len(first.rows)
    for row, (_, cells) in zip(rows, first.rows, strict=True):
        for column, cell in zip(first.columns, cells, strict=True):
            text = row[column.key]
            if isinstance(cell.value, float):
                assert float(text) == cell.value
            elif cell.value is None:
                assert text == ""
            if column.interval and cell.low is not None:
                assert float(row[f"{column.key}_low"]) == cell.low


@pytest.mark.parametrize("view", VIEWS)
def test_json_says_which_snapshot_and_filters_it_is_of(snapshot: Snapshot, view: str) -> None:
    made = page(snapshot, view, {})
    value = json.loads(as_json(snapshot, made))
    assert value["snapshot"] == snapshot.manifest.id
    assert value["filters"] == made.query
    assert [len(table["rows"]) for table in value["tables"]] == [len(table.rows) for table in made.tables]


@pytest.mark.parametrize("view", VIEWS)
def test_markdown_tables_are_whole(snapshot: Snapshot, view: str) -> None:
    text = as_markdown(snapshot, page(snapshot, view, {}))
    for block in re.findall(r"(?:^\|.*\n)+", text, re.MULTILINE):
        widths = {len(re.findall(r"(?<!\\)\|", line)) for line in block.splitlines()}
        assert len(widths) == 1, block
    assert snapshot.manifest.short in text


def check_latex(text: str) -> None:
    """Strict where a compiler would be: environments, braces, columns of every row, characters, booktabs' order."""
    walker: Any = pytest.importorskip("pylatexenc.latexwalker", reason="pylatexenc is not installed")
    nodes, _, _ = walker.LatexWalker(text, tolerant_parsing=False).get_latex_nodes()
    assert nodes
    begun = re.findall(r"\\(begin|end)\{(\w+)\}", text)
    open_: list[str] = []
    for kind, name in begun:
        if kind == "begin":
            open_.append(name)
        else:
            assert open_.pop() == name
    assert not open_
    for tabular in re.findall(r"\\begin\{tabular\}(.*?)\\end\{tabular\}", text, re.DOTALL):
        width = len(re.sub(r"@\{\}|[{}\n].*", "", tabular.split("\n")[0].replace("@{}", "")[1:]))
        assert re.findall(r"\\(toprule|bottomrule)", tabular) == ["toprule", "bottomrule"]
        for line in tabular.split("\n")[1:]:
            if line.endswith("\\\\") and "multicolumn" not in line:
                assert len(re.findall(r"(?<!\\)&", line)) + 1 == width, line
    assert not re.findall(
        r"(?<!\\)[#%](?! Needs)", re.sub(r"\{%$", "", text, flags=re.MULTILINE).replace("% Needs", "")
    )
    assert all(ord(c) < 0x250 for c in text), sorted({c for c in text if ord(c) >= 0x250})


@pytest.mark.parametrize("view", TABLED)
def test_latex_is_well_formed(snapshot: Snapshot, view: str) -> None:
    text = as_latex(snapshot, page(snapshot, view, {}))
    check_latex(text)
    made = page(snapshot, view, {})
    assert text.count("\\begin{table}") == sum(bool(table.rows) for table in made.tables)
    assert text.count(f"clinsynth snapshot {snapshot.manifest.short}") == text.count("\\caption")


def test_latex_has_intervals_tie_marks_and_reasons(snapshot: Snapshot) -> None:
    text = as_latex(snapshot, page(snapshot, "overall", {}))
    assert "1$^{=}$" in text
    assert re.search(r"\d\d\.\d \{\\scriptsize \d\d\.\d--\d\d\.\d\}", text)
    assert "3 of 5 seeds on hoc" in text


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("50 % & more_", r"50 \% \& more\_"),
        ("a\\b", r"a\textbackslash{}b"),
        ("[x]", "{[}x{]}"),
        ("−1", "$-$1"),
        ("a\nb", "a b"),
    ],
)
def test_latex_escapes(text: str, expected: str) -> None:
    assert escape(text) == expected


def test_the_latex_check_can_fail(snapshot: Snapshot) -> None:
    text = as_latex(snapshot, page(snapshot, "types", {}))
    for broken in (text.replace("&", "", 1), text.replace("\\end{tabular}", "", 1), text.replace("\\%", "%", 1)):
        with pytest.raises(Exception):  # noqa: B017 - the parser's own, or an assertion
            check_latex(broken)


@pytest.mark.parametrize("view", TABLED)
def test_bibtex_entries_are_balanced_and_have_their_own_keys(snapshot: Snapshot, view: str) -> None:
    text = as_bibtex(snapshot, page(snapshot, view, {}))
    entries = re.split(r"\n\n(?=@)", re.sub(r"\A%.*\n\n", "", text))
    keys = [re.match(r"@\w+\{([^,]+),", entry) for entry in entries]
    assert all(keys)
    assert len({key.group(1) for key in keys if key}) == len(entries)
    assert all(entry.count("{") == entry.count("}") for entry in entries)


def test_bibtex_of_equal_keys_is_told_apart(snapshot: Snapshot) -> None:
    made = tables(2)
    same = tuple(
        row.model_copy(update={"bibtex": "@misc{x,\n title = {" + row.submission + "}\n}"}) for row in made.submissions
    )
    object.__setattr__(made, "submissions", same)
    text = as_bibtex(Snapshot(snapshot.manifest, made), page(snapshot, "overall", {}))
    assert "@misc{x," in text
    assert "@misc{xb," in text


def test_a_spreadsheet_runs_nothing(snapshot: Snapshot) -> None:
    made = tables(2)
    object.__setattr__(made, "left_out", (made.left_out[0].model_copy(update={"submission": "=cmd()"}),))
    text = as_csv(snapshot, page(Snapshot(snapshot.manifest, made), "overall", {}), "left_out")
    assert "'=cmd()" in text


@pytest.mark.parametrize(
    ("view", "kind"), [("tasks", "forest"), ("compare", "forest"), ("curves", "lines"), ("cost", "points")]
)
def test_plots_are_xml_and_show_every_point(snapshot: Snapshot, view: str, kind: str) -> None:
    from xml.etree import ElementTree

    (figure, *_) = page(snapshot, view, {}).figures
    assert figure.kind == kind
    root = ElementTree.fromstring(svg(figure, standalone=True))  # noqa: S314 - our own
    marks = [e for e in root.iter() if e.get("class") == "dot"]
    assert len(marks) == sum(len(series.points) for series in figure.series)
    assert root.find("{http://www.w3.org/2000/svg}title") is not None


def test_ticks_span_the_values() -> None:
    assert ticks(0.31, 0.79) == [0.3, 0.4, 0.5, 0.6, 0.7, 0.8]
    assert ticks(-3, 12) == [-5.0, 0.0, 5.0, 10.0, 15.0]
    assert log_ticks(90, 1100) == [50, 100, 200, 500, 1000, 2000]


def test_labels_are_spread_as_little_as_needed() -> None:
    assert spread([0, 100], 13) == [0, 100]
    assert spread([50, 50], 10) == [45, 55]
    placed = spread([1, 2, 3, 40, 41], 13)
    assert all(b - a >= 13 - 1e-9 for a, b in pairwise(placed))


def test_names_of_points_do_not_lie_on_one_another() -> None:
    named = ((0, 10.0, "a-name-that-reaches-far-to-the-right"), (30, 10.1, "another-long-name"), (100, 30, "b"))
    points = tuple(Point(x, y, label=name) for x, y, name in named)
    figure = Figure("names", "Names", "points", (Series("all", points, emphasis=True),), "rows")
    drawn = svg(figure, standalone=True)
    places = {
        name: (float(x), float(y))
        for x, y, name in re.findall(r'<text x="([\d.]+)" y="([\d.]+)"[^>]*>([a-z-]+)</text>', drawn)
    }
    assert places.keys() == {name for *_, name in named}
    letter = 6.0
    for (one, (x, y)), (other, (u, v)) in combinations(places.items(), 2):
        apart = x + letter * len(one) <= u or u + letter * len(other) <= x
        assert apart or abs(y - v) >= 14, (one, other)


@pytest.mark.parametrize(
    ("value", "sign", "shown"), [(-0.0004, "", "0.0"), (-0.0123, "+", "−1.2"), (0.5, "+", "+50.0"), (0.0, "+", "0.0")]
)
def test_numbers_have_a_true_minus_and_none_before_zero(value: float, sign: str, shown: str) -> None:
    assert plain(value, sign=sign) == shown


def test_intervals_and_unknown_numbers() -> None:
    assert interval(0.1, 0.2) == "10.0–20.0"
    assert interval(-0.1, 0.2) == "−10.0 to 20.0"
    assert interval(0.1, None) == "≥ 10.0"
    assert number(None).text == "–"
    assert number(None).value is None


def test_every_eval_ever_passes_its_own_validator(snapshot: Snapshot, tmp_path: Path) -> None:
    pytest.importorskip("every_eval_ever", reason="every-eval-ever is not installed (it wants Python 3.12)")
    from importlib import import_module

    validate: Any = import_module("every_eval_ever.validator.validate")
    count = 0
    for path, record in records(snapshot):
        target = tmp_path / path
        target.parent.mkdir(parents=True)
        target.write_text(json.dumps(record), "utf-8")
        count += 1
    assert count == len(snapshot.tables.overall)
    assert validate.main([str(tmp_path / "data" / "*" / "*" / "*" / "*.json")]) == 0


def test_eval_results_are_read_by_the_hub_s_own_reader(
    folder: Path, snapshot: Snapshot, capsys: pytest.CaptureFixture[str]
) -> None:
    hub: Any = pytest.importorskip("huggingface_hub", reason="huggingface_hub is not installed")
    yaml: Any = pytest.importorskip("yaml", reason="PyYAML is not installed")
    name = next(row.submission for row in snapshot.tables.submissions if row.llm)
    words = ["export", "--snapshot", str(folder), "--format", "eval-results", "--submission", name]
    assert main([*words, "--dataset", "owner/clinsynth", "--url", "https://example.org/board"]) == 0
    given = yaml.safe_load(capsys.readouterr().out)
    entries = hub.parse_eval_result_entries(given)
    assert hub.eval_result_entries_to_yaml(entries) == given
    scores = {(row.task, row.recipe, row.rows): row for row in snapshot.tables.scores if row.submission == name}
    assert len(entries) == len(scores) + sum(row.submission == name and row.mean is not None
                                             for row in snapshot.tables.overall)  # fmt: skip
    for entry in entries:
        assert entry.dataset_id == "owner/clinsynth"
        assert entry.source_url == "https://example.org/board"
        assert snapshot.manifest.short in entry.notes
        if entry.task_id != "mean-of-types":
            assert any(
                abs(100 * row.mean - entry.value) < 0.01 for key, row in scores.items() if key[0] == entry.task_id
            )
    for missing in (["--dataset", "owner/clinsynth"], ["--url", "https://example.org"]):
        assert main([*words, *missing]) == 2


def test_every_eval_ever_leaves_the_sample_out_and_keeps_names(snapshot: Snapshot) -> None:
    names = [path for path, _ in records(snapshot)]
    assert names == [path for path, _ in records(snapshot)]
    assert len(set(names)) == len(names)
    made = tables(2)
    object.__setattr__(made, "conditions", tuple(c.model_copy(update={"data": "sample"}) for c in made.conditions))
    assert list(records(Snapshot(snapshot.manifest, made))) == []


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning", "ignore::UserWarning")
def test_croissant_is_valid_and_its_reader_gives_the_rows(tmp_path: Path) -> None:
    mlc: Any = pytest.importorskip("mlcroissant", reason="mlcroissant is not installed")
    card = Card(
        name="toy", title="Toy", authors=("A. Person",), generator="copies the sample", licence="CC0-1.0",
        real_data=RealData(used="none"), disclosures=("Only a toy.",),
    )  # fmt: skip
    given = {task: sample_rows(task, 5) for task in ("gad", "hoc", "mqp", "ncbi-disease")}
    write_submission(tmp_path / "toy", card, given)
    path = tmp_path / "toy" / "croissant.json"
    path.write_text(json.dumps(croissant(tmp_path / "toy"), default=str), "utf-8")
    found = mlc.Dataset(jsonld=str(path))
    assert not found.metadata.issues.errors
    for task, rows in given.items():
        read = list(found.records(task))
        key = "text_a" if task == "mqp" else "text"
        assert [record[f"{task}/{key}"].decode() for record in read] == [row[key] for row in rows]


@pytest.mark.parametrize("form", FORMATS)
def test_the_command_writes_what_the_page_offers(folder: Path, form: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["export", "--snapshot", str(folder), "--format", form, "--view", "types"]) == 0
    from clinsynth.snapshot import read_snapshot

    snapshot = read_snapshot(folder)
    assert capsys.readouterr().out == FORMATS[form](snapshot, page(snapshot, "types", {}))


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--filter", "student=nobody"], "which this snapshot does not have"),
        (["--filter", "students=x"], "did you mean student?"),
        (["--filter", "student"], "KEY=VALUE"),
        (["--table", "overal"], "did you mean overall?"),
        (["--format", "svg", "--view", "types"], "no plot"),
        (["--format", "every-eval-ever"], "--out DIR"),
        (["--format", "croissant"], "--submission DIR"),
    ],
    ids=["value", "key", "form", "table", "plot", "folder", "submission"],
)
def test_mistakes_are_said(folder: Path, words: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["export", "--snapshot", str(folder), *words]) == 2
    assert said in capsys.readouterr().err


def test_scores_leave_without_rows_predictions_and_paths(
    submit: Submit, store_run: StoreRun, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = submit({"gad": [row | {"text": f"{row['text']} MARKER"} for row in sample_rows("gad", 12)]}, "toy")
    for seed in range(2):
        store_run(folder, Cell("gad", "minilm-l6.v1", 12, seed))
    words = ["export", "--format", "scores", "--submission", str(folder), "--sample", "--out", str(tmp_path / "out")]
    assert main(words) == 0
    assert "2 runs" in capsys.readouterr().out
    files = [path for path in (tmp_path / "out").rglob("*") if path.is_file()]
    left = sorted(path.relative_to(tmp_path / "out").as_posix() for path in files)
    runs = [f"sample/runs/gad/minilm-l6.v1/n12/seed{k}.json" for k in range(2)]
    assert left == [*runs, "scores.csv", "submission.toml"]
    for path in files:
        text = path.read_text("utf-8")
        assert "MARKER" not in text
        assert str(tmp_path) not in text
    for name in runs:
        assert (tmp_path / "out" / name).read_bytes() == (folder / name).read_bytes()
    assert main(words) == 0, "a second call replaces the first"
    edited = folder / runs[0]
    edited.write_text(re.sub('"seed": 0', '"seed": 5', edited.read_text("utf-8")), "utf-8")
    assert main(words) == 2
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.tex").write_text("x")
    assert main([*words[:-1], str(tmp_path / "mine")]) == 2
    assert main(words[:-2]) == 2
