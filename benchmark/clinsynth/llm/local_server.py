"""The process of ``--model local``: llama.cpp's own server on loopback, until its standard input ends.

One line of JSON comes in (model, name, slots, context, threads, key), one goes out (address). The other end of the
input is the process that asked for it: when that ends, whatever ends it, the input ends and so does this.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
from typing import Any


def main() -> None:
    """Serve one model."""
    order: dict[str, Any] = json.loads(sys.stdin.buffer.readline())
    xllamacpp: Any = importlib.import_module("xllamacpp")
    params: Any = xllamacpp.CommonParams()
    params.model.path = order["model"]
    params.model_alias = {order["name"]}
    params.hostnames = ["127.0.0.1"]
    params.port = 0  # any that is free
    params.api_keys = [order["key"]]
    params.n_parallel = order["slots"]
    params.n_ctx = order["slots"] * order["context"]
    params.cpuparams.n_threads = params.cpuparams_batch.n_threads = order["threads"]
    params.cache_ram_mib = 0  # finished prompts are not kept: memory is scarcer than their like
    params.warmup = False
    params.ui = False
    params.offline = True
    params.verbosity = 0
    server: Any = xllamacpp.Server(params)
    sys.stdout.write(json.dumps({"address": server.listening_address}) + "\n")
    sys.stdout.flush()
    while sys.stdin.buffer.read(4_096):
        pass
    # At once: nobody waits for what it is still writing.
    os._exit(0)


if __name__ == "__main__":
    main()
