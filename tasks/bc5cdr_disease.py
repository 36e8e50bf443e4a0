"""BC5CDR, diseases: every mention of a disease in a sentence."""

from collections.abc import Iterator

from clinsynth.core import Example, RawFiles, Source, Split, TaskSpec
from clinsynth.data import documents_by_text
from clinsynth.data.formats import iob, pubtator

_AT = (
    "https://raw.githubusercontent.com/cambridgeltl/MTL-Bioinformatics-2016/"
    "df0df02fae6dbb87d88ffcf323b9096528f06f84/data/BC5CDR-disease-IOB/"
)
_FILES = {"train": "train.tsv", "dev": "devel.tsv", "test": "test.tsv"}
_DOCUMENTS_AT = (
    "https://raw.githubusercontent.com/JHnlp/BioCreative-V-CDR-Corpus/3a4ab7038d97b46ebd5298700ce4f34390c7ec82/"
)
_DOCUMENTS = {"train": "CDR_TrainingSet.PubTator.txt", "dev": "CDR_DevelopmentSet.PubTator.txt",
              "test": "CDR_TestSet.PubTator.txt"}  # fmt: skip
"""The same corpus by abstract: it says which sentences belong together."""

TASK = TaskSpec(
    name="bc5cdr-disease",
    title="BC5CDR-Disease",
    type="named_entity_recognition",
    description="Read a sentence of a biomedical abstract and mark every mention of a disease.",
    labels=("Disease",),
    label_descriptions={
        "Disease": (
            "a named disease, symptom or sign, the harm done to an organ or function, an injury or poisoning, in full"
            " or abbreviated, also before another noun, but not words for unwanted effects or complaints in general"
        ),
    },
    metric="entity_f1",
    topics=("disease",),
    unit="document",
    sources=(
        Source(_FILES["train"], ("train",), _AT + _FILES["train"],
               sha256="d630dafe7dd67e21350cc3278dbdcfadcccbb2b63d0fda83b2427853988e5ad9"),
        Source(_FILES["dev"], ("dev",), _AT + "devel.tsv",
               sha256="8c3af95475029c2100c2b7c0108b2715bc700ac198c7a21d587f11f1d06b17bd"),
        Source(_FILES["test"], ("test",), _AT + _FILES["test"],
               sha256="a530bf9e17a4122b101b09cedd5f3cf8e6307d6a0093146c33b8de2e69ec0fa3"),
        Source(_DOCUMENTS["train"], ("train",), _DOCUMENTS_AT + _DOCUMENTS["train"], task="cdr",
               sha256="7afcec134e3d4871e74b0398d92850d3c9ac94c0bdc780003f2d60184c012bd8"),
        Source(_DOCUMENTS["dev"], ("dev",), _DOCUMENTS_AT + _DOCUMENTS["dev"], task="cdr",
               sha256="9e18d8e700168887a7919e62f67ac2ce2357e3f409a48ee992906abdd80fe3e5"),
        Source(_DOCUMENTS["test"], ("test",), _DOCUMENTS_AT + _DOCUMENTS["test"], task="cdr",
               sha256="a3c48d5f35bdfce20c2371778abedc9fd24d1da092207072e5181ad53c8d0e2f"),
    ),
    rows={"train": 4560, "dev": 4581, "test": 4797},
    licence="CC BY 4.0",
    access="open",
    homepage="https://github.com/cambridgeltl/MTL-Bioinformatics-2016",
    citation="""@article{li2016cdr,
  title = {{BioCreative V CDR} task corpus: a resource for chemical disease relation extraction},
  author = {Li, Jiao and Sun, Yueping and Johnson, Robin J. and Sciaky, Daniela and Wei, Chih-Hsuan and
            Leaman, Robert and Davis, Allan Peter and Mattingly, Carolyn J. and Wiegers, Thomas C. and Lu, Zhiyong},
  journal = {Database},
  year = {2016}
}""",
    notes=(
        "The usual BLURB and BioBERT form; ClinGen's 4,882/5,085 sentences come from another segmentation.",
        "19 of 4,797 test sentences also stand in train or dev.",
        "The form has no document identifiers: the abstract of a sentence, which is its unit, is found in the PubTator "
        "files of task cdr. All sentences have one: 500 abstracts in each split.",
    ),
    clingen_labels=("Disease",),
    version=2,
)  # fmt: skip


def read(split: Split, files: RawFiles) -> Iterator[Example]:
    """Tokens with IOB tags, one sentence an example; its unit is the PubMed identifier of its abstract."""
    documents = {article.pmid: article.text for article in pubtator(files, _DOCUMENTS[split])}
    yield from documents_by_text(iob(files, path := _FILES[split], TASK.labels[0]), documents, path)
