"""Writes a task module that works, with a sample of made-up rows, to start a task of one's own from."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from clinsynth.core import TASKS, Row, TaskTypeName, UserError, write_text

NAME = r"[a-z][a-z0-9-]{1,63}"
ROWS = {"train": 24, "test": 40}
"""What a sample has at least (docs/adding-a-task.md)."""


@dataclass(frozen=True, slots=True)
class _Form:
    """The parts that differ from type to type."""

    labels: tuple[str, ...]
    texts: tuple[str, ...] = ("text",)
    """Keys of the texts in a row."""
    target: str = "label"
    """Key of the answer."""
    metric: str = "macro_f1"
    more: str = ""
    """Further lines of the spec."""
    uses: str = "json_fields, pick"
    """Names that the reader imports from ``formats``."""


_FORMS: dict[TaskTypeName, _Form] = {
    "text_classification": _Form(("urgent", "routine"), target="labels", uses="json_lines"),
    "relation_extraction": _Form(
        ("relation", "no_relation"),
        more='    markers=("@GENE$", "@DISEASE$"),\n    topics=("gene", "disease"),\n',
    ),
    "natural_language_inference": _Form(("entailment", "contradiction"), ("premise", "hypothesis")),
    "fact_verification": _Form(("supports", "refutes"), ("claim", "evidence")),
    "sentence_similarity": _Form(("similar", "different"), ("text_a", "text_b")),
    "named_entity_recognition": _Form(("Disease",), target="entities", metric="entity_f1", uses="json_lines"),
    "attribute_extraction": _Form(
        ("Medication", "Dosage"), target="entities", metric="entity_f1", uses="json_lines"
    ),
}  # fmt: skip
_OPENINGS = {
    "train": ("On the morning round, bed {n}:", "The night nurse writes of bed {n}:", "From the ward book, page {n}:"),
    "test": ("A call about room {n}:", "Seen in the clinic as number {n}:", "Letter {n} of the general practice:"),
}

_MODULE = '''\
"""{title}: say here what the data are and where they come from."""

from collections.abc import Iterator

from clinsynth.core import Example, RawFiles, Source, {imports}Split, TaskSpec
from clinsynth.data.formats import {uses}

TASK = TaskSpec(
    name="{name}",
    title="{title}",
    type="{kind}",
    description="{description}",
    labels={labels},
    label_descriptions={{
{descriptions}    }},
    metric="{metric}",
{more}    # What is independent: document, claim, question or example.
    unit="example",
    # Neither address nor digest: the files are looked for under --from. Give sha256 to be told when one changes.
    sources=(Source("train.jsonl", ("train",)), Source("test.jsonl", ("test",))),
    licence="not to be passed on",
    # credentialed: the prepared copy is readable by its owner alone, and nothing quotes the data.
    access="credentialed",
    homepage="https://example.org/{name}",
    apply="Put train.jsonl and test.jsonl into <folder>/{name}/.",
    citation="""@misc{{{key},
  title = {{{title}}},
  author = {{The owners of the data}},
  year = {{2026}}
}}""",
)


def read(split: Split, files: RawFiles) -> Iterator[Example]:
    """{reader_says}"""
    path = f"{{split}}.jsonl"
{body}'''

_LABEL_BODY = """\
    labels = {{label: label for label in TASK.labels}}
    for line, row in json_fields(files, path, ({keys}, "label")):
        yield Example(({texts}), labels=(pick(labels, row["label"], path, line),))
"""
_LIST_BODY = """\
    for _, row in json_lines(files, path):
        yield Example((row["text"],), labels=tuple(sorted(row["labels"])))
"""
_SPAN_BODY = """\
    for _, row in json_lines(files, path):
        # Offsets count characters from 0; end is one past the last.
        spans = sorted(Span(entity["start"], entity["end"], entity["label"]) for entity in row["entities"])
        yield Example((row["text"],), spans=tuple(spans))
