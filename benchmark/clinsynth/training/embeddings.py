"""Sentence embeddings for data quality and audits: all-MiniLM-L6-v2, mean pooling, normalised, cached on disk.

Source of pooling, normalisation and length: the model's own configuration for sentence-transformers (``modules.json``,
``1_Pooling/config.json``, ``max_seq_length`` 256). The embedder is the same whatever recipe is scored.
"""

from __future__ import annotations

import importlib
import zipfile
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from hashlib import blake2b
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import numpy.typing as npt

from clinsynth.core import atomic_path

if TYPE_CHECKING:
    from clinsynth.training.student import Device

Vectors = npt.NDArray[np.float32]
"""``[n, DIMENSION]``, each row of length 1."""

DIMENSION = 384
MAX_TOKENS = 256
"""Special tokens included; what is longer is truncated."""
BATCH_TOKENS = 8_192
"""Padded tokens in a batch."""
SEGMENT = 4_096
"""Texts that are embedded between two writes: an interruption loses no more."""
_KEY_BYTES = 16


def embedder_fingerprint(device: Device | None = None) -> str:
    """What decides an embedding besides the text: digest of the weights and tokenizer, length and number type."""
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
    found: dict[bytes, Vectors] = {}
    if not wanted:
        return np.zeros((0, DIMENSION), np.float32)
    device = _device()
    folder = cache_dir / "embeddings" / embedder_fingerprint(device) if cache_dir else None
    if folder:
        found.update(_read(folder, wanted))
    missing = [(key, text) for key, text in wanted.items() if key not in found]
    # Longest first, then cut into segments: texts of one segment are of like length. Ties by key: the batches, and
    # so the numbers, do not depend on the order of the texts.
    missing.sort(key=lambda item: (-len(item[1]), item[0]))
    encode = _encoder(device) if missing else None
    for start in range(0, len(missing), SEGMENT):
        part = missing[start : start + SEGMENT]
        vectors = encode([text for _, text in part]) if encode else np.zeros((0, DIMENSION), np.float32)
        found.update(zip((key for key, _ in part), vectors, strict=True))
        if folder:
            _write(folder, [key for key, _ in part], vectors)
    return np.stack([found[key] for key in keys])


def _device() -> Device:
    import torch

    from clinsynth.training.student import find_device

    return find_device(torch.get_num_threads())


def _segments(folder: Path) -> Iterator[Path]:
    yield from sorted(folder.glob("*.npz")) if folder.is_dir() else ()


def _read(folder: Path, wanted: dict[bytes, str]) -> dict[bytes, Vectors]:
    found: dict[bytes, Vectors] = {}
    for path in _segments(folder):
        try:
            with path.open("rb") as stream, np.load(stream, allow_pickle=False) as stored:
                raw = cast("npt.NDArray[np.uint8]", stored["keys"])
                places = {row.tobytes(): k for k, row in enumerate(raw)}
                here = [key for key in places if key in wanted and key not in found]
                if here:
                    vectors = cast("Vectors", stored["vectors"])
                    found.update((key, vectors[places[key]]) for key in here)
        except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
            continue  # a damaged cache file costs time, never a number: its texts are embedded again
    return found


def _write(folder: Path, keys: Sequence[bytes], vectors: Vectors) -> None:
    # Named by content: two processes that store the same texts write the same name.
    name = blake2b(b"".join(keys), digest_size=_KEY_BYTES).hexdigest()
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)  # text can be guessed from its embedding
    raw = np.frombuffer(b"".join(keys), np.uint8).reshape(-1, _KEY_BYTES)
    with atomic_path(folder / f"{name}.npz") as temporary, temporary.open("wb") as stream:
        np.savez(stream, keys=raw, vectors=vectors)


@cache
def _model(kind: str) -> Any:
    import torch

    from clinsynth.training.recipe import MINILM
    from clinsynth.training.weights import find_weights

    transformers: Any = importlib.import_module("transformers")
    logging = transformers.utils.logging
    verbosity = logging.get_verbosity()
    # No progress bar and no list of unused pooler weights for a file that loads in a blink.
    logging.disable_progress_bar()
    logging.set_verbosity_error()
    try:
        model = transformers.AutoModel.from_pretrained(
            find_weights(MINILM),
            trust_remote_code=False,
            add_pooling_layer=False,
            dtype=torch.float32,
            # Plain products beat the fused kernel on a CPU at sentence length (training/student.py).
            attn_implementation="sdpa" if kind == "cuda" else "eager",
        )
    finally:
        logging.set_verbosity(verbosity)
        logging.enable_progress_bar()
    return model.to(torch.device(kind)).eval()


def _encoder(device: Device) -> Callable[[Sequence[str]], Vectors]:
    import torch

    from clinsynth.training.encoding import reading_batches
    from clinsynth.training.recipe import MINILM
    from clinsynth.training.student import load_tokenizer

    where = torch.device(device.kind)
    model = _model(device.kind)
    tokenizer = load_tokenizer(MINILM)

    def encode(texts: Sequence[str]) -> Vectors:
        ids = tokenizer(list(texts), truncation=True, max_length=MAX_TOKENS)["input_ids"]
        vectors = np.empty((len(texts), DIMENSION), np.float32)
        with torch.inference_mode(), torch.autocast(device.kind, torch.bfloat16, enabled=device.dtype == "bfloat16"):
            for batch in reading_batches([len(i) for i in ids], BATCH_TOKENS):
                longest = max(len(ids[k]) for k in batch)
                padded = torch.zeros((len(batch), longest), dtype=torch.long)
                mask = torch.zeros((len(batch), longest), dtype=torch.long)
                for row, k in enumerate(batch):
                    padded[row, : len(ids[k])] = torch.tensor(ids[k])
                    mask[row, : len(ids[k])] = 1
                padded, mask = padded.to(where), mask.to(where)
                states = model(input_ids=padded, attention_mask=mask).last_hidden_state.float()
                weight = mask.unsqueeze(-1).float()
                pooled = (states * weight).sum(1) / weight.sum(1)
                vectors[batch] = torch.nn.functional.normalize(pooled, dim=1).float().cpu().numpy()
        return vectors

    return encode
