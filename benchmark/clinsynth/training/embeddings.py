"""Sentence embeddings for data quality and audits: all-MiniLM-L6-v2, mean pooling, normalised, cached on disk.

Source of pooling, normalisation and length: the model's own configuration for sentence-transformers (``modules.json``,
``1_Pooling/config.json``, ``max_seq_length`` 256). The embedder is the same whatever recipe is scored.
"""

from __future__ import annotations

import zipfile
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from hashlib import blake2b
from pathlib import Path
from typing import TYPE_CHECKING, cast

import numpy as np
import numpy.typing as npt

from clinsynth.core import atomic_path
from clinsynth.training.device import Device, find_device

if TYPE_CHECKING:
    from clinsynth.training.minilm import MiniLM

Vectors = npt.NDArray[np.float32]
"""``[n, DIMENSION]``, each row of length 1."""

DIMENSION = 384
MAX_TOKENS = 256
"""Special tokens included; what is longer is truncated."""
BATCH_TOKENS = {"cpu": 2_048, "cuda": 8_192}
"""Padded tokens in a batch; on a CPU as many as its caches hold."""
SEGMENT = 4_096
"""Texts that are embedded between two writes: an interruption loses no more."""
_KEY_BYTES = 16


def embedder_fingerprint(device: Device | None = None) -> str:
    """Fingerprint of the embedder: digest of weights and tokenizer, length and number type."""
    from clinsynth.training.recipe import MINILM
    from clinsynth.training.weights import find_weights, weights_fingerprint

    device = device or _device()
    return f"{weights_fingerprint(find_weights(MINILM))[:32]}-mean{MAX_TOKENS}-{device.dtype}"


def embed(texts: Sequence[str], cache_dir: Path | None = None) -> Vectors:
    """Embeddings of texts in order: ``[n, 384]`` float32, L2-normalised; equal texts get equal rows.

    With ``cache_dir``, texts met before are read from ``<cache_dir>/embeddings/<fingerprint>/`` and new ones are
    added there; files are written whole, so that several processes may share the folder. The cache holds hashes and
    vectors, no text; an embedding of restricted text still belongs with that text. Matrix products are in bfloat16
    where the hardware has it: the cosine of two texts then depends on who else is in the batch, by up to 1e-3; of a
    mean over many pairs nothing is left of that. The order of ``texts`` changes nothing.

    Raises:
        UserError: the weights cannot be had.
    """
    keys = [blake2b(text.encode("utf-8", "surrogatepass"), digest_size=_KEY_BYTES).digest() for text in texts]
    wanted = dict(zip(keys, texts, strict=True))
    known: dict[bytes, Vectors] = {}
    if not wanted:
        return np.zeros((0, DIMENSION), np.float32)
    device = _device()
    folder = cache_dir / "embeddings" / embedder_fingerprint(device) if cache_dir else None
    if folder:
        known.update(_read(folder, wanted))
    missing = [(key, text) for key, text in wanted.items() if key not in known]
    # Longest first, then cut into segments: texts of one segment are of like length. Ties by key: the batches, and
    # so the numbers, do not depend on the order of the texts.
    missing.sort(key=lambda item: (-len(item[1]), item[0]))
    encode = _encoder(device) if missing else None
    for start in range(0, len(missing), SEGMENT):
        part = missing[start : start + SEGMENT]
        vectors = encode([text for _, text in part]) if encode else np.zeros((0, DIMENSION), np.float32)
        known.update(zip((key for key, _ in part), vectors, strict=True))
        if folder:
            _write(folder, [key for key, _ in part], vectors)
    return np.stack([known[key] for key in keys])


def _device() -> Device:
    return find_device(1)


def _segments(folder: Path) -> Iterator[Path]:
    yield from sorted(folder.glob("*.npz")) if folder.is_dir() else ()


def _read(folder: Path, wanted: dict[bytes, str]) -> dict[bytes, Vectors]:
    known: dict[bytes, Vectors] = {}
    for path in _segments(folder):
        try:
            with path.open("rb") as stream, np.load(stream, allow_pickle=False) as stored:
                raw = cast("npt.NDArray[np.uint8]", stored["keys"])
                places = {row.tobytes(): k for k, row in enumerate(raw)}
                here = [key for key in places if key in wanted and key not in known]
                if here:
                    vectors = cast("Vectors", stored["vectors"])
                    known.update((key, vectors[places[key]]) for key in here)
        except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
            continue  # a damaged cache file costs time, never a number: its texts are embedded again
    return known


def _write(folder: Path, keys: Sequence[bytes], vectors: Vectors) -> None:
    # Named by content: two processes that store the same texts write the same name.
    name = blake2b(b"".join(keys), digest_size=_KEY_BYTES).hexdigest()
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)  # text can be guessed from its embedding
    raw = np.frombuffer(b"".join(keys), np.uint8).reshape(-1, _KEY_BYTES)
    with atomic_path(folder / f"{name}.npz") as temporary, temporary.open("wb") as stream:
        np.savez(stream, keys=raw, vectors=vectors)


@cache
def _model(device: Device) -> MiniLM:
    from clinsynth.training.minilm import MiniLM
    from clinsynth.training.recipe import MINILM
    from clinsynth.training.weights import find_weights

    return MiniLM(find_weights(MINILM), device, MAX_TOKENS)


def _encoder(device: Device) -> Callable[[Sequence[str]], Vectors]:
    import torch

    from clinsynth.training.encoding import reading_batches

    model = _model(device)

    def encode(texts: Sequence[str]) -> Vectors:
        ids = model.ids(texts)
        vectors = np.empty((len(texts), DIMENSION), np.float32)
        with torch.inference_mode():
            for batch in reading_batches([len(i) for i in ids], BATCH_TOKENS[device.kind]):
                vectors[batch] = model.pooled([ids[k] for k in batch]).cpu().numpy()
        return vectors

    return encode
