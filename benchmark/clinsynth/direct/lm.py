"""lm-eval's models with a meter: how each answer ended and what it cost, which lm-eval itself does not keep.

A subclass of whatever API model of lm-eval is asked for (``exchange``), so that addresses, keys, retries and
concurrency are its own. What the server says beside the text goes to a file, an answer per line, without any text: a
resumed run, whose answers come from lm-eval's cache, still knows it.
"""

from __future__ import annotations

import hashlib
import importlib
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, cast

from clinsynth.core import UserError
from clinsynth.direct.exchange import Wire, exchanging
from clinsynth.direct.parsing import Finish

_TRANSFORMERS = frozenset({"hf", "hf-auto", "huggingface"})
"""lm-eval's names of a model that transformers runs in this process."""


@dataclass(frozen=True, slots=True)
class Meta:
    """Facts about one answer besides its text."""

    key: str
    """Digest of the prompt (``prompt_key``)."""
    finish: Finish
    tokens_in: int | None = None
    tokens_out: int | None = None
    model: str = ""
    """As the server reports it."""
    sent: str = ""
    """The request without its text, as JSON; empty where it is not known."""


@dataclass(slots=True)
class Meter:
    """Meta of all answers of a cache, in memory and on disk."""

    path: Path | None = None
    """Where it is kept; ``None`` to forget it."""
    known: dict[str, Meta] = field(default_factory=dict[str, Meta])
    """The latest answer to each prompt."""
    new: int = 0
    """Answers that came from the server since this was made."""
    on_answer: Callable[[], None] | None = None
    """Called for each of these."""

    @classmethod
    def load(cls, path: Path) -> Meter:
        """Read what earlier runs stored; a line that was cut off by a crash is ignored."""
        meter = cls(path)
        for line in path.read_text("utf-8").splitlines() if path.is_file() else ():
            try:
                meta = Meta(**json.loads(line))
            except (ValueError, TypeError):
                continue
            meter.known[meta.key] = meta
        return meter

    def count(self, key: str, finish: Finish, output: Mapping[str, Any], sent: str) -> None:
        """Keep what a server says of an answer."""
        said: Any = output.get("usage")
        usage: Mapping[str, Any] = cast("dict[str, Any]", said) if isinstance(said, dict) else {}
        tokens_in, tokens_out = (usage.get(a, usage.get(b)) for a, b in _COUNTS)
        self.add(Meta(key, finish, _count(tokens_in), _count(tokens_out), str(output.get("model") or ""), sent))

    def add(self, meta: Meta) -> None:
        """Keep one answer's meta, on disk at once."""
        self.known[meta.key] = meta
        self.new += 1
        if self.on_answer is not None:
            self.on_answer()
        if self.path is not None:
            with self.path.open("a", encoding="utf-8") as stream:
                stream.write(json.dumps(asdict(meta)) + "\n")


def prompt_key(context: Any) -> str:
    """Digest of a prompt as a sample of lm-eval holds it."""
    return _digest(context if isinstance(context, str) else json.loads(prompt_text(context)))


def prompt_text(context: Any) -> str:
    """A prompt as text: lm-eval wraps a conversation in a tuple of one, which holds its messages as JSON."""
    return context if isinstance(context, str) else str(context[0])


def _digest(content: Any) -> str:
    if isinstance(content, list) and len(cast("list[Any]", content)) == 1 and isinstance(content[0], str):
        content = content[0]  # a batch of one text
    return hashlib.sha256(json.dumps(content, ensure_ascii=True).encode()).hexdigest()


def metered(name: str, model_args: Mapping[str, Any], meter: Meter, wire: Wire) -> Any:
    """The lm-eval model of that name; on the wire where it speaks to a server, as it is where it does not.

    Raises:
        UserError: lm-eval has no such model, or it cannot be made from these arguments.
    """
    registry: Any = importlib.import_module("lm_eval.api.registry")
    importlib.import_module("lm_eval.models")
    api: Any = importlib.import_module("lm_eval.models.api_models")
    try:
        base: Any = registry.get_model(name)
    except (KeyError, ValueError) as error:
        raise UserError(f"lm-eval has no model {name!r}", expected="local-completions, local-chat-completions, ..."
                        ) from error  # fmt: skip
    arguments = dict(model_args)
    if issubclass(base, api.TemplateAPI):
        base = exchanging(base, meter, wire, _digest)
        # Prompts go as text: the tokenizer of a served model is mostly not here, and need not be.
        if "tokenizer" not in arguments:
            arguments.setdefault("tokenizer_backend", None)
    elif name in _TRANSFORMERS and "device" not in arguments and not arguments.get("parallelize"):
        torch: Any = importlib.import_module("torch")
        if not torch.cuda.is_available():
            arguments["device"] = "cpu"  # lm-eval's own default is a GPU, whether there is one or not
    try:
        return base.create_from_arg_obj(arguments, {"batch_size": 1})
    except (TypeError, ValueError, OSError, ModuleNotFoundError) as error:
        raise UserError(
            f"lm-eval could not make the model {name}",
            found=str(error).splitlines()[0] if str(error) else type(error).__name__,
            remedy="check --model-args",
        ) from error


_COUNTS = (("prompt_tokens", "input_tokens"), ("completion_tokens", "output_tokens"))
"""OpenAI's names of the counts, and Anthropic's."""


def _count(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None


def total(values: Iterator[int | None]) -> int | None:
    """The sum; ``None`` if any part is unknown."""
    numbers = list(values)
    return None if any(n is None for n in numbers) else sum(n for n in numbers if n is not None)
