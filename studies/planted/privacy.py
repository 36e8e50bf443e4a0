"""How often the PHI patterns raise a false alarm: published abstracts hold no patient's data.

    python -m studies.planted.privacy --data-dir DIR

Findings in 1,000 distinct sentences (of LitCovid: the sentences of its abstracts; of the question and news corpora:
whole texts, which do hold names and dates of real people). Counts only are printed.
"""

from __future__ import annotations

import argparse
from collections import Counter
from pathlib import Path

from clinsynth.core.nouns import SPLITS
from clinsynth.core.registry import TASKS
from clinsynth.data.store import DataStore
from clinsynth.text import phi
from clinsynth.text.normalising import sentence_ranges

PUBMED = ("bc5cdr-disease", "ncbi-disease", "chemdner", "cdr", "gad", "chemprot", "hoc", "litcovid")
OTHER = ("healthver", "mqp", "mediqa-rqe", "pubhealth")
_WHOLE = ("litcovid",)


def texts(task: str, root: Path) -> list[str]:
    """Distinct sentences of every prepared split."""
    store = DataStore(root)
    found = {
        text
        for split in SPLITS
        if store.rows(TASKS[task]).get(split)
        for example in store.examples(TASKS[task], split)
        for text in example.texts
    }
    if task in _WHOLE:
        found = {text[a:b] for text in found for a, b in sentence_ranges(text)}
    return sorted(found)


def main() -> None:
    """Count and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data-dir", type=Path, required=True)
    root: Path = parser.parse_args().data_dir
    print("| corpus | texts | with a strong finding, per 1,000 | strong findings | weak dates, per 1,000 |")  # noqa: T201
    print("|:--|--:|--:|:--|--:|")  # noqa: T201
    for group in (PUBMED, OTHER):
        total, flagged, weak = 0, 0, 0
        for task in group:
            own = texts(task, root)
            hits = [list(phi.find_phi(text)) for text in own]
            strong = Counter(kind for found in hits for kind in {hit.kind for hit in found if hit.strength == "strong"})
            some = sum(any(hit.strength == "strong" for hit in found) for found in hits)
            dates = sum(any(hit.strength == "weak" for hit in found) for found in hits)
            total, flagged, weak = total + len(own), flagged + some, weak + dates
            kinds = ", ".join(f"{kind} {count}" for kind, count in strong.most_common()) or "none"
            print(f"| `{task}` | {len(own):,} | {_rate(some, len(own))} | {kinds} | {_rate(dates, len(own))} |")  # noqa: T201
        name = "PubMed" if group is PUBMED else "questions, claims, news"
        print(f"| **all {name}** | {total:,} | **{_rate(flagged, total)}** | | {_rate(weak, total)} |")  # noqa: T201


def _rate(count: int, total: int) -> str:
    return f"{1000 * count / total:.2f}"


if __name__ == "__main__":
    main()
