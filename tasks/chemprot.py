"""ChemProt: how a chemical acts on a protein (BioCreative VI)."""

from collections.abc import Iterator

from clinsynth.core import Example, RawFiles, Source, Split, TaskSpec
from clinsynth.data.formats import count, json_lines

_AT = (
    "https://raw.githubusercontent.com/XuguangAi/end-to-end-ChemProt/a42a0a1637d489c257a4eb36ee30aa0817c7718a/"
    "chemprot_data/processed_data/json/"
)

TASK = TaskSpec(
    name="chemprot",
    title="ChemProt",
    type="relation_extraction",
    description="Read a sentence with a marked chemical and gene or protein and decide how the chemical acts on it.",
    labels=("CPR:3", "CPR:4", "CPR:5", "CPR:6", "CPR:9", "none"),
    label_descriptions={
        "CPR:3": "upregulator: the chemical activates the protein or raises its expression, directly or through others",
        "CPR:4": (
            "downregulator: the chemical inhibits the protein or lowers its expression, directly or through others"
        ),
        "CPR:5": "agonist: the chemical binds the receptor and activates it",
        "CPR:6": "antagonist: the chemical binds the receptor and blocks it",
        "CPR:9": "substrate or product: the protein converts, transports or produces the chemical",
        "none": "none of the five is stated between these two, even where one of them has it with something else",
    },
    metric="micro_f1",
    also=("macro_f1",),
    negative_label="none",
    markers=("@CHEMICAL$", "@GENE$"),
    topics=("chemical", "gene"),
    unit="document",
    sources=(
        Source("span/train.json", ("train",), _AT + "train.json", git_blob="c12bf7c4ce5a65704c4b50b05e9c2785db1d3072"),
        Source("span/dev.json", ("dev",), _AT + "dev.json",
               sha256="e0184dc3b398670eba4f28779b8f366be8d1212fc989ec3ff6c98daf5b067ad2"),
        Source("span/test.json", ("test",), _AT + "test.json",
               sha256="7a7a7e65e646b443d9eeea7ea885595a98bb03ded60693a7dba0c7ff5c3e810c"),
    ),
    rows={"dev": 5722, "test": 14104},
    licence="Public Domain Mark 1.0 according to bigbio; the repository is MIT",
    access="open",
    homepage="https://github.com/XuguangAi/end-to-end-ChemProt",
    citation="""@inproceedings{krallinger2017chemprot,
  title = {Overview of the {BioCreative VI} chemical-protein interaction Track},
  author = {Krallinger, Martin and Rabal, Obdulia and Akhondi, Saber A. and others},
  booktitle = {Proceedings of the {BioCreative VI} Workshop},
  year = {2017}
}""",
    notes=(
        "Derived: one example for each chemical and gene mention of a sentence, tokens joined by spaces. Counts differ "
        "from ClinGen (8,793/10,807) and BLURB (18,035/11,268/15,745), so scores do not compare with theirs.",
        "Pairs whose mentions overlap are left out: 576 in dev (2 of them positive) and 1,370 in test (none positive).",
        "Test has 3,424 positive pairs; relations across sentences are not in the published form.",
        "dev is that repository's own 327 abstracts, not the official development set.",
    ),
    clingen_labels=("CPR:3", "CPR:4", "CPR:5", "CPR:6", "CPR:9", "none"),
)  # fmt: skip


def read(split: Split, files: RawFiles) -> Iterator[Example]:
    """Abstracts as token lists; mentions and relations are token ranges counted through the abstract."""
    for _, abstract in json_lines(files, f"span/{split}.json"):
        first = 0
        for tokens, mentions, given in zip(abstract["sentences"], abstract["ner"], abstract["relations"], strict=True):
            relations = {tuple(relation[:4]): relation[4] for relation in given}
            chemicals = [(a, b) for a, b, kind in mentions if kind == "CHEMICAL"]
            genes = [(a, b) for a, b, kind in mentions if kind == "GENE"]
            for chemical, gene in ((c, g) for c in chemicals for g in genes):
                label = relations.get((*chemical, *gene), "none")
                if chemical[0] <= gene[1] and gene[0] <= chemical[1]:
                    count(f"pair whose mentions overlap ({label}): left out")
                    continue
                marked = list(tokens)
                for (start, end), marker in sorted(((chemical, "@CHEMICAL$"), (gene, "@GENE$")), reverse=True):
                    marked[start - first : end - first + 1] = [marker]
                yield Example((" ".join(marked),), labels=(label,), unit=abstract["doc_key"])
            first += len(tokens)
