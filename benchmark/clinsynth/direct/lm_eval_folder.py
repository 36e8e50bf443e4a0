"""The folder that any lm-eval user includes: one small file a task, which names the class and the task."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from clinsynth import __version__
from clinsynth.core import TASKS, TASKS_DIR_VARIABLE, write_text
from clinsynth.data import DATA_VARIABLE
from clinsynth.llm import default_cache

GROUP = "clinsynth"


def lm_eval_name(task: str) -> str:
    """What lm-eval calls a task: ``clinsynth_ncbi_disease``."""
    return f"{GROUP}_{task.replace('-', '_')}"


def metadata(task: str, data_dir: Path | None, sample: bool) -> dict[str, Any]:
    """What a task's file says: where the data lies is absolute, for lm-eval is called from anywhere."""
    folder = str(data_dir.absolute()) if data_dir else os.environ.get(DATA_VARIABLE, "")
    where: Mapping[str, Any] = (
        {"clinsynth_sample": True} if sample else {"clinsynth_data_dir": folder} if folder else {}
    )
    return {"clinsynth_task": task, **where}


def write_folder(data_dir: Path | None, sample: bool, tasks: Sequence[str] = ()) -> Path:
    """Write the files of ``tasks`` (all registered ones by default) and give their folder.

    The folder's name follows from what is in it, so that folders for other data do not get into one another's way.
    """
    files = {f"{lm_eval_name(name)}.yaml": _file(name, metadata(name, data_dir, sample)) for name in tasks or TASKS}
    extra = os.environ.get(TASKS_DIR_VARIABLE, "")
    digest = hashlib.sha256(json.dumps([__version__, extra, sorted(files.items())]).encode()).hexdigest()[:16]
    folder = default_cache() / "lm-eval" / digest
    for name, text in files.items():
        if not (folder / name).is_file():
            write_text(folder / name, text)
    return folder


def _file(task: str, said: Mapping[str, Any]) -> str:
    # JSON is YAML; only the tag needs YAML's own form.
    return (
        f"task: {lm_eval_name(task)}\n"
        "class: !function clinsynth.direct.lm_eval_task.DirectTask\n"
        f"tag: {GROUP}\n"
        f"metadata: {json.dumps(said, sort_keys=True)}\n"
    )
