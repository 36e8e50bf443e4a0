"""Runs an hour on one GPU, of a student of the shape of PubMedBERT-base: ours, several at a time, and the Trainer's.

    python -m studies.speed.gpu [--at-a-time 1,2,4] [--steps 150] [--rows 5000] [--json FILE]

One script, meant to end within four minutes, for a machine that is lent for a while: nothing is downloaded. Weights
are random, the tokenizer is MiniLM's, texts are invented: speed depends on none of them. The Trainer is that of
``studies.speed.fine_tune`` in bfloat16 with dynamic padding, one run at a time, as its users do runs. Each run is a
fresh process; what counts is the clock of the slowest of those that go on together, from tokens in memory to
predictions, scaled from ``--steps`` to the recipe's own number of steps. Loading of libraries is left out.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from clinsynth.core.registry import TASKS
from clinsynth.training.recipe import MINILM, RECIPES
from clinsynth.training.weights import WEIGHTS_VARIABLE, find_weights

RECIPE = "pubmedbert-base.v1"
TASK = "gad"


def write_student(place: Path) -> None:
    """A student of BERT-base's shape under the name of the recipe's."""
    transformers: Any = importlib.import_module("transformers")
    folder = place / RECIPES[RECIPE].weights.repo.split("/")[-1]
    folder.mkdir()
    for name in ("tokenizer.json", "tokenizer_config.json"):
        if (find_weights(MINILM) / name).is_file():
            shutil.copyfile(find_weights(MINILM) / name, folder / name)
    transformers.BertModel(transformers.BertConfig(), add_pooling_layer=False).save_pretrained(folder)


def runs(side: str, at_a_time: int, arguments: argparse.Namespace, weights: Path) -> float:
    """Seconds of the slowest of so many runs that go on at the same time."""
    words = ["--side", side, "--task", TASK, "--recipe", RECIPE, "--rows", str(arguments.rows), "--invented", "500",
             "--steps", str(arguments.steps)]  # fmt: skip
    line = [sys.executable, "-m", "studies.speed.fine_tune", *words]
    environment = {**os.environ, WEIGHTS_VARIABLE: str(weights)}
    started = [
        subprocess.Popen([*line, "--seed", str(seed)], stdout=subprocess.PIPE, env=environment)  # noqa: S603 - our own
        for seed in range(at_a_time)
    ]
    told = [process.communicate()[0] for process in started]
    if any(process.returncode for process in started):
        raise SystemExit(f"{side}, {at_a_time} at a time: a run failed")
    return max(json.loads(text.splitlines()[-1])["seconds"] for text in told)


def main() -> int:
    """Print a table; write JSON if asked."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--at-a-time", default="1,2,4")
    parser.add_argument("--steps", type=int, default=150)
    parser.add_argument("--rows", type=int, default=5_000)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    scale = RECIPES[RECIPE].settings[TASKS[TASK].spec.type].steps_for(arguments.rows) / arguments.steps
    with tempfile.TemporaryDirectory() as place:
        write_student(Path(place))
        theirs = 3600 / (runs("trainer-bf16", 1, arguments, Path(place)) * scale)
        found: list[dict[str, float]] = [{"at_a_time": 0, "runs_an_hour": theirs, "times": 1.0}]
        for count in map(int, arguments.at_a_time.split(",")):
            ours = 3600 * count / (runs("ours", count, arguments, Path(place)) * scale)
            found.append({"at_a_time": count, "runs_an_hour": ours, "times": ours / theirs})
    sys.stdout.write("| | runs an hour | times as many |\n|:--|--:|--:|\n")
    for each in found:
        name = f"ours, {each['at_a_time']:.0f} at a time" if each["at_a_time"] else "Trainer, bfloat16, dynamic padding"
        sys.stdout.write(f"| {name} | {each['runs_an_hour']:.0f} | {each['times']:.1f} |\n")
    if arguments.json:
        arguments.json.write_text(json.dumps(found, indent=1) + "\n", "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
