"""Medical Question Pairs: whether two patients ask the same."""

import hashlib
from collections.abc import Iterator

from clinsynth.core import Example, RawFiles, Source, Split, TaskSpec
from clinsynth.data.formats import Numbering, pick, table

TRAIN_QUESTIONS = 524
"""Of 1,524; with two pairs each, 1,048 training and 2,000 test rows."""

TASK = TaskSpec(
    name="mqp",
    title="Medical Question Pairs",
    type="sentence_similarity",
    description="Read two questions of patients and decide whether an answer to one would answer the other.",
    labels=("similar", "different"),
    label_descriptions={
        "similar": "the same question in other words: one answer serves both",
        "different": "related in topic or wording, yet the answers would differ",
    },
    metric="accuracy",
    also=("f1",),
    negative_label="different",
    text_names=("first question", "second question"),
    topics=("disease", "symptom", "chemical"),
    unit="question",
    sources=(
        Source(
            "mqp.csv", ("train", "test"),
            "https://raw.githubusercontent.com/curai/medical-question-pair-dataset/"
            "6c7f7fd7a53cedc6fec105c0c6cb78f2e9a82cd1/mqp.csv",
            sha256="94ecd609a9ca9350e1cff2438aa55a034762f01c1a68732aaae3e4be7b03cf57",
        ),
    ),
    rows={"train": 1048, "test": 2000},
    licence="none stated",
    access="open",
    homepage="https://github.com/curai/medical-question-pair-dataset",
    citation="""@inproceedings{mccreery2020effective,
  title = {Effective Transfer Learning for Identifying Similar Questions: Matching User Questions to {COVID-19} {FAQs}},
  author = {McCreery, Clara H. and Katariya, Namit and Kannan, Anitha and Chablani, Manish and Amatriain, Xavier},
  booktitle = {Proceedings of the 26th ACM SIGKDD International Conference on Knowledge Discovery and Data Mining},
  year = {2020}
}""",
    notes=(
        "No official split exists. Ours keeps both pairs of a first question together: the 1,524 first questions are "
        "ranked by the sha256 of their text, the first 524 are train, the other 1,000 are test.",
        "ClinGen splits 10/3,033 and does not record which rows are the ten, so scores do not compare.",
    ),
    clingen_labels=("different", "similar"),
)  # fmt: skip


def read(split: Split, files: RawFiles) -> Iterator[Example]:
    """Rows of our own split, in published order."""
    columns = ("dr_id", "question_1", "question_2", "label")
    rows = list(table(files, "mqp.csv", columns, header=False))
    questions = sorted({row["question_1"] for _, row in rows}, key=lambda q: hashlib.sha256(q.encode()).digest())
    chosen = set(questions[:TRAIN_QUESTIONS] if split == "train" else questions[TRAIN_QUESTIONS:])
    number = Numbering()
    for line, row in rows:
        if row["question_1"] in chosen:
            label = pick({"1": "similar", "0": "different"}, row["label"], "mqp.csv", line)
            yield Example((row["question_1"], row["question_2"]), labels=(label,), unit=number(row["question_1"]))
