"""A scripted model that knows the gold answers of the sample."""

from tests.scripted_server import Asked, Reaction, Say, Script

from clinsynth.core.nouns import TaskSpec
from clinsynth.core.registry import TASKS
from clinsynth.data.samples import SampleStore
from clinsynth.direct import prompts

SAMPLE = SampleStore()


def spec_of(task: str) -> TaskSpec:
    return TASKS[task].spec


def gone_on(answer: str, opening: str) -> str:
    """What a base model writes after ``opening`` to give ``answer``."""
    if not opening:
        return f" {answer}"
    if opening == '"':
        return f'{answer}"'
    if answer == "[]":
        return '"]' if opening == '["' else '", "label": "Dosage"}]'
    assert answer.startswith(opening)
    return answer.removeprefix(opening)


def oracle(*, wrong_every: int = 0) -> Script:
    """Answers with gold where it knows the text, and with nonsense every so often."""
    known: dict[str, str] = {}
    for name in TASKS:
        for example in SAMPLE.examples(TASKS[name], "test"):
            for mode in ("chat", "completion"):
                known[name + prompts.question(spec_of(name), example, mode)] = prompts.answer(spec_of(name), example)

    def answer(asked: Asked) -> Reaction:
        messages = asked.body.get("messages")
        first = messages[0]["content"] if messages else asked.prompt
        last = messages[-1]["content"] if messages else asked.prompt
        task = next(name for name in TASKS if first.startswith(prompts.instructions(spec_of(name))))
        if wrong_every and asked.number % wrong_every == 0:
            return Say(text="I have no idea")
        if messages:
            return Say(text=" " + known[task + last.split("\n\n", 1)[-1]])
        shown, opening = last.rsplit("\n\n", 1)[-1].rsplit(f"\n{prompts.ANSWER}", 1)
        return Say(text=gone_on(known[task + shown.split("\nWhich ")[0]], opening.removeprefix(" ")))

    return answer
