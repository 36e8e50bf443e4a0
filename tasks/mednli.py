"""MedNLI: inference on sentences of clinical notes. Needs PhysioNet credentials."""

from collections.abc import Iterator

from clinsynth.core import Example, RawFiles, Source, Split, TaskSpec
from clinsynth.data.formats import Numbering, json_fields, pick

TASK = TaskSpec(
    name="mednli",
    title="MedNLI",
    type="natural_language_inference",
    description="Read a sentence of a clinical note and a statement about the patient, and decide whether it follows.",
    labels=("entailment", "neutral", "contradiction"),
    label_descriptions={
        "entailment": "the hypothesis is definitely true of the patient, given the premise",
        "neutral": "the hypothesis may be true of the patient, but the premise does not settle it",
        "contradiction": "the hypothesis is definitely false of the patient, given the premise",
    },
    metric="accuracy",
    also=("macro_f1",),
    text_names=("premise", "hypothesis"),
    topics=("disease", "symptom", "chemical"),
    unit="document",
    sources=(
        Source("mli_train_v1.jsonl", ("train",)),
        Source("mli_dev_v1.jsonl", ("dev",)),
        Source("mli_test_v1.jsonl", ("test",)),
    ),
    rows={"train": 11232, "dev": 1395, "test": 1422},
    licence="PhysioNet Credentialed Health Data License 1.5.0",
    access="credentialed",
    homepage="https://physionet.org/content/mednli/1.0.0/",
    apply=(
        "Get credentialed access and sign the data use agreement at https://physionet.org/content/mednli/1.0.0/, then "
        "unzip mli_train_v1.jsonl, mli_dev_v1.jsonl and mli_test_v1.jsonl into <folder>/mednli/."
    ),
    citation="""@inproceedings{romanov2018mednli,
  title = {Lessons from Natural Language Inference in the Clinical Domain},
  author = {Romanov, Alexey and Shivade, Chaitanya},
  booktitle = {Proceedings of the 2018 Conference on Empirical Methods in Natural Language Processing},
  year = {2018}
}""",
    notes=(
        "Digests are not known here: the files are checked by their number of rows only.",
        "Several hypotheses were written for one premise: examples with the same premise are one unit.",
        "Derived from MIMIC-III: neither the text nor a model's output that quotes it may be passed on, and it may "
        "not be sent to an LLM service that the agreement does not allow.",
    ),
    clingen_labels=("entailment", "neutral", "contradiction"),
)


def read(split: Split, files: RawFiles) -> Iterator[Example]:
    """JSON Lines; the parse trees are left unread."""
    number = Numbering()
    labels = {label: label for label in TASK.labels}
    for line, row in json_fields(files, path := f"mli_{split}_v1.jsonl", ("sentence1", "sentence2", "gold_label")):
        label = pick(labels, row["gold_label"], path, line)
        yield Example((row["sentence1"], row["sentence2"]), labels=(label,), unit=number(row["sentence1"]))
