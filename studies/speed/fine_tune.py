"""How much faster a run is than transformers' Trainer, at the same score, on this machine.

    python -m studies.speed.fine_tune [--data-dir DIR | --sample] [--task ncbi-disease] [--steps N] [--pairs 3]
        [--json FILE]

Against three ways to use the Trainer: ``trainer``, as a careful user sets it: batches padded to their longest text,
texts of like length together, fused AdamW, float32; ``trainer-bf16``, the same in bfloat16 with the word vectors
frozen; ``trainer-padded``: float32, everything padded to the greatest length, batches at random. Each side runs in a
fresh process on the same cores, one after the other, in turns, from the same rows, weights, tokens, head, batch size,
learning rate, schedule and number of steps; its seconds go from tokens in memory to predictions on the test set, and
CPU seconds are given beside them: on a busy machine those are what to compare. Without ``--against``, all three.
"""

from __future__ import annotations

import argparse
import dataclasses
import importlib
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from studies.speed.invented import examples_of

from clinsynth.core.nouns import Example, Prediction, TaskSpec
from clinsynth.core.registry import TASKS
from clinsynth.data.samples import open_store
from clinsynth.results.store import Cell
from clinsynth.scoring.metrics import METRICS
from clinsynth.training.encoding import IGNORED, Encoded, Item, decode_labels, decode_spans, outputs_of
from clinsynth.training.recipe import DEFAULT_RECIPE, RECIPES, Recipe

RIVALS = {
    "trainer": "Trainer: dynamic padding, length-grouped, fused AdamW; float32",
    "trainer-bf16": "the same in bfloat16, word vectors frozen",
    "trainer-padded": "Trainer: padded to the greatest length, float32",
}
EVAL_BATCH = 64


def our_run(recipe: Recipe, cell: Cell, encoded: Sequence[Encoded], test: list[Example], threads: int) -> Any:
    """What ``clinsynth score`` does."""
    from clinsynth.training.device import find_device
    from clinsynth.training.run import fit_and_read

    spec = TASKS[cell.task].spec
    return fit_and_read(
        cell, recipe, spec, (encoded[0], encoded[1]), (test, encoded[2]), find_device(threads)
    ).predictions


