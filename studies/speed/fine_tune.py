"""How much faster a run is than the field's usual fine-tuning loop, at the same score, on this machine.

    python -m studies.speed.fine_tune [--data-dir DIR | --sample] [--task ncbi-disease] [--steps N] [--pairs 3]

Each side runs in a fresh process on the same cores, one after the other, in turns. Both start from the same rows,
weights, head, batch size, learning rate, schedule and number of steps; a side's seconds go from texts in memory to
predictions. ``usual`` is what the example scripts of transformers amount to: everything padded to the maximal length,
float32, shuffled batches, all parameters trained, the encoder's own dropout, the test set read in batches of the
training size. ``fp32`` is our own loop without autocast.
"""

from __future__ import annotations

import argparse
import dataclasses
import importlib
import json
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from clinsynth.core.nouns import Example, Prediction, TaskSpec
from clinsynth.core.registry import TASKS
from clinsynth.data.samples import open_store
from clinsynth.results.store import Cell
from clinsynth.scoring.metrics import METRICS
from clinsynth.training.recipe import RECIPES, Recipe

RECIPE = "minilm-l6.v1"


def our_run(
    recipe: Recipe, cell: Cell, train: list[Example], test: list[Example], threads: int, *, autocast: bool
) -> tuple[list[Prediction], str]:
    """What ``clinsynth score`` does; gives the predictions and the type of the matrix products."""
    from clinsynth.training.run import encode_for, fit_and_read
    from clinsynth.training.student import find_device

    device = find_device(threads)
    device = device if autocast else device._replace(dtype="float32")
    spec = TASKS[cell.task].spec
    encoded = encode_for(test, spec, recipe)
    outcome = fit_and_read(cell, recipe, spec, ((), train), (test, encoded), device)
    return outcome.predictions, device.dtype


def usual_run(recipe: Recipe, spec: TaskSpec, train: list[Example], test: list[Example], seed: int) -> list[Prediction]:
    """The usual loop, with nothing of ours but the tokens and the head, so that only the loop differs."""
    import torch
    from torch.utils.data import DataLoader, TensorDataset

    from clinsynth.task_types import task_type
    from clinsynth.training.batching import collate, targets
    from clinsynth.training.encoding import IGNORED, Encoded, decode_labels, decode_spans, outputs_of
    from clinsynth.training.run import encode_for
    from clinsynth.training.student import Student
    from clinsynth.training.weights import find_weights

    head = task_type(spec).head(spec)
    settings = recipe.settings[spec.type]
    where = torch.device("cuda" if torch.cuda.is_available() else "cpu")

    def padded(encoded: Encoded, *, shuffle: bool) -> Any:
        cpu = torch.device("cpu")
        parts: list[torch.Tensor] = [*collate(encoded.items, cpu), targets(encoded.items, cpu)]
        room = (0, settings.max_length - parts[0].shape[1])
        for k in range(4 if head == "token" else 3):
            parts[k] = torch.nn.functional.pad(parts[k], room, value=IGNORED if k == 3 else 0)
        return DataLoader(TensorDataset(*parts), batch_size=settings.batch_size, shuffle=shuffle)

    torch.manual_seed(seed)  # pyright: ignore[reportUnknownMemberType] - untyped in torch
    # As the examples load it: the library's own choice of attention, the encoder's own dropout.
    transformers: Any = importlib.import_module("transformers")
    transformers.utils.logging.set_verbosity_error()
    encoder = transformers.AutoModel.from_pretrained(
        find_weights(recipe.weights), add_pooling_layer=False, dtype=torch.float32
    )
    student: Any = Student(encoder, encoder.config.hidden_size, outputs_of(spec, head), head, recipe, settings.dropout)
    student.to(where).train()
    optimizer: Any = torch.optim.AdamW(
        student.parameters(), lr=settings.learning_rate, weight_decay=settings.weight_decay
    )
    rising = max(1, round(settings.steps * settings.warmup))
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda k: min((k + 1) / rising, (settings.steps - k) / max(1, settings.steps - rising))
    )
    loader, done = padded(encode_for(train, spec, recipe), shuffle=True), 0
    while done < settings.steps:
        for batch in loader:
            ids, mask, types, gold = (part.to(where) for part in batch)
            loss: Any = student.loss(student(ids, mask, types), gold)
            loss.backward()
            torch.nn.utils.clip_grad_norm_(student.parameters(), settings.clip)
            optimizer.step()
            schedule.step()
            optimizer.zero_grad()
            done += 1
            if done == settings.steps:
                break
    student.eval()
    encoded = encode_for(test, spec, recipe)
    output: list[Any] = []
    with torch.no_grad():
        for ids, mask, types, _ in padded(encoded, shuffle=False):
            logits: Any = student(ids.to(where), mask.to(where), types.to(where))
            output += (logits.argmax(-1) if head == "token" else logits).tolist()
    return decode_spans(output, encoded, test, spec) if head == "token" else decode_labels(output, spec, head)


