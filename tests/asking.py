"""Runs of the direct track against a scripted server."""

import importlib
import importlib.util
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from tests.oracle import SAMPLE
from tests.scripted_server import Reaction, Script, ScriptedServer

from clinsynth.core.registry import TASKS
from clinsynth.data.store import ExampleStore
from clinsynth.direct.runner import Outcome, Request, run
from clinsynth.direct.session import Model

needs_lm_eval = pytest.mark.skipif(
    any(importlib.util.find_spec(name) is None for name in ("lm_eval", "aiohttp", "tenacity")),
    reason="lm-eval with its API models is not installed: pip install 'clinsynth[direct]'",
)


Ask = Callable[..., Outcome]


def always(reaction: Reaction) -> Script:
    return lambda _: reaction


def model_at(server: ScriptedServer, mode: str, cache: Path, **more: Any) -> Model:
    ending, backend = {
        "chat": ("/chat/completions", "local-chat-completions"),
        "completion": ("/completions", "local-completions"),
    }[mode]
    args = {"base_url": server.base_url + ending, "model": "scripted-1", "max_retries": 1, **more}
    return Model(
        backend=backend, args=args, name="scripted-1", mode="chat" if mode == "chat" else "completion", cache=cache
    )


def asking(tmp_path: Path) -> Ask:
    """``ask(server, tasks, mode="completion", args={}, **request)``: a run on the sample, into ``tmp_path / "out"``."""

    def do(
        server: ScriptedServer, *tasks: str, mode: str = "completion", args: Mapping[str, Any] | None = None,
        store: ExampleStore = SAMPLE, **more: Any,
    ) -> Outcome:  # fmt: skip
        model = model_at(server, mode, tmp_path / "cache", **(args or {}))
        return run(Request(tasks=[TASKS[t] for t in tasks], model=model, out=tmp_path / "out", **more), store)

    return do
