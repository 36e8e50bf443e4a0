"""``clinsynth lm-eval-path``."""

from __future__ import annotations

import argparse

from clinsynth.cli import add_data_dir, add_sample

EXAMPLES = ("clinsynth lm-eval-path", "clinsynth lm-eval-path --sample")


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    add_sample(parser)
    add_data_dir(parser)


def execute(arguments: argparse.Namespace) -> int:
    """Print the folder, and nothing else: it stands inside another command."""
    from clinsynth.direct import write_folder

    print(write_folder(arguments.data_dir, arguments.sample))
    return 0
