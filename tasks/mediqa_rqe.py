"""MEDIQA-RQE: whether an answered question answers a consumer's question too."""

import xml.etree.ElementTree as ET
from collections.abc import Iterator

from clinsynth.core import Example, RawFiles, Source, Split, TaskSpec
from clinsynth.data.formats import Numbering, collapse, count

_AT = "https://raw.githubusercontent.com/abachaa/RQE_Data_AMIA2016/9302fb9a55a437944ba6ce21a30023463a94a136/"
_FILES = {"train": "RQE_Train_8588_AMIA2016.xml", "test": "RQE_Test_302_pairs_AMIA2016.xml"}

TASK = TaskSpec(
    name="mediqa-rqe",
    title="MEDIQA-RQE",
    type="natural_language_inference",
    description="Read a consumer's health question and a frequent question, and decide whether the first entails it.",
    labels=("entailment", "not_entailment"),
    label_descriptions={
        "entailment": "every answer to the frequent question also answers the consumer's question, wholly or in part",
        "not_entailment": "answers to the frequent question do not answer what the consumer asks",
    },
    metric="accuracy",
    also=("macro_f1",),
    text_names=("consumer question", "frequent question"),
    topics=("disease", "symptom", "chemical"),
    unit="question",
    sources=(
        Source(_FILES["train"], ("train",), _AT + _FILES["train"],
               sha256="4729784635c1e9a07d06c91a5efb50bad298758c51705dbf6c7dabcd87adc854"),
        Source(_FILES["test"], ("test",), _AT + _FILES["test"],
               sha256="0d7d97c8858971edfafad578d39e739129dad33a94cb690277f79f1b1d1b4e80"),
    ),
    rows={"train": 8587, "test": 302},
    licence="CC BY 4.0",
    access="open",
    homepage="https://github.com/abachaa/RQE_Data_AMIA2016",
    citation="""@inproceedings{benabacha2016rqe,
  title = {Recognizing Question Entailment for Medical Question Answering},
  author = {Ben Abacha, Asma and Demner-Fushman, Dina},
  booktitle = {AMIA Annual Symposium Proceedings},
  year = {2016}
}""",
    notes=(
        "The 302 pairs are the AMIA 2016 test set, which ClinGen uses too; MEDIQA 2019 used them for validation and "
        "had another test set.",
        "One of the 8,588 training pairs has an empty question and is left out.",
        "7 of the 302 test pairs repeat another; the 302 pairs come from 118 consumer questions, which are the units.",
        "White space is collapsed.",
        "Word overlap alone nearly gives the training labels away, not those of the test set: content words in common "
        "over those of the shorter question have an AUC of .996 in train and .773 in test (docs/tasks.md).",
        "In train, 1,454 of 8,587 pairs are identical, and 50 questions are the second one of 3,149 of the 3,933 pairs "
        "without entailment.",
    ),
    clingen_labels=("not_entailment", "entailment"),
)  # fmt: skip


def read(split: Split, files: RawFiles) -> Iterator[Example]:
    """``<pair value="true|false"><chq/><faq/></pair>``."""
    with files.open(_FILES[split]) as stream:
        pairs = ET.fromstring(stream.read().encode()).iter("pair")  # noqa: S314  pinned by digest
    number = Numbering()
    for pair in pairs:
        texts = collapse(pair.findtext("chq", "")), collapse(pair.findtext("faq", ""))
        if not all(texts):
            count("pair with an empty question: left out")
            continue
        label = {"true": "entailment", "false": "not_entailment"}[pair.attrib["value"]]
        yield Example(texts, labels=(label,), unit=number(texts[0]))
