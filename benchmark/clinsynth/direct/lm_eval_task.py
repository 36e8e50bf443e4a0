"""The benchmark's tasks as lm-eval tasks, and the folder that lm-eval includes to know them.

``clinsynth lm-eval-path`` writes a folder of YAML files that each name ``DirectTask`` and a task; everything else comes
from the task's spec. ``num_fewshot`` counts examples per label, as everywhere in this benchmark.
"""

from __future__ import annotations

import hashlib
import importlib
import json
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from clinsynth import __version__
from clinsynth.core import TASKS, TASKS_DIR_VARIABLE, Example, Task, TaskSpec, write_text
from clinsynth.data import DATA_VARIABLE, ExampleStore, open_store
from clinsynth.direct import prompts
from clinsynth.direct.parsing import Finish, Parsed, parse
from clinsynth.direct.prompts import Shots
from clinsynth.llm import Mode, default_cache
from clinsynth.scoring import METRICS, Metric
from clinsynth.task_types import task_type

UNPARSABLE = "unparsable"
"""Metric: the share of answers that could not be read."""

_task: Any = importlib.import_module("lm_eval.api.task")


class DirectTask(_task.ConfigurableTask):
    """One task of the benchmark."""

    def __init__(self, config: Mapping[str, Any]) -> None:
        """``config["metadata"]`` holds ``clinsynth_task``, and ``clinsynth_sample`` or ``clinsynth_data_dir``."""
        said: dict[str, Any] = dict(config["metadata"])
        self.task: Task = TASKS[str(said["clinsynth_task"])]
        folder = said.get("clinsynth_data_dir")
        self.store: ExampleStore = open_store(Path(folder) if folder else None, bool(said.get("clinsynth_sample")))
        self.shots = Shots(self.store, self.task)
        self.mode: Mode = "completion"
        parent: Any = super()
        parent.__init__(config=_config(self.task, self.store, said))

    def fewshot_docs(self) -> None:
        """An empty list: demonstrations are the benchmark's own draw, not a sample by lm-eval."""

    def fewshot_context(
        self,
        doc: Mapping[str, Any],
        num_fewshot: int,
        system_instruction: str | None = None,
        apply_chat_template: bool = False,
        fewshot_as_multiturn: bool = False,
        chat_template: Callable[..., Any] | None = None,
        gen_prefix: str | None = None,
    ) -> Any:
        """The whole prompt: a conversation where a chat template is applied, else a text to go on with."""
        example = example_of(self.task.spec, doc)
        shots = self.shots.shown(example, num_fewshot)
        if not (apply_chat_template and chat_template):
            text = prompts.completion(self.task.spec, shots, example)
            return f"{system_instruction}\n\n{text}" if system_instruction else text
        messages = prompts.conversation(self.task.spec, shots, example)
        system = [{"role": "system", "content": system_instruction}] if system_instruction else []
        return chat_template([*system, *messages])

    def read(self, doc: Mapping[str, Any], text: str, finish: Finish = "unknown") -> Parsed:
        """An answer, read in the form that it was asked for in."""
        return parse(self.task.spec, example_of(self.task.spec, doc), text, finish, self._opening(doc))

    def _opening(self, doc: Mapping[str, Any]) -> str:
        spec = self.task.spec
        shown = self.shots.shown(example_of(spec, doc), int(self.config.num_fewshot or 0))
        return prompts.opening(spec, self.mode, shown)

    def construct_requests(self, doc: Mapping[str, Any], ctx: Any, **kwargs: Any) -> Any:
        """The request, with the stop of its mode."""
        self.mode = "chat" if kwargs.get("apply_chat_template") else "completion"
        parent: Any = super()
        instance: Any = parent.construct_requests(doc, ctx, **kwargs)
        context, settings = instance.arguments
        instance.arguments = (context, {**settings, "until": list(prompts.stops(self.mode, self._opening(doc)))})
        return instance

    def process_results(self, doc: Mapping[str, Any], results: Sequence[str]) -> dict[str, Any]:
        """Counts of each metric, which the aggregation adds up."""
        spec = self.task.spec
        example = example_of(spec, doc)
        parsed = self.read(doc, results[0])
        counted = {
            name: [int(count) for count in METRICS[name].count(spec, example, parsed.prediction)]
            for name in (spec.metric, *spec.also)
        }
        return {**counted, UNPARSABLE: float(parsed.failure is not None)}


def example_of(spec: TaskSpec, doc: Mapping[str, Any]) -> Example:
    """The example in a document of lm-eval."""
    return task_type(spec).decode(json.loads(doc["row"]))


def _config(task: Task, store: ExampleStore, said: Mapping[str, Any]) -> dict[str, Any]:
    """lm-eval's configuration of a task. Closures, since lm-eval copies it deeply."""
    spec, kind = task.spec, task_type(task.spec)

    def documents(**_: Any) -> dict[str, Any]:
        datasets: Any = importlib.import_module("datasets")
        # As JSON: lists of spans with names and numbers are no Arrow column. No unit: it is no part of the question.
        rows = [{"id": k, "row": json.dumps(kind.encode(e))} for k, e in enumerate(store.examples(task, "test"))]
        return {"test": datasets.Dataset.from_list(rows)}

    def asked(doc: Mapping[str, Any]) -> str:
        return prompts.question(spec, example_of(spec, doc), "chat")

    def answered(doc: Mapping[str, Any]) -> str:
        return prompts.answer(spec, example_of(spec, doc))

    measured = [
        {"metric": name, "aggregation": _aggregation(METRICS[name]), "higher_is_better": True}
        for name in (spec.metric, *spec.also)
    ]
    return {
        "task": lm_eval_name(spec.name),
        "custom_dataset": documents,
        "test_split": "test",
        "output_type": "generate_until",
        "process_results": "DirectTask.process_results",
        "doc_to_text": asked,
        "doc_to_target": answered,
        "metric_list": [*measured, {"metric": UNPARSABLE, "aggregation": _mean, "higher_is_better": False}],
        "generation_kwargs": {
            "until": list(prompts.stops("completion", "")),
            "max_gen_toks": prompts.max_tokens(spec),
            "temperature": 0.0,
            "do_sample": False,
        },
        "metadata": {**said, "version": spec.version, "form": prompts.FORM},
    }


def _aggregation(metric: Metric) -> Callable[[Sequence[Sequence[int]]], float]:
    """The harness's own metric of the counts of all examples."""

    def aggregate(counts: Sequence[Sequence[int]]) -> float:
        return float(metric.value(np.array(counts, dtype=np.int64).sum(axis=0)))

    return aggregate


def _mean(values: Sequence[float]) -> float:
    return float(np.mean(values))


GROUP = "clinsynth"


def lm_eval_name(task: str) -> str:
    """Name of a task in lm-eval, such as ``clinsynth_ncbi_disease``."""
    return f"{GROUP}_{task.replace('-', '_')}"


def metadata(task: str, data_dir: Path | None, sample: bool) -> dict[str, Any]:
    """Metadata in a task's file; the path of the data is absolute, since lm-eval is called from anywhere."""
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