def side(arguments: argparse.Namespace) -> dict[str, Any]:
    """Do one side of a pair in this process."""
    import torch

    from clinsynth.training.run import draw
    from clinsynth.training.student import load_tokenizer

    torch.set_num_threads(arguments.threads)
    task, store, recipe = TASKS[arguments.task], open_store(arguments.data_dir, arguments.sample), RECIPES[RECIPE]
    spec = task.spec
    if arguments.steps:
        settings = dataclasses.replace(recipe.settings[spec.type], steps=arguments.steps)
        recipe = dataclasses.replace(recipe, settings={spec.type: settings})
    cell = Cell(spec.name, RECIPE, arguments.rows, arguments.seed)
    train, test = draw(store.examples(task, "train"), cell), store.examples(task, "test")
    load_tokenizer(recipe.weights)  # imports are not what is measured
    began, dtype = time.perf_counter(), "float32"
    if arguments.side == "usual":
        predictions = usual_run(recipe, spec, train, test, arguments.seed)
    else:
        predictions, dtype = our_run(recipe, cell, train, test, arguments.threads, autocast=arguments.side == "ours")
    seconds = time.perf_counter() - began
    return {"seconds": seconds, "dtype": dtype, "score": METRICS[spec.metric].score(spec, test, predictions)}


def main() -> None:
    """Time the pairs and say what came out."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data-dir", type=Path)
    parser.add_argument("--sample", action="store_true")
    parser.add_argument("--task", default="ncbi-disease")
    parser.add_argument("--steps", type=int, default=0, help="default: the recipe's")
    parser.add_argument("--rows", type=int, default=1_000)
    parser.add_argument("--pairs", type=int, default=3)
    parser.add_argument("--threads", type=int, default=1, help="of each side (default: 1, as the harness does runs)")
    parser.add_argument("--seed", type=int, default=0, help="of the first pair; the next has the next")
    parser.add_argument("--against", choices=("usual", "fp32"), default="usual")
    parser.add_argument("--side", choices=("ours", "usual", "fp32"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.side:
        print(json.dumps(side(arguments)))  # noqa: T201 - a script
        return
    ratios: list[float] = []
    for pair in range(arguments.pairs):
        order = ("ours", arguments.against) if pair % 2 == 0 else (arguments.against, "ours")
        seeded = ["--seed", str(arguments.seed + pair)]
        command = [sys.executable, __file__, *sys.argv[1:], *seeded, "--side"]
        out = {
            name: json.loads(subprocess.run([*command, name], stdout=subprocess.PIPE, check=True).stdout)  # noqa: S603
            for name in order
        }
        ratios.append(out[arguments.against]["seconds"] / out["ours"]["seconds"])
        told = "; ".join(
            f"{name} {out[name]['seconds']:.1f} s, score {100 * out[name]['score']:.1f} ({out[name]['dtype']})"
            for name in ("ours", arguments.against)
        )
        print(f"pair {pair + 1}: {told}; {ratios[-1]:.2f} times", flush=True)  # noqa: T201 - a script
    spread = f"{min(ratios):.2f}-{max(ratios):.2f}"
    print(f"ours is {statistics.median(ratios):.2f} times as fast ({spread} over {len(ratios)} pairs)")  # noqa: T201


if __name__ == "__main__":
    main()
