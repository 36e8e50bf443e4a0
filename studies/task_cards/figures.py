"""Every figure of docs/tasks.md that can be counted. Prints numbers only, never text of a data set.

    python -m studies.task_cards.figures --data-dir DIR            # prepared data (clinsynth prepare)
    python -m studies.task_cards.figures --data-dir DIR --read     # which rows were read against the definitions
    python -m studies.task_cards.figures --ncbi DIR                # sentences per abstract of ncbi-disease

The folder of the last line holds the files NCBI{train,develop,test}set_corpus.txt of the original corpus, which are in
the repository spyysalo/ncbi-disease under original-data/.
"""

from __future__ import annotations

import argparse
import random
import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from importlib import import_module
from pathlib import Path

from clinsynth.core import TASKS, Example, NotPreparedError, Prediction, Split
from clinsynth.data import documents_by_text, open_store
from clinsynth.scoring import METRICS

Reading = Callable[[str, Split], Sequence[Example]]

GENE, DISEASE, CHEMICAL = r"@GENE\$", r"@DISEASE\$", r"@CHEMICAL\$"
NEGATION = (
    r"\b(no (significant |consistent |strong |major |clear |evidence of )?(association|associations|linkage"
    r"|relationship|difference|differences|evidence|link|correlation|effect|role|influence)"
    r"|not (be |been )?(significantly |independently |statistically )?(associated|related|linked|a risk|a major"
    r"|correlated|involved|contribute|play|influence|affect|differ|confirm|support|appear|seem|find|detect|observe)\w*"
    r"|neither|lack of|fail(ed|s)? to|unlikely|did not|does not|do not|was not|were not|is not|are not|without)\b"
)
CUES: dict[tuple[str, Split, str], dict[str, str]] = {
    ("gad", "train", "relation"): {
        "negation": NEGATION,
        "'no (significant) association'": r"\bno (significant )?association",
        "'not (significantly) associated'": r"\bnot (significantly )?associated",
        "'the DISEASE of'": rf"\bthe {DISEASE} of\b",
        "'DISEASE of'": rf"{DISEASE} of\b",
        "'the/a/this DISEASE', no 'of'": rf"\b(the|this|an?|these|our) {DISEASE}(?! of)",
        "'GENE DISEASE'": rf"{GENE}[\s,()-]*{DISEASE}",
        "'risk of/for DISEASE'": rf"risk (of|for) (\w+ )?{DISEASE}",
        "'susceptibility to DISEASE'": rf"susceptib\w+ (to|for) {DISEASE}",
        "'GENE genotype/allele'": rf"{GENE} (genotype|allele)",
    },
    ("cdr", "train", "induces"): {
        "'CHEMICAL-induced DISEASE'": rf"{CHEMICAL}\s*-?\s*induced {DISEASE}",
        "'DISEASE induced by CHEMICAL'": rf"{DISEASE} induced by {CHEMICAL}",
        "'DISEASE caused by, due to, after, with CHEMICAL'": (
            rf"{DISEASE} (caused by|due to|secondary to|after|following|associated with|with) {CHEMICAL}"
        ),
        "'treatment of DISEASE'": rf"(treatment|therapy|management) (of|for) (\w+ )?{DISEASE}",
        "'patients with DISEASE'": rf"patients with (\w+ )?{DISEASE}",
    },
    ("hoc", "train", "avoiding immune destruction"): {"immune, T cell": r"immun|T cell|T-cell"},
    ("hoc", "train", "tumor promoting inflammation"): {"oxidative stress": r"oxidative|\bROS\b|reactive oxygen"},
    ("hoc", "train", "evading growth suppressors"): {
        "cell cycle": r"cell.cycle|\bG1|\bG2|p27|p21|p53|arrest|suppressor"
    },
    ("hoc", "train", "sustaining proliferative signaling"): {
        "growth": r"prolifer|EGFR|growth factor|ERK|PI3K|Akt|signal"
    },
    ("pubhealth", "dev", "true"): {
        "evidence speaks of 'the story', 'the release'": (
            r"\|\|\|.*(disease.mongering|the (news )?release|this (news )?(story|release|article)|the story"
            r"|satisfactory)"
        ),
        "claim under 14 words that ends in a full stop": r"^(\S+\s+){0,12}\S+\.\s*\|\|\|",
    },
}
"""What is looked for in the texts of a split, and the label whose share among the hits is given."""
WORDS: dict[str, tuple[Split, str]] = {
    "bc5cdr-chemical": (
        "train",
        "protein DNA drug antibiotic antagonist inhibitor saline water steroid antidepressant contraceptive alcohol "
        "heparin creatinine sodium",
    ),
    "chemdner": (
        "dev",
        "protein peptide DNA drug antibiotic inhibitor water polymer ion lipid salt steroid glucose ATP",
    ),
    "bc5cdr-disease": (
        "train",
        "toxicity pain death hypotension seizure cancer injury damage symptom lesion mortality complication sedation "
        "pregnancy withdrawal",
    ),
    "ncbi-disease": (
        "train",
        "cancer tumor deficiency syndrome disorder ataxia retardation symptom lesion infection death damage mutation "
        "pregnancy",
    ),
}
"""Words of span tasks: how often they stand, and how often inside a mention."""
READ: dict[str, tuple[Split, int, int]] = {
    "gad": ("train", 1, 65), "cdr": ("train", 2, 36), "chemprot": ("dev", 2, 13), "hoc": ("train", 2, 9),
    "healthver": ("dev", 2, 24), "pubhealth": ("dev", 2, 17), "mediqa-rqe": ("train", 2, 32), "mqp": ("train", 2, 32),
    "bc5cdr-chemical": ("train", 3, 64), "bc5cdr-disease": ("train", 3, 62), "ncbi-disease": ("train", 3, 62),
    "chemdner": ("dev", 3, 64),
}  # fmt: skip
"""Which split was read, the seed of the draw, and how many rows per label (span tasks: with and without a mention)."""
NCBI: dict[Split, str] = {"train": "NCBItrainset", "dev": "NCBIdevelopset", "test": "NCBItestset"}


