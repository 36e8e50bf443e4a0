"""A small model that runs on this machine, for as long as a command does: ``--model local``.

The weights are a published file, checked by its digest; the server is llama.cpp's own, inside the wheel xllamacpp, in a
process that listens on loopback and ends with this one, however this one ends.
"""

from __future__ import annotations

import importlib
import importlib.util
import json
import os
import queue
import secrets
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from clinsynth.core import UserError, sha256_file

LOCAL = "local"
"""The name that asks for it."""
REPOSITORY = "Qwen/Qwen2.5-Coder-1.5B-Instruct-GGUF"
FILE = "qwen2.5-coder-1.5b-instruct-q4_k_m.gguf"
SHA256 = "cc324af070c2ecbfd324a30884d2f951a7ff756aba85cb811a6ec436933bb046"
"""Of the file as its makers publish it (Apache-2.0, 1.1 GB)."""
LOCAL_NAME = FILE.removesuffix(".gguf")
SLOTS = 4
"""Requests that the model works on at a time; more wait."""
CONTEXT = 8_192
"""Tokens of prompt and answer together."""
PATIENCE = 1_800.0
"""Seconds until a server that has not said where it listens is given up: a busy machine reads a gigabyte slowly."""
COMMAND: Sequence[str] = (sys.executable, "-m", "clinsynth.llm.local_server")
_GOODBYE = 20.0
"""Seconds that the server has to end by itself."""


@dataclass(frozen=True, slots=True)
class Weights:
    """A file of weights, and what it is called."""

    path: Path
    name: str
    sha256: str


@dataclass(frozen=True, slots=True)
class LocalModel:
    """A model that is being served."""

    name: str
    address: str
    """``http://127.0.0.1:PORT``, without ``/v1``."""
    key: str
    """Key of this server, so that no other user of the machine can use it."""
    weights: str
    """``sha256:...``."""


def find_weights(file: Path | None, say: Callable[[str], None]) -> Weights:
    """The given file, or the default model's, which is downloaded where it is not here.

    Raises:
        UserError: the file is missing or no such file, or it cannot be downloaded.
    """
    path = file if file is not None else _downloaded(say)
    try:
        with path.open("rb") as stream:
            magic = stream.read(4)
        digest = sha256_file(path) if magic == b"GGUF" else ""
    except OSError as error:
        raise UserError(f"{path} cannot be read", found=str(error), expected="a GGUF file of a model") from error
    if not digest:
        raise UserError(f"{path} is no model", found=repr(magic), expected="a GGUF file, which begins with GGUF")
    if digest == SHA256:
        return Weights(path, LOCAL_NAME, digest)
    if file is None:
        raise UserError(
            f"{path} is not the published file", found=digest, expected=SHA256, remedy="delete it, and run this again"
        )
    # Another file of the same name is another model.
    return Weights(path, f"{path.stem.lower()}-{digest[:8]}", digest)


def _downloaded(say: Callable[[str], None]) -> Path:
    try:
        hub: Any = importlib.import_module("huggingface_hub")
        errors: Any = importlib.import_module("huggingface_hub.errors")
        httpx: Any = importlib.import_module("httpx")
    except ImportError as error:
        raise UserError("huggingface_hub is not installed", remedy="pip install 'clinsynth[local]'") from error
    if (known := hub.try_to_load_from_cache(REPOSITORY, FILE)) and isinstance(known, str):
        return Path(known)
    say(f"downloading {FILE} of {REPOSITORY}: 1.1 GB, once")
    try:
        return Path(hub.hf_hub_download(REPOSITORY, FILE))
    except (OSError, ValueError, errors.HfHubHTTPError, errors.LocalEntryNotFoundError, httpx.HTTPError) as error:
        raise UserError(
            f"{FILE} is not here and cannot be downloaded",
            found=(str(error).splitlines() or [type(error).__name__])[0][:200],
            remedy=f"bring the file of https://huggingface.co/{REPOSITORY} here, and name it with --model-file",
        ) from None


def free_cores() -> int:
    """Cores that nothing else keeps busy, 1 at least.

    Its threads wait for one another many times per token: on a busy machine of two cores one thread did six times as
    much as two.
    """
    here = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    busy = os.getloadavg()[0] if hasattr(os, "getloadavg") else 0.0
    return max(1, round(here - busy))


@contextmanager
def serve_local(file: Path | None, say: Callable[[str], None]) -> Generator[LocalModel]:
    """Serve the model for the length of the block.

    Raises:
        UserError: the wheel is not installed, there are no weights, or the server does not start.
    """
    if importlib.util.find_spec("xllamacpp") is None and COMMAND[-1] == "clinsynth.llm.local_server":
        raise UserError("the server of --model local is not installed", remedy="pip install 'clinsynth[local]'")
    weights = find_weights(file, say)
    say(f"starting {weights.name} on this machine")
    key = secrets.token_urlsafe(24)
    order = {
        "model": str(weights.path), "name": weights.name, "slots": SLOTS, "context": CONTEXT, "key": key,
        "threads": free_cores(),
    }  # fmt: skip
    with tempfile.TemporaryFile() as errors:
        # A session of its own: Ctrl-C is for this process, which still waits for what is under way.
        process = subprocess.Popen(  # noqa: S603 - our own
            list(COMMAND), stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors, start_new_session=True
        )
        try:
            address = _started(process, order, errors)
            yield LocalModel(weights.name, address, key, f"sha256:{weights.sha256}")
        finally:
            _end(process)


def _started(process: subprocess.Popen[bytes], order: dict[str, Any], errors: IO[bytes]) -> str:
    """Where it listens, once it does."""
    stdin, stdout = process.stdin, process.stdout
    assert stdin is not None  # noqa: S101 - both are pipes
    assert stdout is not None  # noqa: S101
    lines: queue.SimpleQueue[bytes] = queue.SimpleQueue()
    threading.Thread(target=lambda: lines.put(stdout.readline()), daemon=True).start()
    try:
        stdin.write(json.dumps(order).encode() + b"\n")
        stdin.flush()
        return str(json.loads(lines.get(timeout=PATIENCE))["address"])
    except queue.Empty:
        said = f"nothing for {PATIENCE:.0f} seconds"
    except (OSError, ValueError, KeyError, TypeError):
        _end(process)
        errors.seek(0)
        said = "; ".join(errors.read()[-2_000:].decode("utf-8", "replace").split("\n")[-4:]).strip("; ")
    raise UserError(
        f"{order['name']} cannot be started", found=said or f"it ended with status {process.returncode}",
        remedy="check that the file is whole and that there is memory for it (3 GB for the default model)",
    )  # fmt: skip


def _end(process: subprocess.Popen[bytes]) -> None:
    if process.stdin is not None and not process.stdin.closed:
        with suppress(OSError):  # it may have gone before
            process.stdin.close()  # which it takes as the end
    try:
        process.wait(_GOODBYE)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    if process.stdout is not None:
        process.stdout.close()