def trainer_run(
    rival: str, recipe: Recipe, spec: TaskSpec, encoded: Sequence[Encoded], test: list[Example], seed: int
) -> list[Prediction]:
    """The Trainer, with nothing of ours but the tokens and the head, so that only the loop differs."""
    import torch

    from clinsynth.task_types import task_type
    from clinsynth.training.student import Student
    from clinsynth.training.weights import find_weights

    transformers: Any = importlib.import_module("transformers")
    transformers.utils.logging.set_verbosity_error()
    head, settings = task_type(spec).head(spec), recipe.settings[spec.type]
    steps = settings.steps_for(encoded[1].examples)

    class Learner(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            torch.manual_seed(seed)  # pyright: ignore[reportUnknownMemberType] - untyped in torch
            # As the examples load it: the library's own choice of attention, the encoder's own dropout.
            encoder = transformers.AutoModel.from_pretrained(
                find_weights(recipe.weights), add_pooling_layer=False, dtype=torch.float32
            )
            if rival == "trainer-bf16":
                encoder.get_input_embeddings().requires_grad_(False)
            outputs = outputs_of(spec, head)
            self.student = Student(encoder, encoder.config.hidden_size, outputs, head, recipe, settings.dropout)

        def forward(self, input_ids: Any, attention_mask: Any, token_type_ids: Any, labels: Any) -> dict[str, Any]:
            logits = self.student(input_ids, attention_mask, token_type_ids)
            said = logits.argmax(-1) if head == "token" and not self.training else logits
            return {"loss": self.student.loss(logits, labels), "logits": said}

    def together(rows: list[dict[str, Any]]) -> dict[str, Any]:
        longest = settings.max_length if rival == "trainer-padded" else max(row["length"] for row in rows)
        names = ["input_ids", "attention_mask", "token_type_ids"]
        out = {name: torch.tensor([[*row[name], *[0] * (longest - row["length"])] for row in rows]) for name in names}
        gold = [row["labels"] for row in rows]
        if head == "token":
            gold = [[*tags, *[IGNORED] * (longest - len(tags))] for tags in gold]
        return {**out, "labels": torch.tensor(gold)}

    with tempfile.TemporaryDirectory() as place:
        trainer = transformers.Trainer(
            model=Learner(),
            args=transformers.TrainingArguments(
                output_dir=place, max_steps=steps, per_device_train_batch_size=settings.batch_size,
                per_device_eval_batch_size=EVAL_BATCH, learning_rate=settings.learning_rate,
                weight_decay=settings.weight_decay, max_grad_norm=settings.clip, lr_scheduler_type="linear",
                warmup_steps=round(steps * settings.warmup), optim="adamw_torch_fused",
                bf16=rival == "trainer-bf16", use_cpu=not torch.cuda.is_available(), seed=seed,
                save_strategy="no", logging_strategy="no", report_to=[], disable_tqdm=True,
                remove_unused_columns=False, length_column_name="length",
                train_sampling_strategy="random" if rival == "trainer-padded" else "group_by_length",
            ),
            train_dataset=[_row(item) for item in encoded[1].items],
            data_collator=together,
        )  # fmt: skip
        trainer.train()
        # Longest first, as a careful user reads a test set; grouping by itself would give the output in another order.
        trainer.args.train_sampling_strategy = "random"
        order = sorted(range(len(encoded[2].items)), key=lambda k: -len(encoded[2].items[k].ids))
        output: list[Any] = [None] * len(order)
        found = trainer.predict([_row(encoded[2].items[k]) for k in order]).predictions
        for k, row in zip(order, found, strict=True):
            output[k] = row.tolist()
    return decode_spans(output, encoded[2], test, spec) if head == "token" else decode_labels(output, spec, head)


def _row(item: Item) -> dict[str, Any]:
    ones = [1] * len(item.ids)
    return {"input_ids": item.ids, "attention_mask": ones, "token_type_ids": item.types, "labels": item.target,
            "length": len(item.ids)}  # fmt: skip


def side(arguments: argparse.Namespace) -> dict[str, Any]:
    """Do one side of a pair in this process."""
    import torch

    from clinsynth.training.device import find_device
    from clinsynth.training.draws import draw
    from clinsynth.training.run import encode_for

    torch.set_num_threads(arguments.threads)
    task, recipe = TASKS[arguments.task], RECIPES[arguments.recipe]
    spec = task.spec
    if arguments.steps:
        settings = dataclasses.replace(recipe.settings[spec.type], steps=arguments.steps, epochs=0)
        recipe = dataclasses.replace(recipe, settings={spec.type: settings})
    cell = Cell(spec.name, recipe.name, arguments.rows, arguments.seed)
    if arguments.invented:
        train, test = (examples_of(spec, count) for count in (arguments.rows, arguments.invented))
    else:
        store = open_store(arguments.data_dir, arguments.sample)
        train, test = draw(store.examples(task, "train"), cell), store.examples(task, "test")
    encoded = [encode_for(examples, spec, recipe) for examples in ((), train, test)]
    importlib.import_module("transformers.trainer")  # imports are not what is measured
    began, busy = time.perf_counter(), time.process_time()
    if arguments.side == "ours":
        predictions = our_run(recipe, cell, encoded, test, arguments.threads)
    else:
        predictions = trainer_run(arguments.side, recipe, spec, encoded, test, arguments.seed)
    took = {"seconds": time.perf_counter() - began, "cpu_seconds": time.process_time() - busy}
    return {**took, "score": METRICS[spec.metric].score(spec, test, predictions), "native": find_device(1).dtype}


def pairs_against(rival: str, arguments: argparse.Namespace) -> dict[str, Any]:
    """Do the pairs, each side in a fresh process, in alternating order."""
    pairs: list[dict[str, Any]] = []
    for pair in range(arguments.pairs):
        order = ("ours", rival) if pair % 2 == 0 else (rival, "ours")
        seeded = ["--seed", str(arguments.seed + pair)]
        command = [sys.executable, "-m", "studies.speed.fine_tune", *sys.argv[1:], *seeded, "--side"]
        out: dict[str, dict[str, Any]] = {}
        for name in order:
            done = subprocess.run([*command, name], stdout=subprocess.PIPE, check=True)  # noqa: S603 - our own command
            out[name] = json.loads(done.stdout.splitlines()[-1])
        pairs.append({"ours": out["ours"], "rival": out[rival]})
    ratios = {
        unit: sorted(pair["rival"][unit] / pair["ours"][unit] for pair in pairs) for unit in ("seconds", "cpu_seconds")
    }
    return {"rival": rival, "what": RIVALS[rival], "pairs": pairs, "ratios": ratios}


def table(found: Sequence[dict[str, Any]]) -> str:
    """What came out, as Markdown."""
    lines = ["| against | times as fast, CPU | times as fast, clock | score x 100, ours | theirs |",
             "| :-- | --: | --: | --: | --: |"]  # fmt: skip
    for one in found:
        ratios = [f"{statistics.median(r):.2f} ({r[0]:.2f}-{r[-1]:.2f})"
                  for r in (one["ratios"]["cpu_seconds"], one["ratios"]["seconds"])]  # fmt: skip
        scores = [
            f"{100 * float(np.mean([pair[side]['score'] for pair in one['pairs']])):.1f}" for side in ("ours", "rival")
        ]
        lines.append("| " + " | ".join([one["what"], *ratios, *scores]) + " |")
    return "\n".join(lines)


def main() -> None:
    """Time the pairs and say what came out."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data-dir", type=Path)
    parser.add_argument("--sample", action="store_true")
    parser.add_argument("--task", default="ncbi-disease")
    parser.add_argument("--recipe", default=DEFAULT_RECIPE)
    parser.add_argument("--invented", type=int, default=0, help="texts without meaning, so many of them to test on")
    parser.add_argument("--steps", type=int, default=0, help="default: the recipe's")
    parser.add_argument("--rows", type=int, default=300)
    parser.add_argument("--pairs", type=int, default=3)
    parser.add_argument("--threads", type=int, default=1, help="of each side (default: 1, as the harness does runs)")
    parser.add_argument("--seed", type=int, default=0, help="of the first pair; the next has the next")
    parser.add_argument("--against", choices=tuple(RIVALS), default=None, help="default: each in turn")
    parser.add_argument("--json", type=Path, help="also write every pair there")
    parser.add_argument("--side", choices=("ours", *RIVALS), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.side:
        print(json.dumps(side(arguments)))  # noqa: T201 - a script
        return
    found = [pairs_against(rival, arguments) for rival in ([arguments.against] if arguments.against else RIVALS)]
    if arguments.json:
        arguments.json.write_text(json.dumps(found, indent=1) + "\n", "utf-8")
    print(table(found))  # noqa: T201 - a script


if __name__ == "__main__":
    main()
