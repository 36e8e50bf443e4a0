"""Ward triage: how soon somebody must see the patient that a nurse writes about. Made up, to show a private task.

Try it without installing anything: this folder is both the tasks folder and the folder of the files.

    clinsynth prepare ward-triage --tasks-dir docs/examples/private_task --from docs/examples/private_task
"""

from collections.abc import Iterator

from clinsynth.core import Example, RawFiles, Source, Split, TaskSpec
from clinsynth.data.formats import json_fields, pick

_FILES = {"train": "train.jsonl", "test": "test.jsonl"}
_PRIORITY = {"now": "immediate", "today": "same-day", "plan": "routine"}
"""What the files say, and what the task's labels are called."""

TASK = TaskSpec(
    name="ward-triage",
    title="Ward triage (example)",
    type="text_classification",
    description="Read a nurse's message to the doctor on call and decide how soon the patient must be seen.",
    labels=("immediate", "same-day", "routine"),
    label_descriptions={
        "immediate": "the patient may come to harm within minutes unless somebody comes",
        "same-day": "the patient must be seen before the shift ends, but not at once",
        "routine": "a question or a task that can wait for the next ward round",
    },
    metric="macro_f1",
    also=("accuracy",),
    unit="example",
    # Neither address nor digest: these files are nobody else's. They are looked for under --from.
    sources=(Source(_FILES["train"], ("train",)), Source(_FILES["test"], ("test",))),
    rows={"train": 12, "test": 12},
    licence="not to leave the hospital (for this made-up example: Apache-2.0)",
    # credentialed: the prepared copy is readable by its owner alone, and error messages never quote the data.
    access="credentialed",
    homepage="https://example.org/ward-triage",
    apply="Ask the data office for train.jsonl and test.jsonl and put them into <folder>/ward-triage/.",
    citation="""@misc{wardtriage2026,
  title = {Ward triage: an example of a private task},
  author = {{The clinsynth authors}},
  year = {2026}
}""",
    notes=("Invented for the documentation: scores on it mean nothing.",),
)


def read(split: Split, files: RawFiles) -> Iterator[Example]:
    """One object a line, with the message under ``note`` and the answer under ``priority``."""
    path = _FILES[split]
    for line, row in json_fields(files, path, ("note", "priority")):
        yield Example((row["note"],), labels=(pick(_PRIORITY, row["priority"], path, line),))
