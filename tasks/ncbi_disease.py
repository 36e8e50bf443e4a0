"""NCBI disease corpus: every mention of a disease in a sentence."""

from collections.abc import Iterator

from clinsynth.core import Example, RawFiles, Source, Split, TaskSpec
from clinsynth.data import documents_by_size
from clinsynth.data.formats import iob

_AT = (
    "https://raw.githubusercontent.com/cambridgeltl/MTL-Bioinformatics-2016/"
    "df0df02fae6dbb87d88ffcf323b9096528f06f84/data/NCBI-disease-IOB/"
)
_FILES = {"train": "train.tsv", "dev": "devel.tsv", "test": "test.tsv"}
# Counted by laying the sentences along the abstracts of the original corpus, which they fill without a gap: its three
# files in the repository spyysalo/ncbi-disease, commit 5a266c6fc76fb2b5184cfa397ff0a5ecdb133aec, folder original-data.
# python -m studies.task_cards.figures --ncbi counts again. The published sentences are pinned, so these numbers are.
_SENTENCES: dict[Split, str] = {
    "train": """
        10 16 8 9 10 8 12 12 9 10 11 4 10 10 37 11 13 12 12 6 6 17 11 9 10 11 8 7 5 7 9 6 10 8 6 10 11 8 8 14 11 9
        11 12 9 12 10 8 10 11 9 5 8 9 6 7 10 18 13 9 10 11 9 11 6 7 17 6 7 9 10 13 10 13 11 10 16 10 7 12 5 11 10 17
        7 5 10 11 9 12 10 11 8 5 10 13 19 10 19 9 9 7 10 7 16 11 11 12 9 10 11 6 8 11 13 14 13 15 5 8 14 7 7 5 12 9
        9 8 13 9 14 15 8 8 13 8 11 19 5 9 10 7 10 15 8 10 14 13 13 9 9 10 6 8 7 13 12 9 8 13 10 13 11 12 14 10 8 14
        13 16 15 13 10 14 13 9 9 3 9 12 14 8 7 5 10 10 10 5 10 11 15 11 17 10 7 7 6 5 7 13 11 5 5 6 9 7 9 11 8 10 5
        10 6 14 10 11 14 11 5 9 11 9 6 7 6 13 10 13 6 8 7 8 10 10 11 10 6 10 6 11 14 11 8 6 10 8 5 10 14 6 5 10 10
        14 6 9 5 9 20 8 6 8 9 8 10 7 3 6 10 13 5 21 5 17 8 9 7 7 9 9 5 9 5 7 5 10 16 6 4 6 7 7 6 7 4 4 6 12 8 13 7
        12 9 21 6 7 5 10 9 6 8 8 5 10 13 8 7 16 7 8 5 11 16 7 15 11 11 6 7 15 12 10 3 4 10 6 10 6 10 7 14 10 5 8 7 7
        7 5 7 9 7 6 4 8 9 9 8 8 10 8 15 9 5 10 9 7 7 11 11 8 7 11 5 9 6 10 6 11 12 5 2 7 5 9 7 8 13 9 6 9 5 8 7 7 6
        8 8 5 7 7 7 4 6 4 4 6 5 10 8 18 10 10 6 15 13 15 4 9 6 7 12 7 6 6 11 5 11 13 6 10 5 5 5 9 6 15 9 3 12 13 6 4
        4 8 9 5 4 6 9 5 7 7 8 11 9 7 11 9 8 10 8 9 9 9 4 7 14 11 13 9 7 7 7 9 10 8 9 7 6 9 13 7 4 10 14 15 8 6 5 5 5
        5 6 14 13 11 13 14 14 10 6 6 7 7 8 6 7 6 6 10 6 14 12 9 6 7 8 7 16 8 8 6 12 14 15 6 8 9 10 11 12 14 11 7 11
        7 6 10 11 9 4 15 8 9 16 6 5 7 9 9 14 7 12 17 10 8 5 7 9 7 6 6 9 9 4 8 13 8 3 9 4 6 12 10 8 9 8 9 19 12 8 12
        10 10 8 11 10 7 8 8 8 6
    """,
    "dev": """
        7 11 11 6 10 8 8 12 10 12 11 6 6 13 13 13 5 9 15 6 7 11 13 5 8 8 8 6 6 6 12 14 10 10 8 8 12 12 8 8 8 9 13 10
        5 10 8 6 14 9 11 12 10 10 7 7 7 16 5 10 8 7 12 5 8 13 8 10 9 8 13 8 9 6 7 9 6 14 6 17 5 12 5 9 10 8 13 11 9
        9 7 7 10 6 9 9 9 10 12 11
    """,
    "test": """
        12 8 16 15 12 11 10 8 8 7 11 10 11 6 9 9 7 8 6 7 9 10 4 10 12 11 8 7 13 9 20 7 8 16 9 9 13 10 12 7 6 7 7 9 9
        10 13 7 7 12 10 11 6 9 10 10 7 13 8 10 13 12 6 5 11 8 7 10 8 8 9 7 10 6 6 9 14 7 14 8 5 8 8 8 8 6 7 11 8 13
        11 11 6 8 15 12 13 9 11 8
    """,
}
"""How many sentences each abstract has, in the order of the files."""

TASK = TaskSpec(
    name="ncbi-disease",
    title="NCBI-Disease",
    type="named_entity_recognition",
    description="Read a sentence of a biomedical abstract and mark every mention of a disease.",
    labels=("Disease",),
    label_descriptions={
        "Disease": (
            "a named disease, syndrome, tumour, deficiency or malformation, or a class of these, in full or "
            "abbreviated, also before another noun, but not genes or mutations, and not words that only say that "
            "somebody is ill"
        ),
    },
    metric="entity_f1",
    topics=("disease",),
    unit="document",
    sources=(
        Source(_FILES["train"], ("train",), _AT + _FILES["train"],
               sha256="58379baf4614b8d757d93dd7a21b202849ca99f9b9d71b49185523ff5443300c"),
        Source(_FILES["dev"], ("dev",), _AT + "devel.tsv",
               sha256="b4e1e7efcc2a35047bf2f3d281648357470e674f555d4a26a0049ac37d59cc61"),
        Source(_FILES["test"], ("test",), _AT + _FILES["test"],
               sha256="8f088ce45dc4746592188f9e69de3d89d87f3bb8f0ed8c4a287d018123fa148d"),
    ),
    rows={"train": 5424, "dev": 923, "test": 940},
    licence="CC BY 4.0",
    access="open",
    homepage="https://github.com/cambridgeltl/MTL-Bioinformatics-2016",
    citation="""@article{dogan2014ncbi,
  title = {{NCBI} disease corpus: A resource for disease name recognition and concept normalization},
  author = {Do{\\u{g}}an, Rezarta Islamaj and Leaman, Robert and Lu, Zhiyong},
  journal = {Journal of Biomedical Informatics},
  year = {2014}
}""",
    notes=(
        "ClinGen's 5,336/921 sentences are the same corpus in another count.",
        "2 of 940 test sentences also stand in train or dev.",
        "The form has no document identifiers: where one abstract ends and the next begins, which makes the units, was "
        "counted in the original corpus (592/100/100 abstracts; the abstract that it holds twice stands here once).",
    ),
    clingen_labels=("Disease",),
    version=2,
)  # fmt: skip


def read(split: Split, files: RawFiles) -> Iterator[Example]:
    """Tokens with IOB tags, one sentence an example; its unit is the number of its abstract."""
    sizes = [int(number) for number in _SENTENCES[split].split()]
    yield from documents_by_size(iob(files, path := _FILES[split], TASK.labels[0]), sizes, path)
