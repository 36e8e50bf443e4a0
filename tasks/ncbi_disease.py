"""NCBI disease corpus: every mention of a disease in a sentence."""

from collections.abc import Iterator

from clinsynth.core import Example, RawFiles, Source, Split, TaskSpec
from clinsynth.data.formats import iob

_AT = (
    "https://raw.githubusercontent.com/cambridgeltl/MTL-Bioinformatics-2016/"
    "df0df02fae6dbb87d88ffcf323b9096528f06f84/data/NCBI-disease-IOB/"
)
_FILES = {"train": "train.tsv", "dev": "devel.tsv", "test": "test.tsv"}

TASK = TaskSpec(
    name="ncbi-disease",
    title="NCBI-Disease",
    type="named_entity_recognition",
    description="Read a sentence of a biomedical abstract and mark every mention of a disease.",
    labels=("Disease",),
    label_descriptions={
        "Disease": "a disease or class of diseases, in full or abbreviated, also inside a phrase (cancer families)",
    },
    metric="entity_f1",
    topics=("disease",),
    unit="example",
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
        "The form has no document identifiers, so the sentence is the unit and intervals are somewhat too narrow.",
    ),
    clingen_labels=("Disease",),
)  # fmt: skip


def read(split: Split, files: RawFiles) -> Iterator[Example]:
    """Tokens with IOB tags, one sentence an example."""
    yield from iob(files, _FILES[split], TASK.labels[0])
