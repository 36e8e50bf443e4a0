"""One split, from its verified files to Arrow on disk."""

from __future__ import annotations

import traceback
from pathlib import Path

from clinsynth.data import arrow
from clinsynth.data.fetch import Files, MissingSourceError
from clinsynth.data.formats import ReadError, counting
from clinsynth.data.manifest import SplitFacts
from clinsynth.errors import UserError
from clinsynth.schema import Example, Split, Task
from clinsynth.task_types import task_type


def build_split(task: Task, split: Split, files: Files, folder: Path) -> SplitFacts:
    """Read, check, count and write a split. Raises ``UserError`` for bad files, ``MissingSourceError`` for absent."""
    with counting() as counts:
        examples = _read(task, split, files)
    expected = task.spec.rows.get(split)
    if expected is not None and len(examples) != expected:
        raise UserError(
            f"the {split} split of {task.spec.name} has another number of rows than was published",
            found=f"{len(examples):,}",
            expected=f"{expected:,}",
            remedy="check that the files are the published ones, whole and unchanged",
        )
    arrow.save(folder, examples)
    return SplitFacts(len(examples), arrow.fingerprint(examples), dict(sorted(counts.items())))


def _read(task: Task, split: Split, files: Files) -> list[Example]:
    """Run the reader and put every example through the checks that a submission's rows go through."""
    kind = task_type(task.spec)
    examples: list[Example] = []
    try:
        for example in task.read(split, files):
            fault = next(kind.faults(kind.encode(example), task.spec), None)
            if fault is not None:
                raise ReadError(f"example {len(examples) + 1} of {split}: {fault.reason}; expected {fault.expected}")
            examples.append(example)
    except (UserError, MissingSourceError):
        raise
    except Exception as error:
        problem = _describe(error, task)
    else:
        return examples
    # Raised out here so that no chained exception carries the data along.
    raise UserError(
        f"the {split} split of {task.spec.name} cannot be read",
        found=problem,
        remedy="check that the files are the published ones; otherwise this is a fault of the task's reader",
    )


def _describe(error: Exception, task: Task) -> str:
    if isinstance(error, ReadError):
        return str(error)
    frame = traceback.extract_tb(error.__traceback__)[-1]
    place = f"{type(error).__name__} at {Path(frame.filename).name}:{frame.lineno}"
    # The text of a KeyError or of int("...") quotes the data, which a data use agreement may forbid to print.
    return f"{place}: {error}" if task.spec.access == "open" else place
