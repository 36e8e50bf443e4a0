"""Any list of questions as an lm-eval task, and what is stored of the answers."""

from __future__ import annotations

import importlib
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from clinsynth.core import now
from clinsynth.direct.prompts import CHAT_STOP, prompt_digest
from clinsynth.direct.session import (
    Model,
    Reply,
    lm_eval,
    quiet,
    refuse_cut,
    sent_by,
    server_environment,
    usage,
)
from clinsynth.direct.suites.records import FORM, SuiteRecord
from clinsynth.llm import Prices, UnknownPrices

_task: Any = lm_eval("lm_eval.api.task")


@dataclass(frozen=True, kw_only=True, slots=True)
class SuiteRequest:
    """Which model is asked, where its answers are stored, and within what limits."""

    model: Model
    out: Path
    """The folder of the direct track; its last part is the name in the tables."""
    limit: int | None = None
    """Ask a seeded subset of so many questions; the record is preliminary."""
    prices: Prices = field(default_factory=UnknownPrices)
    answer_tokens: int | None = None
    """Room for each answer where its set gives less."""
    say: Callable[[str], None] = lambda _line: None
    """Gets a line for whatever a user should see during the work."""

    def room(self, own: int) -> int:
        """Tokens of an answer that a set gives so many."""
        return max(own, self.answer_tokens or 0)

    def must_end(self, *, text: bool) -> bool:
        """Whether an answer that is cut is worth nothing: any but a text by a base model, which seldom ends one."""
        return not text or self.model.mode == "chat"


class PlainTask(_task.ConfigurableTask):
    """Questions as they are: a message to a chat model, or a text that a base model goes on with."""

    def __init__(
        self, name: str, questions: Sequence[str], max_tokens: int, stop: Sequence[str], opening: str = ""
    ) -> None:
        """``stop`` and ``opening``, which the text ends with, are for base models alone."""
        self.stop = tuple(stop)
        self.opening = opening
        self.questions = tuple(questions)
        with quiet():
            parent: Any = super()
            parent.__init__(config=_config(name, questions, max_tokens))

    def fewshot_docs(self) -> None:
        """Nothing: these suites are zero-shot."""

    def fewshot_context(self, doc: Mapping[str, Any], *_: Any, **options: Any) -> Any:
        """The prompt."""
        chat: Callable[..., Any] | None = options.get("chat_template")
        question: str = self.questions[int(doc["id"])]
        if options.get("apply_chat_template") and chat is not None:
            return chat([{"role": "user", "content": question}])
        return question + self.opening

    def construct_requests(self, doc: Mapping[str, Any], ctx: Any, **kwargs: Any) -> Any:
        """The request, with the stop of its mode."""
        chat = bool(kwargs.get("apply_chat_template"))
        parent: Any = super()
        instance: Any = parent.construct_requests(doc, ctx, **kwargs)
        context, settings = instance.arguments
        instance.arguments = (context, {**settings, "until": list(CHAT_STOP if chat else self.stop)})
        return instance

    def process_results(self, doc: Mapping[str, Any], results: Sequence[Any]) -> dict[str, Any]:
        """Whether anything was said; scores are computed from all answers together."""
        return {"answered": float(bool(str(results[0]).strip()))}


def _config(name: str, questions: Sequence[str], max_tokens: int) -> dict[str, Any]:
    def documents(**_: Any) -> dict[str, Any]:
        datasets: Any = importlib.import_module("datasets")
        return {"test": datasets.Dataset.from_list([{"id": k} for k in range(len(questions))])}

    def nothing(doc: Mapping[str, Any]) -> str:
        return ""

    return {
        "task": name,
        "custom_dataset": documents,
        "test_split": "test",
        "output_type": "generate_until",
        "process_results": "PlainTask.process_results",
        "doc_to_text": nothing,
        "doc_to_target": nothing,
        "metric_list": [{"metric": "answered", "aggregation": np.mean, "higher_is_better": True}],
        "generation_kwargs": {"until": ["\n"], "max_gen_toks": max_tokens, "temperature": 0.0, "do_sample": False},
        "metadata": {"version": 1, "form": FORM},
    }


def suite_record(
    request: SuiteRequest,
    suite: str,
    part: str,
    replies: Sequence[Reply],
    failures: Sequence[str],
    *,
    must_end: bool,
    **more: Any,
) -> SuiteRecord:
    """A record of these replies; ``failures`` says of each why it could not be read, or nothing.

    Raises:
        CutShortError: they are ``must_end`` and too many were cut.
    """
    model = request.model
    if must_end:
        refuse_cut(replies, more["max_tokens"])
    metas = [reply.meta for reply in replies]
    return SuiteRecord(
        suite=suite, part=part, submission=request.out.absolute().name, model=model.name, snapshot=model.snapshot,
        reported=tuple(sorted({meta.model for meta in metas if meta.model})), backend=model.backend, mode=model.mode,
        form=FORM, prompts_sha256=prompt_digest([reply.prompt for reply in replies]),
        answers=dict(sorted(Counter(failure or "read" for failure in failures).items())),
        finish=dict(sorted(Counter(meta.finish for meta in metas).items())),
        sent=sent_by(replies), usage=usage(metas, request.prices), environment=server_environment(model.backend),
        created=now(), **more,
    )  # fmt: skip
