"""What rows score with equal label shares stands beside their score, and changes none."""

from pathlib import Path
from typing import Any

from tests.invented import RECIPE, write_card, write_run

from clinsynth.results.store import Cell, TrainingData
from clinsynth.snapshot.standings import score_rows
from clinsynth.standings import Score, Standings, standings
from clinsynth.views.scores import LABEL_MIX, LABEL_SHARES, _label_mix  # pyright: ignore[reportPrivateUsage] - a line of a page


def table_of(folder: Path) -> Standings:
    return standings([folder], RECIPE, 300, "real")


def balanced(rows: int) -> dict[str, Any]:
    drawn = TrainingData(fingerprint="rows of mixed", available=rows, used=rows, draw="balanced")
    return {"training": drawn}


def score_of(table: Standings) -> Score:
    return next(row for row in table.rows if row.name == "mixed").scores["gad"]


def test_equal_label_shares_stand_beside_a_score(tmp_path: Path) -> None:
    folder, aside = tmp_path / "mixed", tmp_path / "aside" / "mixed"
    write_card(folder)
    aside.mkdir(parents=True)
    for seed in range(2):
        write_run(folder, Cell("gad", RECIPE, 300, seed), 0.8, {})
        write_run(aside, Cell("gad", RECIPE, 300, seed), 0.6, balanced(300))
    write_run(aside, Cell("gad", RECIPE, 100, 0), 0.1, balanced(100))
    write_run(aside, Cell("gad", RECIPE, 300, 4), 0.1, balanced(300))
    before = score_of(table_of(folder))
    assert before.mix is None
    aside.rename(folder / "balanced")
    table = table_of(folder)
    score = score_of(table)
    assert score.mean == before.mean
    assert score.mix
    # Two seeds: other rows, and a seed that the score does not have, stay out.
    assert (score.mix.seeds, score.mix.divergence) == (2, None)
    equal_shares = score.mix.balanced
    assert equal_shares is not None
    assert 0.5 < equal_shares < score.mean
    (row,) = [row for row in score_rows(table) if row.submission == "mixed"]
    assert (row.balanced, row.label_divergence) == (equal_shares, None)
    assert _label_mix([row]) == (f"{LABEL_MIX}: mixed {100 * equal_shares:.1f}.",)
    alone = row.model_copy(update={"balanced": None, "label_divergence": 0.071})
    assert _label_mix([alone]) == (f"{LABEL_SHARES}: mixed 0.07.",), "known without balanced draws as well"
