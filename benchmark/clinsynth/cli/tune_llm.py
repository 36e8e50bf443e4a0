"""``clinsynth tune-llm``."""

from __future__ import annotations

import argparse
from pathlib import Path

EXAMPLES = ("clinsynth tune-llm build/notes --base google/gemma-3-270m --out tuned",)


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument("notes", type=Path, metavar="NOTES", help="folder or table of `clinsynth notes`")
    parser.add_argument("--base", required=True, metavar="MODEL", help="a folder, or a name on the Hugging Face hub")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="where the tuned model is written")
    parser.add_argument("--epochs", type=float, default=3.0, help="times each row is seen (%(default)s)")
    parser.add_argument("--note-epochs", type=float, default=1.0,
                        help="times each note is read before the rows; 0 for none (%(default)s)")  # fmt: skip
    parser.add_argument("--learning-rate", type=float, default=2e-4, metavar="R", help="highest (%(default)s)")
    parser.add_argument("--batch-size", type=int, default=8, metavar="N", help="rows a step (%(default)s)")
    parser.add_argument(
        "--micro-batch", type=int, default=1, metavar="N", help="rows at a time in memory (%(default)s)"
    )
    parser.add_argument("--rank", type=int, default=16, metavar="N", help="of the adapters (%(default)s)")
    parser.add_argument("--alpha", type=int, default=32, metavar="N", help="their scale, times the rank (%(default)s)")
    parser.add_argument("--max-length", type=int, default=2048, metavar="N",
                        help="tokens of request and answer; longer rows are left out (%(default)s)")  # fmt: skip
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--device", default="auto", help="cpu, cuda, ... (%(default)s)")


def execute(arguments: argparse.Namespace) -> int:
    """0 if the model was written."""
    from clinsynth.direct import TuneSettings, tune_llm

    settings = TuneSettings(
        model=arguments.base, epochs=arguments.epochs, note_epochs=arguments.note_epochs,
        learning_rate=arguments.learning_rate,
        batch_size=arguments.batch_size, micro_batch=arguments.micro_batch, rank=arguments.rank, alpha=arguments.alpha,
        max_length=arguments.max_length, seed=arguments.seed, device=arguments.device,
    )  # fmt: skip
    done = tune_llm(arguments.notes, arguments.out, settings)
    print(f"{done.rows:,} rows, {done.steps:,} steps on {done.device} in {done.dtype}: "
          f"loss {done.first_loss:.3f} to {done.last_loss:.3f}")  # fmt: skip
    print(f"{done.trainable:,} of {done.parameters:,} parameters were tuned")
    for reason, count in done.left_out.items():
        print(f"left out, {reason}: {count:,}")
    print(f"answer the tasks with it: clinsynth direct --model hf --model-args pretrained={arguments.out}")
    return 0
