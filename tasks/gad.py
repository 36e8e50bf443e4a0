"""GAD: whether a sentence reports on an association of a gene and a disease."""

from collections.abc import Iterator

from clinsynth.core import Example, RawFiles, Source, Split, TaskSpec
from clinsynth.data.formats import Numbering, json_fields, pick

_AT = (
    "https://raw.githubusercontent.com/luka-group/NLI_as_Indirect_Supervision/"
    "5aa4e6af98bbb02d162376785ae46b50d87cb04a/data/GAD_hf/"
)

TASK = TaskSpec(
    name="gad",
    title="GAD",
    type="relation_extraction",
    description="Read a sentence with a marked gene and disease and decide whether it reports on their association.",
    labels=("no_relation", "relation"),
    label_descriptions={
        "no_relation": (
            "what is reported concerns another gene, another disease or a measured trait, while one of the two marked"
            " names is only part of a longer expression, tells who was studied, or is mentioned in passing"
        ),
        "relation": (
            "whether the gene, or a variant of it, goes with the disease is what is reported, no matter if it does, "
            "may do so, or does not"
        ),
    },
    metric="macro_f1",
    also=("f1", "accuracy"),
    negative_label="no_relation",
    markers=("@GENE$", "@DISEASE$"),
    topics=("gene", "disease"),
    unit="example",
    sources=(
        Source("train.json", ("train",), _AT + "train.json",
               sha256="d6670fe689adebf850ec22fc598e066c5be0312fd5f627ba21a3f47bfe630ff3"),
        Source("dev.json", ("dev",), _AT + "dev.json",
               sha256="bc2841a6c8d4dcea0de611f965a24fbb2d383148d5d26df9855f6043098f5c63"),
        Source("test.json", ("test",), _AT + "test.json",
               sha256="9d0f7afc516c38112306cfcf26613d0d8e2d23d7e9f1a8d7a2a8bf3f75e35911"),
    ),
    rows={"train": 4261, "dev": 535, "test": 534},
    licence="CC BY 4.0 according to bigbio; the repository of the files states none",
    access="open",
    homepage="https://github.com/luka-group/NLI_as_Indirect_Supervision",
    citation="""@article{bravo2015extraction,
  title = {Extraction of relations between genes and diseases from text and large-scale data analysis: implications
           for translational research},
  author = {Bravo, {\\`A}lex and Pi{\\~n}ero, Janet and Queralt-Rosinach, N{\\'u}ria and Rautschka, Michael and
            Furlong, Laura I.},
  journal = {BMC Bioinformatics},
  year = {2015}
}""",
    notes=(
        "This is the BLURB split; ClinGen's 4,750/350 rows are another.",
        "8 of 534 test sentences also stand in train or dev; 26 test rows repeat the text of another test row.",
        "Rows with the same text share a unit; document identifiers were not published.",
        "The corpus was made from a database of studies of one gene and one disease: a denied association counts as "
        "relation. Of 1,306 training sentences with a negation 58 % are relation, of all 52 %; of 138 with 'the "
        "@DISEASE$ of' and 51 with '@GENE$ @DISEASE$' one is.",
        "About half of the no_relation sentences cannot be told from relation by reading (docs/tasks.md).",
    ),
    clingen_labels=("relation", "no_relation"),
    version=2,
)  # fmt: skip


def read(split: Split, files: RawFiles) -> Iterator[Example]:
    """JSON Lines with the mentions already replaced by the markers."""
    number = Numbering()
    for line, row in json_fields(files, path := f"{split}.json", ("sentence", "label")):
        label = pick({"0": "no_relation", "1": "relation"}, row["label"], path, line)
        yield Example((row["sentence"],), labels=(label,), unit=number(row["sentence"]))
