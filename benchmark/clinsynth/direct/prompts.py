"""Prompts for a model under test, derived from the task's spec: no task has a prompt of its own here.

Two modes. ``chat``: instructions, then demonstrations as turns of the conversation. ``completion``: one text that a
base model goes on with, an example per block, the answer on one line. Where no example is shown, that text ends inside
the answer, after its opening: a base model would end the line at once.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from clinsynth.core import Example, Task, TaskSpec
from clinsynth.data import ExampleStore, FewShot, few_shot
from clinsynth.llm import Mode


@dataclass(slots=True)
class Shots:
    """Drawn once for each number a label."""

    store: ExampleStore
    task: Task
    _drawn: dict[int, FewShot] = field(default_factory=dict[int, FewShot])

    def drawn(self, per_label: int) -> FewShot:
        """The draw, with the split that it comes from. Raises ``NotPreparedError`` without train and dev."""
        if per_label not in self._drawn:
            self._drawn[per_label] = few_shot(self.store, self.task, per_label)
        return self._drawn[per_label]

    def ordered(self, per_label: int) -> Sequence[Example]:
        """The examples, in an order that does not follow the labels; none for 0 per label."""
        if not per_label:
            return ()
        drawn = self.drawn(per_label)
        order = np.random.default_rng(0).permutation(len(drawn.examples))
        return [drawn.examples[int(k)] for k in order]

    def shown(self, example: Example, per_label: int) -> list[Example]:
        """Those beside this question, which must not be one: 8 of GAD's test sentences also stand in train."""
        return [shot for shot in self.ordered(per_label) if shot.texts != example.texts]


FORM = "direct.v2"
"""Name of these prompts and of the parsing rules; another wording is another name."""

ANSWER = "Answer:"
CHAT_STOP = ("<|endoftext|>",)
"""Chat servers refuse an empty list of stops: this is a mark that no answer has."""


def opening(spec: TaskSpec, mode: Mode, shots: Sequence[Example]) -> str:
    """What stands in the prompt of the answer itself: the beginning of the string that a base model is to write.

    Nothing where demonstrations show what an answer is: ``["`` is one token in them, and would be cut in two.
    """
    if mode == "chat" or shots:
        return ""
    if not (spec.is_span or spec.multi_label):
        return '"'
    return '[{"text": "' if spec.is_span and len(spec.labels) > 1 else '["'


def stops(mode: Mode, opening: str) -> tuple[str, ...]:
    """Where generation ends besides the model's own end: a base model's answer is one line, or one string of it."""
    if mode == "chat":
        return CHAT_STOP
    return ("\n", '"') if opening == '"' else ("\n",)


def max_tokens(spec: TaskSpec) -> int:
    """Room for the answer: 32 tokens for a label, 128 for several, 512 for mentions."""
    if spec.is_span:
        return 512
    return 128 if spec.multi_label else 32


def instructions(spec: TaskSpec) -> str:
    """The task, its labels and the form of the answer."""
    labels = [f"- {label}: {spec.label_descriptions[label]}" for label in spec.labels]
    head = "Kinds of mention:" if spec.is_span else "Labels:"
    return "\n".join([spec.description, head, *labels, _form_of_answer(spec)])


def _form_of_answer(spec: TaskSpec) -> str:
    if spec.is_span and len(spec.labels) == 1:
        return (
            "Answer with a JSON list of the mentions, each copied exactly from the text, in their order, such as "
            '["first mention", "second mention"]; [] if there is none. Nothing else.'
        )
    if spec.is_span:
        return (
            "Answer with a JSON list of the mentions, each copied exactly from the text, in their order, such as "
            f'[{{"text": "first mention", "label": "{spec.labels[0]}"}}]; [] if there is none. Nothing else.'
        )
    if spec.multi_label:
        return "Answer with a JSON list of every label that applies, [] if none does, and nothing else."
    return "Answer with the name of one label and nothing else."


def question(spec: TaskSpec, example: Example, mode: Mode) -> str:
    """The texts of an example under their names. In a completion line ends become spaces: offsets stay the same."""
    texts = [text.replace("\n", " ").replace("\r", " ") if mode == "completion" else text for text in example.texts]
    return "\n".join(f"{_title(name)}: {text}" for name, text in zip(spec.text_names, texts, strict=True))


def _title(name: str) -> str:
    return name[:1].upper() + name[1:].replace("_", " ")


def answer(spec: TaskSpec, example: Example) -> str:
    """The gold answer in the form that is asked for; also what demonstrations show."""
    if spec.is_span:
        text = example.texts[0]
        mentions = [(text[s.start : s.end], s.label) for s in sorted(example.spans)]
        if len(spec.labels) == 1:
            return json.dumps([mention for mention, _ in mentions], ensure_ascii=False)
        return json.dumps([{"text": mention, "label": label} for mention, label in mentions], ensure_ascii=False)
    return json.dumps(list(example.labels), ensure_ascii=False) if spec.multi_label else example.labels[0]


def conversation(spec: TaskSpec, shots: Sequence[Example], example: Example) -> list[dict[str, str]]:
    """Messages for a chat model. The instructions open the first question: some chat templates know no system role."""
    messages: list[dict[str, str]] = []
    for shot in shots:
        messages += [
            {"role": "user", "content": question(spec, shot, "chat")},
            {"role": "assistant", "content": answer(spec, shot)},
        ]
    messages.append({"role": "user", "content": question(spec, example, "chat")})
    messages[0]["content"] = f"{instructions(spec)}\n\n{messages[0]['content']}"
    return messages


def completion(spec: TaskSpec, shots: Sequence[Example], example: Example) -> str:
    """The text that a base model goes on with: it ends with ``opening``, or without a space, as tokenizers want it.

    Without demonstrations what is asked is said once more, right before the answer.
    """
    shown = question(spec, example, "completion")
    if not shots:
        return f"{instructions(spec)}\n\n{shown}\n{_asked(spec)}\n{ANSWER} {opening(spec, 'completion', shots)}"
    blocks = [f"{question(spec, shot, 'completion')}\n{ANSWER} {answer(spec, shot)}" for shot in shots]
    return "\n\n".join([instructions(spec), *blocks, f"{shown}\n{ANSWER}"])


def _asked(spec: TaskSpec) -> str:
    if spec.is_span:
        return "Which words of the text are such mentions?"
    labels = [json.dumps(label, ensure_ascii=False) for label in spec.labels]
    if spec.multi_label:
        return f"Which labels apply: {', '.join(labels)}?"
    return f"Which label is it: {' or '.join(labels)}?"


def prompt_digest(prompts: Sequence[str]) -> str:
    """sha256 over all prompts of a run, in test order: equal digests are the same questions."""
    digest = hashlib.sha256()
    for prompt in prompts:
        digest.update(hashlib.sha256(prompt.encode("utf-8", "surrogatepass")).digest())
    return digest.hexdigest()
