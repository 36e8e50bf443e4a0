"""MEDIQA 2019 NLI: a second test set for models trained on MedNLI. Needs PhysioNet credentials."""

from collections.abc import Iterator

from clinsynth.core import Example, RawFiles, Source, Split, TaskSpec
from clinsynth.data.formats import Numbering, fault, json_fields, pick, table

_TEXTS = "mednli_bionlp19_shared_task.jsonl"
_LABELS = "mednli_bionlp19_shared_task_ground_truth.csv"

TASK = TaskSpec(
    name="mediqa-nli",
    title="MEDIQA-NLI",
    type="natural_language_inference",
    description="Read a sentence of a clinical note and a statement about the patient, and decide whether it follows.",
    labels=("entailment", "neutral", "contradiction"),
    label_descriptions={
        "entailment": "the hypothesis must hold for the patient if the premise does",
        "neutral": "the premise leaves open whether the hypothesis holds for the patient",
        "contradiction": "the hypothesis cannot hold for the patient if the premise does",
    },
    metric="accuracy",
    also=("macro_f1",),
    text_names=("premise", "hypothesis"),
    topics=("disease", "symptom", "chemical"),
    unit="document",
    sources=(Source(_TEXTS, ("test",)), Source(_LABELS, ("test",))),
    rows={"test": 405},
    licence="PhysioNet Credentialed Health Data License",
    access="credentialed",
    homepage="https://physionet.org/content/mednli-bionlp19/1.0.1/",
    apply=(
        "Get credentialed access and sign the data use agreement at "
        f"https://physionet.org/content/mednli-bionlp19/1.0.1/, then unzip {_TEXTS} and {_LABELS} "
        "into <folder>/mediqa-nli/."
    ),
    citation="""@inproceedings{benabacha2019mediqa,
  title = {Overview of the {MEDIQA} 2019 Shared Task on Textual Inference, Question Entailment and Question Answering},
  author = {Ben Abacha, Asma and Shivade, Chaitanya and Demner-Fushman, Dina},
  booktitle = {Proceedings of the 18th BioNLP Workshop and Shared Task},
  year = {2019}
}""",
    notes=(
        "Test only: the shared task trained on MedNLI, so there is neither a real training set nor a few-shot source.",
        "Examples with the same premise are one unit.",
        "Derived from MIMIC-III, like MedNLI, and under the same restrictions.",
    ),
    clingen_labels=("entailment", "neutral", "contradiction"),
)


def read(split: Split, files: RawFiles) -> Iterator[Example]:
    """Pairs without labels, joined with the ground truth by pair identifier."""
    labels = {label: label for label in TASK.labels}
    truth = {
        row["pair_id"]: pick(labels, row["label"], _LABELS, line)
        for line, row in table(files, _LABELS, ("pair_id", "label"))
    }
    number = Numbering()
    for line, row in json_fields(files, _TEXTS, ("pairID", "sentence1", "sentence2")):
        if row["pairID"] not in truth:
            raise fault(_TEXTS, line, f"its pairID is not in {_LABELS}")
        texts = (row["sentence1"], row["sentence2"])
        yield Example(texts, labels=(truth[row["pairID"]],), unit=number(texts[0]))
