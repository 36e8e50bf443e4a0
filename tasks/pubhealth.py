"""PUBHEALTH: whether a public-health claim is true."""

from collections.abc import Iterator

from clinsynth.core import Example, RawFiles, Source, Split, TaskSpec
from clinsynth.data.formats import Numbering, count, table

_AT = (
    "https://raw.githubusercontent.com/saswat01/Reproduce-Health_Fact_Checking/"
    "555bde1575361a7e3603b0681ec6b522c82cbff5/data/processed/"
)

TASK = TaskSpec(
    name="pubhealth",
    title="PUBHEALTH",
    type="fact_verification",
    description="Read a public-health claim and sentences of a news or fact-checking article, and give the verdict.",
    labels=("true", "false", "mixture", "unproven"),
    label_descriptions={
        "true": "the claim is right in what matters, as plain headlines of news reports mostly are",
        "false": "the claim is wrong in what matters",
        "mixture": "part of the claim is right and part is wrong or misleading, or it promises more than was shown",
        "unproven": "there is not enough evidence to call the claim right or wrong, as with many rumours",
    },
    metric="macro_f1",
    also=("accuracy",),
    text_names=("claim", "evidence"),
    topics=("disease", "chemical"),
    unit="claim",
    sources=(
        Source("pubhealth_train.csv", ("train",), _AT + "pubhealth_train.csv",
               git_blob="f87de790b6cfb2edaad5cc4e5dc25ddfd7d28e18"),
        Source("pubhealth_val.csv", ("dev",), _AT + "pubhealth_val.csv",
               sha256="05da32a2e69f3428edf8bd30003a1778e967d54054481ec4b234aafbd0c683e9"),
        Source("pubhealth_test.csv", ("test",), _AT + "pubhealth_test.csv",
               sha256="c5b25c4303315ca9283d48f32bbf595f6231ea4b8e800bb490c7c9be230813fa"),
    ),
    rows={"dev": 1214, "test": 1233},
    licence="MIT (data set); the repository of the processed files states none",
    access="open",
    homepage="https://github.com/neemakot/Health-Fact-Checking",
    citation="""@inproceedings{kotonya2020pubhealth,
  title = {Explainable Automated Fact-Checking for Public Health Claims},
  author = {Kotonya, Neema and Toni, Francesca},
  booktitle = {Proceedings of the 2020 Conference on Empirical Methods in Natural Language Processing (EMNLP)},
  year = {2020}
}""",
    notes=(
        "The evidence (top_k) is weak: by word overlap with the claim, the published selection of sentences is no "
        "better than a random one, so much of the verdict must come from the claim alone.",
        "Style tells much of the verdict: in dev, short claims with a full stop, as headlines of news agencies have, "
        "are true in 464 of 567 cases; evidence that speaks of 'the story' or 'the release' (220 of 1,214) marks a "
        "review of a report, whose mark is the verdict.",
        "The column explanation is the gold justification; it leaks the verdict and is not read.",
        "1 of 1,215 dev rows has shifted columns and is left out, as is any such row of train. "
        "One test claim also occurs in dev.",
        "ClinGen reports 9,804/1,231 rows, the original release 1,235 test rows, this form of it 1,233.",
    ),
    clingen_labels=("false", "unproven", "true", "mixture"),
)  # fmt: skip


def read(split: Split, files: RawFiles) -> Iterator[Example]:
    """Rows of the processed CSV whose label is one of the four."""
    number = Numbering()
    path = f"pubhealth_{'val' if split == 'dev' else split}.csv"
    for _, row in table(files, path, ("claim", "top_k", "label")):
        if row["label"] not in TASK.labels:
            count("row with shifted columns: left out")
            continue
        texts = row["claim"].strip(), row["top_k"].strip()
        if not all(texts):
            count("row with an empty claim or evidence: left out")
            continue
        yield Example(texts, labels=(row["label"],), unit=number(texts[0]))
