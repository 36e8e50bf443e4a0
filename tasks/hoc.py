"""Hallmarks of Cancer, sentences: which hallmarks a sentence gives evidence of."""

from collections.abc import Iterator

from clinsynth.core import Example, RawFiles, Source, Split, TaskSpec
from clinsynth.data.formats import count, fault, table

_AT = "https://raw.githubusercontent.com/hieunguyen7337/KeBioLM/bc7c3667c786236252ba5b26b3b921197465b7a3/data/HoC/"

TASK = TaskSpec(
    name="hoc",
    title="Hallmarks of Cancer",
    type="text_classification",
    description="Read a sentence of a cancer abstract and name every hallmark of cancer that it gives evidence of.",
    labels=(
        "activating invasion and metastasis", "avoiding immune destruction", "cellular energetics",
        "enabling replicative immortality", "evading growth suppressors", "genomic instability and mutation",
        "inducing angiogenesis", "resisting cell death", "sustaining proliferative signaling",
        "tumor promoting inflammation",
    ),
    label_descriptions={
        "activating invasion and metastasis": "tumour cells migrate, invade tissue, or have spread to other organs",
        "avoiding immune destruction": (
            "the immune response against tumours, its suppression, or therapies that restore it"
        ),
        "cellular energetics": "how tumour cells gain energy, the metabolism of sugar, what drives or blocks it",
        "enabling replicative immortality": (
            "unlimited division of cells, their permanent arrest with age, the ends of chromosomes"
        ),
        "evading growth suppressors": (
            "brakes on growth are lost or at work, suppressor genes, arrest of the cell cycle"
        ),
        "genomic instability and mutation": "damage of DNA and its repair, mutations, changes in chromosomes",
        "inducing angiogenesis": "new blood vessels form, or factors make them form or keep them from it",
        "resisting cell death": "cells die by programme or otherwise, or escape it, and what decides between the two",
        "sustaining proliferative signaling": (
            "cells proliferate or are kept from it, growth factors, their receptors and pathways"
        ),
        "tumor promoting inflammation": "inflammation, its messengers and cells, and oxidative stress",
    },
    metric="micro_f1",
    also=("macro_f1",),
    multi_label=True,
    topics=("disease", "gene"),
    unit="document",
    sources=(
        Source("sentence_level/train.tsv", ("train",), _AT + "train.tsv",
               sha256="48352fe9828a63254c9302d5c9a13abe0167a5016dd1143e7f7e47c0348c9a81"),
        Source("sentence_level/dev.tsv", ("dev",), _AT + "dev.tsv",
               sha256="c0bae75eab5940db8afd3ac620d391661c826fa1428e38d258c9e730f4358b99"),
        Source("sentence_level/test.tsv", ("test",), _AT + "test.tsv",
               sha256="2e9ffe24c756b126efa2d351a9572ebb671a3473658bc0766d02ec80b9129d48"),
    ),
    rows={"train": 3085, "dev": 461, "test": 897},
    licence="GPL-3.0 (corpus); the repository of the sentence-level files states none",
    access="open",
    homepage="https://github.com/sb895/Hallmarks-of-Cancer",
    citation="""@article{baker2016hallmarks,
  title = {Automatic semantic classification of scientific literature according to the hallmarks of cancer},
  author = {Baker, Simon and Silins, Ilona and Guo, Yufan and Ali, Imran and H{\\"o}gberg, Johan and
            Stenius, Ulla and Korhonen, Anna},
  journal = {Bioinformatics},
  year = {2016}
}""",
    notes=(
        "Only sentences with at least one label are used, which nearly gives the sizes of ClinGen (3,091/898).",
        "The published document-level files are another partition of the abstracts: 223 of its training abstracts "
        "are in this test split, so the two must never be mixed, and document-level results do not compare.",
        "15 used sentences (10 train, 5 test) hold U+FFFD, a character lost before publication; it is read as '?'.",
        "Text is tokenised, with spaces around punctuation.",
        "The hallmark avoiding immune destruction is 6.0 % of the sentences in train and 2.3 % in test.",
    ),
    clingen_labels=(
        "evading growth suppressors", "tumor promoting inflammation", "enabling replicative immortality",
        "cellular energetics", "resisting cell death", "activating invasion and metastasis",
        "genomic instability and mutation", "inducing angiogenesis", "sustaining proliferative signaling",
        "avoiding immune destruction",
    ),
)  # fmt: skip


def read(split: Split, files: RawFiles) -> Iterator[Example]:
    """Sentences with a label; flags read ``0_0,1_1,...,9_0`` in the order of ``TASK.labels``."""
    path = f"sentence_level/{split}.tsv"
    for line, row in table(files, path, ("labels", "sentence", "index"), delimiter="\t", quoted=False):
        flags = row["labels"].split(",")
        if [flag[:-1] for flag in flags] != [f"{i}_" for i in range(10)]:
            raise fault(path, line, "expected the ten flags 0_..., 1_... to 9_...")
        labels = tuple(name for name, flag in zip(TASK.labels, flags, strict=True) if flag[-1] == "1")
        if not labels:
            count("sentence without a label: left out")
            continue
        if "\ufffd" in row["sentence"]:
            count("lost character U+FFFD: read as '?'")
        yield Example((row["sentence"].replace("\ufffd", "?"),), labels=labels, unit=row["index"].rpartition("_s")[0])
