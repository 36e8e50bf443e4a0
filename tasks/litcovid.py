"""LitCovid: the topics of an article on COVID-19 (BioCreative VII, track 5)."""

from collections.abc import Iterator

from clinsynth.core import Example, RawFiles, Source, Split, TaskSpec
from clinsynth.data.formats import table

_AT = (
    "https://raw.githubusercontent.com/BIDS-Xu-Lab/Biomedical-NLP-Benchmarks/e607a812d87df151f310a9dd3677cfc21924f192"
    "/benchmarks/%5BMLC%5DLitCovid/datasets/full_set/"
)

TASK = TaskSpec(
    name="litcovid",
    title="LitCovid",
    type="text_classification",
    description="Read the title and abstract of an article on COVID-19 and name all of its topics.",
    labels=(
        "Case Report", "Diagnosis", "Epidemic Forecasting", "Mechanism", "Prevention", "Transmission", "Treatment",
    ),
    label_descriptions={
        "Case Report": "describes the course of one patient or of a few individual patients",
        "Diagnosis": "assesses the disease by symptoms, laboratory tests or imaging",
        "Epidemic Forecasting": "models or predicts the spread and the number of cases in a population",
        "Mechanism": "explains the biology: virus, host cells, immune response, possible drug targets",
        "Prevention": "is about control, prevention and management of the disease in a population",
        "Transmission": "is about how, where and how easily the virus passes from host to host",
        "Treatment": "is about therapies, the development of drugs and vaccines, and the outcome of treated patients",
    },
    metric="macro_f1",
    also=("micro_f1",),
    multi_label=True,
    topics=("disease", "symptom"),
    unit="document",
    sources=(
        Source("train.tsv", ("train",), _AT + "train.tsv", git_blob="5a2ba03f8f7b56640f6fb1c472e46d6ce5470d35"),
        Source("dev.tsv", ("dev",), _AT + "dev.tsv", git_blob="0615a04e9b06e89bedd3a95d79a825a1f74b1ff5"),
        Source(
            "test.tsv", ("test",), _AT + "test.tsv",
            sha256="c6377364bcb67ce0907903a6b8ebae6fed6b912d76ffca589afd418403fa95b5",
        ),
    ),
    rows={"test": 2500},
    licence="none stated for the corpus (PubMed titles and abstracts); the repository is Apache-2.0",
    access="open",
    homepage="https://github.com/BIDS-Xu-Lab/Biomedical-NLP-Benchmarks",
    citation="""@article{chen2022litcovid,
  title = {Multi-label classification for biomedical literature: an overview of the {BioCreative VII LitCovid} Track
           for {COVID-19} literature topic annotations},
  author = {Chen, Qingyu and Allot, Alexis and Leaman, Robert and others},
  journal = {Database},
  year = {2022}
}""",
    notes=(
        "ClinGen reports 24,960/6,238 rows; its test set looks like the official dev split, so its scores compare "
        "with ours on the official test split only in kind.",
    ),
    clingen_labels=(
        "Epidemic Forecasting", "Treatment", "Prevention", "Mechanism", "Case Report", "Transmission", "Diagnosis",
    ),
)  # fmt: skip


def read(split: Split, files: RawFiles) -> Iterator[Example]:
    """Rows of a quoted TSV file with the labels joined by semicolons."""
    for _, row in table(files, f"{split}.tsv", ("pmid", "text", "labels"), delimiter="\t"):
        yield Example((row["text"],), labels=tuple(sorted(row["labels"].split(";"))), unit=row["pmid"])