def labels_of(example: Example) -> list[str]:
    """Labels; of a span task the types found, or ``-`` for none."""
    return list(example.labels) or sorted({span.label for span in example.spans}) or ["-"]


def rows_read(examples: Sequence[Example], seed: int, per_label: int) -> dict[str, list[int]]:
    """Positions of the rows that were read, by label; one generator draws for the labels in sorted order."""
    places: dict[str, list[int]] = {}
    for place, example in enumerate(examples):
        for label in labels_of(example):
            places.setdefault(label, []).append(place)
    rng = random.Random(seed)  # noqa: S311  a draw of rows, no secret
    return {label: rng.sample(places[label], min(per_label, len(places[label]))) for label in sorted(places)}


def shares(name: str, examples: Sequence[Example]) -> Iterator[str]:
    """Label shares of the test set, units, and what the best single answer scores."""
    spec = TASKS[name].spec
    count = Counter(label for example in examples for label in labels_of(example))
    yield f"{name} test: {len(examples):,} rows, {len({e.unit or i for i, e in enumerate(examples)}):,} units"
    yield "   " + ", ".join(f"{label} {100 * n / len(examples):.1f} %" for label, n in sorted(count.items()))
    if spec.is_span or spec.multi_label:
        return
    for metric in (spec.metric, *spec.also):
        best = max(spec.labels, key=lambda label: constant(name, examples, metric, label))
        yield f"   always {best}: {metric} {100 * constant(name, examples, metric, best):.1f}"


def constant(name: str, examples: Sequence[Example], metric: str, label: str) -> float:
    """The score of one answer to everything."""
    found = next(each for each in METRICS.values() if each.name == metric)
    return found.score(TASKS[name].spec, examples, [Prediction((label,))] * len(examples))


def cues(examples: Sequence[Example], label: str, patterns: dict[str, str]) -> Iterator[str]:
    """How often a cue stands, and the share of a label among the hits."""
    whole = sum(label in example.labels for example in examples)
    yield f"   share of {label}: {100 * whole / len(examples):.1f} % of {len(examples):,}"
    for name, pattern in patterns.items():
        hits = [e for e in examples if re.search(pattern, " ||| ".join(e.texts), re.IGNORECASE | re.DOTALL)]
        right = sum(label in example.labels for example in hits)
        yield f"   {name}: {right:,} of {len(hits):,} ({100 * right / max(1, len(hits)):.1f} %)"


