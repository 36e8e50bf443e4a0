"""CASI medication attributes (Agrawal et al. 2022). Terms must be accepted."""

import ast
from collections.abc import Iterator, Sequence
from typing import Any, cast

from clinsynth.core import Example, RawFiles, Source, Span, Split, TaskSpec
from clinsynth.data.formats import count, fault, table

_FILES = {"train": "medication_attr_validation.csv", "test": "medication_attr_test.csv"}

TASK = TaskSpec(
    name="casi",
    title="CASI medication attributes",
    type="attribute_extraction",
    description="Read a snippet of a clinical note and mark each medication with its dosage, route and so on.",
    labels=("Medication", "Dosage", "Route", "Frequency", "Reason", "Duration"),
    label_descriptions={
        "Medication": "the name of a drug, generic or brand, or of a drug class that the patient takes",
        "Dosage": "how much is taken each time, as a strength, a count or a volume",
        "Route": "by which way it enters the body or where it is applied",
        "Frequency": "how often or when it is taken",
        "Reason": "the condition or symptom that it is taken for",
        "Duration": "for how long or until when it is taken",
    },
    metric="entity_f1",
    topics=("chemical",),
    unit="example",
    sources=(Source(_FILES["train"], ("train",)), Source(_FILES["test"], ("test",))),
    rows={"train": 5, "test": 100},
    licence="terms to be accepted at the data set's page",
    access="registration",
    homepage="https://huggingface.co/datasets/mitclinicalml/clinical-ie",
    apply=(
        "Accept the terms at https://huggingface.co/datasets/mitclinicalml/clinical-ie and save the configuration "
        f"medication_attr as <folder>/casi/{_FILES['train']} and <folder>/casi/{_FILES['test']} "
        "(CSV with the columns snippet and annotations)."
    ),
    citation="""@inproceedings{agrawal2022clinical,
  title = {Large Language Models are Few-Shot Clinical Information Extractors},
  author = {Agrawal, Monica and Hegselmann, Stefan and Lang, Hunter and Kim, Yoon and Sontag, David},
  booktitle = {Proceedings of the 2022 Conference on Empirical Methods in Natural Language Processing},
  year = {2022}
}""",
    notes=(
        "The form read is the medication_attr configuration: annotations is the text of a Python list of "
        "[start, end, label, ...]; it was known to us from code that reads it, never from the data.",
        "A published label carries one extra character of unknown meaning, which is dropped.",
        "Of overlapping spans the longer is kept. 100 test snippets: intervals are wide.",
        "The 5 published development snippets serve as train.",
    ),
    clingen_labels=("Medication", "Dosage", "Route", "Frequency", "Reason", "Duration"),
)


def read(split: Split, files: RawFiles) -> Iterator[Example]:
    """Snippets with character spans."""
    for line, row in table(files, path := _FILES[split], ("snippet", "annotations")):
        try:
            # Literals only: nothing in the file can run.
            given = cast("Sequence[Sequence[Any]]", ast.literal_eval(row["annotations"]))
            spans = [_span(int(item[0]), int(item[1]), str(item[2]), row["snippet"]) for item in given]
        except (ValueError, SyntaxError, TypeError, IndexError):
            raise fault(path, line, "annotations is not a list of [start, end, label, ...]") from None
        kept: list[Span] = []
        for span in sorted(spans, key=lambda s: (s.start - s.end, s.start)):
            if all(span.end <= other.start or other.end <= span.start for other in kept):
                kept.append(span)
            else:
                count("span that overlaps a longer one: left out")
        yield Example((row["snippet"],), spans=tuple(sorted(kept)))


def _span(start: int, end: int, label: str, text: str) -> Span:
    part = text[start:end]
    start, end = start + len(part) - len(part.lstrip()), start + len(part.rstrip())
    return Span(start, end, label if label in TASK.labels else label[:-1])
