"""BioCreative V CDR: whether a chemical induces a disease, by sentence."""

from collections import defaultdict
from collections.abc import Iterator
from itertools import product

from clinsynth.core import Example, RawFiles, Source, Split, TaskSpec
from clinsynth.data.formats import Article, Mention, count, mark, pubtator
from clinsynth.text import sentence_ranges

_AT = "https://raw.githubusercontent.com/JHnlp/BioCreative-V-CDR-Corpus/3a4ab7038d97b46ebd5298700ce4f34390c7ec82/"
_FILES = {split: f"CDR_{name}Set.PubTator.txt"
          for split, name in (("train", "Training"), ("dev", "Development"), ("test", "Test"))}  # fmt: skip

TASK = TaskSpec(
    name="cdr",
    title="BC5CDR relations",
    type="relation_extraction",
    description="Read a sentence with a marked chemical and disease and decide whether the one induces the other.",
    labels=("no_relation", "induces"),
    label_descriptions={
        "no_relation": (
            "the chemical treats or prevents the disease, is only mentioned with it, or is not what caused it"
        ),
        "induces": "the chemical brings the disease on or makes it worse, in patients or animals, or is suspected to",
    },
    metric="macro_f1",
    also=("f1", "accuracy"),
    negative_label="no_relation",
    markers=("@CHEMICAL$", "@DISEASE$"),
    topics=("chemical", "disease"),
    unit="document",
    sources=(
        Source(_FILES["train"], ("train",), _AT + _FILES["train"],
               sha256="7afcec134e3d4871e74b0398d92850d3c9ac94c0bdc780003f2d60184c012bd8"),
        Source(_FILES["dev"], ("dev",), _AT + _FILES["dev"],
               sha256="9e18d8e700168887a7919e62f67ac2ce2357e3f409a48ee992906abdd80fe3e5"),
        Source(_FILES["test"], ("test",), _AT + _FILES["test"],
               sha256="a3c48d5f35bdfce20c2371778abedc9fd24d1da092207072e5181ad53c8d0e2f"),
    ),
    rows={"train": 3713, "dev": 3978, "test": 3902},
    licence="Public Domain Mark 1.0 according to bigbio; the repository says 'for public research'",
    access="open",
    homepage="https://github.com/JHnlp/BioCreative-V-CDR-Corpus",
    citation="""@article{li2016cdr,
  title = {{BioCreative V CDR} task corpus: a resource for chemical disease relation extraction},
  author = {Li, Jiao and Sun, Yueping and Johnson, Robin J. and Sciaky, Daniela and Wei, Chih-Hsuan and
            Leaman, Robert and Davis, Allan Peter and Mattingly, Carolyn J. and Wiegers, Thomas C. and Lu, Zhiyong},
  journal = {Database},
  year = {2016}
}""",
    notes=(
        "Derived: every sentence (title and abstract, split with sentencex 1.0.32, never inside a mention) x every "
        "pair of a chemical and a disease concept in it; every mention of the two concepts becomes the marker.",
        "The label is that of the abstract: a sentence is 'induces' if the abstract's relations hold the pair, whether "
        "or not this sentence says so. Noise of this kind is in train and test alike.",
        "Relations never mentioned in one sentence are lost: 763 of 1,038 (train), 772 of 1,012 (dev) and 749 of 1,066 "
        "(test) remain.",
        "A composite mention ('D014786|D006311') stands for each of its concepts; concepts named by exactly the same "
        "mentions give one example, 'induces' if any of them is. Mentions without a concept (-1) are plain text.",
        "ClinGen's 8,431/2,522 rows come from an unpublished conversion, so scores do not compare.",
    ),
    clingen_labels=("no_relation", "induces"),
    version=2,
)  # fmt: skip


def read(split: Split, files: RawFiles) -> Iterator[Example]:
    """Every sentence with every pair of a chemical and a disease concept that it mentions."""
    for article in pubtator(files, _FILES[split]):
        for offset, part in ((0, article.title), (len(article.title) + 1, article.abstract)):
            for start, end in sentence_ranges(part, [(m.start - offset, m.end - offset) for m in article.mentions]):
                for text, induces in _pairs(article, start + offset, end + offset).items():
                    yield Example((text,), labels=("induces" if induces else "no_relation",), unit=article.pmid)


def _pairs(article: Article, start: int, end: int) -> dict[str, bool]:
    found: dict[str, dict[str, list[Mention]]] = {"Chemical": defaultdict(list), "Disease": defaultdict(list)}
    for mention in article.mentions:
        if start <= mention.start and mention.end <= end:
            for concept in mention.concepts:
                found[mention.kind][concept].append(mention)
    pairs: dict[str, bool] = {}
    for (chemical, ours), (disease, theirs) in product(found["Chemical"].items(), found["Disease"].items()):
        induces = ("CID", chemical, disease) in article.relations
        if any(a.start < b.end and b.start < a.end for a, b in product(ours, theirs)):
            count(f"pair whose mentions overlap ({'induces' if induces else 'no_relation'}): left out")
            continue
        # Mentions of two kinds, each replaced by the marker of its kind.
        markers = [(m.start - start, m.end - start, f"@{m.kind.upper()}$") for m in (*ours, *theirs)]
        text = mark(article.text[start:end], markers)
        if text in pairs:
            count("concepts named by the same mentions: one example")
        pairs[text] = pairs.get(text, False) or induces
    return pairs
