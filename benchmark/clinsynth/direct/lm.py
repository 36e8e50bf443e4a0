"""lm-eval's models with a meter: how each answer ended and what it cost, which lm-eval itself does not keep.

A subclass of whatever API model of lm-eval is asked for, so that addresses, keys, retries, concurrency and payloads are
its own. What the server says beside the text goes to a file, an answer a line, without any text: a resumed run, whose
answers come from lm-eval's cache, still knows it.
"""

from __future__ import annotations

import contextvars
import hashlib
import importlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, cast

from clinsynth.core import UserError
from clinsynth.direct.parsing import Finish

REJECTED = frozenset({400, 413, 422})
"""HTTP states that say of one request that it cannot be answered: too long, or withheld by a filter in front."""

_TRANSFORMERS = frozenset({"hf", "hf-auto", "huggingface"})
"""lm-eval's names of a model that transformers runs in this process."""

_FINISH: Mapping[str, Finish] = {"stop": "stop", "length": "length", "content_filter": "filtered"}
_current: contextvars.ContextVar[str] = contextvars.ContextVar("clinsynth_prompt", default="")


@dataclass(frozen=True, slots=True)
class Meta:
    """What is known of one answer beside its text."""

    key: str
    """Digest of the prompt (``prompt_key``)."""
    finish: Finish
    tokens_in: int | None = None
    tokens_out: int | None = None
    model: str = ""
    """As the server reports it."""


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
        """What earlier runs left; a line that was cut off by a crash is nothing."""
        meter = cls(path)
        for line in path.read_text("utf-8").splitlines() if path.is_file() else ():
            try:
                meta = Meta(**json.loads(line))
            except (ValueError, TypeError):
                continue
            meter.known[meta.key] = meta
        return meter

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


def metered(name: str, model_args: Mapping[str, Any], meter: Meter) -> Any:
    """The lm-eval model of that name; with the meter where it speaks to a server, as it is where it does not.

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
        base = _subclass(base, meter)
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


def _subclass(base: Any, meter: Meter) -> Any:
    class Metered(base):
        """The base, reporting to the meter."""

        def _create_payload(self, messages: Any, *args: Any, **kwargs: Any) -> Any:
            # Each request is a context of its own (a task of asyncio, or one call after the other): what the answer
            # finds there is its own prompt.
            _current.set(_digest(messages))
            parent: Any = super()
            return parent._create_payload(messages, *args, **kwargs)

        def parse_generations(self, outputs: Any, **kwargs: Any) -> list[str]:
            answers = cast("list[Any]", outputs) if isinstance(outputs, list) else [outputs]
            for output in answers:
                meter.add(_meta(output))
            parent: Any = super()
            texts: list[str | None] = parent.parse_generations(outputs, **kwargs)
            # lm-eval asks again, or stumbles, over None; a withheld answer is an empty one.
            return ["" if text is None else text for text in texts]

        def model_call(self, *args: Any, **kwargs: Any) -> Any:
            requests: Any = importlib.import_module("requests")
            parent: Any = super()
            try:
                return parent.model_call(*args, **kwargs)
            except requests.HTTPError as error:
                if kwargs.get("generate", True) and error.response.status_code in REJECTED:
                    return _nothing()
                raise

        async def amodel_call(self, *args: Any, **kwargs: Any) -> Any:
            aiohttp: Any = importlib.import_module("aiohttp")
            parent: Any = super()
            try:
                return await parent.amodel_call(*args, **kwargs)
            except aiohttp.ClientResponseError as error:
                if kwargs.get("generate", True) and error.status in REJECTED:
                    return self.parse_generations(_nothing())
                raise

    return Metered


def _nothing() -> dict[str, Any]:
    """An answer of the server's form to a request that it did not take."""
    return {"choices": [{"index": 0, "text": "", "message": {"content": ""}, "finish_reason": "rejected"}]}


def _meta(output: Mapping[str, Any]) -> Meta:
    choices: Sequence[Mapping[str, Any]] = output.get("choices") or ({},)
    choice = choices[0]
    usage: Mapping[str, Any] = output.get("usage") or {}
    said = choice.get("finish_reason")
    finish: Finish = "rejected" if said == "rejected" else _FINISH.get(str(said), "unknown")
    message: Mapping[str, Any] = choice.get("message") or {}
    if message.get("refusal") and not message.get("content"):
        finish = "filtered"
    return Meta(
        _current.get(), finish, _count(usage.get("prompt_tokens")), _count(usage.get("completion_tokens")),
        str(output.get("model") or ""),
    )  # fmt: skip


def _count(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None


def total(values: Iterator[int | None]) -> int | None:
    """The sum; ``None`` if any part is unknown."""
    numbers = list(values)
    return None if any(n is None for n in numbers) else sum(n for n in numbers if n is not None)
