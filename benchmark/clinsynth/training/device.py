"""The device that computes. Without a GPU it is found without loading torch, which takes seconds."""

from __future__ import annotations

import platform
import sys
from functools import cache
from pathlib import Path
from typing import Literal, NamedTuple

_GPU_FILES = ("/dev/nvidiactl", "/dev/kfd", "/dev/dxg")
"""Device files of GPUs that torch can use: NVIDIA, AMD, and the Linux subsystem of Windows."""


class Device(NamedTuple):
    """Device, number type and threads; recorded with every run."""

    kind: Literal["cpu", "cuda"]
    dtype: Literal["float32", "bfloat16"]
    """Type of the student's arithmetic; the weights that are updated, and the updates, stay in float32."""
    threads: int


def gpus() -> int:
    """Number of GPUs that torch can use here."""
    if sys.platform == "linux" and not any(Path(file).exists() for file in _GPU_FILES):
        return 0
    import torch

    return torch.cuda.device_count() if torch.cuda.is_available() else 0


def find_device(threads: int) -> Device:
    """The GPU where there is one, else the CPU; bfloat16 where the hardware has it.

    An x86 CPU without AVX512-BF16 or AMX only imitates bfloat16, slower than float32.
    """
    if gpus():
        import torch

        return Device("cuda", "bfloat16" if torch.cuda.is_bf16_supported() else "float32", threads)
    flags = Path("/proc/cpuinfo").read_text() if Path("/proc/cpuinfo").exists() else ""
    native = any(flag in flags for flag in ("avx512_bf16", "amx_bf16"))
    return Device("cpu", "bfloat16" if native else "float32", threads)


@cache
def processor_name(kind: Literal["cpu", "cuda"]) -> str:
    """Name of the GPU or of the processor; empty where the system does not tell."""
    if kind == "cuda":
        import torch

        return torch.cuda.get_device_name()
    file = Path("/proc/cpuinfo")
    lines = file.read_text("utf-8").splitlines() if file.exists() else []
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, "") or platform.processor()
