"""CHEMDNER in the partition of HUNER: every mention of a chemical in a sentence."""

from collections.abc import Iterator

from clinsynth.core import Example, RawFiles, Source, Split, TaskSpec
from clinsynth.data.formats import iob

_AT = (
    "https://raw.githubusercontent.com/Aitslab/BioNLP/7d087e081c9cfc7bace9216206dbc8f474695ab7/"
    "Adam_Ola/ner_inputs/HunFlair_NER_chemical/chemical_chemdner/"
)
_FILES = {"train": "train.tsv", "dev": "huner_devel.tsv", "test": "test.tsv"}

TASK = TaskSpec(
    name="chemdner",
    title="CHEMDNER (HUNER)",
    type="named_entity_recognition",
    description="Read a sentence of a biomedical abstract and mark every mention of a chemical.",
    labels=("Chemical",),
    label_descriptions={
        "Chemical": (
            "a chemical compound, element, ion or family of compounds, named in full, abbreviated, by formula or by "
            "code, also as a part of a longer word, but not proteins, genetic material, water or mixtures, and not "
            "words that only say what a substance does or that it is one"
        ),
    },
    metric="entity_f1",
    topics=("chemical",),
    unit="example",
    sources=(
        Source(_FILES["train"], ("train",), _AT + _FILES["train"],
               git_blob="974b268ea34df92e00fae430af9767fec36e3625"),
        Source(_FILES["dev"], ("dev",), _AT + "devel.tsv",
               sha256="2d3a128192de5219510cfa083957352a70b110ef27bd0f3a59d6cc3f0861fb81"),
        Source(_FILES["test"], ("test",), _AT + _FILES["test"],
               git_blob="fe32798fca1c89e1cd326c392fcfb0b7846cda71"),
    ),
    rows={"dev": 8684},
    licence="unclear: none stated for the data",
    access="open",
    homepage="https://github.com/Aitslab/BioNLP",
    citation="""@article{krallinger2015chemdner,
  title = {The {CHEMDNER} corpus of chemicals and drugs and its annotation principles},
  author = {Krallinger, Martin and Rabal, Obdulia and Leitner, Florian and others},
  journal = {Journal of Cheminformatics},
  year = {2015}
}""",
    notes=(
        "This is HUNER's own partition of the whole corpus, not the official one: its test split holds abstracts "
        "of the official training set, so scores must not be compared with published CHEMDNER results.",
        "ClinGen's 14,522/12,430 sentences are another form.",
        "The form has no document identifiers, so the sentence is the unit and intervals are somewhat too narrow.",
    ),
    clingen_labels=("Chemical",),
)  # fmt: skip


def read(split: Split, files: RawFiles) -> Iterator[Example]:
    """Tokens with IOB tags, one sentence an example."""
    yield from iob(files, _FILES[split], TASK.labels[0])