"""


def new_task(name: str, kind: TaskTypeName, folder: Path, labels: Sequence[str] = ()) -> tuple[Path, ...]:
    """Write ``<name>.py`` and its sample into a folder of tasks.

    The reader reads rows in the form of a submission, and the sample is in that form: what is written can be prepared
    as it stands.

    Args:
        name: as commands will write it.
        kind: one of the seven types.
        folder: made if need be.
        labels: names of labels or entity types; a few to replace if there are none.

    Returns:
        The files that were written.

    Raises:
        UserError: the name is taken or cannot be one, or labels are too few or not different.
    """
    module = folder / f"{name.replace('-', '_')}.py"
    samples = {split: folder / "samples" / name / f"{split}.jsonl" for split in ROWS}
    if not re.fullmatch(NAME, name):
        raise UserError(f"{name!r} cannot name a task", expected="2 to 64 of a-z, 0-9 and -, a letter first")
    if name in TASKS:
        raise UserError(f"there is a task {name}", remedy="choose another name")
    for path in (module, *samples.values()):
        if path.exists():
            raise UserError(f"{path} exists", remedy="choose another name or folder; nothing was overwritten")
    form = _FORMS[kind]
    own = tuple(labels) or form.labels
    if len(set(own)) != len(own) or len(own) < (1 if form.target == "entities" else 2):
        raise UserError("these cannot be the labels", found=", ".join(own), expected="different names, two or more")
    if any(not label.strip() or len(label) > 60 or not label.isprintable() for label in own):
        raise UserError("these cannot be the labels", expected="short printable names")
    write_text(module, _source(name, kind, form, own))
    for split, path in samples.items():
        count = max(ROWS[split], 4 * len(own))
        write_text(path, "".join(json.dumps(_row(form, own, split, n)) + "\n" for n in range(count)))
    return (module, *samples.values())


def _source(name: str, kind: TaskTypeName, form: _Form, labels: tuple[str, ...]) -> str:
    title = name.replace("-", " ").capitalize()
    keys = ", ".join(f'"{key}"' for key in form.texts)
    spans = form.target == "entities"
    body = _SPAN_BODY if spans else _LIST_BODY if form.target == "labels" else _LABEL_BODY
    more = form.more + (f"    text_names=({keys}),\n" if len(form.texts) > 1 else "")
    if form.metric != "entity_f1":
        more = '    also=("accuracy",),\n' + more
    if body is _LABEL_BODY:
        texts = ", ".join(f'row["{key}"]' for key in form.texts)
        body = body.format(keys=keys, texts=texts if len(form.texts) > 1 else f"{texts},")
    what = "find what is named in it" if spans else "decide which label it has"
    descriptions = (f"        {json.dumps(label)}: {json.dumps(f'what {label} means')},\n" for label in labels)
    return _MODULE.format(
        title=title, name=name, kind=kind, uses=form.uses, imports="Span, " if spans else "",
        key=f"{name.replace('-', '')}2026", description=f"Read what is written and {what}.",
        labels=_tuple(labels), metric=form.metric, more=more, descriptions="".join(descriptions),
        reader_says="One object per line, in the form of a submission's row.", body=body,
    )  # fmt: skip


def _tuple(names: Sequence[str]) -> str:
    inside = ", ".join(json.dumps(name) for name in names)
    return f"({inside},)" if len(names) == 1 else f"({inside})"


def _row(form: _Form, labels: tuple[str, ...], split: str, n: int) -> Row:
    """A made-up row whose words give its label away: enough to see that everything works."""
    label = labels[n % len(labels)]
    opening = _opening(split, n)
    word = re.sub(r"[^\w]+", " ", label).strip().lower() or "it"
    if form.target == "entities":
        mention = f"{word} {n + 1}"
        start = len(opening) + 1
        text = f"{opening} {mention} was noted and written down."
        return {"text": text, "entities": [{"start": start, "end": start + len(mention), "label": label}]}
    if "markers" in form.more:
        return {"text": f"{opening} @GENE$ and @DISEASE$, which speaks for {word}.", "label": label}
    if len(form.texts) == 2:
        first, second = f"{opening} the cough has gone.", f"{opening} this was checked, which speaks for {word}."
        return {form.texts[0]: first, form.texts[1]: second, "label": label}
    return {"text": f"{opening} the team agrees that this is {word}.", "labels": [label]}


def _opening(split: str, n: int) -> str:
    openings = _OPENINGS[split]
    return openings[n % len(openings)].format(n=n + 1)