def words(examples: Sequence[Example], listed: str) -> Iterator[str]:
    """How often each word stands, and how often inside a mention."""
    empty = sum(not example.spans for example in examples)
    yield f"   without a mention: {100 * empty / len(examples):.1f} % of {len(examples):,} sentences"
    for word in listed.split():
        found = [
            any(s.start <= m.start() and m.end() <= s.end for s in e.spans)
            for e in examples for m in re.finditer(rf"\b{word}s?\b", e.texts[0], re.IGNORECASE)
        ]  # fmt: skip
        yield f"   {word}: {sum(found)} of {len(found)} tagged"


def overlap(examples: Sequence[Example], positive: str) -> Iterator[str]:
    """Area under the ROC curve of the overlap of content words: common ones over those of the shorter text."""
    # Without types.
    stop_words: frozenset[str] = import_module("sklearn.feature_extraction.text").ENGLISH_STOP_WORDS
    area_under: Callable[..., float] = import_module("sklearn.metrics").roc_auc_score
    scores: list[float] = []
    for example in examples:
        first, second = ({*re.findall(r"\w+", text.lower())} - stop_words for text in example.texts)
        scores.append(len(first & second) / max(1, min(len(first), len(second))))
    area = float(area_under([positive in example.labels for example in examples], scores))
    same = sum(example.texts[0] == example.texts[1] for example in examples)
    seconds = Counter(example.texts[1] for example in examples if positive not in example.labels)
    top = sum(n for _, n in seconds.most_common(50))
    yield f"   word overlap: AUC {area:.3f}; {same:,} of {len(examples):,} pairs are identical"
    yield f"   not {positive}: {len(seconds):,} second texts; the 50 commonest in {top:,} of {seconds.total():,} rows"


def ncbi(folder: Path, examples: Reading) -> Iterator[str]:
    """Sentences per abstract, counted in the original corpus, against the numbers in the reader."""
    for split, name in NCBI.items():
        documents: dict[str, str] = {}
        for line in (folder / f"{name}_corpus.txt").read_text("utf-8").splitlines():
            cells = line.split("|", 2)
            if len(cells) == 3 and cells[1] in ("t", "a"):
                documents[cells[0]] = cells[2] if cells[1] == "t" else f"{documents[cells[0]]} {cells[2]}"
        given = examples("ncbi-disease", split)
        # In published order, each document stands in one piece.
        found = Counter(example.unit for example in documents_by_text(given, documents, split))
        stored = Counter(example.unit for example in given)
        same = list(found.values()) == list(stored.values())
        yield f"{split}: {len(found)} abstracts of {len(documents)}; as in the reader: {same}"
        yield "   " + " ".join(map(str, found.values()))


def counted(examples: Reading) -> Iterator[str]:
    """All figures but those of ``--read`` and ``--ncbi``."""
    for name in TASKS:
        if given := examples(name, "test"):
            yield from shares(name, given)
    for (name, split, label), patterns in CUES.items():
        if given := examples(name, split):
            yield f"{name} {split}"
            yield from cues(given, label, patterns)
    for name, (split, listed) in WORDS.items():
        if given := examples(name, split):
            yield f"{name} {split}"
            yield from words(given, listed)
    splits: tuple[Split, ...] = ("train", "test")
    for name, positive in (("mediqa-rqe", "entailment"), ("mqp", "similar")):
        for split in splits:
            if given := examples(name, split):
                yield f"{name} {split}"
                yield from overlap(given, positive)


def read(examples: Reading) -> Iterator[str]:
    """Positions of the rows that were read."""
    for name, (split, seed, per_label) in READ.items():
        for label, places in rows_read(examples(name, split), seed, per_label).items():
            yield f"{name} {split} {label}: {' '.join(map(str, places))}"


def main() -> None:
    """Print what was asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data-dir", type=Path, help="prepared data, as for clinsynth")
    parser.add_argument("--read", action="store_true", help="positions of the rows that were read, from 0")
    parser.add_argument("--ncbi", type=Path, help="folder with the three files of the original NCBI disease corpus")
    options = parser.parse_args()
    store = open_store(options.data_dir)

    def examples(name: str, split: Split) -> Sequence[Example]:
        try:
            return store.examples(TASKS[name], split)
        except NotPreparedError:
            return ()  # a task that is not on this machine has no figures

    lines = ncbi(options.ncbi, examples) if options.ncbi else read(examples) if options.read else counted(examples)
    for line in lines:
        print(line)  # noqa: T201


if __name__ == "__main__":
    main()
