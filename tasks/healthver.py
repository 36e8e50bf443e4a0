"""HealthVer: whether a piece of scientific evidence bears out a claim on COVID-19."""

from collections.abc import Iterator

from clinsynth.core import Example, RawFiles, Source, Split, TaskSpec
from clinsynth.data.formats import Numbering, pick, table

_AT = "https://raw.githubusercontent.com/sarrouti/HealthVer/b20ac99ceed62f5264a319fa25a854df1668d85b/data/"

TASK = TaskSpec(
    name="healthver",
    title="HealthVer",
    type="fact_verification",
    description="Read a claim on COVID-19 and a passage of a scientific article, and decide what it says of the claim.",
    labels=("supports", "refutes", "neutral"),
    label_descriptions={
        "supports": "the evidence bears the claim out, at least in part",
        "refutes": "the evidence contradicts the claim, at least in part, or says that nothing is known to bear it out",
        "neutral": "the evidence shares the topic with the claim but says nothing for or against it",
    },
    metric="macro_f1",
    also=("accuracy",),
    text_names=("claim", "evidence"),
    topics=("disease", "chemical"),
    unit="claim",
    sources=(
        Source("healthver_train.csv", ("train",), _AT + "healthver_train.csv",
               git_blob="7eded1f712404b7a846cad8f15956129272a034f"),
        Source("healthver_dev.csv", ("dev",), _AT + "healthver_dev.csv",
               sha256="6f8ea31cbcf2ea5a2d3c82d65587d66e96de4f70e72642bbf7f61fec6ef8a93a"),
        Source("healthver_test.csv", ("test",), _AT + "healthver_test.csv",
               sha256="cf457d2dcddd7a736408082d0037527884f7ca3bda06729e1da5ec9e3b135819"),
    ),
    rows={"dev": 1917, "test": 1823},
    licence="none stated",
    access="open",
    homepage="https://github.com/sarrouti/HealthVer",
    citation="""@inproceedings{sarrouti2021healthver,
  title = {Evidence-based Fact-Checking of Health-related Claims},
  author = {Sarrouti, Mourad and Ben Abacha, Asma and Mrabet, Yassine and Demner-Fushman, Dina},
  booktitle = {Findings of the Association for Computational Linguistics: EMNLP 2021},
  year = {2021}
}""",
    notes=(
        "The file has 1,823 test rows, ClinGen reports 1,824: a counted header line would explain it.",
        "129 test rows repeat the claim and evidence of another test row; all are kept.",
        "230 claims stand behind the 1,823 test rows: the claim is the unit, and intervals are wide.",
    ),
    clingen_labels=("refutes", "neutral", "supports"),
)  # fmt: skip


def read(split: Split, files: RawFiles) -> Iterator[Example]:
    """Rows of the official CSV."""
    number = Numbering()
    labels = {label.title(): label for label in TASK.labels}
    for line, row in table(files, path := f"healthver_{split}.csv", ("claim", "evidence", "label")):
        claim, label = row["claim"].strip(), pick(labels, row["label"].strip(), path, line)
        yield Example((claim, row["evidence"].strip()), labels=(label,), unit=number(claim))
